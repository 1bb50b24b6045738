# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What Galaxy shows has links that lead somewhere from there, and the repository has one address."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
GALAXY = yaml.safe_load((ROOT / "galaxy.yml").read_text(encoding="utf-8"))
PAGES = [ROOT / "README.md", *sorted(ROOT.glob("roles/*/README.md"))]
LINK = re.compile(
    r"\]\(([^)\s]+)\)|^\[[^]]+\]: *(\S+)|<(https?:[^>]+)>|\b(?:href|src)=[\"']?([^\"'\s>]+)", re.MULTILINE
)


def links(page: Path) -> list[str]:
    return ["".join(groups) for groups in LINK.findall(page.read_text(encoding="utf-8"))]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_each_link_names_a_file_of_the_repository_by_its_address(page: Path) -> None:
    for link in links(page):
        name = link.removeprefix(f"{GALAXY['repository']}/blob/main/")
        assert name != link, f"not below the repository's address: {link}"
        assert (ROOT / name.partition("#")[0]).is_file(), link


def test_the_readme_has_links() -> None:
    assert len(links(PAGES[0])) > 20


def test_galaxy_yml_has_one_address_and_contributing_names_it() -> None:
    for key in ("documentation", "homepage", "issues"):
        assert GALAXY[key].startswith(GALAXY["repository"]), key
    assert f"`{GALAXY['repository']}`" in (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("line", ["[x](docs/a.rst)", "[x]: docs/a.rst", "<img src='logo.svg'>", '<a href="a.md">'])
def test_a_relative_link_would_be_seen(tmp_path: Path, line: str) -> None:
    page = tmp_path / "README.md"
    page.write_text(line, encoding="utf-8")
    (link,) = links(page)
    assert not link.startswith("https:")


def test_each_supported_system_says_how_that_is_known() -> None:
    section = PAGES[0].read_text(encoding="utf-8").split("## What is supported\n")[1].split("\n## ")[0]
    rows = [line.strip("|").split(" | ") for line in section.split("\n") if line.startswith("| ")][2:]
    assert len(rows) > 5
    for row in rows:
        assert row[-1].strip().startswith(("run: ", "compared: ", "compared, as above; read: ", "read ")), row
