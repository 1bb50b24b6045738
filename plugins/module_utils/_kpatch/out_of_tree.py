# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise is made to code outside of it.

"""Lets kpatch-build patch a module whose source is not in the kernel's tree.

Its releases differ in what they take for the kernel's tree then. One of 2021 builds in the module's source, and links
the patch there; later ones link it in the tree that `-s` names (upstream's change 1245). 0.9.9 applies the patch and
builds in that tree as well, and wants vmlinux in the Module.symvers there. So `-s` names the copy of the module's
source, and a makefile in it hands on to the kernel's tree what is for that.

0.9.9 reads the Module.symvers of the module's source and that of the kernel's tree as one, and create-diff-object ends
where a name is in it twice (lookup_exported_symbol() in lookup.c). Both are the same file here. So it gets one line
with vmlinux, for a name that no code has, and not the kernel's symbols: a symbol that create-diff-object does not find
stays an ordinary one, which the kernel resolves when it loads the patch.
"""

from __future__ import annotations

import os
import typing as t

from ansible_collections.openeuler.livepatch.plugins.module_utils._build import own_files
from ansible_collections.openeuler.livepatch.plugins.module_utils._build.source_index import NOT_SOURCE

DEFAULT_GOAL = "default-goal"
"""The target for kpatch-build, whose own are the kernel's, where the task names none: what `make` makes without one."""

_NAMES = ("GNUmakefile", "makefile", "Makefile")
"""The order in which make looks for its file."""

_KERNEL_TREE = ("KDIR", "KERNELDIR", "KERNEL_DIR", "KERNEL_SRC", "KSRC")
"""How makefiles of modules name the kernel's tree; without a value they take that of the running kernel."""

_RELEASE = ("KVERSION", "KVER")

_PART = "Module.symvers.part"

# mv replaces a link; >> writes to where it leads.
_MAKEFILE = """\
# Written by livepatch_build for kpatch-build, which takes this folder for the kernel's tree.
ifeq ($(origin M),command line)
.PHONY: in-the-kernel $(MAKECMDGOALS)
in-the-kernel:
\t+$(MAKE) -C {kernel} $(MAKECMDGOALS)
$(filter-out in-the-kernel,$(MAKECMDGOALS)): in-the-kernel ;
else
.PHONY: in-the-module $(MAKECMDGOALS)
in-the-module:
\t+$(MAKE) -f {makefile} $(filter-out {goal},$(MAKECMDGOALS))
\tgrep -qs vmlinux Module.symvers || {{ \\
\t{{ cat Module.symvers 2>/dev/null; printf '0x00000000\\tno_symbol\\tvmlinux\\tEXPORT_SYMBOL\\t\\n'; }} > {part} && \\
\tmv -fT {part} Module.symvers; }}
$(filter-out in-the-module,$(MAKECMDGOALS)): in-the-module ;
endif
"""


def variables(kernel: str, release: str) -> dict[str, str]:
    """The variables that tell the makefile of a module which kernel to build it for."""
    return {**dict.fromkeys(_KERNEL_TREE, kernel), **dict.fromkeys(_RELEASE, release)}


def make_ready(copy: str, kernel: str, origin: t.Collection[str]) -> None:
    """Put what kpatch-build looks for in the kernel's tree into the copy of a module's source. Raises OSError.

    `origin` has the paths of the files that belong to the source.
    """
    for path in origin:
        if path in ("Module.symvers", _PART) or path.endswith((*NOT_SOURCE, ".mod.c")):
            # The build writes there, and would write through a link.
            own_files.take_content(copy, path)
    makefile = next((name for name in _NAMES if name in origin), _NAMES[-1])
    if makefile == _NAMES[0]:
        makefile = "GNUmakefile.module"
        own_files.remove(copy, makefile)
        os.replace(os.path.join(copy, _NAMES[0]), os.path.join(copy, makefile))
    text = _MAKEFILE.format(kernel=kernel, makefile=makefile, goal=DEFAULT_GOAL, part=_PART)
    own_files.write(copy, _NAMES[0], text.encode("ascii"))
    # kpatch-build edits this one where the kernel has CONFIG_DEBUG_INFO_BTF.
    if "scripts/link-vmlinux.sh" not in origin:
        # The module's makefile may need what else is there.
        own_files.unfold(copy, "scripts")
        own_files.write(copy, "scripts/link-vmlinux.sh", b"")
