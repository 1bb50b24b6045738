#!/usr/bin/python

# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: livepatch_release_info
short_description: Read a release on the controller, as data
version_added: 1.0.0
description:
  - Reads the C(release.yml) that the role P(openeuler.livepatch.build#role) has written, and checks that it is complete.
  - Ansible renders no template in the file. In a file that is given with C(-e @release.yml) it would, whoever wrote the file. A
    release in the variable C(livepatch_release) is refused, and its texts are not read.
  - The roles and playbooks of this collection use it for C(livepatch_release_file).
  - Runs on the controller, without a connection to the host.
requirements:
  - Python 3.10 or later on the controller
author:
  - openeuler.livepatch contributors (!UNKNOWN)
extends_documentation_fragment:
  - openeuler.livepatch._attributes
options:
  file:
    description:
      - The path of a C(release.yml) on the controller, or of its folder.
      - A relative path starts at the current directory.
    type: str
  release:
    description:
      - The release itself, in a variable. Give either this or O(file).
    type: dict
"""

EXAMPLES = r"""
- name: Read the release
  openeuler.livepatch.livepatch_release_info:
    file: releases/CVE-2026-0001
  register: read
  run_once: true

- name: Show the kernels that the release has patch files for
  ansible.builtin.debug:
    msg: "{{ read.release.files | map(attribute='kernel_release') }}"
  run_once: true
"""

RETURN = r"""
release:
  description: The release.
  returned: success
  type: dict
  contains:
    format:
      description: The format of the release, V(1).
      returned: always
      type: int
      sample: 1
    fix:
      description: What is fixed.
      returned: always
      type: dict
      contains:
        id:
          description: What the fix is called.
          returned: always
          type: str
          sample: CVE-2026-0001
        title:
          description: What it fixes.
          returned: always
          type: str
          sample: A missing check in the TCP stack
        severity:
          description: How severe that is.
          returned: always
          type: str
          sample: important
        cves:
          description: The CVEs that it fixes.
          returned: always
          type: list
          elements: str
          sample: [CVE-2026-0001]
    name:
      description: Name of the patch module, as the kernel spells it.
      returned: always
      type: str
      sample: livepatch_cve_2026_0001
    supersedes:
      description: The patches that it takes the place of.
      returned: always
      type: list
      elements: str
      sample: [contained]
    fixed_in:
      description: The kernels that do not need it.
      returned: always
      type: list
      elements: str
      sample: [6.6.0-40.0.0.46.oe2403.x86_64]
    end_of_life:
      description: The day from which it is not built for new kernels any more; V(null) if it has none.
      returned: always
      type: str
      sample: "2027-06-30"
    files:
      description: The patch files.
      returned: always
      type: list
      elements: dict
      contains:
        kernel_release:
          description: The kernel that it is built for.
          returned: always
          type: str
          sample: 6.6.0-28.0.0.34.oe2403.x86_64
        machine:
          description: The architecture; V(null) if the release does not tell.
          returned: always
          type: str
          sample: x86_64
        kernel_build_id:
          description: The build-id of that kernel; V(null) if the release does not tell.
          returned: always
          type: str
          sample: 4a5a9b0affb66c437abcd455d2738af879985fa9
        sha256:
          description: Digest of the file.
          returned: always
          type: str
          sample: 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08
        build_id:
          description: Build-id of the patch; V(null) if the release does not tell.
          returned: always
          type: str
          sample: 12ebc946d48d5ba56740ddb2a945b2e050087bb7
        srcversion:
          description: Digest of the sources of the patch; V(null) if the release does not tell.
          returned: always
          type: str
          sample: 533BB7E5866E52F63B9ACCB
        parameters:
          description: What hosts load the patch with, as O(openeuler.livepatch.livepatch_module#module:parameters); V(null) if the release does not tell.
          returned: always
          type: dict
          sample: {verbose: true}
        path:
          description: Its path, relative to RV(directory).
          returned: always
          type: str
          sample: 6.6.0-28.0.0.34.oe2403.x86_64/livepatch_cve_2026_0001.ko
        name:
          description: The name of the patch module for this kernel, if the release has one for each; else V(null).
          returned: always
          type: str
          sample: vmlinux_0d9c1c9e
builds:
  description:
    - What tells the builds of the patch files, for O(openeuler.livepatch.livepatch_module#module:builds). Keys that the release does
      not tell are left out.
  returned: success
  type: list
  elements: dict
  sample: [{build_id: 12ebc946d48d5ba56740ddb2a945b2e050087bb7, sha256: 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08}]
check_mode:
  description:
    - Whether the task ran in check mode, by the command or by a keyword of the task, of its block, role or play.
    - The variable V(ansible_check_mode) tells only what the command says.
  returned: success
  type: bool
  sample: false
directory:
  description: The folder of the file; the current directory for O(release).
  returned: success
  type: str
  sample: /srv/releases/CVE-2026-0001
reason:
  description:
    - Stable key of why it failed. One of V(no_release), V(no_such_release), V(bad_release), V(bad_argument), V(set_by_host).
    - V(set_by_host) is for facts of the host that are named like variables of the collection, like the host's own name, or like a
      function of templates.
  returned: failure
  type: str
  sample: no_such_release
cause:
  description: Why it failed, in a sentence.
  returned: failure
  type: str
  sample: "/srv/release.yml cannot be read: No such file or directory."
remedy:
  description: What to do, in a sentence.
  returned: failure
  type: str
  sample: Give the path of a release.yml on the controller, or of its folder.
"""
