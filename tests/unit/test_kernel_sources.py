# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The modules of the tests are built for every kernel that they may run on: 4.19, 5.10, 6.6 and mainline.

Molecule compiles them for one of these. This reads which headers and members they use without asking for them.
"""

from __future__ import annotations

import re
import typing as t
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

SOURCES = sorted([*ROOT.glob("molecule/*/files/*.[ch]"), *ROOT.glob("examples/*/*.[ch]")])

EVERYWHERE = {
    *("delay", "kernel", "kprobes", "kthread", "livepatch", "module", "pid", "preempt", "proc_fs", "rcupdate", "sched"),
    *("sched/signal", "seq_file", "string", "version"),
}
"""Headers in include/linux of Linux 4.19 and of all later ones."""

NEWER = {r"\.replace\b": "5.1", r"\bnoipa\b": "GCC 8"}
"""What is not there in each of these kernels or with its compiler -> since when it is."""


def conditional_lines(source: str) -> t.Iterator[tuple[str, bool]]:
    """Each line that is no condition, and whether it depends on what the kernel or the compiler has."""
    open_conditions: list[str] = []
    for line in re.sub(r"/\*.*?\*/", "", source, flags=re.S).split("\n"):
        directive = re.match(r"#\s*(if|ifdef|ifndef|elif|else|endif)\b", line)
        if not directive:
            asks = any(re.search(r"LINUX_VERSION_CODE|__has_|HAS_REPLACE", one) for one in open_conditions)
            yield line, asks
        elif directive.group(1) == "endif":
            open_conditions.pop()
        elif directive.group(1) == "elif":
            open_conditions[-1] = line
        elif directive.group(1) != "else":
            open_conditions.append(line)


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_it_uses_what_each_kernel_has_or_asks_for_it(path: Path) -> None:
    for line, asks in conditional_lines(path.read_text(encoding="utf-8")):
        header = re.match(r"#\s*include <linux/(\S+)\.h>", line)
        assert asks or header is None or header.group(1) in EVERYWHERE, line
        for pattern, since in NEWER.items():
            assert asks or not re.search(pattern, line), (line, since)


def test_conditions_are_read() -> None:
    source = "#ifdef A\n.replace\n#else\nx\n#endif\n#if __has_include(<b>)\ny /* #if\n */\n#endif\nz\n"
    lines = [(".replace", False), ("x", False), ("y ", True), ("z", False), ("", False)]
    assert list(conditional_lines(source)) == lines
