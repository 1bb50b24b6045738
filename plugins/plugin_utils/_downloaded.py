# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise is made to code outside of it.

"""Patch files from https servers. Their digest is known beforehand, so that it does not matter who runs the server."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import json
import os
import re
import time
import typing as t
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

from ansible import constants
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.findings import (
    Finding,
    FindingError,
    bad_argument,
)
from ansible_collections.openeuler.livepatch.plugins.module_utils._patch_file.arguments import not_opened
from ansible_collections.openeuler.livepatch.plugins.module_utils._patch_file.reader import MAX_MANIFEST
from ansible_collections.openeuler.livepatch.plugins.module_utils._system.durable import open_regular
from ansible_collections.openeuler.livepatch.plugins.plugin_utils._download import Limits, check_url, download
from ansible_collections.openeuler.livepatch.plugins.plugin_utils._fleet.reader import printable
from ansible_collections.openeuler.livepatch.plugins.plugin_utils._local_file import content_of, replace_file

MOST_BYTES = 256 << 20
MOST_SECONDS = 600

_CHECKSUM = re.compile(r"sha256:([0-9a-fA-F]{64})", re.ASCII)
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._+-]{0,99}\.(?:ko|rpm)", re.ASCII)
_MANIFEST = ".json"


def download_patch(url: str, checksum: str | None) -> str:
    """The path of a copy of what is at the URL, which has this checksum. Raises FindingError.

    The copy is Ansible's own temporary file: the hosts of a play share it, and it is gone when Ansible ends.
    """
    check_url(url, _LIMITS.option)
    if checksum is None:
        raise bad_argument(f"src is {printable(url)}, and checksum is missing.", "Give checksum: sha256:DIGEST.")
    digest = _digest_in(checksum)
    path = os.path.join(_folder_of(digest), _name_in(url))
    try:
        with _alone(digest) as attempt:
            content = content_of(path)
            if content is None or hashlib.sha256(content).hexdigest() != digest:
                attempt.fail_as_before()
                content = _download(url, digest, attempt)
                replace_file(path, content)
    except OSError as error:
        raise FindingError(not_opened(path, b"", error)) from error
    return path


def checked_copy(path: str, known_as: str, checksum: str) -> str:
    """The path of a copy of the file, which has this checksum, whatever happens to the file later.

    The manifest beside the file is copied as well: it counts only for a file of its own digest. Raises FindingError.
    """
    digest = _digest_in(checksum)
    try:
        content = content_of(path)
        if content is None:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))
        _compare(printable(known_as), hashlib.sha256(content).hexdigest(), digest)
        copy = os.path.join(_folder_of(digest), os.path.basename(path))
        with _alone(digest):
            replace_file(copy, content)
            manifest = _manifest_beside(path)
            if manifest is not None:
                replace_file(copy + _MANIFEST, manifest)
    except OSError as error:
        raise FindingError(not_opened(known_as, b"", error)) from error
    return copy


def shown_url(url: str) -> str:
    """The URL without its query, in which a token may be."""
    return urlsplit(url)._replace(query="", fragment="").geturl()


def _folder_of(digest: str) -> str:
    return os.path.join(constants.DEFAULT_LOCAL_TMP, f"livepatch-{digest}")


def _manifest_beside(path: str) -> bytes | None:
    """What the reader of manifests would read; None where it would take nothing."""
    try:
        with open_regular(path + _MANIFEST, os.O_NOFOLLOW) as stream:
            return stream.read(MAX_MANIFEST)
    except OSError:
        return None


@dataclass(frozen=True)
class _Attempt:
    """One of several processes that want the same file. Those that have waited fail as the one before them did."""

    failure: str
    since: float

    def fail_as_before(self) -> None:
        with contextlib.suppress(FileNotFoundError):
            if os.stat(self.failure).st_mtime >= self.since:
                with open(self.failure, encoding="utf-8") as stream:
                    raise FindingError(Finding(**json.load(stream)))

    def note(self, finding: Finding) -> None:
        said = {"reason": finding.reason, "seen": finding.seen, "remedy": finding.remedy}
        replace_file(self.failure, json.dumps(said).encode())


@contextlib.contextmanager
def _alone(digest: str) -> t.Iterator[_Attempt]:
    """Hold the lock of the file with this digest."""
    since = time.time()
    os.makedirs(_folder_of(digest), exist_ok=True)
    with open(os.path.join(_folder_of(digest), ".lock"), "ab") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield _Attempt(os.path.join(_folder_of(digest), ".failure"), since)


def _download(url: str, digest: str, attempt: _Attempt) -> bytes:
    try:
        content = download(url, _LIMITS)
        _compare(printable(url), hashlib.sha256(content).hexdigest(), digest)
    except FindingError as error:
        attempt.note(error.finding)
        raise
    return content


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


_LIMITS = Limits(
    option="src",
    seconds=MOST_SECONDS,
    most_bytes=MOST_BYTES,
    by_hand="Download the file, and give its path.",
    reason_of_size="too_big",
    remedy_of_size="Give the URL of a patch file: none is as large.",
)
