# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise is made to code outside of it.

"""Signs a module with the kernel's program `sign-file`, or with openssl in the same format."""

from __future__ import annotations

import os
import struct
import tempfile
from dataclasses import dataclass

from ansible_collections.openeuler.livepatch.plugins.module_utils._build.builder import BuildError, Run, missing
from ansible_collections.openeuler.livepatch.plugins.module_utils._build.content import Plain, digest
from ansible_collections.openeuler.livepatch.plugins.module_utils._build.hidden import hider
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.findings import Finding
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.text import lines_of
from ansible_collections.openeuler.livepatch.plugins.module_utils._patch_file.signature import SIGNATURE_MAGIC

PKEY_ID_PKCS7 = 2
"""The type of the signatures that kernels accept since 4.3 (kernel: include/linux/module_signature.h)."""


@dataclass(frozen=True)
class Seal:
    """The files and the hash to sign with. No result contains the path or the content of the key."""

    key: str
    cert: str
    hash: str
    program: str | None

    def inputs(self) -> Plain:
        """The part of a build's inputs that decides the signature."""
        return {"cert": digest(self.cert), "hash": self.hash}


def prepare(options: Plain | None, release: str) -> Seal | None:
    """The `Seal` from the option `sign`; None without it. Raises BuildError if a file is missing."""
    if not options:
        return None
    for option in ("key", "cert"):
        if not os.path.isfile(options[option]):
            raise BuildError(missing(f"The file sign.{option}", f"sign.{option}"))
    program = f"/lib/modules/{release}/build/scripts/sign-file"
    return Seal(
        key=options["key"],
        cert=options["cert"],
        hash=options["hash"],
        program=program if os.access(program, os.X_OK) else None,
    )


def sign(path: str, seal: Seal, run: Run) -> None:
    """Append the signature to a module. Raises BuildError."""
    if seal.program:
        command = [seal.program, seal.hash, seal.key, seal.cert, path]
        rc, _out, err = run(command)
    else:
        command, rc, err = _sign_with_openssl(path, seal, run)
    if rc != 0:
        # The programs print the path of the key.
        says = lines_of(hider({})(err.replace(seal.key, "the key")).strip())
        raise BuildError(
            Finding(
                reason="sign_failed",
                seen="The module cannot be signed: {}.".format(says[-1] if says else f"exit status {rc}"),
                remedy="Check that sign.key and sign.cert belong together and are in PEM format.",
            ),
            cmd=[word.replace(seal.key, "the key") for word in command],
            rc=rc,
        )


def _sign_with_openssl(path: str, seal: Seal, run: Run) -> tuple[list[str], int, str]:
    with tempfile.TemporaryDirectory(prefix="livepatch-") as directory:
        signature = os.path.join(directory, "signature")
        command = ["openssl", "cms", "-sign", "-binary", "-noattr", "-nocerts", "-nosmimecap", "-md", seal.hash]
        command += ["-inkey", seal.key, "-signer", seal.cert, "-in", path, "-outform", "DER", "-out", signature]
        rc, _out, err = run(command)
        if rc == 0:
            with open(signature, "rb") as stream:
                content = stream.read()
            with open(path, "ab") as stream:
                stream.write(content + trailer(len(content)))
        return command, rc, err


def trailer(size: int) -> bytes:
    """The end of a signed module: struct module_signature (include/linux/module_signature.h) and the magic."""
    return struct.pack(">BBBBBxxxI", 0, 0, PKEY_ID_PKCS7, 0, 0, size) + SIGNATURE_MAGIC
