# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One run at a time, and the note that it leaves while it runs."""

from __future__ import annotations

import pathlib

import pytest
from ansible_collections.openeuler.livepatch.plugins.module_utils import _kept_files, _runs
from ansible_collections.openeuler.livepatch.plugins.module_utils._host import Files
from ansible_collections.openeuler.livepatch.plugins.module_utils._manage import manage
from ansible_collections.openeuler.livepatch.plugins.module_utils._snapshot import PER_TASK
from ansible_collections.openeuler.livepatch.plugins.module_utils._steps import (
    ABSENT,
    DISABLED,
    ENABLED,
    LOAD,
    REVERTED,
    WAIT,
    Step,
    Wanted,
)
from ansible_collections.openeuler.livepatch.plugins.module_utils._task import Patience, Task
from ansible_collections.openeuler.livepatch.tests.unit.plugins.module_utils.model_kernel import (
    ModelKernel,
    content_of,
    loaded,
    patch_file,
)

FIX = patch_file("fix")
NOTE = _runs.Note(
    who="root, process 1",
    what="load fix",
    started="2026-01-01T00:00:00Z",
    before=(loaded(patch_file("other")),),
    steps=(Step(LOAD, "fix", FIX), Step(WAIT, "fix")),
    goal=(loaded(patch_file("other")), loaded(FIX)),
    kept={"other": "0" * 64},
    name="fix",
    state=ENABLED,
)


def test_a_note_is_read_as_it_was_written(tmp_path):
    files = Files(str(tmp_path))
    assert _runs.read_note(files) is None
    _runs.write_note(files, NOTE)
    assert _runs.read_note(files) == NOTE
    assert (tmp_path / "run/openeuler-livepatch/run").stat().st_mode & 0o777 == 0o600
    _runs.remove_note(files)
    _runs.remove_note(files)
    assert _runs.read_note(files) is None


@pytest.mark.parametrize("damage", ["", "{", "[]", "{}", '{"who": 1, "what": 1, "started": 1, "before": [{}]}'])
def test_a_damaged_note_is_none_and_does_not_stay(tmp_path, damage):
    kernel = ModelKernel(tmp_path, loaded(FIX))
    _runs.write_note(kernel.files(), NOTE)
    (tmp_path / "run/openeuler-livepatch/run").write_text(damage)
    assert manage(Task(Wanted("fix", ABSENT)), kernel)["state"] == "absent"
    assert not (tmp_path / "run/openeuler-livepatch/run").exists()


def test_the_second_run_waits_and_then_says_who_has_the_lock(tmp_path):
    kernel = ModelKernel(tmp_path, loaded(FIX))
    with _runs.lock(kernel.files(), 0):
        _runs.write_note(kernel.files(), NOTE)
        result = manage(Task(Wanted("fix", ABSENT), patience=Patience(timeout=0.3)), kernel)
    assert result["failed"]
    assert (result["reason"], result["changed"], kernel.calls) == ("locked", False, [])
    assert "root, process 1 since 2026-01-01T00:00:00Z: load fix" in result["msg"]


def test_the_second_run_goes_on_when_the_first_has_ended(tmp_path):
    kernel = ModelKernel(tmp_path, loaded(FIX))
    with _runs.lock(kernel.files(), 0):
        pass
    assert manage(Task(Wanted("fix", ABSENT)), kernel)["state"] == "absent"


def test_what_changes_nothing_does_not_wait_and_leaves_nothing(tmp_path):
    kernel = ModelKernel(tmp_path, loaded(FIX))
    with _runs.lock(kernel.files(), 0):
        assert not manage(Task(Wanted("fix", ENABLED, FIX)), kernel)["changed"]
        _runs.write_note(kernel.files(), NOTE)
        result = manage(Task(Wanted("fix", ENABLED, FIX)), kernel)
        assert "failed" not in result
        assert "Another run is changing this host (root, process 1" in result["notices"][0]
        _runs.remove_note(kernel.files())
        assert manage(Task(Wanted("fix", ABSENT), check_mode=True), kernel)["changed"]
    assert list((tmp_path / "run/openeuler-livepatch").iterdir()) == []


def test_check_mode_tells_of_a_run_that_was_cut_off(tmp_path):
    kernel = ModelKernel(tmp_path, loaded(FIX))
    _runs.write_note(kernel.files(), NOTE)
    result = manage(Task(Wanted("fix", ENABLED, FIX), check_mode=True), kernel)
    assert "was cut off (root, process 1" in result["notices"][0]
    assert _runs.read_note(kernel.files()) == NOTE


class Cut(BaseException):
    """The module's process is gone: nothing of it runs any more."""


class MortalKernel(ModelKernel):
    """A kernel during whose call C(last) the process dies; a module has another inode each time that it is loaded."""

    last = None

    def load(self, path, sha256):
        name = self.known_files[sha256].name
        super().load(path, sha256)
        pathlib.Path(self.root, "sys/module", name).mkdir(parents=True)
        self._die_after(f"load {name}")

    def unload(self, name):
        super().unload(name)
        gone = pathlib.Path(self.root, "sys/module", name)
        gone.rename(gone.with_name(f"{name} {len(self.calls)}"))
        self._die_after(f"unload {name}")

    def write_enabled(self, name, value):
        super().write_enabled(name, value)
        self._die_after(f"{'enable' if value else 'disable'} {name}")

    def _die_after(self, call):
        if call == self.last:
            self.last = None
            raise Cut


class Host:
    """A model of a host, with tasks for it and runs that are cut off."""

    def __init__(self, tmp_path, abi=PER_TASK):
        self.root = tmp_path
        self.kernel = MortalKernel(tmp_path, abi=abi)

    def run(self, name, state=ENABLED, sent=True, task=None, **wanted):
        file = patch_file(name, abi=self.kernel.abi)
        self.kernel.add_file(file)
        path = self.root / f"{name}.ko"
        path.write_bytes(content_of(name))
        wish = Wanted(name, state, file if state == ENABLED else None, **wanted)
        return manage(Task(wish, str(path) if sent else None, **(task or {})), self.kernel)

    def dies_after(self, call, *arguments, **wanted):
        self.kernel.last = call
        with pytest.raises(Cut):
            self.run(*arguments, **wanted)

    def conditions(self):
        return {patch.name: patch.enabled for patch in self.kernel.patches}


@pytest.mark.parametrize("call", ["unload new", "load new"])
def test_what_a_patch_displaced_is_known_after_a_run_that_took_it_out_was_cut_off(tmp_path, call):
    host = Host(tmp_path)
    host.run("old")
    host.run("new", supersedes=("old",))
    host.run("new", DISABLED)
    host.dies_after(call, "new")
    assert "cut off" in host.run("new", DISABLED)["notices"][0]
    assert host.conditions() == {"new": False}
    host.run("new")
    assert "failed" not in host.run("new", REVERTED)
    assert host.conditions() == {"old": True}


def test_the_directory_of_somebody_else_is_not_used(tmp_path):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "run").mkdir()
    (tmp_path / "run/openeuler-livepatch").symlink_to(tmp_path / "elsewhere")
    kernel = ModelKernel(tmp_path, loaded(FIX))
    result = manage(Task(Wanted("fix", ABSENT)), kernel)
    assert (result["reason"], result["errno"], kernel.calls) == ("no_room", "ENOTDIR", [])
    assert list((tmp_path / "elsewhere").iterdir()) == []


def test_files_are_for_root_alone(tmp_path):
    files = Files(str(tmp_path))
    source = tmp_path / "source.ko"
    source.write_bytes(b"fix 1")
    path = tmp_path / _kept_files.store(files, "fix", str(source), FIX.sha256).lstrip("/")
    assert path.read_bytes() == b"fix 1"
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700
