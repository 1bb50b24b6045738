# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A fault at any moment: full, broken and read-only disks, killed runs, boots during runs, two controllers, and /run
that goes away. The host keeps its fixes and what is accepted, and the next run arrives."""

from __future__ import annotations

import dataclasses
import errno
import itertools
import os
import pathlib
import shutil
import tempfile
import typing as t

import pytest
from ansible_collections.openeuler.livepatch.plugins.module_utils._boot import program
from ansible_collections.openeuler.livepatch.plugins.module_utils._manage import assessment, facts, transaction
from ansible_collections.openeuler.livepatch.plugins.module_utils._manage.manage import manage
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.boot_set import Acceptance
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.kernel_id import KernelId
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.reading import Unreadable
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.request import (
    AtBoot,
    Patience,
    State,
    Task,
    Wanted,
)
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.snapshot import (
    PER_TASK,
    STOP_MACHINE,
    Function,
)
from ansible_collections.openeuler.livepatch.plugins.module_utils._store import boot as boot_store
from ansible_collections.openeuler.livepatch.plugins.module_utils._store import copies, journal, lock
from ansible_collections.openeuler.livepatch.plugins.module_utils._system import durable
from ansible_collections.openeuler.livepatch.plugins.module_utils._system.files import Files
from ansible_collections.openeuler.livepatch.tests.unit.plugins.module_utils.model_kernel import (
    RELEASE,
    acceptance_of,
    content_of,
    patch_file,
)
from ansible_collections.openeuler.livepatch.tests.unit.plugins.module_utils.test_boot import Machine

pytest.importorskip("hypothesis", reason="hypothesis is not installed for this Python")
from hypothesis import given, settings
from hypothesis import strategies as st

MEMORY = "/dev/shm" if os.path.isdir("/dev/shm") else None
"""On a disk, to which all is written through, the tests would take minutes."""

RUN, VAR = copies.DIRECTORY, boot_store.DIRECTORY
IN_KERNEL = Function("vmlinux", "one")
IN_MODULE = Function("xfs", "two")


@pytest.fixture(autouse=True, scope="module")
def fixture_no_fsync() -> t.Iterator[None]:
    """Nobody cuts the power of the machine that the tests run on."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(os, "fsync", lambda _descriptor: None)
        yield


class Killed(BaseException):
    """The module's process is gone: nothing of it runs any more."""


class Host(Machine):
    """A machine that has booted, and tasks for it. Each patch has a function of its own, `new` that of `fix`."""

    def __init__(self, root: str, abi: str) -> None:
        super().__init__(pathlib.Path(root), abi)
        self.boot()

    def boot(self, cut_at: int | None = None) -> int:
        status = super().boot(cut_at)
        self.kernel.is_booting = False
        return status

    def run(self, name: str, state: State = State.ENABLED, timeout: float = 3, **wanted: t.Any) -> dict[str, t.Any]:
        functions = {"xfs_fix": (IN_KERNEL, IN_MODULE)}.get(name, (Function("vmlinux", name.replace("new", "fix")),))
        file = self.files[name] = patch_file(name, abi=self.abi, functions=functions)
        self.kernel.add_file(file)
        path = self.root / "sent.ko"
        path.write_bytes(content_of(name))
        is_sent = state in (State.ENABLED, State.PRESENT)
        wish = Wanted(name, state, file if is_sent else None, **wanted)
        return manage(Task(wish, str(path) if is_sent else None, patience=Patience(timeout, 2, 0.1)), self.kernel)

    @property
    def conditions(self) -> dict[str, bool]:
        return {patch.name: patch.enabled for patch in self.kernel.patches}

    @property
    def kept(self) -> list[tuple[t.Any, ...]]:
        accepted = acceptance_of(self.kernel.files()).accepted
        return [(entry.name, entry.sha256, entry.superseded_by) for entry in accepted]

    def check_store(self) -> None:
        """What is accepted can be read, and is there with its files."""
        files = Files(str(self.root))
        for entry in acceptance_of(files).accepted:
            assert copies.digest(files, boot_store.file_path(entry.name, entry.sha256)) == entry.sha256
        assert files.unreadable == []


class Trouble:
    """From the call with this number on, calls that touch the kernel or the collection's files go wrong.

    `number` is an errno, None for a process that is killed. With `once` only that one call goes wrong.
    """

    def __init__(
        self, patched: pytest.MonkeyPatch, host: Host, call: int, number: int | None, once: bool = True
    ) -> None:
        self.left = call
        self.number = number
        self.once = once
        places = [(durable, name) for name in ("write", "overwrite", "sync_directory", "make_directory")]
        for place, name in [*places, (os, "unlink"), (os, "rename"), (host.kernel, "_call")]:
            patched.setattr(place, name, self._guarded(getattr(place, name)))
        patched.setattr(Files, "bytes", self._guarded_read(Files.bytes))

    def concerns(self, call: str, arguments: t.Iterable[t.Any]) -> bool:
        """Whether this call can go wrong."""
        return True

    def _is_due(self) -> bool:
        self.left -= 1
        if self.left >= 0 or (self.once and self.left < -1):
            return False
        if self.number is None:
            raise Killed
        return True

    def _guarded(self, call: t.Callable[..., t.Any]) -> t.Callable[..., t.Any]:
        def guarded(*arguments: t.Any, **keywords: t.Any) -> t.Any:
            if self.concerns(call.__name__, arguments) and self._is_due():
                raise OSError(self.number, os.strerror(self.number or 0), "file")
            return call(*arguments, **keywords)

        return guarded

    def _guarded_read(self, read: t.Callable[[Files, str], t.Any]) -> t.Callable[[Files, str], t.Any]:
        def guarded(files: Files, path: str) -> t.Any:
            if path.startswith((RUN, VAR)) and self.concerns("read", [path]) and self._is_due():
                files.unreadable.append(Unreadable(path, errno.errorcode[self.number or 0]))
                return files.unreadable[-1]
            return read(files, path)

        return guarded


ERRNOS = st.sampled_from([errno.ENOSPC, errno.EIO, errno.ENOMEM, errno.EROFS, errno.EMFILE])
PLACES = st.floats(0, 1, exclude_max=True)
"""How far a run gets: the share of its calls."""

TROUBLES = st.tuples(PLACES, st.one_of(st.none(), ERRNOS), st.booleans())
ABIS = st.sampled_from([PER_TASK, STOP_MACHINE])
TASKS: st.SearchStrategy[dict[str, t.Any]] = st.sampled_from(
    [
        {"name": "fix"},
        {"name": "fix", "boot": AtBoot.ACCEPTED},
        {"name": "fix", "boot": AtBoot.TRIAL},
        {"name": "fix", "state": State.ABSENT},
        {"name": "fix", "state": State.REVERTED},
        {"name": "new", "supersedes": ("fix",)},
        {"name": "new", "supersedes": ("fix",), "boot": AtBoot.ACCEPTED},
        {"name": "new", "state": State.REVERTED},
        {"name": "other", "boot": AtBoot.ACCEPTED},
        {"name": "other", "state": State.ABSENT},
    ]
)
FEWER = settings(max_examples=max(1, settings.default.max_examples // 4))
SETUPS = st.lists(TASKS, max_size=3)


class DiskTrouble(Trouble):
    """The same of writes to the disk alone: the kernel and /run are well, and all can be read.

    On a full disk what is there can be written over, and removed.
    """

    def concerns(self, call: str, arguments: t.Iterable[t.Any]) -> bool:
        is_kept = self.number == errno.ENOSPC and call in ("overwrite", "unlink")
        return call not in ("read", "_call") and not is_kept and any(VAR in str(argument) for argument in arguments)


def calls_of(host: Host, task: dict[str, t.Any], kind: type[Trouble] = Trouble) -> int:
    """How many calls this task makes on this host, where it is carried out."""
    with pytest.MonkeyPatch.context() as patched:
        counted = kind(patched, host, 1_000_000, None)
        host.run(**task)
        return 1_000_000 - counted.left


def disturbed(
    host: Host,
    task: dict[str, t.Any],
    call: int,
    number: int | None,
    once: bool = True,
    kind: type[Trouble] = Trouble,
) -> dict[str, t.Any] | None:
    """The result of a task with this trouble; None if it was killed."""
    with pytest.MonkeyPatch.context() as patched:
        kind(patched, host, call, number, once)
        try:
            return host.run(**task)
        except Killed:
            return None


@FEWER
@given(ABIS, SETUPS, TASKS, TROUBLES)
def test_whatever_goes_wrong_what_is_accepted_stays_whole_and_the_next_run_arrives(
    abi: str, setup: list[dict[str, t.Any]], task: dict[str, t.Any], trouble: tuple[float, int | None, bool]
) -> None:
    check_trouble(abi, setup, task, lambda calls: (int(trouble[0] * calls), *trouble[1:]))


ACCEPT: dict[str, t.Any] = {"name": "fix", "boot": AtBoot.ACCEPTED}
SUPERSEDE: dict[str, t.Any] = {"name": "new", "supersedes": ("fix",), "boot": AtBoot.ACCEPTED}
STORIES: list[tuple[list[dict[str, t.Any]], dict[str, t.Any]]] = [
    ([], ACCEPT),
    ([ACCEPT], SUPERSEDE),
    ([ACCEPT], {"name": "fix", "state": State.ABSENT}),
    ([ACCEPT], {"name": "fix", "boot": AtBoot.TRIAL}),
    ([ACCEPT, SUPERSEDE], {"name": "new", "state": State.REVERTED}),
]
KINDS = [(None, True), (errno.EMFILE, True), (errno.ENOSPC, False)]


@pytest.mark.no_cover
@pytest.mark.parametrize("abi", [PER_TASK, STOP_MACHINE])
@pytest.mark.parametrize("story", range(len(STORIES)))
@pytest.mark.parametrize(("number", "once"), KINDS)
def test_at_each_step_of_an_acceptance(abi: str, story: int, number: int | None, once: bool) -> None:
    setup, task = STORIES[story]
    call, calls = 0, 1
    while call < calls:
        calls = check_trouble(abi, setup, task, exactly(call, number, once))
        call += 1


DISK_ERRNOS = [errno.ENOSPC, errno.EROFS, errno.EIO]


@pytest.mark.no_cover
@pytest.mark.parametrize("abi", [PER_TASK, STOP_MACHINE])
@pytest.mark.parametrize("story", range(len(STORIES)))
@pytest.mark.parametrize("number", DISK_ERRNOS)
def test_a_disk_that_is_full_or_read_only_from_any_write_on(abi: str, story: int, number: int) -> None:
    """/var alone: /run is in memory, and what a run notes there tells the next one."""
    setup, task = STORIES[story]
    call, calls = 0, 1
    while call < calls:
        calls = check_trouble(abi, setup, task, exactly(call, number, False), DiskTrouble)
        call += 1
    assert calls > 1


@pytest.mark.no_cover
@pytest.mark.parametrize("abi", [PER_TASK, STOP_MACHINE])
@pytest.mark.parametrize("story", range(len(STORIES)))
@pytest.mark.parametrize("number", DISK_ERRNOS)
def test_a_boot_on_the_disk_that_a_run_has_found_full_or_read_only(abi: str, story: int, number: int) -> None:
    """It has room for the marker that was there: a full disk costs no fix. On one that takes no marker nothing is
    loaded, which is said, and the boot after that loads all."""
    (setup, task), call, calls = STORIES[story], 0, 1
    while call < calls:
        with tempfile.TemporaryDirectory(dir=MEMORY) as root, tempfile.TemporaryDirectory(dir=MEMORY) as other_root:
            host, undisturbed = Host(root, abi), Host(other_root, abi)
            for earlier in setup:
                host.run(**earlier)
                undisturbed.run(**earlier)
            calls = calls_of(undisturbed, task, DiskTrouble)
            disturbed(host, task, call, number, once=False, kind=DiskTrouble)
            due = {entry.name: True for entry in acceptance_of(host.kernel.files()).due(KernelId(RELEASE))}
            with pytest.MonkeyPatch.context() as patched:
                DiskTrouble(patched, host, 0, number, once=False)
                status = host.boot()
                has_room = number == errno.ENOSPC
                assert (host.conditions, status) == (due if has_room else {}, 0 if has_room or not due else 1)
                assert has_room or not due or any(os.strerror(number) in line for line in host.said)
            host.boot()
            host.check_store()
            assert (host.conditions, host.quarantined) == (due, [])
            assert not due or host.marker.unclean_ends == (1 if has_room else 0)
        call += 1


@pytest.mark.no_cover
@pytest.mark.parametrize("abi", [PER_TASK, STOP_MACHINE])
@pytest.mark.parametrize("story", range(len(STORIES)))
def test_a_clock_that_jumps_at_every_look_changes_nothing_of_what_is_kept(abi: str, story: int) -> None:
    """The time is noted for people, and decides nothing."""
    setup, task = STORIES[story]
    years = itertools.cycle(["2106", "1970", "2026"])
    with tempfile.TemporaryDirectory(dir=MEMORY) as root, tempfile.TemporaryDirectory(dir=MEMORY) as other_root:
        host, other = Host(root, abi), Host(other_root, abi)
        with pytest.MonkeyPatch.context() as patched:
            for place in (assessment, facts, program, transaction):
                patched.setattr(place, "time_now", lambda: f"{next(years)}-01-01T00:00:00Z")
            told = []
            for one in (host, other):
                for earlier in (*setup, task):
                    assert not one.run(**earlier).get("failed")
                told.append((one.kept, one.conditions))
                if one is host:
                    patched.undo()
            assert told[0] == told[1]
            for one in (host, other):
                one.goes_down()
                one.goes_down()
                one.boot()
            assert (host.conditions, host.quarantined) == (other.conditions, other.quarantined)


def tells_of_acceptance(result: dict[str, t.Any]) -> bool:
    """Whether it says that what was forgotten first could not be accepted again: the disk has filled up since."""
    return any(finding["reason"] == "not_accepted" for finding in result["findings"])


def exactly(call: int, number: int | None, once: bool) -> t.Callable[[int], tuple[int, int | None, bool]]:
    return lambda _calls: (call, number, once)


def check_trouble(
    abi: str,
    setup: list[dict[str, t.Any]],
    task: dict[str, t.Any],
    trouble: t.Callable[[int], tuple[int, int | None, bool]],
    kind: type[Trouble] = Trouble,
) -> int:
    """Disturb a task, run it again, and compare the host with one that was not disturbed. Returns its calls there."""
    with tempfile.TemporaryDirectory(dir=MEMORY) as root, tempfile.TemporaryDirectory(dir=MEMORY) as other_root:
        host, undisturbed = Host(root, abi), Host(other_root, abi)
        for earlier in setup:
            host.run(**earlier)
            undisturbed.run(**earlier)
        before, kept_before = host.conditions, host.kept
        calls = calls_of(undisturbed, task, kind)
        result = disturbed(host, task, *trouble(calls), kind=kind)
        host.check_store()
        assert host.kept in (kept_before, undisturbed.kept)
        if result and result.get("failed") and not result.get("not_restored"):
            assert host.conditions == before
            assert host.kept == kept_before or tells_of_acceptance(result)
        again = host.run(**task)
        assert not again.get("not_restored")
        host.check_store()
        if not (result and result.get("not_restored")):
            assert (host.conditions, host.kept) == (undisturbed.conditions, undisturbed.kept), again
            assert not journal.is_noted(host.kernel.files())
        return calls


@FEWER
@given(ABIS, SETUPS, TASKS, PLACES, st.booleans())
def test_a_boot_during_a_run_comes_up_with_what_was_accepted_before_it_or_after_it(
    abi: str, setup: list[dict[str, t.Any]], task: dict[str, t.Any], place: float, twice: bool
) -> None:
    with tempfile.TemporaryDirectory(dir=MEMORY) as root, tempfile.TemporaryDirectory(dir=MEMORY) as other_root:
        host, undisturbed = Host(root, abi), Host(other_root, abi)
        for earlier in setup:
            host.run(**earlier)
            undisturbed.run(**earlier)
        kept_before = host.kept
        disturbed(host, task, int(place * calls_of(undisturbed, task)), None)
        for _number in range(1 + twice):
            host.boot()
            host.check_store()
            assert host.kept in (kept_before, undisturbed.kept)
            due = [entry.name for entry in acceptance_of(host.kernel.files()).due(KernelId(RELEASE))]
            assert host.conditions == dict.fromkeys(due, True)
            assert host.quarantined == []
            host.program.settle()
        assert not host.run(**task).get("not_restored")
        host.check_store()


def after_another(
    host: Host, number: int, task: dict[str, t.Any], cleans_up: bool, results: list[dict[str, t.Any]]
) -> t.Callable[[str, str], None]:
    """The kernel's call with this number, before which somebody cleans up, perhaps, and a second run begins."""

    def call(operation: str, name: str) -> None:
        if len(host.kernel.calls) == number and not results:
            if cleans_up:
                shutil.rmtree(host.root / RUN[1:])
            state, done = (host.conditions, host.kept), list(host.kernel.calls)
            # It waits for the lock by the real clock.
            results.append(host.run(timeout=0.01, **task))
            assert ((host.conditions, host.kept), host.kernel.calls) == (state, done)
        type(host.kernel)._call(host.kernel, operation, name)

    return call


@pytest.mark.no_cover
@pytest.mark.parametrize("abi", [PER_TASK, STOP_MACHINE])
@pytest.mark.parametrize("story", [0, 1, 4])
@pytest.mark.parametrize("second", [{"name": "other"}, {"name": "kept", "state": State.ABSENT}])
@pytest.mark.parametrize("cleans_up", [False, True])
def test_a_second_controller_waits_outside_whatever_becomes_of_the_directory(
    abi: str, story: int, second: dict[str, t.Any], cleans_up: bool
) -> None:
    """At each call of the first run somebody cleans up, perhaps, and a second run begins."""
    (setup, task), call, calls = STORIES[story], 0, 1
    while call < calls:
        with tempfile.TemporaryDirectory(dir=MEMORY) as root:
            host = Host(root, abi)
            for earlier in ({"name": "kept"}, *setup):
                host.run(**earlier)
            before, kept, first = host.conditions, host.kept, len(host.kernel.calls)
            results: list[dict[str, t.Any]] = []
            with pytest.MonkeyPatch.context() as patched:
                patched.setattr(host.kernel, "_call", after_another(host, first + call, second, cleans_up, results))
                patched.setattr(lock, "POLL_SECONDS", 0.01)
                result = host.run(**task)
            calls = len(host.kernel.calls) - first
            assert not any(other["changed"] for other in results)
            if result.get("failed") and not result.get("not_restored"):
                assert (host.conditions, host.kept) == (before, kept)
            host.check_store()
            assert not journal.is_noted(host.kernel.files())
        call += 1


@FEWER
@given(ABIS, TROUBLES, st.sampled_from([State.ENABLED, State.ABSENT]))
def test_with_the_modules_that_a_patch_needs_as_without_them(
    abi: str, trouble: tuple[int, int | None, bool], state: State
) -> None:
    """`load_targets`: a failed run leaves no module behind, a killed one none after the next run."""
    with tempfile.TemporaryDirectory(dir=MEMORY) as root, tempfile.TemporaryDirectory(dir=MEMORY) as other_root:
        host, undisturbed = Host(root, abi), Host(other_root, abi)
        task: dict[str, t.Any] = {"name": "xfs_fix", "load_targets": True, "boot": AtBoot.ACCEPTED}
        for one in (host, undisturbed):
            one.kernel.targets.discard("xfs")
        if state == State.ABSENT:
            host.run(**task)
            undisturbed.run(**task)
            task = {"name": "xfs_fix", "state": State.ABSENT}
        before, targets, kept = host.conditions, set(host.kernel.targets), host.kept
        calls = calls_of(undisturbed, task)
        result = disturbed(host, task, int(trouble[0] * calls), *trouble[1:])
        host.check_store()
        if result and result.get("failed") and not result.get("not_restored"):
            assert (host.conditions, host.kernel.targets) == (before, targets)
            assert host.kept == kept or tells_of_acceptance(result)
        host.run(**task)
        if result and result.get("not_restored"):
            return
        assert (host.conditions, host.kept) == (undisturbed.conditions, undisturbed.kept)
        assert host.kernel.targets == undisturbed.kernel.targets


def test_the_acceptance_of_the_model_is_the_hosts() -> None:
    with tempfile.TemporaryDirectory(dir=MEMORY) as root:
        host = Host(root, PER_TASK)
        host.run("fix", boot=AtBoot.ACCEPTED)
        assert [entry[0] for entry in host.kept] == ["fix"]
        assert dataclasses.replace(acceptance_of(host.kernel.files()), accepted=()) == Acceptance()
