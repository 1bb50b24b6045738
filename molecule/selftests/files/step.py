# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Compare what a step was to do, what its task returned, the facts, and what the kernel shows in sysfs.

On standard input it takes one object in JSON: `step` (see vars/tests.yml), `before`, `checked` and `after` (the text of
tasks/observe.yml before the step, after check mode and at the end), `facts` (ansible_livepatch), and for the step of a
patch `predicted`, `done` and `again`, the results of livepatch_module in check mode, of the run, and of a second run.
It prints what is wrong, and exits with 1 then.
"""

from __future__ import annotations

import json
import sys
import typing as t
from collections.abc import Iterator
from dataclasses import dataclass, field

Plain = dict[str, t.Any]

# The suite's modules are not installed, and did not come with the kernel: its patches lead to these warnings.
OF_THE_SUITE = {"target_not_loaded", "target_build"}
# A result and the facts have these of a patch, and mean the same.
OF_A_PATCH = ("name", "enabled", "in_transition", "replace", "objects", "functions", "effective")


@dataclass
class Host:
    """What the kernel shows: the loaded modules, and the files and directories below /sys/kernel/livepatch."""

    modules: set[str] = field(default_factory=set)
    rights: dict[str, str] = field(default_factory=dict)
    values: dict[str, str] = field(default_factory=dict)

    @property
    def patches(self) -> list[str]:
        return sorted(path for path in self.rights if "/" not in path)

    def objects(self, patch: str) -> list[str]:
        paths = (path.split("/") for path, rights in self.rights.items() if rights.startswith("d"))
        return sorted(parts[1] for parts in paths if parts[0] == patch and len(parts) == 2)

    def functions(self, patch: str) -> set[tuple[str, str]]:
        """Object and name of each function, as directories OBJECT/NAME,POSITION show them."""
        paths = (path.split("/") for path in self.rights)
        return {
            (parts[1], parts[2].split(",")[0])
            for parts in paths
            if parts[0] == patch and len(parts) == 3 and "," in parts[2]
        }

    def is_patched(self, patch: str, name: str) -> bool:
        return self.values.get(f"{patch}/{name}/patched") == "1"


def read_host(text: str) -> Host:
    """The host from the lines of tasks/observe.yml."""
    host = Host()
    for line in text.splitlines():
        kind, _space, rest = line.partition(" ")
        if kind == "module":
            host.modules.add(rest)
        elif kind == "node":
            rights, _space, path = rest.partition(" ")
            host.rights[path] = rights
        elif kind == "value":
            path, _colon, value = rest.partition(":")
            host.values[path] = value
    return host


def wrong(given: Plain) -> Iterator[str]:
    """What is wrong, in sentences."""
    step, host, facts = given["step"], read_host(given["after"]), given["facts"]
    if "patch" in step:
        yield from wrong_results(step, given)
        if given["checked"] != given["before"]:
            yield f"check mode has changed the host:\n{given['before']}\n---\n{given['checked']}"
        if is_failure(step) and given["after"] != given["before"]:
            yield f"a task that failed has changed the host:\n{given['before']}\n---\n{given['after']}"
    yield from wrong_facts(host, facts)
    yield from wrong_kernel(step, host, facts)


def is_failure(step: Plain) -> bool:
    return "refused" in step or "fails" in step


def wrong_results(step: Plain, given: Plain) -> Iterator[str]:
    predicted, done, again = given["predicted"], given["done"], given["again"]
    if is_failure(step):
        yield from wrong_failure(step, predicted, done)
        return
    for name, result in (("check mode", predicted), ("the run", done), ("the second run", again)):
        if result.get("failed"):
            yield f"{name} fails: {result.get('msg')}"
            return
    # What a step is expected to lead to in spite of its arguments, check mode cannot know.
    for key in ("changed",) if "state" in step else ("changed", "actions", "state"):
        yield from unequal(f"{key} in check mode and in the run", predicted.get(key), done.get(key))
    yield from unequal("changed in the run", done["changed"], True)
    yield from unequal("changed in the second run", again["changed"], False)
    if not done["changed"] or again["changed"]:
        yield f"findings of the second run: {again.get('findings')}"
    yield from unequal("state", done.get("state"), expected_state(step))
    yield from unequal("state after the second run", again.get("state"), expected_state(step))
    if predicted.get("patch") and done.get("patch"):
        for key in ("name", "replace", "objects", "functions"):
            yield from unequal(
                f"patch.{key} in check mode and in the run", predicted["patch"].get(key), done["patch"].get(key)
            )
    yield from wrong_findings(step, done)
    of_facts = {patch["name"]: patch for patch in given["facts"]["patches"]}
    for key in OF_A_PATCH if again.get("patch") else ():
        shown = of_facts.get(again["patch"]["name"], {})
        yield from unequal(f"patch.{key} in the result and in the facts", again["patch"].get(key), shown.get(key))


def wrong_findings(step: Plain, done: Plain) -> Iterator[str]:
    reasons = [finding["reason"] for finding in done["findings"]]
    warned = [finding["reason"] for finding in done["findings"] if finding["severity"] == "warn"]
    for reason in step.get("finds", ()):
        if reason not in reasons:
            yield f"there is no finding {reason}: {done['findings']}"
    for reason in sorted(set(warned) - OF_THE_SUITE - set(step.get("warns", ()))):
        yield f"there is a warning {reason}: {[finding for finding in done['findings'] if finding['reason'] == reason]}"
    for reason in sorted(set(step.get("warns", ())) - set(warned)):
        yield f"there is no warning {reason}: {done['findings']}"
    held_by = [task["held_by"] or "" for task in done.get("stalling_tasks", ())]
    if "held_by" in step and not any(name.startswith(step["held_by"]) for name in held_by):
        yield f"no task is held by {step['held_by']}: {done.get('stalling_tasks')}"


def expected_state(step: Plain) -> str:
    return t.cast(str, step.get("state") or step["patch"].get("state", "enabled"))


def wrong_failure(step: Plain, predicted: Plain, done: Plain) -> Iterator[str]:
    """A refusal is predicted. What only the kernel knows is not, and has an errno."""
    for name, result in (("check mode", predicted), ("the run", done)):
        if "fails" in step and result is predicted:
            continue
        if not result.get("failed"):
            yield f"{name} does not fail"
            return
        reason = step["refused"] if "refused" in step else step["fails"]
        refusals = [finding["reason"] for finding in result.get("findings", ()) if finding["severity"] == "refuse"]
        if reason not in {result.get("reason"), *refusals}:
            yield f"{name} fails for another reason than {reason}: {result.get('reason')}: {result.get('msg')}"
    if "refused" in step and "attempted" in done:
        yield f"the kernel was asked: {done['attempted']}"
    if "fails" in step:
        yield from unequal("errno", done.get("errno"), step["errno"])
        yield from unequal("not_restored", done.get("not_restored"), [])


def wrong_facts(host: Host, facts: Plain) -> Iterator[str]:
    """The facts, compared with sysfs and /proc/modules."""
    for key in ("disagreements", "unreadable", "undecided"):
        yield from unequal(key, facts[key], [])
    patches = {patch["name"]: patch for patch in facts["patches"]}
    for name in sorted(set(host.patches) - set(patches)):
        yield f"the facts do not have the patch {name}"
    for name, patch in patches.items():
        if name not in host.modules:
            yield f"the facts have the patch {name}, which is not loaded"
        if name in host.patches:
            yield from wrong_patch(host, patch)
        else:
            yield from unequal(f"enabled of {name}, which sysfs does not have", patch["enabled"], False)
    transition = facts["transition"]["patch"] if facts["transition"] else None
    running = next((name for name in host.patches if host.values.get(f"{name}/transition") == "1"), None)
    yield from unequal("the patch in transition", transition, running)
    for function in facts["functions"] or ():
        name, where, live = function["name"], function["object"], function["live"]
        if live and not host.is_patched(live, where):
            yield f"{name} of {where} is not patched, and the facts call {live} live"


def wrong_patch(host: Host, patch: Plain) -> Iterator[str]:
    """A patch of the facts, compared with its directory in sysfs."""
    name = patch["name"]
    for key, path in (("enabled", "enabled"), ("in_transition", "transition"), ("replace", "replace")):
        yield from unequal(f"{key} of {name}", patch[key], host.values.get(f"{name}/{path}") == "1")
    yield from unequal(f"objects of {name}", sorted(patch["objects"]), host.objects(name))
    if patch["enabled"]:
        unpatched = [entry for entry in host.objects(name) if not host.is_patched(name, entry)]
        yield from unequal(f"unpatched of {name}", sorted(entry["object"] for entry in patch["unpatched"]), unpatched)
    # During the transition of a patch that replaces others, sysfs has their functions below it.
    if not patch["in_transition"]:
        functions = {(function["object"], function["name"]) for function in patch["functions"] or ()}
        yield from unequal(f"functions of {name}", sorted(functions), sorted(host.functions(name)))


def wrong_kernel(step: Plain, host: Host, facts: Plain) -> Iterator[str]:
    """The kernel's answers, compared with what the step says of them."""
    enabled = [patch["name"] for patch in facts["patches"] if patch["enabled"]]
    if "stack" in step:
        yield from unequal("the enabled patches, oldest first", enabled, step["stack"])
    numbers = {
        name: int(host.values[f"{name}/stack_order"]) for name in enabled if f"{name}/stack_order" in host.values
    }
    if len(numbers) == len(enabled):
        yield from unequal("the kernel's order", sorted(enabled, key=lambda name: numbers[name]), enabled)
    for path, value in step.get("sysfs", {}).items():
        yield from unequal(path, host.values.get(path), str(value))
    for path, rights in step.get("rights", {}).items():
        yield from unequal(f"rights of {path}", host.rights.get(path), rights)
    for name, effective in step.get("effective", {}).items():
        found = {patch["name"]: patch["effective"] for patch in facts["patches"]}
        yield from unequal(f"effective of {name}", found.get(name), effective)


def unequal(what: str, found: object, expected: object) -> Iterator[str]:
    if found != expected:
        yield f"{what}: {json.dumps(found)} instead of {json.dumps(expected)}"


def main() -> None:
    found = list(wrong(json.load(sys.stdin)))
    sys.exit("\n".join(found) if found else 0)


if __name__ == "__main__":
    main()
