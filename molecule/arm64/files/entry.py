# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Print the first instructions of a function of the running kernel, each as a number.

Usage: PYTHONPATH=COLLECTIONS entry.py FUNCTION
"""

from __future__ import annotations

import os
import struct
import sys
from pathlib import Path

from ansible_collections.openeuler.livepatch.plugins.module_utils._model.snapshot import Function
from ansible_collections.openeuler.livepatch.plugins.module_utils._observe.kallsyms import KALLSYMS, find_symbols
from ansible_collections.openeuler.livepatch.plugins.module_utils._verify.text import KCORE, entry_of


def main() -> None:
    function = Function("vmlinux", sys.argv[1])
    symbols = find_symbols(Path(KALLSYMS).read_bytes(), {(function.object, function.name)})
    with open(KCORE, "rb", buffering=0) as core:
        code = entry_of(core, os.uname().machine, symbols, function).code
    print(*(f"{word:08x}" for (word,) in struct.iter_unpack("<I", code)))


if __name__ == "__main__":
    main()
