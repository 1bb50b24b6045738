# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise is made to code outside of it.

"""The arguments of `livepatch_file_info`, which its action plugin checks as well."""

from __future__ import annotations

import typing as t

if t.TYPE_CHECKING:
    pass

LIVEPATCH_FILE_INFO: dict[str, t.Any] = {
    "argument_spec": {
        "src": {"type": "path", "required": True},
        "remote_src": {"type": "bool", "default": False},
    },
}
