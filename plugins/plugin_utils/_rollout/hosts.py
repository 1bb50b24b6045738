# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise is made to code outside of it.

"""The state of a host in a rollout, and how it follows from the results of the role's tasks. Pure functions."""

from __future__ import annotations

import base64
import binascii
import json
import re
import typing as t
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from enum import Enum

from ansible_collections.openeuler.livepatch.plugins.module_utils._model.plan import Action, Step
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.snapshot import Identity
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.trouble import GRAVE, forbids_changes
from ansible_collections.openeuler.livepatch.plugins.plugin_utils._fleet.builds import (
    NO_BUILD,
    UNKNOWN_BUILD,
    build_of,
    flaw_of,
    read_build,
)
from ansible_collections.openeuler.livepatch.plugins.plugin_utils._fleet.reader import DataError, Reader
from ansible_collections.openeuler.livepatch.plugins.plugin_utils._fleet.releases import Release, read_parameters
from ansible_collections.openeuler.livepatch.plugins.plugin_utils._rollout.host_facts import (
    NO_BASELINE,
    UNKNOWN,
    Baseline,
    Facts,
    on_this_host,
    read_facts,
)
from ansible_collections.openeuler.livepatch.plugins.plugin_utils._rollout.results import LEFT_ALONE, Result

_BEFORE = re.compile(r"^before (.*)$", re.MULTILINE)
"""The line of a mark that has the baseline. Because of its first word Ansible does not read it as a dictionary."""


class Status(str, Enum):
    """The status of a host in a rollout. The summary prints the value."""

    UNREACHABLE = "unreachable"
    FAILED = "failed"
    REFUSED = "refused"
    FIXED = "fixed"
    NO_PATCH_FILE = "no_patch_file"
    HAS_FILE = "has_file"
    UNTOUCHED = "untouched"
    WOULD_BE_ENABLED = "would be enabled"
    ENABLED = "enabled"
    ENABLED_BEFORE = "enabled before"
    AS_BEFORE = "as before"
    WOULD_BE_ROLLED_BACK = "would be rolled back"
    ROLLED_BACK = "rolled back"
    NOT_ROLLED_BACK = "not rolled back"


PASSED = frozenset({Status.ENABLED, Status.ENABLED_BEFORE, Status.WOULD_BE_ENABLED})
"""The statuses of hosts whose patch may be accepted."""

_NOT_PROVEN = frozenset({"unproven", "interrupted_run"})
"""The findings of a patch that is enabled and not proven: the module proves it where it runs without check mode."""

_UNKNOWN_CONTENT = {
    "build_unknown": UNKNOWN_BUILD,
    "parameters_unknown": "The parameters that the loaded patch was loaded with cannot be told.",
}
"""The findings of a patch that is enabled and may not be what the release has, each as a sentence."""


@dataclass(frozen=True)
class Host:
    """A host in a rollout.

    `kernel` is its running kernel, `file` the path of its patch file in the release; each is empty if it is unknown.
    `kernel_build_id` is the build-id of the kernel, `build` has the marks of the file. `parameters` are what the patch
    is loaded with, None if the release does not say it.
    `is_due` says that the patch is still to be applied or proven, `is_on_trial` that it has not passed its tests yet,
    `lacks_fix` that the host has not noted what the patch fixes.
    `flaw` is a sentence about why the patch was not effective before. `problem` is one about why the host has failed,
    `not_rolled_back` about why it could not be rolled back, `shortfall` about why it ends without the patch.
    `reboot_required` says that only a reboot finishes what livepatch_module was to do there, `is_untouchable` that the
    kernel must not be changed any more, not even to roll back. `fix` is that of the release, `patch` the name of its
    patch module for this kernel.
    """

    name: str
    status: Status
    kernel: str = ""
    file: str = ""
    is_due: bool = False
    is_on_trial: bool = False
    lacks_fix: bool = False
    baseline: Baseline = NO_BASELINE
    problem: str = ""
    not_rolled_back: str = ""
    reboot_required: bool = False
    fix: str = ""
    flaw: str = ""
    shortfall: str = ""
    kernel_build_id: str | None = None
    build: Identity = NO_BUILD
    parameters: dict[str, t.Any] | None = field(default=None, hash=False)
    is_untouchable: bool = False
    patch: str = ""

    @property
    def is_needless(self) -> bool:
        """Whether the release has no file for it, so that it cannot show what the patch does."""
        return self.status in (Status.NO_PATCH_FILE, Status.FIXED)

    @property
    def is_to_be_marked(self) -> bool:
        return self.status is Status.HAS_FILE and self.is_due and not self.is_on_trial

    @property
    def is_to_be_applied(self) -> bool:
        return self.status is Status.HAS_FILE and self.is_due and self.is_on_trial

    @property
    def is_to_be_noted(self) -> bool:
        """Whether nothing is to be done there but to note what its patch fixes: no trial is needed for that."""
        is_settled = self.status is Status.HAS_FILE and not (self.is_due or self.is_on_trial or self.problem)
        return is_settled and self.lacks_fix

    @property
    def is_to_be_tested(self) -> bool:
        return self.is_on_trial and not self.problem

    @property
    def is_acceptable(self) -> bool:
        """Whether its patch may be accepted, so that boots load it."""
        return self.status in PASSED

    @property
    def has_passed(self) -> bool:
        """Whether its patch is enabled and proven."""
        return self.is_acceptable and not self.problem

    @property
    def is_decided(self) -> bool:
        """Whether its trial is over."""
        return self.is_on_trial and self.status is not Status.NOT_ROLLED_BACK


_DERIVED = ("is_to_be_marked", "is_to_be_applied", "is_to_be_noted", "is_to_be_tested", "is_acceptable", "is_decided")


def host_data(host: Host) -> dict[str, t.Any]:
    """The host as plain data, with its derived properties."""
    derived = {name: getattr(host, name) for name in _DERIVED}
    return {**asdict(host), **derived, "status": host.status.value, "baseline": baseline_data(host.baseline)}


def baseline_data(baseline: Baseline) -> dict[str, t.Any]:
    """The baseline as plain data."""
    return {"disabled": baseline.disabled, "trouble": list(baseline.trouble)}


def read_host(data: Mapping[str, t.Any]) -> Host:
    """The host for which `host_data` returned `data`."""
    known = {each.name: data[each.name] for each in fields(Host)}
    inner = {
        "baseline": _baseline(data["baseline"]),
        "build": Identity(**data["build"]),
        "parameters": read_parameters(data["parameters"]),
    }
    return Host(**{**known, **inner, "status": Status(data["status"])})


def choose(name: str, read: Result, release: Release, is_file_required: bool) -> Host:
    """The host after its facts were read: with the file for its kernel, and with its state as the baseline."""
    host = Host(name, Status.FAILED, fix=release.id)
    if read.is_bad:
        return replace(host, status=Status.UNREACHABLE if read.is_unreachable else Status.FAILED, problem=read.why)
    try:
        release = on_this_host(read, release)
        facts = read_facts(read, release.name)
    except DataError as error:
        return replace(host, problem=f"Its facts are not valid: {error}")
    host = replace(host, patch=release.name)
    host = replace(host, status=Status.NO_PATCH_FILE, kernel=facts.kernel, baseline=facts.baseline, flaw=_flaw(facts))
    host = replace(host, kernel_build_id=facts.build_id)
    file = release.file_for(facts.kernel, facts.machine, facts.build_id)
    if facts.kernel in release.fixed_in and facts.is_kernel_certain:
        return replace(host, status=Status.FIXED)
    if file:
        # Another build that was disabled does not come back when this one is disabled.
        was_disabled = facts.baseline.disabled and facts.build.compare(build_of(file)) != "different"
        host = replace(host, baseline=replace(facts.baseline, disabled=was_disabled), parameters=file.parameters)
        return replace(host, status=Status.HAS_FILE, file=file.path or "", build=build_of(file))
    missing = release.why_no_file(facts.kernel, facts.machine, facts.build_id)
    return replace(host, problem=missing if is_file_required else "")


def check(host: Host, marked: Result, mark_read: Result, prediction: Result) -> Host:
    """The host after check mode has predicted the patch on it, and after its mark was read.

    A mark is left by a run that was interrupted. The baseline is then the one in the mark, not the present state.
    """
    for result, status in ((prediction, Status.REFUSED), (mark_read, Status.FAILED), (marked, Status.FAILED)):
        if result.is_bad:
            found = Status.UNREACHABLE if result.is_unreachable else status
            host = replace(host, status=found, problem=result.why)
            break
    noting = str(Step(Action.NOTE_FIX, host.patch))
    host = replace(
        _with_reboot(host, prediction),
        is_due=any(action != noting for action in prediction.actions) or prediction.has_found(_NOT_PROVEN),
        lacks_fix=noting in prediction.actions,
        is_on_trial=bool(marked.inner("stat").get("exists")),
    )
    try:
        host = replace(host, baseline=_marked_baseline(mark_read) or host.baseline, build=_build(host, prediction))
    except DataError as error:
        return host if host.problem else replace(host, status=Status.FAILED, problem=str(error))
    if host.is_on_trial:
        host = _with_kernel(host, prediction)
    flaw = host.flaw or _unknown_build(prediction)
    if host.status is Status.HAS_FILE and not (host.is_due or host.is_on_trial) and flaw:
        return replace(host, status=Status.FAILED, problem=flaw)
    return host


def _unknown_build(result: Result) -> str:
    """That livepatch_module cannot tell what is loaded, as a sentence; empty if it can."""
    found = (says for reason, says in _UNKNOWN_CONTENT.items() if result.has_found({reason}))
    return next(found, "")


def _build(host: Host, result: Result) -> Identity:
    """The marks of the file: those in the release, or else, of an older one, those that livepatch_module has read."""
    read = read_build(Reader(result.inner("file"), "the file"))
    known = host.build
    return Identity(known.build_id or read.build_id, known.srcversion or read.srcversion, known.sha256 or read.sha256)


def mark(host: Host, marking: Result) -> Host:
    """The host after it was marked as being on trial."""
    if marking.is_skipped:
        return host
    return replace(host, is_on_trial=not marking.is_bad, problem=marking.why if marking.is_bad else "")


def apply(host: Host, applied: Result) -> Host:
    """The host after the patch was applied."""
    host = _with_kernel(_with_reboot(host, applied), applied)
    flaw = applied.why if applied.is_bad else _unknown_build(applied)
    return replace(host, problem=flaw) if flaw else host


def effect(host: Host, read: Result, patch_name: str) -> str:
    """Why a patch on trial fails, as a sentence from facts read after it was applied; empty if it passes."""
    if read.is_unreachable:
        return "The host cannot be reached."
    try:
        facts = read_facts(read, patch_name)
    except DataError as error:
        return f"Its facts are not valid: {error}"
    new = [trouble for trouble in facts.baseline.trouble if trouble not in host.baseline.trouble]
    trouble = f"The kernel has had {' and '.join(new)} since." if new else ""
    return _other_kernel(host, facts) or trouble or _flaw(facts) or flaw_of(facts.build, host.build)


def _other_kernel(host: Host, facts: Facts) -> str:
    """That another kernel runs than before the trial, as a sentence; empty if none does."""
    if facts.kernel != host.kernel:
        return f"The running kernel is {facts.kernel or 'unknown'} and was {host.kernel or 'unknown'} before the trial."
    if facts.build_id != host.kernel_build_id:
        was = host.kernel_build_id or "unknown"
        return f"The build-id of the running kernel is {facts.build_id or 'unknown'} and was {was} before the trial."
    return ""


def _flaw(facts: Facts) -> str:
    """Why the patch is not effective, as a sentence; empty if it is."""
    if facts.unfinished:
        return facts.unfinished
    if facts.effective is None:
        return "The patch is not loaded any more."
    if facts.is_in_transition:
        return "The patch is in transition."
    if facts.effective == UNKNOWN:
        return "Whether its functions are live cannot be told."
    if facts.effective != "full":
        return "Not all of its functions are live."
    if facts.trouble_since is None:
        return "Whether the kernel has had trouble since the patch was proven cannot be told."
    return f"The kernel has had {' and '.join(facts.trouble_since)} since." if facts.trouble_since else ""


def fail(host: Host, task: str, result: Result, read: Result, patch_name: str) -> Host:
    """The host after a test of its patch has failed, `read` being the facts that were read last."""
    try:
        facts = read_facts(read, patch_name)
        new = {*facts.baseline.trouble, *(facts.trouble_since or ())}.difference(host.baseline.trouble)
    except DataError:
        new = set()
    is_untouchable = host.is_untouchable or not new.isdisjoint(GRAVE)
    return replace(host, problem=f"{task}: {result.why}", is_untouchable=is_untouchable)


def settle(host: Host, rollback: Result, is_check_mode: bool) -> Host:
    """The host after its rollback, or without one, with the status that it has at the end of the wave."""
    host = _with_kernel(_with_reboot(host, rollback), rollback)
    if rollback.is_skipped and host.is_untouchable and host.is_on_trial:
        return replace(host, status=Status.NOT_ROLLED_BACK, not_rolled_back=LEFT_ALONE, reboot_required=True)
    if rollback.is_bad:
        return replace(host, status=Status.NOT_ROLLED_BACK, not_rolled_back=rollback.why)
    if rollback.is_changed:
        return replace(host, status=Status.WOULD_BE_ROLLED_BACK if is_check_mode else Status.ROLLED_BACK)
    if not rollback.is_skipped:
        return replace(host, status=Status.AS_BEFORE)
    if host.is_on_trial:
        return replace(host, status=Status.WOULD_BE_ENABLED if is_check_mode else Status.ENABLED)
    if host.status is Status.HAS_FILE:
        return replace(host, status=Status.UNTOUCHED if host.is_due else Status.ENABLED_BEFORE)
    return host


def accept(host: Host, acceptance: Result) -> Host:
    """The host after its patch was accepted, or was not to be."""
    host = _with_reboot(host, acceptance)
    return replace(host, problem=acceptance.why) if acceptance.is_bad else host


def _with_reboot(host: Host, result: Result) -> Host:
    """The host, with the reboot that livepatch_module says it needs."""
    return replace(host, reboot_required=host.reboot_required or result.content.get("reboot_required") is True)


def _with_kernel(host: Host, result: Result) -> Host:
    """The host, with what livepatch_module says of whether its kernel may still be changed."""
    return replace(host, is_untouchable=host.is_untouchable or forbids_changes(result.content))


def _marked_baseline(mark_read: Result) -> Baseline | None:
    """The baseline in a mark; None without a mark. Raises DataError if the mark is damaged."""
    try:
        found = _BEFORE.search(base64.b64decode(str(mark_read.content.get("content") or ""), validate=True).decode())
        return _baseline(json.loads(found[1])) if found else None
    except (binascii.Error, ValueError, RecursionError, DataError) as error:
        raise DataError("The mark of the trial is damaged, so the state before the trial is unknown.") from error


def _baseline(data: t.Any) -> Baseline:
    baseline = Reader(data, "the baseline")
    return Baseline(baseline.flag("disabled"), baseline.texts("trouble"))
