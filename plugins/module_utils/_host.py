# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise is made to code outside of it.

"""Reads a host's kernel into a L(Snapshot). Reads only; never fails on a kernel without live patching.

Every function takes a C(Files), which may have another root than C(/): the tests feed recorded trees.
"""

from __future__ import annotations

import gzip
import os
import re
import typing as t
import zlib

from ansible_collections.openeuler.livepatch.plugins.module_utils import _owners, _state_file
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.snapshot import (
    PER_TASK,
    STOP_MACHINE,
    Function,
    Holder,
    Identity,
    LoadedPatch,
    Option,
    Snapshot,
    Unreadable,
)
from ansible_collections.openeuler.livepatch.plugins.module_utils._store import boot as boot_store
from ansible_collections.openeuler.livepatch.plugins.module_utils._store import copies
from ansible_collections.openeuler.livepatch.plugins.module_utils._system.files import Files

SYSFS = "/sys/kernel/livepatch"

STATE_FILE = "/proc/livepatch/state"

# What openEuler's documentation asks for on kernels that patch without ftrace, and what mainline needs of it.
REQUIRED_OPTIONS = {
    "CONFIG_HAVE_LIVEPATCH_WO_FTRACE": (STOP_MACHINE,),
    "CONFIG_LIVEPATCH": (PER_TASK, STOP_MACHINE),
    "CONFIG_LIVEPATCH_WO_FTRACE": (STOP_MACHINE,),
    "CONFIG_LIVEPATCH_STOP_MACHINE_CONSISTENCY": (STOP_MACHINE,),
    "CONFIG_LIVEPATCH_RESTRICT_KPROBE": (STOP_MACHINE,),
    "CONFIG_KALLSYMS": (PER_TASK, STOP_MACHINE),
    "CONFIG_KALLSYMS_ALL": (PER_TASK, STOP_MACHINE),
    "CONFIG_DEBUG_INFO": (STOP_MACHINE,),
}

VERMAGIC = {
    "SMP": "SMP",
    "PREEMPT_RT": "preempt_rt",
    "PREEMPT_BUILD": "preempt",
    "PREEMPT": "preempt",
    "MODULE_UNLOAD": "mod_unload",
    "MODVERSIONS": "modversions",
}
"""The words of a vermagic and the options that they stand for (include/linux/vermagic.h)."""

MODULE_PLTS = "CONFIG_ARM64_MODULE_PLTS"
"""Makes jumps of arm64 kernels of 5.10 reach modules that are far away (arch/arm64/include/asm/livepatch.h)."""

LIVEPATCH_TAINT = "K"
"""Marks a live patch module in /proc/modules (Documentation/admin-guide/tainted-kernels.rst)."""

PERMANENT = "[permanent]"
"""Stands in /proc/modules among the users of a module that has no exit function (kernel/module/procfs.c)."""


def read_snapshot(files: Files | None = None) -> Snapshot:
    """Read the kernel's release, configuration, ABI and live patches."""
    files = files or Files()
    release = files.text("/proc/sys/kernel/osrelease") or os.uname().release
    config_path, config = _read_config(files, release)
    abi, evidence, why = _detect_abi(files, config_path, config)
    modules = _read_modules(files)
    owners = _owners.read(files, release)
    patches = [
        _read_patch(files, module, index, owners)
        for index, module in enumerate(modules)
        if LIVEPATCH_TAINT in module.taint
    ]
    disagreements: list[str] = []
    list_order = None
    if abi == STOP_MACHINE:
        patches, disagreements = _order_by_state_file(files, patches)
        list_order, reason = detect_list_order(config_path, config, patches)
        evidence.append(reason)
    boot = boot_store.read(files)
    return Snapshot(
        release=release,
        machine=os.uname().machine,
        abi=abi,
        abi_evidence=tuple(evidence),
        why_unsupported=why,
        options=tuple(
            Option(name, config.get(name), config_path is not None, needed_by)
            for name, needed_by in REQUIRED_OPTIONS.items()
        ),
        config_path=config_path,
        patches=tuple(patches),
        modules=frozenset(module.name for module in modules),
        taint=files.number("/proc/sys/kernel/tainted"),
        privileged=os.geteuid() == 0,
        unreadable=tuple(files.unreadable),
        list_order=list_order,
        disagreements=tuple(disagreements),
        vermagic_words=_vermagic_words(config) if config_path is not None else None,
        module_plts=config.get(MODULE_PLTS) == "y" if config_path is not None else None,
        boot=boot,
        has_boot_program=boot_store.is_installed(files),
    )


def _order_by_state_file(files: Files, patches: list[LoadedPatch]) -> tuple[list[LoadedPatch], list[str]]:
    """The patches in the kernel's order, and in what the state file and sysfs contradict each other.

    A module that is loaded but not registered (its registration is running, or it was removed) is not in the file.
    """
    text = files.text(STATE_FILE)
    if text is None:
        return patches, [f"{STATE_FILE} cannot be read: the order of the patches is taken from /proc/modules."]
    state = _state_file.parse(text)
    sentences = [f"{STATE_FILE}: {problem}" for problem in state.problems]
    by_name = {patch.name: patch for patch in patches}
    for entry in state.entries:
        patch = by_name.get(entry.name)
        if patch is None:
            sentences.append(f"{STATE_FILE} lists {entry.name}, which is not a loaded live patch module.")
        elif entry.enabled is not None and entry.enabled != patch.enabled:
            sysfs = "enabled" if patch.enabled else "disabled"
            sentences.append(f"{STATE_FILE} shows {entry.name} as {entry.state}, sysfs as {sysfs}.")
    listed = [entry.name for entry in state.entries]
    sentences += [f"{STATE_FILE} does not list the loaded patch {name}." for name in by_name if name not in listed]
    return sorted(patches, key=lambda patch: listed.index(patch.name) if patch.name in listed else -1), sentences


def detect_list_order(
    config_path: str | None, config: dict[str, str], patches: list[LoadedPatch]
) -> tuple[bool | None, str]:
    """Whether the kernel has CONFIG_LIVEPATCH_STACK, and how that is known."""
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


def read_holders(files: Files, enabling: bool) -> tuple[Holder, ...]:
    """The tasks that keep the running transition from ending, with their kernel stacks.

    While a patch is being enabled those are the tasks whose patch_state is still 0, else those still at 1
    (-1 means that no transition concerns the task; kernel/livepatch/transition.c).
    """
    holding = 0 if enabling else 1
    holders = []
    for pid in files.names("/proc"):
        if pid.isdecimal():
            for tid in files.names(f"/proc/{pid}/task"):
                task = f"/proc/{pid}/task/{tid}"
                if files.number(task + "/patch_state") == holding:
                    stack = files.text(task + "/stack") or ""
                    frames = tuple(_frame(line) for line in stack.splitlines())
                    holders.append(Holder(int(pid), int(tid), files.text(task + "/comm") or "?", frames))
    return tuple(holders)


def _frame(line: str) -> str:
    """C(hrtimer_nanosleep+0x9d/0x120) of C([<0>] hrtimer_nanosleep+0x9d/0x120)."""
    return re.sub(r"^\[<[0-9a-f]+>\]\s*", "", line.strip())


class _Module(t.NamedTuple):
    name: str
    refcount: int | None
    taint: str
    permanent: bool


def _read_modules(files: Files) -> list[_Module]:
    """All modules in the order in which they were loaded: /proc/modules has the newest first."""
    modules = []
    for line in (files.text("/proc/modules") or "").splitlines():
        fields = line.split()
        if len(fields) < 6:
            continue
        taint = fields[-1].strip("()") if fields[-1].startswith("(") else ""
        refcount = int(fields[2]) if fields[2].isdecimal() else None
        modules.append(_Module(fields[0], refcount, taint, permanent=PERMANENT in fields[3].split(",")))
    modules.reverse()
    return modules


def _read_patch(files: Files, module: _Module, load_index: int, owners: t.Mapping[str, str]) -> LoadedPatch:
    sysfs = f"{SYSFS}/{module.name}"
    kept = copies.read_record(files, module.name)
    return LoadedPatch(
        name=module.name,
        enabled=bool(files.flag(sysfs + "/enabled")),
        in_transition=bool(files.flag(sysfs + "/transition")),
        replace=files.flag(sysfs + "/replace"),
        functions=tuple(_read_functions(files, sysfs)),
        refcount=module.refcount,
        taint=module.taint,
        identity=Identity(
            build_id=_read_build_id(files, module.name),
            srcversion=files.text(f"/sys/module/{module.name}/srcversion"),
            sha256=kept.sha256 if kept else None,
        ),
        kept_file=kept.path if kept else None,
        load_index=load_index,
        instance=files.inode(f"/sys/module/{module.name}"),
        permanent=module.permanent,
        owner=owners.get(module.name),
        source_patches=_source_patches(kept),
    )


def _source_patches(kept: copies.Record | None) -> tuple[str, ...]:
    made_from = kept.patch_file.get("source_patches") if kept and isinstance(kept.patch_file, dict) else None
    return tuple(str(patch) for patch in made_from) if isinstance(made_from, list) else ()


def _read_functions(files: Files, sysfs: str) -> t.Iterator[Function]:
    for object_name in files.names(sysfs):
        if files.is_dir(f"{sysfs}/{object_name}"):
            for entry in files.names(f"{sysfs}/{object_name}"):
                name, comma, sympos = entry.rpartition(",")
                if comma and sympos.isdecimal():
                    yield Function(object_name, name, int(sympos))


def _read_build_id(files: Files, module: str) -> str | None:
    """The build-id in the ELF note that the kernel shows; the note is three 32 bit words, the name "GNU", the id."""
    note = files.bytes(f"/sys/module/{module}/notes/.note.gnu.build-id")
    return note[16:].hex() if note and len(note) > 16 and note[12:16] == b"GNU\0" else None


def _read_config(files: Files, release: str) -> tuple[str | None, dict[str, str]]:
    """The path of the running kernel's configuration and its options of interest; (None, {}) if there is none."""
    for path in ("/proc/config.gz", "/boot/config-" + release, f"/lib/modules/{release}/config"):
        content = files.bytes(path)
        if content is None:
            continue
        if path.endswith(".gz"):
            try:
                content = gzip.decompress(content)
            except (OSError, EOFError, zlib.error):
                files.unreadable.append(Unreadable(path, "damaged"))
                continue
        return path, parse_config(content.decode("utf-8", "replace"))
    return None, {}


def parse_config(text: str) -> dict[str, str]:
    """The livepatch options, the REQUIRED_OPTIONS, MODULE_PLTS and those in VERMAGIC that a configuration sets."""
    names = "|".join(("(?:HAVE_)?LIVEPATCH\\w*", "KALLSYMS(?:_ALL)?", "DEBUG_INFO", "ARM64_MODULE_PLTS", *VERMAGIC))
    return dict(re.findall(rf"^(CONFIG_(?:{names}))=(.*)$", text, re.M))


def _vermagic_words(config: dict[str, str]) -> frozenset[str]:
    words = {word for option, word in VERMAGIC.items() if config.get("CONFIG_" + option) == "y"}
    return frozenset(words - {"preempt"} if "preempt_rt" in words else words)


def _detect_abi(
    files: Files, config_path: str | None, config: dict[str, str]
) -> tuple[str | None, list[str], str | None]:
    """The ABI, what it was concluded from, and, where there is none, why. Best evidence first: config, then symbols."""
    if config_path is not None:
        if config.get("CONFIG_LIVEPATCH") != "y":
            return None, [], f"CONFIG_LIVEPATCH is not set in {config_path}."
        if config.get("CONFIG_LIVEPATCH_WO_FTRACE") == "y":
            return STOP_MACHINE, [f"CONFIG_LIVEPATCH_WO_FTRACE=y in {config_path}"], None
        return PER_TASK, [f"CONFIG_LIVEPATCH=y without CONFIG_LIVEPATCH_WO_FTRACE in {config_path}"], None
    if not files.is_dir(SYSFS):
        return None, [], f"The kernel has no {SYSFS} and no readable configuration."
    symbols = _livepatch_symbols(files)
    has_state_file = files.inode(STATE_FILE) is not None
    if "klp_register_patch" in symbols and has_state_file:
        return STOP_MACHINE, [f"klp_register_patch in /proc/kallsyms, and {STATE_FILE}"], None
    # Mainline before 5.1 has klp_register_patch as well, beside its use of ftrace.
    if "klp_register_patch" in symbols and "klp_ftrace_handler" not in symbols:
        return STOP_MACHINE, ["klp_register_patch without klp_ftrace_handler in /proc/kallsyms"], None
    for symbol in ("klp_ftrace_handler", "klp_enable_patch"):
        if symbol in symbols:
            return PER_TASK, [f"{symbol} in /proc/kallsyms"], None
    if has_state_file:
        return STOP_MACHINE, [f"{STATE_FILE} exists"], None
    for name in files.names(SYSFS):
        if files.inode(f"{SYSFS}/{name}/transition") is not None:
            return PER_TASK, [f"{SYSFS}/{name}/transition exists"], None
        if files.inode(f"{SYSFS}/{name}/enabled") is not None:
            return STOP_MACHINE, [f"{SYSFS}/{name} has no transition"], None
    return None, [], f"The kernel has {SYSFS}, but neither its configuration nor /proc/kallsyms tells how."


def _livepatch_symbols(files: Files) -> set[str]:
    kallsyms = files.bytes("/proc/kallsyms") or b""
    return {name.decode("ascii", "replace") for name in re.findall(rb" [tT] (klp_\w+)$", kallsyms, re.M)}
