# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The checks, the table of their reasons, and what the module says of them agree."""

from __future__ import annotations

import inspect
import itertools
import re
import subprocess
import sys
import types
import typing as t
from pathlib import Path

import pytest
import yaml
from ansible_collections.openeuler.livepatch.plugins.module_utils._manage.arguments import LIVEPATCH_MODULE
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.checks import (
    IGNORABLE,
    NO_WAY_BACK,
    PROBE,
    REASONS,
)
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.findings import REFUSE, SEVERITIES
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.patch_file import PatchFile
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.plan import Action, Step
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.snapshot import (
    PER_TASK,
    STOP_MACHINE,
    Function,
    LoadedPatch,
    Snapshot,
)
from ansible_collections.openeuler.livepatch.plugins.module_utils._observe.conditions import LOCKDOWN, Conditions
from ansible_collections.openeuler.livepatch.plugins.module_utils._preflight.check import Check, Circumstances, check
from ansible_collections.openeuler.livepatch.plugins.module_utils._preflight.checks import CHECKS, SUBJECTS, find
from ansible_collections.openeuler.livepatch.plugins.modules import livepatch_module
from ansible_collections.openeuler.livepatch.tests.unit.children import environ_of_child
from ansible_collections.openeuler.livepatch.tests.unit.plugins.module_utils.model_kernel import (
    RELEASE,
    loaded,
    patch_file,
)


def test_a_check_of_a_reason_that_is_not_in_the_table_is_refused() -> None:
    with pytest.raises(ValueError, match=r"REASONS of _model/checks\.py: no_such_reason"):
        check("quarantined", "no_such_reason")


@pytest.mark.parametrize("subject", SUBJECTS, ids=lambda subject: subject.__name__.rpartition(".")[2])
def test_each_subject_declares_the_reasons_of_its_findings(subject: types.ModuleType) -> None:
    source = inspect.getsource(subject)
    written = re.findall(r'reason="(\w+)"', source)
    assert len(written) == source.count(" Finding("), "each finding names its reason in plain text"
    declared = {reason for value in CHECKS if value in vars(subject).values() for reason in value.reasons}
    assert set(written) == declared


def test_every_reason_of_the_table_has_a_check() -> None:
    assert {reason for value in CHECKS for reason in value.reasons} == set(REASONS) - {PROBE, NO_WAY_BACK}


@pytest.mark.parametrize("reason", REASONS)
def test_the_table_tells_severity_meaning_and_remedy(reason: str) -> None:
    row = REASONS[reason]
    assert row.severity in SEVERITIES
    assert row.severity == REFUSE or not row.ignorable, "only a refusal can be ignored"
    assert re.fullmatch(r"[^.]+\.", row.meaning), "one sentence"
    assert row.remedy.endswith(".")


def test_the_option_ignore_offers_what_the_table_says() -> None:
    option = yaml.safe_load(livepatch_module.DOCUMENTATION)["options"]["ignore"]
    assert option["choices"] == list(IGNORABLE) == LIVEPATCH_MODULE["argument_spec"]["ignore"]["choices"]
    described = re.findall(r"V\((\w+)\)", " ".join(option["description"]))
    assert sorted(described) == sorted(IGNORABLE)


NOTHING_READABLE = Conditions(unreadable={LOCKDOWN: "EACCES"})
STEPS: dict[str, t.Callable[[PatchFile], list[Step]]] = {
    "load": lambda file: [Step(Action.LOAD, "fix", file)],
    "load and enable": lambda file: [Step(Action.LOAD, "fix", file), Step(Action.ENABLE, "fix")],
    "reload": lambda file: [
        Step(Action.DISABLE, "fix"),
        Step(Action.UNLOAD, "fix"),
        Step(Action.LOAD, "fix", file),
        Step(Action.ENABLE, "fix"),
    ],
    "disable": lambda file: [Step(Action.DISABLE, "fix"), Step(Action.WAIT, "fix")],
    "of a patch that is not there": lambda file: [Step(Action.ENABLE, "other"), Step(Action.DISABLE, "another")],
    "none": lambda file: [],
}


def nothing_readable(
    abi: str | None, steps: str, functions: tuple[Function, ...] | None, patches: t.Sequence[LoadedPatch] = ()
) -> Circumstances:
    file = patch_file(abi=abi, functions=functions)
    snapshot = Snapshot(release=RELEASE, machine="x86_64", abi=abi, patches=tuple(patches))
    return Circumstances(snapshot, NOTHING_READABLE, tuple(STEPS[steps](file)))


@pytest.mark.parametrize("value", CHECKS, ids=lambda value: value.name)
def test_no_check_needs_what_cannot_be_read(value: Check) -> None:
    two = (Function("vmlinux", "a"), Function("ext4", "b", 2))
    for abi, steps, functions in itertools.product([PER_TASK, STOP_MACHINE, None], STEPS, [None, (), two]):
        for patches in ([], [loaded(patch_file(abi=abi, functions=functions or ()))]):
            for finding in value(nothing_readable(abi, steps, functions, patches)):
                assert finding.reason in value.reasons
                assert finding.seen and finding.remedy and finding.why


@pytest.mark.parametrize("abi", [PER_TASK, STOP_MACHINE])
@pytest.mark.parametrize("steps", STEPS)
def test_what_cannot_be_read_refuses_nothing(abi: str, steps: str) -> None:
    found = find(nothing_readable(abi, steps, (Function("vmlinux", "a"),)))
    assert REFUSE not in {finding.severity for finding in found}
    assert bool(found) == (steps in ("load", "load and enable", "reload"))


RUNS = """
import sys
from pathlib import Path
from ansible_collections.openeuler.livepatch.plugins.module_utils._manage import arguments
from ansible_collections.openeuler.livepatch.tests.unit.plugins.module_utils import model_host, model_kernel

def checks():
    return [name for name in sys.modules if "._preflight" in name]

host = model_host.ModelHost(Path(sys.argv[1]))
assert not host.run("fix", "absent")["changed"]
assert checks() == [], checks()
assert host.run("fix", file=model_kernel.patch_file())["changed"]
assert checks()
"""


def test_a_run_that_changes_nothing_imports_no_check(tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-c", RUNS, str(tmp_path)], env=environ_of_child(), check=True)
