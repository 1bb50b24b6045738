# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise is made to code outside of it.

"""Reads an RPM package into what it says of itself and its files. The digests are checked; nothing is written."""

from __future__ import annotations

import hashlib
import typing as t

from ansible_collections.openeuler.livepatch.plugins.plugin_utils._vendor import rpm_header as tags
from ansible_collections.openeuler.livepatch.plugins.plugin_utils._vendor.cpio import File, read_files
from ansible_collections.openeuler.livepatch.plugins.plugin_utils._vendor.payload import unpack
from ansible_collections.openeuler.livepatch.plugins.plugin_utils._vendor.refused import Refused, bad_digest, damaged
from ansible_collections.openeuler.livepatch.plugins.plugin_utils._vendor.rpm_header import (
    Header,
    Headers,
    read_headers,
)

_ALGORITHMS = {8: "sha256", 9: "sha384", 10: "sha512"}
"""Of OpenPGP (RFC 4880, 9.4). MD5 and SHA-1 prove nothing any more; rpm has SHA-256 of all since 4.14."""


class Package(t.NamedTuple):
    """What a package says of itself, and its regular files. `has_signature` is whether there is one, good or not."""

    name: str
    version: str
    release: str
    architecture: str
    summary: str
    description: str
    has_signature: bool
    files: list[File]

    @property
    def full_name(self) -> str:
        return f"{self.name}-{self.version}-{self.release}.{self.architecture}"


def read_package(content: bytes) -> Package:
    """Read a package. Raises Refused."""
    headers = read_headers(content)
    main, payload = headers.main, content[headers.payload_at :]
    _check_digests(headers, payload)
    if main.text(tags.PAYLOAD_FORMAT) != "cpio":
        raise damaged(f"its payload is {main.text(tags.PAYLOAD_FORMAT) or 'of no format'}, not cpio")
    files = read_files(unpack(payload, main.text(tags.PAYLOAD_COMPRESSOR) or "gzip"))
    _check_files(main, files)
    name, version, release, architecture = (
        _word(main, tag) for tag in (tags.NAME, tags.VERSION, tags.RELEASE, tags.ARCH)
    )
    return Package(
        name,
        version,
        release,
        architecture,
        main.text(tags.SUMMARY),
        main.text(tags.DESCRIPTION),
        any(headers.signature.has(tag) for tag in tags.SIGNATURES),
        files,
    )


def _word(main: Header, tag: int) -> str:
    text = main.text(tag)
    if not text:
        raise damaged(f"its header lacks tag {tag}")
    return text


def _check_digests(headers: Headers, payload: bytes) -> None:
    expected = headers.signature.text(tags.HEADER_SHA256)
    digests = headers.main.texts(tags.PAYLOAD_DIGEST)
    if not expected or not digests:
        raise _no_digest("header and its payload")
    if hashlib.sha256(headers.main_bytes).hexdigest() != expected.lower():
        raise bad_digest("its header")
    algorithm = _algorithm(headers.main, tags.PAYLOAD_DIGEST_ALGORITHM, "payload")
    if hashlib.new(algorithm, payload).hexdigest() != digests[0].lower():
        raise bad_digest("its payload")


def _check_files(main: Header, files: list[File]) -> None:
    """Compare each file with the header: it is the header that is signed."""
    directories, indexes = main.texts(tags.DIR_NAMES), main.numbers(tags.DIR_INDEXES)
    names, digests = main.texts(tags.BASE_NAMES), main.texts(tags.FILE_DIGESTS)
    if not len(names) == len(indexes) == len(digests) or any(index >= len(directories) for index in indexes):
        raise damaged("the lists of files in its header do not fit together")
    paths = [directories[index] + name for name, index in zip(names, indexes, strict=True)]
    expected = dict(zip(paths, digests, strict=True))
    algorithm = _algorithm(main, tags.FILE_DIGEST_ALGORITHM, "files") if files else ""
    for file in files:
        digest = expected.get(f"/{file.path}")
        if digest is None:
            raise damaged(f"its header does not name /{file.path}")
        if hashlib.new(algorithm, file.content).hexdigest() != digest.lower():
            raise bad_digest(f"/{file.path}")


def _algorithm(main: Header, tag: int, of_what: str) -> str:
    algorithm = _ALGORITHMS.get(next(iter(main.numbers(tag)), 0))
    if algorithm is None:
        raise _no_digest(of_what)
    return algorithm


def _no_digest(of_what: str) -> Refused:
    return Refused(
        "bad_digest",
        f"has no SHA-256 digest of its {of_what}",
        "Give a package that rpm 4.14 or later has built, as those of openEuler are.",
    )
