# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise is made to code outside of it.

"""Whether a host has the release's build of a patch. Pure functions."""

from __future__ import annotations

import typing as t

from ansible_collections.openeuler.livepatch.plugins.module_utils._model.snapshot import Identity
from ansible_collections.openeuler.livepatch.plugins.plugin_utils._fleet import statuses as words
from ansible_collections.openeuler.livepatch.plugins.plugin_utils._fleet.facts import Facts, Patch
from ansible_collections.openeuler.livepatch.plugins.plugin_utils._fleet.reader import Reader
from ansible_collections.openeuler.livepatch.plugins.plugin_utils._fleet.releases import File, Release

SAME, DIFFERENT, UNKNOWN = "same", "different", "unknown"
OTHER_BUILD = "The loaded patch is a different build than the release's."
UNKNOWN_BUILD = "Whether the loaded patch is the release's build cannot be told."


class Marked(t.Protocol):
    """What has the marks of a build: a loaded patch, or a file of a release."""

    @property
    def sha256(self) -> str | None:
        """The digest of the whole file."""

    @property
    def build_id(self) -> str | None:
        """The identifier that the linker wrote."""

    @property
    def srcversion(self) -> str | None:
        """What modpost made of the sources."""


NO_BUILD = Identity()


def read_build(data: Reader) -> Identity:
    """The marks in the data. Raises DataError."""
    return Identity(**{mark: data.text_or_none(mark) for mark in ("sha256", "build_id", "srcversion")})


def build_of(marked: Marked | None) -> Identity:
    """The marks of a patch or of a file, none for `None`."""
    return Identity(marked.build_id, marked.srcversion, marked.sha256) if marked else NO_BUILD


def compare(one: Marked, other: Marked) -> str:
    """`same`, `different` or, where the two have no mark in common, `unknown`."""
    return build_of(one).compare(build_of(other))


def flaw_of(loaded: Marked, released: Marked) -> str:
    """Why the loaded patch does not count as the build of the release, as a sentence; empty if it does."""
    return {SAME: "", DIFFERENT: OTHER_BUILD, UNKNOWN: UNKNOWN_BUILD}[compare(loaded, released)]


def drift(release: Release, facts: Facts, file: File | None, patch: Patch | None) -> dict[str, str]:
    """Whether the host has a different build than the release, or may have, as a status with a sentence."""
    if patch and file is None:
        why = release.why_no_file(facts.release, facts.machine, facts.kernel_build_id)
        return {words.DRIFTED: f"{patch.name} is loaded. {why}"}
    if patch and file:
        relation = compare(patch, file)
        if relation == DIFFERENT:
            return {words.DRIFTED: f"The loaded {patch.name} is a different build than the release's."}
        if relation == UNKNOWN and patch.enabled:
            return {words.DRIFTED: f"Whether the loaded {patch.name} is the release's build cannot be told."}
    for stored in facts.accepted:
        is_next = stored.name == release.name and stored.release == facts.release
        if is_next and file and stored.sha256 and file.sha256 and stored.sha256.lower() != file.sha256.lower():
            return {words.DRIFTED: f"The next boot loads a different build of {stored.name} than the release's."}
    return {}
