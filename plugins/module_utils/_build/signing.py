# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise is made to code outside of it.

"""Signs a module with the kernel's program `sign-file`, or with openssl in the same format.

Both take the same: a key in a file, with a passphrase or without, or in a PKCS#11 token.
"""

from __future__ import annotations

import os
import re
import struct
import tempfile
import typing as t
from dataclasses import dataclass

from ansible_collections.openeuler.livepatch.plugins.module_utils._build.builder import BuildError, Run, missing
from ansible_collections.openeuler.livepatch.plugins.module_utils._build.content import Plain, digest, read_bytes
from ansible_collections.openeuler.livepatch.plugins.module_utils._build.hidden import PASSPHRASE, hider
from ansible_collections.openeuler.livepatch.plugins.module_utils._build.kernel_places import build_tree_of
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.findings import Finding
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.text import lines_of
from ansible_collections.openeuler.livepatch.plugins.module_utils._patch_file.signature import SIGNATURE_MAGIC

PKEY_ID_PKCS7 = 2
"""The type of the signatures that kernels accept since 4.3 (kernel: include/linux/module_signature.h)."""

TOKEN = "pkcs11:"
"""How the name of a key in a token begins (RFC 7512)."""

_PIN_IN_NAME = re.compile(rf"\A{TOKEN}.*\bpin-value=", re.S)

_ENCRYPTED = re.compile(rb"^-----BEGIN ENCRYPTED PRIVATE KEY-----|^Proc-Type: 4,ENCRYPTED", re.M)


class _Cause(t.NamedTuple):
    """A failure: what the programs print, in either's words and in those of OpenSSL 1.1 and 3, and what to do."""

    reason: str
    pattern: str
    seen: str
    remedy: str


# The first that fits counts. Measured with openssl 3.0 and the sign-file of Linux 7.3.
_CAUSES = (
    _Cause(
        "wrong_passphrase",
        r"CKR_PIN|PIN (?:is )?(?:incorrect|invalid|locked)|Login failed|login to token failed",
        "The token does not take the PIN.",
        f"Give the PIN of the token in the variable {PASSPHRASE} of env; a token is locked after a few wrong ones.",
    ),
    _Cause(
        "no_pkcs11",
        r"(?:load the shared library|OSSL_PROVIDER_try_load|provider_init|invalid engine|no such engine|ENGINE_by_id|"
        r"unable to load provider|No engine specified)",
        "OpenSSL on the build host cannot reach the token: it has no PKCS#11 provider or engine.",
        "Install pkcs11-provider, or for older programs the engine (libengine-pkcs11-openssl, openssl-pkcs11), and the "
        "module of the token.",
    ),
    _Cause(
        "no_such_key",
        r"PKCS11_get_private_key returned NULL|private key was not found|object not found|No such (?:slot|object|token)"
        r"|(?:found no|no matching) (?:slot|token|key)",
        "The token has no such private key.",
        "Correct sign.key: p11tool --list-all or pkcs11-tool -O shows what tokens have.",
    ),
    _Cause(
        "wrong_passphrase",
        r"bad decrypt|maybe wrong password|pkcs12 cipherfinal error|bad password read",
        "The passphrase does not open the key.",
        f"Give the passphrase of the key in the variable {PASSPHRASE} of env.",
    ),
    _Cause(
        "no_passphrase",
        r"unable to get passphrase|interrupted or cancelled|problems getting password|while reading strings",
        "The key has a passphrase, and the task gives none.",
        f"Give it in the variable {PASSPHRASE} of env.",
    ),
    _Cause(
        "key_mismatch",
        r"key values mismatch|private key does not match|key type mismatch",
        "The certificate is of another key.",
        "Give the certificate of this key in sign.cert.",
    ),
    _Cause(
        "bad_hash",
        r"Unknown (?:option or )?(?:message )?digest|unknown option.*digest|EVP_get_digestbyname|invalid digest",
        "The program does not know the hash {hash}.",
        "Correct sign.hash, for example sha512.",
    ),
    _Cause(
        "bad_cert",
        r"(?:read|load) (?:the )?signer certificate|no start line.*certificate|Unable to load (?:signer )?certificate",
        "sign.cert is no certificate in PEM format.",
        "Give the certificate in PEM format: openssl x509 -inform DER converts it.",
    ),
    _Cause(
        "bad_key",
        r"(?:read|load) (?:the )?(?:signing |private )?key|DECODER routines|no start line",
        "sign.key or sign.cert is not in PEM format.",
        "Give a private key and its certificate in PEM format.",
    ),
)


@dataclass(frozen=True)
class Seal:
    """The files and the hash to sign with. No result contains the path or the content of the key."""

    key: str
    cert: str
    hash: str
    program: str | None

    @property
    def is_in_token(self) -> bool:
        return self.key.startswith(TOKEN)

    def inputs(self) -> Plain:
        """The part of a build's inputs that decides the signature."""
        return {"cert": digest(self.cert), "hash": self.hash}


def take_passphrase(env: t.Mapping[str, t.Any] | None) -> None:
    """Let the programs that sign have a passphrase that is among the variables of the build."""
    if env and PASSPHRASE in env:
        os.environ[PASSPHRASE] = str(env[PASSPHRASE])


def prepare(options: Plain | None, release: str) -> Seal | None:
    """The `Seal` from the option `sign`; None without it. Raises BuildError if a file is missing."""
    if not options:
        return None
    if _PIN_IN_NAME.search(options["key"]):
        raise BuildError(
            Finding(
                reason="bad_key",
                seen="sign.key has the PIN of the token in it, and whoever lists processes would see it.",
                remedy=f"Leave pin-value out, and give the PIN in the variable {PASSPHRASE} of env.",
            )
        )
    for option in ("key", "cert"):
        is_token = option == "key" and options[option].startswith(TOKEN)
        if not is_token and not os.path.isfile(options[option]):
            raise BuildError(missing(f"The file sign.{option}", f"sign.{option}"))
    program = f"{build_tree_of(release)}/scripts/sign-file"
    return Seal(
        key=options["key"],
        cert=options["cert"],
        hash=options["hash"],
        program=program if os.access(program, os.X_OK) else None,
    )


def check(seal: Seal | None, run: Run) -> None:
    """Sign a file that nobody needs: what keeps a module from being signed ends a task before its long build.

    Raises BuildError.
    """
    if not seal:
        return
    if _ENCRYPTED.search(read_bytes(seal.key) or b"") and not os.environ.get(PASSPHRASE):
        cause = next(cause for cause in _CAUSES if cause.reason == "no_passphrase")
        raise BuildError(Finding(reason=cause.reason, seen=cause.seen, remedy=cause.remedy))
    with tempfile.TemporaryDirectory(prefix="livepatch-") as directory:
        path = os.path.join(directory, "trial")
        with open(path, "wb") as stream:
            stream.write(b"\0")
        sign(path, seal, run)


def sign(path: str, seal: Seal, run: Run) -> None:
    """Append the signature to a module. Raises BuildError."""
    try:
        if seal.program:
            command = [seal.program, seal.hash, seal.key, seal.cert, path]
            rc, _out, err = run(command)
        else:
            command, rc, err = _sign_with_openssl(path, seal, run)
    except BuildError as error:
        # It took too long.
        cmd = [word.replace(seal.key, "the key") for word in error.details.get("cmd", ())]
        raise BuildError(error.finding, **{**error.details, "cmd": cmd}) from error
    if rc != 0:
        raise BuildError(
            _failure(seal, command[0], rc, err), cmd=[word.replace(seal.key, "the key") for word in command], rc=rc
        )


def _failure(seal: Seal, program: str, rc: int, err: str) -> Finding:
    if rc == 127 and program == "openssl":
        return Finding(
            reason="missing_program",
            seen="The module cannot be signed: neither openssl nor the kernel's sign-file is installed.",
            remedy="Install openssl on the build host, or the development package of the kernel.",
        )
    # The programs print the path of the key.
    says = lines_of(hider({})(err.replace(seal.key, "the key")).strip())
    shown = says[-1] if says else f"exit status {rc}"
    cause = next((cause for cause in _CAUSES if re.search(cause.pattern, err)), None)
    if cause:
        seen = cause.seen.replace("{hash}", seal.hash)
        return Finding(
            reason=cause.reason, seen=f"The module cannot be signed: {shown}.", why=seen, remedy=cause.remedy
        )
    return Finding(
        reason="sign_failed",
        seen=f"The module cannot be signed: {shown}.",
        remedy="Check that sign.key and sign.cert belong together and are in PEM format.",
    )


def _sign_with_openssl(path: str, seal: Seal, run: Run) -> tuple[list[str], int, str]:
    with tempfile.TemporaryDirectory(prefix="livepatch-") as directory:
        signature = os.path.join(directory, "signature")
        command = ["openssl", "cms", "-sign", "-binary", "-noattr", "-nocerts", "-nosmimecap", "-md", seal.hash]
        command += _reach_token(run) if seal.is_in_token else []
        command += ["-passin", f"env:{PASSPHRASE}"] if os.environ.get(PASSPHRASE) else []
        command += ["-inkey", seal.key, "-signer", seal.cert, "-in", path, "-outform", "DER", "-out", signature]
        rc, _out, err = run(command)
        if rc == 0:
            with open(signature, "rb") as stream:
                content = stream.read()
            with open(path, "ab") as stream:
                stream.write(content + trailer(len(content)))
        return command, rc, err


def _reach_token(run: Run) -> list[str]:
    """How openssl reaches tokens: by the engine where it is installed, else by the provider of OpenSSL 3."""
    if run(["openssl", "engine", "pkcs11"])[0] == 0:
        return ["-engine", "pkcs11", "-keyform", "engine"]
    return ["-provider", "pkcs11", "-provider", "default"]


def trailer(size: int) -> bytes:
    """The end of a signed module: struct module_signature (include/linux/module_signature.h) and the magic."""
    return struct.pack(">BBBBBxxxI", 0, 0, PKEY_ID_PKCS7, 0, 0, size) + SIGNATURE_MAGIC
