# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise is made to code outside of it.

"""Plain data, and texts that are harmless wherever they are put: in a path, and in a file that Ansible may render."""

from __future__ import annotations

import re
import typing as t

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]*")
_SENTENCE = re.compile(r"[A-Za-z0-9 ._+,:;()/'-]*")
_BEGINS_A_TEMPLATE = re.compile(r"\{(?=[{%#])")


def is_name(text: str) -> bool:
    """Whether the text can be the name of a file, and is neither hidden nor an option."""
    return len(text) <= 255 and _NAME.fullmatch(text) is not None


def is_sentence(text: str) -> bool:
    """Whether the text has only characters that no template can be made of."""
    return _SENTENCE.fullmatch(text) is not None


def without_templates(text: str) -> str:
    """The text, in which no template begins any more: a space follows the braces that would begin one."""
    return _BEGINS_A_TEMPLATE.sub("{ ", text)


def plain_data(value: t.Any) -> t.Any:
    """The same value without subclasses of Ansible, which a dumper does not know."""
    if isinstance(value, t.Mapping):
        return {plain_data(key): plain_data(item) for key, item in value.items()}
    if isinstance(value, str):
        return "".join(value)
    if isinstance(value, (list, tuple)):
        return [plain_data(item) for item in value]
    for kind in (bool, int, float):
        if isinstance(value, kind):
            return kind(value)
    return value
