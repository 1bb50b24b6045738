# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Compare what the kernel has printed with what a script of the kernel's livepatch selftests expects of it.

messages.py SCRIPT NUMBER MARK: standard input is what "dmesg --decode --notime" prints, and counts from the last line
that ends with MARK. A script counts its tests from 1. Exits with 1 and a diff if the messages differ.
messages.py SUITE: lists the tests of all scripts in that directory, as "livepatch 1".

A script of the suite announces each of its tests, makes it, and gives the text that the log must have then. That text
has three kinds of lines: what the kernel prints, the commands of the script, and what the script itself writes into the
log. Only the first kind is compared: the other two are about the suite's way to make the test, which is not ours.
"""

from __future__ import annotations

import difflib
import re
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

# An assignment, the start of a test, or the text that is expected at its end.
STATEMENT = re.compile(
    r"""
    ^[ \t]* (?P<name>[A-Za-z_]\w*) = (?P<value>"[^"\n]*"|[^\s"]*) [ \t]* $
    | ^[ \t]* start_test [ \t]+ "(?P<title>[^"]*)"
    | ^[ \t]* check_result [ \t]+ "(?P<text>(?:[^"\\]|\\.)*)"
    """,
    re.MULTILINE | re.DOTALL | re.VERBOSE,
)
VARIABLE = re.compile(r"\$(?:\{(\w+)\}|(\w+))")

# Commands, what insmod and sysctl say, and what the script has found.
NOT_OF_THE_KERNEL = re.compile(
    r"% |insmod: |livepatch: (ok$|sysctl: |kernel\.)|.*: this has been live patched$|.*: Remaining not livepatched "
)
# "kern  :info  : text", and with CONFIG_PRINTK_CALLER "[T123] " before the text.
OF_THE_KERNEL = re.compile(r"kern +:\w+ *: (?:\[ *[CT]\d+\] )?(.*)$")
OF_THE_SUITE = re.compile(r"livepatch:|test_klp")
# A taint is there once, and a slow machine lets the kernel wait until it signals tasks.
OF_THE_MOMENT = re.compile(r"(tainting|taints) kernel|signaling remaining tasks")


@dataclass(frozen=True)
class Test:
    """A test of a script, and what the kernel prints in it. `title` is the script's."""

    title: str
    messages: tuple[str, ...]


def tests(script: str) -> list[Test]:
    """The tests of a script. Where a test has two texts, for two kinds of kernels, the first one counts."""
    variables: dict[str, str] = {}
    found: list[Test] = []
    title = None
    for statement in STATEMENT.finditer(script):
        if statement["name"]:
            variables[statement["name"]] = substitute(statement["value"].strip('"'), variables, strict=False)
        elif statement["title"] is not None:
            title = statement["title"]
        elif title is not None:
            found.append(Test(title, tuple(messages(statement["text"], variables))))
            title = None
    return found


def messages(text: str, variables: Mapping[str, str]) -> Iterator[str]:
    """The lines of an expected text that the kernel prints."""
    for line in re.sub(r"\\(.)", unescaped, text, flags=re.DOTALL).splitlines():
        if not NOT_OF_THE_KERNEL.match(line):
            yield substitute(line, variables)


def unescaped(match: re.Match[str]) -> str:
    """A backslash and what follows it, as a shell reads it in double quotes."""
    following = match[1]
    if following == "\n":
        return ""
    return following if following in '"\\$`' else match[0]


def substitute(text: str, variables: Mapping[str, str], strict: bool = True) -> str:
    """The text with its variables. Raises KeyError for one that was not set; unless strict, that one stays."""

    def value(match: re.Match[str]) -> str:
        name = match[1] or match[2]
        return variables[name] if strict or name in variables else match[0]

    return VARIABLE.sub(value, text)


def printed(log: str, mark: str) -> list[str]:
    """What the kernel has printed after the mark about live patches and the suite's modules."""
    lines = log.splitlines()
    start = max((number for number, line in enumerate(lines) if line.endswith(mark)), default=None)
    if start is None:
        raise ValueError(f"The log has no line {mark!r}: it is older than the log reaches.")
    texts = (match[1] for line in lines[start + 1 :] if (match := OF_THE_KERNEL.match(line)))
    return [text for text in texts if OF_THE_SUITE.search(text) and not OF_THE_MOMENT.search(text)]


def names(suite: Path) -> Iterator[str]:
    for path in sorted(suite.glob("test-*.sh")):
        for number, _test in enumerate(tests(path.read_text(encoding="utf-8")), start=1):
            yield f"{path.stem.removeprefix('test-')} {number}"


def main() -> None:
    if len(sys.argv) == 2:
        print("\n".join(names(Path(sys.argv[1]))))
        return
    path, number, mark = sys.argv[1:]
    test = tests(Path(path).read_text(encoding="utf-8"))[int(number) - 1]
    found = printed(sys.stdin.read(), mark)
    print(f"{test.title}: the suite expects {len(test.messages)} messages of the kernel")
    if found != list(test.messages):
        sys.exit("\n".join(difflib.unified_diff(test.messages, found, "expected", "printed", lineterm="", n=20)))


if __name__ == "__main__":
    main()
