# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the collection keeps on a host: whole or not at all, where only root writes, on disk before it counts."""

from __future__ import annotations

import dataclasses
import errno
import hashlib
import json
import os
import pathlib
import shutil
import threading
import time
import typing as t

import pytest
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.books import StoredCopy
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.boot_set import (
    Acceptance,
    Accepted,
    Damaged,
    Quarantined,
)
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.outcome import FileChanged
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.patch_file import PatchFile
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.plan import Action, Displaced, Step
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.reading import Absent, Unreadable
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.request import State
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.snapshot import LoadedPatch
from ansible_collections.openeuler.livepatch.plugins.module_utils._store import boot as boot_store
from ansible_collections.openeuler.livepatch.plugins.module_utils._store import copies, journal, lock, state
from ansible_collections.openeuler.livepatch.plugins.module_utils._store.books import read_books
from ansible_collections.openeuler.livepatch.plugins.module_utils._store.boot import Marker
from ansible_collections.openeuler.livepatch.plugins.module_utils._store.catalog import Catalog
from ansible_collections.openeuler.livepatch.plugins.module_utils._store.journal import Note
from ansible_collections.openeuler.livepatch.plugins.module_utils._system import durable
from ansible_collections.openeuler.livepatch.plugins.module_utils._system.files import Files
from ansible_collections.openeuler.livepatch.tests.unit.plugins.module_utils.model_host import ModelHost
from ansible_collections.openeuler.livepatch.tests.unit.plugins.module_utils.model_kernel import (
    loaded,
    patch_file,
    snapshot,
)

CONTENT = b"\x7fELF, a module"
SHA256 = hashlib.sha256(CONTENT).hexdigest()
MARKER = Marker("boot 1", "6.6.0", "aa" * 20, loads=True, unclean_ends=1)

RUN = copies.DIRECTORY
VAR = boot_store.DIRECTORY


@pytest.fixture(name="files")
def fixture_files(tmp_path: pathlib.Path) -> Files:
    (tmp_path / "root").mkdir()
    return Files(str(tmp_path / "root"))


@pytest.fixture(name="source")
def fixture_source(tmp_path: pathlib.Path) -> pathlib.Path:
    source = tmp_path / "fix.ko"
    source.write_bytes(CONTENT)
    return source


# ---- the copy of what is about to be loaded ----


def test_a_copy_is_for_root_alone_and_has_the_content(files: Files, source: pathlib.Path) -> None:
    copy = pathlib.Path(files.path(copies.store(files, "fix", str(source), SHA256)))
    assert copy.read_bytes() == CONTENT
    assert (copy.stat().st_mode & 0o777, copy.parent.stat().st_mode & 0o777) == (0o600, 0o700)


def test_a_link_in_the_place_of_the_source_is_not_followed(files: Files, source: pathlib.Path) -> None:
    """Whoever can write to the source's directory does not choose a file that only root can read."""
    link = source.with_name("link.ko")
    link.symlink_to(source)
    with pytest.raises(FileChanged, match=r"link\.ko"):
        copies.store(files, "fix", str(link), SHA256)
    assert files.names(RUN) == Absent()


def test_a_source_with_another_digest_is_not_copied(files: Files, source: pathlib.Path) -> None:
    source.write_bytes(b"another")
    with pytest.raises(FileChanged):
        copies.store(files, "fix", str(source), SHA256)
    assert files.names(RUN) == Absent()


def test_a_source_that_is_gone_is_an_error_of_its_own(files: Files, source: pathlib.Path) -> None:
    source.unlink()
    with pytest.raises(FileNotFoundError):
        copies.store(files, "fix", str(source), SHA256)


def test_a_copy_that_is_there_already_is_checked_again(files: Files, source: pathlib.Path) -> None:
    path = copies.store(files, "fix", str(source), SHA256)
    assert copies.store(files, "fix", path, SHA256) == path
    pathlib.Path(files.path(path)).write_bytes(b"another")
    with pytest.raises(FileChanged):
        copies.store(files, "fix", path, SHA256)


def test_a_record_is_read_as_it_was_written(files: Files) -> None:
    fix, old = patch_file(), patch_file("old")
    displaced = (Displaced("old", True, old, under=("mid", "top")), Displaced("gone", False, None))
    copies.note(files, loaded(fix, instance=7), fix, displaced, proven=False)
    path = copies.copy_path("fix", fix.sha256)
    assert copies.read(files, "fix") == StoredCopy(path, fix.sha256, 7, fix, displaced, proven=False)


# ---- the files that are at hand ----

FIX, OLD, OTHER_FIX = patch_file(), patch_file("old"), patch_file(content="2")
DISPLACED = (Displaced("old", True, OLD), Displaced("gone", True, None))


def path_of(file: PatchFile) -> str:
    return copies.copy_path(file.name, file.sha256)


def catalog_of(files: Files, *patches: LoadedPatch) -> Catalog:
    host = snapshot(*patches)
    return Catalog(lambda: Files(files.root), host, read_books(files, host))


def test_what_recovery_has_unloaded_is_still_at_hand(files: Files) -> None:
    fix = loaded(FIX, instance=7)
    copies.note(files, fix, FIX, DISPLACED, proven=True)
    catalog = catalog_of(files)
    catalog.take_over(catalog_of(files, fix))
    assert catalog.stored == {"fix": FIX}
    assert catalog.paths == {FIX: path_of(FIX), OLD: path_of(OLD)}
    assert catalog.displaced_by("fix") == DISPLACED


@pytest.mark.parametrize(("noted", "stored"), [(FIX.sha256, {"fix": FIX}), (OTHER_FIX.sha256, {}), (None, {})])
def test_the_files_of_an_interrupted_run_are_at_hand(
    files: Files, noted: str | None, stored: dict[str, PatchFile]
) -> None:
    """Its copies from before it, unless another build has taken their place since, and what it brought."""
    copies.note(files, loaded(FIX, instance=7), FIX, (), proven=True)
    catalog = catalog_of(files)
    steps = (Step(Action.LOAD, "old", OLD), Step(Action.WAIT, "old"))
    before = {"fix": noted} if noted else {}
    catalog.add_of(Note("root", "load old", "then", (), steps, (), before, "old", State.ENABLED))
    assert catalog.stored == stored
    assert catalog.paths == {file: path_of(file) for file in (*stored.values(), OLD)}


# ---- writing ----


def test_a_link_in_the_place_of_the_part_file_is_not_followed(files: Files, tmp_path: pathlib.Path) -> None:
    victim = tmp_path / "victim"
    victim.write_bytes(b"precious")
    durable.make_directory(files, RUN)
    os.symlink(victim, files.path(f"{RUN}/run.part"))
    with pytest.raises(OSError):
        durable.write(files, f"{RUN}/run", b"note")
    assert victim.read_bytes() == b"precious"


def test_a_directory_of_somebody_else_is_not_used(files: Files, monkeypatch: pytest.MonkeyPatch) -> None:
    durable.make_directory(files, RUN)
    somebody_else = os.geteuid() + 1
    monkeypatch.setattr(os, "geteuid", lambda: somebody_else)
    with pytest.raises(NotADirectoryError, match="not a directory of root's"):
        durable.write(files, f"{RUN}/run", b"note")
    assert files.names(RUN) == []


def test_what_cannot_be_written_whole_leaves_the_old_content(files: Files, monkeypatch: pytest.MonkeyPatch) -> None:
    durable.write(files, f"{RUN}/run", b"old")

    def full(*_arguments: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(OSError, match="No space left"):
        durable.write(files, f"{RUN}/run", b"new")
    assert files.names(RUN) == ["run"]
    assert files.bytes(f"{RUN}/run") == b"old"


# ---- on disk before it counts ----


class Disk:
    """What is asked of the disk, in order: `sync` of a file with its size then, of a directory, and renaming."""

    def __init__(self, root: str, monkeypatch: pytest.MonkeyPatch) -> None:
        self.asked: list[str] = []
        self.root = root
        fsync, replace = os.fsync, os.replace

        def sync(descriptor: int) -> None:
            path = os.readlink(f"/proc/self/fd/{descriptor}")
            size = "" if os.path.isdir(path) else f" with {os.fstat(descriptor).st_size}"
            self.asked.append(f"sync {self._inside(path)}{size}")
            fsync(descriptor)

        def rename(source: str, target: str) -> None:
            self.asked.append(f"rename {self._inside(source)}")
            replace(source, target)

        monkeypatch.setattr(os, "fsync", sync)
        monkeypatch.setattr(os, "replace", rename)

    def _inside(self, path: str) -> str:
        return "/" + os.path.relpath(path, self.root)


@pytest.fixture(name="disk")
def fixture_disk(files: Files, monkeypatch: pytest.MonkeyPatch) -> Disk:
    return Disk(os.path.realpath(files.root), monkeypatch)


def on_disk(path: str, size: int) -> list[str]:
    return [f"sync {path}.part with {size}", f"rename {path}.part", f"sync {os.path.dirname(path)}"]


def test_the_content_is_on_disk_before_its_name_and_the_name_before_it_counts(files: Files, disk: Disk) -> None:
    durable.write(files, f"{VAR}/x", b"12345", sync=True)
    assert disk.asked == on_disk(f"{VAR}/x", 5)


def test_the_marker_is_on_disk_before_a_patch_is_loaded(files: Files, disk: Disk) -> None:
    boot_store.write_marker(files, MARKER)
    assert disk.asked == on_disk(boot_store.MARKER, boot_store.MARKER_BYTES)
    assert boot_store.read_marker(files) == MARKER


def test_a_marker_is_written_anew_in_its_place_and_is_on_disk_then(files: Files, disk: Disk) -> None:
    boot_store.write_marker(files, MARKER)
    disk.asked.clear()
    boot_store.write_marker(files, Marker("boot 1"))
    assert disk.asked == [f"sync {boot_store.MARKER} with {boot_store.MARKER_BYTES}"]
    assert boot_store.read_marker(files) == Marker("boot 1")


def test_a_longer_marker_takes_the_place_of_a_shorter_one(files: Files) -> None:
    boot_store.write_marker(files, MARKER)
    longer = Marker("boot 2", "6" * boot_store.MARKER_BYTES)
    boot_store.write_marker(files, longer)
    assert boot_store.read_marker(files) == longer
    assert os.stat(files.path(boot_store.MARKER)).st_size == 2 * boot_store.MARKER_BYTES


def test_a_link_in_the_place_of_the_marker_is_not_followed(files: Files, tmp_path: pathlib.Path) -> None:
    victim = tmp_path / "victim"
    victim.write_bytes(b"x" * boot_store.MARKER_BYTES)
    durable.make_directory(files, VAR)
    os.symlink(victim, files.path(boot_store.MARKER))
    with pytest.raises(OSError):
        boot_store.write_marker(files, MARKER)
    assert victim.read_bytes() == b"x" * boot_store.MARKER_BYTES


def test_room_for_the_marker_is_made_once(files: Files) -> None:
    boot_store.reserve_marker(files)
    assert boot_store.read_marker(files) == Marker()
    boot_store.write_marker(files, MARKER)
    boot_store.reserve_marker(files)
    assert boot_store.read_marker(files) == MARKER


def test_what_is_accepted_is_on_disk_before_it_counts(files: Files, disk: Disk, source: pathlib.Path) -> None:
    boot_store.write(files, Acceptance())
    assert disk.asked == on_disk(boot_store.ACCEPTED, os.stat(files.path(boot_store.ACCEPTED)).st_size)
    disk.asked.clear()
    boot_store.keep_file(files, "fix", SHA256, str(source))
    assert disk.asked == on_disk(boot_store.file_path("fix", SHA256), len(CONTENT))


OTHER = Acceptance(quarantined=(Quarantined("fix", SHA256, "6.6.0", "then", "It went down."),))


@pytest.mark.parametrize(
    ("text", "written"),
    [
        (None, True),
        (json.dumps(boot_store.to_plain(Acceptance())), True),
        (json.dumps(boot_store.to_plain(OTHER)), False),
        ("{", False),
    ],
)
def test_what_is_accepted_is_restored_where_another_set_is_there(files: Files, text: str | None, written: bool) -> None:
    """What is damaged stays for the administrator to look at."""
    if text is not None:
        durable.write(files, boot_store.ACCEPTED, text.encode())
    assert boot_store.restore(files, OTHER) is written
    assert (boot_store.read(files) == OTHER) is (text != "{")


def test_what_is_gone_after_a_boot_anyway_does_not_wait_for_the_disk(
    files: Files, disk: Disk, source: pathlib.Path
) -> None:
    path = copies.store(files, "fix", str(source), SHA256)
    boot_store.write_report(files, {"boot_id": "boot 1"})
    assert disk.asked == [f"rename {path}.part", f"rename {boot_store.REPORT}.part"]


# ---- what cannot be understood ----


MISFITS = [
    "",
    "{",
    "[]",
    "5",
    "{}",
    "[" * 100_000,
    '{"boot_id": 1, "name": 1, "sha256": 1, "accepted": 1, "results": 1}',
    '{"accepted": [{}], "quarantined": []}',
    '{"accepted": [], "quarantined": [], "of_later": 1}',
    '{"boot_id": "1", "release": "6.6", "build_id": null, "loads": "yes", "unclean_ends": 0}',
    '{"boot_id": "1", "release": "6.6", "taint": 0, "loading": null, "loaded": []}',
    '{"sha256": "abc", "sysfs_inode": "7", "patch_file": null}',
    '{"sha256": "abc", "sysfs_inode": 7, "patch_file": null, "displaced": ["old"]}',
    '{"sha256": "abc", "sysfs_inode": 7, "patch_file": null, "of_later": 1}',
]
READERS: dict[str, t.Callable[[Files], t.Any]] = {
    boot_store.ACCEPTED: boot_store.read,
    boot_store.MARKER: boot_store.read_marker,
    boot_store.REPORT: boot_store.read_report,
    journal.NOTE: journal.read_note,
    f"{RUN}/fix.json": lambda files: copies.read(files, "fix"),
}


@pytest.mark.parametrize("text", MISFITS)
@pytest.mark.parametrize("path", READERS)
def test_what_cannot_be_understood_is_neither_taken_for_nothing_nor_a_traceback(
    files: Files, path: str, text: str
) -> None:
    durable.write(files, path, text.encode())
    found = READERS[path](files)
    assert found == {} if path == boot_store.REPORT else isinstance(found, (Unreadable, Damaged))
    assert [problem.path for problem in files.unreadable] == [path]


WRITTEN: dict[str, dict[str, t.Any]] = {
    boot_store.ACCEPTED: boot_store.to_plain(Acceptance()),
    boot_store.MARKER: dataclasses.asdict(MARKER),
    boot_store.REPORT: {"boot_id": "1", "nothing": "", "of_store": False, "results": []},
    journal.NOTE: journal.to_plain(Note("root", "load", "then", (), (), (), {}, "fix", State.ENABLED)),
    f"{RUN}/fix.json": {"sha256": "", "sysfs_inode": 7, "patch_file": None},
}


@pytest.mark.parametrize("path", READERS)
def test_all_state_files_have_one_number_of_their_format(files: Files, path: str) -> None:
    for number, is_known in ((None, True), (state.FORMAT, True), (state.FORMAT + 1, False)):
        data = dict(WRITTEN[path], **({} if number is None else {"format": number}))
        durable.write(files, path, json.dumps(data).encode())
        READERS[path](files)
        assert (files.unreadable == []) is is_known
    assert "it has the format 2, and this version knows 1" in str(files.unreadable)


@pytest.mark.parametrize("path", READERS)
def test_what_cannot_be_read_is_not_taken_for_nothing(files: Files, path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    durable.write(files, path, json.dumps(WRITTEN[path]).encode())
    with monkeypatch.context() as now:
        now.setattr("builtins.open", fails_with(errno.EMFILE))
        READERS[path](files)
    assert files.unreadable == [Unreadable(path, "EMFILE")]


def fails_with(number: int) -> t.Callable[..., t.Any]:
    def fail(*_arguments: t.Any, **_options: t.Any) -> t.NoReturn:
        raise OSError(number, os.strerror(number))

    return fail


# ---- nothing is removed that was not just read whole ----


@pytest.mark.parametrize("number", [errno.EIO, errno.EMFILE, errno.ENOMEM])
def test_no_accepted_file_goes_because_the_acceptance_cannot_be_read(
    files: Files, source: pathlib.Path, number: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    boot_store.keep_file(files, "fix", SHA256, str(source))
    boot_store.write(files, Acceptance((Accepted("fix", SHA256, "6.6.0", "then", {}),)))
    with monkeypatch.context() as now:
        now.setattr("builtins.open", fails_with(number))
        boot_store.prune(files)
    assert files.bytes(boot_store.file_path("fix", SHA256)) == CONTENT


@pytest.mark.parametrize("text", [None, "{", '{"format": 2, "accepted": [], "quarantined": []}'])
def test_no_accepted_file_goes_where_the_acceptance_is_not_known(
    files: Files, source: pathlib.Path, text: str | None
) -> None:
    boot_store.keep_file(files, "fix", SHA256, str(source))
    if text is not None:
        durable.write(files, boot_store.ACCEPTED, text.encode())
    boot_store.prune(files)
    assert files.bytes(boot_store.file_path("fix", SHA256)) == CONTENT


def test_no_accepted_file_goes_while_a_damaged_acceptance_is_kept(files: Files, source: pathlib.Path) -> None:
    boot_store.keep_file(files, "fix", SHA256, str(source))
    durable.write(files, boot_store.ACCEPTED, b"{")
    damaged = boot_store.read(files)
    assert isinstance(damaged, Damaged) and damaged.aside == f"{boot_store.ACCEPTED}.damaged"
    boot_store.move_aside(files, damaged.aside)
    boot_store.write(files, Acceptance())
    boot_store.prune(files)
    assert files.bytes(boot_store.file_path("fix", SHA256)) == CONTENT
    os.unlink(files.path(damaged.aside))
    boot_store.prune(files)
    assert files.bytes(boot_store.file_path("fix", SHA256)) == Absent()


def test_a_second_damaged_file_does_not_take_the_place_of_the_first(files: Files) -> None:
    for number in range(3):
        durable.write(files, boot_store.ACCEPTED, b"{" * (number + 1))
        damaged = boot_store.read(files)
        assert isinstance(damaged, Damaged) and damaged.aside
        boot_store.move_aside(files, damaged.aside)
    assert files.names(VAR) == ["accepted.damaged", "accepted.damaged-2", "accepted.damaged-3"]


@pytest.mark.parametrize("number", [errno.EIO, errno.EMFILE, errno.ENOMEM])
def test_no_copy_goes_because_its_record_cannot_be_read(
    files: Files, number: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    fix = loaded(FIX, instance=7)
    durable.write(files, path_of(FIX), b"1")
    durable.write(files, path_of(OLD), b"1")
    copies.note(files, fix, FIX, DISPLACED, proven=True)
    before = files.names(RUN)
    with monkeypatch.context() as now:
        now.setattr("builtins.open", fails_with(number))
        copies.prune(files, [fix])
    assert files.names(RUN) == before
    copies.prune(files, [fix])
    assert files.names(RUN) == before
    copies.prune(files, [])
    assert files.names(RUN) == []


def test_what_a_patch_displaced_is_not_taken_for_nothing_if_it_cannot_be_read(tmp_path: pathlib.Path) -> None:
    """`reverted` would leave the host without either."""
    host = ModelHost(tmp_path)
    host.run("old", file=patch_file("old"))
    host.run("new", file=patch_file("new"), supersedes=("old",))
    read = copies.read
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(
            copies,
            "read",
            lambda files, name: Unreadable(f"{RUN}/new.json", "EMFILE") if name == "new" else read(files, name),
        )
        result = host.run("new", State.REVERTED)
        assert (result["failed"], result["reason"], host.stack) == (True, "unreadable", ["new"])
        assert "/run/openeuler-livepatch/new.json (EMFILE)" in result["msg"]
    assert host.run("new", State.REVERTED)["changed"]
    assert host.stack == ["old"]


def test_no_copy_goes_because_another_version_wrote_the_record(files: Files) -> None:
    durable.write(files, path_of(FIX), b"1")
    durable.write(files, f"{RUN}/fix.json", json.dumps({"format": 2, "sha256": FIX.sha256}).encode())
    copies.prune(files, [loaded(FIX, instance=7)])
    assert files.names(RUN) == [os.path.basename(path_of(FIX)), "fix.json"]


# ---- the lock ----


def test_the_lock_outlives_the_directory(files: Files) -> None:
    """Whoever cleans up the collection's directory lets no second run in."""
    with lock.lock(files, 0):
        shutil.rmtree(files.path(RUN))
        with pytest.raises(lock.Locked), lock.lock(files, 0):
            pass
    with lock.lock(files, 0):
        pass


def test_a_lock_on_a_file_that_was_removed_meanwhile_is_none(files: Files) -> None:
    """The second run waits for the first one, which has the removed file; a third one must not lock another."""
    inside = []

    def wait() -> None:
        with lock.lock(files, 30):
            inside.append("second")
            with pytest.raises(lock.Locked), lock.lock(files, 0):
                pass

    thread = threading.Thread(target=wait)
    with lock.lock(files, 0):
        thread.start()
        time.sleep(2 * lock.POLL_SECONDS)
        os.unlink(files.path(lock.PATH))
        assert inside == []
    thread.join()
    assert inside == ["second"]


def test_a_link_in_the_place_of_the_lock_is_not_followed(files: Files, tmp_path: pathlib.Path) -> None:
    durable.make_directory(files, RUN)
    os.symlink(tmp_path / "victim", files.path(lock.PATH))
    with pytest.raises(OSError), lock.lock(files, 0):
        pass
    assert not (tmp_path / "victim").exists()


@pytest.mark.parametrize("text", ["{", "[]"])
def test_a_damaged_report_is_none(files: Files, text: str) -> None:
    durable.write(files, boot_store.REPORT, text.encode())
    assert boot_store.read_report(files) == {}
