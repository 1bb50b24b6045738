# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The pictures of the guides show the pages of today. "make pictures" takes them anew, with these tests.

Two machines draw letters differently. So a picture is not compared with another: the page that it shows is.
"""

from __future__ import annotations

import hashlib
import os
import struct
import typing as t
from pathlib import Path

import pytest
from ansible_collections.openeuler.livepatch.tests.browser.test_report_page import fleet_with, fleet_with_a_past
from playwright.sync_api import Page

ROOT = Path(__file__).resolve().parents[2]
IMAGES = Path(os.environ.get("LIVEPATCH_PICTURES") or ROOT / "docs/docsite/rst/images")
TAKES = bool(os.environ.get("LIVEPATCH_PICTURES"))
PAGES = IMAGES / "pictures.txt"
WIDTH, HEIGHT = 1280, 800


def overview(page: Page) -> None:
    page.get_by_role("heading", level=1).wait_for()


def changes(page: Page) -> None:
    page.get_by_role("heading", name="Since ").evaluate("heading => heading.scrollIntoView({block: 'start'})")
    page.locator(".change summary").first.click()


def host(page: Page) -> None:
    page.get_by_role("searchbox").fill("livepatch_local")
    page.locator(".open").first.click()
    page.locator(".open").first.evaluate("row => row.scrollIntoView({block: 'start'})")
    # The head of the table stays above its rows.
    page.evaluate("scrollBy(0, -60)")


PICTURES: dict[str, tuple[t.Callable[[], t.Any], t.Callable[[Page], None]]] = {
    "report.png": (lambda: fleet_with(200), overview),
    "report_changes.png": (fleet_with_a_past, changes),
    "report_host.png": (lambda: fleet_with(200), host),
}


def pages() -> dict[str, str]:
    lines = [
        line.split() for line in PAGES.read_text(encoding="utf-8").splitlines() if line and not line.startswith("#")
    ]
    return {name: digest for digest, name in lines}


@pytest.mark.parametrize("name", PICTURES)
def test_a_picture_is_of_the_page_of_today(name: str, show: t.Callable[..., Page], tmp_path: Path) -> None:
    fleet, look = PICTURES[name]
    page = show(fleet(), viewport={"width": WIDTH, "height": HEIGHT})
    look(page)
    digest = hashlib.sha256((tmp_path / "report.html").read_bytes()).hexdigest()
    if TAKES:
        page.screenshot(path=IMAGES / name)
        note(name, digest)
    assert pages()[name] == digest, f"The page has changed since {name} was taken: run make pictures."
    head = (IMAGES / name).read_bytes()[:24]
    assert head[1:4] == b"PNG" and struct.unpack(">II", head[16:]) == (WIDTH, HEIGHT)


def note(name: str, digest: str) -> None:
    head = [line for line in PAGES.read_text(encoding="utf-8").splitlines() if line.startswith("#") or not line]
    known = {**pages(), name: digest}
    PAGES.write_text("\n".join([*head, *(f"{known[each]}  {each}" for each in sorted(known))]) + "\n", encoding="utf-8")


def test_each_picture_is_in_a_guide_and_has_a_text_instead() -> None:
    guides = "".join(path.read_text(encoding="utf-8") for path in IMAGES.parent.glob("*.rst"))
    for name in PICTURES:
        assert f".. image:: images/{name}\n   :alt: " in guides
    assert sorted(path.name for path in IMAGES.glob("*.png")) == sorted(PICTURES) == sorted(pages())
