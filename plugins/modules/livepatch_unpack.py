#!/usr/bin/python

# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: livepatch_unpack
short_description: Take live patches out of openEuler's hot patch packages
version_added: 1.0.0
description:
  - Takes the kernel modules out of RPM packages that openEuler publishes for SysCare, and puts each into a directory of its kernel,
    C(KERNEL/NAME.ko). The role P(openeuler.livepatch.build#role) makes a release of them.
  - Packages are read as M(openeuler.livepatch.livepatch_file_info) does. A package with a wrong digest or signature, or one that is unsafe to
    unpack, is an error, and nothing is written.
  - Runs on the controller, without a connection to the host.
requirements:
  - Python 3.10 or later on the controller
  - pyelftools on the controller
author:
  - openeuler.livepatch contributors (!UNKNOWN)
extends_documentation_fragment:
  - openeuler.livepatch._attributes
attributes:
  diff_mode:
    support: none
options:
  src:
    description:
      - A package, a directory that such a package installs (C(/usr/lib/syscare/patches/UUID)), or a directory of any number of both. It is looked
        up like the C(src) of M(ansible.builtin.copy).
      - For each kernel one patch is taken. Of several cumulative ones (C(ACC)) it is the one with the highest version and release. Any other
        choice is an error.
    type: path
    required: true
  dest:
    description: The directory on the controller. A relative path starts at the current directory.
    type: path
    required: true
seealso:
  - module: openeuler.livepatch.livepatch_file_info
"""

EXAMPLES = r"""
- name: Take the patches out of the packages of openEuler
  openeuler.livepatch.livepatch_unpack:
    src: /srv/mirror/hotpatch_update
    dest: releases/hotpatch
  register: unpacked
"""

RETURN = r"""
patches:
  description: The patch for each kernel, by the kernel's release.
  returned: success
  type: list
  elements: dict
  contains:
    path:
      description: The module's file.
      returned: always
      type: str
      sample: releases/hotpatch/5.10.0-60.18.0.50.oe2203.x86_64/vmlinux_0d9c1c9e.ko
    kernel:
      description: The release of the kernel that it is for.
      returned: always
      type: str
      sample: 5.10.0-60.18.0.50.oe2203.x86_64
    file:
      description: What the file shows, as RV(openeuler.livepatch.livepatch_file_info#module:file).
      returned: always
      type: dict
      sample: {name: vmlinux_0d9c1c9e, machine: x86_64, vermagic: "5.10.0-60.18.0.50.oe2203.x86_64 SMP mod_unload modversions"}
    vendor:
      description:
        - What the vendor's package or directory says of the patch in it.
        - Text of a package is the vendor's only if RV(patches[].vendor.signature) is V(ok).
      returned: always
      type: dict
      contains:
        package:
          description: Name, version, release and architecture of the package. V(null) for a directory.
          returned: always
          type: str
          sample: patch-kernel-5.10.0-60.18.0.50.oe2203-ACC-1-6.x86_64
        uuid:
          description: The name of the patch's directory below C(/usr/lib/syscare/patches), by which SysCare knows it. V(null) if a directory has another name.
          returned: always
          type: str
          sample: 0d9c1c9e-6c0e-4a5e-9d3c-7b9d0f6f4a11
        kind:
          description: V(cumulative) for C(ACC) in the name of the package, V(single) for C(SGL). V(null) for any other, and for a directory.
          returned: always
          type: str
          sample: cumulative
        sequence:
          description: Version and release of the package as numbers. Each cumulative patch of a kernel has higher ones. V(null) if they are no numbers.
          returned: always
          type: list
          elements: int
          sample: [1, 6]
        cves:
          description:
            - The CVEs that the package names in its name, summary and description, by number. At most 1000.
            - The vendor's advisories (C(updateinfo.xml)) may list more. So an empty list does not mean that it fixes none.
          returned: always
          type: list
          elements: str
          sample: [CVE-2023-3389]
        target:
          description: The package that it patches, with version and release. V(null) if the name of the package does not tell.
          returned: always
          type: str
          sample: kernel-5.10.0-60.18.0.50.oe2203
        kernel:
          description: The release of the kernel that it is for. Package and module agree on it, if both tell.
          returned: always
          type: str
          sample: 5.10.0-60.18.0.50.oe2203.x86_64
        architecture:
          description: The architecture that it is for. Package and module agree on it.
          returned: always
          type: str
          sample: x86_64
        signature:
          description:
            - What C(rpm) on the controller says of the package's signature.
            - V(ok) if it is good, and made with a key that C(rpm) trusts there, V(no_key) if C(rpm) has no such key.
            - V(unsigned) if there is none, V(not_checked) if C(rpm) is not installed or does not tell, and for a directory.
            - A package with a wrong signature is an error.
          returned: always
          type: str
          sample: ok
reason:
  description: Stable key of why it failed.
  returned: failure
  type: str
  sample: bad_digest
cause:
  description: Why it failed, in a sentence.
  returned: failure
  type: str
  sample: "patch.rpm is not as it was made: the SHA digest of its payload is another one."
remedy:
  description: What to do about it, in a sentence.
  returned: failure
  type: str
  sample: Download it again, from a place that you trust.
"""
