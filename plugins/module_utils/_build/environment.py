# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise is made to code outside of it.

"""The environment variables that decide what the kernel's makefiles build."""

from __future__ import annotations

import os
import typing as t

MAKE_VARIABLES = (
    "ARCH",
    "CROSS_COMPILE",
    "LLVM",
    "LLVM_IAS",
    "KCFLAGS",
    "KAFLAGS",
    "CFLAGS_KERNEL",
    "AFLAGS_KERNEL",
    "CFLAGS_MODULE",
    "AFLAGS_MODULE",
    "LDFLAGS_MODULE",
)
"""The variables by which the kernel's makefiles build other objects (Documentation/kbuild/kbuild.rst)."""


def inherited(names: t.Iterable[str]) -> dict[str, str]:
    """The values of those of the variables that are set, for instance by a task's `environment`."""
    return {name: os.environ[name] for name in names if name in os.environ}
