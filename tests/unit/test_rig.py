# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the rig makes of a machine's name: its kernel, how QEMU starts it, and its group of the inventory."""

from __future__ import annotations

import importlib
import sys
import types
import typing as t
from dataclasses import replace
from pathlib import Path

import pytest

RIG = Path(__file__).resolve().parents[1] / "rig"
MODULES = ("cache", "guests", "machines", "inventory", "processes", "roots", "test_kernel")

Rig = t.Mapping[str, types.ModuleType]


@pytest.fixture(name="rig")
def _rig(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> t.Iterator[Rig]:
    """The rig's modules, which no other test sees, and an empty cache."""
    monkeypatch.syspath_prepend(str(RIG))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    before = set(sys.modules)
    yield {name: importlib.import_module(name) for name in MODULES}
    for name in set(sys.modules) - before:
        del sys.modules[name]


@pytest.mark.parametrize(
    ("name", "kernel", "group"),
    [
        ("builder", None, "builders"),
        ("kernel-builder", "kernel", "builders"),
        ("kernel-builder-7", "kernel_7", "builders"),
        ("kernel-builder-arm64", "kernel_arm64", "builders"),
        ("vm1", None, "vms"),
        ("slim1", "kernel", "vms"),
        ("seven1", "kernel_7", "vms"),
        ("bookworm1", None, "vms"),
        ("arm64-1", "kernel_arm64", "arm64"),
    ],
)
def test_the_name_tells_the_kernel_and_the_group(
    rig: Rig, tmp_path: Path, name: str, kernel: str | None, group: str
) -> None:
    entry = rig["cache"].Entry(tmp_path / "rig")
    one = rig["machines"].machine(name, tmp_path / "run")
    one.directory.mkdir(parents=True)
    one.port_file.write_text("22\n", encoding="ascii")
    entries = [entry, *map(rig["test_kernel"].current_entry, rig["test_kernel"].KERNELS)]
    for made in entries:
        made.path.mkdir(parents=True)
        made.release_file.write_text(f"{made.path.name}\n", encoding="ascii")
    assert (one.test_kernel and one.test_kernel.prefix) == kernel
    text = rig["inventory"].text([one], entry)
    assert f"    {group}:\n      hosts:\n        {name}:\n" in text
    assert text.count(f"{name}:") == 1
    assert ("rig_kernel_release" in text.partition(f"{name}:")[2]) == (kernel is not None)
    assert kernel is None or f'rig_kernel_release: "{kernel}-' in text


@pytest.mark.parametrize(
    ("name", "program", "console"),
    [
        ("vm1", "qemu-system-x86_64", "console=ttyS0"),
        ("bullseye1", "qemu-system-x86_64", "console=ttyS0"),
        ("counted1", "qemu-system-x86_64", "console=ttyS0"),
        ("arm64-1", "qemu-system-aarch64", "console=ttyAMA0"),
    ],
)
def test_qemu_gets_the_machine_its_console_and_its_disk(
    rig: Rig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, program: str, console: str
) -> None:
    started: list[t.Any] = []
    machines = rig["machines"]
    monkeypatch.setattr(machines, "run_vm", lambda _vm, argv: started.append(argv))
    monkeypatch.setattr(machines, "make_overlay", lambda _vm, image, _form: started.append(image))
    monkeypatch.setattr(machines.acceleration, "options", lambda _kernel: ["-accel", "kvm"])
    keys, system, disk = (rig["cache"].Entry(tmp_path / part) for part in ("rig", "system", "disk"))
    machines.machine(name, tmp_path / "run").start(machines.Parts(keys, system, disk))
    image, argv = started
    assert image == disk.image
    assert argv[0] == program
    assert argv[argv.index("-kernel") + 1] == str(system.kernel)
    assert console in argv[argv.index("-append") + 1].split()
    assert ("kvm" in argv) == (name not in ("arm64-1", "counted1"))
    counts = ("-icount" in argv, argv[argv.index("-smp") + 1])
    assert counts == ((True, "1") if name == "counted1" else (False, "2"))


@pytest.mark.parametrize(
    ("name", "suite", "architecture"),
    [
        ("vm1", "trixie", "amd64"),
        ("slim1", "trixie", "amd64"),
        ("kernel-builder-arm64", "trixie", "amd64"),
        ("bullseye1", "bullseye", "amd64"),
        ("bookworm2", "bookworm", "amd64"),
        ("arm64-1", "trixie", "arm64"),
    ],
)
def test_the_name_tells_the_userland(rig: Rig, name: str, suite: str, architecture: str) -> None:
    guest = rig["guests"].named(name)
    assert (guest.suite, guest.architecture) == (suite, architecture)


def test_a_kernel_is_made_anew_when_a_file_of_its_own_changes(rig: Rig, tmp_path: Path) -> None:
    x86, _x86_7, arm64 = rig["test_kernel"].KERNELS
    config = tmp_path / "slim.config"
    keys = {x86.recipe_key, arm64.recipe_key}
    for text in ("CONFIG_SMP=y\n", "CONFIG_SMP=n\n"):
        config.write_text(text, encoding="ascii")
        keys.add(replace(arm64, configs=(config,)).recipe_key)
    assert len(keys) == 4


def test_no_file_of_the_recipe_is_of_no_kernel(rig: Rig) -> None:
    used = {path for kernel in rig["test_kernel"].KERNELS for path in kernel.files}
    assert set((RIG / "test_kernel").iterdir()) <= used
    assert all(path.is_file() for path in used)


def test_an_interrupted_install_is_ended_before_its_folder_goes(
    rig: Rig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    part = tmp_path / "kernel-1.part-2"
    part.mkdir()
    done: list[t.Any] = []
    monkeypatch.setattr(rig["test_kernel"], "run", lambda argv: done.append(("run", argv)))
    monkeypatch.setattr(rig["test_kernel"].processes, "isolated", lambda _argv, pid_file: pid_file)
    monkeypatch.setattr(rig["roots"].processes, "stop", lambda pid_file, mark: done.append(("stop", pid_file, mark)))
    monkeypatch.setattr(rig["roots"].processes, "remove_tree", lambda path: done.append(("remove", path)))
    rig["test_kernel"].install(rig["cache"].Entry(part), rig["test_kernel"].X86_7)
    ((_run, pid_file),) = done
    pid_file.write_text("1\n", encoding="ascii")
    rig["roots"].discard(part)
    assert done[1:] == [("stop", pid_file, part), ("remove", part)]
