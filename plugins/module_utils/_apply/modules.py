# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise is made to code outside of it.

"""Modules that come and go: whether a step has changed that."""

from __future__ import annotations

import errno
import typing as t

if t.TYPE_CHECKING:
    from ansible_collections.openeuler.livepatch.plugins.module_utils._apply.kernel_protocol import KernelProtocol


LEAST_SECONDS = 10.0
"""A task that waits for no transition lets modprobe begin."""


def unloads(kernel: KernelProtocol, name: str) -> bool:
    """Remove a module. Returns whether it was there. Raises OSError."""
    try:
        kernel.unload(name)
    except OSError as error:
        if error.errno != errno.ENOENT:
            raise
        return False
    return True


def loads_target(kernel: KernelProtocol, name: str, seconds: float) -> bool:
    """Load a module that a patch needs, within so many seconds. Returns whether it was not there. Raises OSError."""
    if name in kernel.snapshot().modules:
        return False
    kernel.load_target(name, max(seconds, LEAST_SECONDS))
    return True
