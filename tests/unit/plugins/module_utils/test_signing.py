# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Signing of a module: with which program, and what is said of it where that fails."""

from __future__ import annotations

import dataclasses
import hashlib
import io
import os
import pathlib
import struct

import pytest
from ansible_collections.openeuler.livepatch.plugins.module_utils._build import signing
from ansible_collections.openeuler.livepatch.plugins.module_utils._build.builder import BuildError
from ansible_collections.openeuler.livepatch.plugins.module_utils._build.signing import Seal

SIGNATURE = b"a signature in DER"
MAGIC = b"~Module signature appended~\n"


class Programs:
    """Stands in for the programs: it notes how they are called, and openssl leaves a signature."""

    def __init__(self, rc: int = 0, err: str = "") -> None:
        self.rc = rc
        self.err = err
        self.calls: list[list[str]] = []

    def __call__(self, command: list[str]) -> tuple[int, str, str]:
        self.calls.append(command)
        if self.rc == 0 and command[0] == "openssl":
            pathlib.Path(command[command.index("-out") + 1]).write_bytes(SIGNATURE)
        return self.rc, "", self.err


@pytest.fixture(name="seal")
def fixture_seal(tmp_path: pathlib.Path) -> Seal:
    for name in ("key", "cert"):
        (tmp_path / f"{name}.pem").write_text(name, encoding="ascii")
    return Seal(str(tmp_path / "key.pem"), str(tmp_path / "cert.pem"), "sha512", "/build/scripts/sign-file")


@pytest.fixture(name="module")
def fixture_module(tmp_path: pathlib.Path) -> str:
    path = tmp_path / "fix.ko"
    path.write_bytes(b"a module")
    return str(path)


def test_the_kernels_own_program_signs(seal: Seal, module: str) -> None:
    programs = Programs()
    signing.sign(module, seal, programs)
    assert programs.calls == [["/build/scripts/sign-file", "sha512", seal.key, seal.cert, module]]


def test_openssl_signs_in_the_format_that_the_kernel_reads(seal: Seal, module: str) -> None:
    programs = Programs()
    signing.sign(module, dataclasses.replace(seal, program=None), programs)
    (command,) = programs.calls
    assert command[:3] == ["openssl", "cms", "-sign"]
    assert [command[command.index(option) + 1] for option in ("-md", "-inkey", "-signer", "-in")] == [
        "sha512",
        seal.key,
        seal.cert,
        module,
    ]
    stream = io.BytesIO(pathlib.Path(module).read_bytes())
    assert stream.read(len(b"a module") + len(SIGNATURE)) == b"a module" + SIGNATURE
    # struct module_signature: five bytes of which the third says PKCS#7, three of padding, the size in network order.
    assert struct.unpack(">5B3xI", stream.read(12)) == (0, 0, 2, 0, 0, len(SIGNATURE))
    assert stream.read() == MAGIC


@pytest.mark.parametrize("with_openssl", [False, True])
def test_the_keys_path_is_in_no_message(seal: Seal, module: str, with_openssl: bool) -> None:
    seal = dataclasses.replace(seal, program=None) if with_openssl else seal
    programs = Programs(1, f"opening\nCould not read the private key from {seal.key}: not PEM\n")
    with pytest.raises(BuildError, match="read the private key from the key: not PEM") as failed:
        signing.sign(module, seal, programs)
    assert failed.value.finding.reason == "sign_failed"
    assert seal.key not in str(failed.value) + str(failed.value.details)
    assert pathlib.Path(module).read_bytes() == b"a module"


def test_a_program_that_says_nothing_is_told_by_its_status(seal: Seal, module: str) -> None:
    with pytest.raises(BuildError, match="cannot be signed: exit status 127"):
        signing.sign(module, seal, Programs(127))


@pytest.mark.parametrize("missing", ["key", "cert"])
def test_a_file_that_is_not_there_is_named_by_its_option(seal: Seal, missing: str) -> None:
    wanted = {"key": seal.key, "cert": seal.cert, "hash": "sha512", missing: "/nowhere/secret.pem"}
    with pytest.raises(
        BuildError, match=f"sign.{missing} does not exist on the build host {os.uname().nodename}"
    ) as failed:
        signing.prepare(wanted, "6.6.0")
    assert (failed.value.finding.reason, "/nowhere" in str(failed.value)) == ("no_such_file", False)


def test_without_the_kernels_program_openssl_is_used(seal: Seal) -> None:
    prepared = signing.prepare({"key": seal.key, "cert": seal.cert, "hash": "sha256"}, "6.6.0-nosuch")
    assert prepared == Seal(seal.key, seal.cert, "sha256", None)
    assert signing.prepare(None, "6.6.0-nosuch") is None


def test_another_certificate_or_hash_is_another_result(seal: Seal) -> None:
    before = seal.inputs()
    assert before == {"cert": hashlib.sha256(b"cert").hexdigest(), "hash": "sha512"}
    assert dataclasses.replace(seal, hash="sha256").inputs() != before
    pathlib.Path(seal.cert).write_text("another", encoding="ascii")
    assert seal.inputs() != before
