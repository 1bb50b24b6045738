# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Keys of namesakes, and files that they have signed. openssl is the real one."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from ansible_collections.openeuler.livepatch.plugins.module_utils._build.signing import trailer


def make_key(folder: Path, name: str) -> None:
    """NAME.key and its certificate NAME.pem. All keys have one subject and one serial number."""
    if shutil.which("openssl") is None:
        pytest.skip("openssl is not installed")
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
    command += ["-subj", "/CN=site", "-set_serial", "7"]
    command += ["-keyout", str(folder / f"{name}.key"), "-out", str(folder / f"{name}.pem")]
    subprocess.run(command, check=True, capture_output=True)


def signed(file: bytes, folder: Path, name: str, *options: str) -> bytes:
    """The file with a signature by the key of this name, as the kernel's sign-file makes it."""
    command = ["openssl", "cms", "-sign", "-binary", "-noattr", "-md", "sha512", *options, "-outform", "DER"]
    command += ["-inkey", str(folder / f"{name}.key"), "-signer", str(folder / f"{name}.pem")]
    signature = subprocess.run(command, input=file, check=True, capture_output=True).stdout
    return file + signature + trailer(len(signature))
