# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise is made to code outside of it.
"""Pure: the facts of a host as somebody reads them who has logged in there."""

from __future__ import annotations

import typing as t

from ansible_collections.openeuler.livepatch.plugins.module_utils._manage.facts import is_known
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.fix import fix_in
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.text import one_line

Plain = t.Dict[str, t.Any]

_OF_PATCHES = ("name", "enabled", "in_transition", "effective", "forced", "boot", "reboot_required", "fix")
_OF_BOOT = ("installed", "accepted", "quarantined", "lost", "unclean_ends", "nothing", "results")
_OF_HOST = (
    "release",
    "abi",
    "supported",
    "why_unsupported",
    "reboot_required",
    "trouble",
    "undecided",
    "disagreements",
)

NOT_KNOWN = "Which patches are loaded, enabled and live cannot be told."

_EFFECTS = {
    "full": "enabled, all of its functions are live",
    "partial": "enabled, not all of its functions are live",
    "none": "enabled, none of its functions is live",
}


def listed(facts: Plain) -> Plain:
    """The part of the facts that tells which fixes a host has, with the keys of livepatch_facts."""
    return {
        **{key: facts[key] for key in _OF_HOST},
        "patches": [{key: patch[key] for key in _OF_PATCHES} for patch in facts["patches"]],
        "boot": {key: facts["boot"][key] for key in _OF_BOOT},
    }


def listing(facts: Plain) -> t.Iterator[str]:
    """The same in lines for a terminal."""
    yield f"kernel {one_line(facts['release'])}"
    if not is_known(facts):
        yield NOT_KNOWN
    boot, names = facts["boot"], {patch["name"] for patch in facts["patches"]}
    for patch in facts["patches"]:
        yield from _of_patch(patch["name"], _state(patch), patch["fix"], _next_boot(patch, boot))
    for entry in boot["accepted"]:
        if entry["name"] not in names:
            loads = _loads(boot, entry["name"], is_loaded=False)
            yield from _of_patch(entry["name"], "not loaded", entry["fix"], loads)
    for entry in boot["quarantined"]:
        if entry["name"] not in names:
            yield from _of_patch(entry["name"], "not loaded", None, f"in quarantine. {entry['why']}")
    for entry in boot["lost"]:
        yield from _of_patch(
            entry["name"], f"accepted for the kernel {entry['release']}", entry["fix"], "not with this kernel"
        )
    if not (names or boot["accepted"] or boot["quarantined"] or boot["lost"]):
        yield "no live patches"
    if boot["nothing"]:
        yield one_line(f"This boot has loaded nothing. {boot['nothing']}")
    if facts["reboot_required"]:
        yield "A reboot is required."


def _of_patch(name: str, state: str, fix: t.Any, next_boot: str) -> t.Iterator[str]:
    yield ""
    yield one_line(f"{name}: {state}")
    known = fix_in(fix)
    if known:
        yield one_line(f"  fix: {', '.join(filter(None, [str(known), known.severity, known.title]))}")
    else:
        yield "  fix: unknown"
    yield one_line(f"  next boot: {next_boot}")


def _state(patch: Plain) -> str:
    if patch["enabled"] is None:
        return "state unknown"
    if patch["in_transition"]:
        return "in transition"
    if not patch["enabled"]:
        return "disabled"
    state = _EFFECTS.get(patch["effective"], "enabled, which of its functions are live is unknown")
    return f"{state}, by force" if patch["forced"] else state


def _next_boot(patch: Plain, boot: Plain) -> str:
    if patch["boot"] == "quarantined":
        return "in quarantine"
    return _loads(boot, patch["name"]) if patch["boot"] == "accepted" else "without it, it is on trial"


def _loads(boot: Plain, name: str, is_loaded: bool = True) -> str:
    if not boot["installed"]:
        return "accepted, and nothing loads it"
    flaws = [entry["flaw"] for entry in boot["accepted"] if entry["name"] == name and entry["flaw"]]
    if flaws:
        return f"accepted, and cannot be loaded. {flaws[0]}"
    out = [result for result in boot["results"] if result["name"] == name and result["outcome"] != "enabled"]
    return f"loads it. This boot has not: {out[-1]['why']}" if out and not is_loaded else "loads it"
