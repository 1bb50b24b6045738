# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise is made to code outside of it.

"""Pure: which functions a kernel has added to a patch with the replace flag."""

from __future__ import annotations

import typing as t

from ansible_collections.openeuler.livepatch.plugins.module_utils._model.snapshot import Function, LoadedPatch


def added_functions(
    patch: LoadedPatch, shown: t.Iterable[Function] | None, others: t.Sequence[LoadedPatch]
) -> list[Function]:
    """What the kernel has added to a registered patch: to one with the replace flag, the functions of all others.

    `shown` are those that its file shows. Where that is not known, whatever the others have may have been added, if
    the patch has all of it.
    """
    if shown is not None:
        return sorted(set(patch.functions).difference(shown))
    theirs = sorted({function for other in others for function in other.functions})
    return theirs if set(patch.functions).issuperset(theirs) else []
