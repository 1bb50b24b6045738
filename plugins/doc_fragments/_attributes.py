# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise is made to code outside of it.

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options: {}
attributes:
  check_mode:
    description: Can run in C(check_mode) and return the changed status prediction without modifying the target.
    support: full
  diff_mode:
    description: Returns details on what has changed, or would change in C(check_mode), when in diff mode.
    support: full
  idempotent:
    description: When run twice in a row outside check mode, with the same arguments, the second run makes no change.
    support: full
  platform:
    description: Target operating systems.
    support: full
    platforms: linux
"""

    FACTS = r"""
options: {}
attributes:
  facts:
    description: Action returns an C(ansible_facts) dictionary that will update existing host facts.
    support: full
"""

    ATTRIBUTES_GROUP = r"""
options: {}
attributes:
  action_group:
    description:
      - Use C(group/openeuler.livepatch.livepatch_attributes) in C(module_defaults) to set defaults for the modules that
        write a file on a host. All of them have O(attributes), O(group), O(mode), O(owner), O(selevel), O(serole),
        O(setype), O(seuser) and O(unsafe_writes).
    support: full
    membership:
      - openeuler.livepatch.livepatch_attributes
"""

    SRC_GROUP = r"""
options: {}
attributes:
  action_group:
    description:
      - Use C(group/openeuler.livepatch.livepatch_src) in C(module_defaults) to set defaults for the modules that read a
        patch file. All of them have O(remote_src) and O(src).
    support: full
    membership:
      - openeuler.livepatch.livepatch_src
"""

    FIX = r"""
options:
  fix:
    description:
      - What the patch fixes, for people and for reports. Nothing is decided by it.
      - M(openeuler.livepatch.livepatch_build) writes it into the manifest beside the patch file, also where that file
        is built already. M(openeuler.livepatch.livepatch_module) takes it from there if the task does not say it.
      - M(openeuler.livepatch.livepatch_module) notes it on the host, with the patch and with what the next boots load,
        for M(openeuler.livepatch.livepatch_facts). Nothing is noted of patches that others have loaded.
      - Another text than the one that is noted is a change. Without this option what is noted stays.
      - A text has at most 1000 characters, on one line, and a fix at most 1000 CVEs.
    type: dict
    suboptions:
      id:
        description: What the fix is called.
        type: str
        required: true
      title:
        description: What it fixes, in a sentence.
        type: str
      severity:
        description: How severe that is, in your words.
        type: str
      cves:
        description: The CVEs that it fixes.
        type: list
        elements: str
"""
