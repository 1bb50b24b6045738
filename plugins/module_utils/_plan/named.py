# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise is made to code outside of it.

"""Pure: which builds of a patch a task names, by a file or by their marks, and whether one of them is at hand."""

from __future__ import annotations

import typing as t
from dataclasses import replace

from ansible_collections.openeuler.livepatch.plugins.module_utils._model.findings import FindingError
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.parameters import encode

if t.TYPE_CHECKING:
    from ansible_collections.openeuler.livepatch.plugins.module_utils._model.patch_file import PatchFile
    from ansible_collections.openeuler.livepatch.plugins.module_utils._model.request import Build, Wanted
    from ansible_collections.openeuler.livepatch.plugins.module_utils._model.snapshot import Identity


def named_builds(wanted: Wanted, file: PatchFile | None) -> tuple[Identity, ...] | None:
    """The builds that the task names, each with what it is loaded with if the task says that; None if it names none.

    `file` is the one of the build in question, if it is known: it has the types of parameters. A build with parameters
    that this file does not take is left out.
    """
    if wanted.file:
        return (wanted.file.identity,)
    if wanted.builds is None:
        return None
    return tuple(identity for identity in (_identity(build, file) for build in wanted.builds) if identity)


def _identity(build: Build, file: PatchFile | None) -> Identity | None:
    if build.parameters is None or file is None:
        return build.identity
    try:
        return replace(build.identity, loaded_with=encode(file.parameters, build.parameters, file.path))
    except FindingError:
        return None


def relation_to_named(identity: Identity, wanted: Wanted, file: PatchFile | None) -> str:
    """Whether a build is one that the task names: `same`, `different` or, where nothing tells them apart, `unknown`.

    It is where the task names none. Unknown parameters make no difference, nor do unknown marks to the one file that a
    task names.
    """
    named = named_builds(wanted, file)
    if named is None:
        return "same"
    relations = {_relation(identity, build) for build in named}
    if "same" in relations or (wanted.file and "unknown" in relations):
        return "same"
    return "unknown" if "unknown" in relations else "different"


def is_named_with_parameters(identity: Identity, wanted: Wanted, file: PatchFile | None) -> bool:
    """Whether the task names the build with the parameters that it is loaded with."""
    named = named_builds(wanted, file) or ()
    return any(build.loaded_with is not None and _relation(identity, build) == "same" for build in named)


def _relation(identity: Identity, build: Identity) -> str:
    relation = identity.compare_builds(build)
    return identity.compare(build) if relation == "same" and identity.loaded_with is not None else relation
