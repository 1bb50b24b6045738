# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a run reads on a host: no file twice, where nothing is to be done."""

from __future__ import annotations

import pathlib
import typing as t
from collections import Counter

import pytest
from ansible_collections.openeuler.livepatch.plugins.module_utils._apply.kernel import Kernel
from ansible_collections.openeuler.livepatch.plugins.module_utils._manage.facts import gather
from ansible_collections.openeuler.livepatch.plugins.module_utils._manage.manage import manage
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.boot_set import Acceptance, Accepted
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.patch_file import PatchFile
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.reading import Reading
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.request import AtBoot, State, Task, Wanted
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.snapshot import PER_TASK, STOP_MACHINE
from ansible_collections.openeuler.livepatch.plugins.module_utils._store import boot as boot_store
from ansible_collections.openeuler.livepatch.plugins.module_utils._store import copies, lock
from ansible_collections.openeuler.livepatch.plugins.module_utils._system import durable
from ansible_collections.openeuler.livepatch.plugins.module_utils._system.files import Files
from ansible_collections.openeuler.livepatch.tests.unit.plugins.module_utils.model_host import ModelHost
from ansible_collections.openeuler.livepatch.tests.unit.plugins.module_utils.model_kernel import content_of, patch_file

RELEASE = "6.12.48"
NAMES = ("lp_one", "lp_two")
CONFIG = {
    PER_TASK: "CONFIG_LIVEPATCH=y\n",
    STOP_MACHINE: "CONFIG_LIVEPATCH=y\nCONFIG_LIVEPATCH_WO_FTRACE=y\nCONFIG_LIVEPATCH_STOP_MACHINE_CONSISTENCY=y\n",
}
STATE = "Index\tPatch\tState\n" + "".join(f"{place}\t{name}\tenabled\n" for place, name in enumerate(NAMES, 1))


def write(root: pathlib.Path, path: str, content: str) -> None:
    file = root / path.lstrip("/")
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(content)


@pytest.fixture(name="file_of", params=[PER_TASK, STOP_MACHINE])
def fixture_file_of(request: pytest.FixtureRequest, tmp_path: pathlib.Path) -> dict[str, PatchFile]:
    """A host with two patches that this collection has loaded and accepted; returns their files."""
    abi = request.param
    write(tmp_path, "/proc/sys/kernel/osrelease", RELEASE)
    write(tmp_path, "/proc/sys/kernel/tainted", "0")
    write(tmp_path, f"/boot/config-{RELEASE}", CONFIG[abi])
    lines = [f"{name} 12288 1 - Live 0x0000000000000000 (OEK)\n" for name in reversed(NAMES)]
    write(tmp_path, "/proc/modules", "".join(lines))
    if abi == STOP_MACHINE:
        write(tmp_path, "/proc/livepatch/state", STATE)
    for name in NAMES:
        write(tmp_path, f"/sys/kernel/livepatch/{name}/enabled", "1")
        write(tmp_path, f"/sys/module/{name}/srcversion", name)
        (tmp_path / f"sys/kernel/livepatch/{name}/vmlinux/{name}_show,1").mkdir(parents=True)
        if abi == PER_TASK:
            write(tmp_path, f"/sys/kernel/livepatch/{name}/transition", "0")
    files = {name: patch_file(name, srcversion=name, build_id=None, abi=abi) for name in NAMES}
    kernel = Kernel(Files(str(tmp_path)))
    for patch in kernel.snapshot().patches:
        copies.note(kernel.files(), patch, files[patch.name], (), proven=True)
    accepted = [Accepted(name, files[name].sha256, RELEASE, "now", files[name].to_dict()) for name in NAMES]
    boot_store.write(kernel.files(), Acceptance(tuple(accepted)))
    for name, file in files.items():
        for directory in (boot_store.DIRECTORY, copies.DIRECTORY):
            durable.write(kernel.files(), copies.copy_path(name, file.sha256, directory), content_of(name))
    return files


@pytest.fixture(name="read")
def fixture_read(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """Counts how often each file or directory is read."""
    read: Counter[str] = Counter()
    read_one = Files._read

    def count(files: Files, path: str, how: t.Callable[[str], t.Any]) -> Reading[t.Any]:
        # Asking whether a file is there is no reading of it.
        if "inode" not in how.__qualname__:
            read[path] += 1
        return read_one(files, path, how)

    monkeypatch.setattr(Files, "_read", count)
    return read


def stored(file: PatchFile) -> str:
    return boot_store.file_path(file.name, file.sha256)


def read_twice(read: Counter[str]) -> list[str]:
    return sorted(path for path, times in read.items() if times > 1)


def test_a_run_without_change_reads_each_file_once(
    file_of: dict[str, PatchFile], read: Counter[str], tmp_path: pathlib.Path
) -> None:
    result = manage(Task(Wanted("lp_one", State.ENABLED, file_of["lp_one"])), Kernel(Files(str(tmp_path))))
    assert (result["changed"], result["boot"], result["patch"]["identity"]["sha256"]) == (
        False,
        "accepted",
        file_of["lp_one"].sha256,
    )
    assert read["/run/openeuler-livepatch/lp_two.json"] == read[boot_store.ACCEPTED] == 1
    assert not any(path.endswith((".ko", ".pyz")) for path in read)
    assert read_twice(read) == []


def test_accepting_again_reads_each_file_once(
    file_of: dict[str, PatchFile], read: Counter[str], tmp_path: pathlib.Path
) -> None:
    task = Task(Wanted("lp_one", State.ENABLED, file_of["lp_one"], boot=AtBoot.ACCEPTED))
    assert not manage(task, Kernel(Files(str(tmp_path))))["changed"]
    assert read[stored(file_of["lp_one"])] == read[boot_store.PROGRAM] == 1
    assert not any(path.startswith(copies.DIRECTORY) and path.endswith(".ko") for path in read)
    assert read_twice(read) == []


def test_facts_read_each_file_once(file_of: dict[str, PatchFile], read: Counter[str], tmp_path: pathlib.Path) -> None:
    facts = gather(Files(str(tmp_path)))
    assert [patch["identity"]["sha256"] for patch in facts["patches"]] == [file.sha256 for file in file_of.values()]
    assert read["/proc/modules"] == 1
    assert [read[stored(file)] for file in file_of.values()] == [1, 1]
    assert read_twice(read) == []


@pytest.fixture(name="digested")
def fixture_digested(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """Counts how often the content of each copy is read."""
    digested: Counter[str] = Counter()
    digest = copies.digest

    def count(files: Files, path: str) -> Reading[str]:
        digested[path] += 1
        return digest(files, path)

    monkeypatch.setattr(copies, "digest", count)
    return digested


@pytest.mark.parametrize("abi", [PER_TASK, STOP_MACHINE])
@pytest.mark.parametrize("state", [State.DISABLED, State.ENABLED, State.REVERTED])
@pytest.mark.parametrize("check_mode", [True, False])
def test_a_change_reads_what_was_displaced_once(
    digested: Counter[str], tmp_path: pathlib.Path, abi: str, state: State, check_mode: bool
) -> None:
    """Before it has the lock, and not again when it has it."""
    host = ModelHost(tmp_path, abi=abi)
    files = {name: patch_file(name, abi=abi) for name in ("old", "new")}
    for name, superseded in (("old", ()), ("new", ("old",))):
        (tmp_path / "sys/module" / name).mkdir(parents=True)
        assert not host.run(name, file=files[name], supersedes=superseded).get("failed")
    if state == State.ENABLED:
        host.run("new", State.DISABLED)
    digested.clear()
    result = manage(Task(Wanted("new", state), check_mode=check_mode), host.kernel)
    assert (result.get("failed"), result["changed"]) == (None, True)
    assert digested == {copies.copy_path("old", files["old"].sha256): 1}


def test_a_copy_that_is_damaged_while_the_lock_is_waited_for_is_read_again(
    digested: Counter[str], tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    host = ModelHost(tmp_path)
    for name, superseded in (("old", ()), ("new", ("old",))):
        (tmp_path / "sys/module" / name).mkdir(parents=True)
        host.run(name, file=patch_file(name), supersedes=superseded)
    copy = copies.copy_path("old", patch_file("old").sha256)
    digested.clear()
    take = lock.lock

    def damage(files: Files, seconds: float) -> t.ContextManager[None]:
        path = pathlib.Path(files.path(copy))
        path.write_bytes(bytes(len(path.read_bytes())))
        return take(files, seconds)

    monkeypatch.setattr(lock, "lock", damage)
    result = host.run("new", State.REVERTED)
    assert (result["reason"], host.stack, digested[copy]) == ("needs_file", ["new"], 2)
