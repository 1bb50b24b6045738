# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How many examples the property tests try, and which tests are not measured by coverage."""

from __future__ import annotations

import importlib.util

import pytest

if importlib.util.find_spec("hypothesis"):
    from hypothesis import HealthCheck, settings

    # How long an example takes depends on what else the machine does: tests that bound a time measure the processor's.
    for name, examples in (("unit", 50), ("long", 5000)):
        settings.register_profile(
            name, max_examples=examples, deadline=None, suppress_health_check=[HealthCheck.too_slow]
        )
    # "make fuzz" names the other one: an option of pytest comes later, and wins.
    settings.load_profile("unit")


def pytest_configure(config: pytest.Config) -> None:
    """Say what the marker is, also to ansible-test, which reads no pyproject.toml."""
    config.addinivalue_line("markers", "no_cover: what it reaches does not count as tested (pytest-cov)")


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Property tests go the same ways hundreds of times: to measure them takes as long as all others together.

    What is reached by them alone counts as not tested.
    """
    for item in items:
        if item.get_closest_marker("hypothesis"):
            item.add_marker("no_cover")
