# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a patch fixes, on the model of a kernel: from the manifest and the task to what a host notes and tells."""

from __future__ import annotations

import dataclasses
import json
import pathlib
import typing as t

import pytest
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible_collections.openeuler.livepatch.plugins.module_utils._manage.arguments import LIVEPATCH_MODULE, read_task
from ansible_collections.openeuler.livepatch.plugins.module_utils._manage.assessment import observe
from ansible_collections.openeuler.livepatch.plugins.module_utils._manage.facts import describe_host
from ansible_collections.openeuler.livepatch.plugins.module_utils._manage.manage import manage
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.books import StoredCopy
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.boot_set import Acceptance
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.findings import FindingError
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.fix import LONGEST_TEXT, MOST_CVES, Fix, fix_in
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.patch_file import PatchFile
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.request import AtBoot, State, Task, Wanted
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.snapshot import PER_TASK, STOP_MACHINE
from ansible_collections.openeuler.livepatch.plugins.module_utils._store import boot as boot_store
from ansible_collections.openeuler.livepatch.plugins.module_utils._store import copies
from ansible_collections.openeuler.livepatch.tests.unit.plugins.module_utils.model_host import ModelHost
from ansible_collections.openeuler.livepatch.tests.unit.plugins.module_utils.model_kernel import loaded, patch_file

Plain = t.Dict[str, t.Any]

OLD = Fix("CVE-2026-0001", cves=("CVE-2026-0001",))
NEW = Fix("CVE-2026-0001", "A missing check", "important", ("CVE-2026-0001", "CVE-2026-0002"))
NOTING = "note what fix fixes"

ABIS = pytest.mark.parametrize("abi", [PER_TASK, STOP_MACHINE])


class Host(ModelHost):
    def enable(self, fix: Fix | None, of_file: Fix | None = None, content: str = "1", **wanted: t.Any) -> Plain:
        """A task with the file of `fix`, whose manifest says `of_file`."""
        file = patch_file("fix", content, abi=self.kernel.abi, fix=fix or of_file)
        return self.run("fix", file=file, content=content, fix=fix or of_file, **wanted)

    @property
    def noted(self) -> Fix | None:
        copy = copies.read(self.kernel.files(), "fix")
        return copy.file.fix if isinstance(copy, StoredCopy) and copy.file else None

    @property
    def accepted(self) -> list[Fix | None]:
        store = boot_store.read(self.kernel.files())
        assert isinstance(store, Acceptance)
        return [entry.fix for entry in store.accepted]


@ABIS
def test_it_is_noted_with_what_is_loaded(tmp_path: pathlib.Path, abi: str) -> None:
    host = Host(tmp_path, abi=abi)
    result = host.enable(OLD)
    assert host.noted == OLD
    assert result["patch"]["fix"] == OLD.to_dict()
    assert result["file"]["fix"] == OLD.to_dict()
    assert NOTING not in result["actions"]
    assert "  fix: CVE-2026-0001\n" in result["diff"]["after"]
    again = host.enable(OLD)
    assert (again["changed"], again["actions"]) == (False, [])


@ABIS
def test_another_text_is_a_change_and_the_kernel_stays_as_it_is(tmp_path: pathlib.Path, abi: str) -> None:
    host = Host(tmp_path, abi=abi)
    host.enable(OLD, boot=AtBoot.ACCEPTED)
    before = list(host.kernel.patches)
    result = host.enable(NEW)
    assert (result["changed"], result["actions"]) == (True, [NOTING])
    assert result["diff"]["before"] != result["diff"]["after"]
    assert host.kernel.patches == before
    assert (host.noted, host.accepted) == (NEW, [NEW])
    assert host.enable(NEW)["changed"] is False


@ABIS
def test_check_mode_says_what_the_run_does(tmp_path: pathlib.Path, abi: str) -> None:
    host = Host(tmp_path, abi=abi)
    host.enable(OLD, boot=AtBoot.ACCEPTED)
    file = patch_file("fix", abi=abi, fix=NEW)
    predicted = manage(Task(Wanted("fix", State.ENABLED, file, fix=NEW), check_mode=True), host.kernel)
    assert (host.noted, host.accepted) == (OLD, [OLD])
    real = host.enable(NEW)
    for key in ("changed", "actions", "diff", "patch"):
        assert predicted[key] == real[key], key


def test_the_name_is_enough_and_what_is_not_said_stays(tmp_path: pathlib.Path) -> None:
    host = Host(tmp_path)
    host.enable(OLD)
    assert host.run("fix", State.PRESENT)["changed"] is False
    assert host.run("fix", State.PRESENT, fix=NEW)["actions"] == [NOTING]
    assert host.enable(None)["changed"] is False
    assert host.noted == NEW


def test_a_patch_that_comes_back_brings_it_along(tmp_path: pathlib.Path) -> None:
    host = Host(tmp_path)
    host.enable(OLD)
    host.run("fix", State.DISABLED)
    host.run("fix", State.ENABLED)
    assert host.noted == OLD
    host.enable(NEW, content="2", reload=True)
    assert host.noted == NEW
    host.run("fix", State.REVERTED)
    assert host.noted == OLD


def test_another_build_does_not_get_that_of_the_one_before(tmp_path: pathlib.Path) -> None:
    host = Host(tmp_path)
    host.enable(OLD)
    host.enable(None, content="2", reload=True)
    assert host.noted is None


def test_a_file_without_a_manifest_keeps_what_is_noted_of_the_same_build(tmp_path: pathlib.Path) -> None:
    host = Host(tmp_path)
    host.enable(OLD)
    host.run("fix", State.DISABLED)
    host.enable(None)
    assert host.noted == OLD


def test_a_failed_run_notes_nothing(tmp_path: pathlib.Path) -> None:
    host = Host(tmp_path)
    host.enable(OLD, boot=AtBoot.ACCEPTED)
    host.run("fix", State.DISABLED)
    host.kernel.fail["load"] = host.kernel.fail["enable"] = (22, "")
    result = host.enable(NEW)
    assert result["failed"]
    assert (host.noted, host.accepted) == (OLD, [OLD])


def test_what_others_have_loaded_has_no_record_and_gets_none(tmp_path: pathlib.Path) -> None:
    file = patch_file("fix")
    host = Host(tmp_path, loaded(file))
    host.kernel.add_file(file)
    result = host.enable(NEW)
    assert result["changed"] is False
    assert result["patch"]["fix"] is None
    assert not (tmp_path / "run/openeuler-livepatch/fix.json").exists()


def test_what_is_accepted_again_has_the_new_one(tmp_path: pathlib.Path) -> None:
    host = Host(tmp_path)
    host.enable(OLD, boot=AtBoot.ACCEPTED)
    host.enable(NEW, boot=AtBoot.ACCEPTED)
    assert host.accepted == [NEW]
    assert host.enable(NEW, boot=AtBoot.ACCEPTED)["changed"] is False


def test_going_patches_are_not_noted(tmp_path: pathlib.Path) -> None:
    host = Host(tmp_path)
    host.enable(OLD, boot=AtBoot.ACCEPTED)
    assert NOTING not in host.run("fix", State.ABSENT, fix=NEW)["actions"]
    assert host.accepted == []


def test_facts_tell_it(tmp_path: pathlib.Path) -> None:
    host = Host(tmp_path)
    host.enable(NEW, boot=AtBoot.ACCEPTED)
    snapshot, books = observe(host.kernel)
    facts = describe_host(snapshot, books, (), {}, None)
    assert [patch["fix"] for patch in facts["patches"]] == [NEW.to_dict()]
    assert [entry["fix"] for entry in facts["boot"]["accepted"]] == [NEW.to_dict()]
    elsewhere = dataclasses.replace(snapshot, release="6.1.0")
    lost = describe_host(elsewhere, books, (), {}, None)["boot"]["lost"]
    assert [entry["fix"] for entry in lost] == [NEW.to_dict()]


@pytest.mark.parametrize(
    "damage", [{}, {"id": 1}, {**OLD.to_dict(), "id": ""}, {**OLD.to_dict(), "title": "\x1b[2J"}, "x", [], None]
)
def test_what_a_record_may_not_have(tmp_path: pathlib.Path, damage: t.Any) -> None:
    assert fix_in(damage) is None
    host = Host(tmp_path)
    host.enable(OLD)
    path = tmp_path / "run/openeuler-livepatch/fix.json"
    record = json.loads(path.read_text())
    record["patch_file"]["fix"] = damage
    path.write_text(json.dumps(record))
    assert host.noted is None
    result = host.enable(OLD)
    assert not result.get("failed"), result["msg"]


def test_records_of_older_versions_have_none(tmp_path: pathlib.Path) -> None:
    plain = patch_file("fix").to_dict()
    del plain["fix"]
    assert PatchFile.from_dict(plain) == patch_file("fix")


def argued(**fix: t.Any) -> Fix | None:
    validated = ArgumentSpecValidator(LIVEPATCH_MODULE["argument_spec"]).validate({"name": "fix", "fix": fix})
    assert validated.error_messages == []
    return read_task(validated.validated_parameters, check_mode=False).wanted.fix


def test_the_argument() -> None:
    assert argued(id="CVE-2026-0001") == Fix("CVE-2026-0001")
    assert argued(id=" a ", title="two\nlines\n", cves=["x", "x"]) == Fix("a", "two lines", cves=("x",))


@pytest.mark.parametrize(
    ("fix", "words"),
    [
        ({"id": ""}, "an empty id or CVE"),
        ({"id": "a", "cves": [""]}, "an empty id or CVE"),
        ({"id": "a\x1b[31m"}, "cannot be printed"),
        ({"id": "a", "title": "\u202etext"}, "cannot be printed"),
        ({"id": "a", "title": "x" * (LONGEST_TEXT + 1)}, f"a text of {LONGEST_TEXT + 1} characters"),
        ({"id": "a", "cves": [f"CVE-{n}" for n in range(MOST_CVES + 1)]}, f"{MOST_CVES + 1} CVEs"),
    ],
)
def test_what_the_argument_may_not_be(fix: Plain, words: str) -> None:
    with pytest.raises(FindingError) as caught:
        argued(**fix)
    assert caught.value.finding.reason == "bad_argument"
    assert words in caught.value.finding.seen
    assert "\x1b" not in str(caught.value)
