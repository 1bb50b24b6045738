# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What random walks do: the kernel, the patches and the acts follow from a seed; and how a walk is made shorter."""

from __future__ import annotations

import dataclasses
import random
import typing as t

from ansible_collections.openeuler.livepatch.plugins.module_utils._model.request import OnCovered, OnStall, State
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.snapshot import PER_TASK, Function
from ansible_collections.openeuler.livepatch.tests.unit.plugins.module_utils.walked_kernel import KINDS, VMLINUX

NAMES = ("p1", "p2", "p3", "p4")
BUILDS = ("1", "2")
TARGET = "target"
FUNCTIONS = (Function(VMLINUX, "f"), Function(VMLINUX, "g"), Function(VMLINUX, "h"), Function(TARGET, "m"))
LENGTH = 14
"""Acts of one walk."""


@dataclasses.dataclass(frozen=True)
class Other:
    """What is not done by a task: another tool changes a patch, a module comes or goes, tasks hold transitions."""

    what: str
    name: str = ""
    build: str = "1"


@dataclasses.dataclass(frozen=True)
class Run:
    """A task. `meddle` is what somebody else does in the middle, and before which event; `fail` a call that fails.

    `fail_too` is another one, and with `disproved` the proof of the result fails.
    """

    name: str
    state: str
    build: str | None = None
    on_covered: str = OnCovered.REFUSE
    on_stall: str = OnStall.ROLL_BACK
    supersedes: tuple[str, ...] = ()
    force_owner: bool = False
    reload: bool = False
    load_targets: bool = False
    ignore: tuple[str, ...] = ()
    meddle: tuple[int, Other] | None = None
    fail: tuple[str, int] | None = None
    fail_too: tuple[str, int] | None = None
    disproved: bool = False

    def __repr__(self) -> str:
        values = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        given = [f"{name}={value!s}" for name, value in values.items() if value not in (None, False, ())]
        return f"Run({', '.join(given)})"


Act = t.Union[Other, Run]


@dataclasses.dataclass(frozen=True)
class Patch:
    """A patch of a walk. `told` is what its file tells of `replace`."""

    functions: tuple[Function, ...]
    replace: bool = False
    told: bool | None = False


@dataclasses.dataclass(frozen=True)
class Plot:
    """Everything that a walk does: the kernel, the patches, and the acts."""

    kind: str
    patches: tuple[Patch, ...]
    acts: tuple[Act, ...]

    def __str__(self) -> str:
        patches = [
            f"{name}: {', '.join(map(str, patch.functions))}; replace {patch.replace}, told {patch.told}"
            for name, patch in zip(NAMES, self.patches)
        ]
        return "\n".join([self.kind, *patches, *map(repr, self.acts)])


# ---- what is done ----


def draw(seed: int, length: int = LENGTH) -> Plot:
    """The walk of a seed."""
    choice = random.Random(seed)
    kind = choice.choice(sorted(KINDS))
    patches = tuple(_draw_patch(choice, KINDS[kind]["abi"]) for _name in NAMES)
    acts: list[Act] = []
    while len(acts) < length:
        act = _draw_act(choice)
        acts.append(act)
        if isinstance(act, Run) and act.supersedes and choice.random() < 0.3:
            acts.append(Run(act.name, State.REVERTED, on_covered=OnCovered.ALLOW))
    return Plot(kind, patches, tuple(acts[:length]))


def _draw_patch(choice: random.Random, abi: str) -> Patch:
    functions = tuple(sorted(choice.sample(FUNCTIONS, choice.choice([1, 1, 2, 3])), key=str))
    replace = abi == PER_TASK and choice.random() < 0.3
    told: bool | None = replace
    if choice.random() < 0.2:
        told = None
    elif replace and choice.random() < 0.3:
        told = False
    return Patch(functions, replace, told)


def _draw_act(choice: random.Random) -> Act:
    return _draw_other(choice) if choice.random() < 0.3 else _draw_run(choice)


def _draw_other(choice: random.Random) -> Other:
    kinds = ["load", "load", "enable", "disable", "unload", "hold", "hold", "busy", "end_stall", "end_later"]
    what = choice.choice([*kinds, "load_target", "unload_target", "use", "end_use"])
    return Other(what, choice.choice(NAMES), choice.choice(BUILDS))


def _draw_run(choice: random.Random) -> Run:
    state = choice.choice([*State, State.ENABLED, State.ENABLED, State.ENABLED])
    supersedes: list[str] = []
    if state == State.ENABLED and choice.random() < 0.5:
        supersedes = choice.sample([*NAMES, "contained"], choice.choice([1, 1, 2, 4]))
    trouble = choice.random()
    fails = [(choice.choice(["load", "unload", "enable", "disable"]), choice.randrange(3)) for _number in range(2)]
    return Run(
        name=choice.choice(NAMES),
        state=state,
        build=choice.choice(["1", "1", "1", "1", "1", "2", None]),
        on_covered=choice.choice([OnCovered.REFUSE, *OnCovered]),
        on_stall=choice.choice([OnStall.ROLL_BACK, OnStall.ROLL_BACK, OnStall.REPORT, OnStall.FORCE]),
        supersedes=tuple(supersedes),
        force_owner=choice.random() < 0.3,
        reload=choice.random() < 0.2,
        load_targets=choice.random() < 0.3,
        ignore=("module_missing",) if choice.random() < 0.1 else (),
        meddle=(choice.randrange(12), _draw_other(choice)) if trouble < 0.15 else None,
        fail=fails[0] if 0.8 < trouble < 0.95 else None,
        fail_too=fails[1] if 0.85 < trouble < 0.9 or trouble > 0.97 else None,
        disproved=trouble > 0.9,
    )


# ---- made shorter ----


def shorter(plot: Plot) -> t.Iterator[Plot]:
    """The walks that lack one thing of this one, each."""
    for size in (4, 2, 1):
        for place in range(len(plot.acts) - size + 1):
            yield dataclasses.replace(plot, acts=plot.acts[:place] + plot.acts[place + size :])
    for place, act in enumerate(plot.acts):
        for plainer in _plainer(act):
            yield dataclasses.replace(plot, acts=(*plot.acts[:place], plainer, *plot.acts[place + 1 :]))
    for place, patch in enumerate(plot.patches):
        for simple in _simpler(patch):
            yield dataclasses.replace(plot, patches=(*plot.patches[:place], simple, *plot.patches[place + 1 :]))


def _plainer(act: Act) -> t.Iterator[Act]:
    plain = type(act)(act.name, act.state, act.build) if isinstance(act, Run) else Other(act.what, act.name)
    for field in dataclasses.fields(act):
        value = getattr(plain, field.name)
        if getattr(act, field.name) != value:
            yield dataclasses.replace(act, **{field.name: value})
    if isinstance(act, Run) and len(act.supersedes) > 1:
        for name in act.supersedes:
            yield dataclasses.replace(act, supersedes=tuple(other for other in act.supersedes if other != name))


def _simpler(patch: Patch) -> t.Iterator[Patch]:
    if len(patch.functions) > 1:
        for function in patch.functions:
            others = tuple(other for other in patch.functions if other != function)
            yield dataclasses.replace(patch, functions=others)
    if patch.told is not patch.replace:
        yield dataclasses.replace(patch, told=patch.replace)
    if patch.replace:
        yield Patch(patch.functions)
