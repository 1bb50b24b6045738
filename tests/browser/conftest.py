# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A headless browser that opens the pages of reports, and watches that they stay quiet."""

from __future__ import annotations

import os
import typing as t
from dataclasses import dataclass, field

import pytest
from ansible_collections.openeuler.livepatch.plugins.plugin_utils._fleet.as_html import as_html
from ansible_collections.openeuler.livepatch.plugins.plugin_utils._fleet.model import Fleet
from playwright.sync_api import Browser, Page, sync_playwright


@pytest.fixture(scope="session")
def browser() -> t.Iterator[Browser]:
    # As root, as in a container, Chromium's own sandbox cannot be used.
    options = ["--no-sandbox"] if os.geteuid() == 0 else []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=os.environ["LIVEPATCH_BROWSER"], args=options)
        yield browser
        browser.close()


@dataclass
class Watched:
    """What a page has done beside showing itself."""

    requests: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    dialogs: list[str] = field(default_factory=list)

    def watch(self, page: Page) -> None:
        page.on("request", lambda request: self.requests.append(request.url))
        page.on("console", lambda message: self.errors.append(message.text))
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.on("dialog", lambda dialog: (self.dialogs.append(dialog.message), dialog.dismiss()))


@pytest.fixture
def show(browser: Browser, tmp_path) -> t.Iterator[t.Callable[..., Page]]:
    """Open the report of a fleet. Afterwards the page must have asked for nothing but itself, without an error."""
    opened = []
    file = tmp_path / "report.html"

    def run(fleet: Fleet, **context: t.Any) -> Page:
        file.write_text(as_html(fleet), encoding="utf-8")
        page = browser.new_context(**{"viewport": {"width": 1280, "height": 900}, **context}).new_page()
        page.set_default_timeout(10_000)
        watched = Watched()
        watched.watch(page)
        opened.append((page, watched))
        page.goto(file.as_uri())
        return page

    yield run
    for page, watched in opened:
        page.context.close()
        # A test may load the page more than once.
        assert watched == Watched(requests=[file.as_uri()] * len(watched.requests))
