# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise is made to code outside of it.

"""Text that others have written: its lines, and its characters."""

from __future__ import annotations

import re
import typing as t

REPLACEMENT = "\ufffd"
"""What stands for a character that `clean` takes out."""

_DISGUISES = (
    # Controls, of which \x1b and \x9b begin the commands of terminals; not the ends of lines, and tabs.
    r"\x00-\x08\x0b-\x1f\x7f-\x9f"
    # Separators of lines and paragraphs, and halves of characters.
    r"\u2028\u2029\ud800-\udfff"
    # Formats, which turn the direction of what follows, or join it.
    r"\xad\u0600-\u0605\u061c\u06dd\u070f\u0890\u0891\u08e2\u180e\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufeff"
    r"\ufff0-\ufffb\ufffe\uffff\U000110bd\U000110cd\U00013430-\U0001345f\U0001bca0-\U0001bca3\U0001d173-\U0001d17a"
    # What no font shows.
    r"\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180d\u180f\u3164\ufe00-\ufe0f\uffa0\U000e0000-\U000e0fff"
)

_DISGUISE = re.compile(f"[{_DISGUISES}]")


def lines_of(text: t.AnyStr) -> list[t.AnyStr]:
    r"""The lines of a text or of bytes as the kernel and its tools split them: at \n, and nowhere else.

    `splitlines` also splits at form feeds, \x1c, \x85, U+2028 and others: patch, make and shells take them for content.
    """
    newline: t.Any = b"\n" if isinstance(text, bytes) else "\n"
    found: list[t.AnyStr] = text.split(newline)
    return found if found[-1] else found[:-1]


def clean(text: str) -> str:
    """The text without characters by which it could command a terminal, or look like another text."""
    return _DISGUISE.sub(REPLACEMENT, text)


def one_line(text: str) -> str:
    """The text on one line, and clean: a name that somebody else has chosen."""
    return " ".join(lines_of(clean(text)))
