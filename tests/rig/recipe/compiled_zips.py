# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Keeps what Python has compiled from zip files until the next boot, as it does by itself for other files.

Ansible sends each module with all that it imports in a zip file, of which nothing is kept: in an emulated VM
compiling it anew takes more than a second of each task. The code that runs is the same. PyPy reads this file too, and
has a zipimport of its own: there nothing is kept.
"""

from __future__ import annotations

import hashlib
import marshal
import os
import typing as t
import zipimport

FOLDER = "/run/compiled-zips"

compile_source: t.Any = getattr(zipimport, "_compile_source", None)


def compile_once(path: str, source: bytes) -> t.Any:
    """The code of this source; only root keeps any, and only what root owns is used."""
    if os.geteuid() != 0:
        return compile_source(path, source)
    kept = f"{FOLDER}/{hashlib.sha256(os.path.basename(path).encode() + source).hexdigest()}"
    code = read(kept)
    if code is None:
        code = compile_source(path, source)
        write(kept, code)
    return code


def read(kept: str) -> t.Any:
    """What is kept there, or None."""
    try:
        with open(kept, "rb") as stream:
            return marshal.load(stream)
    except (OSError, EOFError, ValueError, TypeError):
        return None


def write(kept: str, code: t.Any) -> None:
    """Keep this, as a whole or not at all."""
    part = f"{kept}.{os.getpid()}"
    try:
        os.makedirs(FOLDER, 0o700, exist_ok=True)
        with open(part, "wb") as stream:
            marshal.dump(code, stream)
        os.replace(part, kept)
    except OSError:
        pass


if compile_source is not None:
    zipimport._compile_source = compile_once  # type: ignore[attr-defined]
