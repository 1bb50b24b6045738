# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Damaged and hostile patch files: always an error that says so, or a result, with little memory and time."""

from __future__ import annotations

import hashlib
import io
import json
import os
import pathlib
import re
import resource
import struct
import subprocess
import sys
import time
import typing as t

import pytest

pytest.importorskip("elftools", reason="pyelftools is not installed for this Python")
pytest.importorskip("hypothesis", reason="hypothesis is not installed for this Python")

from ansible_collections.openeuler.livepatch.plugins.module_utils._build.manifest import read_manifest
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.text import REPLACEMENT, clean
from ansible_collections.openeuler.livepatch.plugins.module_utils._patch_file import elf
from ansible_collections.openeuler.livepatch.plugins.module_utils._patch_file.budget import OverBudget
from ansible_collections.openeuler.livepatch.plugins.module_utils._patch_file.info import read_file_info
from ansible_collections.openeuler.livepatch.plugins.module_utils._patch_file.reader import (
    PatchFileError,
    read_patch_file,
)
from ansible_collections.openeuler.livepatch.tests.unit.plugins.module_utils import tiny_elf, tiny_module
from hypothesis import given
from hypothesis import strategies as st

FIXTURES = pathlib.Path(__file__).parent / "fixtures"
CORPUS = {path.name: path.read_bytes() for path in sorted(FIXTURES.glob("*.ko"))}
SMALL = sorted(CORPUS, key=lambda name: len(CORPUS[name]))[:3]

SECONDS = 2
"""Of the processor. Coverage and a busy machine make it several times as many; a fault makes it minutes."""
MEGABYTES = 200
ADDRESS_SPACE = 3 << 30
"""In bytes, for all of a process of pytest."""


@pytest.fixture(autouse=True)
def _little_memory() -> t.Iterator[None]:
    """A file that asks for all memory fails its test, and does not take the machine down."""
    limits = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (ADDRESS_SPACE, limits[1]))
    yield
    resource.setrlimit(resource.RLIMIT_AS, limits)


def texts_in(value: t.Any) -> t.Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        yield from texts_in([*value.keys(), *value.values()])
    elif isinstance(value, (list, tuple)):
        for each in value:
            yield from texts_in(each)


def become_paths(info: dict[str, t.Any]) -> list[str]:
    """The names in a file that become paths below /sys, or that modprobe gets. Its own name is checked by the task."""
    return [*info["depends"], *(info["objects"] or ()), *(entry["object"] for entry in info["functions"] or ())]


def read(path: pathlib.Path) -> list[str]:
    """The texts of a result or of a PatchFileError; anything else fails the test."""
    started = time.process_time()
    try:
        info = read_file_info(str(path))
        assert [name for name in become_paths(info) if not re.match(r"[A-Za-z0-9_]+\Z", name)] == []
        texts = list(texts_in(info))
    except PatchFileError as error:
        assert error.finding.reason and error.finding.remedy
        texts = [error.finding.cause]
    assert time.process_time() - started < SECONDS
    assert [text for text in texts if clean(text) != text] == []
    return texts


def header(content: bytes | bytearray) -> tuple[int, ...]:
    """Offset, size and number of the section headers."""
    (start,), (size, count) = struct.unpack_from("<Q", content, 40), struct.unpack_from("<HH", content, 58)
    return start, size, count


def boundaries(content: bytes) -> list[int]:
    start, size, count = header(content)
    places = {0, 64, start}
    for number in range(count):
        offset, length = struct.unpack_from("<QQ", content, start + number * size + 24)
        places.update((offset, offset + length, start + number * size))
    return sorted(place for place in places if place < len(content))


@pytest.mark.parametrize("name", sorted(CORPUS))
def test_truncated_at_every_boundary(name: str, tmp_path: pathlib.Path) -> None:
    path = tmp_path / "x.ko"
    for place in boundaries(CORPUS[name]):
        for length in (place - 1, place, place + 1):
            path.write_bytes(CORPUS[name][: max(0, length)])
            read(path)


def fields(name: str) -> list[int]:
    """The offsets of all fields of all headers."""
    start, size, count = header(CORPUS[name])
    return [*range(16, 64, 4), *range(start, start + size * count, 4)]


@pytest.mark.parametrize("name", SMALL)
@pytest.mark.parametrize("kind", [None, 8], ids=["as it is", "without content"])
@pytest.mark.parametrize("length", [1 << 20, 1 << 26, 1 << 33, 1 << 40, (1 << 64) - 1])
def test_a_section_of_any_size_costs_little(name: str, kind: int | None, length: int, tmp_path: pathlib.Path) -> None:
    """Whoever reads tables believes the size; a section without content (SHT_NOBITS) may have any."""
    path = tmp_path / "x.ko"
    start, size, count = header(CORPUS[name])
    for number in range(1, count):
        content, at = bytearray(CORPUS[name]), start + number * size
        struct.pack_into("<Q", content, at + 32, length)
        if kind is not None:
            struct.pack_into("<I", content, at + 4, kind)
        path.write_bytes(content)
        read(path)


FIELDS = [(name, offset, value) for name in SMALL for offset in fields(name) for value in (0, 0x7FFFFFFF)]


@given(field=st.sampled_from(FIELDS))
def test_a_field_of_a_header(tmp_path_factory: pytest.TempPathFactory, field: tuple[str, int, int]) -> None:
    """The long profile tries all of them."""
    name, offset, value = field
    changed = bytearray(CORPUS[name])
    struct.pack_into("<I", changed, offset, value)
    path = tmp_path_factory.getbasetemp() / "field.ko"
    path.write_bytes(bytes(changed))
    read(path)


def section_header(content: bytes | bytearray, name: bytes) -> int:
    """The offset of the header of a section; 0 if the file has no such section."""
    start, size, count = header(content)
    names = struct.unpack_from("<Q", content, start + struct.unpack_from("<H", content, 62)[0] * size + 24)[0]
    for at in range(start, start + size * count, size):
        name_at = names + struct.unpack_from("<I", content, at)[0]
        if content[name_at : name_at + len(name) + 1] == name + b"\0":
            return at
    return 0


OF_TEXTS = (b".modinfo", b".strtab", b".rodata.str1.1", b".rodata", b".kpatch.strings")


def test_no_text_of_a_file_commands_a_terminal(tmp_path: pathlib.Path) -> None:
    """One letter after the other becomes ESC wherever it stands. Names of functions and objects then are none."""
    path, shown = tmp_path / "x.ko", 0
    for content, section in ((CORPUS[name], section) for name in SMALL for section in OF_TEXTS):
        at = section_header(content, section)
        begin, length = struct.unpack_from("<QQ", content, at + 24) if at else (0, 0)
        texts = content[begin : begin + length]
        for letter in sorted(set(texts) & set(b"adeilmnoprst_")):
            changed = texts.replace(bytes([letter]), b"\x1b")
            path.write_bytes(content[:begin] + changed + content[begin + length :])
            shown += sum(REPLACEMENT in text for text in read(path))
    assert shown


CHANGE = st.tuples(st.integers(0, 1 << 16), st.binary(min_size=1, max_size=8))


@given(name=st.sampled_from(SMALL), changes=st.lists(CHANGE, min_size=1, max_size=6), cut=st.integers(0, 1 << 16))
def test_changed_bytes(
    tmp_path_factory: pytest.TempPathFactory, name: str, changes: list[tuple[int, bytes]], cut: int
) -> None:
    content = bytearray(CORPUS[name])
    for place, data in changes:
        at = place % len(content)
        content[at : at + len(data)] = data
    path = tmp_path_factory.getbasetemp() / "changed.ko"
    path.write_bytes(bytes(content[: cut or None]))
    read(path)


MEASURE = r"""
import re, resource, sys
sys.path[:] = {path!r}
from ansible_collections.openeuler.livepatch.plugins.module_utils._patch_file.info import read_file_info
from ansible_collections.openeuler.livepatch.plugins.module_utils._patch_file.reader import PatchFileError
try:
    read_file_info({file!r})
    print("read")
except PatchFileError as error:
    print(error.finding.reason)
usage = resource.getrusage(resource.RUSAGE_SELF)
# Not ru_maxrss: that is at least the peak of the process which started this one (exec_mmap in fs/exec.c).
peak = int(re.search(r"VmHWM:\s+(\d+)", open("/proc/self/status").read())[1])
print(peak // 1024, usage.ru_utime + usage.ru_stime)
"""


def absurd(field: int, value: int, section: int | None = None) -> bytes:
    """The smallest file, as long as may be, with one field of one section header (or of all) set."""
    content = bytearray(CORPUS[SMALL[0]])
    start, size, count = header(content)
    for number in range(1, count) if section is None else [section]:
        struct.pack_into("<Q", content, start + number * size + field, value)
    return bytes(content)


@pytest.mark.parametrize(
    ("content", "length"),
    [
        (CORPUS[SMALL[0]], 1 << 30),
        (CORPUS[SMALL[0]], 250 << 20),
        (absurd(32, 200 << 20), 250 << 20),
        (absurd(32, 60 << 20), 250 << 20),
        (absurd(32, 1 << 62), None),
        (absurd(56, 1), 250 << 20),
    ],
    ids=["1 GiB", "250 MiB", "huge sections", "big sections", "impossible sections", "tiny entries"],
)
def test_memory_and_time_are_bounded(content: bytes, length: int | None, tmp_path: pathlib.Path) -> None:
    path = tmp_path / "x.ko"
    with path.open("wb") as stream:
        stream.write(content)
        if length:
            stream.truncate(length)
    script = MEASURE.format(path=sys.path, file=str(path))
    done = subprocess.run([sys.executable, "-c", script], check=False, capture_output=True)
    assert done.returncode == 0, done.stderr.decode()
    reason, megabytes, seconds = done.stdout.decode().split()
    assert reason in ("read", "too_big", "damaged_file", "not_a_module", "not_a_live_patch")
    assert int(megabytes) < MEGABYTES
    # Starting Python and loading pyelftools counts too.
    assert float(seconds) < SECONDS + 2


def linked(sections: list[tuple[int, int, int, int, int]], content: bytes) -> bytes:
    """A relocatable file of this content with sections (type, start, size, link, info), one of names and no other."""
    headers = [struct.pack("<IIQQQQIIQQ", *[0] * 10), struct.pack("<IIQQQQIIQQ", 0, 3, 0, 0, 64, 1, 0, 0, 1, 0)]
    for kind, start, size, link, info in sections:
        headers.append(struct.pack("<IIQQQQIIQQ", 0, kind, 2, 0, 64 + start, size, link, info, 1, 24))
    ident = b"\x7fELF" + bytes([2, 1, 1]) + b"\0" * 9
    start = 64 + len(content)
    header = struct.pack("<HHIQQQIHHHHHH", 1, 62, 1, 0, 0, start, 0, 64, 0, 0, 64, len(headers), 1)
    return ident + header + content + b"".join(headers)


def many_tables() -> bytes:
    """Each of many sections has the same table of relocations."""
    relocations = b"".join(struct.pack("<QQq", at, 1, 0) for at in range(40000))
    symbols = struct.pack("<IBBHQQ", 0, 0, 0, 0, 0, 0) * 2
    sections = [(2, 8 + len(relocations), 48, 1, 0)]
    sections += [(4, 8, len(relocations), 2, number + 3) for number in range(5000)]
    return linked(sections, bytes(8) + relocations + symbols)


def functions_of_each_object(functions: int, objects: int) -> bytes:
    """Each object has the same array of functions."""
    module = tiny_module.TinyModule()
    entries: list[dict[int, tiny_module.Value]] = [{0: f"f{number}", 8: module.code} for number in range(functions)]
    each: dict[int, tiny_module.Value] = {8: module.put(112, *entries, spare=112)}
    all_objects = module.put(112, *[each] * objects, spare=112)
    module.pass_to_enable(module.put(128, {0: tiny_module.MODULE, 8: all_objects}))
    return module.content()


def calls_in_many_functions() -> bytes:
    """Each of many calls is looked up among many symbols."""
    module = tiny_module.TinyModule()
    for _number in range(20000):
        module.run(b"\xe8\0\0\0\0", 4, tiny_module.ENABLE, -4)
    for _number in range(20000):
        module.put(8, {0: 1})
    return module.content()


def changed_section(name: bytes, content: bytes) -> bytes:
    """A small module with another content of one section, at its end."""
    file = bytearray(functions_of_each_object(1, 1))
    struct.pack_into("<QQ", file, section_header(file, name) + 24, len(file), len(content))
    return bytes(file) + content


HOSTILE: dict[str, tuple[t.Callable[[], bytes], str]] = {
    "10^8 functions": (lambda: functions_of_each_object(5000, 20000), "too_big"),
    "functions up to the budget": (lambda: functions_of_each_object(1000, 101), "too_big"),
    "calls": (calls_in_many_functions, "too_big"),
    "modinfo": (lambda: changed_section(b".modinfo", b"a=b\0" * 900000), "damaged_file"),
    "names": (lambda: changed_section(b".strtab", b"x" * (4 << 20)), "damaged_file"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_small_tables_that_describe_much_are_refused_soon(name: str, tmp_path: pathlib.Path) -> None:
    """One budget holds for the whole file: a second or two, and a reason."""
    make, reasons = HOSTILE[name]
    path = tmp_path / "x.ko"
    path.write_bytes(make())
    started = time.process_time()
    with pytest.raises(PatchFileError) as refused:
        read_file_info(str(path))
    assert time.process_time() - started < 5 * SECONDS
    assert refused.value.finding.reason in reasons
    assert refused.value.finding.remedy


def test_a_file_near_the_budget_is_read_soon(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "x.ko"
    path.write_bytes(functions_of_each_object(200, 100))
    started = time.process_time()
    assert len(read_file_info(str(path))["functions"]) == 20000
    assert time.process_time() - started < 5 * SECONDS


def test_one_table_for_all_sections_is_not_read_for_each() -> None:
    started = time.process_time()
    relocations = elf.ElfObject(io.BytesIO(many_tables())).relocations()
    with pytest.raises(OverBudget):
        for section in relocations.sections():
            relocations.of(section)
    assert time.process_time() - started < SECONDS


def test_notes_without_an_end_are_left_soon() -> None:
    note = struct.pack("<III", 0, 0, 7)
    file = io.BytesIO(tiny_elf.elf({".note.gnu.build-id": (7, note * (4 * 1024**2 // len(note)))}))
    started = time.process_time()
    assert elf.ElfObject(file).build_id() is None
    assert time.process_time() - started < SECONDS


MANIFEST = {"format": 1, "inputs": {"patches": ["a"]}, "replace": True}


@pytest.mark.parametrize("what", ["fifo", "directory", "link", "somebody else's", "device", "mine", "the file's"])
def test_what_is_in_the_place_of_a_manifest_keeps_nobody_waiting(what: str, tmp_path: pathlib.Path) -> None:
    """Only a regular file of root's, of this user's, or of whoever has the patch file, decides anything."""
    path, beside = tmp_path / "x.ko", tmp_path / "x.ko.json"
    path.write_bytes(CORPUS["livepatch_cmdline.ko"])
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    content = json.dumps({**MANIFEST, "sha256": digest})
    elsewhere = tmp_path / "elsewhere"
    elsewhere.write_text(content)
    if what == "fifo":
        os.mkfifo(beside)
    elif what == "directory":
        beside.mkdir()
    elif what == "link":
        beside.symlink_to(elsewhere)
    elif what == "device":
        beside.symlink_to("/dev/zero")
    else:
        beside.write_text(content)
    if what in ("somebody else's", "the file's"):
        if os.geteuid():
            pytest.skip("only root can give a file to somebody else")
        os.chown(beside, 12345, 12345)
    if what == "the file's":
        os.chown(path, 12345, 12345)
    assert (read_patch_file(str(path)).source_patches == ("a",)) is (what in ("mine", "the file's"))
    assert (read_manifest(str(beside)) is not None) is (what == "mine")
