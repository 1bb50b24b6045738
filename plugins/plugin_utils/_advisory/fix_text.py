# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise is made to code outside of it.
"""The text of a fix.yml that begins with what an advisory says."""

from __future__ import annotations

from ansible_collections.openeuler.livepatch.plugins.plugin_utils._advisory.advisory import Advisory
from ansible_collections.openeuler.livepatch.plugins.plugin_utils._yaml_text import yaml_text

FILE_NAME = "fix.yml"

_HEAD = """\
# Made by the playbook openeuler.livepatch.advisory. What is marked as !unsafe is not rendered as a template.
# Fill in what is commented at the end, then build it: ansible-playbook openeuler.livepatch.build -e @fix.yml
---
"""

_TAIL = """\

# The source patches that fix this, beside this file. Remove the comment signs, and write their names:
# livepatch_build_patches: [0001-fix.patch]

# The kernels that your hosts run and that need the live patch, as uname -r prints them:
# livepatch_build_kernels:
#   - release: KERNEL
#     host: BUILD_HOST
"""


def fix_text(advisory: Advisory) -> str:
    """The content of the file: the fix, the kernels that have it, and in comments what only the operator knows."""
    fix = {"id": advisory.id, "title": advisory.title, "severity": advisory.severity, "cves": list(advisory.cves)}
    data = {"livepatch_build_fix": fix, "livepatch_build_fixed_in": list(advisory.fixed_in)}
    return f"{_HEAD}{yaml_text(data)}{_TAIL}"
