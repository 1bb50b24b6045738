# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""livepatch_report runs on the controller only, because the facts of all hosts are there."""

from __future__ import annotations

import functools
import os
import re
import typing as t
from collections.abc import Mapping
from datetime import datetime, timezone

from ansible.plugins.action import ActionBase
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.findings import (
    Finding,
    FindingError,
    failure_of,
)
from ansible_collections.openeuler.livepatch.plugins.plugin_utils._arguments import check_arguments
from ansible_collections.openeuler.livepatch.plugins.plugin_utils._fleet.answers import answers_of
from ansible_collections.openeuler.livepatch.plugins.plugin_utils._fleet.arguments import LIVEPATCH_REPORT
from ansible_collections.openeuler.livepatch.plugins.plugin_utils._fleet.as_csaf import as_csaf
from ansible_collections.openeuler.livepatch.plugins.plugin_utils._fleet.as_csv import (
    MOST_ROWS,
    as_csv,
    is_too_long,
)
from ansible_collections.openeuler.livepatch.plugins.plugin_utils._fleet.as_html import as_html
from ansible_collections.openeuler.livepatch.plugins.plugin_utils._fleet.as_json import (
    as_history,
    as_json,
    summary_of,
)
from ansible_collections.openeuler.livepatch.plugins.plugin_utils._fleet.as_openvex import as_openvex
from ansible_collections.openeuler.livepatch.plugins.plugin_utils._fleet.as_prometheus import as_prometheus
from ansible_collections.openeuler.livepatch.plugins.plugin_utils._fleet.changes import with_earlier
from ansible_collections.openeuler.livepatch.plugins.plugin_utils._fleet.earlier import (
    Earlier,
    Point,
    read_earlier,
    read_point,
)
from ansible_collections.openeuler.livepatch.plugins.plugin_utils._fleet.labels import MOST_VARIABLES
from ansible_collections.openeuler.livepatch.plugins.plugin_utils._fleet.model import Fleet, fleet_of
from ansible_collections.openeuler.livepatch.plugins.plugin_utils._fleet.reader import DataError, printable, time_of
from ansible_collections.openeuler.livepatch.plugins.plugin_utils._fleet.releases import (
    Release,
    Source,
    read_releases,
)
from ansible_collections.openeuler.livepatch.plugins.plugin_utils._fleet.vex import Statements, publisher_of, state
from ansible_collections.openeuler.livepatch.plugins.plugin_utils._local_file import content_of, diff_of, replace_file
from ansible_collections.openeuler.livepatch.plugins.plugin_utils._rollout.given import ReleaseError, release_trouble
from ansible_collections.openeuler.livepatch.plugins.plugin_utils._rollout.release_file import load_yaml, release_path

Result = dict[str, t.Any]

WRITERS: dict[str, tuple[str, t.Callable[[Fleet], str | bytes]]] = {
    "json": ("livepatch.json", as_json),
    "prometheus": ("livepatch.prom", as_prometheus),
    "csv": ("livepatch.csv", as_csv),
    "html": ("livepatch.html", as_html),
}

STATING: dict[str, tuple[str, t.Callable[[Statements], str]]] = {
    "openvex": ("livepatch.openvex.json", as_openvex),
    "csaf": ("livepatch.csaf.json", as_csaf),
}
"""The formats that are a publisher's statements."""

Writer = tuple[str, t.Callable[[], "str | bytes"]]

VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)


class ReportError(FindingError):
    """The report cannot be made."""

    def __init__(self, *, reason: str, cause: str, remedy: str) -> None:
        # Paths, and what a parser quotes of a file, are data.
        super().__init__(Finding(reason=reason, seen=printable(cause), remedy=remedy))


class ActionModule(ActionBase):
    _supports_check_mode = True
    _requires_connection = False

    def run(self, tmp: str | None = None, task_vars: dict[str, t.Any] | None = None) -> Result:
        result: Result = super().run(tmp, task_vars)
        try:
            arguments = check_arguments(self, "livepatch_report", LIVEPATCH_REPORT)
            result.update(self._report(arguments, task_vars or {}))
        except FindingError as error:
            result.update(failure_of(error.finding))
        return result

    def _report(self, arguments: dict[str, t.Any], task_vars: dict[str, t.Any]) -> Result:
        now = _now(arguments["now"])
        _check_given(arguments["releases"], task_vars)
        releases = _releases(arguments["releases"])
        variables = _variables(arguments["host_variables"])
        earlier = _earlier(arguments["previous"]) if arguments["previous"] else None
        answers = answers_of(task_vars, arguments["hosts"], arguments["registered"], variables)
        fleet = fleet_of(answers, releases, now, arguments["max_age"], variables)
        history = arguments["history"] and os.path.abspath(arguments["history"])
        fleet = with_earlier(fleet, earlier, self._points(history) if history else None)
        paths, diffs = {}, []
        for kind, (name, write) in _writers(fleet, arguments).items():
            paths[kind] = os.path.join(os.path.abspath(arguments["dest"]), name)
            diffs += self._put(paths[kind], write(), "dest")
        if "csv" in paths and is_too_long(fleet):
            self._display.warning(
                f"{paths['csv']} would have more rows than a spreadsheet can hold. Those of fixes that protect their "
                f"host are left out, and what is more than {MOST_ROWS} rows."
            )
        if history:
            name = f"livepatch-{now.year:04}{now.strftime('%m%dT%H%M%SZ')}.json"
            diffs += self._put(os.path.join(history, name), as_history(fleet), "history")
        result: Result = {"changed": bool(diffs), "paths": paths, "summary": summary_of(fleet)}
        if self._task.diff:
            result["diff"] = diffs
        return result

    def _points(self, history: str) -> list[Point]:
        """The counts of the reports in the directory. A file that is none is left out, with a warning."""
        points = []
        try:
            names = sorted(os.listdir(history))
        except FileNotFoundError:
            return []
        except OSError as error:
            raise _unreadable("history", history, error) from error
        for path in (os.path.join(history, name) for name in names if name.endswith(".json")):
            try:
                points.append(read_point(_text_of(path, "history") or "", path))
            except (DataError, ReportError) as error:
                self._display.warning(f"history: {printable(str(error))}")
        return points

    def _put(self, path: str, content: str | bytes, option: str) -> list[Result]:
        """Write the file unless it has this content already. Return the diff if it had not."""
        new = content if isinstance(content, bytes) else content.encode()
        try:
            old = content_of(path)
            if old == new:
                return []
            if not self._task.check_mode:
                replace_file(path, new)
        except OSError as error:
            raise ReportError(
                reason="not_written",
                cause=f"{path} cannot be written: {error.strerror}.",
                remedy=f"Give {option} a directory that the user who runs Ansible may write to.",
            ) from error
        return [diff_of(path, old or b"", new)]


def _writers(fleet: Fleet, arguments: dict[str, t.Any]) -> dict[str, Writer]:
    """The name of the file of each format, and what writes its text. Raises FindingError before anything is written."""
    kinds = dict.fromkeys(arguments["formats"])
    found: dict[str, Writer] = {}
    stated = None
    if not STATING.keys().isdisjoint(kinds):
        stated = state(fleet, publisher_of(arguments["publisher"]), arguments["product"] == "package")
    for kind in kinds:
        if stated and kind in STATING:
            name, write_stated = STATING[kind]
            found[kind] = (name, functools.partial(write_stated, stated))
        else:
            name, write = WRITERS[kind]
            found[kind] = (name, functools.partial(write, fleet))
    return found


def _earlier(path: str) -> Earlier | None:
    """The report before; None if there is no such file, as for the first report. Raises ReportError."""
    try:
        text = _text_of(path, "previous")
        return None if text is None else read_earlier(text, path)
    except DataError as error:
        raise ReportError(
            reason="bad_previous",
            cause=str(error),
            remedy="Give previous the livepatch.json of an earlier report.",
        ) from error


def _text_of(path: str, option: str) -> str | None:
    """What is in the file; None if there is none. Raises ReportError, and DataError if it is no text."""
    try:
        content = content_of(path)
        return None if content is None else content.decode()
    except OSError as error:
        raise _unreadable(option, path, error) from error
    except UnicodeDecodeError as error:
        raise DataError(f"{path} is not UTF-8.") from error


def _unreadable(option: str, path: str, error: OSError) -> ReportError:
    return ReportError(
        reason="bad_previous",
        cause=f"{path} cannot be read: {error.strerror}.",
        remedy=f"Give {option} what the user who runs Ansible may read.",
    )


def _now(text: str | None) -> datetime:
    if not text:
        return datetime.now(timezone.utc).replace(microsecond=0)
    try:
        return time_of(text)
    except ValueError as error:
        raise ReportError(
            reason="bad_time",
            cause=f"now is {text}, which is not a time.",
            remedy="Write it like 2026-11-25T07:33:31Z, in UTC.",
        ) from error


def _variables(names: list[str]) -> list[str]:
    """The names, each once: they become names of columns and labels. Raises ReportError."""
    if len(set(names)) > MOST_VARIABLES or not all(VARIABLE.fullmatch(name) for name in names):
        raise ReportError(
            reason="bad_argument",
            cause=f"host_variables is {', '.join(names)}.",
            remedy=f"List at most {MOST_VARIABLES} names of variables: letters, digits and underscores.",
        )
    return list(dict.fromkeys(names))


def _check_given(entries: list[t.Any], variables: Mapping[str, t.Any]) -> None:
    error = None if entries else release_trouble(variables.keys())
    if error:
        raise ReportError(reason=error.reason, cause=error.cause, remedy=error.remedy)


def _releases(entries: list[t.Any]) -> tuple[Release, ...]:
    try:
        return read_releases(_source(entry) for entry in entries)
    except DataError as error:
        raise ReportError(
            reason="bad_release",
            cause=str(error),
            remedy="List releases that the role build has written, each of them once.",
        ) from error


def _source(entry: t.Any) -> Source:
    """Where the release is from, and its data."""
    if isinstance(entry, Mapping):
        fix = entry.get("fix")
        return Source(f"the release {fix.get('id', '') if isinstance(fix, Mapping) else ''}".rstrip(), entry)
    path = release_path(str(entry))
    try:
        return Source(path, load_yaml(path), path)
    except ReleaseError as error:
        raise ReportError(reason=error.reason, cause=error.cause, remedy=error.remedy) from error
