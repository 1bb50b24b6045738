# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise is made to code outside of it.

"""What a rollout reads of a host's facts."""

from __future__ import annotations

from dataclasses import dataclass

from ansible_collections.openeuler.livepatch.plugins.module_utils._model.snapshot import Identity
from ansible_collections.openeuler.livepatch.plugins.plugin_utils._fleet.builds import NO_BUILD, read_build
from ansible_collections.openeuler.livepatch.plugins.plugin_utils._fleet.facts import (
    build_id_of,
    is_live,
    is_release_certain,
    unfinished_of,
)
from ansible_collections.openeuler.livepatch.plugins.plugin_utils._fleet.reader import Reader
from ansible_collections.openeuler.livepatch.plugins.plugin_utils._fleet.releases import Release, kernel_name
from ansible_collections.openeuler.livepatch.plugins.plugin_utils._rollout.results import Result, mapping

UNKNOWN = "unknown"
"""Of `effective`: the facts do not tell it."""


@dataclass(frozen=True)
class Baseline:
    """A host before a rollout changed it.

    `disabled` says whether the release's build was loaded and disabled, `trouble` what trouble the kernel had had.
    """

    disabled: bool = False
    trouble: tuple[str, ...] = ()


NO_BASELINE = Baseline()


@dataclass(frozen=True)
class Facts:
    """What a rollout needs of a host's facts.

    `effective` is `None` if the patch is not loaded, UNKNOWN if the facts do not tell it, `trouble_since` if nobody
    can tell what the kernel has had since the patch was proven. `unfinished` is a sentence on a run that changes the
    patch and has not ended.
    """

    kernel: str
    machine: str
    build_id: str | None
    baseline: Baseline
    effective: str | None
    is_in_transition: bool
    trouble_since: tuple[str, ...] | None = ()
    is_kernel_certain: bool = True
    build: Identity = NO_BUILD
    unfinished: str = ""


def _facts_in(read: Result) -> Reader:
    return Reader(mapping(read.inner("ansible_facts").get("ansible_livepatch")), "ansible_facts.livepatch")


def on_this_host(read: Result, release: Release) -> Release:
    """The release with the name that its patch has for the host's kernel."""
    facts = _facts_in(read)
    return release.on(facts.text_or_none("release") or "", facts.text_or_none("machine") or "")


def read_facts(read: Result, patch_name: str) -> Facts:
    facts = _facts_in(read)
    name, run = kernel_name(patch_name), unfinished_of(facts)
    patch = next((patch for patch in facts.each("patches") if patch.text("name") == name), None)
    disabled = patch is not None and not patch.flag("enabled")
    return Facts(
        kernel=facts.text_or_none("release") or "",
        machine=facts.text_or_none("machine") or "",
        build_id=build_id_of(facts),
        baseline=Baseline(disabled, facts.texts("trouble")),
        effective=_effect_of(patch) if patch else None,
        is_in_transition=bool(patch and patch.flag("in_transition", False)),
        trouble_since=patch.texts_if_known("trouble_since") if patch else (),
        is_kernel_certain=is_release_certain(facts),
        build=read_build(patch.inner("identity")) if patch else NO_BUILD,
        unfinished=run.why if run and run.concerns(name) else "",
    )


def _effect_of(patch: Reader) -> str:
    """`full` if it is live on all that is loaded: a module that is loaded later gets the fix then."""
    return "full" if is_live(patch) else patch.text_or_none("effective") or UNKNOWN
