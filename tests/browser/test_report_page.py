# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The report's page in a real browser: fast with 5 000 hosts, usable without a mouse, harmless with hostile names."""

from __future__ import annotations

import functools
import statistics
from dataclasses import replace
from datetime import timedelta

import pytest
from ansible_collections.openeuler.livepatch.plugins.plugin_utils._fleet import statuses
from ansible_collections.openeuler.livepatch.plugins.plugin_utils._fleet.as_html import as_html
from ansible_collections.openeuler.livepatch.plugins.plugin_utils._fleet.as_json import as_json
from ansible_collections.openeuler.livepatch.plugins.plugin_utils._fleet.changes import with_earlier
from ansible_collections.openeuler.livepatch.plugins.plugin_utils._fleet.earlier import Point, read_earlier
from ansible_collections.openeuler.livepatch.plugins.plugin_utils._fleet.model import Answer, fleet_of
from ansible_collections.openeuler.livepatch.plugins.plugin_utils._fleet.releases import Source, read_releases
from ansible_collections.openeuler.livepatch.tests.unit.plugins.plugin_utils import synthetic_fleet as synthetic
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

MOST_BYTES = 10_000_000
MOST_MS_TO_PAINT = 2000
MOST_MS_TO_FILTER = 200
ON_A_PAGE = 100
SIZES = (3, 200, 5000)
NARROW = {"viewport": {"width": 360, "height": 740}}

fleet_with = functools.cache(synthetic.fleet)


def number(count):
    return f"{count:,}".replace(",", "\u202f")


def names(page):
    return page.locator("#table tbody tr:not(.detail) th").all_text_contents()


def shown(page):
    return page.locator(".shown").text_content()


def choose(page, key, value):
    page.locator(f"#by-{key}").select_option(value)


def stacked_fleet():
    """One host where a newer patch covers one of two functions."""
    kernel = synthetic.KERNELS[0]
    first, second = synthetic.patch_name("CVE-2026-0001"), "livepatch_newer"
    functions = [
        {"object": "vmlinux", "name": "tcp_ack", "sympos": 1, "stack": [first, second], "live": second},
        {"object": "nf_tables", "name": "nft_set_destroy", "sympos": 2, "stack": [first], "live": first},
        {"object": "xfs", "name": "xfs_readdir", "sympos": 1, "stack": [first], "live": None},
    ]
    covered = [{"object": "vmlinux", "name": "tcp_ack", "sympos": 1, "by": [second]}]
    patches = [
        synthetic.patch("CVE-2026-0001", kernel, effective="partial", covered=covered),
        synthetic.patch("any", kernel, name=second, boot="trial"),
    ]
    facts = synthetic.host_facts(kernel, patches, functions, trouble=["a warning"])
    releases = read_releases([("a release", synthetic.release(0))])
    return fleet_of({"web-0001": Answer(facts)}, releases, synthetic.NOW)


@pytest.mark.parametrize("hosts", SIZES)
def test_size_and_first_paint(show, hosts):
    fleet = fleet_with(hosts)
    assert len(as_html(fleet).encode()) < MOST_BYTES
    page = show(fleet)
    paint = page.evaluate(
        """() => new Promise((done) => {
          const name = "first-contentful-paint";
          const told = (list) => list.getEntriesByName(name).forEach((entry) => done(entry.startTime));
          new PerformanceObserver(told).observe({ type: "paint", buffered: true });
        })"""
    )
    assert 0 < paint < MOST_MS_TO_PAINT
    assert shown(page) == f"{number(hosts)} of {number(hosts)} hosts"
    assert len(names(page)) == min(hosts, ON_A_PAGE)


@pytest.mark.parametrize("hosts", SIZES)
def test_filtering_is_fast(show, hosts):
    page = show(fleet_with(hosts))
    times = page.evaluate(
        """async () => {
          const input = document.getElementById("by-text");
          const times = [];
          for (const text of ["w", "web", "quarantine 6.6", "", "not there", "e", "livepatch_local", "", "cache"]) {
            input.value = text;
            const start = performance.now();
            input.dispatchEvent(new Event("input"));
            document.body.getBoundingClientRect();
            await new Promise((done) => requestAnimationFrame(() => setTimeout(done)));
            times.push(performance.now() - start);
          }
          return times;
        }"""
    )
    assert statistics.median(times) < MOST_MS_TO_FILTER, times
    expected = sum("cache" in host.name for host in fleet_with(hosts).hosts)
    assert shown(page).startswith(f"{number(expected)} of ")


def test_changes_fit_a_narrow_screen(show):
    page = show(fleet_with_a_past(), **NARROW)
    for summary in page.locator("summary").all():
        summary.click()
    assert page.evaluate("document.documentElement.scrollWidth") == 360


@pytest.mark.parametrize("hosts", SIZES)
def test_it_fits_a_narrow_screen(show, hosts):
    page = show(fleet_with(hosts), **NARROW)
    page.locator(".open").first.click()
    assert page.evaluate("document.documentElement.scrollWidth") == 360


def test_a_host_shows_and_is_found_by_what_its_patches_fix(show):
    page = show(fleet_with(3))
    page.get_by_role("searchbox").fill("cve-2026-0001")
    page.locator(".open").first.click()
    line = page.locator(".detail li").filter(has_text="SHA-256").filter(has_text="livepatch_cve_2026_0001")
    assert "fixes CVE-2026-0001" in line.text_content()


def test_filters_find_what_the_report_counts(show):
    fleet = fleet_with(200)
    page = show(fleet)
    headlines = fleet.tally().headlines
    for status, count in headlines.items():
        if count:
            choose(page, "status", f"is:{status}")
            assert shown(page).startswith(f"{count} of 200 hosts (status ")
    choose(page, "status", "has:on_trial")
    assert shown(page).startswith(f"{fleet.with_status()['on_trial']} of 200 hosts")
    choose(page, "status", "")
    for fix, tally in fleet.by_fix().items():
        choose(page, "fix", fix)
        choose(page, "status", "is:protected")
        assert shown(page) == f"{tally.headlines['protected']} of 200 hosts (status protected, fix {fix})"
    page.get_by_role("button", name="Clear filters").click()
    for kernel, tally in fleet.by_kernel().items():
        choose(page, "kernel", kernel)
        assert shown(page) == f"{tally.hosts} of 200 hosts (kernel {kernel})"
    page.get_by_role("searchbox").fill("NO-SUCH-HOST")
    assert names(page) == []
    expect(page.get_by_text("No host matches.")).to_be_visible()
    page.get_by_role("button", name="Clear filters").click()
    assert shown(page) == "200 of 200 hosts"
    expect(page.get_by_role("searchbox")).to_be_focused()


def test_numbers_of_the_summary_lead_to_the_hosts(show):
    fleet = fleet_with(200)
    page = show(fleet)
    page.locator(".counts").get_by_role("button", name="not applied").click()
    count = fleet.tally().headlines["not_applied"]
    assert shown(page) == f"{count} of 200 hosts (status not applied)"
    expect(page.locator("#hosts")).to_be_focused()
    fix = "CVE-2026-0107"
    page.get_by_role("table", name="Fixes", exact=True).get_by_role("row", name=fix).get_by_role(
        "button", name="no patch file"
    ).click()
    count = fleet.by_fix()[fix].headlines["no_patch_file"]
    assert shown(page) == f"{count} of 200 hosts (status no patch file, fix {fix})"
    kernel = synthetic.KERNELS[1]
    row = page.get_by_role("table", name="Kernels").get_by_role("row", name=kernel)
    row.get_by_role("button", name="no patch file").click()
    count = fleet.by_kernel()[kernel].headlines["no_patch_file"]
    assert shown(page) == f"{count} of 200 hosts (status no patch file, kernel {kernel})"


def test_groups_and_variables_of_the_inventory(show):
    fleet = fleet_with(200)
    page = show(fleet)
    tally = fleet.by_group()["production"]
    row = page.get_by_role("table", name="Groups").get_by_role("row", name="production")
    row.get_by_role("button", name="not applied").click()
    assert shown(page) == f"{tally.headlines['not_applied']} of 200 hosts (status not applied, group production)"
    choose(page, "status", "")
    assert shown(page) == f"{tally.hosts} of 200 hosts (group production)"
    choose(page, "variable-owner", "team 2")
    both = [
        host
        for host in fleet.hosts
        if "production" in host.labels.groups and "team 2" in host.labels.variables.values()
    ]
    assert shown(page) == f"{len(both)} of 200 hosts (group production, owner team 2)"
    assert sorted(names(page)) == [host.name for host in both]
    page.locator("#table").get_by_role("columnheader", name="owner").get_by_role("button").click()
    page.get_by_role("button", name="Clear filters").click()
    place = page.locator("#table thead th").all_text_contents().index("ownerowner")
    owners = page.locator(f"#table tbody td:nth-child({place + 1})").all_text_contents()
    assert owners == sorted(owners)
    assert owners[0] == ""
    page.locator(".open").last.click()
    assert "groups: " in page.locator(".detail").text_content()


def test_a_fleet_without_groups_has_no_column_for_them(show):
    page = show(stacked_fleet())
    assert page.locator("#by-group").is_hidden()
    assert page.locator("#table thead th").count() == 6


def test_a_view_is_sent_by_its_address(show):
    page = show(fleet_with(200))
    plain = page.url
    choose(page, "status", "has:on_trial")
    choose(page, "fix", "CVE-2026-0107")
    choose(page, "group", "production")
    choose(page, "variable-owner", "team 1")
    page.get_by_role("searchbox").fill("web &%#=")
    page.get_by_role("searchbox").fill("web")
    page.locator("#table").get_by_role("columnheader", name="Host").get_by_role("button").click()
    page.locator("#table").get_by_role("columnheader", name="Host").get_by_role("button").click()
    page.wait_for_url("**#*sort=-host")
    seen = (shown(page), names(page))
    sent = page.url
    page.goto(plain)
    page.reload()
    assert shown(page) == "200 of 200 hosts"
    page.evaluate("(address) => { location.href = address; }", sent)
    expect(page.locator(".shown")).to_have_text(seen[0])
    assert names(page) == seen[1]
    expect(page.get_by_role("searchbox")).to_have_value("web")
    page.get_by_role("button", name="Clear filters").click()
    page.wait_for_url("**#sort=-host")


@pytest.mark.parametrize(
    "fragment",
    ["#status=is:nothing&fix=CVE-1&kernel=x&group=<b>", "#sort=-why", "#hosts", "#text=", "#%=%&&==", "#status"],
)
def test_an_address_of_another_report_shows_all(show, fragment):
    page = show(fleet_with(3))
    page.evaluate("(fragment) => { location.hash = fragment; }", fragment)
    page.reload()
    assert shown(page) == "3 of 3 hosts"


def fleet_with_a_past():
    """200 hosts, the report before them, and some weeks."""
    fleet = fleet_with(200)
    seen = fleet_of({**synthetic.answers(150, seed=2), "gone-1": Answer()}, fleet.releases, synthetic.NOW)
    seen = replace(seen, now=synthetic.NOW - timedelta(days=1))
    points = [Point(synthetic.NOW - timedelta(days=day), 200, 150 - day * 4, 40 + day * 4, 10) for day in range(1, 31)]
    return with_earlier(fleet, read_earlier(as_json(seen), "before"), points)


@pytest.mark.parametrize("has_script", [True, False])
def test_changes_and_coverage_are_there_without_javascript(show, has_script):
    fleet = fleet_with_a_past()
    page = show(fleet, java_script_enabled=has_script)
    expect(page.get_by_role("heading", name="Since 2026-11-24 08:00 UTC")).to_be_visible()
    changes = fleet.changes
    for count, text in ((len(changes.lost), "lost the protection"), (len(changes.new_hosts), "new in the report")):
        assert count
        expect(page.locator(".change summary").filter(has_text=f"{count} {text}")).to_be_visible()
    lost = page.locator(".change").first
    assert not lost.get_by_role("listitem").first.is_visible()
    lost.locator("summary").click()
    assert lost.get_by_role("listitem").first.text_content() == ": ".join(changes.lost[0])
    chart = page.get_by_role("img", name="Protected hosts: 15 % on 2026-10-26")
    assert chart.bounding_box()["width"] > 600
    assert chart.locator("polygon").count() == 3
    assert page.get_by_role("table", name="Coverage").get_by_role("row").count() == 0
    page.get_by_text("All 31 reports").click()
    assert page.get_by_role("table", name="Coverage").get_by_role("row").count() == 32


def test_a_report_without_a_past_has_neither_changes_nor_coverage(show):
    page = show(fleet_with(3))
    assert page.locator("#changes-heading, #coverage-heading").count() == 0
    assert page.get_by_role("img").count() == 0


def released_fleet(answers, path="releases/CVE-2026-0001/release.yml"):
    return fleet_of(answers, read_releases([Source("a release", synthetic.release(0), path)]), synthetic.NOW)


ROLLOUT = (
    "ansible-playbook openeuler.livepatch.rollout -e livepatch_release_file=releases/CVE-2026-0001/release.yml "
    "-e livepatch_hosts="
)


def test_the_next_step_is_a_command_to_copy(show):
    bare = Answer(synthetic.host_facts(synthetic.KERNELS[0], [], []))
    page = show(released_fleet({"web-1": bare, "web-2": bare, "a b;c": bare, "silent": Answer()}))
    assert page.locator("#list > div .step").count() == 0
    choose(page, "status", "is:not_applied")
    assert page.locator("#list > div .step").text_content() == "Next: Roll the release out to the host."
    page.get_by_role("searchbox").fill("web")
    assert page.locator("#list > div code").text_content() == f"{ROLLOUT}web-1,web-2"
    page.get_by_role("searchbox").fill("")
    page.get_by_role("button", name="web-2").click()
    assert page.locator(".detail code").text_content() == f"{ROLLOUT}web-2"
    page.get_by_role("button", name="a b;c").click()
    assert page.locator(".detail code").count() == 1
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    button = page.locator(".detail").get_by_role("button", name="Copy")
    button.click()
    expect(page.locator(".detail .copy")).to_have_text("Copied")
    assert page.evaluate("navigator.clipboard.readText()") == f"{ROLLOUT}web-2"
    assert page.evaluate("getSelection().toString()") == f"{ROLLOUT}web-2"


def test_a_patch_on_trial_is_to_be_accepted(show):
    fine = synthetic.patch("CVE-2026-0001", synthetic.KERNELS[0], boot="trial")
    page = show(released_fleet({"web-1": Answer(synthetic.host_facts(synthetic.KERNELS[0], [fine], []))}))
    assert page.locator("#list > div code").text_content() == (
        "ansible web-1 -b -m openeuler.livepatch.livepatch_module "
        f"-a 'name={synthetic.patch_name('CVE-2026-0001')} state=enabled boot=accepted'"
    )


def test_no_command_names_too_many_hosts(show):
    bare = Answer(synthetic.host_facts(synthetic.KERNELS[0], [], []))
    for hosts, commands in ((100, 1), (101, 0)):
        page = show(released_fleet({f"web-{at}": bare for at in range(hosts)}))
        assert page.locator("#list > div .step").count() == 1
        assert page.locator("#list > div code").count() == commands


def test_sorting(show):
    fleet = fleet_with(200)
    page = show(fleet)
    ages = {host.name: host.age for host in fleet.hosts}
    places = {host.name: statuses.PLACE[host.headline] for host in fleet.hosts}

    def heading(name):
        return page.locator("#table").get_by_role("columnheader", name=name)

    expect(heading("Status")).to_have_attribute("aria-sort", "ascending")
    assert [places[name] for name in names(page)] == sorted(places.values())[:ON_A_PAGE]
    heading("Host").get_by_role("button").click()
    assert names(page) == sorted(ages)[:ON_A_PAGE]
    heading("Host").get_by_role("button").click()
    assert names(page) == sorted(ages, reverse=True)[:ON_A_PAGE]
    expect(heading("Host")).to_have_attribute("aria-sort", "descending")
    assert page.locator("[aria-sort]").count() == 1
    heading("Age").get_by_role("button").click()
    oldest = sorted((age for age in ages.values() if age is not None), reverse=True)
    found = [ages[name] for name in names(page)]
    unknown = found.count(None)
    assert found[:unknown] == [None] * unknown
    assert found[unknown:] == oldest[: ON_A_PAGE - unknown]


def test_names_are_sorted_as_people_do(show):
    answers = {name: Answer() for name in ("web-10", "web-9", "web-100")}
    page = show(fleet_of(answers, (), synthetic.NOW))
    assert names(page) == ["web-9", "web-10", "web-100"]


def test_pages(show):
    page = show(fleet_with(200))
    following = page.get_by_role("button", name="Next")
    first = names(page)
    following.focus()
    page.keyboard.press("Enter")
    assert page.locator("#page").text_content() == "Page 2 of 2"
    assert not set(first).intersection(names(page))
    expect(following).to_be_focused()
    expect(following).to_have_attribute("aria-disabled", "true")
    page.keyboard.press("Enter")
    assert page.locator("#page").text_content() == "Page 2 of 2"
    page.get_by_role("button", name="Previous").click()
    assert names(page) == first
    page.get_by_role("searchbox").fill("web-0001")
    expect(page.get_by_role("navigation")).to_be_hidden()


def test_stacks_have_the_live_patch_on_top(show):
    page = show(stacked_fleet())
    page.get_by_role("button", name="web-0001").click()
    figures = page.get_by_role("figure")
    first = synthetic.patch_name("CVE-2026-0001")
    layers = [figures.nth(place).get_by_role("listitem").all_text_contents() for place in range(3)]
    assert layers == [
        ["livelivepatch_newer", f"covered{first}", "replacedoriginal"],
        [f"live{first}", "replacedoriginal"],
        [f"not live{first}", "replacedoriginal"],
    ]
    assert figures.locator("figcaption").all_text_contents() == [
        "vmlinux/tcp_ack",
        "nf_tables/nft_set_destroy,2",
        "xfs/xfs_readdir",
    ]
    tops = [box["y"] for box in (layer.bounding_box() for layer in figures.first.get_by_role("listitem").all())]
    assert tops == sorted(tops)
    detail = page.locator(".detail").text_content()
    assert "The kernel has had a warning since it booted." in detail
    assert "livepatch_newer: enabled, effective, on trial" in detail
    assert "The facts are 2 minutes old." in detail


def test_it_is_used_with_the_keyboard_alone(show):
    page = show(stacked_fleet())

    def focused():
        return page.evaluate("document.activeElement.textContent || document.activeElement.id")

    def outline():
        return page.evaluate("getComputedStyle(document.activeElement).outlineStyle")

    page.keyboard.press("Tab")
    assert (focused(), outline()) == ("To the hosts", "solid")
    assert page.locator(".skip").bounding_box()["x"] >= 0
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    assert focused() == "by-text"
    page.keyboard.type("web")
    assert shown(page) == '1 of 1 host (text "web")'
    for _number in range(20):
        page.keyboard.press("Tab")
        assert outline() == "solid"
        if focused() == "web-0001":
            break
    page.keyboard.press("Enter")
    button = page.get_by_role("button", name="web-0001")
    expect(button).to_have_attribute("aria-expanded", "true")
    expect(page.locator(f"#{button.get_attribute('aria-controls')}")).to_be_visible()
    page.keyboard.press("Space")
    expect(button).to_have_attribute("aria-expanded", "false")
    assert page.locator(".detail").count() == 0


def test_a_screen_reader_finds_its_way(show):
    page = show(fleet_with(200))
    for role in ("banner", "main", "search", "navigation", "status"):
        assert page.get_by_role(role).count() == 1, role
    levels = page.evaluate("[...document.querySelectorAll('h1, h2, h3')].map((heading) => Number(heading.tagName[1]))")
    assert levels[0] == 1
    assert set(levels[1:]) == {2}
    for table in ("Fixes", "CVEs", "Kernels", "Groups", "Hosts"):
        found = page.get_by_role("table", name=table)
        assert found.get_by_role("columnheader").count() >= 6
        assert found.get_by_role("rowheader").count() >= 3
    assert page.get_by_role("button", name="not applied").first.is_visible()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("screen", [{}, NARROW], ids=["wide", "narrow"])
def test_axe_finds_nothing(show, scheme, screen):
    page = show(fleet_with_a_past(), color_scheme=scheme, **screen)
    for summary in page.locator("summary").all():
        summary.click()
    page.get_by_role("searchbox").fill("livepatch_local")
    page.locator(".open").first.click()
    assert page.get_by_role("figure").count()
    found = Axe().run(
        page, options={"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]}
    )
    assert found.violations_count == 0, found.generate_report()
    (checked,) = [rule for rule in found.response["passes"] if rule["id"] == "color-contrast"]
    assert len(checked["nodes"]) > 20


def test_dark_mode(show):
    colours = (
        "[document.body, document.querySelector('.counts li')].map((box) => getComputedStyle(box).backgroundColor)"
    )
    light = show(fleet_with(3), color_scheme="light").evaluate(colours)
    dark = show(fleet_with(3), color_scheme="dark").evaluate(colours)

    def brightness(colour):
        return sum(int(part) for part in colour.removeprefix("rgb(").removesuffix(")").split(",")) / 3

    assert all(brightness(colour) > 240 for colour in light)
    assert all(brightness(colour) < 50 for colour in dark)


def test_print_has_all_filtered_hosts_and_no_controls(show):
    fleet = fleet_with(200)
    page = show(fleet)
    choose(page, "status", "is:protected")
    count_rows = "window.printed = document.querySelectorAll('#table tbody tr').length"
    page.evaluate(f"addEventListener('beforeprint', () => {{ {count_rows}; }})")
    assert page.pdf(format="A4").startswith(b"%PDF")
    protected = fleet.tally().headlines["protected"]
    assert protected > ON_A_PAGE
    assert page.evaluate("window.printed") == protected
    assert len(names(page)) == ON_A_PAGE
    page.emulate_media(media="print", color_scheme="dark")
    for selector in (".controls", ".pager", ".skip", ".sort >> nth=0"):
        expect(page.locator(selector)).to_be_hidden()
    expect(page.locator(".shown")).to_be_visible()
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"


def test_without_javascript_the_summary_is_there(show):
    page = show(fleet_with(200), java_script_enabled=False)
    expect(page.locator(".answer")).to_contain_text("of 200 hosts are protected")
    for table in ("Fixes", "CVEs", "Kernels", "Groups"):
        expect(page.get_by_role("table", name=table)).to_be_visible()
    expect(page.locator("noscript p")).to_contain_text("needs JavaScript")
    assert page.locator("noscript p").bounding_box()["height"] > 0
    assert page.get_by_role("button").count() == 0


HOSTILE = (
    "<img src=x onerror=alert(1)>",
    "</script><script>alert(2)</script>",
    "<!--<script>",
    "&lt;b&gt;",
    "]]>'\"`${alert(3)}",
    "javascript:alert(4)",
)


def test_hostile_names_are_text(show):
    answers = {
        name: Answer(
            synthetic.host_facts(
                name,
                [synthetic.patch("any", name, name=name)],
                [{"object": name, "name": name, "sympos": 1, "stack": [name, name], "live": name}],
                disagreements=[name],
            )
        )
        for name in HOSTILE
    }
    releases = [
        (
            name,
            synthetic.release(0, {"fix": {"id": name, "title": name, "severity": name, "cves": [name]}, "name": name}),
        )
        for name in HOSTILE
    ]
    page = show(fleet_of(answers, read_releases(releases), synthetic.NOW))
    assert sorted(names(page)) == sorted(HOSTILE)
    for button in page.locator(".open").all():
        button.click()
    for name in HOSTILE:
        choose(page, "fix", name)
    for name in HOSTILE:
        choose(page, "kernel", name)
        assert names(page) == [name]
        assert page.locator("figcaption").text_content() == f"{name}/{name}"
    assert page.locator("img, b, body script:not([type]) ~ *").count() == 0
    assert page.locator("script").count() == 2


def test_the_policy_stops_what_gets_in_nevertheless(browser, tmp_path):
    file = tmp_path / "report.html"
    sly = '<script>window.hacked = 1</script><img src="x" onerror="window.hacked = 2"><p style="color: red" id="p">'
    file.write_text(as_html(fleet_with(3)).replace("<main>", f"<main>{sly}"), encoding="utf-8")
    page = browser.new_page()
    page.goto(file.as_uri())
    assert page.evaluate("typeof window.hacked") == "undefined"
    assert page.evaluate("getComputedStyle(document.getElementById('p')).color") != "rgb(255, 0, 0)"
    blocked = page.evaluate(
        """async () => {
          const directives = [];
          addEventListener("securitypolicyviolation", (event) => directives.push(event.effectiveDirective));
          const script = document.createElement("script");
          script.textContent = "window.hacked = 2";
          document.body.append(script);
          const image = document.createElement("img");
          image.src = "https://example.org/";
          await fetch("https://example.org/").catch(() => {});
          await new Promise((done) => setTimeout(done, 100));
          return [typeof window.hacked, ...directives.sort()];
        }"""
    )
    assert blocked == ["undefined", "connect-src", "img-src", "script-src-elem"]
    page.close()
