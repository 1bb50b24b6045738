# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The filter livepatch_rollout, which is private to the role rollout. It calls plugin_utils/_rollout/steps.py."""

from __future__ import annotations

import typing as t

from ansible_collections.openeuler.livepatch.plugins.plugin_utils._untrusted import as_data


def livepatch_rollout(data: t.Any, step: str, *arguments: t.Any, **options: t.Any) -> t.Any:
    """The result of a step for the data. Ansible does not render its texts."""
    # Here and not above: where one filter is used, each worker compiles all filters of the collection.
    from ansible_collections.openeuler.livepatch.plugins.plugin_utils._rollout.steps import STEPS

    return as_data(STEPS[step](data, *arguments, **options))


class FilterModule:
    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"livepatch_rollout": livepatch_rollout}
