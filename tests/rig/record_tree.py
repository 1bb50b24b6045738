# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Record what the collection reads of a host, as one JSON document that unit tests unpack into a directory.

Usage: record_tree.py [OBJECT:FUNCTION...]
It runs on the host as root, with the standard library of Python 3.7, and prints the document:

    ssh HOST sudo python3 - vmlinux:cmdline_proc_show < tests/rig/record_tree.py > NAME.json

Long lists are recorded as excerpts: the lines that the collection looks for, and those of the functions and modules
that are named. tests/unit/plugins/module_utils/test_record_tree.py checks that the document has all that is read.
"""

from __future__ import annotations

import base64
import errno
import glob
import gzip
import json
import os
import re
import sys
import time
import typing as t

Plain = t.Dict[str, t.Any]

LIVEPATCH_TAINT = "K"

FILES = (
    "/boot/config-{release}",
    "/etc/systemd/system/sysinit.target.wants/openeuler-livepatch.service",
    "/etc/os-release",
    "/lib/modules/{release}/config",
    "/lib/modules/{release}/modules.builtin",
    "/lib/modules/{release}/modules.dep",
    "/proc/cmdline",
    "/proc/config.gz",
    "/proc/kallsyms",
    "/proc/keys",
    "/proc/livepatch/state",
    "/proc/meminfo",
    "/proc/self/status",
    "/proc/self/uid_map",
    "/proc/modules",
    "/proc/sys/kernel/ftrace_enabled",
    "/proc/sys/kernel/hung_task_panic",
    "/proc/sys/kernel/modules_disabled",
    "/proc/sys/kernel/osrelease",
    "/proc/sys/kernel/panic_on_oops",
    "/proc/sys/kernel/panic_on_warn",
    "/proc/sys/kernel/softlockup_panic",
    "/proc/sys/kernel/tainted",
    "/proc/sys/kernel/version",
    "/run/openeuler-livepatch/**",
    "/sys/firmware/efi/efivars/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c",
    "/sys/kernel/debug/kprobes/list",
    "/sys/kernel/debug/tracing/README",
    "/sys/kernel/debug/tracing/available_filter_functions",
    "/sys/kernel/debug/tracing/enabled_functions",
    "/sys/kernel/livepatch/**",
    "/sys/kernel/notes",
    "/sys/kernel/security/lockdown",
    "/sys/kernel/tracing/README",
    "/sys/kernel/tracing/available_filter_functions",
    "/sys/kernel/tracing/enabled_functions",
    "/sys/module/module/parameters/sig_enforce",
    "/usr/lib/os-release",
    "/usr/lib/syscare/patches/**",
    "/usr/local/lib/openeuler-livepatch/boot.pyz",
    "/var/lib/kpatch/{release}/**",
    "/var/lib/openeuler-livepatch/**",
)
"""Patterns of glob. The document omits what does not exist, and has the errno of what cannot be read."""

OF_A_PATCH = (
    "/sys/module/{patch}/notes/.note.gnu.build-id",
    "/sys/module/{patch}/refcnt",
    "/sys/module/{patch}/srcversion",
)
OF_A_TARGET = (
    "/sys/module/{target}",
    "/sys/module/{target}/notes/.note.gnu.build-id",
    "/sys/module/{target}/srcversion",
)
"""The files of a module that a patch changes."""

OF_A_TASK = ("{task}/comm", "{task}/patch_state", "{task}/stack", "{task}/stat")
"""The files of a task that takes part in a running transition."""

NAMES_ONLY = (".ko", ".pyz")
"""The document has only the names of files that end so."""

OPTIONS = re.compile(
    r"CONFIG_(\w*LIVEPATCH\w*|KALLSYMS\w*|DEBUG_INFO|SMP|PREEMPT\w*|MODULE_UNLOAD|MODVERSIONS|ARM64_MODULE_PLTS)\b"
)


class Recorder:
    """Reads one host, or a directory that looks like one."""

    def __init__(self, functions: t.Sequence[tuple[str, str]] = (), root: str = "/") -> None:
        self.root = root
        self.functions = functions
        self.release = (self._read("/proc/sys/kernel/osrelease") or b"").decode().strip()
        loaded = [line.split() for line in (self._read("/proc/modules") or b"").decode().splitlines()]
        self.patches = [line[0] for line in loaded if line[-1].startswith("(") and LIVEPATCH_TAINT in line[-1]]

    def record(self) -> Plain:
        """Return the document."""
        paths = sorted({path for pattern in self.patterns() for path in self._glob(pattern)})
        folders = [path for path in paths if os.path.isdir(self._path(path))]
        return {
            "release": self.release,
            "machine": os.uname().machine,
            "recorded_at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
            "functions": [":".join(function) for function in self.functions],
            # With the number of each: a module that is loaded again has another one.
            "directories": {path: os.stat(self._path(path)).st_ino for path in folders},
            "files": {path: self._file(path) for path in paths if path not in folders},
        }

    def patterns(self) -> t.Iterator[str]:
        for pattern in FILES:
            yield pattern.format(release=glob.escape(self.release))
        for patch in self.patches:
            yield f"/sys/module/{patch}"
            yield from (pattern.format(patch=patch) for pattern in OF_A_PATCH)
        for target in sorted({module for module, _name in self.functions} - {"vmlinux"}):
            yield from (pattern.format(target=target) for pattern in OF_A_TARGET)
        for task in self._glob("/proc/[0-9]*/task/[0-9]*") if self._in_transition() else ():
            if (self._read(f"{task}/patch_state") or b"-1").strip() != b"-1":
                yield from (pattern.format(task=task) for pattern in OF_A_TASK)

    def _in_transition(self) -> bool:
        running = self._glob("/sys/kernel/livepatch/*/transition")
        return any((self._read(path) or b"0").strip() == b"1" for path in running)

    def _path(self, path: str) -> str:
        return os.path.join(self.root, path.lstrip("/"))

    def _glob(self, pattern: str) -> list[str]:
        found = glob.glob(glob.escape(self.root.rstrip("/")) + pattern, recursive=True)
        return ["/" + os.path.relpath(path, self.root) for path in found if os.path.lexists(path)]

    def _read(self, path: str) -> bytes | None:
        try:
            with open(self._path(path), "rb") as stream:
                return stream.read()
        except OSError:
            return None

    def _file(self, path: str) -> Plain:
        if path.endswith(NAMES_ONLY):
            return {"text": ""}
        try:
            with open(self._path(path), "rb") as stream:
                content = stream.read()
        except OSError as error:
            return {"errno": errno.errorcode.get(error.errno or 0, str(error))}
        kind = "text"
        if path.endswith(".gz"):
            kind, content = "gzip", gzip.decompress(content)
        try:
            text = content.decode("ascii")
        except UnicodeDecodeError:
            return {"base64": base64.b64encode(content).decode()}
        excerpt = self._excerpt(path, text)
        return {kind: text} if excerpt is None else {kind: excerpt, "excerpt": True}

    def _excerpt(self, path: str, text: str) -> str | None:
        """The recorded lines of a long list; None for a file that is recorded as it is."""
        if path == "/proc/kallsyms":
            return self._symbols(text)
        if path.endswith("/available_filter_functions"):
            functions = {function for _name, function in self.functions}
            return _lines(text, lambda line: line.split()[0] in functions)
        if path.startswith("/lib/modules/") and "/modules." in path:
            names = {name for name, _function in self.functions}
            return _lines(text, lambda line: _module_name(line) in names)
        if "config" in os.path.basename(path):
            return _lines(text, lambda line: OPTIONS.search(line) is not None)
        return None

    def _symbols(self, text: str) -> str:
        """The symbols of live patching, of the functions and of their modules, with those at the next address."""
        functions = {function for _name, function in self.functions}
        modules = {f"[{name}]" for name, _function in self.functions}.union(f"[{patch}]" for patch in self.patches)
        kept, address = [], None
        for line in text.splitlines(keepends=True):
            fields = line.split()
            wanted = "klp_" in line or fields[2] in functions or (len(fields) > 3 and fields[3] in modules)
            if wanted or address is not None:
                kept.append(line)
            if wanted:
                address = fields[0]
            elif fields[0] != address:
                address = None
        return "".join(kept)


def _lines(text: str, wanted: t.Callable[[str], bool]) -> str:
    return "".join(line for line in text.splitlines(keepends=True) if wanted(line))


def _module_name(line: str) -> str:
    """The name of the module in a line of modules.dep or modules.builtin."""
    return os.path.basename(line.split(":")[0].strip()).partition(".ko")[0].replace("-", "_")


def unpack(document: Plain, root: str) -> dict[str, int]:
    """Make the tree below a directory. Return the errno of each file that could not be read, by its path."""
    errors: dict[str, int] = {}
    for path in document["directories"]:
        os.makedirs(os.path.join(root, path.lstrip("/")), exist_ok=True)
    for path, file in document["files"].items():
        if "errno" in file:
            errors[path] = getattr(errno, file["errno"])
            continue
        target = os.path.join(root, path.lstrip("/"))
        os.makedirs(os.path.dirname(target), exist_ok=True)
        with open(target, "wb") as stream:
            stream.write(_content(file))
    return errors


def _content(file: Plain) -> bytes:
    if "base64" in file:
        return base64.b64decode(file["base64"])
    return gzip.compress(file["gzip"].encode()) if "gzip" in file else t.cast(str, file["text"]).encode()


def main() -> None:
    """Print the document of this host."""
    functions = [t.cast("tuple[str, str]", tuple(argument.split(":", 1))) for argument in sys.argv[1:]]
    json.dump(Recorder(functions).record(), sys.stdout, indent=1, sort_keys=True)
    sys.stdout.write("\n")


if __name__ == "__main__":
    main()
