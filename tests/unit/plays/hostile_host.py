# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Hosts that lie. Their Python ignores what it is to run, and prints the answer that a test wants."""

from __future__ import annotations

import base64
import itertools
import json
import os
import re
import subprocess
import sys
import typing as t
from pathlib import Path

import yaml
from ansible_collections.openeuler.livepatch.tests.unit.core import CORE

ROOT = Path(__file__).resolve().parents[3]
FIXTURES = ROOT / "tests/unit/plugins/module_utils/fixtures"
# Not by its name: "ansible-test units" has no commands in its PATH.
ANSIBLE_PLAYBOOK = "from ansible.cli.playbook import main; main()"
NAME, KERNEL = "livepatch_0001_test", "6.12.118-klp"
"""Of the patch file that the releases of these tests have."""
PATCH_FILE = (FIXTURES / f"{NAME}.ko").read_bytes()

INTERPRETER = """#!{python}
import json, re, sys
if sys.argv[1:2] == ["-c"]:
    name = "-c"
elif len(sys.argv) > 1:
    name = re.search(r"(?:AnsiballZ_)?([a-z_]+)(?:\\.py)?$", sys.argv[1]).group(1)
else:
    name = re.search(r"(?:mod_name|module_fqn)='[\\w.]*?(\\w+)'", sys.stdin.read()).group(1)
with open({answers!r}) as stream:
    answers = json.load(stream)
with open({asked!r}, "a+") as stream:
    stream.seek(0)
    times = stream.read().split().count(name)
    print(name, file=stream)
answer = answers.get(name, answers["*"])
sys.stdout.write(answer[times % len(answer)] if isinstance(answer, list) else answer)
"""

Data = dict[str, t.Any]


def template(folder: Path) -> str:
    """A text that leaves a file if Ansible renders it."""
    return f"{{{{ lookup('ansible.builtin.pipe', 'touch {folder}/hits/rendered') }}}}"


def texts(folder: Path) -> dict[str, str]:
    """What a host may say in the place of each text."""
    plain = template(folder)
    return {
        "template": plain,
        "raw": "{% raw %}" + plain + "{% endraw %}" + plain,
        "nested": "{{ '{{' }}" + plain[2:-2] + "{{ '}}' }}",
        "statement": "{% set x = lookup('ansible.builtin.pipe', 'touch " + f"{folder}/hits/rendered') %}}",
        "dictionary": "{'a': \"" + plain + '"}',
        "list": f'["{plain}"]',
        "unsafe": f"!unsafe {plain}",
        "shell": f"$(touch {folder}/hits/run); `touch {folder}/hits/run`\n\r\x1b[2J\x1b]0;x\x07\u202e",
        "path": f"../../../../../../../../../../..{folder}/hits/path",
        "long": "A" * 300_000,
    }


def facts_of(release: str = KERNEL, **more: t.Any) -> Data:
    known = {"release": release, "machine": "x86_64", "supported": True, "trouble": [], "patches": [], "functions": []}
    return {"ansible_facts": {"ansible_livepatch": {**known, "boot": {"installed": True, "accepted": []}, **more}}}


def honest(module: str) -> Data:
    """The answer of a host that does not lie, with a value in each place that the collection reads."""
    build_id, text = "ab" * 20, base64.b64encode(b'Fix\nbefore {"disabled": false, "trouble": []}\n').decode()
    finding = {"reason": "unproven", "severity": "warn", "cause": "It is so.", "remedy": "Do it."}
    package = {"manager": "rpm", "name": "kernel", "epoch": 0, "version": "6.6.0", "release": "1", "arch": "x86_64"}
    patch = {"name": NAME, "enabled": True, "effective": "full", "in_transition": False, "identity": {"sha256": "00"}}
    stored = {"name": NAME, "release": KERNEL, "sha256": "00", "why": "x", "kernel_build_id": build_id}
    known: dict[str, Data] = {
        "livepatch_facts": facts_of(
            patches=[patch],
            kernel={"build_id": build_id, "is_certain": True, "package": package},
            distribution={"id": "openeuler", "version": "22.03"},
            transition={"patch": NAME, "stalling_tasks": [{"command": "x", "pid": 1}]},
            unfinished_run={"who": "x", "since": "y", "what": "z", "patches": ["other"]},
            boot={"installed": True, "accepted": [stored], "lost": [stored], "next_kernel": {"release": KERNEL}},
        ),
        "livepatch_module": {
            "changed": True,
            "actions": ["load"],
            "findings": [finding],
            "file": {"build_id": build_id},
        },
        "livepatch_build": {
            "changed": True,
            "path": f"/srv/livepatch/{NAME}/{KERNEL}/{NAME}.ko",
            "manifest": f"/srv/livepatch/{NAME}/{KERNEL}/{NAME}.ko.json",
            "release": KERNEL,
            "name": NAME,
            "patch_file": {"machine": "x86_64", "abi": "per_task", "sha256": "00", "build_id": build_id},
        },
        "livepatch_boot": {"changed": True, "path": "/usr/local/lib/x/boot.pyz", "python": "/usr/bin/python3"},
        "stat": {
            "stat": {"exists": True, "checksum": "00", "isdir": False, "islnk": False, "path": "/x", "mode": "0644"}
        },
        "slurp": {"content": text, "encoding": "base64", "source": "/x"},
        "command": {"rc": 0, "stdout": "0.1 0.2", "stderr": "", "cmd": ["x"], "changed": True},
        "setup": {"ansible_facts": {"ansible_distribution": "Debian", "ansible_os_family": "Debian"}},
        "async_wrapper": {"started": 1, "finished": 0, "ansible_job_id": "j1.1", "results_file": "/x"},
        "async_status": {"finished": 1, "started": 1, "ansible_job_id": "j1.1"},
    }
    return {
        "changed": True,
        "msg": "It is done.",
        "path": "/x",
        "dest": "/x",
        "warnings": ["x"],
        **known.get(module, {}),
    }


MODULES = (
    *("livepatch_facts", "livepatch_module", "livepatch_build", "livepatch_boot", "stat", "slurp", "command", "setup"),
    *("async_wrapper", "async_status", "*"),
)


def changed_texts(value: t.Any, others: t.Iterator[str], keep: t.Container[str] = ()) -> t.Any:
    """The value with one of the others in the place of each text, except those under some keys."""
    if isinstance(value, dict):
        return {key: item if key in keep else changed_texts(item, others, keep) for key, item in value.items()}
    if isinstance(value, list):
        return [changed_texts(item, others, keep) for item in value]
    return next(others) if isinstance(value, str) else value


def changed_types(value: t.Any, others: t.Iterator[t.Any], depth: int) -> t.Any:
    """The value with something of another type in each place of this depth."""
    if not depth or not isinstance(value, (dict, list)):
        return next(others)
    if isinstance(value, dict):
        # Ansible itself stumbles over facts that are no dictionary.
        depths = {key: max(depth - 1, key == "ansible_facts") for key in value}
        return {key: changed_types(item, others, depths[key]) for key, item in value.items()}
    return [changed_types(item, others, depth - 1) for item in value]


def variables_of_a_host(folder: Path) -> Data:
    """Variables that a host may want to set by its facts."""
    hits, evil = f"{folder}/hits", template(folder)
    gate = {"url": f"file://{hits}", "from": "localhost"}
    roles: dict[str, Data] = {
        "build": {
            "directory": hits,
            "work": hits,
            "prepare": True,
            "packages": [evil],
            "options": {"env": {"x": evil}},
        },
        "rollout": {"summary_file": f"{hits}/summary", "directory": hits, "max_fail_percentage": 100, "gates": [gate]},
        "report": {"directory": hits, "releases": [f"{hits}/release.yml"]},
        "boot": {"state": f"../../../../../../..{hits}/tasks", "python": evil},
    }
    ours = {f"livepatch_{role}_{name}": value for role, names in roles.items() for name, value in names.items()}
    internal = {
        "__livepatch_rollout_host": {"name": "x", "fix": "Fix 1", "file": "../x"},
        "__livepatch_rollout_survey": [evil],
        "__livepatch_rollout_options": {"summary_file": f"{hits}/summary", "directory": hits},
        "__livepatch_build_asked": {"directory": hits},
        "__livepatch_build_kept": {"mine": [{"env": {"x": evil}, "src_dir": hits}]},
        "__livepatch_build_read": {"results": [{"file": {"kernel_release": evil}}]},
        "__livepatch_build_name": "../../x",
        "__livepatch_report_options": {"directory": hits},
    }
    of_ansible = {
        "ansible_connection": "local",
        "ansible_python_interpreter": f"touch {hits}/interpreter; false",
        "ansible_shell_executable": f"{hits}/shell",
        "ansible_become": True,
        "ansible_become_exe": f"touch {hits}/become",
        "ansible_remote_tmp": hits,
        "ansible_ssh_executable": f"touch {hits}/ssh",
        "ansible_play_hosts_all": ["localhost"],
        "ansible_check_mode": False,
        "playbook_dir": hits,
        "role_path": hits,
        "hostvars": {},
        "discovered_interpreter_python": f"{hits}/python",
    }
    # These are globals of templates, which a variable takes the place of. By omit a build host ends its own build.
    of_ansible.update(dict.fromkeys(("now", "lookup", "query", "q", "undef", "range", "dict"), evil))
    return {**of_ansible, **internal, **ours}


def with_engine_keys(answer: Data, folder: Path) -> Data:
    """The answer with what only Ansible's own plugins may return, and with variables as facts."""
    facts = {**answer.get("ansible_facts", {}), **variables_of_a_host(folder)}
    return {
        **answer,
        "ansible_facts": facts,
        "add_host": {"host_name": "added", "groups": ["all"], "host_vars": {"ansible_connection": "local"}},
        "add_group": "added",
        "_ansible_facts_cacheable": True,
        "_ansible_notify": ["Reload systemd"],
        "_ansible_item_result": True,
        "_ansible_delegated_vars": {"ansible_host": template(folder)},
        "ansible_stats": {"data": {"x": template(folder)}, "per_host": False, "aggregate": False},
        "include": f"{folder}/hits/tasks.yml",
        "include_args": {},
        "results": [{"path": f"{folder}/hits/x", "item": template(folder)}],
        "item": template(folder),
        "exception": template(folder),
        "invocation": {"module_args": {"x": template(folder)}},
        "diff": [{"before": "", "after": template(folder), "before_header": template(folder)}],
        "deprecations": [{"msg": template(folder), "version": "9"}],
    }


def liars(folder: Path) -> dict[str, dict[str, str]]:
    """Names of hosts, with what each module prints there."""
    known = {module: honest(module) for module in MODULES}
    every, types = list(texts(folder).values()), [7, template(folder), [], None, {}, True]
    # A host with a kernel of which nobody knows does not come far.
    keep = ("release", "machine", "encoding", "content", "reason", "severity")
    shown: dict[str, dict[str, str]] = {}
    for first in (0, 5):
        others = itertools.cycle(every[first:] + every[:first])
        shown[f"texts-{first}"] = {
            name: json.dumps(changed_texts(answer, others, keep)) for name, answer in known.items()
        }
    others = itertools.cycle(every)
    shown["texts-all"] = {name: json.dumps(changed_texts(answer, others)) for name, answer in known.items()}
    for depth in (1, 2, 4):
        odd = itertools.cycle(types)
        shown[f"types-{depth}"] = {name: json.dumps(changed_types(each, odd, depth)) for name, each in known.items()}
    # The first host: tasks that run once take its variables.
    shown["a-facts"] = {name: json.dumps(with_engine_keys(answer, folder)) for name, answer in known.items()}
    other_host = {"inventory_hostname": "a-facts", "inventory_hostname_short": "a-facts", "group_names": ["all"]}
    shown["poses"] = {
        name: json.dumps({**answer, "ansible_facts": {**answer.get("ansible_facts", {}), **other_host}})
        for name, answer in known.items()
    }
    failed = {"failed": True, "msg": template(folder), "rc": template(folder)}
    shown["fails"] = {name: json.dumps({**answer, **failed}) for name, answer in known.items()}
    shown["nothing"] = dict.fromkeys(MODULES, "{}")
    shown["noise"] = dict.fromkeys(MODULES, "\x1b[31m" + template(folder) + "\n{" + "[" * 3000)
    shown["deep"] = dict.fromkeys(MODULES, '{"stat": ' + "[" * 60 + "]" * 60 + "}")
    return shown


class Fleet:
    """Runs playbooks with hosts that lie, in a folder of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for name in ("hits", "hosts", "work", "ansible_collections/openeuler", "tmp"):
            (folder / name).mkdir(parents=True)
        (folder / "hits/release.yml").write_text("livepatch_release: {}", encoding="utf-8")
        (folder / "ansible_collections/openeuler/livepatch").symlink_to(ROOT)
        (folder / f"work/{NAME}.ko").write_bytes(PATCH_FILE)
        self.hosts: dict[str, Data] = {}

    def host(self, name: str, answers: t.Mapping[str, str | list[str]]) -> None:
        """Add a host. Where a module has several answers, the host gives them one after the other."""
        known, python, asked = (self.folder / "hosts" / f"{name}{end}" for end in (".json", "", ".asked"))
        known.write_text(json.dumps({"*": "{}", "-c": template(self.folder), **answers}), encoding="utf-8")
        text = INTERPRETER.format(python=sys.executable, answers=str(known), asked=str(asked))
        python.write_text(text, encoding="utf-8")
        python.chmod(0o755)
        here = {"ansible_connection": "local", "ansible_python_interpreter": str(python)}
        self.hosts[name] = {**here, "ansible_remote_tmp": str(self.folder / "tmp"), "ansible_async_dir": "/nosuch"}

    def asked(self, name: str) -> list[str]:
        """The modules that a host was to run."""
        path = self.folder / "hosts" / f"{name}.asked"
        return path.read_text(encoding="utf-8").split() if path.exists() else []

    def files(self) -> set[str]:
        """What is in the folder, except what Ansible itself keeps there."""
        own = ("home", "tmp", "hosts", "inventory.yml")
        paths = (path.relative_to(self.folder) for path in self.folder.rglob("*"))
        return {str(path) for path in paths if path.parts[0] not in own}

    def play(self, playbook: str, variables: Data, *options: str) -> str:
        """What a playbook prints, with its errors."""
        localhost = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}
        inventory = {"all": {"hosts": self.hosts}, "controller": {"hosts": {"localhost": localhost}}}
        (self.folder / "inventory.yml").write_text(yaml.safe_dump(inventory), encoding="utf-8")
        name = playbook if playbook.endswith(".yml") else f"openeuler.livepatch.{playbook}"
        given = {"livepatch_become": False, "livepatch_hosts": "all:!controller", **variables}
        command = [sys.executable, "-c", ANSIBLE_PLAYBOOK, name, "-i", str(self.folder / "inventory.yml")]
        done = subprocess.run(
            [*command, "--forks=8", "-e", json.dumps(given), *options],
            cwd=self.folder / "work",
            env={
                **os.environ,
                "ANSIBLE_COLLECTIONS_PATH": str(self.folder),
                "ANSIBLE_HOME": str(self.folder / "home"),
                "ANSIBLE_NOCOLOR": "1",
                "ANSIBLE_PIPELINING": "1",
                "HOME": str(self.folder / "home"),
            },
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
        )
        output = done.stdout + done.stderr
        (self.folder / "home" / f"{playbook}.txt").write_text(output, encoding="utf-8")
        return output


OF_ANSIBLE = ("object has no attribute 'splitlines'",) if CORE < (2, 19) else ()
"""What ansible-core before 2.19 itself fails a host with whose `stdout` is no text."""


def harm(fleet: Fleet, output: str) -> list[str]:
    """What hosts have brought about that they must not, as sentences."""
    found = [
        f"{path.name} was left by a host" for path in (fleet.folder / "hits").iterdir() if path.name != "release.yml"
    ]
    unhandled = re.findall(r"^.*(?:Traceback|Unexpected Exception|Unexpected failure).*$", output, re.M)
    found += [line for line in unhandled if not any(text in line for text in OF_ANSIBLE)]
    known = (*fleet.hosts, "localhost")
    recap = output.partition("PLAY RECAP")[2]
    found += [f"{name} is a host now" for name in re.findall(r"^(\S+)\s+: ok=", recap, re.M) if name not in known]
    return found
