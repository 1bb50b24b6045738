# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The metrics that a host writes: of recorded hosts (see test_recorded_hosts.py), and after tasks on the model."""

from __future__ import annotations

import json
import os
import pathlib
import re
import stat
import typing as t

import pytest
from ansible_collections.openeuler.livepatch.plugins.module_utils._boot import commands
from ansible_collections.openeuler.livepatch.plugins.module_utils._manage import metrics
from ansible_collections.openeuler.livepatch.plugins.module_utils._manage.facts import gather
from ansible_collections.openeuler.livepatch.plugins.module_utils._manage.manage import manage
from ansible_collections.openeuler.livepatch.plugins.module_utils._manage.metrics import FILE_NAME, metrics_text
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.fix import Fix
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.request import State, Task, Wanted
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.snapshot import PER_TASK
from ansible_collections.openeuler.livepatch.plugins.module_utils._store import boot as boot_store
from ansible_collections.openeuler.livepatch.plugins.module_utils._store import journal
from ansible_collections.openeuler.livepatch.plugins.module_utils._system.files import Files
from ansible_collections.openeuler.livepatch.tests.unit.plugins.module_utils.model_host import ModelHost
from ansible_collections.openeuler.livepatch.tests.unit.plugins.module_utils.model_kernel import patch_file
from ansible_collections.openeuler.livepatch.tests.unit.plugins.module_utils.recorded_host import RECORDED, files_of

FIX = {"id": "CVE-2026-0001", "title": "", "severity": "", "cves": []}
THEN, SINCE = "2026-11-25T07:33:31Z", "2026-11-25T07:31:02Z"

Plain = t.Dict[str, t.Any]


def facts_of(abi: str, folder: pathlib.Path) -> Plain:
    return gather(files_of(abi, folder))


def samples(text: str) -> dict[str, float]:
    """The samples by their series. No series is there twice, and each has its help and its type."""
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    found = {line.rpartition(" ")[0]: float(line.rpartition(" ")[2]) for line in lines}
    assert len(found) == len(lines)
    names = {series.partition("{")[0] for series in found}
    assert set(re.findall(r"# TYPE (\w+) gauge\n", text)) == set(re.findall(r"# HELP (\w+) .+\n", text)) == names
    return found


@pytest.mark.parametrize("abi", RECORDED)
def test_a_recorded_host(abi: str, tmp_path: pathlib.Path) -> None:
    facts = facts_of(abi, tmp_path)
    facts["patches"][0]["fix"] = FIX
    facts["boot"]["lost"] = [{"name": "lp_lost", "fix": FIX}]
    facts["boot"]["results"] = [{"outcome": "failed"}, {"outcome": "enabled"}]
    assert samples(metrics_text(facts, THEN, SINCE)) == {
        "livepatch_known": 1,
        'livepatch_patch_enabled{patch="lp_boot_e",fix="CVE-2026-0001"}': 1,
        'livepatch_patch_enabled{patch="lp_boot_a",fix=""}': 1,
        'livepatch_patch_enabled{patch="lp_boot_b",fix=""}': 1,
        'livepatch_patch_enabled{patch="lp_boot_trial",fix=""}': 1,
        'livepatch_patch_effective{patch="lp_boot_e",fix="CVE-2026-0001"}': 1,
        'livepatch_patch_effective{patch="lp_boot_a",fix=""}': 0,
        'livepatch_patch_effective{patch="lp_boot_b",fix=""}': 1,
        'livepatch_patch_effective{patch="lp_boot_trial",fix=""}': 1,
        'livepatch_patch_in_transition{patch="lp_boot_e",fix="CVE-2026-0001"}': 0,
        'livepatch_patch_in_transition{patch="lp_boot_a",fix=""}': 0,
        'livepatch_patch_in_transition{patch="lp_boot_b",fix=""}': 0,
        'livepatch_patch_in_transition{patch="lp_boot_trial",fix=""}': 0,
        'livepatch_patch_accepted{patch="lp_boot_e",fix="CVE-2026-0001"}': 1,
        'livepatch_patch_accepted{patch="lp_boot_a",fix=""}': 1,
        'livepatch_patch_accepted{patch="lp_boot_b",fix=""}': 1,
        'livepatch_patch_accepted{patch="lp_boot_trial",fix=""}': 0,
        "livepatch_boot_installed": 0,
        'livepatch_boot_accepted{patch="lp_boot_e",fix=""}': 1,
        'livepatch_boot_accepted{patch="lp_boot_a",fix=""}': 1,
        'livepatch_boot_accepted{patch="lp_boot_b",fix=""}': 1,
        'livepatch_boot_lost{patch="lp_lost",fix="CVE-2026-0001"}': 1,
        "livepatch_boot_quarantined": 0,
        "livepatch_boot_failed": 1,
        "livepatch_boot_loaded_nothing": 0,
        "livepatch_boot_unclean_ends": 0,
        "livepatch_reboot_required": 0,
        "livepatch_last_change_timestamp_seconds": 1795591862,
        "livepatch_read_timestamp_seconds": 1795592011,
    }


@pytest.mark.parametrize(
    ("changes", "functions", "part"),
    [
        ({}, None, 0.5),
        ({"in_transition": True}, None, 0),
        ({"enabled": False}, None, 0),
        ({"enabled": None}, None, None),
        ({"effective": None, "functions": []}, None, None),
        ({}, "unknown", None),
    ],
)
def test_the_live_part_of_a_patch(changes: Plain, functions: str | None, part: float | None) -> None:
    one = {"object": "vmlinux", "name": "one", "sympos": 1}
    two = {**one, "name": "two"}
    patch = {"name": "a", "enabled": True, "in_transition": False, "effective": "partial", "functions": [one, two]}
    live = None if functions else {"a": 1, "b": 1}
    assert metrics._live_part({**patch, **changes}, live) == part


def test_what_cannot_be_told_has_no_sample(tmp_path: pathlib.Path) -> None:
    facts = facts_of(PER_TASK, tmp_path)
    for patch in facts["patches"]:
        patch.update(enabled=None, effective=None, in_transition=None)
    found = samples(metrics_text({**facts, "disagreements": ["They differ."], "functions": None}, THEN, None))
    assert found["livepatch_known"] == 0
    names = {series.partition("{")[0] for series in found}
    assert names.isdisjoint(
        {
            "livepatch_patch_enabled",
            "livepatch_patch_effective",
            "livepatch_patch_in_transition",
            "livepatch_last_change_timestamp_seconds",
        }
    )


def test_no_text_ends_its_label(tmp_path: pathlib.Path) -> None:
    facts = facts_of(PER_TASK, tmp_path)
    facts["patches"][0]["fix"] = {**FIX, "id": 'a"} 1\nb\\'}
    assert 'fix="a\\"} 1\\nb\\\\"} 1\n' in metrics_text(facts, THEN, None)


class Host(ModelHost):
    """A host whose metrics are wanted in the directory `collected`."""

    def __init__(self, root: pathlib.Path) -> None:
        super().__init__(root)
        self.collected = root / "collected"
        self.collected.mkdir()
        (root / "etc").mkdir(exist_ok=True)
        self.settings(json.dumps({"metrics_directory": "/collected"}))

    def settings(self, text: str) -> None:
        (self.root / "etc/openeuler-livepatch.json").write_text(text)

    @property
    def written(self) -> dict[str, float]:
        return samples((self.collected / FILE_NAME).read_text())


def enable(host: Host, fix: Fix | None = None) -> Plain:
    return host.run("fix", file=patch_file("fix", fix=fix), fix=fix)


def notes(result: Plain) -> list[str]:
    return [finding["cause"] for finding in result["findings"] if finding["reason"] == "no_metrics"]


def test_each_task_that_changes_something_writes_them(tmp_path: pathlib.Path) -> None:
    host = Host(tmp_path)
    assert notes(enable(host, Fix("CVE-2026-0001"))) == []
    series = '{patch="fix",fix="CVE-2026-0001"}'
    assert host.written[f"livepatch_patch_effective{series}"] == 1
    assert host.written["livepatch_last_change_timestamp_seconds"] > 0
    assert stat.S_IMODE((host.collected / FILE_NAME).stat().st_mode) == 0o644
    host.run("fix", State.DISABLED)
    assert host.written[f"livepatch_patch_enabled{series}"] == 0
    host.run("fix", State.ABSENT)
    assert not [name for name in host.written if name.startswith("livepatch_patch")]
    assert os.listdir(host.collected) == [FILE_NAME]


def test_a_task_that_changes_nothing_writes_nothing_and_check_mode_neither(tmp_path: pathlib.Path) -> None:
    host = Host(tmp_path)
    enable(host)
    (host.collected / FILE_NAME).unlink()
    enable(host)
    manage(Task(Wanted("fix", State.DISABLED), check_mode=True), host.kernel)
    assert os.listdir(host.collected) == []


def test_what_a_task_has_mended_since_the_boot_is_not_told(tmp_path: pathlib.Path) -> None:
    """As the facts have it: the file with what is accepted was damaged then, and is not now."""
    host = Host(tmp_path)
    report = {"boot_id": "", "nothing": "It is damaged.", "of_store": True, "results": []}
    boot_store.write_report(host.kernel.files(), report)
    enable(host)
    assert host.written["livepatch_boot_loaded_nothing"] == 0
    boot_store.write_report(host.kernel.files(), {**report, "of_store": False})
    host.run("fix", State.DISABLED)
    assert host.written["livepatch_boot_loaded_nothing"] == 1


def test_without_a_directory_nothing_is_written(tmp_path: pathlib.Path) -> None:
    host = Host(tmp_path)
    (tmp_path / "etc/openeuler-livepatch.json").unlink()
    assert notes(enable(host)) == []
    assert os.listdir(host.collected) == []


def test_what_keeps_them_from_being_written_is_told_and_does_not_fail_the_task(tmp_path: pathlib.Path) -> None:
    host = Host(tmp_path)
    host.collected.rmdir()
    result = enable(host)
    assert (result["changed"], result.get("failed")) == (True, None)
    assert "No such file or directory" in notes(result)[0]
    host.settings("{")
    result = host.run("fix", State.DISABLED)
    assert "/etc/openeuler-livepatch.json: it cannot be read (damaged)" in notes(result)[0]


def test_nothing_that_somebody_has_put_there_is_written_through(tmp_path: pathlib.Path) -> None:
    host = Host(tmp_path)
    theirs = tmp_path / "theirs"
    theirs.write_text("theirs")
    for name in (FILE_NAME, f"{FILE_NAME}.part"):
        (host.collected / name).symlink_to(theirs)
    enable(host)
    assert theirs.read_text() == "theirs"
    assert not (host.collected / FILE_NAME).is_symlink()
    assert host.written["livepatch_known"] == 1


def test_a_file_that_is_not_whole_does_not_take_the_place_of_one_that_is(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    host = Host(tmp_path)
    enable(host)
    before = host.written

    def full(*_arguments: object) -> t.NoReturn:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.replace", full)
    with pytest.raises(OSError, match="No space left"):
        metrics.write_metrics(host.kernel, "/collected")
    assert host.written == before
    assert os.listdir(host.collected) == [FILE_NAME]


def test_the_command(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    host = Host(tmp_path)
    enable(host)
    (host.collected / FILE_NAME).unlink()
    monkeypatch.setattr(commands, "Kernel", lambda: host.kernel)
    monkeypatch.setattr(commands, "Files", lambda: Files(str(tmp_path)))
    assert commands.main(["metrics"]) == 0
    assert host.written["livepatch_known"] == 1
    assert [commands.main(["metrics", "--remove"]) for _time in range(2)] == [0, 0]
    assert os.listdir(host.collected) == []
    (tmp_path / "etc/openeuler-livepatch.json").unlink()
    assert commands.main(["metrics", "--remove"]) == 0
    assert commands.main(["metrics"]) == 1
    assert "names no directory for metrics" in capsys.readouterr().out


@pytest.mark.parametrize("damage", ['{"at": 1}', '{"at": "yesterday"}', "{", '{"at": "2026-11-25T07:33:31Z", "x": 1}'])
def test_a_damaged_time_of_the_last_change_is_none(tmp_path: pathlib.Path, damage: str) -> None:
    host = Host(tmp_path)
    enable(host)
    assert isinstance(journal.last_change(host.kernel.files()), str)
    (tmp_path / "run/openeuler-livepatch/changed").write_text(damage)
    assert not isinstance(journal.last_change(host.kernel.files()), str)
    metrics.write_metrics(host.kernel, "/collected")
    assert "livepatch_last_change_timestamp_seconds" not in host.written
