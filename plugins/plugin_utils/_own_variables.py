# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise is made to code outside of it.

"""Keeps hosts from setting variables of this collection."""

from __future__ import annotations

import re
import typing as t
from collections.abc import Mapping

from ansible import constants
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.findings import Finding
from ansible_collections.openeuler.livepatch.plugins.plugin_utils._fleet.reader import listed, printable

# Those of Ansible that a fact takes the place of say which host it is. Those of Jinja are what templates call.
_NOT_FOR_HOSTS = re.compile(
    r"_*livepatch_|inventory_|(group_names|omit|now|lookup|query|q|undef|range|dict|namespace|cycler|joiner|lipsum)$"
)


def set_by_host(facts: t.Any) -> Finding | None:
    """That facts of a host are named like variables of this collection, like its own name, or as Jinja's; None if not.

    Ansible makes a variable of each fact (INJECT_FACTS_AS_VARS), and any module's answer may have facts. They take
    precedence over the inventory and the defaults of roles: the host would choose, for example, which file on the
    controller a summary is written to, or pose as another one.
    """
    if not constants.INJECT_FACTS_AS_VARS or not isinstance(facts, Mapping):
        return None
    names = sorted(printable(str(name)) for name in facts if _NOT_FOR_HOSTS.match(str(name)))
    if not names:
        return None
    return Finding(
        reason="set_by_host",
        seen=f"The facts of the host set {listed(names)}.",
        why="They would take the place of your variables.",
        remedy="Find out who controls the host, and leave it out. If you have set them yourself, as cacheable facts, "
        "set them in the inventory.",
    )
