# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The text of a module's parameters arrives in the kernel as it was meant, or is refused.

Nothing here asks a kernel: `emulated_kernel` follows next_arg(), parse_args() and param_array() of kernel/params.c.
"""

from __future__ import annotations

import shutil
import subprocess
import typing as t
from pathlib import Path

import pytest
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.bounds import (
    PARAMETER_TEXT_MAX,
    PARAMETERS_MAX,
)
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.findings import FindingError
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.parameters import Parameter, encode
from ansible_collections.openeuler.livepatch.plugins.module_utils._patch_file.module import (
    ElfModule,
    parameters_in,
    parse_modinfo,
)
from hypothesis import given
from hypothesis import strategies as st

PARAMETERS = tuple(
    Parameter(name, kind)
    for name, kind in {
        "flag": "bool",
        "number": "int",
        "small": "byte",
        "positive": "uint",
        "wide": "ullong",
        "text": "charp",
        "copied": "string",
        "numbers": "array of int",
        "texts": "array of charp",
        "flags": "array of bool",
        "own_kind": "",
    }.items()
)


def emulated_kernel(text: str) -> list[tuple[str, str]]:
    """An emulation of what parse_args() passes to the parameters of a module: names and values."""
    found = []
    text = text.lstrip(" ")
    while text:
        in_quotes, equals, end = False, 0, len(text)
        if text.startswith('"'):
            raise AssertionError("no name begins with a quote")
        for place, character in enumerate(text):
            if character == " " and not in_quotes:
                end = place
                break
            if not equals and character == "=":
                equals = place
            in_quotes ^= character == '"'
        name, value = text[:equals], text[equals + 1 : end]
        if value.startswith('"'):
            value = value[1:]
            value = value[:-1] if value.endswith('"') else value
        found.append((name, value))
        text = text[end:].lstrip(" ")
    return found


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ({}, ""),
        ({"flag": True}, "flag=1"),
        ({"flag": "No"}, "flag=0"),
        ({"flag": 0}, "flag=0"),
        ({"number": -5}, "number=-5"),
        ({"number": "0x10"}, "number=16"),
        ({"number": "010"}, "number=8"),
        ({"number": "+0"}, "number=0"),
        ({"small": 255}, "small=255"),
        ({"wide": 2**64 - 1}, f"wide={2**64 - 1}"),
        ({"text": "a"}, "text=a"),
        ({"text": ""}, "text="),
        ({"text": 7}, "text=7"),
        ({"text": "a b=c,d "}, 'text="a b=c,d "'),
        ({"copied": " "}, 'copied=" "'),
        ({"numbers": [1, "2", 3]}, "numbers=1,2,3"),
        ({"numbers": "1,2"}, "numbers=1,2"),
        ({"numbers": 1}, "numbers=1"),
        ({"texts": ["a b", ""]}, 'texts="a b,"'),
        ({"texts": "a,b"}, "texts=a,b"),
        ({"flags": [True, False]}, "flags=1,0"),
        ({"own_kind": True}, "own_kind=1"),
        ({"own_kind": ["a", 1]}, "own_kind=a,1"),
        ({"own-kind": "x"}, "own_kind=x"),
        ({"text": "x", "flag": True, "number": 1}, "flag=1 number=1 text=x"),
    ],
)
def test_values_become_the_text_that_the_kernel_takes(values: dict[str, t.Any], text: str) -> None:
    assert encode(PARAMETERS, values, "fix.ko") == text


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"flag": "maybe"}, r"flag \(bool\) takes true or false"),
        ({"flag": 2}, "takes true or false"),
        ({"flag": [True]}, "takes one value"),
        ({"flag": None}, "takes true or false"),
        ({"number": "1 "}, r"number \(int\) takes a whole number"),
        ({"number": "08"}, "takes a whole number"),
        ({"number": "1" * 100}, "takes a whole number"),
        ({"number": 1.5}, "takes a whole number"),
        ({"number": True}, "takes a whole number"),
        ({"number": 2**31}, "from -2147483648 to 2147483647, and 2147483648 was given"),
        ({"positive": -1}, "from 0 to 4294967295"),
        ({"small": 256}, "from 0 to 255"),
        ({"text": True}, "Put the value in quotes"),
        ({"text": None}, "neither a text nor a number"),
        ({"text": 'a"b'}, "which the kernel drops"),
        ({"text": "a\nb"}, "not printable ASCII"),
        ({"text": "a\n"}, "not printable ASCII"),
        ({"text": "a\0b"}, "not printable ASCII"),
        ({"text": "\u00e4"}, "not printable ASCII"),
        ({"text": "\x7f"}, "not printable ASCII"),
        ({"text": "x" * (PARAMETER_TEXT_MAX + 1)}, "has 1025 characters, and the kernel takes 1024"),
        ({"text": ["a"]}, "takes one value"),
        ({"texts": ["a,b"]}, "has a comma"),
        ({"numbers": []}, "is an empty list"),
        ({"numbers": [1, [2]]}, "takes a whole number"),
        ({"numbers": "1,,2"}, "takes a whole number"),
        ({"own_kind": {"a": 1}}, "neither a text nor a number"),
        ({"own_kind": 1, "own-kind": 2}, "given twice"),
        ({"texts": ["x" * 1000] * 5}, f"and may be {PARAMETERS_MAX}"),
    ],
)
def test_what_would_not_arrive_is_refused(values: dict[str, t.Any], says: str) -> None:
    with pytest.raises(FindingError, match=says) as refused:
        encode(PARAMETERS, values, "fix.ko")
    assert refused.value.finding.reason == "bad_parameter"


@pytest.mark.parametrize("name", ["repalce", "", "flag ", "flag\n", 'a"=', "dyndbg"])
def test_a_name_that_the_file_does_not_have_is_refused_with_those_that_it_has(name: str) -> None:
    with pytest.raises(FindingError) as refused:
        encode((Parameter("flag", "bool"), Parameter("own")), {name: 1}, "fix.ko")
    finding = refused.value.finding
    assert (finding.reason, finding.remedy) == ("unknown_parameter", "It has flag (bool), own.")
    assert finding.seen == f"fix.ko has no parameter {name!r}."


def test_a_file_without_parameters_says_so() -> None:
    with pytest.raises(FindingError, match="It has none"):
        encode((), {"flag": True}, "fix.ko")
    assert encode((), {}, "fix.ko") == ""


PRINTABLE = st.text([chr(code) for code in range(0x20, 0x7F) if chr(code) != '"'], max_size=30)


@given(
    text=PRINTABLE,
    copied=PRINTABLE,
    texts=st.lists(PRINTABLE.map(lambda text: text.replace(",", ";")), min_size=1, max_size=5),
    numbers=st.lists(st.integers(-(2**31), 2**31 - 1), min_size=1, max_size=5),
    flag=st.booleans(),
)
def test_what_is_encoded_arrives_in_the_emulated_kernel(
    text: str, copied: str, texts: list[str], numbers: list[int], flag: bool
) -> None:
    values = {"text": text, "copied": copied, "texts": texts, "numbers": numbers, "flag": flag}
    arrived = dict(emulated_kernel(encode(PARAMETERS, values, "fix.ko")))
    assert (arrived.pop("text"), arrived.pop("copied"), arrived.pop("flag")) == (text, copied, str(int(flag)))
    assert arrived.pop("texts").split(",") == texts
    assert list(map(int, arrived.pop("numbers").split(","))) == numbers
    assert arrived == {}


@given(st.dictionaries(st.sampled_from([parameter.name for parameter in PARAMETERS]), st.text() | st.integers()))
def test_any_value_is_refused_or_arrives_in_one_piece(values: dict[str, t.Any]) -> None:
    try:
        text = encode(PARAMETERS, values, "fix.ko")
    except FindingError:
        return
    assert text.isascii() and (text.isprintable() or not text)
    assert [name for name, _value in emulated_kernel(text)] == sorted(values)


def test_modinfo_tells_names_and_types() -> None:
    entries = (
        "name=fix",
        "parmtype=replace:bool",
        "parm=replace:replace (default=0) (bool)",
        "parm=own:made by module_param_cb(): with a colon",
        "parmtype=klp_pids:array of int",
        "parmtype=bad name:int",
        "parmtype=odd:in\x1bt",
        "parmtype=no colon",
        "parm=:x",
        "parmtype",
    )
    found = parameters_in(parse_modinfo("\0".join(entries).encode()))
    assert [(parameter.name, parameter.type) for parameter in found] == [
        ("klp_pids", "array of int"),
        ("odd", ""),
        ("own", ""),
        ("replace", "bool"),
    ]


SOURCE = r"""
#define INFO(name, text) static const char name[] __attribute__((section(".modinfo"), used)) = text
INFO(a, "license=GPL");
INFO(b, "parmtype=replace:bool");
INFO(c, "parm=replace:replace (default=0)");
INFO(d, "parmtype=klp_pids:array of int");
INFO(e, "parm=own:without a type");
"""


@pytest.mark.skipif(not (shutil.which("gcc") and shutil.which("modinfo")), reason="needs gcc and modinfo")
def test_modinfo_of_kmod_shows_the_same_parameters(tmp_path: Path) -> None:
    source, module = tmp_path / "fix.c", tmp_path / "fix.ko"
    source.write_text(SOURCE)
    subprocess.run(["gcc", "-c", "-o", module, source], check=True)
    shown = subprocess.run(["modinfo", "-p", module], check=True, stdout=subprocess.PIPE, text=True).stdout
    names = {line.split(":", 1)[0] for line in shown.splitlines()}
    with module.open("rb") as stream:
        found = ElfModule(stream).parameters()
    assert {parameter.name for parameter in found} == names == {"replace", "klp_pids", "own"}
    for parameter in found:
        assert not parameter.type or f"({parameter.type})" in shown
