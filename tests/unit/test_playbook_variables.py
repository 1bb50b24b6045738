# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Each variable that a playbook reads is in the table of its page or in argument_specs of its role, and no other is."""

from __future__ import annotations

import re
import typing as t
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from jinja2 import Environment, nodes

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs/docsite/rst/playbooks.rst"
PLAYBOOKS = sorted(path.stem for path in (ROOT / "playbooks").glob("*.yml"))
ROLES = sorted(path.name for path in (ROOT / "roles").iterdir())
EXPRESSIONS = {"changed_when", "failed_when", "that", "until", "when"}
"""Keywords and options whose texts are expressions without braces."""
RESULTS = {"livepatch_report_summary", "livepatch_rollout_reboot_required", "livepatch_rollout_summary"}
"""What a role sets for plays."""
TYPES = {"bool", "dict", "float", "int", "list", "path", "str"}
SECTION = re.compile(r"^(\w+)\n-+\n", re.MULTILINE)
CELL = re.compile(r"^   [* ] - ", re.MULTILINE)
HEADER = ("variable", "type", "default", "meaning")
NONE = "none"


def load(path: Path) -> t.Any:
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def templates(value: t.Any, key: str = "") -> Iterator[str]:
    """The texts in the data that are templates, with braces around those that have none."""
    if isinstance(value, dict):
        for inner, item in value.items():
            yield from templates(item, inner)
    elif isinstance(value, list):
        for item in value:
            yield from templates(item, key)
    elif isinstance(value, str):
        yield f"{{{{ {value} }}}}" if key in EXPRESSIONS and "{{" not in value else value


def read_in(text: str) -> dict[str, list[t.Any]]:
    """The variables of ours that a template reads, each with its defaults there."""
    tree = Environment().parse(text)
    found: dict[str, list[t.Any]] = {
        name.name: [] for name in tree.find_all(nodes.Name) if name.name.startswith("livepatch_")
    }
    for node in tree.find_all(nodes.Filter):
        # With a second argument it is a default for what is empty.
        if node.name == "default" and isinstance(node.node, nodes.Name) and len(node.args) == 1:
            found.get(node.node.name, []).append(node.args[0].as_const())
    return found


def merged(several: t.Iterable[dict[str, list[t.Any]]]) -> dict[str, list[t.Any]]:
    found: dict[str, list[t.Any]] = {}
    for one in several:
        for name, defaults in one.items():
            found.setdefault(name, []).extend(defaults)
    return found


def read_by_role(role: str) -> dict[str, list[t.Any]]:
    """What the files of the role read."""
    folder = ROOT / "roles" / role
    files = [path for part in ("defaults", "handlers", "tasks", "vars") for path in (folder / part).rglob("*.yml")]
    texts = [text for path in files for text in templates(load(path))]
    return merged(map(read_in, [*texts, *(path.read_text(encoding="utf-8") for path in folder.rglob("*.j2"))]))


def options_of(role: str) -> set[str]:
    return set(load(ROOT / f"roles/{role}/meta/argument_specs.yml")["argument_specs"]["main"]["options"])


def roles_of(playbook: str) -> set[str]:
    text = (ROOT / f"playbooks/{playbook}.yml").read_text(encoding="utf-8")
    return set(re.findall(r"(?:role|name): openeuler\.livepatch\.(\w+)$", text, re.MULTILINE))


def read_by_playbook(playbook: str) -> dict[str, list[t.Any]]:
    """The variables that a playbook and its roles read, but for those that are documented with the roles."""
    content, roles = load(ROOT / f"playbooks/{playbook}.yml"), roles_of(playbook)
    found = merged([*map(read_in, templates(content)), *map(read_by_role, roles)])
    documented = RESULTS.union(*map(options_of, roles))
    return {name: defaults for name, defaults in found.items() if name not in documented}


def sections() -> dict[str, str]:
    _head, *parts = SECTION.split(PAGE.read_text(encoding="utf-8"))
    return dict(zip(parts[::2], parts[1::2], strict=True))


def rows_of(section: str) -> dict[str, tuple[str, str, str]]:
    """The type, default and meaning of each variable in the table of a section."""
    cells = [" ".join(cell.split()) for cell in CELL.split(section)[1:]]
    width = len(HEADER)
    assert tuple(cells[:width]) == HEADER and len(cells) % width == 0
    rows = [cells[place : place + width] for place in range(width, len(cells), width)]
    return {name.strip("`"): (kind, default, meaning) for name, kind, default, meaning in rows}


def test_the_page_has_the_playbooks() -> None:
    assert sorted(sections()) == PLAYBOOKS


@pytest.mark.parametrize("playbook", PLAYBOOKS)
def test_the_table_has_the_variables_of_the_playbook(playbook: str) -> None:
    rows = rows_of(sections()[playbook])
    assert set(rows) == set(read_by_playbook(playbook))
    for name, (kind, _default, meaning) in rows.items():
        assert kind in TYPES and meaning.endswith("."), name


@pytest.mark.parametrize("playbook", PLAYBOOKS)
def test_the_table_has_the_defaults(playbook: str) -> None:
    read = read_by_playbook(playbook)
    for name, (_kind, shown, _meaning) in rows_of(sections()[playbook]).items():
        defaults = read[name] or [""]
        assert all(default == defaults[0] for default in defaults), name
        expected = defaults[0]
        assert (shown == NONE) if expected == "" else (yaml.safe_load(shown.strip("`")) == expected), name


@pytest.mark.parametrize("playbook", PLAYBOOKS)
def test_the_page_and_the_roles_name_each_other(playbook: str) -> None:
    for role in roles_of(playbook):
        assert f":ansplugin:`openeuler.livepatch.{role}#role`" in sections()[playbook]


@pytest.mark.parametrize("role", ROLES)
def test_a_role_names_the_page(role: str) -> None:
    readme = (ROOT / f"roles/{role}/README.md").read_text(encoding="utf-8")
    assert "/blob/main/docs/docsite/rst/playbooks.rst)" in readme
    main = load(ROOT / f"roles/{role}/meta/argument_specs.yml")["argument_specs"]["main"]
    assert ", ansible_collections.openeuler.livepatch.docsite.playbooks)" in " ".join(main["description"])


@pytest.mark.parametrize("playbook", PLAYBOOKS)
def test_a_playbook_points_to_the_page(playbook: str) -> None:
    """And does not document the variables a second time."""
    text = (ROOT / f"playbooks/{playbook}.yml").read_text(encoding="utf-8")
    head = text.partition("---\n")[2].partition("- name:")[0]
    assert "\n# Its variables: docs/docsite/rst/playbooks.rst.\n" in head
    said = "".join(line for line in head.split("\n") if not line.startswith("#   ansible-playbook "))
    assert re.findall(r"livepatch_\w+", said.replace("openeuler.livepatch", "")) == []


@pytest.mark.parametrize("role", ROLES)
def test_a_role_reads_what_it_documents(role: str) -> None:
    assert options_of(role) - set(read_by_role(role)) == set()


@pytest.mark.parametrize("role", ROLES)
def test_a_role_documents_what_it_reads(role: str) -> None:
    """Except what the page of the playbooks has for a playbook that runs the role."""
    users = [playbook for playbook in PLAYBOOKS if role in roles_of(playbook)]
    on_page = {name for playbook in users for name in rows_of(sections()[playbook])}
    assert set(read_by_role(role)) - options_of(role) - RESULTS - on_page == set()


def test_what_is_read_is_found() -> None:
    task = {"when": "livepatch_a is defined", "debug": {"msg": ["{{ x.livepatch_b | default(livepatch_c) }}"]}}
    that = {"that": ["livepatch_d | default(0) > 1", "'livepatch_e' | livepatch_f == livepatch_g | default('', true)"]}
    found = merged(map(read_in, templates([task, that])))
    assert found == {"livepatch_a": [], "livepatch_c": [], "livepatch_d": [0], "livepatch_g": []}
