# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise is made to code outside of it.

"""Whether the key of a certificate on the controller has signed a module. openssl verifies."""

from __future__ import annotations

import os

from ansible_collections.openeuler.livepatch.plugins.module_utils._model.findings import Finding, FindingError
from ansible_collections.openeuler.livepatch.plugins.module_utils._patch_file.signature import split_signature
from ansible_collections.openeuler.livepatch.plugins.module_utils._system.programs import TimedOut, run

SECONDS = 60.0
"""No signature takes as long."""

_OTHER_KEY = (
    "Look at the build host and at its key, and do not use what it has built before you know why; else give the "
    "certificate of that key."
)


def check_signature(module: bytes, certificate: str, folder: str) -> None:
    """Return if the key of the certificate has signed exactly this module. Raises FindingError.

    What signs a module for the kernel puts no certificate into it, and one in it would prove nothing. Neither the dates
    nor the issuer of the certificate are looked at: the kernel looks at neither. The folder is private.
    """
    # A name that begins with a hyphen would be an option.
    certificate = os.path.abspath(certificate)
    if not os.path.isfile(certificate) or _openssl("x509", "-in", certificate, "-noout"):
        raise FindingError(
            Finding(
                reason="bad_cert",
                seen=f"{certificate} is no certificate in PEM format that can be read.",
                remedy="Correct certificate; openssl x509 -inform DER converts one in another format.",
            )
        )
    parts = split_signature(module)
    if parts is None:
        raise FindingError(
            Finding(
                reason="not_signed",
                seen="The patch file has no signature that can be read.",
                remedy="Build it with sign, or leave certificate out.",
            )
        )
    signed, signature = (os.path.join(folder, name) for name in ("signed", "signature"))
    for path, content in zip((signed, signature), parts, strict=True):
        with open(path, "wb") as stream:
            stream.write(content)
    verify = ["cms", "-verify", "-binary", "-inform", "DER", "-in", signature, "-content", signed]
    if _openssl(*verify, "-certfile", certificate, "-nointern", "-noverify", "-out", os.devnull):
        raise FindingError(
            Finding(
                reason="wrong_signature",
                seen=f"The key of {certificate} has not signed this patch file, or the file has changed since.",
                remedy=_OTHER_KEY,
            )
        )


def _openssl(*arguments: str) -> int:
    """The exit status of openssl. Raises FindingError if it does not run, or not to its end."""
    try:
        return run(["openssl", *arguments], SECONDS)[0]
    except (OSError, TimedOut) as error:
        why = error.strerror if isinstance(error, OSError) else "it takes too long"
        raise FindingError(
            Finding(
                reason="missing_program",
                seen=f"openssl does not run on the controller: {why}.",
                remedy="Install openssl there, or leave certificate out.",
            )
        ) from error
