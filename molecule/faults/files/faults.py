# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Make each fault of vars/faults.yml on this host, try the task, and compare what is said, and the host with before.

It calls what livepatch_module calls, without Ansible between, because that is ten times as fast on an emulated VM.
"""

from __future__ import annotations

import functools
import json
import os
import pwd
import re
import subprocess
import sys
import typing as t
from pathlib import Path

from ansible_collections.openeuler.livepatch.plugins.module_utils._apply.kernel import Kernel
from ansible_collections.openeuler.livepatch.plugins.module_utils._manage.manage import manage
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.findings import failure_of
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.request import (
    Patience,
    Probe,
    State,
    Task,
    Verification,
    Wanted,
)
from ansible_collections.openeuler.livepatch.plugins.module_utils._patch_file.reader import (
    PatchFileError,
    read_patch_file,
)

FILES = Path("/srv/built")

Plain = dict[str, t.Any]

# All of the host that the collection may change, apart from the kernel's taint, which never goes.
OBSERVE = """
awk '{print $1, $3, $7}' /proc/modules
find /sys/kernel/livepatch
grep -s . /sys/kernel/livepatch/*/enabled /sys/kernel/livepatch/*/transition
cat /proc/livepatch/state 2>/dev/null
cat /proc/cmdline /proc/version
ls -A /run/openeuler-livepatch
"""


ISOLATE = """
echo 1 > /sys/module/klp_stop_machine_emulation/parameters/isolate
echo CONFIG_LIVEPATCH_ISOLATE_KPROBE=y >> /boot/config-$(uname -r)
"""
ISOLATE_NO_MORE = """
echo 0 > /sys/module/klp_stop_machine_emulation/parameters/isolate
sed -i /CONFIG_LIVEPATCH_ISOLATE_KPROBE/d /boot/config-$(uname -r)
"""


class RacedKernel(Kernel):
    """Somebody else runs a script in the very moment before a call: the first one of that name."""

    def __init__(self, race: t.Mapping[str, str]) -> None:
        super().__init__()
        for name, script in race.items():
            setattr(self, name, functools.partial(self._raced, name, script, getattr(self, name)))

    def _raced(self, name: str, script: str, call: t.Callable[..., t.Any], *arguments: t.Any) -> t.Any:
        setattr(self, name, call)
        shell(script)
        return call(*arguments)


def shell(script: str | None) -> None:
    if script:
        subprocess.run(["sh", "-ec", script], check=True, timeout=60)


def observe() -> str:
    return subprocess.run(["sh", "-c", OBSERVE], stdout=subprocess.PIPE, check=False, text=True).stdout


def attempt(
    arguments: Plain, check_mode: bool = False, ignore: t.Sequence[str] = (), kernel: Kernel | None = None
) -> Plain:
    """What livepatch_module would return, as plain types."""
    src = arguments.get("src")
    try:
        file = read_patch_file(str(FILES / src)) if src else None
    except PatchFileError as error:
        return failure_of(error.finding)
    name = arguments.get("name") or (file.name if file else "")
    patience = Patience(arguments.get("timeout", 20), arguments.get("retries", 3), arguments.get("delay", 0.2))
    probe = arguments.get("probe")
    options = {option: arguments.get(option, False) for option in ("load_targets", "force_owner")}
    task = Task(
        Wanted(name, arguments.get("state", State.ENABLED), file, **options),
        str(FILES / src) if src else None,
        patience=patience,
        check_mode=check_mode,
        ignore=tuple(ignore),
        verification=Verification(probe=Probe(**dict(probe, argv=tuple(probe.get("argv", ())))) if probe else None),
    )
    result = manage(task, kernel or Kernel())
    assert json.dumps(result)
    return result


def attempt_as(user: str, arguments: Plain) -> Plain:
    """The same as another user, in a process of its own."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.setuid(pwd.getpwnam(user).pw_uid)
        with open(writing, "w", encoding="utf-8") as stream:
            json.dump(attempt(arguments), stream)
        os._exit(0)
    os.close(writing)
    with open(reading, encoding="utf-8") as stream:
        result = json.load(stream)
    os.waitpid(child, 0)
    return t.cast(Plain, result)


def expect(condition: object, what: str, result: Plain) -> None:
    if not condition:
        raise AssertionError(f"{what}: {json.dumps(result, indent=1)}")


def try_fault(fault: Plain) -> str:
    """Make the fault and try the task in every way. Returns what was said."""
    isolated = fault.get("isolated", False)
    shell(ISOLATE if isolated else None)
    try:
        shell(fault.get("setup"))
        return try_warned(fault) if "warns" in fault else try_prepared(fault)
    finally:
        shell(fault.get("cleanup"))
        shell(ISOLATE_NO_MORE if isolated else None)


def try_warned(fault: Plain) -> str:
    """Try a task that is to succeed with warnings, and take its patch out. Returns the first warning."""
    before = observe()
    for check_mode in (True, False):
        tried = attempt(fault["args"], check_mode=check_mode)
        expect(not tried.get("failed") and tried["changed"], "it succeeds", tried)
        warned = [finding for finding in tried["findings"] if finding["severity"] == "warn"]
        expect([finding["reason"] for finding in warned] == fault["warns"], f"it warns of {fault['warns']}", tried)
        expect(re.search(fault["says"], warned[0]["cause"]), f"the warning says {fault['says']}", tried)
    shell(fault["shows"])
    removed = attempt({"name": tried["name"], "state": State.ABSENT})
    expect(not removed.get("failed"), "it can be taken out", removed)
    after = observe()
    assert after == before, f"the host differs:\n{before}\n---\n{after}"
    return t.cast(str, warned[0]["cause"])


def try_prepared(fault: Plain) -> str:
    checks = fault.get("checks")
    before = observe()
    if checks:
        predicted = attempt(fault["args"], check_mode=True)
        expect(predicted.get("reason") == checks[0], "check mode predicts it", predicted)
    user = fault.get("user")
    tried = attempt_as(user, fault["args"]) if user else attempt(fault["args"])
    expect(tried.get("failed"), "it fails", tried)
    expect(not tried["changed"] and not tried.get("not_restored"), "nothing is changed", tried)
    expect(tried["reason"] == (checks[0] if checks else fault["reason"]), "the reason is right", tried)
    expect(re.search(fault["says"], tried["msg"]), f"the message says {fault['says']}", tried)
    needs_reboot = tried.get("reboot_required", False)
    expect(needs_reboot is fault.get("reboot", False), "it says whether only a reboot helps", tried)
    if checks:
        found = [finding["reason"] for finding in tried["findings"] if finding["severity"] == "refuse"]
        expect(set(checks) <= set(found), f"{checks} are found", tried)
        expect("attempted" not in tried, "the kernel was not asked", tried)
    else:
        expect(tried.get("errno") == fault.get("errno"), f"the errno is {fault.get('errno')}", tried)
    if "kernel" in fault:
        refused = attempt(fault["args"], ignore=fault.get("ignore", checks))
        expect(refused.get("failed"), "the kernel refuses it", refused)
        expect(refused["reason"] == fault.get("kernel_reason", checks[0]), "the kernel's answer is understood", refused)
        expect(refused.get("errno") == fault["errno"], f"the errno is {fault['errno']}", refused)
        expect(re.search(fault["kernel"], refused["msg"]), f"the message says {fault['kernel']}", refused)
        expect(refused["not_restored"] == [], "it is undone", refused)
    after = observe()
    assert after == before, f"the host differs:\n{before}\n---\n{after}"
    return t.cast(str, tried["msg"])


def try_race(fault: Plain) -> str:
    """Try the task while somebody else changes the host. His change is taken back before the host is compared."""
    before = observe()
    shell(fault.get("setup"))
    tried = attempt(fault["args"], kernel=RacedKernel(fault["race"]))
    expect(not tried.get("failed"), "it succeeds", tried)
    expect(tried["state"] == fault["state"], f"the state is {fault['state']}", tried)
    told = [finding["cause"] for finding in tried["findings"] if finding["reason"] == "replanned"]
    if "says" in fault:
        expect(told and re.search(fault["says"], told[0]), f"the finding says {fault['says']}", tried)
    else:
        expect(not told and not tried["changed"], "it is unchanged", tried)
    shell(fault.get("cleanup"))
    after = observe()
    assert after == before, f"the host differs:\n{before}\n---\n{after}"
    return t.cast(str, told[0]) if told else "unchanged"


def main() -> None:
    faults = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    wrong = []
    for fault in faults:
        try:
            said = try_race(fault) if "race" in fault else try_fault(fault)
            print(f"{fault['name']}: {said}", flush=True)
        except AssertionError as error:
            wrong.append(fault["name"])
            print(f"{fault['name']}: WRONG: {error}", flush=True)
    sys.exit(f"wrong: {', '.join(wrong)}" if wrong else 0)


main()
