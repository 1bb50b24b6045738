# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs a module as Ansible sends it, and tells when each of its phases began and ended.

`connection/recorded_ssh.py` starts this text on the host instead of a Python without a program. It reads the module
from its standard input, as that would, and runs it as it is. Only functions that are named here are called through
others, which look at the clock. What it tells is the last line of standard error.

What it imports itself would not count any more when the module imports it: so it does with what each Python has loaded.
Nothing but Python's own types is named for the same reason.
"""

import builtins
import os
import sys
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    import typing as t

MARK = "livepatch-bench:"

_BASIC = "ansible.module_utils.basic"
_UTILS = "ansible_collections.openeuler.livepatch.plugins.module_utils."

PHASES = {
    "time": {"sleep": "waiting on purpose"},
    _BASIC: {
        "AnsibleModule.__init__": "arguments",
        "AnsibleModule.exit_json": "result",
        "AnsibleModule.fail_json": "result",
    },
    _UTILS + "_observe.host": {"read_snapshot": "reading"},
    _UTILS + "_observe.conditions": {"read_conditions": "reading"},
    _UTILS + "_observe.distribution": {"read_distribution": "reading"},
    _UTILS + "_observe.transition": {"read_stalling_tasks": "reading"},
    _UTILS + "_observe.kernel_package": {"read_kernel_package": "reading"},
    _UTILS + "_observe.next_kernel": {"read_next_kernel": "reading"},
    _UTILS + "_patch_file.reader": {"read_patch_file": "reading"},
    _UTILS + "_store.books": {"read_books": "reading"},
    _UTILS + "_store.boot": {"read_report": "reading", "prune": "writing"},
    _UTILS + "_store.copies": {"digest": "reading", "store": "writing", "prune": "writing"},
    _UTILS + "_store.journal": {"read_note": "reading", "last_change": "reading", "remove_note": "writing"},
    _UTILS + "_store.lock": {"_wait": "waiting on purpose"},
    _UTILS + "_system.cpus": {"ask": "reading"},
    _UTILS + "_system.durable": {"write": "writing", "publish": "writing", "overwrite": "writing"},
    _UTILS + "_plan.plan": {"make_plan": "planning"},
    _UTILS + "_plan.revert": {"plan_revert": "planning"},
    _UTILS + "_plan.boot": {"plan_boot": "planning"},
    _UTILS + "_plan.predict": {"predict": "planning"},
    _UTILS + "_plan.displaced": {"displaced_after": "planning"},
    _UTILS + "_plan.live": {"with_live": "planning"},
    _UTILS + "_preflight.checks": {"find": "preflight"},
    _UTILS + "_verify.foreign": {"with_jumps": "preflight"},
    _UTILS + "_verify.prover": {"Prover.prove": "verifying"},
    _UTILS + "_apply.kernel": {
        "Kernel.load": "kernel",
        "Kernel.load_target": "kernel",
        "Kernel.unload": "kernel",
        "Kernel.write_enabled": "kernel",
        "Kernel.force": "kernel",
        "Kernel.journal": "writing",
    },
}
"""Module -> functions and methods of it -> the phase that each is. A phase in another one is no part of that."""

_import = builtins.__import__
_clock = time.monotonic
_marks: "list[tuple[float, str]]" = []
_pending = {name: dict(functions) for name, functions in PHASES.items()}
_importing: "list[str]" = []


def _mark(what: str) -> None:
    _marks.append((_clock(), what))


def _timed(function: "t.Callable[..., t.Any]", phase: str) -> "t.Callable[..., t.Any]":
    def call(*arguments: "t.Any", **options: "t.Any") -> "t.Any":
        if phase == "arguments":
            # A module begins with them.
            _mark("=rest of the module")
        _mark("+" + phase)
        try:
            return function(*arguments, **options)
        finally:
            _mark("-")

    return call


def _time_functions_of(name: str) -> None:
    """Put the clock before the functions of a module, before another one imports them by their names."""
    functions = _pending[name]
    for path in list(functions):
        holder, _dot, function = path.rpartition(".")
        module = sys.modules[name]
        place = getattr(module, holder, None) if holder else module
        if hasattr(place, function):
            setattr(place, function, _timed(getattr(place, function), functions.pop(path)))
    if not functions:
        del _pending[name]


def _timed_import(
    name: str, globals: "t.Any" = None, locals: "t.Any" = None, fromlist: "t.Any" = (), level: int = 0
) -> "t.Any":
    known, outermost = len(sys.modules), not _importing
    begin = "+imports of the collection" if name.startswith("ansible_collections.") else "+other imports"
    if outermost:
        _mark(begin)
    _importing.append(name)
    try:
        return _import(name, globals, locals, fromlist, level)
    finally:
        _importing.pop()
        for candidate in (name, *(f"{name}.{item}" for item in fromlist or ())):
            if candidate in _pending and candidate in sys.modules:
                _time_functions_of(candidate)
        if outermost and len(sys.modules) == known and _marks[-1][1] == begin:
            # It was there already.
            _marks.pop()
        elif outermost:
            _mark("-")


def _seconds_since_start() -> float:
    """The age of this process. The kernel tells its start in hundredths of a second."""
    with open("/proc/self/stat") as stream:
        fields = stream.read().rpartition(")")[2].split()
    return time.clock_gettime(time.CLOCK_BOOTTIME) - int(fields[19]) / os.sysconf("SC_CLK_TCK")


def _main() -> None:
    start = _clock() - _seconds_since_start()
    _marks.append((start, "+start of Python"))
    process = os.getpid()
    _mark("-")
    _mark("+transfer")
    code = sys.stdin.buffer.read()
    _mark("-")
    _time_functions_of("time")
    builtins.__import__ = _timed_import
    try:
        exec(compile(code, "<stdin>", "exec", dont_inherit=True), {"__name__": "__main__"})
    finally:
        if os.getpid() == process:
            _mark(".")
            told = " ".join(f"{moment - start:.6f}{what.replace(' ', '_')}" for moment, what in _marks)
            sys.stdout.flush()
            os.write(2, ("\n" + MARK + " " + told + "\n").encode())


if __name__ == "__main__":
    _main()
