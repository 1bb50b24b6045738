# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the scenario selftests compares: expected messages with the kernel's log, and a step with its host."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
import types
import typing as t
from pathlib import Path

import pytest

FILES = Path(__file__).resolve().parents[2] / "molecule" / "selftests" / "files"

SCRIPT = r"""
FIX=test_klp_roof
PLACE=test_klp_house

start_test "mend a roof"
load_lp $FIX
if rain; then
    OTHER="test_klp_tiles"
    echo "not a text: livepatch: $PLACE" > /dev/null
fi
check_result "% insmod test_modules/$FIX.ko
livepatch: enabling patch '$FIX'
${FIX}: looks at \"$PLACE\" for \
3 minutes
$FIX: this has been live patched
insmod: ERROR: could not insert module test_modules/$FIX.ko: No such device
livepatch: kernel.ftrace_enabled = 1
livepatch: sysctl: setting key \"kernel.ftrace_enabled\": Device or resource busy
livepatch: ok
% rmmod $FIX"

start_test "mend it in one of two ways"
if old; then
    check_result "livepatch: old: $OTHER"
else
    check_result "livepatch: new"
fi
FIX=test_klp_wall
start_test "mend a wall"
check_result "livepatch: '$FIX': patching complete"
""".replace("    ", "\t")

LOG = """\
kern  :notice: livepatch: enabling patch 'earlier'
user  :warn  : selftests make roof 1 #
kern  :notice: livepatch: enabling patch 'before the last mark'
user  :warn  : selftests make roof 1 #
kern  :notice: livepatch: enabling patch 'test_klp_roof'
user  :warn  : livepatch: written by somebody
kern  :warn  : test_klp_roof: tainting kernel with TAINT_LIVEPATCH
kern  :info  : [  T42] test_klp_roof: up there
kern  :info  : something else
daemon:info  : test_klp_roof: not the kernel
kern  :notice: livepatch: signaling remaining tasks
kern  :notice: livepatch: 'test_klp_roof': patching complete
"""


def load(name: str) -> types.ModuleType:
    """A program of the scenario as a module."""
    spec = importlib.util.spec_from_file_location(f"selftests_{name}", FILES / f"{name}.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


MESSAGES = load("messages")
STEP = load("step")


def test_a_script_has_its_tests_with_the_messages_of_the_kernel_alone() -> None:
    roof, ways, wall = MESSAGES.tests(SCRIPT)
    assert (roof.title, ways.title, wall.title) == ("mend a roof", "mend it in one of two ways", "mend a wall")
    assert roof.messages == (
        "livepatch: enabling patch 'test_klp_roof'",
        'test_klp_roof: looks at "test_klp_house" for 3 minutes',
    )


def test_of_two_texts_the_first_counts_and_a_variable_has_its_last_value() -> None:
    _roof, ways, wall = MESSAGES.tests(SCRIPT)
    assert ways.messages == ("livepatch: old: test_klp_tiles",)
    assert wall.messages == ("livepatch: 'test_klp_wall': patching complete",)


def test_a_variable_that_nobody_set_is_an_error() -> None:
    with pytest.raises(KeyError):
        MESSAGES.tests('start_test "x"\ncheck_result "livepatch: $UNKNOWN"')


def test_the_log_counts_from_the_last_mark_and_only_what_the_kernel_says_of_live_patches() -> None:
    assert MESSAGES.printed(LOG, "selftests make roof 1 #") == [
        "livepatch: enabling patch 'test_klp_roof'",
        "test_klp_roof: up there",
        "livepatch: 'test_klp_roof': patching complete",
    ]
    with pytest.raises(ValueError, match="older than the log reaches"):
        MESSAGES.printed(LOG, "selftests make roof 2 #")


def compare(tmp_path: Path, log: str) -> subprocess.CompletedProcess[str]:
    (tmp_path / "test-roof.sh").write_text(SCRIPT, encoding="utf-8")
    command = [sys.executable, "-B", str(FILES / "messages.py"), str(tmp_path / "test-roof.sh"), "3", "make wall #"]
    return subprocess.run(command, input=log, capture_output=True, text=True, check=False)


def test_the_program_tells_equal_messages_from_others(tmp_path: Path) -> None:
    equal = "user  :warn  : make wall #\nkern  :notice: livepatch: 'test_klp_wall': patching complete\n"
    assert compare(tmp_path, equal).returncode == 0
    for log in (equal * 2 + equal.splitlines()[1], equal.replace("complete", "stalled"), equal.splitlines()[0]):
        done = compare(tmp_path, log)
        assert done.returncode == 1
        assert "--- expected" in done.stderr


def test_the_program_lists_the_tests_of_a_suite(tmp_path: Path) -> None:
    compare(tmp_path, "")
    listed = subprocess.check_output([sys.executable, "-B", str(FILES / "messages.py"), str(tmp_path)], text=True)
    assert listed.splitlines() == ["roof 1", "roof 2", "roof 3"]


# One patch, with a function of the kernel and a module that is not there.
HOST = """\
module test_klp_roof
node drwxr-xr-x test_klp_roof
node -rw-r--r-- test_klp_roof/enabled
node drwxr-xr-x test_klp_roof/house
node drwxr-xr-x test_klp_roof/house/show,1
node drwxr-xr-x test_klp_roof/vmlinux
node drwxr-xr-x test_klp_roof/vmlinux/roof_show,1
value test_klp_roof/enabled:1
value test_klp_roof/house/patched:0
value test_klp_roof/replace:0
value test_klp_roof/transition:0
value test_klp_roof/vmlinux/patched:1
"""
FUNCTIONS = [{"object": "house", "name": "show"}, {"object": "vmlinux", "name": "roof_show"}]


def given(**changes: t.Any) -> dict[str, t.Any]:
    """What the program is given about a step that is right, with these changes: result__KEY, patch__KEY, facts__KEY."""
    parts: dict[str, dict[str, t.Any]] = {"result": {}, "patch": {}, "facts": {}, "": {}}
    for name, value in changes.items():
        part, _underscores, key = name.rpartition("__")
        parts[part][key] = value
    patch = {
        "name": "test_klp_roof",
        "enabled": True,
        "in_transition": False,
        "replace": False,
        "objects": ["house", "vmlinux"],
        "functions": FUNCTIONS,
        "effective": "partial",
        "unpatched": [{"object": "house", "loaded": False}],
        **parts["patch"],
    }
    result = {
        "changed": True,
        "actions": ["load test_klp_roof"],
        "state": "enabled",
        "patch": patch,
        "findings": [],
        **parts["result"],
    }
    facts = {
        "patches": [patch],
        "functions": [{"object": "vmlinux", "name": "roof_show", "live": "test_klp_roof"}],
        "transition": None,
        "disagreements": [],
        "unreadable": [],
        "undecided": [],
        **parts["facts"],
    }
    return {
        "step": {"patch": {"src": "test_klp_roof"}, "stack": ["test_klp_roof"]},
        "before": "",
        "checked": "",
        "after": HOST,
        "predicted": result,
        "done": result,
        "again": {**result, "changed": False},
        "facts": facts,
        **parts[""],
    }


def test_a_step_that_is_right_is_right() -> None:
    assert list(STEP.wrong(given())) == []


def test_a_stall_is_not_predicted_and_of_a_module_that_is_not_there_no_patch_is_live() -> None:
    right = given(facts__functions=[{"object": "house", "name": "show", "live": None}])
    stalled = {**right["done"], "state": "in transition", "actions": []}
    step = {"patch": {"src": "test_klp_roof"}, "state": "in transition"}
    again = {**stalled, "changed": False}
    assert list(STEP.wrong({**right, "step": step, "done": stalled, "again": again})) == []
    told = "\n".join(STEP.wrong({**right, "step": step}))
    assert 'state: "enabled" instead of "in transition"' in told


WARNING = {"reason": "memory", "severity": "warn"}
LIVE_IN_A_MODULE = {"object": "house", "name": "show", "live": "test_klp_roof"}


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"checked": "module other"}, "check mode has changed"),
        ({"result__changed": False}, "changed in the run"),
        ({"again": {**given()["done"]}}, "changed in the second run"),
        ({"predicted": {**given()["done"], "actions": []}}, "actions in check mode"),
        ({"result__state": "disabled"}, "state: "),
        ({"result__failed": True, "result__msg": "no"}, "check mode fails: no"),
        ({"result__findings": [WARNING]}, "a warning memory"),
        ({"step": {"patch": {}, "finds": ["memory"]}}, "no finding memory"),
        ({"step": {"patch": {}, "warns": ["memory"]}}, "no warning memory"),
        ({"step": {"patch": {}, "held_by": "work"}}, "no task is held by work"),
        ({"step": {"patch": {}, "refused": "memory"}}, "does not fail"),
        ({"step": {"patch": {}, "stack": []}}, "oldest first"),
        ({"step": {"patch": {}, "sysfs": {"test_klp_roof/enabled": 0}}}, "test_klp_roof/enabled"),
        ({"step": {"patch": {}, "rights": {"test_klp_roof/enabled": "-r--r--r--"}}}, "rights of"),
        ({"step": {"patch": {}, "effective": {"test_klp_roof": "full"}}}, "effective of"),
        ({"patch__unpatched": []}, "unpatched of test_klp_roof"),
        ({"patch__replace": None}, "replace of test_klp_roof"),
        ({"patch__enabled": False}, "enabled of test_klp_roof"),
        ({"patch__objects": ["house"]}, "objects of test_klp_roof"),
        ({"patch__functions": FUNCTIONS[:1]}, "functions of test_klp_roof"),
        ({"facts__patches": []}, "the facts do not have the patch"),
        ({"facts__functions": [LIVE_IN_A_MODULE]}, "show of house is not patched"),
        ({"facts__transition": {"patch": "test_klp_roof"}}, "the patch in transition"),
        ({"facts__disagreements": ["x"]}, "disagreements"),
        ({"after": HOST.replace("roof/transition:0", "roof/transition:1")}, "in_transition of"),
        ({"after": HOST.replace("module test_klp_roof", "")}, "which is not loaded"),
    ],
)
def test_what_is_wrong_is_told(changes: dict[str, t.Any], says: str) -> None:
    assert says in "\n".join(STEP.wrong(given(**changes)))


REFUSED = {"failed": True, "reason": "memory", "findings": [], "changed": False}


@pytest.mark.parametrize(
    ("step", "done", "says"),
    [
        ({"refused": "memory"}, REFUSED, ""),
        ({"refused": "probe"}, REFUSED, "for another reason than probe"),
        ({"refused": "memory"}, {**REFUSED, "attempted": "load"}, "the kernel was asked: load"),
        ({"fails": "memory", "errno": "EBUSY"}, {**REFUSED, "errno": "EBUSY", "not_restored": []}, ""),
        ({"fails": "memory", "errno": "EBUSY"}, {**REFUSED, "errno": "EINVAL", "not_restored": []}, "errno: "),
        ({"fails": "memory", "errno": "EBUSY"}, {**REFUSED, "errno": "EBUSY", "not_restored": ["x"]}, "not_restored"),
    ],
)
def test_a_refusal_is_compared_with_its_reason(step: dict[str, t.Any], done: dict[str, t.Any], says: str) -> None:
    told = "\n".join(
        STEP.wrong(given(step={"patch": {}, **step}, predicted=REFUSED, done=done, before=HOST, checked=HOST))
    )
    assert says in told if says else not told


def test_a_failure_leaves_the_host_as_it_was() -> None:
    step = {"patch": {}, "refused": "memory"}
    told = "\n".join(STEP.wrong(given(step=step, predicted=REFUSED, done=REFUSED, before="", checked="")))
    assert "a task that failed has changed the host" in told


def test_the_kernel_s_own_numbers_are_compared_with_the_order() -> None:
    numbered = HOST + "value test_klp_roof/stack_order:1\nvalue test_klp_wall/stack_order:2\n"
    patch = given()["facts"]["patches"][0]
    both = [patch, {**patch, "name": "test_klp_wall"}]
    assert list(STEP.wrong_kernel({}, STEP.read_host(numbered), {"patches": both})) == []
    (told,) = STEP.wrong_kernel({}, STEP.read_host(numbered), {"patches": both[::-1]})
    assert told.startswith("the kernel's order")
