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
options: {}
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
      type: dict
      returned: always
      contains:
        read_at:
          description: When the facts were read, in UTC, by the host's clock. Facts that a cache keeps tell their age so.
          type: str
          returned: always
          sample: "2026-11-25T07:33:31Z"
        supported:
          description: Whether the running kernel can be live-patched.
          type: bool
          returned: always
        why_unsupported:
          description: Why not, in a sentence; V(null) if it can.
          type: str
          returned: always
        abi:
          description:
            - V(per_task) for mainline's model, where inserting a patch starts a transition.
            - V(stop_machine) for openEuler's kernels with CONFIG_LIVEPATCH_WO_FTRACE.
            - V(null) if live patching is not supported.
          type: str
          returned: always
          sample: per_task
        abi_evidence:
          description: What the ABI was concluded from.
          type: list
          elements: str
          returned: always
        stacking_enforced:
          description:
            - Whether a V(stop_machine) kernel has CONFIG_LIVEPATCH_STACK, and so enables only the first disabled patch of
              C(/proc/livepatch/state) and disables only the last enabled one.
            - V(null) if that is not known, and on V(per_task) kernels.
          type: bool
          returned: always
        release:
          description: The running kernel's release.
          type: str
          returned: always
        machine:
          description: The host's architecture.
          type: str
          returned: always
        config_path:
          description: The configuration that was read; V(null) if there is none.
          type: str
          returned: always
        config:
          description:
            - The eight options that openEuler's documentation asks for, by name, each with RV(ignore:set), RV(ignore:value) and
              RV(ignore:needed_by), the ABIs that need it.
            - The first two are V(null) if no configuration could be read.
          type: dict
          returned: always
          sample: {CONFIG_LIVEPATCH: {set: true, value: y, needed_by: [per_task, stop_machine]}}
        reboot_required:
          description:
            - Whether only a reboot takes out a disabled patch, see RV(openeuler.livepatch.livepatch_module#module:patch.reboot_required), or
              lets a V(per_task) kernel whose ftrace has failed patch functions again.
            - That the kernel loads no modules any more (C(/proc/sys/kernel/modules_disabled)) is no reason by itself, since nothing may be
              waiting to be loaded. A task that needs a module returns it then.
          type: bool
          returned: always
          sample: false
        patches:
          description:
            - Every loaded live patch in the kernel's order; of two enabled ones on one function the later is live.
            - See RV(openeuler.livepatch.livepatch_module#module:patch) for the keys.
          type: list
          elements: dict
          returned: always
        functions:
          description: Every replaced function with the enabled patches on it.
          type: list
          elements: dict
          returned: always
          contains:
            object:
              description: V(vmlinux) or the name of a module.
              type: str
              returned: always
            name:
              description: The function.
              type: str
              returned: always
            sympos:
              description: Its position among the symbols of that name, from 1.
              type: int
              returned: always
            stack:
              description: The enabled patches that replace it, oldest first.
              type: list
              elements: str
              returned: always
            live:
              description: The patch whose code runs.
              type: str
              returned: always
        transition:
          description: The running transition; V(null) if there is none.
          type: dict
          returned: always
          contains:
            patch:
              description: The patch being enabled or disabled.
              type: str
              returned: always
            enabling:
              description: Whether it is being enabled.
              type: bool
              returned: always
            stalling_tasks:
              description: The tasks that hold it, each with RV(ignore:pid), RV(ignore:tid), RV(ignore:command) and RV(ignore:stack).
              type: list
              elements: dict
              returned: always
        boot:
          description: What happens to patches at boot; see O(openeuler.livepatch.livepatch_module#module:boot). Only root can read most of it.
          type: dict
          returned: always
          contains:
            installed:
              description: Whether something loads accepted patches, see the role P(openeuler.livepatch.boot#role).
              type: bool
              returned: always
            accepted:
              description:
                - What the next boot of the running kernel loads, in order, if RV(ansible_facts.ansible_livepatch.boot.installed) and not
                  RV(ansible_facts.ansible_livepatch.boot.held).
                - Each has RV(ignore:name), RV(ignore:sha256), RV(ignore:release) and RV(ignore:since).
              type: list
              elements: dict
              returned: always
            quarantined:
              description:
                - Contents that took the host down when they were loaded at boot, each with RV(ignore:name), RV(ignore:sha256),
                  RV(ignore:release), RV(ignore:since) and RV(ignore:why).
              type: list
              elements: dict
              returned: always
            lost:
              description:
                - Patches that are accepted for another kernel, with none of that name for the running one, each with RV(ignore:name) and
                  RV(ignore:release).
              type: list
              elements: dict
              returned: always
            unhealthy_boots:
              description: How many boots in a row have loaded patches and did not end well.
              type: int
              returned: always
            held:
              description:
                - Whether nothing is loaded any more because of them, until a patch is accepted, or one that is accepted or in quarantine
                  is taken out.
              type: bool
              returned: always
            nothing:
              description: Why this boot has loaded nothing of what is accepted, in a sentence; V(null) if it did.
              type: str
              returned: always
            results:
              description:
                - What became of each accepted patch in this boot, with RV(ignore:name), RV(ignore:outcome) (V(enabled), V(failed),
                  V(quarantined), V(skipped)) and RV(ignore:why).
              type: list
              elements: dict
              returned: always
        taint:
          description: The kernel's taint flags as a number (C(/proc/sys/kernel/tainted)); bit 15 says that a live patch was loaded.
          type: int
          returned: always
        trouble:
          description: The trouble that this shows, for example V(an oops) or V(a warning), of any time since the kernel booted.
          type: list
          elements: str
          returned: always
        disagreements:
          description: In what the kernel's sources contradict each other, C(/proc/livepatch/state) and sysfs, as sentences.
          type: list
          elements: str
          returned: always
        unreadable:
          description: What could not be read, each with RV(ignore:path) and RV(ignore:reason).
          type: list
          elements: dict
          returned: always
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.openeuler.livepatch.plugins.module_utils._manage.facts import gather
from ansible_collections.openeuler.livepatch.plugins.module_utils._system.files import Files


def main() -> None:
    module = AnsibleModule(argument_spec={}, supports_check_mode=True)
    module.exit_json(changed=False, ansible_facts={"ansible_livepatch": gather(Files())})


if __name__ == "__main__":
    main()
