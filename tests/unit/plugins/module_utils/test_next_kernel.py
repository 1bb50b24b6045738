# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which kernel boots next: what tells it, and that it is unknown where nothing does."""

from __future__ import annotations

import errno
import os
import pathlib
import typing as t

import pytest
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.reading import Reading
from ansible_collections.openeuler.livepatch.plugins.module_utils._observe import next_kernel
from ansible_collections.openeuler.livepatch.plugins.module_utils._observe.next_kernel import (
    UNKNOWN,
    NextKernel,
    newest_first,
    read_next_kernel,
)
from ansible_collections.openeuler.livepatch.plugins.module_utils._system.files import Files

_Value = t.TypeVar("_Value")

OLD, NEW = "5.10.0-60.oe2203.x86_64", "5.10.0-136.oe2203.x86_64"
ENTRIES = {
    "boot/loader/entries/id-5.10.0-60.conf": f"title openEuler\nversion {OLD}\nlinux /vmlinuz-{OLD}\n",
    "boot/loader/entries/id-5.10.0-136.conf": f"title openEuler\nlinux /vmlinuz-{NEW}\n",
    "boot/loader/entries/id-0-rescue.conf": "version 0-rescue-1234\nlinux /vmlinuz-0-rescue-1234\n",
    "boot/loader/entries/README": "version 9.9\n",
}
KERNELS = {f"boot/vmlinuz-{OLD}": "", f"boot/vmlinuz-{NEW}": "", "boot/vmlinuz-0-rescue-1234": ""}
GRUBENV = "# GRUB Environment Block\n"


def read(root: pathlib.Path, contents: t.Mapping[str, str], grubby: str | None = None) -> NextKernel:
    for name, content in contents.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content, encoding="utf-8")
    return read_next_kernel(Files(str(root)), lambda: grubby)


@pytest.mark.parametrize(
    ("names", "release"),
    [
        (
            "vmlinuz-5.15.0-90-generic vmlinuz-5.15.0-101-generic vmlinuz-5.15.0-101-generic.efi.signed vmlinuz.old",
            "5.15.0-101-generic",
        ),
        ("vmlinuz-6.1.0-9-amd64 vmlinuz-6.1.0-12-amd64 vmlinuz-6.1.0-12-amd64.dpkg-bak", "6.1.0-12-amd64"),
        ("vmlinuz-5.10.0-7.oe2203.x86_64 vmlinuz-5.10.0-7.oe2203.x86_64kdump", "5.10.0-7.oe2203.x86_64"),
        ("vmlinuz-6.6.0-1.x86_64 vmlinuz-6.6.0-1.x86_64.mine", "6.6.0-1.x86_64"),
        ("vmlinuz-6.12.0-rc7 vmlinuz-6.12.0", "6.12.0"),
        ("vmlinuz-6.9.0 vmlinuz-6.10.0 config-6.11.0 vmlinuz-0-rescue-6.12.0 initrd.img-6.13.0", "6.10.0"),
    ],
)
def test_the_newest_name_is_that_of_a_kernel(tmp_path: pathlib.Path, names: str, release: str) -> None:
    assert read(tmp_path, {f"boot/{name}": "" for name in names.split()}) == NextKernel(release, "names")


def test_a_name_behind_another_one_is_a_kernel_if_it_has_modules(tmp_path: pathlib.Path) -> None:
    (tmp_path / "lib/modules/6.6.0-mine").mkdir(parents=True)
    assert read(tmp_path, {"boot/vmlinuz-6.6.0": "", "boot/vmlinuz-6.6.0-mine": ""}).release == "6.6.0-mine"


@pytest.mark.parametrize(
    ("contents", "expected"),
    [
        (ENTRIES, NextKernel(NEW, "bls")),
        ({"boot/grub2/grubenv": "saved_entry=id-5.10.0-60\n"}, NextKernel(OLD, "bls")),
        ({"boot/grub2/grubenv": "saved_entry=id-5.10.0-60\nnext_entry=id-5.10.0-136\n"}, NextKernel(NEW, "bls")),
        ({"boot/grub2/grubenv": "saved_entry=0\n"}, NextKernel(NEW, "bls")),
        ({"boot/grub2/grubenv": "saved_entry=1\n"}, NextKernel(OLD, "bls")),
        ({"boot/grub2/grubenv": "saved_entry=2\n"}, UNKNOWN),
        ({"boot/grub2/grubenv": "saved_entry=no-such-entry\n"}, UNKNOWN),
    ],
)
def test_the_entries_of_the_boot_loader(tmp_path: pathlib.Path, contents: dict[str, str], expected: NextKernel) -> None:
    assert read(tmp_path, {**KERNELS, **ENTRIES, **contents}) == expected


@pytest.mark.parametrize(
    ("contents", "expected"),
    [
        ({"boot/grub/grubenv": GRUBENV}, NextKernel(NEW, "names")),
        ({"boot/grub/grubenv": f"saved_entry=openEuler ({OLD}) 22.03 (LTS)\n"}, NextKernel(OLD, "grubenv")),
        (
            {"boot/grub/grubenv": f"saved_entry=gnulinux-advanced-1>gnulinux-{OLD}-advanced-1\n"},
            NextKernel(OLD, "grubenv"),
        ),
        ({"boot/grub/grubenv": "saved_entry=gnulinux-simple-1\n"}, NextKernel(NEW, "names")),
        ({"boot/grub/grubenv": "saved_entry=1>2\n"}, UNKNOWN),
        ({"boot/grub/grubenv": "saved_entry=memtest\n"}, UNKNOWN),
        (
            {"boot/grub/grubenv": f"saved_entry=x {OLD}\n", "etc/default/grub": "GRUB_DEFAULT=0\n"},
            NextKernel(NEW, "names"),
        ),
        ({"etc/default/grub": f"#GRUB_DEFAULT=0\nGRUB_DEFAULT='A>B, with Linux {OLD}'\n"}, NextKernel(OLD, "grubenv")),
        ({"etc/default/grub": "GRUB_DEFAULT=3\n"}, UNKNOWN),
    ],
)
def test_what_grub_is_told_to_boot(tmp_path: pathlib.Path, contents: dict[str, str], expected: NextKernel) -> None:
    assert read(tmp_path, {**KERNELS, **contents}) == expected


@pytest.mark.parametrize(
    ("printed", "expected"),
    [
        (f"/boot/vmlinuz-{OLD}\n", NextKernel(OLD, "grubby")),
        (f"a warning\n/boot/vmlinuz-{OLD}\n", NextKernel(OLD, "grubby")),
        ("", NextKernel(NEW, "bls")),
        ("no default kernel\n", NextKernel(NEW, "bls")),
        (None, NextKernel(NEW, "bls")),
    ],
)
def test_grubby_is_asked_first(tmp_path: pathlib.Path, printed: str | None, expected: NextKernel) -> None:
    assert read(tmp_path, {**KERNELS, **ENTRIES}, printed) == expected


def test_grubby_does_not_tell_what_is_booted_once(tmp_path: pathlib.Path) -> None:
    """grubby --default-kernel prints the default (grubby-bls, get_default_index()), whatever next_entry says."""
    once = {"boot/grub2/grubenv": "saved_entry=id-5.10.0-60\nnext_entry=id-5.10.0-136\n"}
    assert read(tmp_path, {**KERNELS, **ENTRIES, **once}, f"/boot/vmlinuz-{OLD}\n") == NextKernel(NEW, "bls")


def test_nothing_tells(tmp_path: pathlib.Path) -> None:
    assert read(tmp_path, {}) == read(tmp_path, {"boot/vmlinuz.old": "", "boot/config-6.6.0": ""}) == UNKNOWN


def test_what_cannot_be_read_may_tell_something_else(tmp_path: pathlib.Path) -> None:
    class Denied(Files):
        def _read(self, path: str, read: t.Callable[[str], _Value]) -> Reading[_Value]:
            def denied(_place: str) -> _Value:
                raise OSError(errno.EACCES, "")

            return super()._read(path, denied if path.endswith("grubenv") else read)

    read(tmp_path, KERNELS)
    assert read_next_kernel(Denied(str(tmp_path)), lambda: None) == UNKNOWN


@pytest.mark.parametrize(
    ("script", "printed"), [("echo /boot/vmlinuz-6.6.0", "/boot/vmlinuz-6.6.0\n"), ("exit 1", None), ("sleep 60", None)]
)
def test_grubby_is_run_without_a_shell_and_not_for_long(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, script: str, printed: str | None
) -> None:
    program = tmp_path / "grubby"
    program.write_text(f'#!/bin/sh\n[ "$*" = --default-kernel ] || exit 3\n{script}\n', encoding="utf-8")
    program.chmod(0o755)
    monkeypatch.setattr(next_kernel, "PATH", f"{tmp_path}{os.pathsep}/nosuch")
    monkeypatch.setattr(next_kernel, "GRUBBY_SECONDS", 2.0 if printed else 0.2)
    assert next_kernel._ask_grubby() == printed
    monkeypatch.setattr(next_kernel, "PATH", "/nosuch")
    assert next_kernel._ask_grubby() is None


def test_the_order_of_releases() -> None:
    releases = ["6.10.0", "6.9.0-100", "6.9.0-20", "6.9.0-rc3", "6.9.0", "4.19"]
    assert newest_first(releases) == ["6.10.0", "6.9.0-100", "6.9.0-20", "6.9.0", "6.9.0-rc3", "4.19"]
