# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise is made to code outside of it.

"""Detects the ABI of live patching: how the running kernel applies patches. Names the evidence."""

from __future__ import annotations

import re
import typing as t

from ansible_collections.openeuler.livepatch.plugins.module_utils._model.reading import Absent, known, known_or
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.snapshot import (
    PER_TASK,
    STOP_MACHINE,
    LoadedPatch,
)
from ansible_collections.openeuler.livepatch.plugins.module_utils._system.files import Files

SYSFS = "/sys/kernel/livepatch"

STATE_FILE = "/proc/livepatch/state"


def detect_stacking(
    config_path: str | None, config: dict[str, str], patches: list[LoadedPatch]
) -> tuple[bool | None, str]:
    """Whether the kernel has CONFIG_LIVEPATCH_STACK (None: unknown), and the evidence as a clause."""
    if config_path is not None:
        stack = config.get("CONFIG_LIVEPATCH_STACK") == "y"
        return stack, f"CONFIG_LIVEPATCH_STACK is {'' if stack else 'not '}set in {config_path}"
    for before, after in zip(patches, patches[1:]):
        if after.enabled and not before.enabled:
            return False, f"CONFIG_LIVEPATCH_STACK is not set: {after.name} is enabled behind {before.name}"
        if after.load_index < before.load_index:
            # With it, only registering a patch puts it into the list (kernel/livepatch/core.c).
            return False, f"CONFIG_LIVEPATCH_STACK is not set: {after.name} is behind {before.name}, which came later"
    return None, "whether CONFIG_LIVEPATCH_STACK is set is unknown: there is no readable configuration"


Detected = t.Tuple[t.Optional[str], t.List[str], t.Optional[str]]
"""The ABI, the evidence for it, and, if there is no ABI, the reason as a sentence."""


def detect_abi(files: Files, config_path: str | None, config: dict[str, str]) -> Detected:
    """The ABI of the kernel, from the best evidence that it shows: its configuration, its symbols, or its files."""
    if config_path is not None:
        return _by_config(config_path, config)
    if isinstance(files.names(SYSFS), Absent):
        return None, [], f"The kernel has no {SYSFS} and no readable configuration."
    has_state_file = not isinstance(files.inode(STATE_FILE), Absent)
    detected = _by_symbols(_livepatch_symbols(files), has_state_file) or _by_files(files, has_state_file)
    return detected or (
        None,
        [],
        f"The kernel has {SYSFS}, but neither its configuration nor /proc/kallsyms tells how.",
    )


def _by_config(path: str, config: dict[str, str]) -> Detected:
    if config.get("CONFIG_LIVEPATCH") != "y":
        return None, [], f"CONFIG_LIVEPATCH is not set in {path}."
    if config.get("CONFIG_LIVEPATCH_WO_FTRACE") == "y":
        return STOP_MACHINE, [f"CONFIG_LIVEPATCH_WO_FTRACE=y in {path}"], None
    return PER_TASK, [f"CONFIG_LIVEPATCH=y without CONFIG_LIVEPATCH_WO_FTRACE in {path}"], None


def _by_symbols(symbols: set[str], has_state_file: bool) -> Detected | None:
    if "klp_register_patch" in symbols and has_state_file:
        return STOP_MACHINE, [f"klp_register_patch in /proc/kallsyms, and {STATE_FILE}"], None
    # Mainline before 5.1 has klp_register_patch as well, beside its use of ftrace.
    if "klp_register_patch" in symbols and "klp_ftrace_handler" not in symbols:
        return STOP_MACHINE, ["klp_register_patch without klp_ftrace_handler in /proc/kallsyms"], None
    for symbol in ("klp_ftrace_handler", "klp_enable_patch"):
        if symbol in symbols:
            return PER_TASK, [f"{symbol} in /proc/kallsyms"], None
    return None


def _by_files(files: Files, has_state_file: bool) -> Detected | None:
    if has_state_file:
        return STOP_MACHINE, [f"{STATE_FILE} exists"], None
    for name in known_or(files.names(SYSFS), []):
        if known(files.inode(f"{SYSFS}/{name}/transition")) is not None:
            return PER_TASK, [f"{SYSFS}/{name}/transition exists"], None
        if known(files.inode(f"{SYSFS}/{name}/enabled")) is not None:
            return STOP_MACHINE, [f"{SYSFS}/{name} has no transition"], None
    return None


def _livepatch_symbols(files: Files) -> set[str]:
    kallsyms = known_or(files.bytes("/proc/kallsyms"), b"")
    return {name.decode("ascii", "replace") for name in re.findall(rb" [tT] (klp_\w+)$", kallsyms, re.M)}
