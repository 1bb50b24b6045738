# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise is made to code outside of it.

"""Reads what livepatch_facts has returned about a host. It is not trusted, and may come from another version."""

from __future__ import annotations

import functools
import typing as t
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from ansible_collections.openeuler.livepatch.plugins.module_utils._model.fix import fix_in
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.package import DPKG, RPM, Package
from ansible_collections.openeuler.livepatch.plugins.plugin_utils._fleet.reader import (
    DataError,
    Reader,
    listed,
    printable,
    time_of,
)
from ansible_collections.openeuler.livepatch.plugins.plugin_utils._fleet.stored import (
    StoredPatch,
    read_accepted,
    read_stored,
)


@dataclass(frozen=True)
class Patch:
    """A loaded patch.

    `effective` is `full`, `partial`, `none`, or None if it is not known. `boot` is `accepted`, `quarantined` or
    `trial`. `covered_by` are the enabled patches above it. `sha256`, `build_id` and `srcversion` tell its build, each
    None if it is not known. `forced` says whether it was enabled by force, `trouble_since` which trouble the kernel has
    had since it was proven; None if that is not known. `not_loaded` are the modules among its objects that are not
    loaded, `unpatched` its other objects that the kernel does not patch. `fixes` are the CVEs that the host has noted
    with it, or the id of the fix if it has none: somebody's word, which protects nobody.
    """

    name: str
    enabled: bool
    in_transition: bool = False
    effective: str | None = "none"
    boot: str = "trial"
    sha256: str | None = None
    covered_by: tuple[str, ...] = ()
    forced: bool | None = None
    trouble_since: tuple[str, ...] | None = ()
    build_id: str | None = None
    srcversion: str | None = None
    not_loaded: tuple[str, ...] = ()
    unpatched: tuple[str, ...] = ()
    fixes: tuple[str, ...] = ()

    @property
    def is_live(self) -> bool:
        """Whether it is live on all of its functions that are loaded: the kernel patches a module when it is loaded."""
        waits = self.enabled and self.effective is not None and bool(self.not_loaded)
        return self.effective == "full" or (waits and not (self.covered_by or self.unpatched))


@dataclass(frozen=True)
class Stack:
    """A replaced function and the enabled patches that replace it, oldest first.

    `live` is the one whose code runs, the last one; None if no one's does, as where the module is not loaded.
    """

    object: str
    function: str
    sympos: int
    patches: tuple[str, ...]
    live: str | None


@dataclass(frozen=True)
class UnfinishedRun:
    """A run that is changing a host, or was interrupted. `patches` are those that it is about, None if not known."""

    why: str
    patches: tuple[str, ...] | None = None

    def concerns(self, name: str) -> bool:
        return self.patches is None or name in self.patches


@dataclass(frozen=True)
class Facts:
    """What is known about the kernel of a host.

    `read_at` is None if the facts do not say it. `notes` are sentences. `doubt` is a sentence on why nobody can tell
    whether a patch is effective, None if that can be told. `unfinished` is a run that has not ended.
    `kernel_build_id` tells the kernel from other builds of its release, None if it is not known. The release is a guess
    unless `is_release_certain`.
    `has_boot_program` says whether the boot program is installed.
    `old_boot_program` is the version of one that is older than the collection, `nothing` a sentence on why this boot
    has loaded nothing; each is None otherwise.
    `kernel_purl` is the purl of the package that the kernel is from, None if it is of none, or that is not certain.
    """

    release: str
    machine: str
    abi: str | None = None
    supported: bool = True
    why_unsupported: str | None = None
    read_at: datetime | None = None
    patches: tuple[Patch, ...] = ()
    stacks: tuple[Stack, ...] = ()
    accepted: tuple[StoredPatch, ...] = ()
    quarantined: tuple[StoredPatch, ...] = ()
    notes: tuple[str, ...] = ()
    doubt: str | None = None
    unfinished: UnfinishedRun | None = None
    has_boot_program: bool = True
    kernel_build_id: str | None = None
    is_release_certain: bool = True
    old_boot_program: str | None = None
    nothing: str | None = None
    kernel_purl: str | None = None

    def accepted_as(self, name: str) -> StoredPatch | None:
        """What the next boot loads under this name, or None."""
        return next((stored for stored in self.accepted if stored.name == name), None)

    def is_loaded_at_boot(self, name: str) -> bool:
        """Whether nothing is known that keeps the next boot from loading what is accepted under this name."""
        stored = self.accepted_as(name)
        return self.has_boot_program and not self.nothing and not (stored and stored.flaw)

    def runs_one_of(self, kernels: Sequence[str]) -> bool:
        """Whether the host runs one of these kernels for certain."""
        return self.is_release_certain and self.release in kernels

    def patch(self, name: str) -> Patch | None:
        """The loaded patch of this name, or None."""
        return next((patch for patch in self.patches if patch.name == name), None)


def read_facts(data: t.Any) -> Facts:
    """The facts of a host. Raises DataError if they are not valid, because a guess is worse than no facts."""
    facts = Reader(data, "ansible_facts.livepatch")
    boot = facts.inner("boot")
    doubt = _doubt(facts)
    read_at, notes = _read_at(facts)
    patches = () if doubt else tuple(_patch(patch) for patch in facts.each("patches"))
    accepted = read_accepted(boot)
    return Facts(
        release=facts.text("release"),
        machine=facts.text_or_none("machine") or "",
        abi=facts.text_or_none("abi"),
        supported=facts.flag("supported"),
        why_unsupported=facts.text_or_none("why_unsupported"),
        read_at=read_at,
        patches=patches,
        stacks=tuple(_stack(function) for function in facts.each("functions")),
        accepted=accepted,
        quarantined=tuple(read_stored(patch) for patch in boot.each("quarantined")),
        notes=(
            *notes,
            *_kernel_notes(facts),
            *_transition_notes(facts),
            *_boot_notes(boot, facts.text("release"), build_id_of(facts)),
            *_accepted_notes(accepted, patches),
            *_other_notes(facts),
        ),
        doubt=doubt,
        unfinished=unfinished_of(facts),
        has_boot_program=boot.flag("installed", False),
        kernel_build_id=build_id_of(facts),
        old_boot_program=_version(boot) if boot.flag("outdated", False) else None,
        nothing=boot.text_or_none("nothing"),
        is_release_certain=is_release_certain(facts),
        kernel_purl=_kernel_purl(facts) if is_release_certain(facts) else None,
    )


def build_id_of(facts: Reader) -> str | None:
    """The build-id of the running kernel; None where the facts do not tell it."""
    return facts.inner("kernel").text_or_none("build_id")


def is_release_certain(facts: Reader) -> bool:
    """Whether the release of the running kernel is no guess. Older facts only say what tells it."""
    kernel = facts.inner("kernel")
    return kernel.flag("is_certain", not kernel.has("evidence"))


def _kernel_purl(facts: Reader) -> str | None:
    """The purl of the kernel's package, without `distro`, which scanners write each in their own way.

    They take a purl with another value for that of another package.
    """
    kernel = facts.inner("kernel")
    if not kernel.has("package"):
        return None
    package = kernel.inner("package")
    texts = {key: package.text(key) for key in ("name", "version", "arch")}
    manager, release = package.choice("manager", (RPM, DPKG)), package.text_or_none("release")
    try:
        found = Package(manager, release=release, epoch=package.number("epoch", 0), **texts)
    except ValueError as error:
        raise DataError(f"the package of the kernel has {error}.") from error
    return found.purl(facts.inner("distribution").text_or_none("id"))


def _kernel_notes(facts: Reader) -> t.Iterator[str]:
    kernel = facts.inner("kernel")
    if kernel.has("evidence"):
        shown, evidence = kernel.text_or_none("shown_release"), kernel.text_or_none("evidence")
        yield f"uname -r shows {shown}, but the kernel was built as {facts.text('release')} ({evidence})."
    if kernel.has("contradiction"):
        yield f"uname -r shows {facts.text('release')}. {kernel.text('contradiction')}"
    elif not is_release_certain(facts):
        yield "Which kernel runs is not certain."


def _read_at(facts: Reader) -> tuple[datetime | None, list[str]]:
    if not facts.has("read_at"):
        return None, ["The facts do not say when they were read."]
    try:
        return time_of(facts.value("read_at")).replace(microsecond=0), []
    except ValueError:
        return None, ["The facts contain a time that is not valid."]


def unfinished_of(facts: Reader) -> UnfinishedRun | None:
    """The run that has not ended; None if there is none."""
    if not facts.has("unfinished_run"):
        return None
    run = facts.inner("unfinished_run")
    if not run.has("patches"):
        return UnfinishedRun("Whether a run has changed it by half cannot be told: the note of a run cannot be read.")
    who, since, what = (run.text_or_none(key) or "not known" for key in ("who", "since", "what"))
    return UnfinishedRun(f"A run of {who} since {since} has not ended: {what}.", run.texts("patches"))


def _doubt(facts: Reader) -> str | None:
    undecided = _unreadable(facts, "undecided")
    if undecided:
        return f"What is loaded and enabled cannot be told: cannot read {listed(undecided)}."
    disagreements = facts.texts("disagreements")
    return f"What its kernel shows contradicts itself: {disagreements[0]}" if disagreements else None


def _unreadable(facts: Reader, key: str) -> list[str]:
    return [f"{entry.text('path')} ({entry.text_or_none('reason')})" for entry in facts.each(key)]


def _patch(patch: Reader) -> Patch:
    identity = patch.inner("identity")
    unpatched = [(entry.text("object"), entry.flag("loaded")) for entry in patch.each("unpatched")]
    above = [name for function in patch.each("covered") for name in function.texts("by")]
    return Patch(
        name=patch.text("name"),
        enabled=patch.flag("enabled"),
        in_transition=patch.flag("in_transition", False),
        effective=patch.choice("effective", ("full", "partial", "none")) if patch.has("effective") else None,
        boot=patch.choice("boot", ("accepted", "quarantined", "trial")) if patch.has("boot") else "trial",
        sha256=identity.text_or_none("sha256"),
        covered_by=tuple(dict.fromkeys(above)),
        forced=patch.flag("forced") if patch.has("forced") else None,
        trouble_since=patch.texts_if_known("trouble_since"),
        build_id=identity.text_or_none("build_id"),
        srcversion=identity.text_or_none("srcversion"),
        not_loaded=tuple(name for name, is_loaded in unpatched if not is_loaded),
        unpatched=tuple(name for name, is_loaded in unpatched if is_loaded),
        fixes=_fixes(patch.value("fix")),
    )


def _fixes(noted: t.Any) -> tuple[str, ...]:
    try:
        return _fixes_of(noted["id"], noted["title"], noted["severity"], tuple(noted["cves"]))
    except (KeyError, TypeError):  # None, or what is no fix.
        return ()


@functools.lru_cache(maxsize=1024)  # Thousands of hosts have noted the same few.
def _fixes_of(id: t.Any, title: t.Any, severity: t.Any, cves: tuple[t.Any, ...]) -> tuple[str, ...]:
    fix = fix_in({"id": id, "title": title, "severity": severity, "cves": list(cves)})
    return tuple(map(printable, fix.cves or (fix.id,))) if fix else ()


def is_live(patch: Reader) -> bool:
    """Whether this patch of a host's facts is live on all of its functions that are loaded."""
    return _patch(patch).is_live


def _stack(function: Reader) -> Stack:
    return Stack(
        function.text("object"),
        function.text("name"),
        function.number("sympos", 1),
        function.texts("stack"),
        function.text_or_none("live"),
    )


def _version(boot: Reader) -> str:
    return boot.text_or_none("version") or "unknown"


def _transition_notes(facts: Reader) -> t.Iterator[str]:
    if not facts.has("transition"):
        return
    transition = facts.inner("transition")
    tasks = [
        f"{task.text_or_none('command') or 'a task'} (pid {task.number('pid', 0)})"
        for task in transition.each("stalling_tasks")
    ]
    doing = "enabled" if transition.flag("enabling", True) else "disabled"
    stalled = f", stalled by {listed(tasks)}" if tasks else ""
    yield f"{transition.text('patch')} is being {doing}{stalled}."


def _boot_notes(boot: Reader, running: str, build_id: str | None) -> t.Iterator[str]:
    for patch in map(read_stored, boot.each("quarantined")):
        yield f"{patch.name} is in quarantine on kernel {patch.release}: {patch.reason}"
    for patch in map(read_stored, boot.each("lost")):
        if patch.release == running and build_id is None:
            yield f"{patch.name} is accepted for builds of kernel {running}, and nothing tells which build runs."
            continue
        kernel = f"another build of kernel {running}" if patch.release == running else f"kernel {patch.release}"
        yield f"{patch.name} is accepted for {kernel}, but not for the running kernel."
    if boot.each("accepted") and not boot.flag("installed", False):
        yield "Patches are accepted, and no boot loads them: the boot program is not installed."
    if boot.flag("outdated", False):
        yield f"The boot program is of version {_version(boot)}, older than the collection."
    ends = boot.number("unclean_ends", 0)
    if ends:
        yield f"It has gone down within an hour of a boot, without a clean shutdown; in a row: {ends}."
    if boot.has("nothing"):
        yield boot.text("nothing")


def _other_notes(facts: Reader) -> t.Iterator[str]:
    trouble = facts.texts("trouble")
    if trouble:
        yield f"The kernel has had {' and '.join(trouble)} since it booted."
    if facts.flag("reboot_required", False):
        yield "Only a reboot finishes what was begun with its patches."
    yield from facts.texts("disagreements")
    unreadable = _unreadable(facts, "unreadable")
    if unreadable:
        yield f"These files could not be read: {listed(unreadable)}."


def _accepted_notes(accepted: Sequence[StoredPatch], patches: Sequence[Patch]) -> t.Iterator[str]:
    """What the next boot will not have as it is now."""
    covered_now = {patch.name: patch.covered_by for patch in patches}
    for stored in accepted:
        above = [name for name in stored.covered_by if name not in covered_now.get(stored.name, ())]
        if stored.flaw:
            yield f"{stored.name} is accepted, and the next boot may not load it. {stored.flaw}"
        if above:
            yield f"The next boot loads {', '.join(above)} above {stored.name}, with its fix or without."
