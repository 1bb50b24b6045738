# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise is made to code outside of it.
"""Reads the document of an advisory, from a file on the controller or from an https server. Both may be hostile."""

from __future__ import annotations

import json
import os
import re
import threading
import time
import typing as t
import urllib.error
from urllib.parse import urljoin, urlsplit

from ansible.module_utils import urls
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.findings import (
    Finding,
    FindingError,
    bad_argument,
)
from ansible_collections.openeuler.livepatch.plugins.module_utils._system.durable import open_regular
from ansible_collections.openeuler.livepatch.plugins.plugin_utils._fleet.reader import printable

MOST_BYTES = 16 << 20
MOST_SECONDS = 30
MOST_REDIRECTS = 5

_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")
_REDIRECTS = (301, 302, 303, 307, 308)
_CHUNK = 1 << 16
_BY_HAND = "Download the document, look at it, and give its path."


def read_source(source: str) -> t.Any:
    """The data of the JSON document at this path or URL. Raises FindingError."""
    content = fetch(source) if _SCHEME.match(source) else _read_file(os.path.abspath(os.path.expanduser(source)))
    try:
        return json.loads(content)
    except (ValueError, RecursionError) as error:
        raise FindingError(
            Finding(
                reason="bad_advisory",
                seen=f"{printable(source)} is not a JSON document.",
                remedy="Give a CSAF 2.0 document as its vendor has published it.",
            )
        ) from error


def _read_file(path: str) -> bytes:
    try:
        with open_regular(path) as stream:
            content = stream.read(MOST_BYTES + 1)
    except (OSError, ValueError) as error:
        raise FindingError(
            Finding(
                reason="no_such_advisory",
                seen=f"{printable(path)} cannot be read: {getattr(error, 'strerror', None) or 'it is no path'}.",
                remedy="Give the path of a CSAF document on the controller, or its https URL.",
            )
        ) from error
    if len(content) > MOST_BYTES:
        raise _too_big(path)
    return content


def _too_big(source: str) -> FindingError:
    return FindingError(
        Finding(
            reason="advisory_too_big",
            seen=f"{printable(source)} has more than {MOST_BYTES >> 20} MiB.",
            remedy="Give the advisory of a kernel: no vendor's is as large.",
        )
    )


def fetch(url: str) -> bytes:
    """What the server has at the URL. Raises FindingError."""
    _check_url(url, "livepatch_advisory_source")
    done: list[bytes] = []
    failed: list[Exception] = []
    deadline = time.monotonic() + MOST_SECONDS

    def get() -> None:
        try:
            done.append(_follow(url, deadline))
        except Exception as error:  # Whatever it is: a thread that ends with a traceback would print it.
            failed.append(error)

    # A server that sends a byte now and then makes no socket's timeout pass, and a thread can be left alone.
    thread = threading.Thread(target=get, daemon=True)
    thread.start()
    thread.join(MOST_SECONDS)
    if done:
        return done[0]
    for error in failed:
        if isinstance(error, FindingError):
            raise error
        raise _not_fetched(url, error) from error
    raise _not_fetched(url, None)


def _not_fetched(url: str, error: BaseException | None) -> FindingError:
    if error is None or isinstance(error, TimeoutError):
        why = f"it took more than {MOST_SECONDS} seconds"
    elif isinstance(error, urllib.error.HTTPError):
        why = f"the server answers with the status {error.code}"
    else:
        why = printable(str(error)).rstrip(".") or type(error).__name__
    seen = f"{printable(url)} could not be fetched: {why}."
    return FindingError(Finding(reason="not_fetched", seen=seen, remedy=_BY_HAND))


def _check_url(url: str, what: str) -> None:
    """Raise FindingError for a URL that is not fetched."""
    try:
        parts = urlsplit(url)
        is_secure = parts.scheme.lower() == "https" and bool(parts.hostname)
        has_user = "@" in parts.netloc
    except ValueError:
        is_secure, has_user = False, False
    if not is_secure:
        raise bad_argument(
            f"{what} is {printable(url)}, which is not an https URL.", "Give an https URL, or the path of a file."
        )
    if has_user:
        raise bad_argument(
            f"{what} has a user or a password in it, which results would show.", "Put them into the netrc file."
        )


def _follow(url: str, deadline: float) -> bytes:
    """What is at the URL, or where that leads."""
    here = url
    for _hop in range(MOST_REDIRECTS + 1):
        try:
            # Compressed, a small answer could be a large document.
            response = urls.open_url(here, timeout=_left(deadline), follow_redirects="none", decompress=False)
        except urllib.error.HTTPError as error:
            place = error.headers.get("Location") if error.code in _REDIRECTS else None
            error.close()
            if not place:
                raise
            here = urljoin(here, place)
            _check_redirect(url, here)
            continue
        with response:
            return _content(response, url, deadline)
    raise FindingError(
        Finding(
            reason="not_fetched",
            seen=f"{printable(url)} leads to more than {MOST_REDIRECTS} other URLs, one after the other.",
            remedy=_BY_HAND,
        )
    )


def _check_redirect(url: str, place: str) -> None:
    try:
        _check_url(place, "It")
    except FindingError as error:
        seen = f"{printable(url)} leads to {printable(place)}, which is not an https URL without a user."
        raise FindingError(Finding(reason="not_fetched", seen=seen, remedy=_BY_HAND)) from error


def _content(response: t.Any, url: str, deadline: float) -> bytes:
    content = bytearray()
    # One piece at a time, as it comes: a whole read would wait for its last byte.
    while piece := response.read1(_CHUNK):
        content += piece
        if len(content) > MOST_BYTES:
            raise _too_big(url)
        _left(deadline)
    return bytes(content)


def _left(deadline: float) -> float:
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return left
