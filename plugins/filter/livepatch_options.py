# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The filter livepatch_options, which is private to the roles."""

from __future__ import annotations

import typing as t

from ansible.errors import AnsibleFilterError
from ansible_collections.openeuler.livepatch.plugins.plugin_utils._own_variables import set_by_host
from ansible_collections.openeuler.livepatch.plugins.plugin_utils._untrusted import as_data


def livepatch_options(options: t.Any, facts: t.Any) -> t.Any:
    """The options, or one of them, to be kept before a host is asked.

    Raises AnsibleFilterError if facts of the host set some.
    """
    finding = set_by_host(facts)
    if finding:
        raise AnsibleFilterError(f"{finding.reason}: {finding}")
    return as_data(options)


class FilterModule:
    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"livepatch_options": livepatch_options}
