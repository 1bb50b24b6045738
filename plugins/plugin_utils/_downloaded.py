# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise is made to code outside of it.

"""Patch files from https servers. Their digest is known beforehand, so that it does not matter who runs the server."""

from __future__ import annotations

import hashlib
import os
import re
from urllib.parse import unquote, urlsplit

from ansible import constants
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.findings import (
    Finding,
    FindingError,
    bad_argument,
)
from ansible_collections.openeuler.livepatch.plugins.module_utils._patch_file.arguments import not_opened
from ansible_collections.openeuler.livepatch.plugins.module_utils._system.durable import open_regular
from ansible_collections.openeuler.livepatch.plugins.plugin_utils._download import Limits, download
from ansible_collections.openeuler.livepatch.plugins.plugin_utils._fleet.reader import printable
from ansible_collections.openeuler.livepatch.plugins.plugin_utils._local_file import content_of, replace_file

MOST_BYTES = 256 << 20
MOST_SECONDS = 600

_CHECKSUM = re.compile(r"sha256:([0-9a-fA-F]{64})", re.ASCII)
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._+-]*\.(?:ko|rpm)", re.ASCII)


def download_patch(url: str, checksum: str | None) -> str:
    """The path of a copy of what is at the URL, which has this checksum. Raises FindingError.

    The copy is Ansible's own temporary file: the hosts of a play share it, and it is gone when Ansible ends.
    """
    if not checksum:
        raise bad_argument(f"src is {printable(url)}, and checksum is missing.", "Give checksum: sha256:DIGEST.")
    digest = _digest_in(checksum)
    path = os.path.join(constants.DEFAULT_LOCAL_TMP, f"livepatch-{digest}", _name_in(url))
    try:
        content = content_of(path)
        if content is None or hashlib.sha256(content).hexdigest() != digest:
            content = download(url, _LIMITS)
            _compare(printable(url), hashlib.sha256(content).hexdigest(), digest)
            replace_file(path, content)
    except OSError as error:
        raise FindingError(not_opened(path, b"", error)) from error
    return path


def check_digest(path: str, known_as: str, checksum: str) -> None:
    """Raise FindingError unless the file has this checksum."""
    digest = _digest_in(checksum)
    found = hashlib.sha256()
    try:
        with open_regular(path) as stream:
            while piece := stream.read(1 << 20):
                found.update(piece)
    except OSError as error:
        raise FindingError(not_opened(known_as, b"", error)) from error
    _compare(printable(known_as), found.hexdigest(), digest)


def _digest_in(checksum: str) -> str:
    match = _CHECKSUM.fullmatch(checksum)
    if not match:
        raise bad_argument(
            f"checksum is {printable(checksum)}.", "Write it as sha256: and the 64 hexadecimal digits of the digest."
        )
    return match[1].lower()


def _name_in(url: str) -> str:
    """The name of the file: what the last part of the URL is, where that is a plain one."""
    name = unquote(urlsplit(url).path.rpartition("/")[2])
    return name if _NAME.fullmatch(name) else "patch.ko"


def _compare(what: str, found: str, wanted: str) -> None:
    if found != wanted:
        raise FindingError(
            Finding(
                reason="bad_checksum",
                seen=f"{what} has the digest {found}, and checksum is {wanted}.",
                remedy="Find out who has changed the file, and do not load it before you know why.",
            )
        )


def _too_big(url: str) -> FindingError:
    return FindingError(
        Finding(
            reason="too_big",
            seen=f"{printable(url)} has more than {MOST_BYTES >> 20} MiB.",
            remedy="Give the URL of a patch file: none is as large.",
        )
    )


_LIMITS = Limits(
    option="src",
    seconds=MOST_SECONDS,
    most_bytes=MOST_BYTES,
    too_big=_too_big,
    by_hand="Download the file, and give its path.",
)
