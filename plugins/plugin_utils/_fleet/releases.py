# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise is made to code outside of it.

"""Releases, as the role build writes them, for the report and the rollout."""

from __future__ import annotations

import typing as t
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime

from ansible_collections.openeuler.livepatch.plugins.module_utils._model.kernel_id import build_id_or_none
from ansible_collections.openeuler.livepatch.plugins.plugin_utils._fleet.reader import DataError, Reader, printable

FORMAT = 1
CONTAINED = "contained"
"""In `supersedes`: all patches that the patch contains."""


@dataclass(frozen=True)
class File:
    """A release's patch file for one kernel.

    `kernel_build_id` tells builds of one release from each other. `path` is relative to the folder of the release.
    `build_id` and `srcversion` are those of the patch. `parameters` are what the patch is loaded with, as the option of
    livepatch_module. `name` is that of the patch module, if the release has another one for each kernel, as those of
    the vendor. What the release does not say is `None`.
    """

    kernel_release: str
    machine: str | None = None
    sha256: str | None = None
    path: str | None = None
    kernel_build_id: str | None = None
    build_id: str | None = None
    srcversion: str | None = None
    parameters: dict[str, t.Any] | None = field(default=None, hash=False)
    name: str | None = None


@dataclass(frozen=True)
class Release:
    """A fix as it is rolled out: `id` is the fix, `name` its patch module, unless the file of a kernel has another.

    `path` is where it was read from, as it was given; empty if it was given as data. `end_of_life` is the day from
    which nobody builds it for new kernels, None if that is not known.
    """

    id: str
    name: str
    title: str = ""
    severity: str = ""
    cves: tuple[str, ...] = ()
    supersedes: tuple[str, ...] = ()
    fixed_in: tuple[str, ...] = ()
    files: tuple[File, ...] = ()
    path: str = ""
    end_of_life: date | None = None

    def on(self, kernel_release: str, machine: str) -> Release:
        """The release as a host with this kernel sees it: `name` is the patch module there."""
        named = next((file.name for file in self.files_for(kernel_release, machine) if file.name), None)
        return replace(self, name=named) if named else self

    def file_for(self, kernel_release: str, machine: str, build_id: str | None = None) -> File | None:
        """The file for this kernel, or None. An empty machine stands for any.

        Where the release has files for several builds of the kernel, `build_id` decides. A file that does not say for
        which build it is comes after one that does.
        """
        files = self.files_for(kernel_release, machine)
        if build_id:
            exact = [file for file in files if file.kernel_build_id == build_id]
            return next(iter(exact or [file for file in files if not file.kernel_build_id]), None)
        return files[0] if len({file.kernel_build_id for file in files}) == 1 else None

    def files_for(self, kernel_release: str, machine: str) -> list[File]:
        """The files for all builds of this kernel. An empty machine stands for any."""
        return [
            file
            for file in self.files
            if file.kernel_release == kernel_release and (not file.machine or not machine or file.machine == machine)
        ]

    def why_no_file(self, kernel_release: str, machine: str, build_id: str | None) -> str:
        """Why `file_for` returns None, as a sentence."""
        if not self.files_for(kernel_release, machine):
            return f"The release has no patch file for kernel {kernel_release}."
        if build_id:
            return f"The release has patch files for other builds of kernel {kernel_release}, not for {build_id}."
        return (
            f"The release has patch files for several builds of kernel {kernel_release}, and the build-id of the "
            "running one is not known."
        )

    def replaces(self, other: Release) -> bool:
        """Whether it contains the other release, by the name of its patch or by all of its CVEs."""
        if other.name in self.supersedes:
            return True
        return CONTAINED in self.supersedes and bool(other.cves) and set(other.cves) <= set(self.cves)


class Source(t.NamedTuple):
    """Where a release is from, as a name in messages, what is there, and its `path` if it is a file."""

    name: str
    data: t.Any
    path: str = ""


def read_releases(sources: t.Iterable[Source | tuple[str, t.Any]]) -> tuple[Release, ...]:
    """The releases by their id. Raises DataError."""
    releases: dict[str, Release] = {}
    for source, data, path in (Source(*source) for source in sources):
        release = replace(read_release(data, source), path=path)
        if release.id in releases:
            raise DataError(f"{source} is a second release with the id {release.id}.")
        releases[release.id] = release
    return tuple(releases[key] for key in sorted(releases))


def read_release(data: t.Any, source: str) -> Release:
    """The release in the data, with or without the key `livepatch_release` around it. Raises DataError."""
    release = Reader(data, source)
    if release.has("livepatch_release"):
        release = release.inner("livepatch_release")
    version = release.number("format")
    if version != FORMAT:
        raise DataError(f"{source} has the format {version}, and this collection reads the format {FORMAT}.")
    fix = release.inner("fix")
    return Release(
        id=fix.text("id"),
        name=kernel_name(release.text("name")),
        title=fix.text_or_none("title") or "",
        severity=fix.text_or_none("severity") or "",
        cves=tuple(sorted(set(fix.texts("cves")))),
        supersedes=tuple(kernel_name(name) for name in release.texts("supersedes")),
        fixed_in=release.texts("fixed_in"),
        files=tuple(_read_file(file) for file in release.each("files")),
        end_of_life=_read_day(release, "end_of_life"),
    )


def _read_day(release: Reader, key: str) -> date | None:
    """A day, which YAML makes of a text like 2027-06-30; None if there is none."""
    value = release.value(key)
    if value is None:
        return None
    # Ansible's own dates are of a subclass.
    if isinstance(value, date) and not isinstance(value, datetime):
        return date(value.year, value.month, value.day)
    text = release.text_or_none(key) if isinstance(value, str) else ""
    if not text:
        return _no_day(key) if value != "" else None
    try:
        return date.fromisoformat(text)
    except ValueError:
        return _no_day(key)


def _no_day(key: str) -> t.NoReturn:
    raise DataError(f"{key} of the release is not a day such as 2027-06-30.")


def _read_file(file: Reader) -> File:
    return File(
        kernel_release=file.text("kernel_release"),
        machine=file.text_or_none("machine"),
        sha256=file.text_or_none("sha256"),
        path=file.text_or_none("path"),
        kernel_build_id=_build_id(file, "kernel_build_id"),
        build_id=_build_id(file, "build_id"),
        srcversion=file.text_or_none("srcversion"),
        parameters=read_parameters(file.value("parameters")),
        name=_name_or_none(file),
    )


def read_parameters(value: t.Any) -> dict[str, t.Any] | None:
    """The parameters of a file, which livepatch_module compares with what the file itself says. Raises DataError.

    In plain containers: asdict() cannot copy those that Ansible 2.19 hands to filters.
    """
    if value is None:
        return None
    if not isinstance(value, Mapping):
        raise DataError("parameters of a file is not a dictionary.")
    for name, given in value.items():
        entries = given if isinstance(given, list) else [given]
        if not all(isinstance(entry, (str, int)) for entry in (name, *entries)):
            raise DataError("parameters of a file has a value that is neither a text, a number nor a list of these.")
        if any(isinstance(entry, str) and printable(entry) != entry for entry in (name, *entries)):
            raise DataError("parameters of a file has a character that cannot be printed.")
    return {str(name): list(given) if isinstance(given, list) else given for name, given in value.items()}


def _name_or_none(file: Reader) -> str | None:
    name = file.text_or_none("name")
    return kernel_name(name) if name else None


def _build_id(file: Reader, key: str) -> str | None:
    value = file.text_or_none(key)
    if value and not build_id_or_none(value):
        raise DataError(f"{key} of a file is not a build-id in hex.")
    return build_id_or_none(value)


def kernel_name(name: str) -> str:
    """The name of a module as the kernel spells it."""
    return name.replace("-", "_")
