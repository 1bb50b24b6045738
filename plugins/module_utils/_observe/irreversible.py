# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise is made to code outside of it.

"""What a running kernel does not take back: only a reboot does."""

from __future__ import annotations

import typing as t

from ansible_collections.openeuler.livepatch.plugins.module_utils._model.reading import Absent

if t.TYPE_CHECKING:
    from ansible_collections.openeuler.livepatch.plugins.module_utils._system.files import Files

FTRACE_ENABLED = "/proc/sys/kernel/ftrace_enabled"

MODULES_DISABLED = "/proc/sys/kernel/modules_disabled"
"""Once it is 1 the kernel neither loads nor unloads modules, and does not take a 0 (kernel/module/main.c)."""


def ftrace_has_failed(files: Files) -> bool:
    """Whether ftrace has met a fault of its own and has given up (kernel/trace/ftrace.c, ftrace_enable_sysctl)."""
    return files.bytes(FTRACE_ENABLED) == Absent("ENODEV")
