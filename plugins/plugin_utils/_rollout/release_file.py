# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise is made to code outside of it.

"""Reads a release from its file on the controller, or from a variable."""

from __future__ import annotations

import os
import re
import typing as t
from collections.abc import Collection
from dataclasses import asdict, dataclass

import yaml
from ansible_collections.openeuler.livepatch.plugins.plugin_utils._fleet.reader import DataError
from ansible_collections.openeuler.livepatch.plugins.plugin_utils._fleet.releases import FORMAT, Release, read_release
from ansible_collections.openeuler.livepatch.plugins.plugin_utils._rollout.given import (
    FIX,
    KEY,
    ReleaseError,
    not_given,
    refuse_variables,
)
from ansible_collections.openeuler.livepatch.plugins.plugin_utils._yaml_text import UNSAFE

FILE_NAME = "release.yml"
_MODULE_NAME = re.compile(r"[A-Za-z0-9_]+")


class _Loader(yaml.SafeLoader):
    """Reads plain data. No text is rendered here, so that the tag for this says nothing."""


def _text(loader: yaml.SafeLoader, node: yaml.Node) -> t.Any:
    return loader.construct_scalar(t.cast(yaml.ScalarNode, node))


_Loader.add_constructor(UNSAFE, _text)


@dataclass(frozen=True)
class Found:
    """A release and the folder on the controller that its files are in."""

    release: Release
    folder: str


def find_release(file: str | None, data: t.Any, variables: Collection[str] = ()) -> Found:
    """The release in the file or in the data, of which one is given. Raises ReleaseError.

    `variables` are the names of all variables: they show in which other way a release may have been given.
    """
    refuse_variables(variables)
    if file and data:
        raise ReleaseError(
            reason="bad_argument",
            cause="A release is given twice, as a file and as a variable.",
            remedy="Give only livepatch_release_file.",
        )
    if file:
        path = release_path(file)
        content = load_yaml(path)
        if not isinstance(content, dict) or KEY not in content:
            raise _not_a_release(path, content)
        return Found(check_release(content, path), os.path.dirname(path))
    if data:
        return Found(check_release(data, "the release"), os.getcwd())
    raise not_given(variables)


def release_data(release: Release) -> dict[str, t.Any]:
    """The release as plain data, as it is in its file."""
    return {
        "format": FORMAT,
        "fix": {"id": release.id, "title": release.title, "severity": release.severity, "cves": list(release.cves)},
        "name": release.name,
        "supersedes": list(release.supersedes),
        "fixed_in": list(release.fixed_in),
        "end_of_life": release.end_of_life and release.end_of_life.isoformat(),
        "files": [asdict(file) for file in release.files],
    }


def release_builds(release: Release) -> list[dict[str, t.Any]]:
    """What tells the builds of the release's files, as livepatch_module takes it."""
    keys = ("sha256", "build_id", "srcversion", "parameters")
    builds = ({key: getattr(file, key) for key in keys} for file in release.files)
    return [{key: value for key, value in build.items() if value is not None} for build in builds]


def release_path(file: str) -> str:
    """The absolute path of a release's file. `file` is the path of the file or of its folder."""
    path = os.path.abspath(os.path.expanduser(file))
    return os.path.join(path, FILE_NAME) if os.path.isdir(path) else path


def load_yaml(path: str) -> t.Any:
    """The content of a YAML file. Raises ReleaseError."""
    if os.path.exists(path) and not os.path.isfile(path):
        # Reading a pipe would not end.
        raise ReleaseError(
            reason="bad_release",
            cause=f"{path} is not a file.",
            remedy="Give the path of a release.yml on the controller, or of its folder.",
        )
    try:
        with open(path, encoding="utf-8") as handle:
            return yaml.load(handle, Loader=_Loader)  # A SafeLoader.
    except OSError as error:
        raise ReleaseError(
            reason="no_such_release",
            cause=f"{path} cannot be read: {error.strerror}.",
            remedy="Give the path of a release.yml on the controller, or of its folder.",
        ) from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ReleaseError(
            reason="bad_release",
            cause=f"{path} is not YAML{_place(error)}.",
            remedy="Give the release.yml that the role build has written, unchanged.",
        ) from error


def _not_a_release(path: str, content: t.Any) -> ReleaseError:
    if isinstance(content, dict) and FIX in content:
        return ReleaseError(
            reason="bad_release",
            cause=f"{path} is a fix and not a release.",
            remedy="Build it with the playbook build, and give the release.yml that this writes.",
        )
    return ReleaseError(
        reason="bad_release",
        cause=f"{path} is not a release: it has no key {KEY}.",
        remedy="Give the release.yml that the role build has written.",
    )


def _place(error: Exception) -> str:
    mark = getattr(error, "problem_mark", None)
    return f": line {mark.line + 1}, column {mark.column + 1}" if mark else ""


def check_release(data: t.Any, source: str) -> Release:
    """The release in the data, with a path and a digest for each file. Raises ReleaseError.

    The role makes paths of the name and of the paths, so both are checked.
    """
    try:
        release = read_release(data, source)
        for name in (release.name, *(file.name for file in release.files if file.name)):
            if not _MODULE_NAME.fullmatch(name):
                raise DataError(f"{source} has a name that is not one of a kernel module.")
        for file in release.files:
            for key, value in (("path", file.path), ("sha256", file.sha256)):
                if not value:
                    raise DataError(f"{source} has no {key} for the kernel {file.kernel_release}.")
            if os.path.isabs(file.path or "") or ".." in (file.path or "").split("/"):
                raise DataError(f"{source} has a path that leads out of its folder.")
    except DataError as error:
        raise ReleaseError(
            reason="bad_release", cause=_sentence(error), remedy="Build the release again with the role build."
        ) from error
    return release


def _sentence(error: DataError) -> str:
    text = str(error)
    return text[:1].upper() + text[1:]
