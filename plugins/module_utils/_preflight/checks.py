# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise is made to code outside of it.
"""Pure: everything that is known to keep a kernel from taking the steps of a plan, or to make them do harm.

All findings at once. What could not be read is a finding too. The order of patches is the plan's business, not this.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from ansible_collections.openeuler.livepatch.plugins.module_utils._model.findings import INFO, REFUSE, WARN, Finding
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.patch_file import PatchFile
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.plan import DISABLE, ENABLE, LOAD, Step
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.snapshot import (
    PER_TASK,
    STOP_MACHINE,
    Function,
    LoadedPatch,
    Snapshot,
    troubles,
)
from ansible_collections.openeuler.livepatch.plugins.module_utils._observe.conditions import LOCKDOWN, Conditions
from ansible_collections.openeuler.livepatch.plugins.module_utils._observe.kallsyms import (
    KALLSYMS,
    Symbols,
    is_same,
    symbol_of,
    with_a_name_of,
)
from ansible_collections.openeuler.livepatch.plugins.module_utils._observe.tracers import (
    ENABLED_FUNCTIONS,
    FTRACE_ENABLED,
    KPROBES,
    TRACEFS,
    Kprobe,
    Traced,
    entries_of,
)

SHORTEST = {"x86_64": 5, "aarch64": 16, "armv7l": 12, "ppc": 16, "ppc64": 32, "riscv64": 24}
"""The bytes that a stop_machine kernel overwrites in a function (openEuler, arch/*/include/asm/livepatch.h)."""

BRANCH = 4
"""The same on arm64 without CONFIG_ARM64_MODULE_PLTS, which 6.6 no longer has: there is no far jump."""

SIGNATURE_LOCKDOWNS = ("integrity", "confidentiality")

MEMORY_RESERVE = 16 * 1024**2
"""Bytes that should stay free beside the module."""


@dataclass(frozen=True)
class Preflight:
    """What is about to be done, and to which kernel. `files` are those to be loaded."""

    snapshot: Snapshot
    conditions: Conditions
    steps: tuple[Step, ...]
    load_targets: bool = False

    @property
    def files(self) -> tuple[PatchFile, ...]:
        return tuple(dict.fromkeys(step.file for step in self.steps if step.action == LOAD and step.file))

    def findings(self) -> list[Finding]:
        """Everything that was found, refusals first."""
        found = [*self._files(), *self._functions(), *self._kernel()]
        return sorted(found, key=lambda finding: (REFUSE, WARN, INFO).index(finding.severity))

    # ---- the files ----

    def _files(self) -> t.Iterator[Finding]:
        for file in self.files:
            yield from self._quarantine(file)
            yield from self._built_for(file)
            yield from self._signature(file)
            yield from self._symbols(file)
            yield from self._modules(file)
            yield from self._memory(file)

    def _quarantine(self, file: PatchFile) -> t.Iterator[Finding]:
        quarantined = self.snapshot.boot.quarantine_of(file.sha256)
        if quarantined:
            yield Finding(
                reason="quarantined",
                seen=f"{file.path} is in quarantine on this host since {quarantined.since}.",
                remedy=f"Build a better one; or take the quarantine back, with state: absent for {file.name}.",
                why=quarantined.why,
            )

    def _built_for(self, file: PatchFile) -> t.Iterator[Finding]:
        host = self.snapshot
        if file.machine != host.machine:
            yield Finding(
                reason="wrong_architecture",
                seen=f"{file.path} is built for {file.machine}, the host is {host.machine}.",
                remedy=f"Build the patch for {host.machine}.",
                why="The kernel would not take it for a module.",
            )
        if file.release != host.release:
            yield Finding(
                reason="wrong_vermagic",
                seen=f"{file.path} is built for kernel {file.release}, the host runs {host.release}.",
                remedy=f"Build the patch for {host.release}.",
                # With MODVERSIONS the kernel does not compare the release.
                why="A patch fits only the code that it is made for, even where the kernel would take it.",
            )
        elif host.vermagic_words is not None:
            yield from self._vermagic_words(file, host.vermagic_words)
        if file.abi != host.abi:
            yield Finding(
                reason="wrong_abi",
                seen=f"{file.path} is built for {file.abi} kernels, the host's kernel is {host.abi}.",
                remedy="Build the patch against the host's kernel.",
                why="It calls functions that the kernel does not have.",
            )

    def _vermagic_words(self, file: PatchFile, kernel: frozenset[str]) -> t.Iterator[Finding]:
        # Words of other kinds, architectures and the seed of RANDSTRUCT, do not follow from the configuration alone.
        known = {"SMP", "preempt", "preempt_rt", "mod_unload", "modversions"}
        words = known.intersection(file.vermagic.split())
        if words != kernel:
            extra, missing = (", ".join(sorted(one - other)) for one, other in ((words, kernel), (kernel, words)))
            parts = [f"has {extra}, which the kernel has not"] if extra else []
            parts += [f"lacks {missing}, which the kernel has"] if missing else []
            yield Finding(
                reason="wrong_vermagic",
                seen=f"The vermagic of {file.path}, '{file.vermagic}', {', and '.join(parts)} "
                f"({self.snapshot.config_path}).",
                remedy="Build the patch against the build tree and the configuration of the running kernel.",
                why="The kernel compares these words and would answer ENOEXEC.",
            )

    def _signature(self, file: PatchFile) -> t.Iterator[Finding]:
        conditions = self.conditions
        if file.damaged_signature:
            yield Finding(
                reason="signature",
                seen=f"{file.path} ends as a signed file does, and its signature cannot be read.",
                remedy="Sign it again, after the last change to it, or give the unsigned file.",
                # kernel/module/signing.c, module_sig_check(): only a missing signature, key or algorithm is forgiven.
                why="The kernel would answer EBADMSG, even where it demands no signature.",
            )
            return
        demands = []
        if conditions.sig_enforce:
            demands.append("module.sig_enforce is set")
        if conditions.lockdown in SIGNATURE_LOCKDOWNS:
            demands.append(f"the kernel is locked down ({conditions.lockdown})")
        if not demands:
            # A kernel without lockdown has no such file.
            unreadable = LOCKDOWN in conditions.unreadable
            if conditions.lockdown is None and (conditions.secure_boot or unreadable):
                yield Finding(
                    reason="signature",
                    seen=conditions.why(LOCKDOWN)
                    if unreadable
                    else f"Secure Boot is on, and {LOCKDOWN} does not tell what follows from it.",
                    remedy="Sign the patch file.",
                    why="The kernel may demand a signature.",
                    severity=WARN,
                )
            return
        why = f"The kernel loads modules only with a signature that it trusts: {' and '.join(demands)}."
        if not file.signed:
            yield Finding(
                reason="signature",
                seen=f"{file.path} is not signed.",
                remedy="Sign it with a key in the kernel's keyring.",
                why=why,
            )
        elif conditions.signers is None:
            yield Finding(
                reason="signature",
                seen=f"Whether the kernel trusts the signer of {file.path} is unknown: {conditions.why('/proc/keys')}",
                remedy="Make sure that the certificate is in the kernel's keyring.",
                why=why,
                severity=WARN,
            )
        elif not self._knows_signer(file, conditions.signers):
            signer = file.signer or (f"the key {file.key_id}" if file.key_id else "an unknown key")
            yield Finding(
                reason="signature",
                seen=f"{file.path} is signed by {signer}, of which /proc/keys shows no certificate.",
                remedy="Enroll the certificate (mokutil --import), or sign with a key that the kernel trusts.",
                why=why,
                severity=WARN,
            )

    def _knows_signer(self, file: PatchFile, signers: frozenset[str]) -> bool:
        if file.signer:
            return any(name.endswith(file.signer) for name in signers)
        return file.key_id in self.conditions.key_ids

    def _symbols(self, file: PatchFile) -> t.Iterator[Finding]:
        symbols = self.conditions.symbols
        if file.functions is None:
            yield Finding(
                reason="symbols",
                seen=f"{file.path} does not show which functions it replaces.",
                remedy="Look for them in its source.",
                why="None of the checks of functions could be made.",
                severity=WARN,
            )
            return
        if symbols is None:
            yield Finding(
                reason="symbols",
                seen=self.conditions.why(KALLSYMS),
                remedy="Build the kernel with CONFIG_KALLSYMS.",
                why="Whether the kernel has the functions of the patch, and how long they are, is unknown.",
                severity=WARN,
            )
            return
        for function in file.functions:
            if self._is_there(function.object):
                yield from self._symbol(file, function, symbols)

    def _symbol(self, file: PatchFile, function: Function, symbols: Symbols) -> t.Iterator[Finding]:
        found = symbols.get((function.object, function.name), ())
        if not found:
            yield Finding(
                reason="symbol_missing",
                seen=f"{_where(function)} has no function {function.name}.",
                remedy="Build the patch from the source of the running kernel; an inlined function cannot be patched.",
                why="The kernel would answer EINVAL.",
            )
        elif len(found) > 1 and function in file.unnumbered:
            yield Finding(
                reason="symbol_ambiguous",
                seen=f"{_where(function)} has {len(found)} symbols named {function.name}.",
                remedy="Set the function's old_sympos to its position in /proc/kallsyms.",
                why="The patch does not say which of them it replaces, so that the kernel would answer EINVAL.",
            )
        elif function.sympos > len(found):
            yield Finding(
                reason="sympos_missing",
                seen=f"{_where(function)} has {len(found)} symbols named {function.name}, not {function.sympos}.",
                remedy="Correct old_sympos: positions count the symbols of that name in /proc/kallsyms from 1.",
                why="The kernel would answer EINVAL.",
            )
        elif self.snapshot.abi == STOP_MACHINE:
            yield from self._length(function, found[function.sympos - 1].size)

    def _length(self, function: Function, size: int | None) -> t.Iterator[Finding]:
        shortest = self._shortest()
        if size is None or shortest is None:
            yield Finding(
                reason="function_too_short",
                seen=f"How long {function.name} is, or has to be, is unknown.",
                remedy="Run as root; /proc/sys/kernel/kptr_restrict must not be 2.",
                why="The kernel refuses functions that are shorter than the jump which it writes to their start.",
                severity=WARN,
            )
        elif size < shortest:
            yield Finding(
                reason="function_too_short",
                seen=f"The function {function.name} has {size} bytes.",
                remedy="Patch a function that calls it instead.",
                why=f"The kernel replaces the first {shortest} bytes of a function, and would answer EINVAL.",
            )

    def _shortest(self) -> int | None:
        host = self.snapshot
        near = host.machine == "aarch64" and host.release.startswith("5.10.") and host.module_plts is False
        return BRANCH if near else SHORTEST.get(host.machine)

    def _is_there(self, object_name: str) -> bool:
        return object_name == "vmlinux" or object_name in self.snapshot.modules

    def _modules(self, file: PatchFile) -> t.Iterator[Finding]:
        for target in sorted({function.object for function in file.functions or ()}):
            if not self._is_there(target):
                yield self._target(file, target)
        for dependency in file.depends:
            is_there = dependency in self.snapshot.modules or dependency in self.conditions.built_in
            if not is_there and not (self.load_targets and self._can_load(dependency)):
                yield Finding(
                    reason="dependency",
                    seen=f"{file.path} needs the module {dependency}, which is not loaded"
                    f"{'' if self._can_load(dependency) else ' and not installed'}.",
                    remedy="Load it first, or set load_targets: true.",
                    why="Its symbols would be unknown to the kernel (ENOENT).",
                )

    def _can_load(self, module: str) -> bool:
        return module in (self.conditions.loadable or ())

    def _target(self, file: PatchFile, target: str) -> Finding:
        if self.snapshot.abi == PER_TASK:
            return Finding(
                reason="target_not_loaded",
                seen=f"{file.path} patches the module {target}, which is not loaded.",
                remedy="Nothing needs to be done.",
                why="The kernel patches it when it is loaded.",
                severity=INFO,
            )
        if self.load_targets and self._can_load(target):
            return Finding(
                reason="target_not_loaded",
                seen=f"{file.path} patches the module {target}, which is not loaded.",
                remedy="Nothing needs to be done.",
                why="It is loaded first, as load_targets asks.",
                severity=INFO,
            )
        installed = "" if self._can_load(target) else " and not installed"
        return Finding(
            reason="target_not_loaded",
            seen=f"{file.path} patches the module {target}, which is not loaded{installed}.",
            remedy="Load it first, or set load_targets: true.",
            why="This kernel does not patch modules that are loaded later, and would answer ENOPKG.",
        )

    def _memory(self, file: PatchFile) -> t.Iterator[Finding]:
        memory = self.conditions.memory
        if memory is not None and memory < 2 * file.size + MEMORY_RESERVE:
            yield Finding(
                reason="memory",
                seen=f"{memory // 1024**2} MiB of memory are available, and {file.path} has {file.size} bytes.",
                remedy="Free memory first.",
                why="The kernel may answer ENOMEM.",
                severity=WARN,
            )

    # ---- the functions that change ----

    def _functions(self) -> t.Iterator[Finding]:
        changing = self._changing()
        yield from self._kprobes(changing)
        yield from self._ftrace(changing)
        yield from self._stacks()

    def _changing(self) -> tuple[Function, ...]:
        """Every function whose stack of patches changes."""
        # Loading a patch only registers it on stop_machine kernels: they look at the functions when it is enabled.
        comes_up = LOAD if self.snapshot.abi == PER_TASK else ENABLE
        functions: list[Function] = []
        for step in self.steps:
            loaded, file = self.snapshot.patch(step.patch), self._loads(step.patch)
            if step.action == comes_up and file:
                functions += file.functions or ()
            elif step.action in (ENABLE, DISABLE) and loaded:
                functions += loaded.functions
        return tuple(dict.fromkeys(functions))

    def _kprobes(self, functions: tuple[Function, ...]) -> t.Iterator[Finding]:
        kprobes = self.conditions.kprobes
        stop_machine = self.snapshot.abi == STOP_MACHINE
        if kprobes is None:
            if functions:
                yield Finding(
                    reason="kprobe",
                    seen=self.conditions.why(KPROBES),
                    remedy="Mount debugfs, if lockdown permits it.",
                    why="A kprobe in a function would keep the kernel from changing it (EINVAL)."
                    if stop_machine
                    else "A kprobe inside of a function would not be reached while that is patched.",
                    severity=WARN if stop_machine else INFO,
                )
            return
        for function in functions:
            offsets = [f"+{probe.offset:#x}" for probe in kprobes if self._is_in(probe, function)]
            if offsets:
                yield Finding(
                    reason="kprobe",
                    seen=f"A kprobe is set in {function.name} (at {', '.join(offsets)}).",
                    remedy=f"Find its owner ({KPROBES} shows it) and remove it first.",
                    why="The kernel changes no function with a kprobe in it, and would answer EINVAL."
                    if stop_machine
                    else "While the function is patched, a probe inside of it is not reached.",
                    severity=REFUSE if stop_machine else WARN,
                )

    def _is_in(self, probe: Kprobe, function: Function) -> bool:
        """By its address, as the kernel looks for it, since functions have namesakes. By its name if that is hidden."""
        symbol = symbol_of(self.conditions.symbols or {}, function)
        if probe.address is None or symbol is None or symbol.address is None or symbol.size is None:
            return _same(probe, function)
        return symbol.address <= probe.address < symbol.address + symbol.size

    def _ftrace_disabled(self) -> t.Iterator[Finding]:
        if self.conditions.ftrace_failed:
            yield Finding(
                reason="ftrace_disabled",
                seen=f"ftrace has failed on this host ({FTRACE_ENABLED} answers ENODEV).",
                remedy="Reboot the host; its log tells why, at the first message of ftrace.",
                why="This kernel patches by means of ftrace, and would answer ENODEV.",
            )
        elif self.conditions.ftrace_enabled is None:
            yield Finding(
                reason="ftrace_disabled",
                seen=self.conditions.why(FTRACE_ENABLED),
                remedy="Make sure that ftrace is enabled.",
                why="This kernel patches by means of ftrace, and would answer EBUSY if that is off.",
                severity=WARN,
            )
        elif not self.conditions.ftrace_enabled:
            yield Finding(
                reason="ftrace_disabled",
                seen=f"{FTRACE_ENABLED} is 0.",
                remedy="Set it to 1 (sysctl kernel.ftrace_enabled=1).",
                why="This kernel patches by means of ftrace, and would answer EBUSY.",
            )

    def _ftrace(self, functions: tuple[Function, ...]) -> t.Iterator[Finding]:
        if self.snapshot.abi == PER_TASK and (functions or self.files):
            yield from self._ftrace_disabled()
        if not functions:
            return
        if self.conditions.traced is None:
            path = f"{TRACEFS[0]}/{ENABLED_FUNCTIONS}"
            yield Finding(
                reason="ftrace_user",
                seen=self.conditions.why(path),
                remedy="Mount tracefs, if lockdown permits it.",
                why="Whether somebody traces the functions is unknown."
                + (" On this kernel that would break tracing." if self.snapshot.abi == STOP_MACHINE else ""),
                severity=WARN,
            )
            return
        for function in functions:
            yield from self._users_of(function)

    def _users_of(self, function: Function) -> t.Iterator[Finding]:
        symbols = self.conditions.symbols or {}
        entries = entries_of(symbols, self.conditions.traced or (), function)
        if not entries:
            return
        shown = self._shown(function, entries)
        who = "; ".join(dict.fromkeys(entry.text for entry in entries if entry.text))
        who = f" ({who})" if who else ""
        remedy = f"Find its owner in {ENABLED_FUNCTIONS} of tracefs and end it first."
        if self.snapshot.abi == STOP_MACHINE:
            yield Finding(
                reason="ftrace_user",
                seen=f"ftrace is in use on {shown}{who}.",
                remedy=remedy,
                why="The kernel overwrites what ftrace put there; ftrace then fails on the whole host until a reboot.",
            )
            return
        # While the transition that disables a patch is running, ftrace goes on to call live patching.
        hooked = [patch for patch in self.snapshot.patches if patch.enabled or patch.in_transition]
        live = with_a_name_of(symbols, function, {theirs for patch in hooked for theirs in patch.functions})
        others = sum(entry.users for entry in entries) - live
        if sum(entry.ip_modify for entry in entries) > live:
            yield Finding(
                reason="ftrace_user",
                seen=f"Another user of ftrace redirects {shown}{who}.",
                remedy=remedy,
                why="ftrace allows one to do that (IPMODIFY), and the kernel would answer EBUSY.",
            )
        elif others > 0:
            direct = any(entry.direct for entry in entries)
            yield Finding(
                reason="ftrace_user",
                seen=f"ftrace has {others} other user{'s' if others > 1 else ''} on {shown}{who}.",
                remedy="Check that they do not depend on the old code.",
                why="A trampoline of BPF there is refused (EBUSY) by kernels before 6.0."
                if direct
                else "They go on to be called.",
                severity=WARN if direct else INFO,
            )

    def _shown(self, function: Function, entries: t.Sequence[Traced]) -> str:
        """The function as ftrace shows it, which tells no position and takes one name of several."""
        aliases = sorted({entry.function for entry in entries} - {function.name})
        namesakes = len((self.conditions.symbols or {}).get((function.object, function.name), ()))
        shown = f"{function.name} (shown as {' and '.join(aliases)})" if aliases else function.name
        return f"{shown}, or on another of the {namesakes} symbols of that name," if namesakes > 1 else shown

    def _stacks(self) -> t.Iterator[Finding]:
        for name, functions in self._coming_above():
            others = [patch for patch in self.snapshot.patches if patch.enabled and patch.name != name]
            for function in functions:
                below = [patch for patch in others if self._replaces(patch, function)]
                owners = sorted({patch.owner for patch in below if patch.owner})
                if below:
                    yield Finding(
                        reason="already_patched",
                        seen=f"{function.name} is patched already by {', '.join(patch.name for patch in below)}.",
                        remedy="Nothing needs to be done, if the new patch contains the earlier fix.",
                        why=f"{name} comes above it"
                        + (f", which {' and '.join(owners)} will not notice." if owners else "."),
                        severity=WARN if owners else INFO,
                    )

    def _coming_above(self) -> t.Iterator[tuple[str, tuple[Function, ...]]]:
        """The patches that come above others which are enabled now, with their functions."""
        for file in self.files:
            yield file.name, file.functions or ()
        for step in self.steps:
            loaded = self.snapshot.patch(step.patch)
            if step.action == ENABLE and loaded and not loaded.enabled and self._loads(step.patch) is None:
                yield loaded.name, loaded.functions

    def _loads(self, name: str) -> PatchFile | None:
        """The file of this patch that is loaded."""
        return next((file for file in self.files if file.name == name), None)

    def _replaces(self, patch: LoadedPatch, function: Function) -> bool:
        symbols = self.conditions.symbols or {}
        return any(is_same(symbols, theirs, function) for theirs in patch.functions)

    # ---- the kernel ----

    def _kernel(self) -> t.Iterator[Finding]:
        conditions = self.conditions
        if conditions.modules_disabled and self.files:
            yield Finding(
                reason="modules_disabled",
                seen="/proc/sys/kernel/modules_disabled is 1.",
                remedy="Only a reboot switches the loading of modules on again.",
                why="The kernel loads no modules any more (EPERM).",
            )
        moving = self.snapshot.in_transition
        if moving and self.steps and moving.name != self.steps[-1].patch:
            yield Finding(
                reason="transition",
                seen=f"The transition of {moving.name} is running.",
                remedy="Nothing needs to be done.",
                why="The kernel runs one at a time; it is waited for.",
                severity=INFO,
            )
        trouble = troubles(self.snapshot.taint)
        if trouble:
            yield Finding(
                reason="taint",
                seen=f"The kernel has had {' and '.join(trouble)} since it booted (taint {self.snapshot.taint}).",
                remedy="Look at its log; consider a reboot instead of a live patch.",
                why="A kernel in trouble may not take another change well.",
                severity=WARN,
            )
        if conditions.panics:
            yield Finding(
                reason="panic",
                seen=f"{', '.join(conditions.panics)} {'is' if len(conditions.panics) == 1 else 'are'} set.",
                remedy="Nothing needs to be done.",
                why="A bad patch makes this host panic, and reboot if kernel.panic says so.",
                severity=INFO,
            )
        # Where the patch is loaded already as that tool's own, the plan has asked for force_owner.
        if conditions.owner and any(not self._is_owned(file.name) for file in self.files):
            yield Finding(
                reason="owned",
                seen=f"{conditions.owner} keeps a file for a patch of this name.",
                remedy=f"Load it with {conditions.owner}, or give the patch another name.",
                why=f"{conditions.owner} would take it for its own.",
                severity=WARN,
            )

    def _is_owned(self, name: str) -> bool:
        patch = self.snapshot.patch(name)
        return bool(patch and patch.owner)


def _same(place: t.Any, function: Function) -> bool:
    return (place.object, place.function) == (function.object, function.name)


def _where(function: Function) -> str:
    return "The kernel" if function.object == "vmlinux" else f"The module {function.object}"
