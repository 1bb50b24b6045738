# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""For random chains of tasks on the model of a kernel: no function loses its fix unless that is told beforehand."""

from __future__ import annotations

import pathlib
import tempfile
import typing as t

import pytest
from ansible_collections.openeuler.livepatch.plugins.module_utils._manage.manage import manage
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.boot_set import MOST_STEPS_BACK
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.plan import Displaced
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.reading import known
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.request import (
    CONTAINED,
    AtBoot,
    OnCovered,
    State,
    Task,
    Wanted,
)
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.snapshot import (
    PER_TASK,
    STOP_MACHINE,
    Function,
)
from ansible_collections.openeuler.livepatch.plugins.module_utils._store import boot as boot_store
from ansible_collections.openeuler.livepatch.plugins.module_utils._store import copies
from ansible_collections.openeuler.livepatch.tests.unit.plugins.module_utils.model_host import ModelHost
from ansible_collections.openeuler.livepatch.tests.unit.plugins.module_utils.model_kernel import (
    content_of,
    patch_file,
)

pytest.importorskip("hypothesis", reason="hypothesis is not installed for this Python")
from hypothesis import given
from hypothesis import strategies as st

NAMES = ("p1", "p2", "p3")
NEWEST = "the newest enabled patch"
KERNELS: tuple[dict[str, t.Any], ...] = (
    {"abi": PER_TASK},
    {"abi": STOP_MACHINE},
    {"abi": STOP_MACHINE, "stacking_enforced": True},
)
BUILDS = st.fixed_dictionaries(
    {
        (name, content): st.tuples(st.sets(st.sampled_from("abc"), min_size=1), st.booleans())
        for name in NAMES
        for content in "12"
    }
)
STEPS = st.lists(
    st.one_of(
        st.tuples(
            st.just(State.ENABLED),
            st.sampled_from(NAMES),
            st.sampled_from("12"),
            st.sampled_from([(), (CONTAINED,), NAMES[:1], NAMES, NAMES]),
            st.sampled_from([None, AtBoot.ACCEPTED]),
            st.sampled_from(OnCovered),
        ),
        st.tuples(
            st.sampled_from([State.REVERTED, State.REVERTED, State.ABSENT, State.DISABLED]),
            st.sampled_from([*NAMES, NEWEST, NEWEST, NEWEST]),
            st.none(),
            st.just(()),
            st.none(),
            st.sampled_from(OnCovered),
        ),
    ),
    min_size=4,
    max_size=12,
)
Builds = t.Dict[t.Tuple[str, str], t.Tuple[t.Set[str], bool]]
Step = t.Tuple[State, str, t.Optional[str], t.Tuple[str, ...], t.Optional[AtBoot], OnCovered]


class Host(ModelHost):
    def __init__(self, root: pathlib.Path, builds: Builds, **kernel: t.Any) -> None:
        super().__init__(root, **kernel)
        self.files = {
            (name, content): patch_file(
                name,
                content,
                abi=self.kernel.abi,
                functions=tuple(Function("vmlinux", letter) for letter in sorted(functions)),
                replace=replace and self.kernel.abi == PER_TASK,
            )
            for (name, content), (functions, replace) in builds.items()
        }
        for (name, content), file in self.files.items():
            self.kernel.add_file(file)
            (root / f"{name}{content}.ko").write_bytes(content_of(name, content))
            (root / "sys/module" / name).mkdir(parents=True, exist_ok=True)

    def step(self, step: Step, check_mode: bool) -> dict[str, t.Any]:
        state, name, content, supersedes, boot, on_covered = step
        file = self.files[name, content] if content else None
        wanted = Wanted(name, state, file, bool(content), on_covered, supersedes, boot=boot)
        path = str(self.root / f"{name}{content}.ko") if content else None
        return manage(Task(wanted, path, check_mode=check_mode), self.kernel)

    def live(self) -> dict[str, str | None]:
        """The build that is live on each function."""
        return {
            str(function): stack[-1].identity.build_id for function, stack in self.kernel.snapshot().stacks().items()
        }

    def history(self, name: str) -> tuple[Displaced, ...]:
        loaded, copy = self.kernel.snapshot().patch(name), known(copies.read(self.kernel.files(), name))
        return copy.displaced if loaded and copy and copy.instance == loaded.instance else ()


def told(result: dict[str, t.Any]) -> list[tuple[str, str]]:
    return [(finding["reason"], finding["cause"]) for finding in result["findings"]]


def check_history(displaced: t.Iterable[Displaced], newer: tuple[Displaced, ...] = ()) -> None:
    for other in displaced:
        assert other.content not in [one.content for one in newer]
        assert len(newer) < MOST_STEPS_BACK
        check_history(other.displaced, (*newer, other))


def check_step(host: Host, step: Step) -> None:
    state, name = step[:2]
    live, displaced = host.live(), host.history(name)
    enabled = {patch.name for patch in host.kernel.patches if patch.enabled}
    stayed = {patch.name for patch in host.kernel.patches}.difference([name])
    predicted = host.step(step, check_mode=True)
    assert host.live() == live
    result = host.step(step, check_mode=False)
    assert told(predicted) == told(result)
    if result.get("failed"):
        assert (host.live(), host.history(name)) == (live, displaced)
        return
    now = host.live()
    lost = sorted(set(live).difference(now))
    causes = [(one["severity"], one["cause"]) for one in result["findings"] if one["reason"] == "fix_lost"]
    assert bool(causes) == bool(lost)
    for severity, cause in causes:
        assert cause.startswith(f"After this no patch is live on {', '.join(lost)}.")
        is_meant = state in (State.ABSENT, State.DISABLED, State.REVERTED)
        assert severity == ("info" if is_meant else "warn")
    if state == State.REVERTED and result["changed"]:
        for other in displaced:
            # What is enabled again stays, whatever build it is.
            if other.enabled and other.file and other.name not in enabled - {name}:
                assert {str(function) for function in other.file.functions or ()}.issubset(now)
                assert other.name in stayed or host.history(other.name) == other.displaced
    check_history(host.history(name))
    due = [one.name for one in boot_store.read(host.kernel.files()).due(host.kernel.snapshot().kernel)]
    assert len(due) == len(set(due))
    assert name in due or step[4] is None


@pytest.mark.parametrize("kernel", KERNELS, ids=str)
@given(builds=BUILDS, steps=STEPS)
def test_no_function_loses_its_fix_unless_that_was_told(
    kernel: dict[str, t.Any], builds: Builds, steps: list[Step]
) -> None:
    with tempfile.TemporaryDirectory() as root:
        host = Host(pathlib.Path(root), builds, **kernel)
        for step in steps:
            names = [patch.name for patch in host.kernel.patches if patch.enabled]
            check_step(host, (step[0], names[-1] if names else NAMES[0], *step[2:]) if step[1] == NEWEST else step)
