#!/usr/bin/python

# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: livepatch_fetch
short_description: Fetch a patch file from a build host
version_added: 1.0.0
description:
  - Fetches a patch file that M(openeuler.livepatch.livepatch_build) has built, and its manifest, to the controller. It writes them
    only if the file is the one that was asked for.
  - Does not trust the build host with more than the content of these two files. Their names come from the task, and what is
    returned is read from the file on the controller.
  - Returns nothing that has other characters than letters, digits, C(.), C(_), C(+) and C(-), except the paths.
  - A file of more than 256 MiB, or a manifest of more than 64 MiB, is an error.
requirements:
  - Python 3.7 or later on the build host, and 3.10 or later on the controller
  - pyelftools on the controller
  - C(openssl) on the controller, with O(certificate)
author:
  - openeuler.livepatch contributors (!UNKNOWN)
extends_documentation_fragment:
  - openeuler.livepatch._attributes
attributes:
  diff_mode:
    support: none
options:
  src:
    description: The patch file on the build host. Its manifest is beside it, with C(.json) after the name.
    type: path
    required: true
  dest:
    description: The directory on the controller. The file is C(NAME.ko) in it, and the manifest C(NAME.ko.json).
    type: path
    required: true
  name:
    description: The name of the patch module. Hyphens become underscores, as in the kernel.
    type: str
    required: true
  kernel_release:
    description: The kernel release that the file is built for.
    type: str
    required: true
  method:
    description: How it is built, as O(openeuler.livepatch.livepatch_build#module:method). V(auto) is for any.
    type: str
    choices: [auto, kpatch, klp_build, kbuild]
    default: auto
  certificate:
    description:
      - A certificate in PEM format on the controller. The file is fetched only if the key of this certificate has signed it.
      - Neither the dates nor the issuer of the certificate are looked at, as the kernel looks at neither. A certificate in the file counts
        for nothing.
    type: path
seealso:
  - module: openeuler.livepatch.livepatch_build
  - module: openeuler.livepatch.livepatch_file_info
"""

EXAMPLES = r"""
- name: Fetch the patch file that was built
  openeuler.livepatch.livepatch_fetch:
    src: /srv/livepatch/fix.ko
    dest: releases/CVE-2026-0001/6.6.0-28.0.0.34.oe2403.x86_64
    name: fix
    kernel_release: 6.6.0-28.0.0.34.oe2403.x86_64
    method: kpatch

- name: Fetch a patch file only if the key of the site has signed it
  openeuler.livepatch.livepatch_fetch:
    src: /srv/livepatch/fix.ko
    dest: releases/CVE-2026-0001/6.6.0-28.0.0.34.oe2403.x86_64
    name: fix
    kernel_release: 6.6.0-28.0.0.34.oe2403.x86_64
    certificate: keys/livepatch.pem
"""

RETURN = r"""
path:
  description: The file on the controller.
  returned: success
  type: str
  sample: /srv/releases/CVE-2026-0001/6.6.0-28.0.0.34.oe2403.x86_64/fix.ko
manifest:
  description: Its manifest on the controller.
  returned: success
  type: str
  sample: /srv/releases/CVE-2026-0001/6.6.0-28.0.0.34.oe2403.x86_64/fix.ko.json
verified:
  description: Whether the key of O(certificate) has signed the file. V(false) without that option.
  returned: success
  type: bool
  sample: true
file:
  description: What the file on the controller shows.
  returned: success
  type: dict
  contains:
    kernel_release:
      description: The kernel release, as O(kernel_release) has it.
      returned: always
      type: str
      sample: 6.6.0-28.0.0.34.oe2403.x86_64
    name:
      description: The name of the module.
      returned: always
      type: str
      sample: fix
    machine:
      description: The architecture, as C(uname -m) shows it there.
      returned: always
      type: str
      sample: x86_64
    abi:
      description: V(stop_machine) or V(per_task), as M(openeuler.livepatch.livepatch_file_info) returns it.
      returned: always
      type: str
      sample: per_task
    sha256:
      description: Digest of the file.
      returned: always
      type: str
      sample: e164b957c98741ba50eeb16b07a61f9381af4e28426438cca48b7b369d5b081d
    build_id:
      description: Its build-id, V(null) if it has none.
      returned: always
      type: str
      sample: 12ebc946d48d5ba56740ddb2a945b2e050087bb7
    srcversion:
      description: Digest of its sources, V(null) if it has none.
      returned: always
      type: str
      sample: 533BB7E5866E52F63B9ACCB
    kernel_build_id:
      description: The build-id of the kernel that it was built for, V(null) if the manifest does not tell.
      returned: always
      type: str
      sample: 4a5a9b0affb66c437abcd455d2738af879985fa9
reason:
  description:
    - Stable key of why it failed.
    - V(bad_argument), V(not_fetched) (the build host did not give the file), V(too_big), V(bad_manifest), V(not_as_asked) (it is another
      file than the one that was asked for), V(not_signed), V(wrong_signature) (another key has signed it, or it has changed since),
      V(bad_cert), V(missing_program), V(not_written), or a reason why M(openeuler.livepatch.livepatch_file_info) cannot read a file.
  returned: failure
  type: str
  sample: not_as_asked
cause:
  description: Why it failed, in a sentence.
  returned: failure
  type: str
  sample: "The build host gave another file than it was asked for: its name is fix_2, and fix was asked for."
remedy:
  description: What to do, in a sentence.
  returned: failure
  type: str
  sample: Look at the build host, and do not use what it has built before you know why.
"""
