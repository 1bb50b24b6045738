# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The makefile that stands between kpatch-build and a module's source. make is the real one; what it calls tells."""

from __future__ import annotations

import pathlib
import shutil
import subprocess

import pytest
from ansible_collections.openeuler.livepatch.plugins.module_utils._kpatch import out_of_tree

pytestmark = pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed")

KERNEL = "all modules first second:\n\t@echo kernel $@ M=$(M) CC=$(CC) >> {told}\n"
MODULE = "all first second:\n\t@echo module $@ CC=$(CC) >> {told}\n\t$(MAKE) -C {kernel} M=$(CURDIR) modules\n"


class Place:
    """A kernel's tree and the copy of a module's source, whose makefiles note what is made."""

    def __init__(self, path: pathlib.Path) -> None:
        self.told, self.kernel, self.copy = path / "told", path / "kernel", path / "copy"
        for folder in (self.kernel, self.copy):
            folder.mkdir()
        (self.kernel / "Makefile").write_text(KERNEL.format(told=self.told))
        (self.kernel / "Module.symvers").write_text("0x0\tprintk\tvmlinux\tEXPORT_SYMBOL\t\n")

    def add(self, makefile: str) -> None:
        (self.copy / makefile).write_text(MODULE.format(told=self.told, kernel=self.kernel))

    def made(self, *arguments: str, folder: pathlib.Path | None = None) -> list[str]:
        """What make makes of these arguments in the copy, or in another folder."""
        self.told.write_text("")
        command = ["make", "-s", "CC=kpatch-cc gcc", *arguments]
        subprocess.run(command, cwd=folder or self.copy, check=True, capture_output=True)
        return self.told.read_text().splitlines()


@pytest.fixture(name="place")
def fixture_place(tmp_path: pathlib.Path) -> Place:
    return Place(tmp_path)


@pytest.mark.parametrize("makefile", ["Makefile", "makefile", "GNUmakefile"])
def test_the_module_is_made_by_its_own_makefile(place: Place, makefile: str) -> None:
    place.add(makefile)
    out_of_tree.make_ready(str(place.copy), str(place.kernel), [makefile, "x.c"])
    in_kernel = f"kernel modules M={place.copy} CC=kpatch-cc gcc"
    assert place.made("-j2", out_of_tree.DEFAULT_GOAL) == ["module all CC=kpatch-cc gcc", in_kernel]
    assert place.made("-j2", "first") == ["module first CC=kpatch-cc gcc", in_kernel]
    assert len(place.made("-j1", "first", "second")) == 4
    symbols = place.copy / "Module.symvers"
    assert symbols.read_text().count("vmlinux") == 1
    symbols.write_text("0x0\tmine\tx\tEXPORT_SYMBOL\t\n")
    place.made("first")
    assert [line.split()[1] for line in symbols.read_text().splitlines()] == ["mine", "no_symbol"]


def test_the_patch_is_linked_in_the_kernels_tree(place: Place, tmp_path: pathlib.Path) -> None:
    """As the makefile of kpatch-build's patch directory calls it."""
    place.add("Makefile")
    out_of_tree.make_ready(str(place.copy), str(place.kernel), ["Makefile"])
    patch = tmp_path / "patch"
    patch.mkdir()
    (patch / "Makefile").write_text(f"all:\n\t$(MAKE) -C {place.copy} M=$(CURDIR) CFLAGS_MODULE=''\n")
    assert place.made(folder=patch) == [f"kernel all M={patch} CC=kpatch-cc gcc"]
    assert place.made(f"M={patch}", "modules") == [f"kernel modules M={patch} CC=kpatch-cc gcc"]


def test_what_kpatch_build_looks_for_is_not_added_through_a_link(place: Place, tmp_path: pathlib.Path) -> None:
    """Makefiles link the symbols of a module that theirs needs."""
    needed = tmp_path / "needed"
    needed.write_text("0x0\tneeded\tx\tEXPORT_SYMBOL\t\n")
    (place.copy / "Makefile").write_text(f"all:\n\tln -sf {needed} Module.symvers\n")
    out_of_tree.make_ready(str(place.copy), str(place.kernel), ["Makefile"])
    for _time in range(2):
        place.made(out_of_tree.DEFAULT_GOAL)
        symbols = (place.copy / "Module.symvers").read_text().splitlines()
        assert [line.split()[1] for line in symbols] == ["needed", "no_symbol"]
        assert needed.read_text().count("\n") == 1
    assert sorted(path.name for path in place.copy.iterdir()) == [
        "GNUmakefile",
        "Makefile",
        "Module.symvers",
        "scripts",
    ]


def test_what_kpatch_build_edits_is_there_and_the_modules_own_stays(place: Place) -> None:
    place.add("Makefile")
    out_of_tree.make_ready(str(place.copy), str(place.kernel), ["Makefile"])
    script = place.copy / "scripts/link-vmlinux.sh"
    assert script.read_text() == ""
    script.write_text("of the module\n")
    out_of_tree.make_ready(str(place.copy), str(place.kernel), ["Makefile", "scripts/link-vmlinux.sh"])
    assert script.read_text() == "of the module\n"


def test_the_makefile_is_told_the_kernel() -> None:
    told = out_of_tree.variables("/build", "6.12.1")
    assert (told["KDIR"], told["KERNELDIR"], told["KVERSION"]) == ("/build", "/build", "6.12.1")
