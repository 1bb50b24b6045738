# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What modules return has the keys that RETURN documents, when it says so, and a failure is no longer than needed."""

from __future__ import annotations

import dataclasses
import errno
import pathlib
import types
import typing as t

import pytest
import yaml
from ansible_collections.openeuler.livepatch.plugins.module_utils._apply.timed_kernel import PARTS
from ansible_collections.openeuler.livepatch.plugins.module_utils._boot.program import Result
from ansible_collections.openeuler.livepatch.plugins.module_utils._manage.facts import (
    describe_host,
    describe_unfinished,
)
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.books import Books
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.boot_set import (
    Acceptance,
    Accepted,
    Quarantined,
)
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.fix import Fix
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.package import RPM, Package
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.patch_file import Signature
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.reading import Unreadable
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.request import Patience, State
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.snapshot import Option
from ansible_collections.openeuler.livepatch.plugins.module_utils._observe.distribution import Distribution
from ansible_collections.openeuler.livepatch.plugins.module_utils._observe.next_kernel import NextKernel
from ansible_collections.openeuler.livepatch.plugins.module_utils._store import journal
from ansible_collections.openeuler.livepatch.plugins.modules import livepatch_facts, livepatch_module
from ansible_collections.openeuler.livepatch.tests.unit.plugins.module_utils.model_host import ModelHost
from ansible_collections.openeuler.livepatch.tests.unit.plugins.module_utils.model_kernel import (
    STALLING,
    loaded,
    patch_file,
    snapshot,
)

Plain = t.Dict[str, t.Any]

FIX = patch_file("fix", signature=Signature("Us", "sha256", "00"), fix=Fix("CVE-2026-0001"))
BELOW = loaded(patch_file("below"))

# Ansible documents these for all modules.
COMMON = {"changed", "failed", "msg", "diff"}
# For the action plugin, which takes it out.
INTERNAL = {"directory_removed"}


def documented(module: types.ModuleType) -> Plain:
    values: Plain = yaml.safe_load(module.RETURN)
    return values


def differences(values: Plain, result: t.Any, above: str = "") -> t.Iterator[str]:
    """The keys that are documented and not there, or the other way round, in dictionaries that name all of theirs."""
    if set(values) != set(result):
        yield f"{above or 'the result'}: {sorted(set(values) ^ set(result))}"
    for name in set(values).intersection(result):
        inner, value = values[name].get("contains"), result[name]
        assert value is not None or not inner, f"{above}{name} must be there, to be compared"
        for entry in value if isinstance(value, list) and inner else [value] if inner else []:
            yield from differences(inner, entry, f"{above}{name}.")


def when(values: Plain, *words: str) -> Plain:
    """The keys that are returned at these times."""
    return {name: value for name, value in values.items() if value["returned"] in words}


ALWAYS = ("always", "unless the arguments or the file are wrong")
UNLESS_REFUSED = ("unless refused", "unless refused, and then too if an interrupted run was rolled back")
SUCCESS = (*ALWAYS, *UNLESS_REFUSED, "success", "success, if O(src) is given")
REFUSED = (*ALWAYS, "failure")
FAILED = (
    *REFUSED,
    *UNLESS_REFUSED,
    "when a step failed",
    "when a step failed, or a stalled transition was left running",
)
# The action plugins add these: the modules do not know them.
ON_THE_CONTROLLER = (
    "if O(src) is a package or directory of the vendor's",
    "with C(-v) or more, unless the arguments or the file are wrong",
)


def results(tmp_path: pathlib.Path) -> dict[str, Plain]:
    host = ModelHost(tmp_path, BELOW)
    host.kernel.fail["load"] = (errno.EINVAL, "")
    failed = host.run("fix", file=FIX)
    refused = host.run("below", State.ABSENT, file=patch_file("below", "2"), content="2")
    return {"failed": failed, "success": host.run("fix", file=FIX), "refused": refused}


@pytest.mark.parametrize(("kind", "words"), [("success", SUCCESS), ("refused", REFUSED), ("failed", FAILED)])
def test_livepatch_module(tmp_path: pathlib.Path, kind: str, words: tuple[str, ...]) -> None:
    values = when(documented(livepatch_module), *words)
    result = {key: value for key, value in results(tmp_path)[kind].items() if key not in COMMON | INTERNAL}
    # Of the file only the most important is documented here.
    result.pop("file", None)
    values.pop("file", None)
    assert list(differences(values, result)) == []


def test_there_is_no_other_time() -> None:
    values = documented(livepatch_module)
    assert set(when(values, *SUCCESS, *FAILED, *ON_THE_CONTROLLER)) == set(values)


def test_what_is_documented_of_the_time() -> None:
    values = documented(livepatch_module)["seconds"]
    assert set(values["contains"]) == set(values["sample"]) == {"round_trips", "connecting", *PARTS}


def test_what_is_documented_of_the_file(tmp_path: pathlib.Path) -> None:
    inner = documented(livepatch_module)["file"]["contains"]
    file = results(tmp_path)["success"]["file"]
    assert list(differences(inner, {key: file[key] for key in inner})) == []


def test_what_is_documented_of_tasks_that_stall(tmp_path: pathlib.Path) -> None:
    result = ModelHost(tmp_path, stall=["fix"]).run("fix", file=FIX, patience=Patience(timeout=1))
    inner = documented(livepatch_module)["stalling_tasks"]["contains"]
    assert [list(differences(inner, entry)) for entry in result["stalling_tasks"]] == [[]]


def test_what_is_documented_of_a_patch_that_is_covered() -> None:
    covered = described(loaded(FIX), loaded(patch_file("above")))["patches"][0]
    inner = documented(livepatch_module)["patch"]["contains"]
    assert covered["covered"]
    # Nothing is noted of a patch that others have loaded.
    assert covered["fix"] is None
    del inner["fix"]["contains"]
    assert list(differences(inner, covered)) == []


NOTE = journal.Note("root", "load fix", "then", (), (), (), {}, "fix", State.ENABLED)


def described(*patches: t.Any, **changes: t.Any) -> Plain:
    """The facts of a host with something under each key."""
    one = Accepted("fix", "00", "6.1", "then", {})
    here = dataclasses.replace(one, release=snapshot().release)
    acceptance = Acceptance(
        (here, dataclasses.replace(one, name="lost")), (Quarantined("bad", "11", "6.1", "then", "It was bad."),)
    )
    host = snapshot(
        *patches,
        options=(Option("CONFIG_LIVEPATCH", "y"),),
        unreadable=(Unreadable("/path", "EACCES"),),
        **changes,
    )
    boot_report = {"results": [vars(Result("fix", "enabled"))]}
    facts = describe_host(
        host,
        Books(boot=acceptance),
        (STALLING,),
        boot_report,
        describe_unfinished(NOTE),
        vars(NextKernel("6.12.48-amd64", "names")),
        {**Package(RPM, "kernel", "5.10.0", "x86_64", "216.0.0.115.oe2203sp4").to_dict(), "purl": "pkg:rpm/kernel"},
    )
    return {"read_at": "now", "last_change": "now", "distribution": vars(Distribution("openeuler")), **facts}


def test_livepatch_facts() -> None:
    values = documented(livepatch_facts)["ansible_facts"]["contains"]["ansible_livepatch"]["contains"]
    facts = described(loaded(FIX, in_transition=True))
    assert all(facts["boot"][key] for key in ("accepted", "quarantined", "lost", "results"))
    assert list(differences(values, facts)) == []
    doubtful = described(loaded(FIX), undecided=(Unreadable("/path", "EACCES"),))
    assert set(doubtful["undecided"][0]) == set(values["undecided"]["contains"])
    assert (doubtful["functions"], doubtful["patches"][0]["enabled"]) == (None, None)


def test_the_samples_of_the_facts() -> None:
    values = documented(livepatch_facts)["ansible_facts"]["contains"]["ansible_livepatch"]["contains"]
    facts = described(loaded(FIX))
    (patch,) = values["patches"]["sample"]
    assert list(differences(documented(livepatch_module)["patch"]["contains"], patch)) == []
    for name, option in values["config"]["sample"].items():
        assert set(option) == set(facts["config"][name])


@pytest.mark.parametrize("kind", ["refused", "failed"])
def test_a_failure_has_nothing_that_buries_its_message(tmp_path: pathlib.Path, kind: str) -> None:
    """The default callback of ansible-core 2.16 prints it in one line."""
    result = results(tmp_path)[kind]
    assert {"msg", "reason", "cause", "remedy", "findings"} <= set(result)
    assert not {"file", "patch", "proofs"} & set(result)
