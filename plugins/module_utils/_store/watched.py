# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise is made to code outside of it.

"""Where a change that is watched writes its progress on a host."""

from __future__ import annotations

import typing as t

from ansible_collections.openeuler.livepatch.plugins.module_utils._store.copies import DIRECTORY
from ansible_collections.openeuler.livepatch.plugins.module_utils._system import progress
from ansible_collections.openeuler.livepatch.plugins.module_utils._system.durable import make_directory
from ansible_collections.openeuler.livepatch.plugins.module_utils._system.files import Files


def reporter_of(files: Files, identifier: str) -> progress.Reporter:
    """The reporter of the job of this identifier; one that tells nobody without root, or without room."""
    try:
        make_directory(files, DIRECTORY)
    except OSError:
        return progress.Reporter()
    return progress.reporter_of(files.path(DIRECTORY), identifier)


def news_of(files: Files, job: t.Mapping[str, t.Any]) -> progress.Plain:
    """What the job has told, see `progress.watch`."""
    return progress.watch(files.path(DIRECTORY), job)
