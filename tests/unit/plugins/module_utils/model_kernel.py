# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A model of a per_task kernel, named so: it has the calls of C(_apply.Kernel) and no more behaviour than they need."""

from __future__ import annotations

import dataclasses
import errno

from ansible_collections.openeuler.livepatch.plugins.module_utils import _host
from ansible_collections.openeuler.livepatch.plugins.module_utils._patch_file import PatchFile
from ansible_collections.openeuler.livepatch.plugins.module_utils._snapshot import (
    PER_TASK,
    Function,
    Holder,
    LoadedPatch,
    Snapshot,
)

RELEASE = "6.12.48-amd64"

HOLDER = Holder(42, 42, "sleep", ("hrtimer_nanosleep+0x9d/0x120", "do_syscall_64+0x82/0x190"))


def patch_file(name="fix", content="1", **changes):
    """A patch file; another content has another build-id and digest."""
    values = {
        "path": name + ".ko",
        "name": name,
        "sha256": "sha-" + name + content,
        "size": 1000,
        "machine": "x86_64",
        "vermagic": RELEASE + " SMP preempt mod_unload modversions ",
        "abi": PER_TASK,
        "builder": "hand-written",
        "build_id": "id-" + name + content,
        "functions": (Function("vmlinux", "cmdline_proc_show", 1),),
        "replace": False,
    }
    values.update(changes)
    return PatchFile(**values)


def loaded(file, enabled=True, **changes):
    """The patch of this file, as loaded."""
    values = {
        "name": file.name,
        "enabled": enabled,
        "replace": file.replace,
        "functions": file.functions if enabled else (),
        "identity": dataclasses.replace(file.identity, sha256=None),
        "taint": "OEK",
    }
    values.update(changes)
    return LoadedPatch(**values)


def snapshot(*patches, **changes):
    """A host with these patches."""
    values = {
        "release": RELEASE,
        "machine": "x86_64",
        "abi": PER_TASK,
        "patches": tuple(patches),
        "modules": frozenset(["ext4"] + [patch.name for patch in patches]),
        "taint": 0,
    }
    values.update(changes)
    return Snapshot(**values)


class ModelLog:
    def __init__(self):
        self.lines = []

    def new_lines(self):
        lines, self.lines = tuple(self.lines), []
        return lines


class ModelKernel:
    """A per_task kernel. Transitions of patches in C(stall) do not end, C(fail) maps calls to errnos."""

    def __init__(self, root, *patches, stall=(), fail=None, busy_unloads=0):
        self.root = str(root)
        self.patches = list(patches)
        self.stall = set(stall)
        self.fail = dict(fail or {})
        self.busy_unloads = busy_unloads
        self.log = ModelLog()
        self.calls = []
        self.files_by_path = {}
        self.clock = 0.0

    def add_file(self, path, file):
        self.files_by_path[path] = file

    def files(self):
        return _host.Files(self.root)

    def snapshot(self):
        return snapshot(*self.patches)

    def load(self, path, sha256):
        self._call("load", path)
        file = self.files_by_path[path]
        assert file.sha256 == sha256
        if any(patch.name == file.name for patch in self.patches):
            raise OSError(errno.EEXIST, "File exists")
        if file.replace:
            self.patches = [dataclasses.replace(patch, enabled=False, functions=()) for patch in self.patches]
        self.patches.append(loaded(file, in_transition=file.name in self.stall))

    def unload(self, name):
        self._call("unload", name)
        if self.busy_unloads or self._patch(name).enabled:
            self.busy_unloads = max(0, self.busy_unloads - 1)
            raise OSError(errno.EAGAIN, "Resource temporarily unavailable")
        self.patches = [patch for patch in self.patches if patch.name != name]

    def write_enabled(self, name, value):
        self._call("enable" if value else "disable", name)
        patch = self._patch(name)
        if patch.enabled == value:
            raise OSError(errno.EINVAL, "Invalid argument")
        # Reversing a transition always ends here: the tasks that hold it never left the old side.
        moving = name in self.stall and not patch.in_transition
        self._replace(dataclasses.replace(patch, enabled=value, in_transition=moving))

    def transition_target(self, name):
        patch = next((patch for patch in self.patches if patch.name == name), None)
        return patch.enabled if patch and patch.in_transition else None

    def holders(self, enabling):
        return (HOLDER,)

    def now(self):
        return self.clock

    def sleep(self, seconds):
        self.clock += seconds

    def _call(self, operation, name):
        self.calls.append(operation + " " + name)
        if operation in self.fail:
            number, line = self.fail.pop(operation)
            self.log.lines.append(line)
            raise OSError(number, "")

    def _patch(self, name):
        return next(patch for patch in self.patches if patch.name == name)

    def _replace(self, changed):
        self.patches = [changed if patch.name == changed.name else patch for patch in self.patches]
