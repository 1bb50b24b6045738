#!/usr/bin/python

# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: livepatch_boot
short_description: Install the program that loads accepted live patches at boot
version_added: 1.0.0
description:
  - Writes one file with the code that M(openeuler.livepatch.livepatch_module) itself uses to plan, load, prove and roll back, so that a
    boot loads a patch in the same way as a task does. It needs the host's Python and its standard library, nothing else.
  - The role P(openeuler.livepatch.boot#role) calls this module, and installs the units of systemd that run the program.
requirements:
  - Python 3.7 or later on the host
author:
  - openeuler.livepatch contributors (!UNKNOWN)
extends_documentation_fragment:
  - openeuler.livepatch._attributes
  - openeuler.livepatch._attributes.attributes_group
  - ansible.builtin.files
options:
  path:
    description: Where to put the program. Directories that are missing are made. Facts look for it in the default place only.
    type: path
    default: /usr/local/lib/openeuler-livepatch/boot.pyz
seealso:
  - module: openeuler.livepatch.livepatch_module
"""

EXAMPLES = r"""
- name: Install the boot program
  openeuler.livepatch.livepatch_boot:
    mode: "0644"
"""

RETURN = r"""
path:
  description: Where the program is.
  returned: always
  type: str
  sample: /usr/local/lib/openeuler-livepatch/boot.pyz
sha256:
  description: Digest of the program. The same version of the collection makes the same file everywhere.
  returned: always
  type: str
  sample: 5f2b8a3c0e4d1f6a7b9c8d0e2f4a6b8c1d3e5f7a9b0c2d4e6f8a1b3c5d7e9f01
python:
  description:
    - The Python to run it with, V(/usr/bin/python3) if it is there and new enough, because that name outlasts updates; else the one that
      runs this module.
  returned: always
  type: str
  sample: /usr/bin/python3
"""

import errno
import hashlib
import os
import sys
import tempfile

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.openeuler.livepatch.plugins.module_utils._boot.pack import pack
from ansible_collections.openeuler.livepatch.plugins.module_utils._store.boot import PROGRAM
from ansible_collections.openeuler.livepatch.plugins.module_utils._system.durable import open_regular

SYSTEM_PYTHON = "/usr/bin/python3"


def digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def digest_of(path: str) -> str:
    try:
        with open_regular(path) as stream:
            return digest(stream.read())
    except OSError as error:
        # EINVAL is the answer where there is something else than a file.
        if error.errno in (errno.ENOENT, errno.EINVAL):
            return "none"
        raise


def put(module: AnsibleModule, path: str, content: bytes) -> None:
    os.makedirs(os.path.dirname(path), mode=0o755, exist_ok=True)
    descriptor, part = tempfile.mkstemp(dir=module.tmpdir)
    with open(descriptor, "wb") as stream:
        stream.write(content)
        # After a power cut it would be empty, and an empty program ends well without having loaded anything.
        stream.flush()
        os.fsync(stream.fileno())
    module.atomic_move(part, path)


def python(module: AnsibleModule) -> str:
    check = [SYSTEM_PYTHON, "-I", "-c", "import sys; raise SystemExit(sys.version_info < (3, 7))"]
    if os.path.exists(SYSTEM_PYTHON) and module.run_command(check)[0] == 0:
        return SYSTEM_PYTHON
    return sys.executable


def main() -> None:
    module = AnsibleModule(
        argument_spec={"path": {"type": "path", "default": PROGRAM}},
        add_file_common_args=True,
        supports_check_mode=True,
    )
    path, content = module.params["path"], pack()
    before, after = digest_of(path), digest(content)
    if before != after and not module.check_mode:
        put(module, path, content)
    changed = module.set_fs_attributes_if_different(module.load_file_common_arguments(module.params), before != after)
    module.exit_json(
        changed=changed,
        path=path,
        sha256=after,
        python=python(module),
        diff={"before": f"{path} sha256 {before}\n", "after": f"{path} sha256 {after}\n"},
    )


if __name__ == "__main__":
    main()
