# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise is made to code outside of it.

"""Unpacks the payload of a package, within bounds."""

from __future__ import annotations

import os
import tempfile
import typing as t
from importlib import import_module

from ansible_collections.openeuler.livepatch.plugins.module_utils._system.programs import (
    TimedOut,
    TooMuchOutput,
    read_output,
)
from ansible_collections.openeuler.livepatch.plugins.plugin_utils._vendor.refused import Refused, damaged, too_big

MOST_UNPACKED = 64 * 1024**2
"""How many bytes a payload may have. A live patch has some hundred kilobytes."""

MOST_MEMORY = 128 * 1024**2
"""What xz may take to unpack. Its strongest preset needs 65 MiB."""

SECONDS = 60.0
"""How long zstd may take. It unpacks 64 MiB in some tenths of a second."""


class _Decompressor(t.Protocol):
    """What the decompressors of Python's own modules have."""

    @property
    def eof(self) -> bool:
        """Whether the end of the archive was reached."""

    def decompress(self, data: bytes, max_length: int) -> bytes:
        """The next bytes, at most so many."""


def unpack(payload: bytes, compressor: str) -> bytes:
    """The archive in a payload. Raises Refused."""
    if compressor in _MADE_BY:
        return _unpack_here(payload, compressor)
    if compressor != "zstd":
        raise Refused(
            "no_decompressor",
            f"is compressed with {compressor or 'nothing'}, which this collection does not unpack",
            "Unpack it with rpm2cpio and cpio, and give the directory below usr/lib/syscare/patches.",
        )
    try:
        return _unpack_here(payload, "compression.zstd")  # Python 3.14 and later have it.
    except ImportError:
        return _unpack_with_zstd(payload)


def _unpack_here(payload: bytes, compressor: str) -> bytes:
    try:
        decompressor = _MADE_BY[compressor]()
    except ImportError as error:
        if compressor.startswith("compression."):
            raise
        raise _no_program(compressor, f"this Python has no {error.name}") from error
    try:
        unpacked = decompressor.decompress(payload, MOST_UNPACKED + 1)
    except Exception as error:  # Each module has its own, some more than one.
        raise damaged(f"its payload cannot be unpacked with {compressor.rpartition('.')[2]}, {error}") from error
    if len(unpacked) > MOST_UNPACKED:
        raise _bomb()
    if not decompressor.eof:
        raise damaged("its payload ends too early")
    return unpacked


def _lzma() -> _Decompressor:
    lzma = import_module("lzma")
    return t.cast(_Decompressor, lzma.LZMADecompressor(memlimit=MOST_MEMORY))


_MADE_BY: dict[str, t.Callable[[], _Decompressor]] = {
    # 31: only gzip's own format.
    "gzip": lambda: import_module("zlib").decompressobj(31),
    "xz": _lzma,
    "lzma": _lzma,
    "bzip2": lambda: import_module("bz2").BZ2Decompressor(),
    "compression.zstd": lambda: import_module("compression.zstd").ZstdDecompressor(),
}


def _unpack_with_zstd(payload: bytes) -> bytes:
    with tempfile.TemporaryFile() as stream:
        stream.write(payload)
        stream.seek(0)
        try:
            status, unpacked = read_output(["zstd", "-dcq"], stream.fileno(), SECONDS, MOST_UNPACKED)
        except FileNotFoundError as error:
            raise _no_program("zstd", "the program zstd is not installed") from error
        except OSError as error:
            raise _no_program("zstd", f"zstd cannot be run, {os.strerror(error.errno or 0)}") from error
        except TimedOut as error:
            raise damaged(f"zstd does not unpack its payload within {SECONDS:g} s") from error
        except TooMuchOutput as error:
            raise _bomb() from error
    if status != 0:
        raise damaged("its payload cannot be unpacked with zstd")
    return unpacked


def _bomb() -> Refused:
    return too_big(f"a payload of more than {MOST_UNPACKED} bytes")


def _no_program(compressor: str, what: str) -> Refused:
    return Refused(
        "no_decompressor",
        f"is compressed with {compressor}, and {what} on the controller",
        f"Install {compressor} there, then run the task again.",
    )
