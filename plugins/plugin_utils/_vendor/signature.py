# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise is made to code outside of it.

"""The signature of a package, which only rpm checks: it has the keys that the controller trusts."""

from __future__ import annotations

import re
import shutil

from ansible_collections.openeuler.livepatch.plugins.module_utils._model.text import lines_of
from ansible_collections.openeuler.livepatch.plugins.module_utils._system.programs import TimedOut, run
from ansible_collections.openeuler.livepatch.plugins.plugin_utils._vendor.refused import DOWNLOAD, Refused

OK, NO_KEY, UNSIGNED, NOT_CHECKED = "ok", "no_key", "unsigned", "not_checked"

SECONDS = 30.0

_LINE = re.compile(r"\s+.*\b[Ss]ignature\b.*: (OK|NOKEY|NOTTRUSTED|BAD)\b")
_WRONG = re.compile(r"\s+.*: BAD\b")
"""A signature, or a digest that a signature which is right signs."""


def check_signature(path: str, has_signature: bool) -> str:
    """What rpm says of the signature of this package: one of the words above. Raises Refused if it is wrong."""
    if not has_signature:
        return UNSIGNED
    program = shutil.which("rpmkeys") or shutil.which("rpm")
    if program is None:
        return NOT_CHECKED
    try:
        status, printed = run(["env", "LC_ALL=C", program, "--checksig", "-v", path], SECONDS)
    except (OSError, TimedOut):
        return NOT_CHECKED
    verdicts = {found.group(1) for found in map(_LINE.match, lines_of(printed)) if found}
    if any(map(_WRONG.match, lines_of(printed))):
        raise Refused("bad_signature", "has a wrong signature or digest, says rpm", DOWNLOAD)
    if verdicts == {"OK"} and status == 0:
        return OK
    return NO_KEY if verdicts & {"NOKEY", "NOTTRUSTED"} else NOT_CHECKED


def caution(signature: str, name: str) -> str | None:
    """What the operator is told of a signature that proves nothing; None for one that does."""
    whys = {
        NO_KEY: "rpm has no key on the controller that it is made with. Import the vendor's key with rpmkeys --import.",
        UNSIGNED: "it has none. Make sure that it is from the vendor.",
        NOT_CHECKED: "rpm cannot check it on the controller. Install rpm there, or check it elsewhere.",
    }
    why = whys.get(signature)
    return None if why is None else f"The signature of {name} is not proven: {why}"
