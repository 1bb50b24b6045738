# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The filter livepatch_numbers, which is private to the roles. `_model/bounds.py` has the bounds."""

from __future__ import annotations

import typing as t

from ansible_collections.openeuler.livepatch.plugins.module_utils._model.bounds import bad_numbers
from ansible_collections.openeuler.livepatch.plugins.plugin_utils._untrusted import as_data


def livepatch_numbers(values: dict[str, t.Any], role: str) -> list[str]:
    """A sentence for each variable of the role that is out of its bounds. Ansible does not render them."""
    return t.cast(list[str], as_data(bad_numbers(role, values)))


class FilterModule:
    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"livepatch_numbers": livepatch_numbers}
