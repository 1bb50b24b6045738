# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise is made to code outside of it.

"""What all builders use: their error, digests of files, and the manifest beside a result."""

from __future__ import annotations

import hashlib
import json
import os
import re
import typing as t

from ansible_collections.openeuler.livepatch.plugins.module_utils._model.findings import Finding, FindingError
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.patch_file import module_name
from ansible_collections.openeuler.livepatch.plugins.module_utils._system.durable import digest as digest_of_stream

MANIFEST_FORMAT = 1

Plain = t.Dict[str, t.Any]

Run = t.Callable[[t.List[str]], t.Tuple[int, str, str]]
"""Runs a command: its exit status, standard output and standard error. A program that is missing is status 127."""

MAKE_VARIABLES = (
    "ARCH",
    "CROSS_COMPILE",
    "LLVM",
    "LLVM_IAS",
    "KCFLAGS",
    "KAFLAGS",
    "CFLAGS_KERNEL",
    "AFLAGS_KERNEL",
    "CFLAGS_MODULE",
    "AFLAGS_MODULE",
    "LDFLAGS_MODULE",
)
"""What the kernel's makefiles take from the environment that changes objects (Documentation/kbuild/kbuild.rst)."""


def inherited(names: t.Iterable[str]) -> dict[str, str]:
    """Those of the variables that the environment has, such as from a task's `environment`."""
    return {name: os.environ[name] for name in names if name in os.environ}


class BuildError(FindingError):
    """The build cannot be done, or failed. `details` go into the result as they are."""

    def __init__(self, finding: Finding, **details: t.Any) -> None:
        super().__init__(finding)
        self.details = details


def read_text(path: str) -> str | None:
    """The content of a file, or None if it cannot be read."""
    try:
        with open(path, encoding="utf-8", errors="replace") as stream:
            return stream.read()
    except OSError:
        return None


def digest(path: str) -> str | None:
    """The SHA-256 of a file, or None if it cannot be read."""
    try:
        with open(path, "rb") as stream:
            return digest_of_stream(stream)
    except OSError:
        return None


def digest_of(value: t.Any) -> str:
    """The SHA-256 of plain data."""
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()


def place(dest: str, name: str) -> str:
    """The path of the result: in a directory, or the file that the user names, which must be named like the module."""
    if os.path.isdir(dest) or dest.endswith("/"):
        return os.path.join(dest, name + ".ko")
    if module_name(dest) != module_name(name) or not dest.endswith(".ko"):
        raise BuildError(
            Finding(
                reason="bad_dest",
                seen=f"dest {dest} is neither a directory nor a file named {name}.ko.",
                remedy="Correct dest or name.",
            ),
        )
    return dest


def manifest_path(dest: str) -> str:
    return dest + ".json"


def read_manifest(path: str) -> Plain | None:
    """The manifest of an earlier build; None if there is none, or one that cannot be understood."""
    try:
        manifest = json.loads(read_text(path) or "")
    except ValueError:
        return None
    return manifest if isinstance(manifest, dict) and manifest.get("format") == MANIFEST_FORMAT else None


def is_built_from(dest: str, manifest: Plain | None, wanted: Plain) -> bool:
    """Whether the result that lies there was made from exactly what would be built now."""
    if manifest is None or manifest.get("inputs") != wanted:
        return False
    return bool(manifest.get("sha256") == digest(dest))


_COMPILER_ERROR = re.compile(
    r"^(?P<file>[^\s:][^:\n]*):(?P<line>\d+):(?:(?P<column>\d+):)? (?:fatal )?error: (?P<message>.*)$", re.M
)


def parse_errors(output: str) -> list[Plain]:
    """The compiler's errors: file, line, column (None if not given) and message."""
    return [
        {
            "file": match.group("file"),
            "line": int(match.group("line")),
            "column": int(match.group("column")) if match.group("column") else None,
            "message": match.group("message"),
        }
        for match in _COMPILER_ERROR.finditer(output)
    ]


def compile_error(errors: t.Sequence[Plain], remedy: str, **details: t.Any) -> BuildError:
    """The error for what the compiler said, of which there is at least one."""
    first = "{file}:{line}: {message}".format(**errors[0])
    more = f" (and {len(errors) - 1} more)" if len(errors) > 1 else ""
    return BuildError(
        Finding(reason="compile_error", seen=f"The compiler says: {first}{more}.", remedy=remedy),
        errors=errors,
        **details,
    )


def describe(manifest: Plain | None) -> str:
    """What --diff shows of a build: the digests of all that went into it."""
    if manifest is None:
        return "none\n"
    lines = ["sha256: {}".format(manifest.get("sha256", "(not built yet)"))]
    lines += [f"{key}: {value}" for key, value in _flat(manifest["inputs"])]
    return "".join(line + "\n" for line in lines)


def _flat(value: t.Mapping[str, t.Any], before: str = "") -> t.Iterator[tuple[str, t.Any]]:
    for key in sorted(value):
        if isinstance(value[key], dict):
            yield from _flat(value[key], f"{before}{key} ")
        else:
            yield before + key, value[key]
