# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Controller side of livepatch_module: reads the patch file, and sends it to the host.

A small file travels with the module, so that a change takes one round trip. A large one is sent only to a host that
asks for it. A change whose progress is shown runs as a job.
"""

from __future__ import annotations

import contextlib
import os
import time
import typing as t
from dataclasses import replace as with_changes
from functools import partial

from ansible.plugins.action import ActionBase
from ansible_collections.openeuler.livepatch.plugins.module_utils._manage.arguments import LIVEPATCH_MODULE
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.findings import (
    Finding,
    FindingError,
    failure_of,
)
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.fix import fix_in
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.patch_file import PatchFile
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.request import CONTAINED, OnStall, State
from ansible_collections.openeuler.livepatch.plugins.module_utils._patch_file.arguments import no_pyelftools
from ansible_collections.openeuler.livepatch.plugins.module_utils._patch_file.packed import pack
from ansible_collections.openeuler.livepatch.plugins.module_utils._patch_file.reader import (
    read_patch_file,
)
from ansible_collections.openeuler.livepatch.plugins.module_utils._system.hand_over import hand_over
from ansible_collections.openeuler.livepatch.plugins.plugin_utils._arguments import check_arguments, explained
from ansible_collections.openeuler.livepatch.plugins.plugin_utils._async import fix_async_dir
from ansible_collections.openeuler.livepatch.plugins.plugin_utils._download import is_url
from ansible_collections.openeuler.livepatch.plugins.plugin_utils._job import WatchedJob
from ansible_collections.openeuler.livepatch.plugins.plugin_utils._source_file import Source, open_checked
from ansible_collections.openeuler.livepatch.plugins.plugin_utils._untrusted import as_data
from ansible_collections.openeuler.livepatch.plugins.plugin_utils._vendor.signature import caution
from ansible_collections.openeuler.livepatch.plugins.plugin_utils._vendor.vendor_patch import CUMULATIVE

# read_patch_file imports this as well. The process that starts the workers loads this plugin, so that each of them need
# not import pyelftools anew. That it is missing is said where a file is read.
with contextlib.suppress(ImportError):
    from ansible_collections.openeuler.livepatch.plugins.module_utils._patch_file import module as _elf  # noqa: F401

MODULE = "openeuler.livepatch.livepatch_module"
# The length of a file as text. At 100 Mbit/s it takes 0.02 s. A second run of the module takes some 0.3 s: so this
# pays where a tenth of the tasks change something.
MOST_PACKED = 256 * 1024
WORTH_PACKING = 16 * MOST_PACKED

SLACK_SECONDS = 3600
"""How much longer than what its options allow a job may take: rolling back waits as well. Ansible ends it then."""

WAITING_SECONDS = 7 * 86400
"""How long a job may take with `on_stall: wait`."""

NO_RESULT = Finding(
    reason="no_result",
    seen="The job on the host ended without a result.",
    remedy="Look at the memory and the kernel log of the host: it may have run out of memory, or have rebooted. Run "
    "the task again, which rolls back what the job has left.",
)

Result = dict[str, t.Any]


def _carry_over(first: Result, result: Result) -> None:
    """Add what the first run tells, which may have rolled back an interrupted run."""
    actions, later = first.get("actions"), result.get("actions")
    if actions and isinstance(actions, list):
        result["actions"] = [*actions, *(later if isinstance(later, list) else ())]
    was, now = first.get("diff"), result.get("diff")
    if isinstance(was, dict) and isinstance(now, dict) and "before" in was:
        result["diff"] = {**now, "before": was["before"]}
    for key in ("findings", "warnings"):
        before, after = (each.get(key) for each in (first, result))
        if before and isinstance(before, list):
            later = [text for text in after if text not in before] if isinstance(after, list) else []
            result[key] = [*before, *later]
    if first.get("changed"):
        result["changed"] = True


def _warn(result: Result, warning: str) -> None:
    """Add a warning to what the host has answered, which may be anything."""
    told = result.get("warnings")
    result["warnings"] = [*told, warning] if isinstance(told, list) else [warning]


def _waits(arguments: Result) -> float:
    """For how many seconds the options let a task wait."""
    return float(arguments["timeout"] + arguments["retries"] * arguments["delay"] + arguments["watch"])


def _seconds_of_job(arguments: Result) -> int:
    if arguments["on_stall"] == OnStall.WAIT:
        return WAITING_SECONDS
    probe = arguments["probe"] or {"retries": 0, "timeout": 0}
    return int(2 * _waits(arguments) + (probe["retries"] + 1) * (probe["timeout"] + 1)) + SLACK_SECONDS


def _unexpanded(given: t.Any, expanded: str | None) -> str | None:
    """The option `src`: Ansible puts the values of environment variables into paths, and a URL is none."""
    return given if isinstance(given, str) and is_url(given) else expanded


def _too_short(async_val: int, arguments: Result) -> str | None:
    """A warning if Ansible would end the job while it still waits, as it may."""
    waits = _waits(arguments)
    if not async_val or async_val > waits:
        return None
    return (
        f"async is {async_val} s, and the task may wait for {waits:g} s (timeout, retries times delay, watch). Ansible "
        "ends it then in the middle of a change, which the next run rolls back. Set a longer async."
    )


def _pack(path: str) -> str | None:
    """The file as text; None if that is too long to travel with the module."""
    if os.path.getsize(path) > WORTH_PACKING:
        return None
    with open(path, "rb") as stream:
        text = pack(stream.read())
    return text if len(text) <= MOST_PACKED else None


class ActionModule(ActionBase):
    _supports_check_mode = True
    _supports_async = True
    _given: Result | None = None
    """The arguments for the module, if they are not those of the task alone."""
    _round_trips = 0
    _seconds_of_trips = 0.0
    _job_seconds = 0
    """How long a job may take that is watched; 0 for none."""

    def run(self, tmp: str | None = None, task_vars: dict[str, t.Any] | None = None) -> Result:
        result: Result = super().run(tmp, task_vars)
        try:
            arguments = check_arguments(self, MODULE, LIVEPATCH_MODULE)
            arguments["src"] = _unexpanded(self._task.args.get("src"), arguments["src"])
            # Check mode waits for nothing, and Ansible itself waits for an async task.
            if arguments["progress"] and not self._task.check_mode and not self._task.async_val:
                self._job_seconds = _seconds_of_job(arguments)
            if not arguments["src"] or arguments["remote_src"]:
                result.update(self._run_without_file(task_vars))
            else:
                result.update(self._run_with_file(task_vars, arguments))
            warning = _too_short(self._task.async_val, arguments)
            if warning:
                _warn(result, warning)
        except FindingError as error:
            result.update(failure_of(error.finding))
        if result.get("failed"):
            result.setdefault("reboot_required", False)
        if self._display.verbosity:
            self._add_trips(result)
        return explained(result)

    def _add_trips(self, result: Result) -> None:
        """Add to the seconds of the host what the controller sees of them."""
        # Here and not above: few tasks are timed.
        from ansible_collections.openeuler.livepatch.plugins.module_utils._apply.timed_kernel import PARTS

        on_host = result.get("seconds")
        if not isinstance(on_host, dict):
            return
        parts = {part: on_host[part] for part in PARTS if isinstance(on_host.get(part), float)}
        connecting = max(0.0, self._seconds_of_trips - sum(parts.values()))
        result["seconds"] = {"round_trips": self._round_trips, "connecting": round(connecting, 3), **parts}

    def _run_without_file(self, task_vars: dict[str, t.Any] | None) -> Result:
        return self._run_job(task_vars, {}) if self._job_seconds else self._run_module(task_vars)

    def _run_with_file(self, task_vars: dict[str, t.Any] | None, arguments: Result) -> Result:
        with open_checked(self, arguments["src"], arguments["checksum"]) as source:
            file = self._read(source)
            vendor = source.vendor_for(file.machine, file.release)
            if vendor and vendor.package:
                # What the task says counts for more: the module takes that.
                fix = fix_in({"id": vendor.package, "title": "", "severity": "", "cves": list(vendor.cves)})
                file = with_changes(file, fix=fix)
            if vendor and vendor.kind == CUMULATIVE:
                file = with_changes(file, sequence=vendor.sequence)
                if arguments["state"] == State.ENABLED:
                    self._given = {"supersedes": [CONTAINED], **self._task.args}
            result = self._run_with_source(task_vars, source.path, {"file": file.to_dict()})
        if vendor:
            result["vendor"] = as_data(vendor.to_dict())
            doubt = caution(vendor.signature, source.given)
            if doubt:
                _warn(result, doubt)
        return result

    def _run_with_source(self, task_vars: dict[str, t.Any] | None, path: str, read: Result) -> Result:
        if self._task.check_mode:
            return self._run_module(task_vars, read)
        if self._job_seconds:
            return self._run_job(task_vars, read, path)
        packed = _pack(path)
        if packed:
            return self._run_module(task_vars, dict(read, packed=packed))
        if self._task.async_val:
            # No action plugin runs any more when the job finds that it needs the file.
            return self._run_module(task_vars, dict(read, path=self._send(path)))
        result = self._run_module(task_vars, read)
        if result.get("needs_file"):
            first, result = result, self._run_module(task_vars, dict(read, path=self._send(path)))
            if result.pop("directory_removed", False):
                self._connection._shell.tmpdir = None
            _carry_over(first, result)
        return result

    def _run_job(self, task_vars: dict[str, t.Any] | None, read: Result, path: str | None = None) -> Result:
        """Show how a change goes. What changes nothing takes one round trip, and is no job."""
        result = self._run_module(task_vars, {**read, "only_if_settled": True})
        if not result.pop("needs_job", False):
            return result
        packed = _pack(path) if path else None
        file = {"packed": packed} if packed else {"path": self._send(path)} if path else {}
        job = WatchedJob(self, task_vars, partial(self._run_module, task_vars), NO_RESULT)
        result = job.run({**read, **file}, self._job_seconds)
        result.pop("directory_removed", None)  # Ansible removes the directory of a job on the host.
        return result

    def _read(self, source: Source) -> PatchFile:
        try:
            return read_patch_file(source.path, source.known_as)
        except ImportError as error:
            raise FindingError(no_pyelftools("to read src on the controller")) from error

    def _send(self, path: str) -> str:
        """Copy the file to the host's private temporary directory, which the module or Ansible removes later."""
        directory = self._connection._shell.tmpdir or self._make_tmp_path()
        remote = t.cast(str, self._connection._shell.join_path(directory, "patch.ko"))
        self._transfer_file(path, remote)
        self._fixup_perms2([directory, remote], execute=False)
        return remote

    def _run_module(
        self, task_vars: dict[str, t.Any] | None, handed_over: Result | None = None, as_job: bool = False
    ) -> Result:
        fix_async_dir(self)
        arguments = hand_over(self._given or self._task.args, handed_over or {})
        started = time.monotonic()
        result = self._execute_module(
            module_name=MODULE,
            module_args=arguments,
            task_vars=task_vars,
            wrap_async=as_job or self._task.async_val,
        )
        self._round_trips += 1
        self._seconds_of_trips += time.monotonic() - started
        return t.cast(Result, result)
