# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Damaged and hostile patch files: always an error that says so, or a result, with little memory and time."""

from __future__ import annotations

import pathlib
import struct
import subprocess
import sys
import time

import pytest

pytest.importorskip("elftools", reason="pyelftools is not installed for this Python")
pytest.importorskip("hypothesis", reason="hypothesis is not installed for this Python")

from ansible_collections.openeuler.livepatch.plugins.module_utils._patch_file.info import read_file_info
from ansible_collections.openeuler.livepatch.plugins.module_utils._patch_file.reader import PatchFileError
from hypothesis import given
from hypothesis import strategies as st

FIXTURES = pathlib.Path(__file__).parent / "fixtures"
CORPUS = {path.name: path.read_bytes() for path in sorted(FIXTURES.glob("*.ko"))}
SMALL = sorted(CORPUS, key=lambda name: len(CORPUS[name]))[:3]

SECONDS = 2
"""Of the processor: how long it takes depends on what else the machine does."""
MEGABYTES = 200


def read(path: pathlib.Path) -> None:
    """A result or a PatchFileError; anything else fails the test."""
    started = time.process_time()
    try:
        read_file_info(str(path))
    except PatchFileError as error:
        assert error.finding.reason and error.finding.remedy
    assert time.process_time() - started < SECONDS


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


FIELDS = [(name, offset, value) for name in SMALL[:2] for offset in fields(name) for value in (0, 0x7FFFFFFF)]


@given(field=st.sampled_from(FIELDS))
def test_a_field_of_a_header(tmp_path_factory: pytest.TempPathFactory, field: tuple[str, int, int]) -> None:
    """The long profile tries all of them."""
    name, offset, value = field
    changed = bytearray(CORPUS[name])
    struct.pack_into("<I", changed, offset, value)
    path = tmp_path_factory.getbasetemp() / "field.ko"
    path.write_bytes(bytes(changed))
    read(path)


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
