# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reading patch files of every builder, and signatures; hostile files are in test_hostile_files.py."""

from __future__ import annotations

import io
import pathlib
import struct
import typing as t

import pytest

pytest.importorskip("elftools", reason="pyelftools is not installed for this Python")

from ansible_collections.openeuler.livepatch.plugins.module_utils._build import signing
from ansible_collections.openeuler.livepatch.plugins.module_utils._build.builder import BuildError
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.patch_file import Signature
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.snapshot import Function
from ansible_collections.openeuler.livepatch.plugins.module_utils._patch_file.info import read_file_info
from ansible_collections.openeuler.livepatch.plugins.module_utils._patch_file.reader import (
    PatchFileError,
    read_patch_file,
)
from ansible_collections.openeuler.livepatch.plugins.module_utils._patch_file.signature import (
    SIGNATURE_MAGIC,
    read_signature,
)

FIXTURES = pathlib.Path(__file__).parent / "fixtures"


def info(name: str) -> dict[str, t.Any]:
    return read_file_info(str(FIXTURES / name))


def function(
    object_name: str, name: str, sympos: int = 1, numbered: bool = False, force: int = 0, **sizes: int
) -> dict[str, t.Any]:
    return {"object": object_name, "name": name, "sympos": sympos, "numbered": numbered, "force": force, **sizes}


def test_a_file_of_upstreams_kpatch_build() -> None:
    """Built by kpatch-build 0.9.10 from the seed's example; debug information removed."""
    file = info("livepatch_0001_test.ko")
    assert file["builder"] == "kpatch"
    assert file["abi"] == "per_task"
    assert file["functions"] == [
        function("vmlinux", "cgroup_exit", old_size=333, new_size=56),
    ]
    assert file["replace"] is None
    assert {"object": "vmlinux", "name": "css_set_move_task", "sympos": 1} in file["relocations"]
    assert file["modinfo"]["livepatch"] == "Y"
    assert file["signature"] is None
    assert file["callbacks"] == file["hooks"] == []


def test_a_file_laid_out_as_openeulers_kpatch_build_does() -> None:
    file = info("openeuler_layout.ko")
    assert file["builder"] == "kpatch-openeuler"
    assert file["abi"] == "stop_machine"
    assert file["functions"] == [
        function("some_module", "two", sympos=2, numbered=True, force=1, old_size=44, new_size=2),
        function("vmlinux", "one", old_size=33, new_size=1),
    ]
    assert file["callbacks"] == ["post_unpatch"]


def test_the_objects_of_callbacks_in_a_file_of_kpatch_build(tmp_path: pathlib.Path) -> None:
    file = info("kpatch_callbacks.ko")
    assert [entry["object"] for entry in file["functions"]] == ["vmlinux"]
    assert file["callbacks"] == ["post_patch", "post_unpatch"]
    assert (file["objects"], file["states"]) == (("vmlinux", "some_module"), ())
    # A callback without a name: the second pointer of the entry is gone.
    content = (FIXTURES / "kpatch_callbacks.ko").read_bytes()
    name, nothing = struct.pack("<QIIQ", 8, 1, 3, 8), struct.pack("<QIIQ", 0, 1, 1, 0)
    assert content.count(name) == 1
    (tmp_path / "fix.ko").write_bytes(content.replace(name, nothing))
    assert read_file_info(str(tmp_path / "fix.ko"))["objects"] is None


def test_the_number_1_is_a_number(tmp_path: pathlib.Path) -> None:
    """0 in the file says that the name is the only one, and is shown as position 1 by the kernel, and here."""
    content = (FIXTURES / "openeuler_layout.ko").read_bytes()
    # new_addr, new_size, old_addr, old_size, sympos
    entry, numbered = struct.pack("<5Q", 0, 1, 0, 33, 0), struct.pack("<5Q", 0, 1, 0, 33, 1)
    assert content.count(entry) == 1
    path = tmp_path / "numbered.ko"
    path.write_bytes(content.replace(entry, numbered))
    before, after = info("openeuler_layout.ko")["functions"][1], read_file_info(str(path))["functions"][1]
    assert (before["sympos"], before["numbered"]) == (1, False)
    assert after == dict(before, numbered=True)
    assert Function("vmlinux", "one", 1) not in read_patch_file(str(path)).unnumbered


@pytest.mark.parametrize("path", sorted(FIXTURES.glob("*.ko")), ids=lambda path: path.name)
def test_every_result_says_the_same_of_a_file(path: pathlib.Path) -> None:
    """What livepatch_module and livepatch_build return of it is in what livepatch_file_info returns."""
    plain, details = read_patch_file(str(path)).to_dict(), read_file_info(str(path))
    functions = plain.pop("functions")
    assert len(functions) == len(details["functions"])
    for number, entry in enumerate(functions):
        assert entry.items() <= details["functions"][number].items()
    assert all(details[key] == value for key, value in plain.items())


def test_a_hand_written_file() -> None:
    file = info("two_objects.ko")
    assert file["builder"] == "hand-written"
    assert [(entry["object"], entry["name"], entry["sympos"]) for entry in file["functions"]] == [
        ("some_module", "three", 1),
        ("vmlinux", "one", 1),
        ("vmlinux", "two", 3),
    ]
    assert all(entry["new_size"] > 0 for entry in file["functions"])
    assert file["callbacks"] == ["post_patch"]
    assert file["replace"] is True
    assert (file["objects"], file["states"]) == (("vmlinux", "some_module"), ())


def test_a_file_for_another_architecture() -> None:
    """Built by the rig for arm64, see molecule/build/tasks/cross.yml; debug information removed."""
    file, native = info("livepatch_cmdline_aarch64.ko"), info("livepatch_cmdline.ko")
    assert (file["machine"], native["machine"]) == ("aarch64", "x86_64")
    assert [entry["name"] for entry in file["functions"]] == [entry["name"] for entry in native["functions"]]
    assert file["functions"][0]["new_size"] > 0
    assert file["abi"] == "per_task"


def test_the_manifest_says_what_the_file_does_not(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "fix.ko"
    path.write_bytes((FIXTURES / "livepatch_0001_test.ko").read_bytes())
    sha256 = read_patch_file(str(path)).sha256
    manifest = tmp_path / "fix.ko.json"
    for text, replace in [
        (f'{{"sha256": "{sha256}", "replace": true}}', True),
        (f'{{"sha256": "{sha256}", "replace": false}}', False),
        (f'{{"sha256": "{sha256}", "replace": "yes"}}', None),
        ('{"sha256": "another file", "replace": true}', None),
        ("[1]", None),
        ("{", None),
    ]:
        manifest.write_text(text)
        assert read_patch_file(str(path)).replace is replace
        assert read_file_info(str(path))["replace"] is replace


def signed(name: str) -> bytes:
    signature = (FIXTURES / name).read_bytes()
    return b"a module" + signature + signing.trailer(len(signature))


def test_signatures() -> None:
    assert read_signature(io.BytesIO(b"a module")) is None
    assert read_signature(io.BytesIO(b"")) is None
    assert read_signature(io.BytesIO(signed("signature_issuer.der"))) == Signature(
        "Signer of tests", "sha256", "0430a9ac5047c16daf0e8346e48444b198927b2c"
    )
    assert read_signature(io.BytesIO(signed("signature_keyid.der"))) == Signature(
        None, "sha512", "5ad6cc70fc8ceb35156173005bd2e055311695b8"
    )


@pytest.mark.parametrize(
    "content",
    [
        SIGNATURE_MAGIC,
        b"short" + SIGNATURE_MAGIC,
        b"x" * 100 + signing.trailer(0),
        b"x" * 100 + signing.trailer(1 << 31),
        b"x" * 100 + signing.trailer(50),
        b"\x30\x80" * 50 + signing.trailer(100),
    ],
)
def test_signatures_that_cannot_be_read(content: bytes) -> None:
    assert read_signature(io.BytesIO(content)) == Signature(readable=False)


def test_a_signer_whose_name_is_in_another_encoding() -> None:
    content = signed("signature_issuer.der").replace(b"Signer of tests", b"Signer of t\xe9sts")
    assert read_signature(io.BytesIO(content)).signer == "Signer of t\ufffdsts"


def test_a_truncated_signature_is_no_error() -> None:
    content = (FIXTURES / "signature_issuer.der").read_bytes()
    for length in range(1, len(content)):
        stream = io.BytesIO(content[:length] + signing.trailer(length))
        assert isinstance(read_signature(stream), Signature)


def test_signing_with_the_kernels_program(tmp_path: pathlib.Path) -> None:
    module, key, cert = (tmp_path / name for name in ("x.ko", "secret-key.pem", "cert.pem"))
    for path in (module, key, cert):
        path.write_text(path.name)
    seal = signing.prepare({"key": str(key), "cert": str(cert), "hash": "sha256"}, "no such release")
    assert seal is not None and seal.program is None
    commands: list[list[str]] = []

    def run(command: list[str]) -> tuple[int, str, str]:
        commands.append(command)
        return 1, "", f"cannot read {key}"

    with pytest.raises(BuildError) as failure:
        signing.sign(str(module), seal, run)
    assert "secret-key" not in str(failure.value)
    assert failure.value.details["rc"] == 1
    assert failure.value.details["cmd"] == [word.replace(str(key), "the key") for word in commands[0]]
    assert "the key" in failure.value.details["cmd"]
    assert commands[0][0] == "openssl"
    with pytest.raises(BuildError) as failure:
        signing.prepare({"key": str(key), "cert": "/nosuch", "hash": "sha256"}, "")
    assert failure.value.finding.reason == "no_such_file"


def test_what_is_too_big_is_not_read(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "big.ko"
    with path.open("wb") as stream:
        stream.write((FIXTURES / "two_objects.ko").read_bytes())
        stream.truncate(1 << 30)
    with pytest.raises(PatchFileError) as failure:
        read_file_info(str(path))
    assert failure.value.finding.reason == "too_big"
