#!/usr/bin/python

# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: livepatch_facts
short_description: Report a kernel's live patches and what it supports
version_added: 1.0.0
description:
  - Reads how the running kernel applies live patches, which patches are loaded, what each replaces, which one is live on each function,
    and who holds a running transition.
  - Works without root as far as the kernel allows, and names what it could not read.
  - Does not fail on a kernel without live patching; RV(ansible_facts.ansible_livepatch.supported) is then V(false).
requirements:
  - Python 3.7 or later on the host
author:
  - openeuler.livepatch contributors (!UNKNOWN)
extends_documentation_fragment:
  - openeuler.livepatch._attributes
  - openeuler.livepatch._attributes.facts
attributes:
  diff_mode:
    support: N/A
seealso:
  - module: openeuler.livepatch.livepatch_module
options:
  kernel_package:
    description:
      - Whether to find out which package the running kernel is from, RV(ansible_facts.ansible_livepatch.kernel.package).
      - This runs C(rpm) or C(dpkg-query), which takes some tens of milliseconds, and seconds where their database is not in memory.
    type: bool
    default: false
  next_kernel:
    description:
      - Whether to find out which kernel the host boots next, RV(ansible_facts.ansible_livepatch.boot.next_kernel).
      - If the program C(grubby) is there, this runs it.
    type: bool
    default: false
"""

EXAMPLES = r"""
- name: Read the live patches
  openeuler.livepatch.livepatch_facts:

- name: Show which patch is live on each function
  ansible.builtin.debug:
    msg: "{{ item.name }}: {{ item.live }}"
  loop: "{{ ansible_facts.livepatch.functions }}"

- name: Stop where the kernel cannot be live-patched
  ansible.builtin.fail:
    msg: "{{ ansible_facts.livepatch.why_unsupported }}"
  when: not ansible_facts.livepatch.supported
"""

RETURN = r"""
ansible_facts:
  description: The facts.
  returned: always
  type: dict
  contains:
    ansible_livepatch:
      description: Live patching on this host, read as RV(ignore:ansible_facts.livepatch).
      returned: always
      type: dict
      contains:
        read_at:
          description: When the facts were read, in UTC, by the host's clock. Facts that a cache keeps tell their age so.
          returned: always
          type: str
          sample: "2026-11-25T07:33:31Z"
        last_change:
          description:
            - When M(openeuler.livepatch.livepatch_module) or a boot has changed the live patches last, in UTC. V(null) if neither has since
              the boot, or only root can read it.
          returned: always
          type: str
          sample: "2026-11-25T07:31:02Z"
        unfinished_run:
          description:
            - The run of M(openeuler.livepatch.livepatch_module) that is changing the host, or was interrupted. V(null) if there is none.
            - The next run of M(openeuler.livepatch.livepatch_module) rolls back what an interrupted one has left, or proves it where it is what
              the task wants. Until then nobody should rely on its patches.
            - Only root can read it. Where it cannot be read its keys are V(null).
          returned: always
          type: dict
          contains:
            who:
              description: The user, the one who called sudo, and the process.
              returned: always
              type: str
              sample: root (admin by sudo), process 4711
            what:
              description: Its steps.
              returned: always
              type: str
              sample: load livepatch_cmdline
            since:
              description: When it began, in UTC.
              returned: always
              type: str
              sample: "2026-11-25T07:33:31Z"
            patches:
              description: The patches that it is about.
              returned: always
              type: list
              elements: str
              sample: [livepatch_cmdline]
        supported:
          description: Whether the running kernel can be live-patched.
          returned: always
          type: bool
          sample: true
        why_unsupported:
          description: Why not, in a sentence; V(null) if it can.
          returned: always
          type: str
          sample: CONFIG_LIVEPATCH is not set in /boot/config-6.12.48-amd64.
        abi:
          description:
            - V(per_task) for mainline's model, where inserting a patch starts a transition.
            - V(stop_machine) for openEuler's kernels with CONFIG_LIVEPATCH_WO_FTRACE.
            - V(null) if live patching is not supported.
          returned: always
          type: str
          sample: per_task
        abi_evidence:
          description: What the ABI was concluded from. What the kernel shows of itself counts more than a configuration file.
          returned: always
          type: list
          elements: str
          sample: [CONFIG_LIVEPATCH=y without CONFIG_LIVEPATCH_WO_FTRACE in /boot/config-6.12.48-amd64]
        stacking_enforced:
          description:
            - Whether a V(stop_machine) kernel has CONFIG_LIVEPATCH_STACK, and so enables only the first disabled patch of
              C(/proc/livepatch/state) and disables only the last enabled one.
            - V(null) if that is not known, and on V(per_task) kernels.
          returned: always
          type: bool
          sample: true
        kprobes_isolated:
          description:
            - Whether a V(stop_machine) kernel has CONFIG_LIVEPATCH_ISOLATE_KPROBE, and so patches a function behind the
              instructions that ftrace has at its entry. Kprobes and tracers at the entry may stay then.
            - V(null) if that is not known, and on V(per_task) kernels.
          returned: always
          type: bool
          sample: true
        distribution:
          description: The host's distribution, by C(/etc/os-release).
          returned: always
          type: dict
          contains:
            id:
              description: Its C(ID) in small letters; V(null) if that is not told.
              returned: always
              type: str
              sample: openeuler
            name:
              description: Its C(PRETTY_NAME) or C(NAME); V(null) if that is not told.
              returned: always
              type: str
              sample: openEuler 22.03 (LTS-SP4)
            version:
              description: Its C(VERSION_ID); V(null) if that is not told.
              returned: always
              type: str
              sample: "22.03"
            like:
              description:
                - V(openEuler), V(RedHat), V(Debian) or V(SUSE), whose names of packages and paths it has; V(null) if that is not known.
                - V(openEuler) for EulerOS and Kylin's servers as well. What the kernel can do is not concluded from it.
              returned: always
              type: str
              sample: openEuler
            line:
              description: The line of openEuler that the running kernel is from; V(null) if it is from none.
              returned: always
              type: str
              sample: 22.03-LTS-SP4
        release:
          description:
            - The running kernel's release, as it was built. A live patch may change what C(uname -r) shows, see
              RV(ansible_facts.ansible_livepatch.kernel.shown_release).
          returned: always
          type: str
          sample: 6.12.48-amd64
        kernel:
          description: What tells the running kernel, beside its release.
          returned: always
          type: dict
          contains:
            build_id:
              description:
                - Its build-id (C(/sys/kernel/notes)), which tells builds of one release from each other.
                - V(null) if it has none, or cannot be read; RV(ansible_facts.ansible_livepatch.unreadable) then has the file.
              returned: always
              type: str
              sample: 4a5a9b0affb66c437abcd455d2738af879985fa9
            version:
              description: What C(uname -v) shows; V(null) if that cannot be read.
              returned: always
              type: str
              sample: "#1 SMP PREEMPT_DYNAMIC Debian 6.12.48-1 (2025-09-20)"
            shown_release:
              description: What C(uname -r) shows.
              returned: always
              type: str
              sample: 6.12.48-amd64
            evidence:
              description:
                - What tells the release if C(uname -r) shows another one; else V(null).
                - The kernel itself does in C(/proc/kcore), which only root may read, and in a build salt; else the boot loader and the names of
                  installed kernels do.
              returned: always
              type: str
              sample: OSRELEASE in /proc/kcore
            is_certain:
              description:
                - Whether the kernel itself tells the release, or nothing contradicts what C(uname -r) shows.
                - If not, RV(ansible_facts.ansible_livepatch.release) is the best guess; the report and the role C(rollout) do not take it
                  for a kernel that contains a fix.
              returned: always
              type: bool
              sample: true
            contradiction:
              description:
                - What names another installed kernel than C(uname -r), in a sentence, if that may be out of date; else V(null).
                - A live patch may have changed the name, or kexec has booted another kernel than the boot loader.
              returned: always
              type: str
              sample: BOOT_IMAGE in /proc/cmdline names 6.1.0-17-amd64, which is installed too.
            package:
              description:
                - The package that the kernel of RV(ansible_facts.ansible_livepatch.release) is from, by the database of C(rpm) or C(dpkg).
                - V(null) without O(kernel_package=true), if it is from no package, if there is no package manager, or if the database cannot be read;
                  RV(ansible_facts.ansible_livepatch.unreadable) then has the program that was asked.
              returned: always
              type: dict
              contains:
                manager:
                  description: V(rpm) or V(dpkg).
                  returned: always
                  type: str
                  sample: rpm
                name:
                  description: Its name.
                  returned: always
                  type: str
                  sample: kernel
                epoch:
                  description: Its epoch; V(0) if it has none.
                  returned: always
                  type: int
                  sample: 0
                version:
                  description: Its version, without epoch and release.
                  returned: always
                  type: str
                  sample: 5.10.0
                release:
                  description: Its release, with C(dpkg) the revision of Debian; V(null) if it has none.
                  returned: always
                  type: str
                  sample: 216.0.0.115.oe2203sp4
                arch:
                  description: Its architecture, as the package manager names it.
                  returned: always
                  type: str
                  sample: x86_64
                purl:
                  description:
                    - Its package URL. The namespace is RV(ansible_facts.ansible_livepatch.distribution.id), but V(redhat) for RHEL and
                      V(opensuse) for all of openSUSE. The qualifier C(distro) is that ID and
                      RV(ansible_facts.ansible_livepatch.distribution.version).
                    - V(null) if nothing tells the distribution.
                  returned: always
                  type: str
                  sample: pkg:rpm/openeuler/kernel@5.10.0-216.0.0.115.oe2203sp4?arch=x86_64&distro=openeuler-22.03
        machine:
          description: The host's architecture.
          returned: always
          type: str
          sample: x86_64
        config_path:
          description: The configuration that was read; V(null) if there is none.
          returned: always
          type: str
          sample: /boot/config-6.12.48-amd64
        config_contradiction:
          description:
            - How that configuration contradicts what the running kernel shows of itself, in a sentence. Nothing of it is used then.
            - V(null) if it does not.
          returned: always
          type: str
          sample: >-
            The configuration is not that of the running kernel: CONFIG_LIVEPATCH is not set in /boot/config-6.12.48-amd64, but the kernel shows
            klp_ftrace_handler in /proc/kallsyms.
        config:
          description:
            - The eight options that openEuler's documentation asks for, by name, each with RV(ignore:set), RV(ignore:value) and
              RV(ignore:needed_by), the ABIs that need it.
            - The first two are V(null) if no configuration could be read, or if it is not that of the running kernel.
          returned: always
          type: dict
          sample: {CONFIG_LIVEPATCH: {set: true, value: "y", needed_by: [per_task, stop_machine]}}
        reboot_required:
          description:
            - Whether only a reboot takes out a disabled patch, or ends that tasks may run old and new code together, see
              RV(openeuler.livepatch.livepatch_module#module:patch.reboot_required), or lets a V(per_task) kernel whose ftrace has failed patch
              functions again.
            - That the kernel loads no modules any more (C(/proc/sys/kernel/modules_disabled)) is no reason by itself, since nothing may be
              waiting to be loaded. A task that needs a module returns it then.
          returned: always
          type: bool
          sample: false
        patches:
          description:
            - Every loaded live patch in the kernel's order; of two enabled ones on one function the later is live.
            - RV(openeuler.livepatch.livepatch_module#module:patch) documents the keys.
          returned: always
          type: list
          elements: dict
          sample:
            - name: livepatch_cmdline
              enabled: true
              in_transition: false
              replace: false
              objects: [vmlinux]
              functions: [{object: vmlinux, name: cmdline_proc_show, sympos: 1}]
              taint: OEK
              identity:
                build_id: 12ebc946d48d5ba56740ddb2a945b2e050087bb7
                srcversion: 533BB7E5866E52F63B9ACCB
                sha256: e164b957c98741ba50eeb16b07a61f9381af4e28426438cca48b7b369d5b081d
              loaded_with: ""
              stored_copy: /run/openeuler-livepatch/livepatch_cmdline-e164b957c98741ba.ko
              effective: full
              unpatched: []
              covered: []
              boot: trial
              owner: null
              source_patches: []
              fix: {id: CVE-2026-0001, title: A missing check in the TCP stack, severity: important, cves: [CVE-2026-0001]}
              permanent: false
              reboot_required: false
              forced: false
              trouble_since: []
        functions:
          description: Every replaced function with the enabled patches on it, by object, name and position.
          returned: always
          type: list
          elements: dict
          contains:
            object:
              description: V(vmlinux) or the name of a module.
              returned: always
              type: str
              sample: vmlinux
            name:
              description: The function.
              returned: always
              type: str
              sample: cmdline_proc_show
            sympos:
              description: Its position among the symbols of that name in the object, from 1.
              returned: always
              type: int
              sample: 1
            stack:
              description: The enabled patches that replace it, oldest first.
              returned: always
              type: list
              elements: str
              sample: [livepatch_0001, livepatch_0002]
            live:
              description:
                - The patch whose code runs, the last of them. V(null) where the object is not patched, as a module that is not loaded, and
                  while the transition of a patch is running that disables the others and does not replace the function.
              returned: always
              type: str
              sample: livepatch_0002
        transition:
          description: The running transition; V(null) if there is none.
          returned: always
          type: dict
          contains:
            patch:
              description: The patch being enabled or disabled.
              returned: always
              type: str
              sample: livepatch_cmdline
            enabling:
              description: Whether it is being enabled.
              returned: always
              type: bool
              sample: true
            stalling_tasks:
              description: The tasks that hold it.
              returned: always
              type: list
              elements: dict
              contains:
                pid:
                  description: The number of its process.
                  returned: always
                  type: int
                  sample: 42
                tid:
                  description: Its own number, that of its process unless it is another thread of it.
                  returned: always
                  type: int
                  sample: 42
                command:
                  description: The name of the task, as in C(/proc/PID/comm).
                  returned: always
                  type: str
                  sample: sleep
                stack:
                  description: The functions in which it is in the kernel, the innermost first. Empty where the kernel does not show it.
                  returned: always
                  type: list
                  elements: str
                  sample: [hrtimer_nanosleep+0x9d/0x120, do_nanosleep+0x5d/0x170, do_syscall_64+0x82/0x190]
                held_by:
                  description: The function of C(stack) whose old code the task has to leave; V(null) where C(stack) does not show it.
                  returned: always
                  type: str
                  sample: do_nanosleep+0x5d/0x170
                is_kernel_thread:
                  description: Whether it is a thread of the kernel, which cannot be ended; V(null) where the kernel does not tell.
                  returned: always
                  type: bool
                  sample: false
        boot:
          description: What happens to patches at boot; see O(openeuler.livepatch.livepatch_module#module:boot). Only root can read most of it.
          returned: always
          type: dict
          contains:
            installed:
              description:
                - Whether something loads accepted patches, see the role P(openeuler.livepatch.boot#role). The boot program must be whole,
                  and the link that starts its unit must lead to one.
              returned: always
              type: bool
              sample: true
            version:
              description: The version of the collection that has made the boot program; V(null) if there is none, or it does not tell.
              returned: always
              type: str
              sample: 1.0.0
            outdated:
              description: Whether the boot program is installed, and older than the collection that reads these facts.
              returned: always
              type: bool
              sample: false
            next_kernel:
              description: Which kernel the host boots next. V(null) unless O(next_kernel=true).
              returned: always
              type: dict
              contains:
                release:
                  description:
                    - Its release; V(null) if nothing tells, or what would tell cannot be read.
                  returned: if O(next_kernel=true)
                  type: str
                  sample: 6.6.0-98.oe2403.x86_64
                source:
                  description:
                    - What tells it. V(grubby), if it is there; else V(bls), the entries in C(/boot/loader/entries); else V(grubenv), what GRUB
                      is told to boot; else V(names), the newest kernel in C(/boot).
                    - V(null) if nothing does.
                  returned: if O(next_kernel=true)
                  type: str
                  sample: grubby
            accepted:
              description:
                - What the next boot of the running kernel loads, in order, if RV(ansible_facts.ansible_livepatch.boot.installed).
              returned: always
              type: list
              elements: dict
              contains:
                name:
                  description: The patch.
                  returned: always
                  type: str
                  sample: livepatch_cmdline
                sha256:
                  description: Digest of its file.
                  returned: always
                  type: str
                  sample: e164b957c98741ba50eeb16b07a61f9381af4e28426438cca48b7b369d5b081d
                release:
                  description: The kernel that it is accepted for.
                  returned: always
                  type: str
                  sample: 6.12.48-amd64
                kernel_build_id:
                  description: The build-id of that kernel; V(null) if it was not known.
                  returned: always
                  type: str
                  sample: 4a5a9b0affb66c437abcd455d2738af879985fa9
                since:
                  description: When it was accepted, in UTC.
                  returned: always
                  type: str
                  sample: "2026-11-25T07:33:31Z"
                flaw:
                  description:
                    - Why no boot can load its file, in a sentence; V(null) if the file is there and whole. See
                      O(openeuler.livepatch.livepatch_module#module:boot) on how to store it again.
                  returned: always
                  type: str
                  sample: /var/lib/openeuler-livepatch/livepatch_cmdline-e164b957c98741ba.ko is gone.
                covered_by:
                  description: The patches that the next boot loads later and that replace a function of this one, or may do so.
                  returned: always
                  type: list
                  elements: str
                  sample: []
                fix:
                  description:
                    - What it fixes, as RV(openeuler.livepatch.livepatch_module#module:patch.fix). V(null) where nothing is noted.
                  returned: always
                  type: dict
                  sample: {id: CVE-2026-0001, title: A missing check in the TCP stack, severity: important, cves: [CVE-2026-0001]}
            quarantined:
              description: Builds that took the host down when they were loaded at boot.
              returned: always
              type: list
              elements: dict
              contains:
                name:
                  description: The patch.
                  returned: always
                  type: str
                  sample: livepatch_cmdline
                sha256:
                  description: Digest of its file.
                  returned: always
                  type: str
                  sample: e164b957c98741ba50eeb16b07a61f9381af4e28426438cca48b7b369d5b081d
                release:
                  description: The kernel that it took down.
                  returned: always
                  type: str
                  sample: 6.12.48-amd64
                since:
                  description: When it came into quarantine, in UTC.
                  returned: always
                  type: str
                  sample: "2026-11-25T07:33:31Z"
                why:
                  description: Why, in a sentence.
                  returned: always
                  type: str
                  sample: The host went down within an hour of a boot, 2 times in a row.
            lost:
              description:
                - Patches that are accepted for another kernel, or another build of it, with none of that name for the running one. If the build
                  of that is not known, also those of which several builds are accepted for builds of it; no boot loads them.
              returned: always
              type: list
              elements: dict
              contains:
                name:
                  description: The patch.
                  returned: always
                  type: str
                  sample: livepatch_cmdline
                release:
                  description: The kernel that it is accepted for.
                  returned: always
                  type: str
                  sample: 6.12.43-amd64
                kernel_build_id:
                  description: The build-id of that kernel; V(null) if it was not known.
                  returned: always
                  type: str
                  sample: 4a5a9b0affb66c437abcd455d2738af879985fa9
                fix:
                  description: What it fixes, as RV(openeuler.livepatch.livepatch_module#module:patch.fix). V(null) where nothing is noted.
                  returned: always
                  type: dict
                  sample: {id: CVE-2026-0001, title: A missing check in the TCP stack, severity: important, cves: [CVE-2026-0001]}
            unclean_ends:
              description:
                - How many boots of a kernel in a row have loaded patches and ended within an hour without a clean shutdown, before this one.
                  After two the patch that was accepted last is in quarantine, after three all are. A clean shutdown, or an hour up, sets
                  it back if that boot has loaded them. It is the highest count of the running kernel and the one before it.
              returned: always
              type: int
              sample: 0
            nothing:
              description:
                - Why this boot has loaded nothing, in a sentence; V(null) if nothing kept it from that, or a task has mended it since.
              returned: always
              type: str
              sample: livepatch=off is on the kernel's command line.
            results:
              description: >-
                What became of each patch in this boot that was accepted then. Empty if RV(ansible_facts.ansible_livepatch.boot.nothing) was
                mended since.
              returned: always
              type: list
              elements: dict
              contains:
                name:
                  description: The patch.
                  returned: always
                  type: str
                  sample: livepatch_cmdline
                outcome:
                  description: V(enabled), V(failed), V(quarantined) or V(skipped).
                  returned: always
                  type: str
                  sample: enabled
                why:
                  description: Why it was not enabled, in a sentence; empty if it is.
                  returned: always
                  type: str
                  sample: ""
                since:
                  description: When it was accepted, in UTC. If it was accepted anew since this boot, RV(ansible_facts.ansible_livepatch.boot.accepted) differs.
                  returned: always
                  type: str
                  sample: "2026-11-25T07:33:31Z"
        taint:
          description:
            - The kernel's taint flags as a number (C(/proc/sys/kernel/tainted)); bit 15 says that a live patch was loaded.
            - V(null) if that cannot be read.
          returned: always
          type: int
          sample: 37376
        trouble:
          description: The trouble that this shows, for example V(an oops) or V(a warning), of any time since the kernel booted.
          returned: always
          type: list
          elements: str
          sample: [a warning]
        undecided:
          description:
            - What decides which patches are loaded, enabled and live, and could not be read. RV(ansible_facts.ansible_livepatch.unreadable) has
              it as well.
            - If this or RV(ansible_facts.ansible_livepatch.disagreements) is not empty, nobody can tell whether a patch is effective. Then
              RV(ansible_facts.ansible_livepatch.functions) is V(null), as are V(enabled), V(in_transition), V(effective), V(covered),
              V(unpatched) and V(reboot_required) of each patch, and M(openeuler.livepatch.livepatch_module) refuses to change anything.
          returned: always
          type: list
          elements: dict
          contains:
            path:
              description: The file or directory.
              returned: always
              type: str
              sample: /proc/modules
            reason:
              description: The name of the errno, or V(damaged).
              returned: always
              type: str
              sample: EACCES
        disagreements:
          description:
            - In what the kernel's sources contradict each other, as sentences. They are C(/proc/modules), sysfs and C(/proc/livepatch/state).
            - A moment in which a patch comes or goes is not one of them. It is read again then.
          returned: always
          type: list
          elements: str
          sample: ["/proc/livepatch/state shows livepatch_cmdline as disabled, sysfs as enabled."]
        unreadable:
          description: What could not be read.
          returned: always
          type: list
          elements: dict
          contains:
            path:
              description: The file.
              returned: always
              type: str
              sample: /var/lib/openeuler-livepatch/accepted
            reason:
              description: The name of the errno, or V(damaged).
              returned: always
              type: str
              sample: EACCES
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.openeuler.livepatch.plugins.module_utils._manage.facts import gather
from ansible_collections.openeuler.livepatch.plugins.module_utils._system.files import Files

LIVEPATCH_FACTS = {
    "next_kernel": {"type": "bool", "default": False},
    "kernel_package": {"type": "bool", "default": False},
}


def main() -> None:
    module = AnsibleModule(argument_spec=LIVEPATCH_FACTS, supports_check_mode=True)
    facts = gather(Files(), module.params["next_kernel"], module.params["kernel_package"])
    module.exit_json(changed=False, ansible_facts={"ansible_livepatch": facts})


if __name__ == "__main__":
    main()
