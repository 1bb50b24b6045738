# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What `make sources` compiles: each source, with each set of macros that a scenario gives, for the ABIs of a tree."""

from __future__ import annotations

import importlib
import re
import typing as t
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
ELSEWHERE = {"PER_TASK"}
"""Macros of the ABI, not of a patch."""


@pytest.fixture(name="sources")
def _sources(monkeypatch: pytest.MonkeyPatch) -> t.Any:
    monkeypatch.syspath_prepend(ROOT / "tests" / "rig")
    return importlib.import_module("module_sources")


def test_each_source_of_a_scenario_and_an_example_is_compiled_for_both_abis(sources: t.Any) -> None:
    every = {*ROOT.glob("molecule/*/files/*.c"), *ROOT.glob("examples/*/*.c"), *ROOT.glob("tests/bench/*.c")}
    for abi in ("per_task", "stop_machine", "emulated"):
        assert {module.source for module in sources.modules(abi)} == every
    names = [module.name for module in sources.modules("stop_machine")]
    assert len(names) == len(set(names))


def test_each_macro_that_a_source_asks_for_is_given_once(sources: t.Any) -> None:
    source = (ROOT / sources.SHOW_PATCH).read_text(encoding="utf-8")
    asked = set(re.findall(r"#ifn?def (\w+)$|defined\((\w+)\)", source, re.MULTILINE))
    macros = {name for pair in asked for name in pair if name} - ELSEWHERE - {"HAS_REPLACE"}
    given = {sources.macro(flag)[2:] for module in sources.modules("stop_machine") for flag in module.flags}
    assert macros <= given


def test_the_flags_of_scenarios_are_read_as_yaml_reads_them(sources: t.Any) -> None:
    for path in ROOT.glob("molecule/*/vars/patches.yml"):
        loaded = yaml.safe_load(path.read_text(encoding="utf-8"))
        maps = [value for value in loaded.values() if isinstance(value, dict)]
        lists = [flags for value in maps for flags in value.values() if isinstance(flags, list)]
        found = [text.split(", ") for text in sources.FLAGS.findall(path.read_text(encoding="utf-8"))]
        assert sorted(found) == sorted(lists)


@pytest.mark.parametrize(
    ("config", "abis"),
    [
        ("CONFIG_LIVEPATCH=y\n", ["per_task", "emulated"]),
        ("CONFIG_LIVEPATCH=y\nCONFIG_LIVEPATCH_WO_FTRACE=y\n", ["stop_machine"]),
        ("# CONFIG_LIVEPATCH is not set\n", ["emulated"]),
    ],
)
def test_a_tree_tells_the_abis(sources: t.Any, tmp_path: Path, config: str, abis: list[str]) -> None:
    (tmp_path / ".config").write_text(config, encoding="utf-8")
    assert sources.abis(tmp_path) == abis
    assert [(tree.path, tree.abi, tree.given) for tree in sources.trees([], [tmp_path])] == [
        (tmp_path, abi, True) for abi in abis
    ]


def test_a_directory_that_is_no_build_tree_is_named(sources: t.Any, tmp_path: Path) -> None:
    with pytest.raises(sources.RigError, match="is no kernel build tree"):
        list(sources.trees([], [tmp_path]))


def test_warnings_are_errors_but_in_trees_that_are_given(sources: t.Any, tmp_path: Path) -> None:
    for given in (False, True):
        folder = tmp_path / str(given)
        folder.mkdir()
        modules = sources.write(folder, sources.Tree(Path("/usr/src/x"), "per_task", given=given))
        kbuild = (folder / "Kbuild").read_text(encoding="ascii")
        assert ("-Werror" in kbuild) is not given
        assert kbuild.count("obj-m += ") == len(modules)
        assert "-DPER_TASK" in kbuild and "-DHOOKS" not in kbuild
