# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Makes small ELF files with the sections that a test needs."""

from __future__ import annotations

import struct
import typing as t

PROGBITS, STRTAB, NOTE, NOBITS = 1, 3, 7, 8


def elf(sections: dict[str, t.Any], relocatable: bool = False) -> bytes:
    """A little-endian x86_64 ELF file: name -> content, or name -> (type, content)."""
    everything = {**sections, ".shstrtab": b""}
    strings = b"\0" + b"".join(name.encode() + b"\0" for name in everything)
    everything[".shstrtab"] = (STRTAB, strings)
    content = b""
    headers = [struct.pack("<IIQQQQIIQQ", *[0] * 10)]
    for name, value in everything.items():
        kind, data = value if isinstance(value, tuple) else (PROGBITS, value)
        at, offset = strings.index(b"\0" + name.encode() + b"\0") + 1, 64 + len(content)
        content += data + b"\0" * (-len(data) % 8)
        headers.append(struct.pack("<IIQQQQIIQQ", at, kind, 0, 0, offset, len(data), 0, 0, 1, 0))
    start = 64 + len(content)
    ident = b"\x7fELF" + bytes([2, 1, 1]) + b"\0" * 9
    kind = 1 if relocatable else 2
    header = struct.pack("<HHIQQQIHHHHHH", kind, 62, 1, 0, 0, start, 0, 64, 0, 0, 64, len(headers), len(headers) - 1)
    return ident + header + content + b"".join(headers)


def build_id_note(digest: bytes) -> tuple[int, bytes]:
    return NOTE, struct.pack("<III4s", 4, len(digest), 3, b"GNU\0") + digest


def vmlinux(release: str, compiler: str = "GCC: (Test) 1.0", build_id: bytes = b"\1" * 20, debug: bool = True) -> bytes:
    """What livepatch_build reads of a vmlinux."""
    sections = {
        ".rodata": b"Linux version %s (" + b"\0" + f"Linux version {release} (builder@host) (gcc)\0".encode(),
        ".comment": compiler.encode() + b"\0",
        ".notes": build_id_note(build_id),
    }
    return elf({**sections, ".debug_info": b"x"} if debug else sections)


def debug_only(compiler: str = "GCC: (Test) 1.0", build_id: bytes = b"\1" * 20) -> bytes:
    """What objcopy --only-keep-debug leaves of a vmlinux: code and data without content."""
    return elf(
        {
            ".text": (NOBITS, b""),
            ".rodata": (NOBITS, b""),
            ".comment": compiler.encode() + b"\0",
            ".notes": build_id_note(build_id),
            ".debug_info": b"x",
        }
    )
