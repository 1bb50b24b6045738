# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise is made to code outside of it.

"""What to do next about a host with a status, as a sentence and as a command to copy."""

from __future__ import annotations

import re
from dataclasses import dataclass

from ansible_collections.openeuler.livepatch.plugins.plugin_utils._fleet import statuses as words
from ansible_collections.openeuler.livepatch.plugins.plugin_utils._fleet.releases import Release

HOST = "HOST"
"""Stands in a command for the host, or for several with commas between them."""

_SAFE_PATH = re.compile(r"[A-Za-z0-9_./+@-]+", re.ASCII)
_SAFE_NAME = re.compile(r"[A-Za-z0-9_]+", re.ASCII)
"""What neither a shell nor Ansible's key=value takes for more than a text. Else there is no command."""

_PING = "ansible HOST -m ansible.builtin.ping"
_FACTS = "ansible HOST -b -m openeuler.livepatch.livepatch_facts"
_KERNELS = "ansible-playbook openeuler.livepatch.kernels -e livepatch_hosts=HOST"
_LIST = "ansible HOST -b -m ansible.builtin.command -a '/usr/local/sbin/openeuler-livepatch list'"
_KERNEL_LOG = "ansible HOST -b -m ansible.builtin.command -a 'dmesg --level=emerg,alert,crit,err,warn'"


@dataclass(frozen=True)
class Step:
    """What to do next. `command` has HOST where the host belongs; None if no command does it."""

    text: str
    command: str | None = None


_STEPS = {
    words.UNREACHABLE: Step("Reach the host, and make the report again.", _PING),
    words.FAILED: Step("Read the facts of the host alone, which shows why.", _FACTS),
    words.UNSUPPORTED: Step("Boot a kernel that supports live patching, or one that contains the fix."),
    words.NO_PATCH_FILE: Step("Add the kernel to the fix, and build the release again.", _KERNELS),
    words.QUARANTINED: Step("Find out why the host went down, before the patch is loaded again.", _LIST),
    words.NOT_APPLIED: Step("Roll the release out to the host."),
    words.NOT_EFFECTIVE: Step("Look at which patches cover its functions.", _FACTS),
    words.PARTLY_EFFECTIVE: Step("Look at which of its functions are covered or not patched.", _FACTS),
    words.DRIFTED: Step(
        "Roll the release out to the host with livepatch_rollout_reload=true, which loads its build. If the next boot "
        "loads another build, add livepatch_rollout_accept=true. If there is no file for the kernel, build one first."
    ),
    words.IN_TRANSITION: Step("Wait for the transition. The facts name the tasks that stall it.", _FACTS),
    words.UNFINISHED: Step("Wait for the run. If it was interrupted, run it again, which recovers the host first."),
    words.TROUBLE_SINCE: Step("Read the log of the kernel.", _KERNEL_LOG),
    words.FORCED: Step("Plan a reboot of the host, which ends it."),
    words.ON_TRIAL: Step("Accept the patch, so that the next boot loads it."),
}
_ROLLED_OUT = (words.NOT_APPLIED, words.UNFINISHED)


def steps_of(release: Release | None) -> dict[str, Step]:
    """The next step for each status that needs one, where a host stands so with the release, or without any."""
    steps = dict(_STEPS)
    if release and _is_safe(release.path, _SAFE_PATH):
        rollout = (
            f"ansible-playbook openeuler.livepatch.rollout -e livepatch_release_file={release.path} "
            f"-e livepatch_hosts={HOST}"
        )
        steps.update({key: Step(steps[key].text, rollout) for key in _ROLLED_OUT})
        # Without it a rollout refuses a host that has loaded another build.
        steps[words.DRIFTED] = Step(steps[words.DRIFTED].text, f"{rollout} -e livepatch_rollout_reload=true")
    has_one_name = release and not any(file.name for file in release.files)
    if release and has_one_name and _is_safe(release.name, _SAFE_NAME):
        accept = (
            f"ansible {HOST} -b -m openeuler.livepatch.livepatch_module "
            f"-a 'name={release.name} state=enabled boot=accepted'"
        )
        steps[words.ON_TRIAL] = Step(steps[words.ON_TRIAL].text, accept)
    return steps


def _is_safe(text: str, characters: re.Pattern[str]) -> bool:
    return bool(characters.fullmatch(text)) and HOST not in text
