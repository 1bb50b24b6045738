# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The lines and the characters of text that others have written."""

from __future__ import annotations

import pathlib
import sys
import unicodedata

import pytest
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.text import (
    REPLACEMENT,
    clean,
    lines_of,
    one_line,
)
from ansible_collections.openeuler.livepatch.plugins.module_utils._system.files import Files


def test_lines_end_at_line_feeds_and_nowhere_else() -> None:
    content = "a\vb\fc\x1cd\x1de\x1ef\x85g\u2028h\u2029i\rj"
    assert lines_of(f"{content}\n\nlast\n") == [content, "", "last"]
    assert lines_of(f"{content}\nlast".encode()) == [content.encode(), b"last"]
    assert lines_of("") == [] and lines_of(b"") == []
    assert lines_of("\n") == [""]
    assert lines_of("a\n\n") == ["a", ""]


DISGUISES = {"Cc", "Cf", "Cs", "Zl", "Zp"}
"""Controls, formats, surrogates, and separators of lines and paragraphs."""


def test_no_character_of_these_kinds_is_left() -> None:
    kept = set("\n\t")
    odd = [chr(code) for code in range(sys.maxunicode + 1) if unicodedata.category(chr(code)) in DISGUISES]
    assert [f"{ord(char):#x}" for char in odd if char not in kept and clean(char) != REPLACEMENT] == []
    assert clean("\n\t") == "\n\t"


def test_a_name_is_one_line() -> None:
    assert one_line("a\n\x1bb\n") == f"a {REPLACEMENT}b"


@pytest.mark.parametrize("text", ["plain", "größer, 升级, ελ, Ω", "a\tb\nc", "… \u201cx\u201d 🙂"])
def test_what_people_write_is_left(text: str) -> None:
    assert clean(text) == text


@pytest.mark.parametrize(
    "text", ["\x1b[2J", "\x9b2J", "a\rb", "x\u202ey", "x\u200fy", "\ufeffx", "x\u200by", "x\ufe0f", "\u3164", "\udc9b"]
)
def test_what_disguises_is_replaced(text: str) -> None:
    assert REPLACEMENT in clean(text)
    assert len(clean(text)) == len(text)


def test_the_text_of_a_file_of_the_system_is_clean(tmp_path: pathlib.Path) -> None:
    (tmp_path / "file").write_bytes("a\x1b[2J\u200f\u2028b\x9b".encode() + b"\xff\n")
    assert Files(str(tmp_path)).text("/file") == f"a{REPLACEMENT}[2J{REPLACEMENT * 2}b{REPLACEMENT * 2}"
