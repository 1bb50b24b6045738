# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise is made to code outside of it.

"""Pure: the parameters of a module, and the text in which finit_module(2) takes their values.

The kernel only logs an unknown name, and tells of a bad value when other patches may be out already: so both are
checked here. Values are checked by what kernel/params.c does with them. What depends on the module, as the length of
an array, is left to the kernel.
"""

from __future__ import annotations

import re
import typing as t
from dataclasses import dataclass

from ansible_collections.openeuler.livepatch.plugins.module_utils._model.bounds import (
    PARAMETER_TEXT_MAX,
    PARAMETERS_MAX,
    Bounds,
)
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.findings import Finding, FindingError

ARRAY = "array of "
"""What the type of an array begins with; that of its elements follows (include/linux/moduleparam.h)."""

NUMBERS = {
    "byte": (0, 8),
    "hexint": (0, 32),
    "short": (15, 15),
    "ushort": (0, 16),
    "int": (31, 31),
    "uint": (0, 32),
    "long": (63, 63),
    "ulong": (0, 64),
    "ullong": (0, 64),
}
"""The types of numbers: how many bits their negative and their positive values have. A long of a 32-bit kernel has
less, and the kernel answers ERANGE."""

FLAGS = ("bool", "invbool", "bint")

TEXTS = ("charp", "string")

_TRUE = ("1", "y", "yes", "on", "true")

_FALSE = ("0", "n", "no", "off", "false")

_NUMBER = re.compile(r"(?P<sign>[+-]?)(?:0[xX](?P<hex>[0-9a-fA-F]+)|0(?P<octal>[0-7]*)|(?P<decimal>[1-9][0-9]*))\Z")
"""As kstrtoint() and its kin read numbers (lib/kstrtox.c, base 0)."""


@dataclass(frozen=True)
class Parameter:
    """A parameter that a module has. `type` is the word that module_param() was given for it; empty if not known."""

    name: str
    type: str = ""

    def __str__(self) -> str:
        return f"{self.name} ({self.type})" if self.type else self.name


def encode(parameters: t.Iterable[Parameter], values: t.Mapping[t.Any, t.Any], path: str) -> str:
    """The text that the kernel takes: `name=value`, separated by blanks, sorted by the names.

    Equal values have equal texts, however they are written. `path` is the file that has the parameters, for messages.
    Raises FindingError with the reason `unknown_parameter` or `bad_parameter`.
    """
    known = {_spelt(parameter.name): parameter for parameter in parameters}
    unknown = [name for name in values if _spelt(name) not in known]
    if unknown:
        raise FindingError(_unknown(unknown, known.values(), path))
    if len({_spelt(name) for name in values}) < len(values):
        raise _bad("A parameter is given twice, with a hyphen and with an underscore.", "Give it once.")
    texts = {known[_spelt(name)].name: _encode(known[_spelt(name)], value) for name, value in values.items()}
    text = " ".join(f"{name}={_quoted(texts[name])}" for name in sorted(texts))
    if len(text) > PARAMETERS_MAX:
        raise _bad(
            f"The parameters are {len(text)} characters long, and may be {PARAMETERS_MAX}.", "Give shorter values."
        )
    return text


def _spelt(name: object) -> str:
    """The kernel takes a hyphen in a name for an underscore (kernel/params.c, parameqn())."""
    return str(name).replace("-", "_")


def _encode(parameter: Parameter, value: object) -> str:
    is_array = parameter.type.startswith(ARRAY)
    entries = list(value) if isinstance(value, (list, tuple)) else [value]
    if isinstance(value, (list, tuple)) and parameter.type and not is_array:
        raise _bad(f"The parameter {parameter} takes one value.", "Give it without a list.")
    if isinstance(value, str) and is_array:
        entries = list(value.split(","))
    if not entries:
        raise _bad(f"The parameter {parameter} is an empty list.", "Give a value, or leave the parameter out.")
    texts = [_encode_one(parameter, entry) for entry in entries]
    if isinstance(value, (list, tuple)) and any("," in text for text in texts):
        raise _bad(
            f"An entry of the parameter {parameter} has a comma, which the kernel takes for the end of the entry.",
            "Give entries without commas.",
        )
    return ",".join(texts)


def _encode_one(parameter: Parameter, value: object) -> str:
    kind = parameter.type[len(ARRAY) :] if parameter.type.startswith(ARRAY) else parameter.type
    if kind in FLAGS:
        return _flag(parameter, value)
    if kind in NUMBERS:
        return _number(parameter, value, *NUMBERS[kind])
    if isinstance(value, bool) and kind in TEXTS:
        raise _bad(f"The parameter {parameter} is a text, and true or false was given.", "Put the value in quotes.")
    if isinstance(value, bool):
        return str(int(value))
    if not isinstance(value, (str, int)):
        raise _bad(f"The parameter {parameter} is neither a text nor a number.", "Give one of these.")
    return _text(parameter, str(value))


def _flag(parameter: Parameter, value: object) -> str:
    text = str(value).lower() if isinstance(value, (bool, int, str)) else ""
    if text in _TRUE:
        return "1"
    if text in _FALSE:
        return "0"
    raise _bad(f"The parameter {parameter} takes true or false.", "Give one of these.")


def _number(parameter: Parameter, value: object, below: int, above: int) -> str:
    text = str(value) if isinstance(value, (int, str)) and not isinstance(value, bool) else ""
    found = _NUMBER.match(text) if len(text) <= 40 else None
    if found is None:
        raise _bad(f"The parameter {parameter} takes a whole number.", "Give one.")
    base = 16 if found["hex"] else 10 if found["decimal"] else 8
    number = int(found["hex"] or found["decimal"] or found["octal"] or "0", base)
    number = -number if found["sign"] == "-" else number
    bounds = Bounds(-(2**below) if below else 0, 2**above - 1)
    if not bounds.admit(number):
        raise _bad(
            f"The parameter {parameter} takes a number from {bounds.least} to {bounds.most}, and {number} was given.",
            "Give one of these.",
        )
    return str(number)


def _text(parameter: Parameter, text: str) -> str:
    """The text, which has only characters that arrive as they are (kernel/params.c, next_arg())."""
    if '"' in text:
        raise _bad(f'The value of the parameter {parameter} has a ", which the kernel drops.', "Give one without it.")
    if not re.match(r"[ -~]*\Z", text):
        raise _bad(
            f"The value of the parameter {parameter} has a character that is not printable ASCII.",
            "Give letters, digits, blanks and punctuation of ASCII.",
        )
    if len(text) > PARAMETER_TEXT_MAX:
        raise _bad(
            f"The value of the parameter {parameter} has {len(text)} characters, and the kernel takes "
            f"{PARAMETER_TEXT_MAX}.",
            "Give a shorter one.",
        )
    return text


def _quoted(text: str) -> str:
    return f'"{text}"' if " " in text else text


def _unknown(names: t.Iterable[object], known: t.Iterable[Parameter], path: str) -> Finding:
    listed = ", ".join(map(str, sorted(known, key=str)))
    return Finding(
        reason="unknown_parameter",
        seen=f"{path} has no parameter {', '.join(ascii(str(name)) for name in names)}.",
        remedy=f"It has {listed}." if listed else "It has none: leave parameters out.",
        why="The kernel would load it without.",
    )


def _bad(seen: str, remedy: str) -> FindingError:
    return FindingError(Finding(reason="bad_parameter", seen=seen, remedy=remedy))
