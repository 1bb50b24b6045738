# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the collection leaves on a host: the files that the threat model lists, for root alone, and no others."""

from __future__ import annotations

import pathlib
import typing as t

import pytest
from ansible_collections.openeuler.livepatch.plugins.module_utils._boot.program import Boot
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.patch_file import PatchFile
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.request import AtBoot, State
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.snapshot import PER_TASK, STOP_MACHINE
from ansible_collections.openeuler.livepatch.plugins.module_utils._store import boot as boot_store
from ansible_collections.openeuler.livepatch.plugins.module_utils._store import copies, journal
from ansible_collections.openeuler.livepatch.tests.unit.plugins.module_utils.model_host import ModelHost
from ansible_collections.openeuler.livepatch.tests.unit.plugins.module_utils.model_kernel import patch_file

RUN, VAR = "run/openeuler-livepatch", "var/lib/openeuler-livepatch"
LOCK = f"{RUN}.lock"
CHANGED = f"{RUN}/changed"


class Host(ModelHost):
    """A host, and what is left there."""

    def __init__(self, root: pathlib.Path, abi: str) -> None:
        super().__init__(root, abi=abi)
        self._before = set(root.rglob("*"))

    @property
    def left(self) -> set[str]:
        """The new files, but those of the kernel. Each is for root alone, and so is the directory that it is in."""
        found = set()
        for path in set(self.root.rglob("*")).difference(self._before, [self.root / "sent.ko"]):
            name, mode = str(path.relative_to(self.root)), path.stat().st_mode & 0o777
            if path.is_file() and not name.startswith(("sys/", "proc/")):
                assert mode == 0o600, name
                found.add(name)
            elif name.startswith((RUN, VAR)):
                assert mode == 0o700, name
        return found


def copy_of(file: PatchFile, directory: str = RUN) -> str:
    return copies.copy_path(file.name, file.sha256, directory)


@pytest.fixture(name="host", params=[PER_TASK, STOP_MACHINE])
def fixture_host(tmp_path: pathlib.Path, request: pytest.FixtureRequest) -> Host:
    return Host(tmp_path, request.param)


def test_nothing_is_left_by_what_changes_nothing(host: Host) -> None:
    host.run("fix", State.ABSENT)
    assert host.left == set()


def test_a_loaded_patch_leaves_its_copy_and_its_record(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    file = patch_file("fix", abi=host.kernel.abi)
    load, meanwhile = host.kernel.load, []

    def look_and_load(*arguments: t.Any) -> None:
        meanwhile.append(host.left)
        load(*arguments)

    monkeypatch.setattr(host.kernel, "load", look_and_load)
    host.run("fix", file=file)
    assert meanwhile == [{LOCK, copy_of(file), f"{RUN}/run"}]
    assert host.left == {LOCK, CHANGED, copy_of(file), f"{RUN}/fix.json"}
    host.run("fix", State.ABSENT)
    assert host.left == {LOCK, CHANGED}


def test_an_accepted_patch_leaves_its_file_and_the_record_until_it_is_taken_out(host: Host) -> None:
    old, new = (patch_file(name, abi=host.kernel.abi) for name in ("old", "new"))
    host.run("old", file=old, boot=AtBoot.ACCEPTED)
    on_disk = {f"{VAR}/accepted", f"{VAR}/marker"}
    assert host.left == {LOCK, CHANGED, copy_of(old), f"{RUN}/old.json", *on_disk, copy_of(old, VAR)}
    host.run("new", file=new, supersedes=("old",), boot=AtBoot.ACCEPTED)
    assert {copy_of(old, VAR), copy_of(new, VAR)} < host.left, "what is superseded can come back"
    host.run("new", State.ABSENT)
    assert {name for name in host.left if name.startswith(VAR)} == on_disk


def test_each_change_by_a_task_leaves_one_line_in_the_log(host: Host) -> None:
    old, new = (patch_file(name, abi=host.kernel.abi) for name in ("old", "new"))
    tasks: list[tuple[str, State, dict[str, t.Any]]] = [
        ("old", State.ABSENT, {}),
        ("old", State.PRESENT, {"file": old}),
        ("old", State.ENABLED, {"file": old}),
        ("old", State.ENABLED, {"file": old}),
        ("old", State.ENABLED, {"boot": AtBoot.ACCEPTED}),
        ("old", State.DISABLED, {}),
        ("new", State.ENABLED, {"file": new, "supersedes": ("old",), "boot": AtBoot.ACCEPTED}),
        ("new", State.ENABLED, {"boot": AtBoot.TRIAL}),
        ("new", State.REVERTED, {}),
        ("old", State.ABSENT, {}),
        ("old", State.ABSENT, {}),
    ]
    changed = []
    for name, wanted, more in tasks:
        before = len(host.kernel.journal_lines)
        is_at_hand = "file" in more or name in [patch.name for patch in host.kernel.patches]
        result = host.run(name, wanted, **more)
        lines = host.kernel.journal_lines[before:]
        changed.append(result["changed"])
        assert len(lines) == result["changed"], (name, wanted, result)
        digest = {"old": old, "new": new}[name].sha256
        assert all((f"{name} sha256={digest}" in line) is is_at_hand for line in lines), lines
        assert all(line.startswith(journal.who_am_i()) and line.endswith(" done") for line in lines), lines
    assert changed.count(True) >= 6 and changed.count(False) >= 3


def test_a_boot_leaves_its_report(host: Host) -> None:
    file = patch_file("fix", abi=host.kernel.abi)
    host.run("fix", file=file, boot=AtBoot.ACCEPTED)
    before = host.left
    Boot(lambda: host.kernel, lambda _line: None).load()
    assert host.left == {*before, f"{RUN}/boot"}


def test_what_a_reboot_removes_is_in_run() -> None:
    places = [copies.DIRECTORY, boot_store.REPORT, boot_store.DIRECTORY]
    assert places == [f"/{RUN}", f"/{RUN}/boot", f"/{VAR}"]
