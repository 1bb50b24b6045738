# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Walk through states of patches on a guest, with the collection's own code in one process, and check each step.

Usage: PYTHONPATH=COLLECTIONS walk.py MODULES SEED STEPS
First every order of disabling three patches of one function, then at random. After each step what was wanted is there,
or refused and nothing has changed; patches that the step was not about are as before; and the files that the patches
replace show the text of the patch that the snapshot calls live.
"""

from __future__ import annotations

import itertools
import json
import random
import sys
from pathlib import Path
from typing import Any

from ansible_collections.openeuler.livepatch.plugins.module_utils._apply.kernel import Kernel
from ansible_collections.openeuler.livepatch.plugins.module_utils._manage.manage import manage
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.patch_file import PatchFile
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.request import (
    OnCovered,
    Patience,
    State,
    Task,
    Wanted,
)
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.snapshot import Function, Snapshot

MODULES, SEED, STEPS = sys.argv[1:]

# What each patch replaces, and what the file shows then.
CMDLINE, LOADAVG, UPTIME = "cmdline_proc_show", "loadavg_proc_show", "uptime_proc_show"
PATCHES = {
    "lp_a1": {CMDLINE: "A1"},
    "lp_a2": {CMDLINE: "A2"},
    "lp_a3": {CMDLINE: "A3"},
    "lp_b1": {LOADAVG: "B1"},
    "lp_c1": {UPTIME: "C1"},
    "lp_ab": {CMDLINE: "AB-A", LOADAVG: "AB-B"},
}
FILES = {CMDLINE: "/proc/cmdline", LOADAVG: "/proc/loadavg", UPTIME: "/proc/uptime"}
TEXTS = {text for texts in PATCHES.values() for text in texts.values()}


def shown(function: str) -> str | None:
    """The patch's text that the function prints now; None if it is the kernel's own."""
    text = Path(FILES[function]).read_text(encoding="utf-8").strip()
    return text if text in TEXTS else None


def conditions(snapshot: Snapshot) -> dict[str, bool]:
    return {patch.name: patch.enabled for patch in snapshot.patches}


def check(snapshot: Snapshot) -> None:
    """The snapshot and the kernel's own output tell the same."""
    assert not snapshot.disagreements, snapshot.disagreements
    stacks = snapshot.stacks()
    for function in FILES:
        stack = stacks.get(Function("vmlinux", function), ())
        expected = PATCHES[stack[-1].name][function] if stack else None
        assert shown(function) == expected, (function, shown(function), expected)


def orders(kernel: Kernel, files: dict[str, PatchFile]) -> None:
    """Three patches on one function, disabled in every order: as the default refuses, and as the kernel allows."""
    names = ("lp_a1", "lp_a2", "lp_a3")

    def change(name: str, state: str, on_covered: str = OnCovered.REFUSE) -> dict[str, Any]:
        wanted = Wanted(name, state, files[name], on_covered=on_covered)
        result = manage(Task(wanted, f"{MODULES}/{name}.ko", patience=Patience(10, 5, 0.2)), kernel)
        check(kernel.snapshot())
        return result

    for order in itertools.permutations(names):
        for name in names:
            assert not change(name, State.ENABLED).get("failed")
        up = list(names)
        for name in order:
            covered = name != up[-1]
            refused = change(name, State.DISABLED)
            assert refused.get("reason") == ("covered" if covered else None), refused
            if covered:
                strict = kernel.snapshot().stacking_enforced
                result = change(
                    name, State.ABSENT if strict else State.DISABLED, OnCovered.UNSTACK if strict else OnCovered.ALLOW
                )
                assert not result.get("failed"), result
            up.remove(name)
            assert shown(CMDLINE) == (PATCHES[up[-1]][CMDLINE] if up else None)
        for patch in reversed(kernel.snapshot().patches):
            assert not change(patch.name, State.ABSENT).get("failed")
        print("in the order", *order)


def step(kernel: Kernel, files: dict[str, PatchFile], choice: random.Random) -> str:
    name, state = choice.choice(sorted(PATCHES)), choice.choice(list(State))
    supersedes = (
        choice.sample([*sorted(PATCHES), "contained"], choice.choice([0, 0, 1])) if state == State.ENABLED else []
    )
    wanted = Wanted(name, state, files[name], on_covered=choice.choice(list(OnCovered)), supersedes=tuple(supersedes))
    before = kernel.snapshot()
    result = manage(Task(wanted, f"{MODULES}/{name}.ko", patience=Patience(10, 5, 0.2)), kernel)
    after = kernel.snapshot()
    check(after)
    mine = {name, *PATCHES} if "contained" in supersedes else {name, *supersedes}
    untouched = {other: on for other, on in conditions(before).items() if other not in mine}
    assert untouched.items() <= conditions(after).items(), (untouched, after)
    if result.get("failed"):
        assert "attempted" not in result, result
        assert before.patches == after.patches, result
        return "refused: " + result["reason"]
    found = conditions(after).get(name)
    gone = found is None
    reached = {"enabled": found, "disabled": not found, "present": not gone, "absent": gone, "reverted": gone}
    assert reached[state], result
    assert result["changed"] == (before.patches != after.patches), result
    return ", ".join(result["actions"]) or "nothing to do"


def main() -> int:
    kernel, choice = Kernel(), random.Random(int(SEED))
    functions = {name: tuple(Function("vmlinux", function) for function in texts) for name, texts in PATCHES.items()}
    built = json.loads(Path(f"{MODULES}/patches.json").read_text(encoding="utf-8"))
    files = {}
    for name, known in functions.items():
        files[name] = PatchFile.from_dict(built[name])
        assert files[name].functions == known
    orders(kernel, files)
    seen: dict[str, int] = {}
    for number in range(int(STEPS)):
        kind = step(kernel, files, choice)
        key = kind if kind.startswith("refused") else "done" if kind != "nothing to do" else kind
        seen[key] = seen.get(key, 0) + 1
        print(number, kind)
    print("walked", STEPS, "steps from seed", SEED, seen)
    for patch in reversed(kernel.snapshot().patches):
        assert not manage(Task(Wanted(patch.name, State.ABSENT, on_covered=OnCovered.UNSTACK)), kernel).get("failed")
    return 0 if seen.get("done", 0) > int(STEPS) // 5 else 1


if __name__ == "__main__":
    sys.exit(main())
