# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The copy of a source that has links: they lead where they led, and nothing of the user's changes through them."""

from __future__ import annotations

import os
import pathlib
import typing as t

import pytest
from ansible_collections.openeuler.livepatch.plugins.module_utils._build import source_index
from ansible_collections.openeuler.livepatch.plugins.module_utils._build.builder import BuildError
from ansible_collections.openeuler.livepatch.plugins.module_utils._build.work_tree import WorkTree, origin_content
from ansible_collections.openeuler.livepatch.plugins.module_utils._kpatch import out_of_tree

CONFIG = b"CONFIG_FROM_TASK=y\n"
SYMBOLS = "0x0\tother\tx\tE\t\n"
SCRIPT = "scripts/link-vmlinux.sh"
KERNEL = (".config", "Module.symvers", "Makefile", "x.o", SCRIPT, "scripts/gen.sh")


class Place:
    """The source of a module, the user's kernel tree, and the copy of the first."""

    def __init__(self, path: pathlib.Path) -> None:
        self.path, self.kernel, self.module = path, path / "kernel", path / "module"
        for name in KERNEL:
            self.write(self.kernel / name, "the user's\n")
        self.write(self.module / "Kbuild", "obj-m := m.o\n")
        self.tree = WorkTree(str(path / "cache/tree"))
        self.copy = pathlib.Path(self.tree.source)

    @staticmethod
    def write(path: pathlib.Path, text: str) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def prepare(self, added: t.Sequence[str] = ()) -> list[str]:
        """Make the copy, and return the paths of the source."""
        content = origin_content(str(self.path / "cache"), str(self.module), keep=True, with_objects=True)
        self.tree.prepare(str(self.module), content, CONFIG, added)
        return list(content)

    def make_ready(self) -> None:
        """All that is written before a build."""
        content = self.prepare()
        self.tree.set_version("6.1.2")
        out_of_tree.make_ready(self.tree.source, str(self.kernel), content)
        pathlib.Path(self.tree.symvers).write_text(SYMBOLS)
        assert self.tree.bring_symvers()

    def prepare_in_vain(self) -> None:
        """A run that ends when it has made the links of the copy."""
        content = origin_content(str(self.path / "cache"), str(self.module), keep=False, with_objects=True)
        links = {path: file for path, file in content.items() if (self.module / path).is_symlink()}
        with pytest.raises(BuildError):
            self.tree.prepare(str(self.module), {**links, "gone.c": next(iter(content.values()))}, CONFIG, [])

    def of_the_user(self) -> dict[str, t.Any]:
        """All that must not change."""
        return {
            str(path): os.readlink(path) if path.is_symlink() else path.is_file() and path.read_text()
            for folder in self.path.iterdir()
            if folder.name != "cache"
            for path in folder.rglob("*")
        }


@pytest.fixture(name="place")
def fixture_place(tmp_path: pathlib.Path) -> Place:
    return Place(tmp_path)


def assert_is_ready(place: Place) -> None:
    """Whether the copy has files of its own."""
    texts = {".config": CONFIG.decode(), "Module.symvers": SYMBOLS, SCRIPT: ""}
    assert {name: (place.copy / name).read_text() for name in texts} == texts
    assert "livepatch_build" in (place.copy / "GNUmakefile").read_text()
    names = [*texts, "GNUmakefile", "Makefile", "scripts"]
    assert [name for name in names if (place.copy / name).is_symlink()] == []


@pytest.mark.parametrize(
    ("link", "leads"),
    [
        *((name, f"../kernel/{name}") for name in (".config", "Module.symvers", "Makefile", "x.o", "scripts")),
        ("GNUmakefile", "../kernel/Makefile"),
        ("GNUmakefile.module", "../kernel/Makefile"),
        *((name, "../kernel/new") for name in (".config", "Module.symvers", "GNUmakefile", "scripts", SCRIPT)),
        (".config", "../kernel"),
        ("Module.symvers", "../kernel"),
    ],
)
@pytest.mark.parametrize("absolute", [True, False])
def test_nothing_is_written_through_a_link(place: Place, link: str, leads: str, absolute: bool) -> None:
    (place.module / link).parent.mkdir(exist_ok=True)
    (place.module / link).symlink_to(place.module / leads if absolute else leads)
    before = place.of_the_user()
    for _time in range(2):
        place.make_ready()
        assert place.of_the_user() == before
        if link != SCRIPT:
            assert_is_ready(place)


@pytest.mark.parametrize("name", ["scripts", "GNUmakefile/x.c", ".config/x", "GNUmakefile.module/x", SCRIPT + "/x"])
@pytest.mark.parametrize("makefile", ["GNUmakefile", "Makefile"])
def test_what_is_of_another_kind_gives_way(place: Place, name: str, makefile: str) -> None:
    if not name.startswith(makefile + "/"):
        place.write(place.module / makefile, "all:\n")
    place.write(place.module / name, "of the module\n")
    before = place.of_the_user()
    for _time in range(2):
        place.make_ready()
        assert place.of_the_user() == before
        assert_is_ready(place)


def test_what_a_linked_folder_of_scripts_has_is_there(place: Place) -> None:
    (place.module / "scripts").symlink_to("../kernel/scripts")
    place.make_ready()
    place.write(place.kernel / "scripts/new.sh", "new\n")
    place.make_ready()
    assert sorted(os.listdir(place.copy / "scripts")) == ["gen.sh", "link-vmlinux.sh", "new.sh"]
    assert os.readlink(place.copy / "scripts/gen.sh") == str(place.kernel / "scripts/gen.sh")


def test_what_the_build_writes_has_the_content_that_the_link_led_to(place: Place) -> None:
    place.write(place.module / "sub/y.o", "in the source\n")
    for link, leads in (("x.o", "../kernel/x.o"), ("Module.symvers", "../kernel/Module.symvers"), ("y.o", "sub/y.o")):
        (place.module / link).symlink_to(leads)
    for text in ("the user's\n", "newer\n"):
        for name in ("x.o", "Module.symvers"):
            (place.kernel / name).write_text(text)
        out_of_tree.make_ready(place.tree.source, str(place.kernel), place.prepare())
        shown = [(place.copy / name).read_text() for name in ("x.o", "Module.symvers", "y.o")]
        assert shown == [text, text, "in the source\n"]
        links = [(place.copy / name).is_symlink() for name in ("x.o", "Module.symvers", "y.o")]
        assert links == [False, False, True]


@pytest.mark.parametrize(
    ("path", "leads", "expected"),
    [
        ("sub/link.h", "../x.h", "../x.h"),
        ("sub/link.h", "nowhere.h", "nowhere.h"),
        ("sub/link.h", "../../module/x.h", "../x.h"),
        ("sub/link.h", "{path}/module/x.h", "../x.h"),
        ("sub/link.h", "{path}/alias/x.h", "../x.h"),
        ("sub/link", "{path}/module", ".."),
        ("sub/link.h", "../../modules/x.h", "{path}/module/sub/../../modules/x.h"),
        ("link", "../kernel/scripts", "{path}/module/../kernel/scripts"),
        ("link", "{path}/kernel/scripts", "{path}/kernel/scripts"),
    ],
)
@pytest.mark.parametrize("named", ["module", "alias"])
def test_a_link_leads_to_the_same_place(place: Place, path: str, leads: str, expected: str, named: str) -> None:
    (place.path / "alias").symlink_to("module")
    place.write(place.module / "x.h", "")
    (place.module / "sub").mkdir()
    (place.module / path).symlink_to(leads.format(path=place.path))
    place.module = place.path / named
    place.prepare()
    assert os.readlink(place.copy / path) == expected.format(path=place.path)


def test_what_was_in_a_folder_is_not_removed_through_a_link(place: Place) -> None:
    """The user moves the folder, and leaves a link. The run after that ends early, so that the next one has its index.

    When the folder is back, the file in it is not written there either.
    """
    place.write(place.module / "sub/y.c", "the user's\n")
    place.prepare()
    (place.module / "sub").rename(place.path / "moved")
    (place.module / "sub").symlink_to("../moved")
    before = place.of_the_user()
    place.prepare_in_vain()
    assert (place.copy / "sub").is_symlink()
    place.prepare()
    assert place.of_the_user() == before
    place.prepare_in_vain()
    (place.module / "sub").unlink()
    for text in ("the user's\n", "another\n"):
        place.write(place.module / "sub/y.c", text)
        before = place.of_the_user()
        place.prepare()
        assert place.of_the_user() == before
        assert not (place.copy / "sub").is_symlink()
        assert (place.copy / "sub/y.c").read_text() == text


def test_what_a_patch_added_is_removed_in_the_copy_alone(place: Place) -> None:
    place.write(place.module / "real/y.c", "")
    (place.module / "inside").symlink_to("real")
    (place.module / "outside").symlink_to(place.kernel)
    place.prepare(added=["inside/new.c", "outside/new.c"])
    place.write(place.copy / "real/new.c", "")
    place.write(place.kernel / "new.c", "the user's\n")
    place.prepare()
    assert not (place.copy / "real/new.c").exists()
    assert (place.kernel / "new.c").exists()


@pytest.mark.parametrize("leads", [None, "../kernel"])
def test_a_folder_of_the_source_may_become_a_file_or_a_link(place: Place, leads: str | None) -> None:
    place.write(place.module / "sub/y.c", "")
    place.prepare()
    (place.copy / "sub/y.o").write_text("compiled")
    (place.module / "sub/y.c").unlink()
    (place.module / "sub").rmdir()
    if leads:
        (place.module / "sub").symlink_to(leads)
    else:
        (place.module / "sub").write_text("")
    place.prepare()
    assert (place.copy / "sub").is_symlink() == bool(leads)
    assert (place.copy / "sub").is_file() != bool(leads)


@pytest.mark.parametrize("is_link", [True, False])
def test_the_copy_does_not_lead_git_into_the_users_repository(place: Place, is_link: bool) -> None:
    """A worktree and a submodule have a file that says where the repository is."""
    if is_link:
        (place.module / ".git").symlink_to("../kernel")
    else:
        (place.module / ".git").write_text(f"gitdir: {place.kernel}\n")
    assert place.prepare() == ["Kbuild"]
    assert not os.path.lexists(place.copy / ".git")


@pytest.mark.parametrize("name", ["", "..", "../out", "a/../../b", "/etc/passwd"])
def test_an_index_that_leads_out_of_the_tree_is_none(tmp_path: pathlib.Path, name: str) -> None:
    """What the index has and the source has not is removed."""
    path = tmp_path / "index"
    path.write_text(f"{'0' * 64} 1 2 3 fs/x.c\n")
    assert list(source_index.load(str(path))) == ["fs/x.c"]
    path.write_text(path.read_text() + f"{'0' * 64} 1 2 3 {name}\n")
    assert source_index.load(str(path)) == {}
