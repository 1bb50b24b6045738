# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise is made to code outside of it.

"""Builds a hand-written live patch module with the kernel's build system.

Content decides whether a build is needed. The manifest beside the result has the digests of all inputs: sources, the
headers that the compiler read, configuration, symbol versions, compiler and flags.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import typing as t
from dataclasses import dataclass
from dataclasses import replace as with_changes

from ansible_collections.openeuler.livepatch.plugins.module_utils._build import words
from ansible_collections.openeuler.livepatch.plugins.module_utils._build._failures.explain import (
    Failed,
    explain_failure,
)
from ansible_collections.openeuler.livepatch.plugins.module_utils._build._failures.stages import Stage
from ansible_collections.openeuler.livepatch.plugins.module_utils._build.builder import (
    Builder,
    BuildError,
    BuildTask,
    Run,
    missing,
    result_path,
)
from ansible_collections.openeuler.livepatch.plugins.module_utils._build.content import Plain, digest, read_text
from ansible_collections.openeuler.livepatch.plugins.module_utils._build.environment import MAKE_VARIABLES, inherited
from ansible_collections.openeuler.livepatch.plugins.module_utils._build.kernel_places import build_tree_of
from ansible_collections.openeuler.livepatch.plugins.module_utils._build.kernel_source import (
    build_id_in_tree,
    read_config,
)
from ansible_collections.openeuler.livepatch.plugins.module_utils._build.manifest import MANIFEST_FORMAT
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.findings import Finding
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.patch_file import (
    NAME_RULE,
    is_module_name,
)
from ansible_collections.openeuler.livepatch.plugins.module_utils._observe.config import parse_config
from ansible_collections.openeuler.livepatch.plugins.module_utils._observe.running_kernel import own_release
from ansible_collections.openeuler.livepatch.plugins.module_utils._patch_file.reader import (
    PatchFileError,
    read_patch_file,
)

# Files of a kernel build tree that decide what a module looks like, besides headers. A tree may lack some.
TREE_FILES = (
    ".config",
    "include/config/auto.conf",
    "include/config/kernel.release",
    "Module.symvers",
    "scripts/module.lds",
)


@dataclass(frozen=True)
class Cross:
    """The architecture to build for, as kbuild names it (`arm64`), and the prefix of its compiler; None: the host's."""

    arch: str | None = None
    prefix: str | None = None

    @property
    def arguments(self) -> list[str]:
        arguments = [f"ARCH={self.arch}"] if self.arch else []
        return arguments + ([f"CROSS_COMPILE={self.prefix}"] if self.prefix else [])


@dataclass(frozen=True)
class Build:
    """What to build: name and sources of the module, build tree and release of the kernel, flags, path of the .ko.

    `kernel_build_id` is the build-id of the vmlinux in the tree; None where it has none, as a tree of headers alone.
    """

    name: str
    sources: tuple[str, ...]
    tree: str
    release: str
    cflags: tuple[str, ...]
    dest: str
    cross: Cross = Cross()
    kernel_build_id: str | None = None

    @property
    def forces_signatures(self) -> bool:
        config = read_config(os.path.join(self.tree, ".config"))
        return config is not None and config.forces_signatures


def prepare(task: BuildTask) -> Builder:
    """Read everything that the build needs. Raises BuildError."""
    params = task.params
    build = prepare_build(
        name=params["name"],
        sources=params["sources"],
        dest=params["dest"],
        tree=params["kernel_build"],
        release=params["kernel_release"],
        cflags=params["cflags"],
        cross=Cross(params["arch"], params["cross_compile"]),
    )
    return _KbuildBuilder(build, task.run)


class _KbuildBuilder:
    """Builds a hand-written live patch, as `livepatch_build` asks for it."""

    def __init__(self, build: Build, run: Run) -> None:
        self._build, self._run = build, run
        self.name, self.dest, self.release = build.name, build.dest, build.release
        self.forces_signatures = build.forces_signatures
        self.warnings: t.Sequence[str] = ()
        self.removed_trees: t.Sequence[Plain] = ()

    def check(self) -> None:
        """Do nothing: `prepare` has already raised BuildError for what is known to fail."""

    def inputs(self, manifest: Plain | None) -> Plain:
        known = manifest if manifest and manifest.get("method") == "kbuild" else {}
        compiler = (known.get("inputs") or {}).get("compiler") or {}
        return inputs(self._build, known.get("headers") or [], compiler.get("program", ""), self._run)

    def build_into(self, directory: str, inputs: Plain) -> Plain:
        return build_module(self._build, directory, self._run)


def prepare_build(
    *,
    name: str | None,
    sources: t.Sequence[str],
    dest: str,
    tree: str | None,
    release: str | None,
    cflags: t.Sequence[str],
    cross: Cross = Cross(),
) -> Build:
    """Check the inputs and complete them. Raises BuildError."""
    files = _expand(sources)
    name = (name or _default_name(files)).replace("-", "_")
    if not is_module_name(name):
        raise BuildError(
            Finding(reason="bad_name", seen=f"{name!r} is not the name of a kernel module.", remedy=NAME_RULE)
        )
    _check_sources(name, files)
    tree = os.path.realpath(tree or build_tree_of(release or own_release()))
    words.refuse_odd_words(words.PATH, "kernel_build", [tree])
    words.refuse_odd_words(words.FLAG, "cflags", cflags)
    words.refuse_odd_words(words.ARCHITECTURE, "arch", [cross.arch])
    words.refuse_odd_words(words.TARGET, "cross_compile", [cross.prefix])
    found = _check_tree(tree)
    if release and release != found:
        raise BuildError(
            Finding(
                reason="wrong_release",
                seen=f"{tree} is the build tree of kernel {found}, not of {release}.",
                remedy="Correct kernel_release or kernel_build.",
            ),
        )
    return Build(
        name=name,
        sources=tuple(files),
        tree=tree,
        release=found,
        cflags=tuple(cflags),
        dest=result_path(dest, name),
        cross=cross,
        kernel_build_id=build_id_in_tree(tree, found),
    )


def _expand(sources: t.Sequence[str]) -> list[str]:
    """The files, with each directory replaced by the .c and .h files in it, but for those that make has written."""
    files: list[str] = []
    for source in sources:
        if os.path.isdir(source):
            names = sorted(name for name in os.listdir(source) if name.endswith((".c", ".h")))
            files.extend(os.path.join(source, name) for name in names if not name.endswith(".mod.c"))
        else:
            files.append(source)
    return files


def _c_files(files: t.Iterable[str]) -> list[str]:
    return [path for path in files if path.endswith(".c")]


def _default_name(files: t.Sequence[str]) -> str:
    c_files = _c_files(files)
    if len(c_files) != 1:
        raise BuildError(
            Finding(reason="no_name", seen=f"There are {len(c_files)} .c files and no name.", remedy="Give name.")
        )
    return os.path.basename(c_files[0])[: -len(".c")]


def _check_sources(name: str, files: t.Sequence[str]) -> None:
    for path in files:
        if not os.path.isfile(path):
            raise BuildError(missing(f"The source {path}", "sources"))
        if not path.endswith((".c", ".h")):
            raise BuildError(
                Finding(reason="bad_source", seen=f"{path} is neither a .c nor a .h file.", remedy="Correct sources.")
            )
    bases = [os.path.basename(path) for path in files]
    words.refuse_odd_words(words.FILE_NAME, "sources", bases)
    twice = sorted({base for base in bases if bases.count(base) > 1})
    if twice:
        raise BuildError(
            Finding(reason="name_twice", seen=f"Several sources are named {twice[0]}.", remedy="Rename one of them.")
        )
    c_files = _c_files(bases)
    if not c_files:
        raise BuildError(Finding(reason="no_source", seen="There is no .c file to build.", remedy="Correct sources."))
    if len(c_files) > 1 and name + ".c" in c_files:
        # kbuild links NAME.o from the parts of the module, so no part can be NAME.o itself.
        raise BuildError(
            Finding(
                reason="name_is_source",
                seen=f"A module of several .c files cannot have the name of one of them, {name}.",
                remedy="Give another name, or rename that file.",
            ),
        )


def _check_tree(tree: str) -> str:
    """The release of the kernel that a build tree is for. Raises BuildError."""
    release = read_text(os.path.join(tree, "include/config/kernel.release"))
    config = read_text(os.path.join(tree, ".config")) or read_text(os.path.join(tree, "include/config/auto.conf"))
    if release is None or config is None or not os.path.isfile(os.path.join(tree, "Makefile")):
        raise BuildError(
            Finding(
                reason="no_build_tree",
                seen=f"{tree} on the build host {os.uname().nodename} is not a configured kernel build tree.",
                remedy="Install the development package (kernel-devel, linux-headers), or correct kernel_build.",
            ),
        )
    if parse_config(config).get("CONFIG_LIVEPATCH") != "y":
        raise BuildError(
            Finding(
                reason="no_livepatch",
                seen=f"The kernel of {tree} is configured without CONFIG_LIVEPATCH.",
                remedy="Build for a kernel that has it.",
            ),
        )
    return release.strip()


def inputs(build: Build, headers: t.Sequence[str], compiler: str, run: Run) -> Plain:
    """The digests of all that decides the result of the build, in plain types."""
    return {
        "name": build.name,
        "release": build.release,
        "kernel_build_id": build.kernel_build_id,
        "cflags": list(build.cflags),
        "cross": build.cross.arguments,
        "environment": inherited(MAKE_VARIABLES),
        "sources": {os.path.basename(path): digest(path) for path in build.sources},
        "tree": {name: digest(os.path.join(build.tree, name)) for name in TREE_FILES},
        "headers": _digest_of_all(headers),
        "compiler": {"program": compiler, "version": _compiler_version(compiler, run)},
    }


def _digest_of_all(paths: t.Sequence[str]) -> str:
    together = hashlib.sha256()
    for path in paths:
        together.update(f"{digest(path)} {path}\n".encode())
    return together.hexdigest()


def _compiler_version(program: str, run: Run) -> str:
    """The SHA-256 of what the compiler prints with `-v` (version, target, configuration); "" if it does not work."""
    rc, _out, err = run([program, "-v"]) if program else (1, "", "")
    return hashlib.sha256(err.encode()).hexdigest() if rc == 0 else ""


def build_module(build: Build, directory: str, run: Run) -> Plain:
    """Build in an empty directory, and return the manifest of NAME.ko there. Raises BuildError."""
    compiled = {}
    for source in build.sources:
        copy = os.path.join(directory, os.path.basename(source))
        shutil.copyfile(source, copy)
        compiled[os.path.basename(source)] = digest(copy)
    with open(os.path.join(directory, "Kbuild"), "w", encoding="utf-8") as stream:
        stream.write(_kbuild_file(build))
    # Without the map the result would contain the path of a temporary directory, and differ from build to build.
    flags = f"KCFLAGS=-ffile-prefix-map={directory}/="
    command = [
        "make",
        "-C",
        build.tree,
        "M=" + directory,
        flags,
        *build.cross.arguments,
        f"-j{os.cpu_count() or 1}",
        "modules",
    ]
    rc, out, err = run(command)
    if rc != 0:
        raise _build_failed(build, command, rc, out, err)
    result = os.path.join(directory, build.name + ".ko")
    try:
        patch_file = read_patch_file(result, build.dest)
    except PatchFileError as error:
        raise BuildError(error.finding, cmd=command, rc=rc, stdout=out, stderr=err) from error
    compiler, headers = _read_dependencies(build, directory)
    return {
        "format": MANIFEST_FORMAT,
        "method": "kbuild",
        "name": build.name,
        "abi": patch_file.abi,
        "release": build.release,
        "kernel_build_id": build.kernel_build_id,
        "vermagic": patch_file.vermagic,
        "replace": patch_file.replace,
        "sha256": patch_file.sha256,
        # The user may have changed the files by now.
        "inputs": {**inputs(build, headers, compiler, run), "sources": compiled},
        "headers": headers,
        "patch_file": with_changes(patch_file, kernel_build_id=build.kernel_build_id).to_dict(),
    }


def _kbuild_file(build: Build) -> str:
    objects = [os.path.basename(path)[: -len(".c")] + ".o" for path in _c_files(build.sources)]
    lines = [f"obj-m := {build.name}.o"]
    if objects != [build.name + ".o"]:
        lines.append("{}-y := {}".format(build.name, " ".join(objects)))
    lines.append("ccflags-y := {}".format(" ".join(build.cflags)))
    return "\n".join(lines) + "\n"


def _read_dependencies(build: Build, directory: str) -> tuple[str, list[str]]:
    """The compiler and the headers that kbuild used, from the .cmd files that it leaves beside its objects."""
    compiler, headers = "", set()
    for source in _c_files(build.sources):
        base = os.path.basename(source)[: -len(".c")]
        text = read_text(os.path.join(directory, f".{base}.o.cmd")) or ""
        compiler = compiler or parse_compiler(text)
        headers.update(parse_headers(text))
    paths = {os.path.normpath(os.path.join(build.tree, header)) for header in headers}
    return compiler, sorted(path for path in paths if not path.startswith(directory + os.sep) and os.path.isfile(path))


def parse_compiler(cmd_file: str) -> str:
    """The program in the `savedcmd_` line (`cmd_` before Linux 6.3) of a .cmd file."""
    match = re.search(r"^(?:saved)?cmd_\S+ :=\s+(?:ccache )?(\S+)", cmd_file, re.M)
    return match.group(1) if match else ""


def parse_headers(cmd_file: str) -> list[str]:
    """The headers in the `deps_` list of a .cmd file, without those of the configuration, `$(wildcard ...)`."""
    deps = cmd_file.partition("\ndeps_")[2].partition("\n\n")[0]
    return [word for word in deps.replace("\\\n", " ").split() if word.endswith(".h")]


def _build_failed(build: Build, command: list[str], rc: int, out: str, err: str) -> BuildError:
    details: Plain = {"cmd": command, "rc": rc, "stdout": out, "stderr": err}
    if rc == 127:
        return BuildError(
            Finding(
                reason="no_make",
                seen="The program make is not installed.",
                remedy="Install make and the kernel's compiler.",
            ),
            **details,
        )
    # The sources were compiled under other paths, and the operator looks for his own.
    err, out = (_with_original_paths(build, text) for text in (err, out))
    explained = explain_failure(Failed("make", rc, err, out, None, "the source", Stage.SOURCE))
    details.update(errors=explained.errors, log_lines=explained.lines, stage=str(explained.stage))
    return BuildError(explained.finding, **details)


def _with_original_paths(build: Build, text: str) -> str:
    original = {os.path.basename(path): path for path in build.sources}
    names = "|".join(map(re.escape, original))
    return re.sub(rf"^(?:[^\s:]*/)?({names})(?=:\d)", lambda found: original[found[1]], text, flags=re.M)
