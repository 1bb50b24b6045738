# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise is made to code outside of it.

"""Keeps Ansible from rendering text of hosts and files as templates."""

from __future__ import annotations

import typing as t
from collections.abc import Mapping

from ansible.utils.unsafe_proxy import wrap_var


def as_data(value: t.Any) -> t.Any:
    """The same value, whose texts Ansible never renders.

    ansible-core 2.19 and later renders only text that is marked as trusted, and this removes that mark. Older versions
    render all text that is not marked as unsafe, also what a filter returns for variables of other hosts.
    """
    return wrap_var(_plain(value))


def _plain(value: t.Any) -> t.Any:
    """The same value in plain containers: those that ansible-core 2.19 hands to filters render their content later."""
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return value
