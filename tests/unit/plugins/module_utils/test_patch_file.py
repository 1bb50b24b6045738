# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reading patch files: real modules (built by the rig, debug information removed) and damaged ones."""

from __future__ import annotations

import json
import os
import pathlib
import random
import typing as t
from dataclasses import replace

import pytest
from ansible_collections.openeuler.livepatch.plugins.module_utils._build import signing
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.fix import Fix
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.patch_file import (
    PatchFile,
    Signature,
    SystemState,
    is_module_name,
    module_name,
)
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.snapshot import PER_TASK, Function
from ansible_collections.openeuler.livepatch.plugins.module_utils._patch_file import reader
from ansible_collections.openeuler.livepatch.plugins.module_utils._patch_file.reader import (
    PatchFileError,
    read_patch_file,
)
from ansible_collections.openeuler.livepatch.plugins.module_utils._patch_file.signature import read_signature
from ansible_collections.openeuler.livepatch.tests.unit.plugins.module_utils import tiny_elf

pytest.importorskip("elftools", reason="pyelftools is not installed for this Python")

FIXTURES = os.path.join(os.path.dirname(__file__), "fixtures")
CMDLINE = os.path.join(FIXTURES, "livepatch_cmdline.ko")
TWO_OBJECTS = os.path.join(FIXTURES, "two_objects.ko")


def content(path: str = CMDLINE) -> bytes:
    with open(path, "rb") as stream:
        return stream.read()


def reason_of(path: pathlib.Path) -> str:
    with pytest.raises(PatchFileError) as failure:
        read_patch_file(str(path))
    assert str(path) in str(failure.value)
    assert failure.value.finding.remedy
    return failure.value.finding.reason


def test_a_module_of_one_function() -> None:
    file = read_patch_file(CMDLINE)
    assert file.name == "livepatch_cmdline"
    assert file.abi == PER_TASK
    assert file.machine == "x86_64"
    assert file.release == "6.12.117+deb13-cloud-amd64"
    assert file.functions == (Function("vmlinux", "cmdline_proc_show", 1),)
    assert file.replace is False
    assert file.builder == "hand-written"
    assert len(file.build_id or "") == 40
    assert file.size == os.path.getsize(CMDLINE)
    assert file.signature is None


def test_dependencies_are_named_as_the_kernel_names_them(tmp_path: pathlib.Path) -> None:
    modinfo = b"name=fix\0vermagic=6.1.0 SMP \0livepatch=Y\0depends=dm-mod,ext4\0"
    (tmp_path / "fix.ko").write_bytes(tiny_elf.elf({".modinfo": modinfo}, True))
    assert read_patch_file(str(tmp_path / "fix.ko")).depends == ("dm_mod", "ext4")


@pytest.mark.parametrize("name", ["/tmp/evil.ko", "../ext4", "a b", "$(reboot)", "ext4\u2028", "a" * 56, "-a\n"])
def test_what_is_no_name_of_a_module_is_no_dependency(tmp_path: pathlib.Path, name: str) -> None:
    """modprobe gets these names, and takes a path as well."""
    modinfo = f"name=fix\0vermagic=6.1.0 SMP \0livepatch=Y\0depends=ext4,{name}\0".encode()
    (tmp_path / "fix.ko").write_bytes(tiny_elf.elf({".modinfo": modinfo}, True))
    assert reason_of(tmp_path / "fix.ko") == "damaged_file"


def test_an_absurd_manifest_is_none(tmp_path: pathlib.Path) -> None:
    (tmp_path / "livepatch_cmdline.ko").write_bytes(content())
    (tmp_path / "livepatch_cmdline.ko.json").write_text("[" * 200_000)
    assert read_patch_file(str(tmp_path / "livepatch_cmdline.ko")).source_patches == ()


@pytest.mark.parametrize(
    ("manifest", "expected"),
    [
        ({"sha256": None, "inputs": {"patches": ["1" * 64]}}, ("1" * 64,)),
        ({"sha256": "0" * 64, "inputs": {"patches": ["1" * 64]}}, ()),
        ({"sha256": None, "inputs": {"patches": None}}, ()),
        ({"sha256": None, "inputs": []}, ()),
        ([], ()),
    ],
)
def test_what_a_file_was_made_from_is_in_its_own_manifest(
    tmp_path: pathlib.Path, manifest: dict[str, t.Any] | list[t.Any], expected: tuple[str, ...]
) -> None:
    copy = tmp_path / "livepatch_cmdline.ko"
    copy.write_bytes(content())
    if isinstance(manifest, dict) and manifest["sha256"] is None:
        manifest["sha256"] = read_patch_file(CMDLINE).sha256
    (tmp_path / "livepatch_cmdline.ko.json").write_text(json.dumps(manifest))
    assert read_patch_file(str(copy)).source_patches == expected


FIX = {"id": "CVE-2026-0001", "title": "", "severity": "", "cves": []}


@pytest.mark.parametrize(
    ("said", "expected"),
    [(FIX, Fix("CVE-2026-0001")), ({**FIX, "title": "\x1b[2J"}, None), ({**FIX, "more": 1}, None), ("CVE", None)],
)
def test_what_it_fixes_is_in_its_own_manifest(tmp_path: pathlib.Path, said: t.Any, expected: Fix | None) -> None:
    copy = tmp_path / "livepatch_cmdline.ko"
    copy.write_bytes(content())
    for sha256, found in ((read_patch_file(CMDLINE).sha256, expected), ("0" * 64, None)):
        (tmp_path / "livepatch_cmdline.ko.json").write_text(json.dumps({"sha256": sha256, "fix": said}))
        assert read_patch_file(str(copy)).fix == found


@pytest.mark.parametrize(
    ("build_id", "expected"),
    [("AB" * 20, "ab" * 20), (None, None), (7, None), ("", None), ("../x", None), (["ab" * 20], None)],
)
def test_the_kernel_that_a_file_is_for_is_in_its_manifest(
    tmp_path: pathlib.Path, build_id: t.Any, expected: str | None
) -> None:
    copy = tmp_path / "livepatch_cmdline.ko"
    copy.write_bytes(content())
    manifest = {"sha256": read_patch_file(CMDLINE).sha256, "kernel_build_id": build_id}
    (tmp_path / "livepatch_cmdline.ko.json").write_text(json.dumps(manifest))
    file = read_patch_file(str(copy))
    assert file.kernel_build_id == expected
    assert PatchFile.from_dict(json.loads(json.dumps(file.to_dict()))).kernel == file.kernel
    (tmp_path / "livepatch_cmdline.ko.json").write_text(json.dumps({**manifest, "sha256": "0" * 64}))
    assert read_patch_file(str(copy)).kernel_build_id is None


def test_a_module_of_two_objects() -> None:
    file = read_patch_file(TWO_OBJECTS)
    assert file.functions == (
        Function("some_module", "three", 1),
        Function("vmlinux", "one", 1),
        Function("vmlinux", "two", 3),
    )
    assert file.unnumbered == {Function("vmlinux", "one", 1), Function("some_module", "three", 1)}
    assert file.replace is True


def test_the_way_to_the_host_and_back() -> None:
    file = read_patch_file(TWO_OBJECTS, "known as")
    assert file.path == "known as"
    plain = file.to_dict()
    assert [function["numbered"] for function in plain["functions"]] == [False, False, True]
    assert "unnumbered" not in plain
    assert PatchFile.from_dict(json.loads(json.dumps(plain))) == file


@pytest.mark.parametrize("objects", [None, (), ("vmlinux", "ext4")])
@pytest.mark.parametrize("states", [None, (), (SystemState(1, 2), SystemState(7, 0))])
def test_objects_and_states_on_the_way_to_the_host_and_back(
    objects: tuple[str, ...] | None, states: tuple[SystemState, ...] | None
) -> None:
    file = replace(read_patch_file(CMDLINE), objects=objects, states=states)
    assert PatchFile.from_dict(json.loads(json.dumps(file.to_dict()))) == file


def test_a_record_of_version_1_0_tells_neither_objects_nor_states() -> None:
    plain = read_patch_file(TWO_OBJECTS).to_dict()
    del plain["objects"], plain["states"]
    file = PatchFile.from_dict(plain)
    assert (file.objects, file.states) == (None, None)
    # The objects of its functions are known all the same.
    assert file.targets == ("some_module",)


def test_a_signature_is_seen(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "signed.ko"
    path.write_bytes(content() + b"signature~Module signature appended~\n")
    file = read_patch_file(str(path))
    assert file.signature == Signature(readable=False)
    assert file.to_dict()["signature"] == {"signer": None, "hash": None, "key_id": None, "readable": False}
    assert PatchFile.from_dict(file.to_dict()) == file


@pytest.mark.parametrize(
    ("name", "signature"),
    [
        ("signature_issuer.der", Signature("Signer of tests", "sha256", "0430a9ac5047c16daf0e8346e48444b198927b2c")),
        ("signature_keyid.der", Signature(None, "sha512", "5ad6cc70fc8ceb35156173005bd2e055311695b8")),
    ],
)
def test_who_signed_it(tmp_path: pathlib.Path, name: str, signature: Signature) -> None:
    appended = content(os.path.join(FIXTURES, name))
    path = tmp_path / "signed.ko"
    path.write_bytes(content() + appended + signing.trailer(len(appended)))
    file = read_patch_file(str(path))
    assert file.signature == signature
    assert PatchFile.from_dict(json.loads(json.dumps(file.to_dict()))) == file


@pytest.mark.parametrize(
    "changes",
    [
        {"signature": "Us"},
        {"signature": {"signature": "Us"}},
        {"functions": [{"object": "vmlinux", "name": "one", "sympos": 1}]},
        {"functions": [1]},
        {"states": [{"id": 1}]},
        {"states": [1]},
        {"objects": 1},
        {"signed": True},
    ],
)
def test_a_record_of_another_shape_is_not_read(changes: dict[str, t.Any]) -> None:
    with pytest.raises((KeyError, TypeError)):
        PatchFile.from_dict(dict(read_patch_file(CMDLINE).to_dict(), **changes))


@pytest.mark.parametrize(
    ("start", "reason"),
    [
        (b"", "empty_file"),
        (b"text", "not_elf"),
        (b"\x7fELF", "damaged_file"),
        (b"\xfd7zXZ\0", "compressed_file"),
        (b"\x1f\x8b\x08\x00", "compressed_file"),
        (b"\x28\xb5\x2f\xfd\x04", "compressed_file"),
        (b"\xed\xab\xee\xdb\3\0", "package"),
    ],
)
def test_what_is_no_module(tmp_path: pathlib.Path, start: bytes, reason: str) -> None:
    path = tmp_path / "file.ko"
    path.write_bytes(start)
    assert reason_of(path) == reason


def test_a_file_that_changes_while_it_is_read(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "fix.ko"
    path.write_bytes(content())

    def while_somebody_writes(stream: t.BinaryIO) -> Signature | None:
        path.write_bytes(content(TWO_OBJECTS))
        return read_signature(stream)

    monkeypatch.setattr(reader, "read_signature", while_somebody_writes)
    assert reason_of(path) == "file_changed"


def test_what_is_not_there(tmp_path: pathlib.Path) -> None:
    assert reason_of(tmp_path / "nosuch.ko") == "unreadable_file"
    assert reason_of(tmp_path) == "not_a_file"
    os.mkfifo(tmp_path / "pipe.ko")
    assert reason_of(tmp_path / "pipe.ko") == "not_a_file"


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [(b"livepatch=Y", b"livepatch=N", "not_a_live_patch"), (b"vermagic=", b"verMagic=", "not_a_module")],
)
def test_another_module(tmp_path: pathlib.Path, old: bytes, new: bytes, reason: str) -> None:
    path = tmp_path / "file.ko"
    path.write_bytes(content().replace(old, new))
    assert reason_of(path) == reason


@pytest.mark.parametrize("length", range(1, 8200, 400))
def test_truncated(tmp_path: pathlib.Path, length: int) -> None:
    path = tmp_path / "file.ko"
    path.write_bytes(content()[:length])
    assert reason_of(path) in ("damaged_file", "not_elf")


@pytest.mark.parametrize("path", [CMDLINE, TWO_OBJECTS])
def test_flipped_bytes_are_read_or_refused(tmp_path: pathlib.Path, path: str) -> None:
    dice = random.Random(20260101)
    original = content(path)
    damaged = tmp_path / "damaged.ko"
    refused = 0
    for _attempt in range(100):
        changed = bytearray(original)
        for _byte in range(dice.randint(1, 20)):
            changed[dice.randrange(len(changed))] = dice.randrange(256)
        damaged.write_bytes(bytes(changed))
        try:
            read_patch_file(str(damaged))
        except PatchFileError:
            refused += 1
    assert 0 < refused < 100


@pytest.mark.parametrize(
    ("name", "good"),
    [
        ("livepatch_1", True),
        ("a" * 55, True),
        ("a" * 56, False),
        ("", False),
        ("a/b", False),
        ("..", False),
        ("a b", False),
        ("a\n", False),
        ("a-b", False),
    ],
)
def test_names(name: str, good: bool) -> None:
    assert is_module_name(name) is good


def test_the_kernels_spelling() -> None:
    assert module_name("/tmp/livepatch-0001-test.ko") == "livepatch_0001_test"
    assert module_name("plain") == "plain"
