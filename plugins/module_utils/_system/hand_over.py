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

_HIDDEN = "********"


def hand_over(arguments: t.Mapping[str, t.Any], values: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    """The arguments of a module, with values of its action plugin."""
    return {**arguments, HANDED_OVER: dict(values)}


class Module(AnsibleModule):
    """A module that has an action plugin. `handed_over` is what that has handed over; empty if it has not.

    `hidden` names options that are dictionaries whose values are in no result and in no log. Ansible's own `no_log`
    would take each value, also one such as `1`, out of every path and digest that the result has.
    """

    handed_over: dict[str, t.Any]
    params: dict[str, t.Any]

    def __init__(self, hidden: t.Sequence[str] = (), **options: t.Any) -> None:
        self._hidden = hidden
        super().__init__(**options)

    def _log_invocation(self) -> None:
        params, self.params = self.params, self._shown()
        try:
            super()._log_invocation()
        finally:
            self.params = params

    def _return_formatted(self, kwargs: dict[str, t.Any]) -> None:
        kwargs.setdefault("invocation", {"module_args": self._shown()})
        super()._return_formatted(kwargs)

    def _shown(self) -> dict[str, t.Any]:
        """The parameters, with the names only of what is hidden. What has no names is hidden as a whole."""
        shown = dict(self.params)
        for option in self._hidden:
            if shown.get(option) is not None:
                value = shown[option]
                shown[option] = dict.fromkeys(value, _HIDDEN) if isinstance(value, dict) else _HIDDEN
        return shown

    def _load_params(self) -> None:
        super()._load_params()
        self.handed_over = self.params.pop(HANDED_OVER, None) or {}
