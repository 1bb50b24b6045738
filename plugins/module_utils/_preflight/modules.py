# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise is made to code outside of it.
"""Checks of other modules: those that a patch changes, and those that it needs."""

from __future__ import annotations

import typing as t

from ansible_collections.openeuler.livepatch.plugins.module_utils._model.findings import INFO, WARN, Finding
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.patch_file import PatchFile, TargetBuild
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.plan import Action
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.snapshot import users_of
from ansible_collections.openeuler.livepatch.plugins.module_utils._observe.conditions import Conditions
from ansible_collections.openeuler.livepatch.plugins.module_utils._plan.abi import abi_of
from ansible_collections.openeuler.livepatch.plugins.module_utils._preflight.check import Circumstances, check


@check("target_built_in")
def built_in(circumstances: Circumstances) -> t.Iterator[Finding]:
    for file, target in _targets(circumstances):
        if _is_built_in(circumstances, target):
            yield Finding(
                reason="target_built_in",
                seen=f"{file.path} patches the module {target}, which is built into this kernel.",
                remedy="Build the patch for vmlinux (in its source, a klp_object whose name is NULL).",
                why="The kernel would wait for a module of that name, which never comes, and patch nothing of it.",
            )


@check("target_not_loaded")
def targets(circumstances: Circumstances) -> t.Iterator[Finding]:
    for file, target in _targets(circumstances):
        if not (circumstances.has_object(target) or _is_built_in(circumstances, target)):
            yield _absent(circumstances, target, f"{file.path} patches the module {target}, which is not loaded")


def _targets(circumstances: Circumstances) -> t.Iterator[tuple[PatchFile, str]]:
    """Each file with each object that it patches."""
    for file in circumstances.files:
        for target in sorted(file.targets):
            yield file, target


def _is_built_in(circumstances: Circumstances, target: str) -> bool:
    return target in circumstances.conditions.built_in and not circumstances.has_object(target)


def _absent(circumstances: Circumstances, target: str, seen: str) -> Finding:
    can_load = circumstances.can_load(target)
    if abi_of(circumstances.snapshot).patches_modules_later:
        if circumstances.conditions.loadable is not None and not can_load:
            return _not_installed(seen)
        comfort = "The kernel patches it when it is loaded."
    elif circumstances.load_targets and can_load:
        comfort = "The task loads it first, as load_targets asks."
    else:
        return Finding(
            reason="target_not_loaded",
            seen=f"{seen}{_unless_installed(circumstances, target)}",
            remedy=_how_to_load(circumstances, target),
            why="This kernel does not patch modules that are loaded later, and would answer ENOPKG.",
        )
    return Finding(
        reason="target_not_loaded",
        seen=f"{seen}.",
        remedy="Nothing needs to be done.",
        why=comfort,
        severity=INFO,
    )


def _unless_installed(circumstances: Circumstances, module: str) -> str:
    """The end of the sentence that a module is not loaded."""
    if circumstances.can_load(module):
        return "."
    if circumstances.conditions.loadable is None:
        listing = f"/lib/modules/{circumstances.snapshot.release}/modules.dep"
        return f". Whether it is installed is unknown: {circumstances.conditions.why(listing)}"
    return " and not installed."


def _how_to_load(circumstances: Circumstances, module: str) -> str:
    """What is left to be done about a module that is not loaded. The task itself loads one that is installed."""
    if circumstances.can_load(module):
        return "Load it first, or set load_targets: true."
    if circumstances.conditions.loadable is None:
        return "Load it first."
    return "Install it first." if circumstances.load_targets else "Install it, then load it or set load_targets: true."


def _not_installed(seen: str) -> Finding:
    return Finding(
        reason="target_not_loaded",
        seen=f"{seen} and not installed.",
        remedy="Install the module, or correct its name in the patch, if the host needs this part of the patch.",
        why="The kernel patches nothing of it unless such a module is installed and loaded.",
        severity=WARN,
    )


@check("target_build")
def target_builds(circumstances: Circumstances) -> t.Iterator[Finding]:
    builds = {id(file): {build.name: build for build in reversed(file.made_for)} for file in circumstances.files}
    for file, target in _targets(circumstances):
        made_for = builds[id(file)].get(target)
        seen = (
            _is_other_build(circumstances, made_for)
            if made_for
            else _is_not_of_the_kernel(circumstances.conditions, target)
        )
        if seen:
            yield Finding(
                reason="target_build",
                seen=seen,
                remedy=f"Compare the source of {target} on this host with the one that {file.path} was made from.",
                why="A patch fits only the code that it was made for, and the kernel compares the name alone.",
                severity=WARN,
            )


def _is_other_build(circumstances: Circumstances, made_for: TargetBuild) -> str | None:
    """What shows that a module is another build than the one that the patch was made for, as a sentence."""
    loaded, name = circumstances.conditions.targets.get(made_for.name), made_for.name
    release = circumstances.snapshot.release
    if made_for.release != release:
        return f"The patch was made for a build of {name} for {made_for.release}, and the host runs {release}."
    relation = loaded.identity.compare(made_for.identity) if loaded else "same"
    if loaded and relation == "different":
        return f"The patch was made for a build of {name} with {made_for.identity}, and {loaded.identity} is loaded."
    if relation == "unknown":
        return f"Whether the loaded {name} is the build that the patch was made for is unknown."
    return None


def _is_not_of_the_kernel(conditions: Conditions, name: str) -> str | None:
    """What shows that a module did not come with the kernel, as a sentence."""
    loaded = conditions.targets.get(name)
    if loaded is None:
        return f"The installed module {name} did not come with the kernel." if name in conditions.added else None
    if loaded.is_out_of_tree:
        return f"The loaded module {name} is an out-of-tree build of that name."
    return f"The loaded module {name} is not signed, as modules of this kernel are." if loaded.is_unsigned else None


@check("dependency")
def dependencies(circumstances: Circumstances) -> t.Iterator[Finding]:
    there = circumstances.snapshot.modules | circumstances.conditions.built_in
    for file in circumstances.files:
        for module in file.depends:
            if module not in there and not (circumstances.load_targets and circumstances.can_load(module)):
                yield Finding(
                    reason="dependency",
                    seen=f"{file.path} needs the module {module}, which is not loaded"
                    f"{_unless_installed(circumstances, module)}",
                    remedy=_how_to_load(circumstances, module),
                    why="Its symbols would be unknown to the kernel (ENOENT).",
                )


@check("module_in_use")
def held(circumstances: Circumstances) -> t.Iterator[Finding]:
    """The kernel would refuse to unload it when it is disabled already: a per_task kernel does not enable it again."""
    for name in dict.fromkeys(step.patch for step in circumstances.steps if step.action == Action.UNLOAD):
        patch = circumstances.snapshot.patch(name)
        if patch and patch.users:
            yield Finding(
                reason="module_in_use",
                seen=f"{name} would be unloaded, and its module has {users_of(patch)}.",
                remedy=f"End what uses it (a module in /sys/module/{name}/holders, a program with an open file of it, "
                "a tracer or BPF program on it), then run the task again.",
                why="The kernel would answer EAGAIN.",
            )
