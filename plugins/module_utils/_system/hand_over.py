# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise is made to code outside of it.

"""How an action plugin hands values to its module that are no options of the task.

They travel with the arguments. The module takes them out before Ansible looks at these: so they are in no
documentation, in no list of supported options, in no result and in no log.
"""

from __future__ import annotations

import typing as t

from ansible.module_utils.basic import AnsibleModule

HANDED_OVER = "_handed_over"
"""The key among the arguments. A task cannot use it: action plugins check the arguments first, and know no such one."""


def hand_over(arguments: t.Mapping[str, t.Any], values: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    """The arguments of a module, with values of its action plugin."""
    return {**arguments, HANDED_OVER: dict(values)}


class Module(AnsibleModule):
    """A module that has an action plugin. `handed_over` is what that has handed over; empty if it has not."""

    handed_over: dict[str, t.Any]

    def _load_params(self) -> None:
        super()._load_params()
        self.handed_over = self.params.pop(HANDED_OVER, None) or {}
