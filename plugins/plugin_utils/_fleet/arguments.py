# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise is made to code outside of it.

"""The arguments of `livepatch_report`."""

from __future__ import annotations

import typing as t

REPORT_FORMATS = ("json", "prometheus", "csv", "html")
VEX_FORMATS = ("openvex", "csaf")
"""Those that state how hosts stand with vulnerabilities: a publisher is needed, and releases."""

LIVEPATCH_REPORT: dict[str, t.Any] = {
    "argument_spec": {
        "dest": {"type": "path", "required": True},
        "formats": {
            "type": "list",
            "elements": "str",
            "choices": [*REPORT_FORMATS, *VEX_FORMATS],
            "default": list(REPORT_FORMATS),
        },
        "hosts": {"type": "list", "elements": "str"},
        "host_variables": {"type": "list", "elements": "str", "default": []},
        "product": {"type": "str", "choices": ["host", "package"], "default": "host"},
        "publisher": {
            "type": "dict",
            "options": {
                "name": {"type": "str"},
                "namespace": {"type": "str"},
            },
        },
        "releases": {"type": "list", "elements": "raw", "default": []},
        "registered": {"type": "str"},
        "previous": {"type": "path"},
        "history": {"type": "path"},
        "max_age": {"type": "float", "default": 86400},
        "now": {"type": "str"},
    },
}
