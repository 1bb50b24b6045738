#!/usr/bin/python

# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: livepatch_file_info
short_description: Read a kernel live patch file
version_added: 1.0.0
description:
  - Reads a live patch module file without loading it, and returns everything that the file shows.
  - Reads the file on the controller, without a connection to the host, unless O(remote_src=true).
  - Does not trust the file. A damaged or hostile file, or one of more than 256 MiB, is an error.
  - O(src) may be a hot patch of openEuler as it is published for SysCare, see O(src).
author:
  - openeuler.livepatch contributors (!UNKNOWN)
extends_documentation_fragment:
  - openeuler.livepatch._attributes
  - openeuler.livepatch._attributes.src_group
attributes:
  diff_mode:
    support: N/A
requirements:
  - Python 3.7 or later on the host, if O(remote_src=true)
  - pyelftools where the file is read
options:
  src:
    description:
      - The patch file on the controller, looked up like the C(src) of M(ansible.builtin.copy), or with O(remote_src=true) on the host.
      - On the controller it may also be an RPM package of a kernel hot patch, C(patch-kernel-VERSION-NAME.rpm), or a directory that such a
        package installs, C(/usr/lib/syscare/patches/UUID). The module in it is read, and RV(vendor) returned.
      - A package is read without C(rpm). Its SHA-256 digests are compared. A package with links, devices, or paths that lead out of its folder
        is an error, as is one with more than 64 MiB or 1000 entries, of two kernels, or with more than one patch. C(rpm) checks the
        signature, if it is installed.
      - A package that is compressed with C(zstd) needs that program, or Python 3.14, on the controller.
    type: path
    required: true
  remote_src:
    description: Whether O(src) is on the host.
    type: bool
    default: false
seealso:
  - ref: ansible_collections.openeuler.livepatch.docsite.coexistence
    description: Using the vendor's hot patches without SysCare.
  - module: openeuler.livepatch.livepatch_build
  - module: openeuler.livepatch.livepatch_module
"""

EXAMPLES = r"""
- name: Read a patch file on the controller
  openeuler.livepatch.livepatch_file_info:
    src: livepatch_cmdline.ko
  register: patch

- name: Read a hot patch of openEuler
  openeuler.livepatch.livepatch_file_info:
    src: patch-kernel-5.10.0-60.18.0.50.oe2203-ACC-1-6.x86_64.rpm
  register: hot_patch

- name: Check that it fixes what it is for
  ansible.builtin.assert:
    that: "'CVE-2023-3389' in hot_patch.vendor.cves"

- name: Check that the patch file is for the running kernel
  ansible.builtin.assert:
    that: patch.file.vermagic.split() | first == kernel
"""

RETURN = r"""
file:
  description: What the file shows.
  returned: success
  type: dict
  contains:
    path:
      description: The file, as O(src) has it.
      returned: always
      type: str
      sample: livepatch_0001_test.ko
    name:
      description: Name of the module as the kernel will show it.
      returned: always
      type: str
      sample: livepatch_0001_test
    sha256:
      description: Digest of the file.
      returned: always
      type: str
      sample: e164b957c98741ba50eeb16b07a61f9381af4e28426438cca48b7b369d5b081d
    size:
      description: Its size in bytes.
      returned: always
      type: int
      sample: 18624
    machine:
      description: The architecture, as C(uname -m) shows it there.
      returned: always
      type: str
      sample: x86_64
    vermagic:
      description: The kernel release and options that it was built for.
      returned: always
      type: str
      sample: 6.12.118-klp SMP mod_unload
    abi:
      description: V(stop_machine) if it calls C(klp_register_patch), as patches for C(CONFIG_LIVEPATCH_WO_FTRACE) do, else V(per_task).
      returned: always
      type: str
      sample: per_task
    builder:
      description: V(kpatch) for upstream's kpatch-build, V(kpatch-openeuler) for the one in openEuler's packages, V(klp-build) for the kernel's
        own klp-build, else V(hand-written).
      returned: always
      type: str
      sample: kpatch
    build_id:
      description: The build-id, V(null) if there is none.
      returned: always
      type: str
      sample: 12ebc946d48d5ba56740ddb2a945b2e050087bb7
    srcversion:
      description: The digest of its sources in the module's own information, V(null) if there is none.
      returned: always
      type: str
      sample: 533BB7E5866E52F63B9ACCB
    depends:
      description: The modules that it needs.
      returned: always
      type: list
      elements: str
      sample: []
    functions:
      description:
        - The functions that it replaces. V(null) if they are unknown, since they are made at run time or cannot be what they seem to be.
        - Each has RV(ignore:object), V(vmlinux) or a module's name, RV(ignore:name), RV(ignore:sympos), the position among the object's symbols of that name,
          RV(ignore:numbered), RV(ignore:force), by which C(stop_machine) kernels omit checks, and RV(ignore:old_size) and RV(ignore:new_size) in bytes,
          V(null) if not known.
        - RV(ignore:numbered) is whether the file gives the position. If it does not, RV(ignore:sympos) is 1, and the kernel accepts the patch only
          where the name is the only one in the object.
      returned: always
      type: list
      elements: dict
      sample: [{object: vmlinux, name: cgroup_exit, sympos: 1, numbered: false, force: 0, old_size: 333, new_size: 56}]
    replace:
      description:
        - Whether it replaces all other patches. V(null) if the file does not show it, as files of kpatch-build and klp-build, or if its code may set it.
        - For these the module reads it in the manifest of M(openeuler.livepatch.livepatch_build) beside the file, C(NAME.ko.json).
        - V(null) also if that manifest contradicts what the file shows.
      returned: always
      type: bool
      sample: false
    objects:
      description:
        - The names of what it patches, or has callbacks for, V(vmlinux) or modules, in the order of the file.
        - V(null) if they are unknown.
      returned: always
      type: list
      elements: str
      sample: [vmlinux]
    states:
      description:
        - The system states that it changes, each with RV(ignore:id) and RV(ignore:version). A V(per_task) kernel refuses a patch that
          knows a state of a loaded one in an older version only, or that replaces the loaded one and does not know the state.
        - V(null) if the file does not show them, or if its code may set them.
      returned: always
      type: list
      elements: dict
      sample: [{id: 1, version: 2}]
    callbacks:
      description: The callbacks of mainline's kernels that it has.
      returned: always
      type: list
      elements: str
      sample: [post_unpatch]
    hooks:
      description: The hooks of openEuler's kernels that it has, V(load) and V(unload).
      returned: always
      type: list
      elements: str
      sample: [load]
    relocations:
      description: The symbols that the kernel resolves for it, each with RV(ignore:object), RV(ignore:name) and RV(ignore:sympos).
      returned: always
      type: list
      elements: dict
      sample: [{object: vmlinux, name: css_set_move_task, sympos: 1}]
    signature:
      description: The signature at the end of the file, V(null) if it has none. It is not verified.
      returned: always
      type: dict
      contains:
        signer:
          description: The common name of the issuer of the signer's certificate, V(null) if the signature does not tell.
          returned: always
          type: str
          sample: Build time autogenerated kernel key
        hash:
          description: The algorithm of its digest, V(null) if the signature cannot be read.
          returned: always
          type: str
          sample: sha512
        key_id:
          description: The serial number of that certificate, or the identifier of its key, in hexadecimal. V(null) if the signature cannot be read.
          returned: always
          type: str
          sample: 1ed2b2c5
        readable:
          description: Whether the signature can be read. The kernel does not load a file whose signature it cannot read.
          returned: always
          type: bool
          sample: true
    source_patches:
      description:
        - Digests of the source patches that it was made from, as in the manifest of M(openeuler.livepatch.livepatch_build) beside the file.
        - Empty if there is no manifest, or it is of another file.
      returned: always
      type: list
      elements: str
      sample: [9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08]
    fix:
      description:
        - What it fixes, as in the manifest of M(openeuler.livepatch.livepatch_build) beside the file.
        - V(null) if there is no manifest, it is of another file, or does not say it.
      returned: always
      type: dict
      sample: {id: CVE-2026-0001, title: A missing check in the TCP stack, severity: important, cves: [CVE-2026-0001]}
    kernel_build_id:
      description:
        - The build-id of the kernel that it was built for, as in the manifest of M(openeuler.livepatch.livepatch_build) beside the file.
        - V(null) if there is no manifest, it is of another file, or the build had no C(vmlinux).
      returned: always
      type: str
      sample: 4a5a9b0affb66c437abcd455d2738af879985fa9
    made_for:
      description:
        - The build of the out-of-tree module that it was made for, as in the manifest of M(openeuler.livepatch.livepatch_build) beside the file.
        - Empty if it was made for no such module, or if there is no manifest of the file.
        - A build-id or C(srcversion) that the module lacks is V(null).
      returned: always
      type: list
      elements: dict
      sample: [{name: hello, vermagic: "6.12.48-amd64 SMP ", build_id: null, srcversion: 533BB7E5866E52F63B9ACCB}]
    parameters:
      description:
        - The parameters that it has, each with RV(ignore:name) and RV(ignore:type), as V(int) or V(array of charp).
        - The type is empty if the file does not show it.
      returned: always
      type: list
      elements: dict
      sample: [{name: verbose, type: bool}]
    enables_itself:
      description:
        - Whether loading it enables the patch. On V(per_task) kernels that is so with every patch.
        - One for V(stop_machine) kernels does so if it calls C(klp_enable_patch), as those of C(kpatch-build) without
          C(DISABLE_AFTER_LOAD). It cannot be loaded with O(openeuler.livepatch.livepatch_module#module:state=present).
      returned: always
      type: bool
      sample: false
    long_symbols:
      description: Whether it has symbols of a form that only kernels with C(CONFIG_LIVEPATCH_LONG_SYMBOL_SUPPORT) know.
      returned: always
      type: bool
      sample: false
    modinfo:
      description: The module's own information, as C(modinfo) shows it.
      returned: always
      type: dict
      sample: {livepatch: "Y", license: GPL, name: livepatch_0001_test, vermagic: "6.12.118-klp SMP mod_unload "}
vendor:
  description:
    - What the vendor's package or directory says of the patch in it.
    - Text of a package is the vendor's only if RV(vendor.signature) is V(ok).
  returned: if O(src) is a package or directory of the vendor's
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
  sample: damaged_file
cause:
  description: Why it failed, in a sentence.
  returned: failure
  type: str
  sample: livepatch_cmdline.ko is not an ELF file.
remedy:
  description: What to do about it, in a sentence.
  returned: failure
  type: str
  sample: Give the .ko file that the build of the live patch made.
"""


from ansible.module_utils.basic import AnsibleModule
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.findings import failure_of
from ansible_collections.openeuler.livepatch.plugins.module_utils._patch_file.arguments import (
    LIVEPATCH_FILE_INFO,
    no_pyelftools,
)
from ansible_collections.openeuler.livepatch.plugins.module_utils._patch_file.info import read_file_info
from ansible_collections.openeuler.livepatch.plugins.module_utils._patch_file.reader import PatchFileError


def main() -> None:
    module = AnsibleModule(supports_check_mode=True, **LIVEPATCH_FILE_INFO)
    try:
        module.exit_json(changed=False, file=read_file_info(module.params["src"]))
    except ImportError:
        module.fail_json(**failure_of(no_pyelftools("to read src on the host")))
    except PatchFileError as error:
        module.fail_json(**failure_of(error.finding))


if __name__ == "__main__":
    main()
