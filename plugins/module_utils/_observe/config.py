# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise is made to code outside of it.

"""The configuration of the running kernel."""

from __future__ import annotations

import gzip
import re
import zlib

from ansible_collections.openeuler.livepatch.plugins.module_utils._model.snapshot import (
    PER_TASK,
    STOP_MACHINE,
)
from ansible_collections.openeuler.livepatch.plugins.module_utils._system.files import Files

# What openEuler's documentation requires of kernels that patch without ftrace, and which of it mainline needs too.
REQUIRED_OPTIONS = {
    "CONFIG_HAVE_LIVEPATCH_WO_FTRACE": (STOP_MACHINE,),
    "CONFIG_LIVEPATCH": (PER_TASK, STOP_MACHINE),
    "CONFIG_LIVEPATCH_WO_FTRACE": (STOP_MACHINE,),
    "CONFIG_LIVEPATCH_STOP_MACHINE_CONSISTENCY": (STOP_MACHINE,),
    "CONFIG_LIVEPATCH_RESTRICT_KPROBE": (STOP_MACHINE,),
    "CONFIG_KALLSYMS": (PER_TASK, STOP_MACHINE),
    "CONFIG_KALLSYMS_ALL": (PER_TASK, STOP_MACHINE),
    "CONFIG_DEBUG_INFO": (STOP_MACHINE,),
}

VERMAGIC = {
    "SMP": "SMP",
    "PREEMPT_RT": "preempt_rt",
    "PREEMPT_BUILD": "preempt",
    "PREEMPT": "preempt",
    "MODULE_UNLOAD": "mod_unload",
    "MODVERSIONS": "modversions",
}
"""Option -> the word that it adds to a vermagic (include/linux/vermagic.h)."""

MODULE_PLTS = "CONFIG_ARM64_MODULE_PLTS"
"""With this option arm64 kernels of 5.10 can jump to distant modules (arch/arm64/include/asm/livepatch.h)."""

ISOLATE_KPROBE = "CONFIG_LIVEPATCH_ISOLATE_KPROBE"
"""With this option a kernel patches behind what ftrace has at the entry of a function (openEuler's
kernel/livepatch/Kconfig; 5.10.0-201 and 6.6.0-31 and later are shipped with it)."""

LONG_SYMBOLS = "CONFIG_LIVEPATCH_LONG_SYMBOL_SUPPORT"
"""With this option a kernel knows symbols of a patch by another symbol and a distance (openEuler's 6.6 of 2025)."""


def read_config(files: Files, release: str) -> tuple[str | None, dict[str, str]]:
    """The path of the running kernel's configuration and its options of interest; (None, {}) if there is none."""
    for path in ("/proc/config.gz", "/boot/config-" + release, f"/lib/modules/{release}/config"):
        content = files.bytes(path)
        if not isinstance(content, bytes):
            continue
        if path.endswith(".gz"):
            try:
                content = gzip.decompress(content)
            except (OSError, EOFError, zlib.error):
                files.damaged(path)
                continue
        return path, parse_config(content.decode("utf-8", "replace"))
    return None, {}


def parse_config(text: str) -> dict[str, str]:
    """The livepatch options, the REQUIRED_OPTIONS, MODULE_PLTS and those in VERMAGIC that a configuration sets."""
    names = "|".join(("(?:HAVE_)?LIVEPATCH\\w*", "KALLSYMS(?:_ALL)?", "DEBUG_INFO", "ARM64_MODULE_PLTS", *VERMAGIC))
    return dict(re.findall(rf"^(CONFIG_(?:{names}))=(.*)$", text, re.M))


def vermagic_words(config: dict[str, str]) -> frozenset[str]:
    words = {word for option, word in VERMAGIC.items() if config.get("CONFIG_" + option) == "y"}
    return frozenset(words - {"preempt"} if "preempt_rt" in words else words)
