# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The filter livepatch_kernels, which is private to the playbook kernels. It calls plugin_utils/_kernels.py."""

from __future__ import annotations

import typing as t
from dataclasses import asdict

from ansible_collections.openeuler.livepatch.plugins.plugin_utils._untrusted import as_data


def answer(read: t.Any, name: str) -> dict[str, t.Any]:
    """The kernel of the host whose facts were read."""
    # Here and not above: where one filter is used, each worker compiles all filters of the collection.
    from ansible_collections.openeuler.livepatch.plugins.plugin_utils import _kernels
    from ansible_collections.openeuler.livepatch.plugins.plugin_utils._rollout.results import read_result

    return asdict(_kernels.answer_of(name, read_result(read)))


def listed(names: t.Sequence[str], noted: t.Sequence[t.Any]) -> t.Mapping[str, t.Any]:
    """The list of the kernels of these hosts, from what was noted for each of them."""
    from ansible_collections.openeuler.livepatch.plugins.plugin_utils import _kernels  # As above.

    return _kernels.list_of(names, noted)


STEPS: dict[str, t.Callable[..., t.Any]] = {step.__name__: step for step in (answer, listed)}


def livepatch_kernels(data: t.Any, step: str, argument: t.Any) -> t.Any:
    """The result of a step for the data. Ansible does not render its texts."""
    return as_data(STEPS[step](data, argument))


class FilterModule:
    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"livepatch_kernels": livepatch_kernels}
