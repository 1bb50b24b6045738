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
import shutil
import struct
import subprocess

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
    assert failed.value.finding.reason == "bad_key"
    assert seal.key not in str(failed.value) + str(failed.value.details)
    assert pathlib.Path(module).read_bytes() == b"a module"


FAILURES = [
    # what sign-file of Linux 7.3 and openssl 3.0 print
    ("wrong_passphrase", "- SSL error:1C800064:Provider routines::bad decrypt: x.c:124\nsign-file: key.pem"),
    ("wrong_passphrase", "4:error:11800074:PKCS12 routines:PKCS12_pbe_crypt_ex:x:p12_decr.c:88:maybe wrong password"),
    ("wrong_passphrase", "- SSL error:04800068:PEM routines::bad password read: pem_pkey.c:159"),
    ("no_passphrase", "4:error:1C80009F:Provider routines:epki2pki_decode:unable to get passphrase:x.c:96:"),
    ("key_mismatch", "- SSL error:05800074:x509 certificate routines::key values mismatch: x509_cmp.c:403"),
    (
        "key_mismatch",
        "4:error:17000088:CMS routines:CMS_add1_signer:private key does not match certificate:cms_sd.c:313:",
    ),
    ("bad_hash", "cms: Unknown option or message digest: nosuch"),
    ("bad_hash", "sign-file: EVP_get_digestbyname"),
    ("bad_cert", "Could not read signer certificate from cert.pem\nUnable to load signer certificate"),
    ("bad_key", "Could not read signing key from key.pem"),
    ("bad_key", "- SSL error:1E08010C:DECODER routines::unsupported: decoder_lib.c:103"),
    ("bad_key", "- SSL error:0480006C:PEM routines::no start line: pem_lib.c:760"),
    ("no_pkcs11", "- SSL error:07880025:common libcrypto routines::x: 923\nsign-file: OSSL_PROVIDER_try_load(pkcs11)"),
    (
        "no_pkcs11",
        "4:error:12800067:DSO support routines:dlfcn_load:could not load the shared library:x.c:115:pkcs11.so",
    ),
    ("no_such_key", "PKCS11_get_private_key returned NULL\ncannot load signing key from engine"),
    ("wrong_passphrase", "Login to token failed, returning NULL...\nCKR_PIN_INCORRECT"),
    ("sign_failed", "something else"),
]


@pytest.mark.parametrize("with_openssl", [False, True])
@pytest.mark.parametrize(("reason", "err"), FAILURES)
def test_each_failure_has_its_own_remedy(seal: Seal, module: str, reason: str, err: str, with_openssl: bool) -> None:
    seal = dataclasses.replace(seal, program=None) if with_openssl else seal
    with pytest.raises(BuildError) as failed:
        signing.sign(module, seal, Programs(1, err))
    finding = failed.value.finding
    assert finding.reason == reason
    assert err.split("\n")[-1] in finding.seen
    assert "{" not in str(finding)


def test_every_cause_is_printed_by_a_program() -> None:
    assert {reason for reason, _err in FAILURES} == {"sign_failed", *(cause.reason for cause in signing._CAUSES)}


def test_without_any_program(seal: Seal, module: str) -> None:
    with pytest.raises(BuildError) as failed:
        signing.sign(module, dataclasses.replace(seal, program=None), Programs(127, "No such file: openssl"))
    assert failed.value.finding.reason == "missing_program"


TOKEN = "pkcs11:token=kmod;object=key"


@pytest.mark.parametrize(("rc", "expected"), [(0, ["-engine", "pkcs11"]), (1, ["-provider", "pkcs11"])])
def test_a_key_in_a_token(seal: Seal, module: str, rc: int, expected: list[str]) -> None:
    prepared = signing.prepare({"key": TOKEN, "cert": seal.cert, "hash": "sha256"}, "6.6.0-nosuch")
    assert prepared == Seal(TOKEN, seal.cert, "sha256", None)
    programs = Programs()

    def run(command: list[str]) -> tuple[int, str, str]:
        return (rc, "", "") if command[1] == "engine" else programs(command)

    signing.sign(module, prepared, run)
    (command,) = programs.calls
    at = command.index(expected[0])
    assert command[at : at + 2] == expected
    assert command[command.index("-inkey") + 1] == TOKEN
    # sign-file knows tokens by itself.
    signing.sign(module, dataclasses.replace(prepared, program="/sign-file"), programs)
    assert programs.calls[1] == ["/sign-file", "sha256", TOKEN, seal.cert, module]


@pytest.mark.parametrize(
    "begin", ["-----BEGIN ENCRYPTED PRIVATE KEY-----\n", "-----BEGIN X-----\nProc-Type: 4,ENCRYPTED\n"]
)
def test_a_passphrase_that_is_not_given_fails_before_the_build(
    seal: Seal, begin: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    pathlib.Path(seal.key).write_text(begin, encoding="ascii")
    monkeypatch.delenv("KBUILD_SIGN_PIN", raising=False)
    programs = Programs()
    with pytest.raises(BuildError) as failed:
        signing.check(seal, programs)
    assert (failed.value.finding.reason, programs.calls) == ("no_passphrase", [])
    monkeypatch.setenv("KBUILD_SIGN_PIN", "secret")
    signing.check(seal, programs)
    signing.check(None, programs)
    assert len(programs.calls) == 1


@pytest.mark.parametrize(("reason", "err"), FAILURES)
def test_what_keeps_a_module_from_being_signed_fails_before_the_build(seal: Seal, reason: str, err: str) -> None:
    with pytest.raises(BuildError) as failed:
        signing.check(seal, Programs(1, err))
    assert failed.value.finding.reason == reason


def test_a_key_whose_name_has_the_pin_is_refused(seal: Seal) -> None:
    wanted = {"key": f"{TOKEN};type=private?pin-value=4711", "cert": seal.cert, "hash": "sha512"}
    with pytest.raises(BuildError) as failed:
        signing.prepare(wanted, "6.6.0-nosuch")
    assert (failed.value.finding.reason, "4711" in str(failed.value)) == ("bad_key", False)


def really(command: list[str]) -> tuple[int, str, str]:
    done = subprocess.run(command, check=False, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    return done.returncode, done.stdout, done.stderr


@pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is not installed")
def test_openssl_itself(tmp_path: pathlib.Path, module: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A key with a passphrase signs as one without it does, and what goes wrong is known by its words."""
    key, other, cert = (str(tmp_path / name) for name in ("plain.pem", "other.pem", "own.pem"))
    for path in (key, other):
        new = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "30", "-subj", "/CN=lp/"]
        assert really([*new, "-keyout", path, "-out", cert if path == key else f"{other}.cert"])[0] == 0
    locked = str(tmp_path / "locked.pem")
    assert really(["openssl", "pkey", "-in", key, "-aes256", "-passout", "pass:secret", "-out", locked])[0] == 0
    seal = Seal(key, cert, "sha256", None)
    signed = []
    monkeypatch.setenv("KBUILD_SIGN_PIN", "secret")
    for name in (key, locked):
        pathlib.Path(module).write_bytes(b"a module")
        signing.sign(module, dataclasses.replace(seal, key=name), really)
        signed.append(pathlib.Path(module).read_bytes())
    assert signed[0] == signed[1] and len(signed[0]) > 300
    for reason, changes in (
        ("key_mismatch", {"key": other}),
        ("bad_hash", {"hash": "nosuch"}),
        ("bad_key", {"key": module}),
        ("bad_cert", {"cert": module}),
        ("no_pkcs11", {"key": TOKEN}),
    ):
        with pytest.raises(BuildError) as failed:
            signing.sign(module, dataclasses.replace(seal, **changes), really)
        assert failed.value.finding.reason == reason
    monkeypatch.setenv("KBUILD_SIGN_PIN", "wrong")
    with pytest.raises(BuildError) as failed:
        signing.sign(module, dataclasses.replace(seal, key=locked), really)
    assert failed.value.finding.reason == "wrong_passphrase"
    assert "wrong" not in failed.value.details["cmd"]


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
