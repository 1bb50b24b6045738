#!/usr/bin/python

# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: livepatch_build
short_description: Build a kernel live patch
version_added: 0.1.0
description:
  - Builds a live patch module for one kernel on the build host. Nothing is loaded.
  - Decides by content whether a build is needed. A manifest beside the result (C(dest).json) holds the digests of the sources, of
    the headers that the compiler read, of the kernel's configuration and symbol versions, of the compiler and the flags.
  - The same input makes the same file, to the byte.
author:
  - openeuler.livepatch contributors (!UNKNOWN)
extends_documentation_fragment:
  - ansible.builtin.files
  - openeuler.livepatch._attributes
attributes:
  safe_file_operations:
    description: Uses Ansible's strict file operation functions to ensure proper permissions and avoid data corruption.
    support: full
requirements:
  - make, a C compiler, and the development package of the kernel to build for
  - pyelftools on the build host
options:
  method:
    description:
      - V(kbuild) builds a hand-written module, one that fills C(struct klp_patch) itself, with the kernel's build system.
    type: str
    choices: [kbuild]
    required: true
  sources:
    description:
      - The module's C(.c) and C(.h) files on the build host. A directory stands for those in it.
      - They are compiled together in one directory, so no two may have the same name.
    type: list
    elements: path
    required: true
  name:
    description:
      - Name of the module, at most 55 letters, digits, hyphens and underscores; the kernel shows hyphens as underscores.
      - Default is the name of the C(.c) file if there is just one.
      - A module of several C(.c) files cannot have the name of one of them.
    type: str
  dest:
    description: Where to put the patch file on the build host. A directory, or a path that ends in the module's name and C(.ko).
    type: path
    required: true
  kernel_release:
    description:
      - Release of the kernel to build for, as C(uname -r) shows it there. Default is the build host's own kernel.
      - If O(kernel_build) is given as well, it must be the tree of that release.
    type: str
  kernel_build:
    description: Build tree of the kernel. Default is C(/lib/modules/RELEASE/build).
    type: path
  cflags:
    description: Further flags for the compiler.
    type: list
    elements: str
    default: []
seealso:
  - module: openeuler.livepatch.livepatch_module
"""

EXAMPLES = r"""
- name: Build a live patch for the kernel of the hosts
  openeuler.livepatch.livepatch_build:
    method: kbuild
    sources: [/srv/livepatch/livepatch_cmdline.c]
    kernel_release: "{{ kernel }}"
    dest: /srv/livepatch/{{ kernel }}/
  register: build

- name: Fetch it to the controller
  ansible.builtin.fetch:
    src: "{{ build.path }}"
    dest: files/
    flat: true
"""

RETURN = r"""
path:
  description: The patch file on the build host.
  returned: success
  type: str
  sample: /srv/livepatch/livepatch_cmdline.ko
name:
  description: Name of the module as the kernel will show it.
  returned: success
  type: str
  sample: livepatch_cmdline
release:
  description: Release of the kernel that it is built for.
  returned: success
  type: str
  sample: 6.12.48-amd64
patch_file:
  description: What is in the patch file, the same keys as RV(openeuler.livepatch.livepatch_module#module:file). V(null) in check mode before it is built.
  returned: success
  type: dict
manifest:
  description: Path of the manifest, JSON.
  returned: success
  type: str
  sample: /srv/livepatch/livepatch_cmdline.ko.json
reason:
  description: Stable key of why it failed, for example V(compile_error).
  returned: failure
  type: str
cause:
  description: Why it failed, in one sentence.
  returned: failure
  type: str
remedy:
  description: What to do about it, in one sentence.
  returned: failure
  type: str
errors:
  description: The compiler's errors, each with RV(ignore:file), RV(ignore:line), RV(ignore:column) and RV(ignore:message).
  returned: when the build failed
  type: list
  elements: dict
cmd:
  description: The command that failed.
  returned: when the build failed
  type: list
  elements: str
rc:
  description: Its exit status.
  returned: when the build failed
  type: int
stdout:
  description: Its standard output.
  returned: when the build failed
  type: str
stderr:
  description: Its standard error, with the compiler's messages.
  returned: when the build failed
  type: str
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.openeuler.livepatch.plugins.module_utils._arguments import LIVEPATCH_BUILD
from ansible_collections.openeuler.livepatch.plugins.module_utils._build import run_build


def main() -> None:
    module = AnsibleModule(supports_check_mode=True, **LIVEPATCH_BUILD)
    result = run_build(module)
    if result.pop("failed", False):
        module.fail_json(**result)
    module.exit_json(**result)


if __name__ == "__main__":
    main()
