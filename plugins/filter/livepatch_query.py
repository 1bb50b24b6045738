# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The filter livepatch_query; its documentation is in livepatch_query.yml."""

from __future__ import annotations

import typing as t
from collections.abc import Mapping, Sequence

from ansible.errors import AnsibleFilterError
from ansible.module_utils.basic import missing_required_lib
from ansible_collections.openeuler.livepatch.plugins.plugin_utils._untrusted import as_data

try:
    import jmespath
except ImportError:
    jmespath = None


def livepatch_query(data: t.Any, expression: str) -> t.Any:
    """The part of the data that the JMESPath expression selects. Raises AnsibleFilterError."""
    if jmespath is None:
        raise AnsibleFilterError(missing_required_lib("jmespath", reason="for the filter livepatch_query"))
    try:
        # Plain texts of hosts would be rendered as templates, where they are kept in a variable.
        return as_data(jmespath.search(_plain(expression), _plain(data)))
    except jmespath.exceptions.JMESPathError as error:
        raise AnsibleFilterError(f"livepatch_query: {error}") from error


def _plain(value: t.Any) -> t.Any:
    """The same value without subclasses: jmespath checks the types of arguments by their names."""
    if isinstance(value, Mapping):
        return {_plain(key): _plain(item) for key, item in value.items()}
    if isinstance(value, str):
        return "".join(value)
    if isinstance(value, Sequence) and not isinstance(value, bytes):
        return [_plain(item) for item in value]
    for kind in (bool, int, float):
        if isinstance(value, kind):
            return kind(value)
    return value


class FilterModule:
    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"livepatch_query": livepatch_query}
