# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Copy a module, with another version (CRC) of one symbol: as if it had been built against another kernel.

The version is the long before the name in the section __versions (struct modversion_info, include/linux/module.h).
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

NAME_SIZE = 64 - 8


def main() -> None:
    module, symbol, other = sys.argv[1:]
    padded = symbol.encode().ljust(NAME_SIZE, b"\0")
    content, count = re.subn(rb"(?s).{8}(?=" + re.escape(padded) + rb")", bytes(8), Path(module).read_bytes())
    if count != 1:
        sys.exit(f"{module} has {count} versions of {symbol}")
    Path(other).write_bytes(content)


main()
