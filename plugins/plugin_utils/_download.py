# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise is made to code outside of it.

"""Downloads from https servers, by Ansible's own fetching: its proxies, its certificates. A server may be hostile."""

from __future__ import annotations

import http.client
import re
import threading
import time
import typing as t
import urllib.error
from dataclasses import dataclass
from urllib.parse import urljoin, urlsplit

from ansible.module_utils import urls
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.findings import (
    Finding,
    FindingError,
    bad_argument,
)
from ansible_collections.openeuler.livepatch.plugins.plugin_utils._fleet.reader import printable

MOST_REDIRECTS = 5

_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")
_REDIRECTS = (301, 302, 303, 307, 308)
_CHUNK = 1 << 16


@dataclass(frozen=True)
class Limits:
    """How much a download may take, and what messages say.

    `option` names what gave the URL, `by_hand` is the remedy where nothing can be fetched. `reason_of_size` and
    `remedy_of_size` are those where there are more than `most_bytes`.
    """

    option: str
    seconds: int
    most_bytes: int
    by_hand: str
    reason_of_size: str
    remedy_of_size: str

    def too_big(self, source: str) -> FindingError:
        """The error for a source that has more than `most_bytes`."""
        seen = f"{printable(source)} has more than {self.most_bytes >> 20} MiB."
        return FindingError(Finding(reason=self.reason_of_size, seen=seen, remedy=self.remedy_of_size))


def is_url(text: str) -> bool:
    """Whether the text is a URL and no path, whatever its scheme."""
    return bool(_SCHEME.match(text))


def download(url: str, limits: Limits) -> bytes:
    """What the server has at the https URL. Raises FindingError."""
    check_url(url, limits.option)
    done: list[bytes] = []
    failed: list[Exception] = []
    deadline = time.monotonic() + limits.seconds

    def get() -> None:
        try:
            done.append(_follow(url, deadline, limits))
        except Exception as error:  # Whatever it is: a thread that ends with a traceback would print it.
            failed.append(error)

    # A server that sends a byte now and then makes no socket's timeout pass, and a thread can be left alone.
    thread = threading.Thread(target=get, daemon=True)
    thread.start()
    thread.join(limits.seconds)
    if done:
        return done[0]
    for error in failed:
        if isinstance(error, FindingError):
            raise error
        raise _not_fetched(url, error, limits) from error
    raise _not_fetched(url, None, limits)


def _not_fetched(url: str, error: BaseException | None, limits: Limits) -> FindingError:
    if error is None or isinstance(error, TimeoutError):
        why = f"it took more than {limits.seconds} seconds"
    elif isinstance(error, http.client.IncompleteRead):
        why = "the connection ended before the end of the file"
    elif isinstance(error, urllib.error.HTTPError):
        why = f"the server answers with the status {error.code}"
    else:
        why = printable(str(error)).rstrip(".") or type(error).__name__
    seen = f"{printable(url)} could not be fetched: {why}."
    return FindingError(Finding(reason="not_fetched", seen=seen, remedy=limits.by_hand))


def check_url(url: str, what: str) -> None:
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


def _follow(url: str, deadline: float, limits: Limits) -> bytes:
    """What is at the URL, or where that leads."""
    here = url
    for _hop in range(MOST_REDIRECTS + 1):
        try:
            # Compressed, a small answer could be a large document.
            response = urls.open_url(
                here,
                timeout=_left(deadline),
                follow_redirects="none",
                decompress=False,
                # What the netrc file has for another host is not for whoever leads there.
                use_netrc=urlsplit(here).netloc == urlsplit(url).netloc,
            )
        except urllib.error.HTTPError as error:
            place = error.headers.get("Location") if error.code in _REDIRECTS else None
            error.close()
            if not place:
                raise
            here = urljoin(here, place)
            _check_redirect(url, here, limits)
            continue
        with response:
            return _content(response, url, deadline, limits)
    raise FindingError(
        Finding(
            reason="not_fetched",
            seen=f"{printable(url)} leads to more than {MOST_REDIRECTS} other URLs, one after the other.",
            remedy=limits.by_hand,
        )
    )


def _check_redirect(url: str, place: str, limits: Limits) -> None:
    try:
        check_url(place, "It")
    except FindingError as error:
        seen = f"{printable(url)} leads to {printable(place)}, which is not an https URL without a user."
        raise FindingError(Finding(reason="not_fetched", seen=seen, remedy=limits.by_hand)) from error


def _content(response: t.Any, url: str, deadline: float, limits: Limits) -> bytes:
    content = bytearray()
    # One piece at a time, as it comes: a whole read would wait for its last byte.
    while piece := response.read1(_CHUNK):
        content += piece
        if len(content) > limits.most_bytes:
            raise limits.too_big(url)
        _left(deadline)
    # read1() ends in the middle as it does at the end.
    if getattr(response, "length", None):
        raise http.client.IncompleteRead(b"", response.length)
    return bytes(content)


def _left(deadline: float) -> float:
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return left
