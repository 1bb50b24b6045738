#!/usr/bin/python

# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: livepatch_advisory
short_description: Read a vendor's advisory, and compare hosts with it
version_added: 1.0.0
description:
  - Reads the advisory of a kernel as openEuler, Red Hat and SUSE publish it, in the Common Security Advisory Framework (CSAF) 2.0.
  - Writes the beginning of a C(fix.yml) for the role P(openeuler.livepatch.build#role). What only you know is a comment there.
  - Says which hosts have a kernel that the advisory names as fixed, which have a live patch with the fix, and which need one.
  - The texts of an advisory are data. Ansible renders no template in them, and no path is made of them.
  - Runs on the controller and connects to no host. So it names hosts that cannot be reached.
  - R(The guide, ansible_collections.openeuler.livepatch.docsite.advisory) describes what it compares.
requirements:
  - Python 3.10 or later on the controller
  - python3-rpm on the controller, to compare different versions of packages
author:
  - openeuler.livepatch contributors (!UNKNOWN)
extends_documentation_fragment:
  - openeuler.livepatch._attributes
options:
  source:
    description:
      - The path of a CSAF document on the controller, or its C(https) URL. A relative path starts at the current directory.
      - The controller fetches a URL with the proxies and certificates that Ansible uses. It follows at most five redirects, each to
        C(https). A document has at most 16 MiB, and 30 seconds to arrive.
    type: str
    required: true
  dest:
    description:
      - Where the C(fix.yml) is written on the controller, a path, or a directory that gets a C(fix.yml). A path that ends with a slash is
        a directory, and the module creates it.
      - Without it nothing is written.
    type: path
  overwrite:
    description: Whether a file is replaced that has other content. It may be one that you have filled in.
    type: bool
    default: false
  hosts:
    description:
      - The hosts to compare with the advisory, by their facts of M(openeuler.livepatch.livepatch_facts).
    type: list
    elements: str
    default: []
  registered:
    description:
      - The name of the variable that the hosts' task M(openeuler.livepatch.livepatch_facts) was registered in.
      - The module takes from it why a host could not be read. Without it, facts of a cache count as if they were new.
    type: str
seealso:
  - module: openeuler.livepatch.livepatch_facts
  - module: openeuler.livepatch.livepatch_report
"""

EXAMPLES = r"""
- name: Read the live patches of all hosts
  openeuler.livepatch.livepatch_facts:
  register: livepatch_read
  ignore_unreachable: true

- name: Compare the hosts with the advisory
  openeuler.livepatch.livepatch_advisory:
    source: advisory.json
    dest: fix.yml
    hosts: "{{ ansible_play_hosts_all }}"
    registered: livepatch_read
  run_once: true
  register: compared

- name: Show the kernels to build a live patch for
  ansible.builtin.debug:
    var: compared.kernels
  run_once: true
"""

RETURN = r"""
advisory:
  description: What the advisory says of kernels.
  returned: success
  type: dict
  contains:
    id:
      description: Its id.
      returned: always
      type: str
      sample: openEuler-SA-2026-0001
    title:
      description: Its title; empty if it has none.
      returned: always
      type: str
      sample: An update for kernel is now available for openEuler-24.03-LTS
    severity:
      description: How severe it is, in the vendor's words, or by the gravest score; empty if it does not say.
      returned: always
      type: str
      sample: High
    publisher:
      description: Who has published it.
      returned: always
      type: str
      sample: openEuler
    cves:
      description: The CVEs of kernels in it.
      returned: always
      type: list
      elements: str
      sample: [CVE-2026-0001]
    fixed_in:
      description: The kernels that have the fix, as C(uname -r) prints them.
      returned: always
      type: list
      elements: str
      sample: [6.6.0-40.0.0.46.oe2403.x86_64]
    kernels:
      description: The packages of these kernels.
      returned: always
      type: list
      elements: dict
      contains:
        release:
          description: The kernel, as C(uname -r) prints it.
          returned: always
          type: str
          sample: 6.6.0-40.0.0.46.oe2403.x86_64
        package:
          description: The package.
          returned: always
          type: str
          sample: kernel-6.6.0-40.0.0.46.oe2403.x86_64
        product:
          description: The product that it is for.
          returned: always
          type: str
          sample: openEuler-24.03-LTS
        machine:
          description: The architecture.
          returned: always
          type: str
          sample: x86_64
hosts:
  description: How each host stands, in the order of O(hosts).
  returned: success
  type: list
  elements: dict
  contains:
    name:
      description: The host.
      returned: always
      type: str
      sample: web1
    status:
      description:
        - V(needs_live_patch) if its kernel has a CVE that no live patch fixes. V(affected) if the kernel does not support live patching
          besides.
        - V(unknown) if that cannot be told.
        - V(fixed_by_live_patch) if live patches fix all CVEs of the advisory, V(fixed_by_package) if the kernel has the fix, V(not_affected)
          if the advisory says so.
      returned: always
      type: str
      sample: needs_live_patch
    why:
      description: Why, in a sentence.
      returned: always
      type: str
      sample: The kernel 6.6.0-28.0.0.34.oe2403.x86_64 is older than 6.6.0-40.0.0.46.oe2403.x86_64.
    kernel:
      description: The kernel that it runs; V(null) if that is not known.
      returned: always
      type: str
      sample: 6.6.0-28.0.0.34.oe2403.x86_64
    affected:
      description: Whether this kernel has a CVE of the advisory, with live patches or without; V(null) if that cannot be told.
      returned: always
      type: bool
      sample: true
    covered_cves:
      description: The CVEs that live patches fix.
      returned: always
      type: list
      elements: str
      sample: []
    open_cves:
      description: The CVEs that nothing fixes, or of which that cannot be told.
      returned: always
      type: list
      elements: str
      sample: [CVE-2026-0001]
summary:
  description: For each status, the number of hosts that have it.
  returned: success
  type: dict
  sample: {needs_live_patch: 1, affected: 0, unknown: 0, fixed_by_live_patch: 2, fixed_by_package: 5, not_affected: 0}
kernels:
  description: The kernels of the hosts that need a live patch.
  returned: success
  type: list
  elements: str
  sample: [6.6.0-28.0.0.34.oe2403.x86_64]
fix_file:
  description: What became of the file.
  returned: when O(dest) is given
  type: dict
  contains:
    path:
      description: Its path.
      returned: always
      type: str
      sample: /srv/releases/CVE-2026-0001/fix.yml
    state:
      description:
        - V(created), V(replaced), or V(unchanged).
        - V(kept) if a file with other content is there, and O(overwrite) is not set.
      returned: always
      type: str
      sample: created
reason:
  description:
    - A stable key of why it failed. One of V(bad_argument), V(no_such_advisory), V(not_fetched), V(advisory_too_big), V(bad_advisory),
      V(no_products), V(no_kernel), V(not_written), V(unknown_host).
  returned: failure
  type: str
  sample: no_kernel
cause:
  description: Why it failed, in one sentence.
  returned: failure
  type: str
  sample: The advisory is about no package of a kernel.
remedy:
  description: What to do about it, in one sentence.
  returned: failure
  type: str
  sample: Give the advisory of a kernel, a security advisory or a VEX document.
"""
