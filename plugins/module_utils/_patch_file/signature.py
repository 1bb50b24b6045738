# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise is made to code outside of it.

"""Reads the signature at the end of a module: its signer and its hash. It is not verified here."""

from __future__ import annotations

import io
import struct
import typing as t

from ansible_collections.openeuler.livepatch.plugins.module_utils._model.patch_file import Signature
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.text import clean

SIGNATURE_MAGIC = b"~Module signature appended~\n"
"""The last bytes of a signed module (kernel: include/linux/module_signature.h)."""

_TRAILER = struct.Struct(">BBBBBxxxI")
"""struct module_signature: algorithm, hash, kind of identifier, length of signer, of key id and of the signature."""

MAX_BYTES = 65536
"""No signature has more bytes."""

_HASHES = {
    "2.16.840.1.101.3.4.2.1": "sha256",
    "2.16.840.1.101.3.4.2.2": "sha384",
    "2.16.840.1.101.3.4.2.3": "sha512",
    "2.16.840.1.101.3.4.2.4": "sha224",
    "2.16.840.1.101.3.4.2.8": "sha3-256",
    "2.16.840.1.101.3.4.2.9": "sha3-384",
    "2.16.840.1.101.3.4.2.10": "sha3-512",
    "1.2.156.10197.1.401": "sm3",
    "1.3.14.3.2.26": "sha1",
}

_LONGEST_OID = 64

_COMMON_NAME = "2.5.4.3"

_SEQUENCE, _SET, _INTEGER, _OID, _CONTEXT_0, _KEY_ID = 0x30, 0x31, 0x02, 0x06, 0xA0, 0x80

_UNREADABLE = Signature(readable=False)


def read_signature(stream: t.BinaryIO) -> Signature | None:
    """The signature of a module; None if it has none."""
    end = stream.seek(0, 2) - len(SIGNATURE_MAGIC)
    stream.seek(max(0, end))
    if end < 0 or stream.read() != SIGNATURE_MAGIC:
        return None
    place = _place(stream, end)
    if place is None:
        return _UNREADABLE
    stream.seek(place.start)
    try:
        return _read_cms(stream.read(len(place)))
    except (ValueError, IndexError):
        return _UNREADABLE


def _place(stream: t.BinaryIO, end: int) -> range | None:
    """Where the signature is that ends before the trailer at `end`; None if there cannot be one."""
    if end < _TRAILER.size:
        return None
    stream.seek(end - _TRAILER.size)
    length = _TRAILER.unpack(stream.read(_TRAILER.size))[5]
    if not 0 < length <= min(MAX_BYTES, end - _TRAILER.size):
        return None
    return range(end - _TRAILER.size - length, end - _TRAILER.size)


def split_signature(content: bytes) -> tuple[bytes, bytes] | None:
    """What was signed of a module, and its signature in DER; None if it has none that can be read."""
    stream = io.BytesIO(content)
    found = read_signature(stream)
    place = _place(stream, len(content) - len(SIGNATURE_MAGIC)) if found and found.readable else None
    return (content[: place.start], content[place.start : place.stop]) if place else None


class _Item(t.NamedTuple):
    """One element of DER: its tag and content."""

    tag: int
    content: bytes


def _items(data: bytes) -> list[_Item]:
    """The elements of DER in their order (ITU-T X.690). Raises ValueError or IndexError for other data."""
    items, at = [], 0
    while at < len(data):
        tag, length, at = data[at], data[at + 1], at + 2
        if length & 0x80:
            size = length & 0x7F
            length, at = int.from_bytes(data[at : at + size], "big"), at + size
        if at + length > len(data):
            raise ValueError("too short")
        items.append(_Item(tag, data[at : at + length]))
        at += length
    return items


def _of(items: t.Sequence[_Item], tag: int) -> list[_Item]:
    return [item for item in items if item.tag == tag]


def _read_cms(data: bytes) -> Signature:
    """The first SignerInfo of a CMS SignedData (RFC 5652, section 5). Raises ValueError, IndexError."""
    content_info = _items(_items(data)[0].content)
    signed_data = _items(_items(_of(content_info, _CONTEXT_0)[0].content)[0].content)
    signer_infos = _items(_of(signed_data, _SET)[-1].content)
    signer_info = _items(signer_infos[0].content)
    # version, sid, digestAlgorithm: with a key identifier, the algorithm is the only sequence before the signature's.
    sequences = _of(signer_info, _SEQUENCE)
    key_ids = _of(signer_info, _KEY_ID)
    if key_ids:
        return Signature(hash=_hash(sequences[0]), key_id=key_ids[0].content.hex())
    issuer, serial = _items(sequences[0].content)
    return Signature(signer=_common_name(issuer), hash=_hash(sequences[1]), key_id=serial.content.hex())


def _hash(algorithm: _Item) -> str:
    identifier = _oid(_items(algorithm.content)[0].content)
    return _HASHES.get(identifier, identifier)


def _common_name(name: _Item) -> str | None:
    for relative in _items(name.content):
        for attribute in _items(relative.content):
            kind, value = _items(attribute.content)
            if _oid(kind.content) == _COMMON_NAME:
                # Certificates may have names in other encodings.
                return clean(value.content.decode("utf-8", "replace"))
    return None


def _oid(content: bytes) -> str:
    numbers, number = [], 0
    if len(content) > _LONGEST_OID:
        raise ValueError("an object identifier is too long")
    for byte in content:
        number = number << 7 | byte & 0x7F
        if not byte & 0x80:
            numbers.append(number)
            number = 0
    first = min(numbers[0] // 40, 2)
    return ".".join(str(part) for part in (first, numbers[0] - 40 * first, *numbers[1:]))
