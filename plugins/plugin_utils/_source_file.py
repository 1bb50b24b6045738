# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise is made to code outside of it.

"""The file on the controller that the option `src` names."""

from __future__ import annotations

import contextlib
import os
import typing as t

from ansible.errors import AnsibleError
from ansible.plugins.action import ActionBase
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.findings import FindingError
from ansible_collections.openeuler.livepatch.plugins.module_utils._patch_file.arguments import (
    VAULT_HEADER,
    no_such_file,
    not_opened,
)


def find_source_file(action: ActionBase, src: str) -> str:
    """The path of the file, or of a decrypted copy of it if it is vaulted. Raises FindingError."""
    try:
        path = t.cast(str, action._find_needle("files", src))
    except AnsibleError as error:
        raise FindingError(no_such_file(error)) from error
    if not os.path.isfile(path):
        return path  # Whoever reads it says what it is.
    try:
        return t.cast(str, action._loader.get_real_file(path))
    except (AnsibleError, OSError) as error:
        raise FindingError(not_opened(path, _start(path), error)) from error


def _start(path: str) -> bytes:
    with contextlib.suppress(OSError), open(path, "rb") as stream:
        return stream.read(len(VAULT_HEADER))
    return b""
