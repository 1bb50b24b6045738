# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise is made to code outside of it.

"""Proves that calls reach the code of a patch, on each function that the kernel patches now."""

from __future__ import annotations

import typing as t

from ansible_collections.openeuler.livepatch.plugins.module_utils._model.findings import Finding
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.outcome import Proof, StepFailed
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.reading import known
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.snapshot import Function, Snapshot
from ansible_collections.openeuler.livepatch.plugins.module_utils._plan.abi import abi_of
from ansible_collections.openeuler.livepatch.plugins.module_utils._verify import text

if t.TYPE_CHECKING:
    from ansible_collections.openeuler.livepatch.plugins.module_utils._apply.kernel_protocol import KernelProtocol

LOOKS = 3
"""How often functions are looked at before they fail the proof, or count as of modules that come and go."""

LOOK_SECONDS = 0.2
"""Between two looks."""


class _Look(t.NamedTuple):
    """What one look has shown of functions.

    `unreached` has a clause for each whose calls do not reach the patch. `moved` are modules that were loaded, unloaded
    or loaded anew meanwhile: nothing is known of their functions. The kernel does not patch `unpatched` objects now.
    """

    seen: int = 0
    unreached: t.Mapping[Function, str] = {}
    moved: t.Sequence[str] = ()
    unpatched: t.Sequence[str] = ()


def prove_text(kernel: KernelProtocol, name: str, after: Snapshot) -> Proof:
    """Return the proof for the patch of this name, `after` being the host now. Raises StepFailed if it fails.

    Modules may come and go meanwhile: only a function that should be patched during the whole look can fail it.
    """
    patch = after.patch(name)
    covered = after.above(patch) if patch else {}
    functions = [function for function in (patch.functions if patch else ()) if function not in covered]
    try:
        now, look = after, _look(kernel, name, after, functions)
        for _again in range(LOOKS - 1):
            if not (look.unreached or look.moved):
                break
            kernel.sleep(LOOK_SECONDS, f"looking at the functions of {name} again")
            now = _known_or(kernel.snapshot(), after)
            look = _look(kernel, name, now, functions)
    except text.CannotTell as reason:
        return Proof("text", None, f"This could not be proven: {reason}.")
    if look.unreached:
        raise StepFailed(
            "prove the result",
            Finding(
                reason="not_effective",
                seen="The kernel says that the patch is enabled, but {}.".format(
                    "; ".join(dict.fromkeys(look.unreached.values()))
                ),
                remedy="Look for another tool that patches this host's kernel.",
            ),
        )
    if patch is None:
        return Proof("text", None, "This could not be proven: the patch is not loaded.")
    why = "; ".join(_why_unseen(now, look, list(covered)))
    if not patch.functions:
        why = "it has no functions" if patch.objects else "the kernel shows none of its functions"
    if not look.seen:
        return Proof("text", None, f"This could not be proven: {why}.")
    where = "in ftrace's list of enabled functions" if abi_of(now).redirects_by_ftrace else "at the instruction"
    seen = f"Seen {where} for {_of(look.seen, len(patch.functions))}"
    # Where it is covered, or the kernel does not patch the object now, calls go to other code.
    return Proof("text", None, f"{seen}; {why}.") if why else Proof("text", True, f"{seen}.")


def _look(kernel: KernelProtocol, name: str, now: Snapshot, functions: t.Sequence[Function]) -> _Look:
    """Look once. `now` is the host at the beginning.

    The kernel counts the lines of ftrace's list anew at each read() (kernel/trace/ftrace.c, t_start). Where a module
    that has lines before those of a function is unloaded meanwhile, the list may lack that function.
    """
    patch = now.patch(name)
    if not (patch and patch.enabled):
        return _Look(unreached=dict.fromkeys(functions, f"{name} is not enabled any more"))
    modules = _modules_of(kernel)
    there = _patched(now, name, functions)
    expected = [function for function in functions if function.object in there]
    unreached = text.unreached(kernel.files(), now, name, expected) if expected else {}
    moved: list[str] = []
    shaken: list[str] = []
    if unreached:
        later = _patched(_known_or(kernel.snapshot(), now), name, functions)
        shaken = sorted({module for module, _inode in modules ^ _modules_of(kernel)})
        moved = sorted({entry.object for entry in unreached if entry.object not in later or entry.object in shaken})
    failed = {function: clause for function, clause in unreached.items() if not shaken and function.object not in moved}
    unpatched = sorted({function.object for function in functions}.difference(there))
    return _Look(len(expected) - len(unreached), failed, moved or shaken, unpatched)


def _patched(now: Snapshot, name: str, functions: t.Iterable[Function]) -> set[str]:
    """The objects of these functions that are patched."""
    patch = now.patch(name)
    return {function.object for function in functions if patch and now.is_patched(patch, function.object)}


def _modules_of(kernel: KernelProtocol) -> frozenset[tuple[str, int]]:
    """The modules of the host, each with what changes if it is loaded anew: its inode."""
    return frozenset((known(kernel.files().inodes("/sys/module")) or {}).items())


def _known_or(now: Snapshot, before: Snapshot) -> Snapshot:
    return now if now.is_known else before


def _why_unseen(now: Snapshot, look: _Look, covered: t.Sequence[Function]) -> t.Iterator[str]:
    """Clauses about the functions that were not looked at."""
    if covered:
        yield f"others cover {', '.join(map(str, covered))}"
    missing = [name for name in look.unpatched if not now.has_object(name)]
    if missing:
        yield f"{_modules(missing, 'is', 'are')} not loaded"
    waiting = [name for name in look.unpatched if now.has_object(name)]
    if waiting:
        yield f"the kernel does not patch {', '.join(waiting)} now"
    if look.moved:
        yield f"{_modules(look.moved, 'was', 'were')} loaded or unloaded meanwhile"


def _modules(names: t.Sequence[str], one: str, several: str) -> str:
    return f"the module {names[0]} {one}" if len(names) == 1 else f"the modules {', '.join(names)} {several}"


def _of(count: int, total: int) -> str:
    amount = str(count) if count == total else f"{count} of {total}"
    return f"{amount} function{'' if total == 1 else 's'}"
