# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise is made to code outside of it.

"""In which way a release or a fix was given. Decided by the names of variables alone: their values stay unread."""

from __future__ import annotations

from collections.abc import Collection

KEY = "livepatch_release"
"""The key of a release in its file, and so the variable that `-e @release.yml` sets."""
FIX = "livepatch_build_fix"
"""The variable that `-e @fix.yml` sets."""
_NO_VARIABLE = "_raw_params"
"""The variable that Ansible makes of `-e TEXT` if the text has no equals sign."""
_BY_PATH = "Set livepatch_release_file to the path of the release.yml that the role build has written."
_AS_FIX = "Give the fix with -e @fix.yml."


class ReleaseError(Exception):
    """A release cannot be used. `reason` is a stable key, `cause` and `remedy` are sentences."""

    def __init__(self, *, reason: str, cause: str, remedy: str) -> None:
        super().__init__(f"{cause} {remedy}")
        self.reason = reason
        self.cause = cause
        self.remedy = remedy


def refuse_variables(names: Collection[str]) -> None:
    """Refuse a release whose texts are variables: Ansible would render them. Raises ReleaseError."""
    if KEY in names:
        raise ReleaseError(
            reason="bad_argument",
            cause=f"The release was loaded into the variable {KEY} (-e @release.yml does that), where its texts are "
            "templates.",
            remedy="Give its path instead: -e livepatch_release_file=release.yml.",
        )


def not_given(names: Collection[str]) -> ReleaseError:
    """Why there is no release."""
    if _NO_VARIABLE in names:
        return ReleaseError(
            reason="no_release",
            cause="No release is given: an option -e has a text without an equals sign, which sets no variable.",
            remedy="Give the path of the release with -e livepatch_release_file=release.yml.",
        )
    if FIX in names:
        return ReleaseError(
            reason="no_release",
            cause="A fix is given, and no release.",
            remedy="Build the fix with the playbook build, and give -e livepatch_release_file=release.yml.",
        )
    return ReleaseError(reason="no_release", cause="No release is given.", remedy=_BY_PATH)


def release_trouble(names: Collection[str]) -> ReleaseError | None:
    """What is wrong with how a release was given where none is needed, as for a report."""
    try:
        refuse_variables(names)
    except ReleaseError as error:
        return error
    return not_given(names) if _NO_VARIABLE in names else None


def fix_trouble(names: Collection[str]) -> str:
    """Why there is no fix to build, as a sentence and what to do; empty if there is one."""
    if FIX in names:
        return ""
    if _NO_VARIABLE in names:
        return f"No fix is given: an option -e has a file name without @, which sets no variable. {_AS_FIX}"
    if KEY in names or "livepatch_release_file" in names:
        return f"A release is given, and no fix. {_AS_FIX}"
    if any(name.startswith("livepatch_build_") for name in names):
        return f"The fix has no {FIX}. Describe in it what is fixed, as the role build says."
    return f"No fix is given. {_AS_FIX}"
