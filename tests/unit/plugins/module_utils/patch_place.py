# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the tests of the builders of source patches share: a directory with a kernel's source, and builds in it."""

from __future__ import annotations

import json
import os
import pathlib
import types
import typing as t

from ansible_collections.openeuler.livepatch.plugins.module_utils._build.builder import BuildTask
from ansible_collections.openeuler.livepatch.plugins.module_utils._build.patch_builder import PatchRequest, origin
from ansible_collections.openeuler.livepatch.plugins.module_utils._system.progress import Reporter
from ansible_collections.openeuler.livepatch.tests.unit.plugins.module_utils.test_kpatch_request import checked


class Recorder(Reporter):
    """Keeps what a build reports."""

    def __init__(self) -> None:
        self.stages: list[str] = []
        self.lines: list[str] = []

    def stage(self, title: str) -> None:
        self.stages.append(title)

    def line(self, text: str) -> None:
        self.lines.append(text)


class PatchPlace:
    """A kernel's source and what belongs to it, in a directory. `requests` and `builder` are modules of a method."""

    requests: types.ModuleType
    builder: types.ModuleType
    patch: pathlib.Path

    def __init__(self, path: pathlib.Path) -> None:
        self.path = path
        self.source, self.cache, self.calls = path / "source", path / "cache", path / "calls"

    def run(self, command: list[str]) -> tuple[int, str, str]:
        raise NotImplementedError

    def request(self, **changes: t.Any) -> PatchRequest:
        raise NotImplementedError

    def prepare(self, **changes: t.Any) -> t.Any:
        return self.requests.prepare_build(self.request(**changes), self.run)

    def build(self, reporter: Reporter | None = None, **changes: t.Any) -> dict[str, t.Any]:
        build = self.prepare(**changes)
        assert build.problems == ()
        content = origin(build.request, keep=True)
        directory = self.path / f"made-{len(self.called())}"
        directory.mkdir()
        inputs = self.builder.inputs(build, content)
        manifest: dict[str, t.Any] = self.builder.build_module(
            build, content, inputs, str(directory), reporter or Reporter()
        )
        return manifest

    def task(self, **options: t.Any) -> BuildTask:
        """What a builder gets for a task with these options of livepatch_build."""
        options = {"patches": [str(self.patch)], "dest": f"{self.path}/out/", "cache_dir": str(self.cache), **options}
        return BuildTask(params=checked(options), check_mode=False, run=self.run, reporter=Reporter())

    def old_tree(self) -> pathlib.Path:
        """A tree in the cache that nobody has used for long."""
        path = self.cache / "trees" / ("1" * 16)
        path.mkdir(parents=True)
        (path / "lock").touch()
        os.utime(path / "lock", (0, 0))
        return path

    def called(self) -> list[dict[str, t.Any]]:
        """How the stand-in was called, call by call."""
        return [json.loads(line) for line in self.calls.read_text().splitlines()] if self.calls.exists() else []
