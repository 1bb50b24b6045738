# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise is made to code outside of it.
"""Reads the document of an advisory, from a file on the controller or from an https server. Both may be hostile."""

from __future__ import annotations

import json
import os
import typing as t

from ansible_collections.openeuler.livepatch.plugins.module_utils._model.findings import Finding, FindingError
from ansible_collections.openeuler.livepatch.plugins.module_utils._system.durable import open_regular
from ansible_collections.openeuler.livepatch.plugins.plugin_utils._download import Limits, download, is_url
from ansible_collections.openeuler.livepatch.plugins.plugin_utils._fleet.reader import printable

MOST_BYTES = 16 << 20
MOST_SECONDS = 30


def _limits() -> Limits:
    return Limits(
        option="livepatch_advisory_source",
        seconds=MOST_SECONDS,
        most_bytes=MOST_BYTES,
        by_hand="Download the document, look at it, and give its path.",
        reason_of_size="advisory_too_big",
        remedy_of_size="Give the advisory of a kernel: no vendor's is as large.",
    )


def read_source(source: str) -> t.Any:
    """The data of the JSON document at this path or URL. Raises FindingError."""
    content = download(source, _limits()) if is_url(source) else _read_file(os.path.abspath(os.path.expanduser(source)))
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
        raise _limits().too_big(path)
    return content
