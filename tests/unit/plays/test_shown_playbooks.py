# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the documentation shows is what the tests run.

The first line of each block of tasks or plays is a comment that names a file, and the other lines are in that file. The
file is a playbook of examples/guides that a test names, a module whose examples a scenario runs, or part of a scenario.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
import yaml
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

ROOT = Path(__file__).resolve().parents[3]
GUIDES = sorted((ROOT / "docs/docsite/rst").glob("*.rst"))
READMES = [ROOT / "README.md", *sorted(ROOT.glob("roles/*/README.md"))]
PAGES = [*GUIDES, *READMES]
IN_RST = re.compile(r"^( *)\.\. code-block:: yaml\n\n((?:\1 {4}.*\n|\n)+)", re.MULTILINE)
IN_MARKDOWN = re.compile(r"^()```yaml\n(.*?)^```$", re.MULTILINE | re.DOTALL)
ANY = re.compile(r"(?:code-block::|```) ?ya?ml", re.IGNORECASE)
# Not by its name: "ansible-test units" has no commands in its PATH.
ANSIBLE_PLAYBOOK = "from ansible.cli.playbook import main; main()"
IN_COLLECTIONS = ("ansible_collections", "openeuler", "livepatch")
PLAYBOOK = re.compile(r"\bansible-playbook (?:-\S+ )*openeuler\.livepatch\.(\w+)")


def text_of(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def blocks(page: Path) -> list[str]:
    pattern = IN_RST if page.suffix == ".rst" else IN_MARKDOWN
    found = [textwrap.dedent(block).strip("\n") + "\n" for _indent, block in pattern.findall(text_of(page))]
    assert len(found) == len(ANY.findall(text_of(page))), f"{page}: write 'yaml', and indent its lines by four"
    return found


def is_plays(content: object) -> bool:
    return isinstance(content, list) and any("hosts" in entry or "import_playbook" in entry for entry in content)


def is_tasks(content: object) -> bool:
    return isinstance(content, list) and any("." in key for entry in content for key in entry)


def is_run(content: object) -> bool:
    return is_plays(content) or is_tasks(content)


SHOWN = [
    pytest.param(page, block, id=f"{page.relative_to(ROOT)}-{number}")
    for page in PAGES
    for number, block in enumerate(blocks(page), 1)
]


def split(block: str) -> tuple[str, str]:
    """The file that the first line names, and the other lines."""
    first, rest = block.split("\n", 1)
    match = re.fullmatch(r"# (\S+)", first)
    assert match, f"the first line must name a file in a comment:\n{block}"
    return match.group(1), rest.strip("\n")


def contains(whole: str, part: str) -> bool:
    """Whether these lines stand together in the text, indented by any depth."""
    depths = {len(line) - len(line.lstrip()) for line in whole.splitlines()}
    return any(f"\n{textwrap.indent(part, ' ' * depth)}\n" in f"\n{whole}\n" for depth in depths)


def runs() -> str:
    """All that runs something: the scenarios, and the unit tests but this one."""
    tests = [path for path in sorted((ROOT / "tests/unit").rglob("*.py")) if path.name != Path(__file__).name]
    return "\n".join(text_of(path) for path in [*sorted((ROOT / "molecule").rglob("*.yml")), *tests])


@pytest.mark.parametrize(("page", "block"), SHOWN)
def test_a_block_is_from_a_file_that_a_test_runs(page: Path, block: str) -> None:
    content = yaml.safe_load(block)
    if not is_run(content) and not block.startswith("# examples/"):
        return
    name, lines = split(block)
    source = text_of(ROOT / name)
    if name.startswith("plugins/modules/"):
        (source,) = re.findall(r'^EXAMPLES = r"""\n(.*?)^"""', source, re.MULTILINE | re.DOTALL)
        assert f"openeuler.livepatch.{Path(name).stem}" in text_of(ROOT / "molecule/default/tasks/examples.yml")
    elif name.startswith("examples/"):
        assert not is_run(content) or name.removeprefix("examples/") in runs(), f"no test runs {name}"
    else:
        assert name.startswith("molecule/"), f"no test runs {name}"
        assert re.search(rf"(?:tasks/|\b){re.escape(Path(name).name)}", runs())
    assert contains(source, lines), f"{name} does not have these lines:\n{lines}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_a_playbook_that_is_named_exists_and_is_run(page: Path) -> None:
    for name in set(PLAYBOOK.findall(text_of(page))):
        assert (ROOT / "playbooks" / f"{name}.yml").is_file(), name
        assert re.search(rf"playbook: {name}\n|openeuler\.livepatch\.{name}\b", runs()), f"no test runs {name}"


def test_ansible_takes_all_of_them(tmp_path: Path) -> None:
    plays: list[object] = []
    for case in SHOWN:
        content = yaml.safe_load(str(case.values[1]))
        if is_plays(content):
            plays += content
        elif is_tasks(content):
            plays.append({"hosts": "all", "gather_facts": False, "tasks": content})
    playbook = tmp_path / "shown.yml"
    playbook.write_text(yaml.safe_dump(plays, sort_keys=False), encoding="utf-8")
    command = [sys.executable, "-c", ANSIBLE_PLAYBOOK, "--syntax-check", "--inventory=localhost,", str(playbook)]
    folders = [path for path in (str(ROOT.parents[2]), *sys.path) if Path(path, *IN_COLLECTIONS).is_dir()]
    environ = {
        **os.environ,
        "ANSIBLE_COLLECTIONS_PATH": os.pathsep.join(folders),
        "ANSIBLE_HOST_PATTERN_MISMATCH": "ignore",
    }
    done = subprocess.run(command, cwd=tmp_path, env=environ, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert plays


def test_the_fix_of_the_guides_is_one_that_the_role_takes() -> None:
    specification = yaml.safe_load(text_of(ROOT / "roles/build/meta/argument_specs.yml"))
    options = specification["argument_specs"]["main"]["options"]
    fix = yaml.safe_load(text_of(ROOT / "examples/guides/fix.yml"))
    assert ArgumentSpecValidator(options).validate(fix).error_messages == []
