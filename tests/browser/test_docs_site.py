# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The documentation's pages as "make docs" makes them, in a headless browser: wide and narrow, light and dark."""

from __future__ import annotations

import functools
import http.server
import os
import threading
import typing as t
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page

SITE = Path(os.environ["LIVEPATCH_SITE"])
PAGES = sorted(str(path.relative_to(SITE)) for path in SITE.rglob("*.html") if "_static" not in path.parts)
# One of each kind: first page, guide, guide with wide tables, playbooks, plugin, role, list, changelog.
KINDS = [
    "index.html",
    "docsite/first_patch.html",
    "docsite/other_tools.html",
    "docsite/playbooks.html",
    "livepatch_module_module.html",
    "rollout_role.html",
    "reference.html",
    "changelog.html",
]


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_arguments: t.Any) -> None:
        pass


@pytest.fixture(name="server", scope="module")
def _server() -> t.Iterator[str]:
    """The address of the site. From files, a browser would not read the pages that a search has found."""
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(SITE))) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


@pytest.fixture(name="look")
def _look(browser: Browser, server: str) -> t.Iterator[t.Callable[..., Page]]:
    """Open a page of the documentation. It must ask this server alone."""
    contexts, asked, errors = [], [], []

    def look(path: str, width: int = 1280, scheme: str = "light") -> Page:
        context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(10_000)
        page.on("request", lambda request: asked.append(request.url))
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.goto(f"{server}{path}")
        return page

    yield look
    for context in contexts:
        context.close()
    assert [url for url in asked if not url.startswith((server, "data:"))] == []
    assert errors == []


def test_there_are_pages_of_each_kind() -> None:
    assert set(KINDS) <= set(PAGES)
    assert len(PAGES) > 40


def test_no_page_overflows_a_narrow_screen(look: t.Callable[..., Page], server: str) -> None:
    page = look("index.html", width=360)
    too_wide = {}
    for path in PAGES:
        page.goto(f"{server}{path}")
        width = page.evaluate("document.documentElement.scrollWidth")
        if width > 360:
            too_wide[path] = width
    assert too_wide == {}


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", KINDS)
def test_every_text_can_be_read(look: t.Callable[..., Page], name: str, scheme: str) -> None:
    page = look(name, scheme=scheme)
    found = Axe().run(page, options={"runOnly": ["color-contrast", "image-alt", "link-name", "document-title"]})
    assert [(v["id"], n["target"], n["failureSummary"]) for v in found.response["violations"] for n in v["nodes"]] == []


def brightness(page: Page) -> int:
    color = page.evaluate("getComputedStyle(document.querySelector('.wy-nav-content')).backgroundColor")
    return sum(int(part) for part in color.removeprefix("rgb(").removesuffix(")").split(","))


def test_the_page_is_as_light_as_the_reader_wants(look: t.Callable[..., Page]) -> None:
    assert brightness(look("index.html", scheme="light")) > 700
    assert brightness(look("index.html", scheme="dark")) < 120


def test_the_first_page_leads_to_all_others(look: t.Callable[..., Page], server: str) -> None:
    page = look("index.html")
    links = page.eval_on_selector_all("nav.wy-nav-side a[href]", "all => all.map(a => a.href.split('#')[0])")
    by_the_theme = {"genindex.html", "search.html", "index.html"}
    assert set(PAGES) - by_the_theme - {link.removeprefix(server) for link in links} == set()


def test_the_menu_opens_on_a_narrow_screen(look: t.Callable[..., Page]) -> None:
    page = look("index.html", width=360)
    link = page.locator("nav.wy-nav-side").get_by_role("link", name="First patch in ten minutes")
    page.locator("[data-toggle='wy-nav-top']").first.click()
    link.click()
    assert page.locator("h1").inner_text().startswith("First patch in ten minutes")


def test_a_search_finds_an_option(look: t.Callable[..., Page]) -> None:
    page = look("search.html?q=on_stall")
    page.locator("ul.search li a").first.wait_for()
    assert "livepatch_module" in " ".join(page.locator("ul.search li a").all_inner_texts())
