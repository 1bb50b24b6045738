# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The filter livepatch_release, which is private to the role build."""

from __future__ import annotations

import typing as t

from ansible.errors import AnsibleFilterError
from ansible_collections.openeuler.livepatch.plugins.plugin_utils._untrusted import as_data


def livepatch_release(asked: dict[str, t.Any], results: list[dict[str, t.Any]], kind: str = "built") -> str:
    """The content of release.yml, from the results of livepatch_file_info. Raises AnsibleFilterError.

    If its kind is "vendor", they are the patches that livepatch_unpack has found.
    """
    # Here and not above: where one filter is used, each worker compiles all filters of the collection.
    from ansible_collections.openeuler.livepatch.plugins.plugin_utils._rollout.given import ReleaseError
    from ansible_collections.openeuler.livepatch.plugins.plugin_utils._rollout.release_text import (
        asked_of_vendor,
        release_text,
    )

    if kind == "vendor":
        files = [(result["kernel"], result["file"]) for result in results]
        asked = asked_of_vendor(asked, results)
    else:
        files = [(result["item"]["release"], result["file"]) for result in results]
    try:
        return t.cast(str, as_data(release_text(asked, files)))
    except ReleaseError as error:
        raise AnsibleFilterError(f"{error.reason}: {error}") from error


class FilterModule:
    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"livepatch_release": livepatch_release}
