# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise is made to code outside of it.

"""The arguments of `livepatch_file_info`, and the findings if `src` cannot be read."""

from __future__ import annotations

import typing as t

from ansible.module_utils.basic import missing_required_lib
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.findings import Finding, sentence

VAULT_HEADER = b"$ANSIBLE_VAULT;"

LIVEPATCH_FILE_INFO: dict[str, t.Any] = {
    "argument_spec": {
        "src": {"type": "path", "required": True},
        "remote_src": {"type": "bool", "default": False},
    },
}


def no_pyelftools(purpose: str) -> Finding:
    """The finding that pyelftools is missing; `purpose` completes "This is required"."""
    return Finding(
        reason="no_pyelftools",
        seen=sentence(missing_required_lib("pyelftools", reason=purpose)),
        remedy="Install pyelftools there, then run the task again.",
    )


def no_such_file(error: Exception) -> Finding:
    """The finding that Ansible does not find `src` on the controller."""
    return Finding(reason="no_such_file", seen=sentence(str(error)), remedy="Correct src, or set remote_src: true.")


def not_opened(path: str, start: bytes, error: Exception) -> Finding:
    """The finding that Ansible finds `src` on the controller and cannot read it. `start` is how the file begins."""
    if start.startswith(VAULT_HEADER):
        return Finding(
            reason="vaulted_file",
            seen=f"{path} is encrypted with Ansible Vault, and was not decrypted: {sentence(str(error))}",
            remedy="Give the password of that vault, for example with --vault-password-file, or decrypt the file.",
        )
    return Finding(
        reason="unreadable_file",
        seen=f"{path} cannot be read: {sentence(str(error))}",
        remedy="Check the path and its permissions.",
    )
