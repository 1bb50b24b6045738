# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The kernel modules of the tests and the examples, compiled for each kind of kernel that they may run on."""

from __future__ import annotations

import re
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import cache
import processes
import roots
from cache import HERE, Entry
from commands import RigError, last_lines
from fetched import Fetched

CHECKOUT = HERE.parents[1]
SCRIPTS = HERE / "kernel_headers"
SOURCES = ("molecule/*/files/*.c", "examples/*/*.c", "tests/bench/*.c")
SHOW_PATCH = "molecule/stop_machine/files/show_patch.c"
FLAGS = re.compile(r"^  \w+: \[(-D[^]]*)\]$", re.MULTILINE)
VALUES = {"-DFIRST", "-DTEXT", "-DTEXT2"}
"""Macros whose values differ from patch to patch, and change nothing else."""

OWN_FLAGS = {"klp_part": ("-DPART=1",)}
BOOT_FLAGS = ("-DDEADLY", "-DHOOKS")
"""What the scenario boot gives to the compiler for openEuler's ABI."""

PER_TASK, STOP_MACHINE, EMULATED = "per_task", "stop_machine", "emulated"
FLAG_OF = {PER_TASK: ("-DPER_TASK",), STOP_MACHINE: (), EMULATED: ()}
NOT_IN = {PER_TASK: {"-DHOOKS"}, STOP_MACHINE: set[str](), EMULATED: set[str]()}

HEADERS = tuple(
    Fetched(
        kind="headers",
        suite=suite,
        script=SCRIPTS / "fetch.sh",
        title=f"fetch the kernel headers of Debian {suite}",
        free_bytes=1024**3,
    )
    # Debian 11 has Linux 5.10, as openEuler 22.03; the backports have the newest.
    for suite in ("bullseye", roots.BACKPORTS)
)


@dataclass(frozen=True)
class Module:
    """One module: a source, and what the compiler is told."""

    name: str
    source: Path
    flags: tuple[str, ...] = ()


@dataclass(frozen=True)
class Tree:
    """A kernel build tree, of this machine or in one of the rig's layers, and the ABI of the modules for it."""

    path: Path
    abi: str
    given: bool = False


def modules(abi: str) -> Iterator[Module]:
    """What is compiled for the ABI: each source, and show_patch.c once for each set of macros that a scenario gives."""
    for flags in variants(CHECKOUT.glob("molecule/*/vars/patches.yml")):
        if not NOT_IN[abi].intersection(macro(flag) for flag in flags):
            words = [macro(flag).removeprefix("-D").lower() for flag in flags if macro(flag) not in VALUES]
            yield Module("_".join(["show", *words]), CHECKOUT / SHOW_PATCH, (*flags, *FLAG_OF[abi]))
    for path in sorted(path for places in SOURCES for path in CHECKOUT.glob(places)):
        if path != CHECKOUT / SHOW_PATCH:
            yield Module(path.stem, path, (*OWN_FLAGS.get(path.stem, ()), *FLAG_OF[abi]))


def variants(files: Iterable[Path]) -> list[tuple[str, ...]]:
    """The flags of the patches in these files: the first of those that differ in nothing but their values."""
    found = {frozenset(BOOT_FLAGS): ("-DFIRST=first", *BOOT_FLAGS)}
    for file in sorted(files):
        for listed in FLAGS.findall(file.read_text(encoding="utf-8")):
            flags = tuple(listed.split(", "))
            found.setdefault(frozenset(map(macro, flags)) - VALUES, flags)
    return list(found.values())


def macro(flag: str) -> str:
    """The macro of a flag, without its value."""
    return flag.partition("=")[0]


def abis(tree: Path) -> list[str]:
    """The ABIs to compile for: the tree's own, and openEuler's by emulation if that is not its own."""
    config = (tree / ".config").read_text(encoding="utf-8", errors="replace").splitlines()
    if "CONFIG_LIVEPATCH_WO_FTRACE=y" in config:
        return [STOP_MACHINE]
    return [PER_TASK, EMULATED] if "CONFIG_LIVEPATCH=y" in config else [EMULATED]


def trees(layers: Sequence[Path], given: Sequence[Path]) -> Iterator[Tree]:
    for layer in layers:
        for path in sorted(layer.glob("usr/src/linux-headers-*-cloud-*")):
            for abi in abis(path):
                yield Tree(Path("/") / path.relative_to(layer), abi)
    for path in given:
        if not (path / ".config").is_file():
            raise RigError(f"{path} is no kernel build tree: it has no file .config.", status=2)
        for abi in abis(path):
            yield Tree(path.resolve(), abi, given=True)


def write(folder: Path, tree: Tree) -> list[Module]:
    """Write the sources and their Kbuild into the folder. Return the modules."""
    wanted = list(modules(tree.abi))
    # The headers of a tree that is given may be older than the compiler, and have warnings of their own.
    lines = [] if tree.given else ["ccflags-y := -Werror"]
    for module in wanted:
        shutil.copyfile(module.source, folder / f"{module.name}.c")
        lines += [f"obj-m += {module.name}.o", f"CFLAGS_{module.name}.o := {' '.join(module.flags)}"]
    for header in CHECKOUT.glob("molecule/*/files/*.h"):
        shutil.copyfile(header, folder / header.name)
    (folder / "Kbuild").write_text("\n".join([*lines, ""]), encoding="ascii")
    return wanted


def compile_all(entry: Entry, given: Sequence[Path]) -> None:
    """Compile for the rig's own headers, those of other releases and the given trees. Raises RigError if one fails."""
    layers = [*(headers.prepare() for headers in HEADERS), entry.builder]
    failed = []
    for tree in trees(layers, given):
        if not compile_for(tree, layers):
            failed.append(f"{tree.path.name} ({tree.abi})")
    if failed:
        raise RigError(f"Not all modules compile for {', '.join(failed)}.")


def compile_for(tree: Tree, layers: Sequence[Path]) -> bool:
    """Compile all modules for one tree, print what came of it, and return whether all are there."""
    with tempfile.TemporaryDirectory(dir=cache.cache_root()) as directory:
        folder = Path(directory) / "sources"
        folder.mkdir()
        wanted = write(folder, tree)
        started = time.monotonic()
        argv = ["sh", str(SCRIPTS / "compile.sh"), ":".join(map(str, layers)), str(tree.path), tree.abi, str(folder)]
        isolated = processes.isolated([*argv, str(HERE / "stop_machine")], Path(directory) / "pid")
        done = subprocess.run(isolated, check=False, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    built = set(re.findall(r"^  LD \[M\] +(?:\S*/)?(\w+)\.ko$", done.stdout, re.MULTILINE))
    missing = [module.name for module in wanted if module.name not in built]
    outcome = f"{len(wanted) - len(missing)} of {len(wanted)} modules in {time.monotonic() - started:.0f} s"
    print(f"rig: {tree.path.name}, {tree.abi}: {outcome}", flush=True)
    if missing or done.returncode:
        print(last_lines(done.stdout, 60), flush=True)
    return not missing and not done.returncode
