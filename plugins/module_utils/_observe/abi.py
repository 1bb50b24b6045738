# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise is made to code outside of it.

"""Detects the ABI of live patching: how the running kernel applies patches. Names the evidence."""

from __future__ import annotations

import re
import typing as t

from ansible_collections.openeuler.livepatch.plugins.module_utils._model.reading import Absent, Reading, known, known_or
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.snapshot import (
    PER_TASK,
    STOP_MACHINE,
    LoadedPatch,
)
from ansible_collections.openeuler.livepatch.plugins.module_utils._system.files import Files

SYSFS = "/sys/kernel/livepatch"

STATE_FILE = "/proc/livepatch/state"


_UNKNOWN = f"The kernel has {SYSFS}, but neither its configuration nor /proc/kallsyms tells how."


def detect_stacking(
    config_path: str | None, config: dict[str, str], patches: list[LoadedPatch]
) -> tuple[bool | None, str]:
    """Whether the kernel has CONFIG_LIVEPATCH_STACK (None: unknown), and the evidence as a clause."""
    shown = _shown_not_to_stack(patches)
    if config_path is not None:
        stack = config.get("CONFIG_LIVEPATCH_STACK") == "y"
        if stack and shown:
            return False, f"CONFIG_LIVEPATCH_STACK is set in {config_path}, and not in the running kernel: {shown}"
        return stack, f"CONFIG_LIVEPATCH_STACK is {'' if stack else 'not '}set in {config_path}"
    if shown:
        return False, f"CONFIG_LIVEPATCH_STACK is not set: {shown}"
    return None, "whether CONFIG_LIVEPATCH_STACK is set is unknown: there is no readable configuration"


def _shown_not_to_stack(patches: list[LoadedPatch]) -> str | None:
    """What the patches show that a kernel with CONFIG_LIVEPATCH_STACK never does, as a clause."""
    for before, after in zip(patches, patches[1:]):
        if after.enabled and not before.enabled:
            return f"{after.name} is enabled behind {before.name}"
        if after.load_index < before.load_index:
            # With it, only registering a patch puts it into the list (kernel/livepatch/core.c).
            return f"{after.name} is behind {before.name}, which came later"
    return None


class Detected(t.NamedTuple):
    """The ABI, the evidence for it, and, if there is no ABI, the reason as a sentence.

    `contradiction` says in a sentence how the configuration contradicts the kernel, whose evidence counts then.
    """

    abi: str | None
    evidence: list[str]
    why: str | None = None
    contradiction: str | None = None


def detect_abi(
    files: Files, config_path: str | None, config: dict[str, str], registered: Reading[list[str]]
) -> Detected:
    """The ABI of the kernel, from the best evidence that it shows: its symbols, its files, its configuration.

    `registered` are the patches in SYSFS. The symbols are many: they are read where there is no configuration, or the
    files do not bear it out.
    """
    has_state_file = not isinstance(files.inode(STATE_FILE), Absent)
    by_config = _by_config(config_path, config) if config_path is not None else None
    if isinstance(registered, Absent):
        return _without_sysfs(files, by_config)
    by_files = _by_files(files, known_or(registered, []), has_state_file)
    if by_config and by_config.abi and _is_borne_out(by_config.abi, by_files):
        return by_config
    detected = _by_symbols(_livepatch_symbols(files), has_state_file) or by_files
    if by_config and detected:
        return by_config if by_config.abi == detected.abi else _against_config(by_config, detected)
    if by_config and by_config.abi:
        return by_config
    if by_config:
        return _against_config(by_config, Detected(None, [SYSFS], _UNKNOWN))
    return detected or Detected(None, [], _UNKNOWN)


def _is_borne_out(abi: str, by_files: Detected | None) -> bool:
    if by_files:
        return by_files.abi == abi
    # openEuler's kernels have the state file, patches or not.
    return abi == PER_TASK


def _without_sysfs(files: Files, by_config: Detected | None) -> Detected:
    is_mounted = not isinstance(files.names("/sys/kernel"), Absent)
    if by_config is None:
        return Detected(None, [], f"The kernel has no {SYSFS} and no readable configuration.")
    if by_config.abi is None or not is_mounted:
        return by_config
    return _against_config(by_config, Detected(None, [f"no {SYSFS}"], f"The kernel has no {SYSFS}."))


def _against_config(by_config: Detected, by_kernel: Detected) -> Detected:
    said = by_config.why.rstrip(".") if by_config.why else by_config.evidence[0]
    return by_kernel._replace(contradiction=of_another_kernel(f"{said}, but the kernel shows {by_kernel.evidence[0]}"))


def of_another_kernel(why: str) -> str:
    """The sentence on a configuration that contradicts the kernel; `why` is a clause."""
    return f"The configuration is not that of the running kernel: {why}."


def _by_config(path: str, config: dict[str, str]) -> Detected:
    if config.get("CONFIG_LIVEPATCH") != "y":
        return Detected(None, [], f"CONFIG_LIVEPATCH is not set in {path}.")
    if config.get("CONFIG_LIVEPATCH_WO_FTRACE") == "y":
        return Detected(STOP_MACHINE, [f"CONFIG_LIVEPATCH_WO_FTRACE=y in {path}"])
    return Detected(PER_TASK, [f"CONFIG_LIVEPATCH=y without CONFIG_LIVEPATCH_WO_FTRACE in {path}"])


def _by_symbols(symbols: set[str], has_state_file: bool) -> Detected | None:
    if "klp_register_patch" in symbols and has_state_file:
        return Detected(STOP_MACHINE, [f"klp_register_patch in /proc/kallsyms, and {STATE_FILE}"])
    # Mainline before 5.1 has klp_register_patch as well, beside its use of ftrace.
    if "klp_register_patch" in symbols and "klp_ftrace_handler" not in symbols:
        return Detected(STOP_MACHINE, ["klp_register_patch without klp_ftrace_handler in /proc/kallsyms"])
    for symbol in ("klp_ftrace_handler", "klp_enable_patch"):
        if symbol in symbols:
            return Detected(PER_TASK, [f"{symbol} in /proc/kallsyms"])
    return None


def _by_files(files: Files, patches: list[str], has_state_file: bool) -> Detected | None:
    if has_state_file:
        return Detected(STOP_MACHINE, [f"{STATE_FILE} exists"])
    for name in patches:
        transition = files.inode(f"{SYSFS}/{name}/transition")
        if isinstance(transition, int):
            return Detected(PER_TASK, [f"{SYSFS}/{name}/transition exists"])
        if isinstance(transition, Absent) and known(files.inode(f"{SYSFS}/{name}/enabled")) is not None:
            return Detected(STOP_MACHINE, [f"{SYSFS}/{name} has no transition"])
    return None


def _livepatch_symbols(files: Files) -> set[str]:
    kallsyms = known_or(files.bytes("/proc/kallsyms"), b"")
    return {name.decode("ascii", "replace") for name in re.findall(rb" [tT] (klp_\w+)$", kallsyms, re.M)}
