# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Damaged and hostile packages: one sentence, or the files. The packages are stand-ins, see rpm_writer.py."""

from __future__ import annotations

import gzip
import os
import pathlib
import shutil
import struct
import subprocess
import sys
import tracemalloc
import typing as t
import zlib

import pytest

pytest.importorskip("hypothesis", reason="hypothesis is not installed for this Python")

from ansible_collections.openeuler.livepatch.plugins.plugin_utils._vendor import cpio, payload
from ansible_collections.openeuler.livepatch.plugins.plugin_utils._vendor.package import read_package
from ansible_collections.openeuler.livepatch.plugins.plugin_utils._vendor.payload import MOST_UNPACKED
from ansible_collections.openeuler.livepatch.plugins.plugin_utils._vendor.refused import Refused
from ansible_collections.openeuler.livepatch.plugins.plugin_utils._vendor.rpm_header import MOST_BYTES
from ansible_collections.openeuler.livepatch.plugins.plugin_utils._vendor.vendor_patch import from_package
from ansible_collections.openeuler.livepatch.tests.unit.plugins.plugin_utils.rpm_writer import (
    BYTES,
    COMPRESS,
    DEVICE,
    DIRECTORY,
    LINK,
    NUMBERS,
    PIPE,
    REGULAR,
    STRING,
    STRINGS,
    Entry,
    Rpm,
    Tag,
    header,
)
from ansible_collections.openeuler.livepatch.tests.unit.plugins.plugin_utils.rpm_writer import cpio as archive_of
from hypothesis import given
from hypothesis import strategies as st

MODULE = b"\x7fELF" + bytes(300)
GOOD = Rpm(MODULE).content()
ARCHIVE = archive_of(Rpm(MODULE).all_entries())
PLACE = f"./{DIRECTORY}/x"


def bomb_of(size: int) -> bytes:
    """So many zeros, as gzip packs them, in pieces."""
    packer = zlib.compressobj(9, wbits=31)
    return b"".join(packer.compress(bytes(1 << 20)) for _megabyte in range(size >> 20)) + packer.flush()


def reason_of(content: bytes) -> str | None:
    """The reason of a refusal in one sentence, None if the module is found. Anything else fails the test."""
    try:
        _patch, module = from_package(read_package(content))
    except Refused as refused:
        finding = refused.finding("x.rpm")
        assert finding.seen.startswith("x.rpm ") and finding.seen.endswith(".") and len(finding.seen) < 5000
        assert "\n" not in finding.seen and finding.remedy
        return finding.reason
    assert module.content == MODULE
    return None


def sentence_of(content: bytes) -> str:
    with pytest.raises(Refused) as refused:
        read_package(content)
    return refused.value.finding("x.rpm").seen


def with_archive(archive: bytes) -> bytes:
    """A package whose digests fit this archive."""
    return Rpm(MODULE, archive=archive).content()


@pytest.mark.parametrize("compressor", sorted(COMPRESS))
def test_what_is_not_damaged_is_read(compressor: str) -> None:
    assert reason_of(Rpm(MODULE, compressor=compressor).content()) is None


class TestDamage:
    @given(cut=st.integers(0, len(GOOD) - 1))
    def test_truncated(self, cut: int) -> None:
        assert reason_of(GOOD[:cut]) in ("damaged_package", "bad_digest")

    @given(place=st.integers(0, len(GOOD) - 1), bits=st.integers(1, 255))
    def test_a_flipped_byte(self, place: int, bits: int) -> None:
        """Most of the lead is read by nobody, and the name of a tag of the signature header may turn into another."""
        changed = bytearray(GOOD)
        changed[place] ^= bits
        start = GOOD.index(b"\x8e\xad\xe8\x01", 200)
        assert reason_of(bytes(changed)) is not None or place < start

    @given(place=st.integers(0, len(ARCHIVE) - 1), new=st.binary(min_size=1, max_size=8), cut=st.booleans())
    def test_an_archive_whose_digest_fits(self, place: int, new: bytes, cut: bool) -> None:
        changed = ARCHIVE[:place] if cut else ARCHIVE[:place] + new + ARCHIVE[place + len(new) :]
        reason_of(with_archive(changed))

    @given(
        tag=st.sampled_from([1000, 1001, 1004, 1005, 1022, 1035, 1116, 1117, 1118, 1124, 1125, 5011, 5092, 5093]),
        value=st.one_of(
            st.none(),
            st.tuples(st.just(STRING), st.text(max_size=9).filter(lambda text: "\0" not in text)),
            st.tuples(st.just(STRINGS), st.lists(st.sampled_from(["", "a", "/", "/usr/"]), max_size=5)),
            st.tuples(st.just(NUMBERS), st.lists(st.integers(0, 2**32 - 1), max_size=5)),
            st.tuples(st.just(BYTES), st.binary(max_size=20)),
        ),
    )
    def test_a_header_whose_digest_fits(self, tag: int, value: Tag | None) -> None:
        reason_of(Rpm(MODULE, tags={tag: value}).content())

    @given(
        entries=st.lists(
            st.tuples(st.integers(0, 7000), st.integers(0, 12), st.integers(0, 2**32 - 1), st.integers(0, 2**32 - 1)),
            max_size=5,
        ),
        sizes=st.none() | st.tuples(st.integers(0, 2**32 - 1), st.integers(0, 2**32 - 1)),
    )
    def test_an_index_that_leads_anywhere(
        self, entries: list[tuple[int, int, int, int]], sizes: tuple[int, int] | None
    ) -> None:
        index = b"".join(struct.pack(">IIII", *entry) for entry in entries)
        count, size = sizes or (len(entries), 20)
        signature = b"\x8e\xad\xe8\x01" + bytes(4) + struct.pack(">II", count, size) + index + bytes(20)
        assert reason_of(GOOD[:96] + signature + bytes(-len(signature) % 8) + GOOD[96:]) is not None

    def test_not_of_rpm_at_all(self) -> None:
        assert "its lead" in sentence_of(b"")
        assert "its lead is not one of an RPM package" in sentence_of(b"x" * 200)
        assert "its signature header does not begin as one" in sentence_of(GOOD[:96] + bytes(100))

    def test_sources(self) -> None:
        assert sentence_of(GOOD[:6] + b"\0\1" + GOOD[8:]) == "x.rpm is a package of sources."


class TestDigests:
    @pytest.mark.parametrize(
        ("change", "says"),
        [
            ({"signature_tags": {273: (STRING, "0" * 64)}}, "the SHA digest of its header is another one"),
            ({"tags": {5092: (STRINGS, ["0" * 64])}}, "the SHA digest of its payload is another one"),
            (
                {"tags": {1035: (STRINGS, ["", "0" * 64, "0" * 64])}},
                f"the SHA digest of /{DIRECTORY}/patch_info is another one",
            ),
            ({"tags": {1117: (STRINGS, ["x", "y", "z"])}}, f"its header does not name /{DIRECTORY}/patch_info"),
            ({"signature_tags": {273: None}}, "has no SHA-256 digest of its header and its payload"),
            ({"tags": {5092: None}}, "has no SHA-256 digest of its header and its payload"),
            ({"tags": {5093: (NUMBERS, [1])}}, "has no SHA-256 digest of its payload"),
            ({"tags": {5011: None}}, "has no SHA-256 digest of its files"),
            ({"tags": {1116: (NUMBERS, [0, 0, 9])}}, "the lists of files in its header do not fit together"),
        ],
    )
    def test_each_is_compared(self, change: dict[str, t.Any], says: str) -> None:
        assert says in sentence_of(Rpm(MODULE, **change).content())


class TestUnsafe:
    @pytest.mark.parametrize(
        "name", ["/etc/passwd", "../x", f"./{DIRECTORY}/../../x", ".//x", "./x/./y", "./x/", "..", "././x", ""]
    )
    def test_paths(self, name: str) -> None:
        """The file is the last one: all of the package is refused, not this entry alone."""
        assert reason_of(Rpm(MODULE, entries=[Entry(name, b"x")]).content()) in ("unsafe_package", "damaged_package")
        assert reason_of(with_archive(archive_of([*Rpm(MODULE).all_entries(), Entry(name, b"x")]))) is not None

    @pytest.mark.parametrize(
        ("entry", "says"),
        [
            (Entry(PLACE, b"/etc", LINK), f"{DIRECTORY}/x is a link"),
            (Entry("./usr/lib/x", b"/etc", LINK), "usr/lib/x is a link"),
            (Entry("./usr/lib/.build-id", b"/etc", LINK), "usr/lib/.build-id is a link"),
            (Entry(PLACE, b"x", REGULAR, links=2), f"{DIRECTORY}/x is a hard link"),
            (Entry(PLACE, b"", DEVICE), f"{DIRECTORY}/x is no regular file"),
            (Entry("./dev/x", b"", DEVICE), "dev/x is no regular file"),
            (Entry(PLACE, b"", PIPE), f"{DIRECTORY}/x is no regular file"),
            (Entry(f"./{DIRECTORY}/patch_info", b"2"), f"it has {DIRECTORY}/patch_info twice"),
            (Entry("../x\x1b[2J\n"), "the path ../x\ufffd[2J  in it may lead out of its folder"),
        ],
    )
    def test_entries(self, entry: Entry, says: str) -> None:
        assert sentence_of(Rpm(MODULE, entries=[entry]).content()) == f"x.rpm is not unpacked: {says}."

    def test_links_by_build_id_are_rpmbuilds_own(self) -> None:
        assert reason_of(Rpm(MODULE, entries=[Entry("./usr/lib/.build-id/41/5d", b"../x", LINK)]).content()) is None

    def test_nothing_is_written(self, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.chdir(tmp_path)
        assert reason_of(Rpm(MODULE, entries=[Entry("./x", b"x")]).content()) is None
        assert os.listdir(tmp_path) == []


class TestBounds:
    @pytest.mark.parametrize("compressor", sorted(COMPRESS))
    def test_bombs(self, compressor: str, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(payload, "MOST_UNPACKED", 1 << 20)
        bomb = Rpm(MODULE, compressor=compressor, payload=COMPRESS[compressor](bytes((1 << 20) + 1)))
        assert sentence_of(bomb.content()) == (
            "x.rpm has a payload of more than 1048576 bytes, more than any package of a live patch."
        )

    def test_a_bomb_costs_no_more_than_the_bound(self) -> None:
        bomb = Rpm(MODULE, payload=bomb_of(4 * MOST_UNPACKED)).content()
        tracemalloc.start()
        try:
            assert reason_of(bomb) == "too_big"
            assert tracemalloc.get_traced_memory()[1] < 3 * MOST_UNPACKED
        finally:
            tracemalloc.stop()

    def test_entries(self) -> None:
        entries = [Entry(f"./x{number}") for number in range(cpio.MOST_ENTRIES - 3)]
        assert reason_of(Rpm(MODULE, entries=entries).content()) is None
        entries.append(Entry("./x"))
        assert "more than 1000 entries" in sentence_of(Rpm(MODULE, entries=entries).content())

    def test_an_archive_without_an_end(self) -> None:
        assert "does not go on with an entry" in sentence_of(with_archive(archive_of([Entry("./x")], trailer=False)))

    @pytest.mark.parametrize("size", [0, 1, 4097, 0xFFFFFFFF])
    def test_names(self, size: int) -> None:
        archive = ARCHIVE[:94] + b"%08x" % size + ARCHIVE[102:]
        assert "has a name of" in sentence_of(with_archive(archive))

    def test_a_name_that_tools_read_differently(self) -> None:
        """To one that reads as far as the zero it is another file."""
        sentence = sentence_of(with_archive(archive_of([*Rpm(MODULE).all_entries(), Entry("./x\0/y", b"z")])))
        assert "does not end where it says" in sentence

    def test_headers(self) -> None:
        start = b"\x8e\xad\xe8\x01" + bytes(4)
        for tags, size in ((1001, 0), (0, MOST_BYTES + 1), (0xFFFFFFFF, 0xFFFFFFFF)):
            content = GOOD[:96] + start + struct.pack(">II", tags, size)
            assert f"a signature header of {tags} tags and {size} bytes" in sentence_of(content)

    def test_more_values_than_any_list(self) -> None:
        main = Rpm(MODULE, tags={1118: (STRINGS, [""] * 100_001)})
        assert "tag 1118 is no text" in sentence_of(main.content())

    def test_a_tag_twice(self) -> None:
        twice = bytearray(header({273: (STRING, "x"), 274: (STRING, "y")}))
        struct.pack_into(">I", twice, 32, 273)
        assert "has tag 273 twice" in sentence_of(GOOD[:96] + bytes(twice) + bytes(8))


class TestCompression:
    @pytest.mark.parametrize("compressor", ["lz4", "", "gzip -9", "compression.zip"])
    def test_one_that_nobody_knows(self, compressor: str) -> None:
        rpm = Rpm(MODULE, tags={1125: (STRING, compressor)})
        assert reason_of(rpm.content()) == ("no_decompressor" if compressor else None)

    @pytest.mark.parametrize("compressor", ["xz", "bzip2", "gzip"])
    def test_an_early_end_and_another_format(self, compressor: str) -> None:
        whole = COMPRESS[compressor](ARCHIVE)
        for wrong in (whole[:-12], b"x" + whole, b""):
            rpm = Rpm(MODULE, compressor=compressor, payload=wrong)
            assert reason_of(rpm.content()) == "damaged_package"

    def test_a_python_without_a_module(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(sys.modules, "lzma", None)
        sentence = sentence_of(Rpm(MODULE, compressor="xz").content())
        assert sentence == "x.rpm is compressed with xz, and this Python has no lzma on the controller."


class TestZstd:
    """Python 3.14 unpacks it; older ones need the program, for which most tests have a stand-in."""

    @pytest.fixture(autouse=True)
    def _older_python(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(sys.modules, "compression", None)

    @pytest.fixture(name="program")
    def fixture_program(self, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> t.Callable[[str], None]:
        def put(code: str) -> None:
            program = tmp_path / "zstd"
            program.write_text(f"#!{sys.executable}\nimport sys, gzip, time\n{code}\n", encoding="utf-8")
            program.chmod(0o755)
            monkeypatch.setenv("PATH", str(tmp_path))

        return put

    CONTENT = Rpm(MODULE, payload=gzip.compress(ARCHIVE), tags={1125: (STRING, "zstd")}).content()

    def test_the_program_unpacks(self, program: t.Callable[[str], None]) -> None:
        program("sys.stdout.buffer.write(gzip.decompress(sys.stdin.buffer.read()))")
        assert reason_of(self.CONTENT) is None

    def test_no_program(self, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("PATH", str(tmp_path))
        assert sentence_of(self.CONTENT) == (
            "x.rpm is compressed with zstd, and the program zstd is not installed on the controller."
        )

    def test_one_that_may_not_be_run(self, program: t.Callable[[str], None], tmp_path: pathlib.Path) -> None:
        program("")
        (tmp_path / "zstd").write_text("#!/nonexistent/\n", encoding="utf-8")
        assert reason_of(self.CONTENT) == "no_decompressor"

    def test_a_failure(self, program: t.Callable[[str], None]) -> None:
        program("sys.stdout.buffer.write(gzip.decompress(sys.stdin.buffer.read())); sys.exit(1)")
        assert reason_of(self.CONTENT) == "damaged_package"

    def test_a_bomb(self, program: t.Callable[[str], None], monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(payload, "MOST_UNPACKED", 1 << 20)
        program("while True: sys.stdout.write('x' * 65536)")
        assert reason_of(self.CONTENT) == "too_big"

    def test_one_that_hangs(self, program: t.Callable[[str], None], monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(payload, "SECONDS", 0.0)
        program("time.sleep(1000)")
        assert sentence_of(self.CONTENT).endswith("zstd does not unpack its payload within 0 s.")

    @pytest.mark.skipif(shutil.which("zstd") is None, reason="zstd is not installed")
    def test_the_real_program(self) -> None:
        packed = subprocess.run(["zstd", "-cq"], input=ARCHIVE, stdout=subprocess.PIPE, check=True).stdout
        assert reason_of(Rpm(MODULE, payload=packed, tags={1125: (STRING, "zstd")}).content()) is None
        assert reason_of(Rpm(MODULE, payload=packed[:-9], tags={1125: (STRING, "zstd")}).content()) is not None
