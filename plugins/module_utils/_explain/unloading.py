# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise is made to code outside of it.

"""What delete_module(2) and modprobe answer, and what any operation may be answered."""

from __future__ import annotations

import errno

from ansible_collections.openeuler.livepatch.plugins.module_utils._explain.row import Row
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.findings import Finding
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.plan import Action
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.snapshot import PER_TASK, STOP_MACHINE

_NOT_PERMITTED = Finding(
    reason="not_permitted",
    seen="The kernel does not permit it: not root, module loading switched off, or lockdown.",
    remedy="Run as root; look at /proc/sys/kernel/modules_disabled and /sys/kernel/security/lockdown.",
)

ROWS: tuple[Row, ...] = (
    Row(
        operation=Action.LOAD_TARGET,
        number=errno.ENOENT,
        finding=Finding(
            reason="target_not_loaded",
            seen="modprobe could not load the module.",
            remedy="Load it by hand (modprobe -v) to see why, then run the task again.",
        ),
    ),
    Row(
        operation=Action.LOAD_TARGET,
        number=errno.ETIMEDOUT,
        finding=Finding(
            reason="target_not_loaded",
            seen="modprobe did not end within timeout, and was killed.",
            remedy="Load the module by hand (modprobe -v) to see what it waits for, or give a longer timeout.",
        ),
    ),
    Row(
        operation=Action.UNLOAD_TARGET,
        number=errno.EAGAIN,
        finding=Finding(
            reason="module_in_use",
            seen="The module has found a user.",
            remedy="Leave it loaded, or end its users and unload it.",
        ),
    ),
    Row(
        operation=Action.UNLOAD,
        number=errno.EAGAIN,
        finding=Finding(
            reason="module_in_use",
            seen="The module is still in use.",
            remedy="Look at /sys/module/<name>/refcnt and holders, then run the task again; what was disabled by force "
            "stays until a reboot.",
        ),
    ),
    Row(
        operation=Action.UNLOAD,
        number=errno.EBUSY,
        abi=STOP_MACHINE,
        log=r"module (?P<module>\S+) is in use!",
        finding=Finding(
            reason="module_in_use",
            seen="Some task still runs code of the module {module}.",
            remedy="Run the task again.",
        ),
    ),
    # The likeliest by far: what has no exit function is refused beforehand.
    Row(
        operation=Action.UNLOAD,
        number=errno.EBUSY,
        abi=STOP_MACHINE,
        finding=Finding(
            reason="module_in_use",
            seen="Some task still runs code of the module, or it is being loaded or unloaded, or it has no exit "
            "function.",
            remedy="Run the task again; only a reboot removes a module without an exit function.",
        ),
    ),
    Row(
        operation=Action.UNLOAD,
        number=errno.EBUSY,
        abi=PER_TASK,
        finding=Finding(
            reason="module_not_removable",
            seen="The module cannot be unloaded: it has no exit function, or it is being loaded or unloaded.",
            remedy="Only a reboot removes a module without an exit function.",
        ),
    ),
    Row(
        operation=Action.UNLOAD,
        number=errno.EINVAL,
        abi=STOP_MACHINE,
        finding=Finding(
            reason="unreliable_stack",
            seen="The kernel cannot tell whether a task still runs the module's code.",
            remedy="Run the task again.",
        ),
    ),
    Row(
        operation=Action.UNLOAD,
        number=errno.ENOENT,
        finding=Finding(
            reason="gone",
            seen="The module was unloaded by somebody else in the same moment.",
            remedy="Run the task again.",
        ),
    ),
    Row(
        number=errno.EROFS,
        finding=Finding(
            reason="read_only",
            seen="/sys is mounted read-only.",
            remedy="Mount it read-write (mount -o remount,rw /sys), and find out who made it so.",
        ),
    ),
    Row(number=errno.EPERM, finding=_NOT_PERMITTED),
    Row(number=errno.EACCES, finding=_NOT_PERMITTED),
    Row(
        number=errno.ENOSYS,
        finding=Finding(
            reason="unsupported_kernel",
            seen="The kernel loads no modules, or this collection does not know how this architecture does.",
            remedy="Boot a kernel with CONFIG_MODULES=y.",
        ),
    ),
)
