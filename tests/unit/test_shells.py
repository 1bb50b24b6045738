# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""No name, path or value of a task reaches a shell: no code starts one, and no script of a role has a template."""

from __future__ import annotations

import ast
import re
import typing as t
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
STARTS = "plugins/module_utils/_system/programs.py"
RUNS_A_SHELL = re.compile(r"(os\.(system|popen)|\w+\.(getoutput|getstatusoutput|create_subprocess_shell))\Z")
STARTS_A_PROGRAM = re.compile(r"(subprocess|pty|asyncio)\.[A-Za-z]\w+\Z|os\.(exec|spawn|posix_spawn)\w*\Z")
SCRIPTS = ("shell", "raw", "script", "expect")
TAKES_WORDS = "command"
QUOTED = re.compile(r"\{\{ (\w+) \| map\('quote'\) \| join\(' '\) \}\}")


def calls(source: str) -> t.Iterator[tuple[str, ast.Call]]:
    """The calls in a source, each with what is called. What starts programs is called by the name of its module."""
    for node in ast.walk(ast.parse(source)):
        assert not (isinstance(node, ast.ImportFrom) and node.module in ("os", "subprocess", "pty", "asyncio"))
        if isinstance(node, ast.Call):
            yield ast.unparse(node.func), node


def odd_calls(source: str) -> list[str]:
    """Calls that run a shell, or may."""
    found = []
    for name, call in calls(source):
        # run_command() splits a text into words, and hands it to a shell if it is told to.
        command = call.args[0] if call.args else None
        is_text = name.endswith("run_command") and not isinstance(command, (ast.Name, ast.List))
        asks_for_one = any(
            option.arg in ("shell", "use_unsafe_shell") and ast.unparse(option.value) != "False"
            for option in call.keywords
        )
        if RUNS_A_SHELL.match(name) or is_text or asks_for_one:
            found.append(ast.unparse(call))
    return found


SOURCES = {str(path.relative_to(ROOT)): path for path in sorted((ROOT / "plugins").rglob("*.py"))}


def test_no_code_runs_a_shell() -> None:
    assert {name: odd for name, path in SOURCES.items() if (odd := odd_calls(path.read_text(encoding="utf-8")))} == {}


@pytest.mark.parametrize(
    "source",
    [
        "os.system(x)",
        "os.popen('ls')",
        "run(['a'], shell=True)",
        "Popen(x, shell=yes)",
        "module.run_command(f'ls {x}')",
        "module.run_command(x, use_unsafe_shell=True)",
    ],
)
def test_a_shell_would_be_found(source: str) -> None:
    assert odd_calls(source)
    assert odd_calls("module.run_command(command, errors='x')\nstart(['ls', x], shell=False)") == []


def test_one_place_starts_programs() -> None:
    starting = {
        name
        for name, path in SOURCES.items()
        if any(STARTS_A_PROGRAM.match(called) for called, _call in calls(path.read_text(encoding="utf-8")))
    }
    assert starting == {STARTS}


@pytest.mark.parametrize("source", ["subprocess.run(x)", "os.execvp(x, y)", "os.posix_spawn(x)", "pty.spawn(x)"])
def test_what_starts_a_program_would_be_found(source: str) -> None:
    assert [called for called, _call in calls(source) if STARTS_A_PROGRAM.match(called)]


def tasks_of(data: t.Any) -> t.Iterator[dict[str, t.Any]]:
    """All dictionaries in a playbook or a file of tasks."""
    if isinstance(data, dict):
        yield data
        for value in data.values():
            yield from tasks_of(value)
    elif isinstance(data, list):
        for value in data:
            yield from tasks_of(value)


def odd_scripts(task: dict[str, t.Any]) -> list[str]:
    """What a task hands to a shell with a template in it; and a command that is one text, with a template in it."""
    found = []
    for name in SCRIPTS:
        for key in (name, f"ansible.builtin.{name}", f"ansible.legacy.{name}"):
            text = QUOTED.sub("", str(task.get(key, "")))
            found += [text] if "{{" in text or "{%" in text else []
    for key in (TAKES_WORDS, f"ansible.builtin.{TAKES_WORDS}"):
        given = task.get(key, {})
        text = given if isinstance(given, str) else str(given.get("cmd", "")) if isinstance(given, dict) else ""
        found += [text] if "{{" in text else []
    return found


def test_no_script_of_a_role_or_playbook_has_a_template() -> None:
    files = [path for folder in ("roles", "playbooks") for path in (ROOT / folder).rglob("*.yml")]
    found = {
        str(path.relative_to(ROOT)): odd
        for path in files
        for task in tasks_of(yaml.safe_load(path.read_text(encoding="utf-8")))
        if (odd := odd_scripts(task))
    }
    assert len(files) > 20 and found == {}


@pytest.mark.parametrize(
    "task",
    [
        {"ansible.builtin.shell": "ls {{ x }}"},
        {"ansible.builtin.shell": {"cmd": "ls {{ x }}"}},
        {"raw": "ls {{ x | quote }}; {{ y }}"},
        {"ansible.builtin.command": "ls {{ x }}"},
        {"ansible.builtin.command": {"cmd": "ls {{ x }}"}},
    ],
)
def test_a_template_in_a_script_would_be_found(task: dict[str, t.Any]) -> None:
    assert odd_scripts(task)
    assert odd_scripts({"ansible.builtin.command": {"argv": "{{ x }}"}}) == []
    assert odd_scripts({"raw": "for x in {{ names | map('quote') | join(' ') }}; do ls; done"}) == []
