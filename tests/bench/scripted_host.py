# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The answers of a scripted host: a stand-in for a host that was recorded, for measurements of the controller.

Its facts are what the code of livepatch_facts reads in the files of the recorded host. The results of livepatch_module
are those of its own code on the model of a kernel, for a patch file that is read on the controller as any other. A unit
test compares both with the documentation. The modules of ansible-core are run here, once, on this machine.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import typing as t
from dataclasses import replace
from pathlib import Path

from ansible_collections.openeuler.livepatch.plugins.module_utils._manage.arguments import LIVEPATCH_MODULE
from ansible_collections.openeuler.livepatch.plugins.module_utils._manage.facts import gather
from ansible_collections.openeuler.livepatch.plugins.module_utils._manage.manage import manage
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.patch_file import PatchFile
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.request import State, Task, Wanted
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.snapshot import PER_TASK
from ansible_collections.openeuler.livepatch.plugins.module_utils._patch_file.reader import read_patch_file
from ansible_collections.openeuler.livepatch.plugins.modules.livepatch_facts import LIVEPATCH_FACTS
from ansible_collections.openeuler.livepatch.tests.unit.plugins.module_utils.model_host import ModelHost
from ansible_collections.openeuler.livepatch.tests.unit.plugins.module_utils.model_kernel import RELEASE
from ansible_collections.openeuler.livepatch.tests.unit.plugins.module_utils.recorded_host import files_of

Plain = dict[str, t.Any]

PATCH_FILE = Path(__file__).resolve().parents[1] / "unit/plugins/module_utils/fixtures/livepatch_0001_test.ko"
BEFORE, AFTER = "before", "after"
"""The states of a host: without the patch, and with it."""
CHECK = "check"
"""What check mode answers, whatever the state is."""


def patch() -> PatchFile:
    return read_patch_file(str(PATCH_FILE), PATCH_FILE.name)


def facts(file: PatchFile) -> dict[str, Plain]:
    """What livepatch_facts answers before and after the patch was enabled: the recorded patches stay below it."""
    with tempfile.TemporaryDirectory() as folder:
        recorded = gather(files_of(PER_TASK, Path(folder)))
    *_others, last = recorded["patches"]
    functions = [vars(function) for function in file.functions]
    identity = {key: getattr(file.identity, key) for key in last["identity"]}
    added = {**last, "name": file.name, "functions": functions, "identity": identity}
    replaced = [{**function, "stack": [file.name], "live": file.name} for function in functions]
    after = {**recorded, "patches": [*recorded["patches"], added], "functions": [*recorded["functions"], *replaced]}
    states = {BEFORE: recorded, AFTER: after}
    return {state: {"changed": False, "ansible_facts": {"ansible_livepatch": each}} for state, each in states.items()}


def results(file: PatchFile) -> dict[str, Plain]:
    """What livepatch_module answers in check mode, where it enables the patch, and where that is enabled."""
    of_model = replace(file, vermagic=file.vermagic.replace(file.release, RELEASE))
    task = Task(Wanted(file.name, State.ENABLED, of_model), str(PATCH_FILE))
    with tempfile.TemporaryDirectory() as folder:
        kernel = ModelHost(Path(folder)).kernel
        kernel.add_file(of_model)
        states = {CHECK: replace(task, check_mode=True), BEFORE: task, AFTER: task}
        return {state: manage(each, kernel) for state, each in states.items()}


def of_core(folder: Path) -> dict[str, Plain]:
    """What modules of ansible-core answer where a trial begins and passes, in the order in which that asks them."""
    path = str(folder / "mark")
    asked: dict[str, Plain] = {
        "ping": {},
        "stat": {"path": path, "get_checksum": False, "get_mime": False, "get_attributes": False},
        "lineinfile": {"path": path, "line": "CVE-2026-0001\nbefore {}", "create": True, "mode": "0600"},
        "file": {"path": path, "state": "absent"},
    }
    return {name: run_module(name, arguments) for name, arguments in asked.items()}


def run_module(name: str, arguments: Plain) -> Plain:
    done = subprocess.run(
        [sys.executable, "-m", f"ansible.modules.{name}"],
        input=json.dumps({"ANSIBLE_MODULE_ARGS": arguments}),
        capture_output=True,
        text=True,
        check=True,
    )
    return t.cast(Plain, json.loads(done.stdout))


def with_invocation(answer: Plain, spec: Plain) -> Plain:
    """The answer with what Ansible adds to that of each module: its arguments."""
    return {**answer, "invocation": {"module_args": {name: option.get("default") for name, option in spec.items()}}}


def answers() -> dict[str, dict[str, Plain]]:
    """Answers by the name of the module, and by the state of the host."""
    file = patch()
    ours = {
        "livepatch_facts": (facts(file), LIVEPATCH_FACTS),
        "livepatch_module": (results(file), LIVEPATCH_MODULE["argument_spec"]),
    }
    known = {
        name: {state: with_invocation(answer, spec) for state, answer in states.items()}
        for name, (states, spec) in ours.items()
    }
    with tempfile.TemporaryDirectory() as folder:
        core = of_core(Path(folder))
    return {**known, **{name: dict.fromkeys((BEFORE, AFTER), answer) for name, answer in core.items()}}


def write(folder: Path) -> None:
    """Write what the connection plugin looks for."""
    (folder / "answers").mkdir(parents=True)
    (folder / "enabled").mkdir()
    (folder / "trips").touch()
    for name, states in answers().items():
        for state, answer in states.items():
            (folder / "answers" / f"{name}.{state}").write_text(json.dumps(answer), encoding="utf-8")
