# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What check mode says of the patch is what the run says of it then."""

from __future__ import annotations

import dataclasses
import pathlib
import typing as t

import pytest
from ansible_collections.openeuler.livepatch.plugins.module_utils._manage.manage import manage
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.request import State, Task, Wanted
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.snapshot import PER_TASK, STOP_MACHINE
from ansible_collections.openeuler.livepatch.tests.unit.plugins.module_utils.model_host import ModelHost
from ansible_collections.openeuler.livepatch.tests.unit.plugins.module_utils.model_kernel import (
    content_of,
    loaded,
    patch_file,
)
from ansible_collections.openeuler.livepatch.tests.unit.plugins.module_utils.walked_kernel import KINDS, WalkedKernel


def said(result: dict[str, t.Any]) -> list[str]:
    return sorted(f"{finding['reason']}: {finding['cause']}" for finding in result["findings"])


def shown(result: dict[str, t.Any]) -> list[str]:
    """The diff of the result without the marks of builds: this kernel shows none."""
    diff = result.get("diff", {})
    lines = [f"{key} {line}" for key in ("before", "after") for line in diff.get(key, "").split("\n")]
    return [line for line in lines if "identity:" not in line]


UNKNOWN = "stop_machine, stacking, hidden"
"""A kernel of which nothing tells whether enabling a patch moves it."""

RUN_ONLY = {"taint"}
"""What the kernel alone tells when it has loaded the module."""


class Host(ModelHost):
    """A host that tells what check mode returns, and what the run returns then."""

    def both(
        self, name: str, state: State, content: str | None = None, **wanted: t.Any
    ) -> tuple[dict[str, t.Any], dict[str, t.Any]]:
        file = path = None
        if content:
            digests = ("9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",)
            file = patch_file(name, content, abi=self.kernel.abi, source_patches=digests)
            path = self.root / "sent.ko"
            path.write_bytes(content_of(name, content))
            self.kernel.add_file(file)
            (self.root / "sys/module" / name).mkdir(parents=True, exist_ok=True)
        task = Task(Wanted(name, state, file, **wanted), str(path) if path else None)
        predicted, done = (manage(dataclasses.replace(task, check_mode=mode), self.kernel) for mode in (True, False))
        return predicted, done

    def alike(self, *arguments: t.Any, **wanted: t.Any) -> dict[str, t.Any]:
        """The result of the run, which says the same as check mode of the patch, and the same findings."""
        predicted, done = self.both(*arguments, **wanted)
        assert not done.get("failed"), done
        patches = [result["patch"] or {} for result in (predicted, done)]
        was, now = ({key: value for key, value in of.items() if key not in RUN_ONLY} for of in patches)
        assert was == now
        assert said(predicted) == said(done)
        return done


class Walked(Host):
    """The same with a kernel that is read in all its files."""

    kind = WalkedKernel


@pytest.mark.parametrize("taint", [0, 1 << 7])
@pytest.mark.parametrize("abi", [PER_TASK, STOP_MACHINE])
def test_check_mode_describes_the_patch_as_the_run_does(tmp_path: pathlib.Path, abi: str, taint: int) -> None:
    """Also where the kernel had trouble before: the run that loads a patch notes it."""
    host = Host(tmp_path, abi=abi)
    place = tmp_path / "proc/sys/kernel/tainted"
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text(str(taint))
    for name, state, content, wanted in (
        ("fix", State.ENABLED, "1", {}),
        ("fix", State.ENABLED, "2", {"reload": True}),
        ("fix", State.REVERTED, None, {}),
        ("fix", State.DISABLED, None, {}),
        ("fix", State.ENABLED, None, {}),
        ("new", State.ENABLED, "1", {"supersedes": ("fix",)}),
    ):
        patch = host.alike(name, state, content, **wanted)["patch"]
        assert (patch["forced"], bool(patch["stored_copy"])) == (False, True)
    assert not host.alike("new", State.REVERTED)["patch"]


@pytest.mark.parametrize("kind", sorted(set(KINDS).difference([UNKNOWN])))
def test_check_mode_shows_the_patches_in_the_order_of_the_run(tmp_path: pathlib.Path, kind: str) -> None:
    """A kernel that numbers its stack gives a patch that is loaded and disabled no number."""
    host = Walked(tmp_path, **KINDS[kind])
    for name, state, content in (
        ("first", State.ENABLED, "1"),
        ("second", State.ENABLED, "1"),
        ("third", State.ENABLED, "1"),
        ("third", State.DISABLED, None),
        ("second", State.DISABLED, None),
        ("second", State.ENABLED, None),
        ("third", State.ABSENT, None),
        ("second", State.DISABLED, None),
        ("first", State.DISABLED, None),
        ("second", State.ENABLED, None),
    ):
        predicted, done = host.both(name, state, content)
        assert not done.get("failed") or done["reason"] == "stacking", done
        assert shown(predicted) == shown(done)


def test_what_somebody_else_has_loaded_is_not_told_to_be_known(tmp_path: pathlib.Path) -> None:
    host = Host(tmp_path, loaded(patch_file("fix")))
    patch = host.alike("fix", State.ENABLED)["patch"]
    assert (patch["forced"], patch["stored_copy"]) == (None, None)
