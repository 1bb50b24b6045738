#!/usr/bin/python

# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: livepatch_build
short_description: Build a kernel live patch
version_added: 1.0.0
description:
  - Builds a live patch module for one kernel on the build host. It loads nothing.
  - O(method=klp_build) turns source patches into a module with C(klp-build), which Linux has in its own source since 6.19.
  - O(method=kpatch) does so with C(kpatch-build), for other kernels of mainline and of openEuler.
  - O(method=kbuild) builds a hand-written module, which fills C(struct klp_patch) itself, with the kernel's build system.
  - Content decides whether a build is needed. A manifest beside the result (C(dest).json) has the digests of the patches or
    sources, of the kernel's source, configuration and C(vmlinux), of the compiler, of C(kpatch-build) and the flags.
  - The same inputs make the same file, byte for byte.
  - The module only reads the source tree. C(klp-build) and C(kpatch-build) work in a copy of it below O(cache_dir). The copy stays
    there with its compiled objects, so that the next patch for the same kernel takes a small part of the time.
    Builds that need the same copy wait for each other.
  - If C(klp-build) was killed, the next build makes that copy anew, since a part of the patch may be left in it.
  - Before it starts C(klp-build) or C(kpatch-build), in check mode too, the module looks for all that is known to make it fail,
    and reports all of it at once.
author:
  - openeuler.livepatch contributors (!UNKNOWN)
extends_documentation_fragment:
  - ansible.builtin.files
  - openeuler.livepatch._attributes
  - openeuler.livepatch._attributes.attributes_group
  - openeuler.livepatch._attributes.fix
attributes:
  safe_file_operations:
    description: Uses Ansible's strict file operation functions to ensure proper permissions and avoid data corruption.
    support: full
requirements:
  - Python 3.7 or later on the build host
  - make, a C compiler
  - pyelftools on the build host
  - for O(method=kbuild) the development package of the kernel to build for
  - for O(method=kpatch) kpatch-build and what it calls, and the kernel's source, configuration and C(vmlinux) with debug information
  - for O(method=klp_build) the kernel's source and configuration, bash 4.4 or later, gawk, recountdiff of patchutils, and the headers of
    libelf and of xxhash 0.8 or later
  - for both, C(pahole) where the configuration has C(CONFIG_DEBUG_INFO_BTF)
options:
  method:
    description:
      - V(auto) is V(kbuild) where O(sources) are given. Where O(patches) are given it is V(klp_build) if O(src_dir) has
        C(scripts/livepatch/klp-build) and O(config) has C(CONFIG_KLP_BUILD), and V(kpatch) otherwise.
        It is V(kpatch) as well if the task gives O(kpatch_build), O(targets), O(oot_module), or O(arch) other than V(x86_64).
        The module refuses a task that gives both or neither, with the reason V(bad_argument).
      - V(klp_build) builds from source patches with the kernel's own C(klp-build), for x86_64.
      - V(kpatch) builds from source patches with C(kpatch-build).
      - V(kbuild) builds a hand-written module with the kernel's build system.
      - What this page says of a method also applies if V(auto) chooses it.
    type: str
    choices: [auto, klp_build, kpatch, kbuild]
    default: auto
  patches:
    description:
      - The source patches, in the order in which C(patch -p1) applies them.
      - Required with O(method=klp_build) and O(method=kpatch).
    type: list
    elements: path
  src_dir:
    description:
      - The source of the kernel (option C(-s) of C(kpatch-build)). The module does not change it.
      - Default is C(/usr/src/linux-RELEASE), or another place where a distribution puts its source, if that does not exist.
    type: path
  vmlinux:
    description:
      - The kernel with debug information (option C(-v)), from the package C(kernel-debuginfo).
      - Default is the first that exists of the places where the distributions put it below C(/usr/lib/debug), such as
        C(/usr/lib/debug/lib/modules/RELEASE/vmlinux) and C(/usr/lib/debug/boot/vmlinux-RELEASE), and of C(vmlinux) in O(src_dir).
      - The module builds for the release of this kernel. A file of debug information alone, as SUSE has it, does not tell its
        release. Then O(kernel_release) does.
      - O(method=klp_build) needs none. If there is one, it tells the release, the compiler and RV(kernel_build_id).
        Default is then the first of the places below C(/usr/lib/debug), if one exists.
    type: path
  config:
    description:
      - The configuration of the kernel (option C(-c)).
      - Default is C(.config) in O(src_dir), or C(/boot/config-RELEASE) or C(/lib/modules/RELEASE/config) if that does not exist.
    type: path
  targets:
    description:
      - What make builds (option C(-t)). Used with O(method=kpatch) only. Default is the least that gives the same result as the whole kernel.
      - V(vmlinux) and V(modules) together are the whole kernel.
    type: list
    elements: str
    default: []
  jobs:
    description:
      - How many commands make runs at once (option C(-j)). Not used with O(method=kbuild). Default is the number of processors.
      - From V(1) to V(4096).
    type: int
  arch:
    description: Architecture to build for, in the kernel's words, for example V(arm64). Default is the build host's.
    type: str
  cross_compile:
    description: The prefix of the names of the compiler and its tools, for example V(aarch64-linux-gnu-).
    type: str
  skip_compiler_check:
    description:
      - Build although the kernel was built with another compiler. The result may differ from the kernel in more than the patch.
      - Without O(vmlinux), O(method=klp_build) compares C(CONFIG_CC_VERSION_TEXT) of O(config).
      - Not used with O(method=kbuild).
    type: bool
    default: false
  oot_module:
    description:
      - An out-of-tree module to patch, as it is loaded (option C(--oot-module)). O(method=klp_build) refuses it.
      - O(src_dir) is then the built tree of the kernel or of its headers, by default C(/lib/modules/RELEASE/build).
    type: path
  oot_module_src:
    description:
      - The source of O(oot_module). The module copies it with all objects in it, since some have no source.
      - C(make) makes O(targets) there, or what it makes without a target. Its C(Makefile) is told the tree and the release of the kernel by
        the variables C(KDIR), C(KERNELDIR), C(KERNEL_DIR), C(KERNEL_SRC), C(KSRC), C(KVERSION) and C(KVER), unless O(env) has them.
    type: path
  replace:
    description:
      - Whether the patch replaces all others when it is enabled. Not used with O(method=kbuild); a hand-written module decides this itself.
      - V(auto) is what the kernel can do. On mainline's kernels the patch replaces, which is the default of C(kpatch-build) and C(klp-build).
        On openEuler's kernels with C(CONFIG_LIVEPATCH_WO_FTRACE) it does not, since this would hang the host; the module refuses V(yes) there.
      - Kernels before 5.1 have no such flag, nor do the patches of C(kpatch-build) 0.9.1; the module refuses V(yes) there as well.
    type: str
    choices: [auto, 'yes', 'no']
    default: auto
  debug:
    description: How many times C(kpatch-build) gets the option C(-d); C(klp-build) gets it once at most. From V(0) to V(10).
    type: int
    default: 0
  env:
    description:
      - Further environment variables for the build. With O(method=kbuild), only E(KBUILD_SIGN_PIN) for O(sign) is used.
      - C(klp-build) sets C(KCFLAGS) itself, so that it has no effect there.
      - Their values are in no manifest, result or log. A value of less than four characters is hidden behind the name of its variable
        only. The manifest has a digest of each, from which a short value can be guessed in a day.
      - Ansible itself shows the item of a loop with each result, whatever C(label) says. Keep them out of it, as the role
        P(openeuler.livepatch.build#role) does.
    type: dict
  kpatch_build:
    description:
      - The program C(kpatch-build), or a directory with a compiled checkout of kpatch.
      - Default is the one in C(PATH).
    type: path
  cache_dir:
    description:
      - The directory for copies of kernel sources with their objects, and for the logs of failed builds.
      - A copy of a distribution's kernel takes 5 to 25 GB.
      - It belongs to root or to the user who builds, and others may not write in it.
    type: path
    default: /var/cache/livepatch_build
  cache_max_age:
    description:
      - A build removes the copies in O(cache_dir) that no build has used for so many days, and never one that is in use.
      - From V(1) to V(3650).
    type: int
    default: 30
  cache_max_size:
    description:
      - While the copies in O(cache_dir) take more GiB together, a build removes those that were not used for the longest time, and
        never one that is in use.
      - From V(1) to V(100000).
    type: int
    default: 40
  timeout:
    description: How many seconds a build and its signing may take. From V(1) to V(604800).
    type: int
    default: 7200
  progress:
    description:
      - Whether a long build shows its stages, and a line about every ten seconds, on the controller.
      - Not used with O(method=kbuild).
    type: bool
    default: true
  rebuild:
    description:
      - V(auto) builds if the result is missing or was built from something else.
      - V(always) builds in any case.
      - V(never) fails where V(auto) would build.
    type: str
    choices: [auto, always, never]
    default: auto
  sign:
    description:
      - Sign the module with the kernel's C(sign-file) where it is installed, else with C(openssl).
      - The passphrase of the key, or the PIN of its token, is in the variable E(KBUILD_SIGN_PIN) of O(env), which no result and no log shows.
      - In the task's C(environment) it would be in the process list of the build host, in the log of C(sudo), and in what C(-vvv) prints.
      - A file that nobody needs is signed before a build, so that a key, certificate or passphrase that does not serve ends it early.
    type: dict
    suboptions:
      key:
        description:
          - The private key on the build host, in PEM format, with or without a passphrase.
          - Or one in a token, for example V(pkcs11:token=kmod;object=key). OpenSSL reaches it by its PKCS#11 provider or engine.
          - No result shows its path or its content.
        type: path
        required: true
      cert:
        description: The certificate of the key, in PEM format.
        type: path
        required: true
      hash:
        description: The hash algorithm.
        type: str
        default: sha512
  sources:
    description:
      - The C(.c) and C(.h) files of a hand-written module on the build host. A directory stands for those in it,
        but for C(*.mod.c), which C(make) writes.
      - The module compiles them in one directory, so no two may have the same name.
      - Their names have letters, digits and the signs C(.), C(_), C(+) and C(-) only, since C(make) would run others.
      - Required with O(method=kbuild).
    type: list
    elements: path
  name:
    description:
      - Name of the module, at most 55 letters, digits, hyphens and underscores; the kernel shows hyphens as underscores.
      - Default with O(method=kbuild) is the name of the C(.c) file if there is just one.
        A module of several C(.c) files cannot have the name of one of them.
      - Default with source patches is C(livepatch-) and the name of the patch without its suffix, as C(kpatch-build) and C(klp-build)
        make it; with several patches C(livepatch-patch).
    type: str
  dest:
    description: Where to put the patch file on the build host. A directory, or a path that ends in the module's name and C(.ko).
    type: path
    required: true
  kernel_release:
    description:
      - Release of the kernel to build for, as RV(ignore:ansible_facts.livepatch.release) of M(openeuler.livepatch.livepatch_facts) has it.
        Default is the build host's own kernel.
      - With O(method=kpatch) the defaults of O(src_dir), O(vmlinux) and O(config) use it, and a vmlinux that does not tell
        its release. One that tells another release is refused.
      - With O(method=klp_build) O(src_dir) and O(config) must be of this release, unless there is a O(vmlinux) that tells its own.
      - A tree in O(kernel_build) must be of this release.
    type: str
  kernel_build:
    description: Build tree of the kernel for O(method=kbuild). Default is C(/lib/modules/RELEASE/build).
    type: path
  cflags:
    description:
      - Further flags for the compiler. Used with O(method=kbuild) only.
      - Each has letters, digits and the signs C(._+,:=/@%-) only, since C(make) would run others.
    type: list
    elements: str
    default: []
seealso:
  - module: openeuler.livepatch.livepatch_module
"""

EXAMPLES = r"""
- name: Build a live patch from a source patch, with the kernel's packages in their usual places
  openeuler.livepatch.livepatch_build:
    patches: [/srv/livepatch/0001-test.patch]
    kernel_release: "{{ kernel }}"
    dest: /srv/livepatch/{{ kernel }}/
  register: build

- name: Build the same with every path named, as on the command line of kpatch-build
  openeuler.livepatch.livepatch_build:
    kpatch_build: /usr/bin/kpatch-build
    src_dir: /usr/src/linux-{{ kernel }}
    vmlinux: /usr/lib/debug/lib/modules/{{ kernel }}/vmlinux
    config: /usr/src/linux-{{ kernel }}/.config
    targets: [vmlinux, modules]
    patches: [/srv/livepatch/0001-test.patch]
    dest: /srv/livepatch/by-options/

- name: Fetch the patch file and its manifest to the controller
  ansible.builtin.fetch:
    src: "{{ item }}"
    dest: files/
    flat: true
  loop:
    - "{{ build.path }}"
    - "{{ build.manifest }}"

- name: Build a live patch with the kernel's own klp-build, one that leaves other patches enabled
  openeuler.livepatch.livepatch_build:
    method: klp_build
    patches: [/srv/livepatch/0001-test.patch]
    src_dir: /usr/src/linux-{{ kernel }}
    kernel_release: "{{ kernel }}"
    replace: 'no'
    dest: /srv/livepatch/{{ kernel }}/

- name: Build a hand-written live patch
  openeuler.livepatch.livepatch_build:
    sources: [/srv/livepatch/livepatch_cmdline.c]
    kernel_release: "{{ kernel }}"
    dest: /srv/livepatch/{{ kernel }}/
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
kernel_build_id:
  description:
    - The build-id of that kernel's C(vmlinux), which tells it from another build of the same release.
    - V(null) if there is no C(vmlinux), as in kernel headers alone or often with O(method=klp_build), or it has no build-id.
      Then nobody compares it.
  returned: success
  type: str
  sample: 4a5a9b0affb66c437abcd455d2738af879985fa9
method:
  description: The method that was used, V(klp_build), V(kpatch) or V(kbuild).
  returned: unless the options leave the method open
  type: str
  sample: kpatch
patch_file:
  description:
    - What is in the patch file, the same keys as RV(openeuler.livepatch.livepatch_module#module:file).
    - V(null) in check mode before it is built.
  returned: success
  type: dict
  sample: {name: livepatch_cmdline, abi: per_task, replace: false, vermagic: 6.12.48-amd64 SMP preempt mod_unload modversions}
manifest:
  description: Path of the manifest, JSON.
  returned: success
  type: str
  sample: /srv/livepatch/livepatch_cmdline.ko.json
duration:
  description: Seconds that the last build took. V(null) if there was none, and with O(method=kbuild).
  returned: success
  type: float
  sample: 12.5
cpu_seconds:
  description: The CPU time that the task took. V(null) if it built nothing.
  returned: success
  type: dict
  contains:
    build:
      description: CPU seconds of C(klp-build) or C(kpatch-build) and all that it started; V(0.0) with O(method=kbuild).
      returned: if something was built
      type: float
      sample: 48.2
    besides:
      description: CPU seconds of the module itself and of the other programs that it started.
      returned: if something was built
      type: float
      sample: 3.1
removed_trees:
  description: What the build has removed from O(cache_dir), as O(cache_max_age) and O(cache_max_size) ask for.
  returned: success
  type: list
  elements: dict
  contains:
    path:
      description: The directory that was removed.
      returned: always
      type: str
      sample: /var/cache/livepatch_build/trees/0123456789abcdef
    size:
      description: How many bytes it took.
      returned: always
      type: int
      sample: 7516192768
    unused_days:
      description: For how many days no build had used it.
      returned: always
      type: float
      sample: 31.5
    why:
      description: V(age) or V(size).
      returned: always
      type: str
      sample: age
changed_functions:
  description: The functions that C(klp-build) or C(kpatch-build) found changed or new. Empty with O(method=kbuild).
  returned: success
  type: list
  elements: dict
  contains:
    object:
      description: The object file that has the function.
      returned: always
      type: str
      sample: cmdline.o
    name:
      description: The name of the function.
      returned: always
      type: str
      sample: cmdline_proc_show
    new:
      description: Whether the patch adds the function.
      returned: always
      type: bool
      sample: false
reason:
  description: Stable key of why it failed. V(module_failed) where Ansible itself fails, for example since the build host has no Python.
  returned: failure
  type: str
  sample: compile_error
cause:
  description: Why it failed, in one sentence.
  returned: failure
  type: str
  sample: "The compiler says: fs/proc/cmdline.c:10: implicit declaration of function 'nothing'."
remedy:
  description: What to do about it, in one sentence.
  returned: failure
  type: str
  sample: Correct the patch.
problems:
  description: Everything that would make the build fail. The first problem is the reason of the failure.
  returned: when the checks before the build failed
  type: list
  elements: dict
  contains:
    reason:
      description: Stable key of the problem.
      returned: always
      type: str
      sample: does_not_apply
    cause:
      description: What is wrong.
      returned: always
      type: str
      sample: "/srv/livepatch/0001-test.patch: hunk 1 does not apply to fs/proc/cmdline.c at line 7."
    remedy:
      description: What to do about it.
      returned: always
      type: str
      sample: Correct the patch or src_dir.
    severity:
      description: V(refuse), since the module does not build with such a problem.
      returned: always
      type: str
      sample: refuse
errors:
  description: The errors that the compiler printed, at most 500.
  returned: when the compiler failed
  type: list
  elements: dict
  contains:
    file:
      description: The source file.
      returned: always
      type: str
      sample: fs/proc/cmdline.c
    line:
      description: The line in it.
      returned: always
      type: int
      sample: 10
    column:
      description: The column in that line; V(null) if the compiler does not tell it.
      returned: always
      type: int
      sample: 9
    message:
      description: What the compiler says.
      returned: always
      type: str
      sample: implicit declaration of function 'nothing'
cmd:
  description: The command that failed, or that made a result which cannot be used. The path of O(sign.key) is left out.
  returned: failure, if klp-build, kpatch-build, make or the program that signs was called
  type: list
  elements: str
  sample: [make, -C, /usr/src/linux-headers-6.12.48-amd64, M=/tmp/livepatch-x1y2z3, modules]
rc:
  description: The exit status of RV(cmd). V(null) if it was killed because O(timeout) was over.
  returned: failure, if klp-build, kpatch-build, make or the program that signs was called
  type: int
  sample: 2
log:
  description:
    - Path on the build host of the file with all that C(klp-build), C(kpatch-build) and make printed. V(null) if that file cannot be written.
    - Other programs leave no log. With O(method=kbuild), RV(stdout) and RV(stderr) are all that make printed.
  returned: failure, if klp-build or kpatch-build was called
  type: str
  sample: /var/cache/livepatch_build/logs/livepatch-0001-test-6.6.0-72.0.0.76.oe2403.x86_64.log
stage:
  description: How far the build had come. Between V(testing the patches) and the end of V(building the original source), no patch is to blame.
  returned: when klp-build, kpatch-build or make failed
  type: str
  sample: building the patched source
log_lines:
  description: The line that decides and those that say what went wrong, at most 20.
  returned: when klp-build, kpatch-build or make failed
  type: list
  elements: str
  sample: ["fs/proc/cmdline.c:10:9: error: implicit declaration of function 'nothing'", "ERROR: kpatch build failed. Check build.log for more details."]
stdout:
  description: The standard output of make, with O(method=kbuild).
  returned: failure, if make was called
  type: str
  sample: "  CC [M]  /tmp/livepatch-x1y2z3/livepatch_cmdline.o"
stderr:
  description: The standard error of make, with the messages of the compiler, with O(method=kbuild).
  returned: failure, if make was called
  type: str
  sample: "livepatch_cmdline.c:7:3: error: 'x' undeclared"
"""

from ansible_collections.openeuler.livepatch.plugins.module_utils._build import kbuild
from ansible_collections.openeuler.livepatch.plugins.module_utils._build.arguments import LIVEPATCH_BUILD, Conditions
from ansible_collections.openeuler.livepatch.plugins.module_utils._build.build import run_build
from ansible_collections.openeuler.livepatch.plugins.module_utils._build.builder import Prepare
from ansible_collections.openeuler.livepatch.plugins.module_utils._klp_build import builder as klp_build
from ansible_collections.openeuler.livepatch.plugins.module_utils._klp_build.request import is_for as is_for_klp_build
from ansible_collections.openeuler.livepatch.plugins.module_utils._kpatch import builder as kpatch
from ansible_collections.openeuler.livepatch.plugins.module_utils._system.hand_over import Module

BUILDERS: dict[str, Prepare] = {
    "klp_build": klp_build.prepare,
    "kpatch": kpatch.prepare,
    "kbuild": kbuild.prepare,
}
"""Method -> what makes its builder."""

CONDITIONS: Conditions = {"klp_build": is_for_klp_build}
"""Method -> when `auto` takes it before others that build from the same sources."""


def main() -> None:
    module = Module(hidden=["env"], supports_check_mode=True, **LIVEPATCH_BUILD)
    result = run_build(module, BUILDERS, module.handed_over, CONDITIONS)
    if result.pop("failed", False):
        module.fail_json(**result)
    module.exit_json(**result)


if __name__ == "__main__":
    main()
