# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Building with kbuild, up to the point where a compiler is needed; Molecule goes on from there."""

from __future__ import annotations

import hashlib
import json
import pathlib
import shutil
import typing as t

import pytest
from ansible_collections.openeuler.livepatch.plugins.module_utils._build import kbuild
from ansible_collections.openeuler.livepatch.plugins.module_utils._build.builder import BuildError, Run
from ansible_collections.openeuler.livepatch.plugins.module_utils._build.compiler import parse_errors
from ansible_collections.openeuler.livepatch.plugins.module_utils._build.manifest import (
    MANIFEST_FORMAT,
    describe,
    is_built_from,
    manifest_path,
    read_manifest,
)
from ansible_collections.openeuler.livepatch.tests.unit.plugins.module_utils import tiny_elf

RELEASE = "6.12.48-test"
FIXTURE = pathlib.Path(__file__).parent / "fixtures/livepatch_cmdline.ko"

CMD_FILE = """\
savedcmd_/tmp/x/fix.o :=  x86_64-linux-gnu-gcc-14 -Wp,-MMD,/tmp/x/.fix.o.d -nostdinc -c -o /tmp/x/fix.o /tmp/x/fix.c

source_/tmp/x/fix.o := /tmp/x/fix.c

deps_/tmp/x/fix.o := \\
    $(wildcard include/config/FOO) \\
  /usr/src/linux/include/linux/kernel.h \\
  arch/x86/include/generated/asm/x.h \\

/tmp/x/fix.o: $(deps_/tmp/x/fix.o)
"""

STDERR = """\
/tmp/x/fix.c: In function 'broken':
/tmp/x/fix.c:4:16: error: 'nothing' undeclared (first use in this function)
/tmp/x/fix.c:9: fatal error: nosuch.h: No such file or directory
make[2]: *** [scripts/Makefile.build:229: /tmp/x/fix.o] Error 1
"""


def run(command: list[str]) -> tuple[int, str, str]:
    """A compiler and a make that say little, named so: no build is done here."""
    return (0, "", f"{command[0]} version 14") if command[1:] == ["-v"] else (127, "", "")


@pytest.fixture(name="tree")
def fixture_tree(tmp_path: pathlib.Path) -> pathlib.Path:
    tree = tmp_path / "tree"
    (tree / "include/config").mkdir(parents=True)
    (tree / "include/config/kernel.release").write_text(RELEASE + "\n")
    (tree / ".config").write_text("CONFIG_LIVEPATCH=y\n")
    (tree / "Makefile").write_text("")
    return tree


@pytest.fixture(name="source")
def fixture_source(tmp_path: pathlib.Path) -> pathlib.Path:
    source = tmp_path / "fix-1.c"
    source.write_text("int x;\n")
    return source


NATIVE = kbuild.Cross()


def prepare(
    tree: pathlib.Path | str,
    sources: list[pathlib.Path],
    dest: pathlib.Path | str,
    name: str | None = None,
    release: str | None = None,
    cflags: t.Sequence[str] = (),
    cross: kbuild.Cross = NATIVE,
) -> kbuild.Build:
    return kbuild.prepare_build(
        name=name,
        sources=[str(source) for source in sources],
        dest=str(dest),
        tree=str(tree),
        release=release,
        cflags=cflags,
        cross=cross,
    )


def test_defaults(tree: pathlib.Path, source: pathlib.Path, tmp_path: pathlib.Path) -> None:
    build = prepare(tree, [source], tmp_path)
    assert build.name == "fix_1"
    assert build.release == RELEASE
    assert build.dest == str(tmp_path / "fix_1.ko")
    assert manifest_path(build.dest) == str(tmp_path / "fix_1.ko.json")


def test_the_kernel_of_the_build_host_has_the_name_that_it_was_built_with(
    source: pathlib.Path, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kbuild, "own_release", lambda: "6.1.0-built")
    with pytest.raises(BuildError, match=r"/lib/modules/6\.1\.0-built/build on the build host"):
        prepare("", [source], tmp_path)


def test_a_directory_stands_for_its_sources(tree: pathlib.Path, tmp_path: pathlib.Path) -> None:
    sources = tmp_path / "sources"
    sources.mkdir()
    for name in ("a.c", "b.c", "c.h", "README"):
        (sources / name).write_text("")
    build = prepare(tree, [sources], f"{tmp_path}/new/", name="fix")
    assert [path.rsplit("/", 1)[1] for path in build.sources] == ["a.c", "b.c", "c.h"]


def test_a_directory_in_which_make_has_run_stands_for_its_sources(tree: pathlib.Path, tmp_path: pathlib.Path) -> None:
    """modpost writes NAME.mod.c beside the sources, and make links it into the module by itself."""
    sources = tmp_path / "sources"
    sources.mkdir()
    for name in ("fix.c", "fix.mod.c", "fix.o", "fix.mod", ".fix.ko.cmd"):
        (sources / name).write_text("")
    for given in (None, "livepatch-fix"):
        build = prepare(tree, [sources], f"{tmp_path}/new/", name=given)
        assert [path.rsplit("/", 1)[1] for path in build.sources] == ["fix.c"]


@pytest.mark.parametrize(
    ("names", "more", "reason"),
    [
        (["nosuch.c"], {}, "no_such_file"),
        (["x.h"], {"name": "fix"}, "no_source"),
        (["x.txt"], {"name": "fix"}, "bad_source"),
        (["a.c", "b.c"], {}, "no_name"),
        (["a.c", "b.c"], {"name": "a"}, "name_is_source"),
        (["a.c", "a.c"], {"name": "fix"}, "name_twice"),
        (["a.c"], {"name": "a/b"}, "bad_name"),
        (["a.c"], {"name": "a" * 56}, "bad_name"),
        (["a.c"], {"dest": "/tmp/b.ko"}, "bad_dest"),
        (["a.c"], {"dest": "/tmp/a"}, "bad_dest"),
        (["a.c"], {"release": "6.1"}, "wrong_release"),
    ],
)
def test_bad_input(
    tree: pathlib.Path, tmp_path: pathlib.Path, names: list[str], more: dict[str, t.Any], reason: str
) -> None:
    for name in ("a.c", "b.c", "x.h", "x.txt"):
        (tmp_path / name).write_text("")
    with pytest.raises(BuildError) as failure:
        prepare(tree, [tmp_path / name for name in names], **{"dest": tmp_path, **more})
    assert failure.value.finding.reason == reason
    assert failure.value.finding.remedy


ODD = [
    "$(reboot)",
    "x;reboot",
    "a b",
    "a\nb",
    "-a",
    "#a",
    "a:b",
    "a`b`",
    "a|b",
    "a&b",
    "a\\b",
    "a'b",
    "a\u2028b",
    "..a",
]
"""make expands the first in the names that it lists; the others end a word, or begin another command."""


@pytest.mark.parametrize("odd", ODD, ids=ascii)
@pytest.mark.parametrize("suffix", [".c", ".h"])
def test_a_name_that_make_would_run_does_not_reach_it(
    tree: pathlib.Path, tmp_path: pathlib.Path, odd: str, suffix: str
) -> None:
    folder = tmp_path / "sources"
    folder.mkdir()
    for name in ("fix.c", odd + suffix):
        (folder / name).write_text("")
    for sources in ([folder], sorted(folder.iterdir())):
        with pytest.raises(BuildError) as failure:
            prepare(tree, sources, tmp_path, name="fix2")
        assert failure.value.finding.reason == "bad_argument"
        assert "\n" not in failure.value.finding.cause and "\u2028" not in failure.value.finding.cause


@pytest.mark.parametrize(
    "more",
    [
        {"cflags": ["-DX=$(shell reboot)"]},
        {"cflags": ["-DX;reboot"]},
        {"cflags": ["-DX\nall:; reboot"]},
        {"cross": kbuild.Cross("$(shell reboot)")},
        {"cross": kbuild.Cross("arm64", "$(shell reboot)-")},
        {"cross": kbuild.Cross("arm64", "-x")},
    ],
)
def test_a_value_that_make_would_run_does_not_reach_it(
    tree: pathlib.Path, source: pathlib.Path, tmp_path: pathlib.Path, more: dict[str, t.Any]
) -> None:
    with pytest.raises(BuildError) as failure:
        prepare(tree, [source], tmp_path, **more)
    assert failure.value.finding.reason == "bad_argument"


@pytest.mark.parametrize("odd", ["a b", "$(reboot)", "a;b"])
def test_a_tree_whose_path_make_would_run_does_not_reach_it(
    tree: pathlib.Path, source: pathlib.Path, tmp_path: pathlib.Path, odd: str
) -> None:
    tree.rename(tmp_path / odd)
    tree.symlink_to(tmp_path / odd)
    with pytest.raises(BuildError) as failure:
        prepare(tree, [source], tmp_path)
    assert failure.value.finding.reason == "bad_argument"


@pytest.mark.parametrize(
    ("path", "content", "reason"),
    [
        (".config", "# CONFIG_LIVEPATCH is not set\n", "no_livepatch"),
        ("include/config/kernel.release", None, "no_build_tree"),
        ("Makefile", None, "no_build_tree"),
    ],
)
def test_bad_trees(
    tree: pathlib.Path, source: pathlib.Path, tmp_path: pathlib.Path, path: str, content: str | None, reason: str
) -> None:
    (tree / path).unlink()
    if content:
        (tree / path).write_text(content)
    with pytest.raises(BuildError) as failure:
        prepare(tree, [source], tmp_path)
    assert failure.value.finding.reason == reason


def made(build: kbuild.Build, headers: list[str]) -> None:
    """A result and its manifest, as a build leaves them."""
    with open(build.dest, "w", encoding="utf-8") as stream:
        stream.write("module")
    manifest = {
        "format": MANIFEST_FORMAT,
        "sha256": hashlib.sha256(b"module").hexdigest(),
        "inputs": kbuild.inputs(build, headers, "gcc", run),
        "headers": headers,
    }
    with open(manifest_path(build.dest), "w", encoding="utf-8") as stream:
        json.dump(manifest, stream)


def is_current(build: kbuild.Build, run: Run = run) -> bool:
    manifest = read_manifest(manifest_path(build.dest)) or {}
    compiler = manifest.get("inputs", {}).get("compiler", {}).get("program", "")
    wanted = kbuild.inputs(build, manifest.get("headers", []), compiler, run)
    return is_built_from(build.dest, manifest, wanted)


@pytest.mark.parametrize("change", ["source", "header", "config", "symvers", "result", "manifest", "no header"])
def test_content_decides(tree: pathlib.Path, source: pathlib.Path, tmp_path: pathlib.Path, change: str) -> None:
    header = tmp_path / "used.h"
    header.write_text("old")
    build = prepare(tree, [source], tmp_path)
    assert not is_current(build)
    made(build, [str(header)])
    assert is_current(build)
    changed = {
        "source": source,
        "header": header,
        "config": tree / ".config",
        "symvers": tree / "Module.symvers",
        "result": tmp_path / "fix_1.ko",
        "manifest": tmp_path / "fix_1.ko.json",
        "no header": header,
    }[change]
    if change == "no header":
        changed.unlink()
    else:
        changed.write_text("CONFIG_LIVEPATCH=y\nnew")
    assert not is_current(build)


def test_flags_and_compiler_decide(tree: pathlib.Path, source: pathlib.Path, tmp_path: pathlib.Path) -> None:
    build = prepare(tree, [source], tmp_path)
    made(build, [])
    assert not is_current(prepare(tree, [source], tmp_path, cflags=["-O1"]))
    assert not is_current(build, lambda command: (0, "", "another version"))


def test_variables_of_the_environment_decide(
    tree: pathlib.Path, source: pathlib.Path, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    build = prepare(tree, [source], tmp_path)
    made(build, [])
    monkeypatch.setenv("LLVM", "1")
    assert not is_current(build)


def test_the_manifest_names_the_source_that_was_compiled(
    tree: pathlib.Path, source: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    build = prepare(tree, [source], tmp_path)
    compiled = hashlib.sha256(source.read_bytes()).hexdigest()
    directory = tmp_path / "directory"
    directory.mkdir()

    def make_that_takes_time(command: list[str]) -> tuple[int, str, str]:
        if command[0] == "make":
            source.write_text("int another;\n")
            shutil.copy(FIXTURE, directory / f"{build.name}.ko")
            return 0, "", ""
        return run(command)

    manifest = kbuild.build_module(build, str(directory), make_that_takes_time)
    assert manifest["inputs"]["sources"] == {source.name: compiled}


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (None, None),
        (tiny_elf.vmlinux(RELEASE), "01" * 20),
        (tiny_elf.vmlinux("6.1.0-other"), None),
        (tiny_elf.elf({".rodata": f"Linux version {RELEASE} (gcc)\0".encode()}), None),
        (b"damaged", None),
    ],
)
def test_the_vmlinux_in_the_tree_tells_the_build_of_the_kernel(
    tree: pathlib.Path, source: pathlib.Path, tmp_path: pathlib.Path, content: bytes | None, expected: str | None
) -> None:
    if content is not None:
        (tree / "vmlinux").write_bytes(content)
    build = prepare(tree, [source], tmp_path)
    directory = tmp_path / "directory"
    directory.mkdir()

    def make(command: list[str]) -> tuple[int, str, str]:
        if command[0] == "make":
            shutil.copy(FIXTURE, directory / f"{build.name}.ko")
            return 0, "", ""
        return run(command)

    manifest = kbuild.build_module(build, str(directory), make)
    assert manifest["kernel_build_id"] == manifest["patch_file"]["kernel_build_id"] == expected
    assert manifest["inputs"]["kernel_build_id"] == expected


def test_what_the_compiler_read() -> None:
    assert kbuild.parse_compiler(CMD_FILE) == "x86_64-linux-gnu-gcc-14"
    assert kbuild.parse_compiler("cmd_/tmp/fix.o := ccache gcc -c") == "gcc"
    assert kbuild.parse_compiler("") == ""
    assert kbuild.parse_headers(CMD_FILE) == [
        "/usr/src/linux/include/linux/kernel.h",
        "arch/x86/include/generated/asm/x.h",
    ]


def test_compiler_errors() -> None:
    assert parse_errors(STDERR) == [
        {
            "file": "/tmp/x/fix.c",
            "line": 4,
            "column": 16,
            "message": "'nothing' undeclared (first use in this function)",
        },
        {"file": "/tmp/x/fix.c", "line": 9, "column": None, "message": "nosuch.h: No such file or directory"},
    ]


@pytest.mark.parametrize(
    ("rc", "stderr", "reason", "said"),
    [
        (127, "", "no_make", "make"),
        (2, STDERR.replace("fix.c", "fix-1.c"), "compile_error", "fix-1.c:4: 'nothing' undeclared"),
        (2, 'ERROR: modpost: "hidden" [/tmp/x/fix.ko] undefined!\n', "undefined_symbol", "hidden"),
        (2, "something\nelse\n", "build_failed", "else"),
        (2, "", "build_failed", "it said nothing"),
    ],
)
def test_failed_builds(
    tree: pathlib.Path, source: pathlib.Path, tmp_path: pathlib.Path, rc: int, stderr: str, reason: str, said: str
) -> None:
    build = prepare(tree, [source], tmp_path)
    work = tmp_path / "work"
    work.mkdir()
    with pytest.raises(BuildError) as failure:
        kbuild.build_module(build, str(work), lambda command: (rc, "", stderr))
    assert failure.value.finding.reason == reason
    assert said in str(failure.value)
    assert failure.value.details["cmd"][0] == "make"
    assert (failure.value.details["rc"], failure.value.details["stderr"]) == (rc, stderr)
    if reason == "compile_error":
        assert failure.value.details["errors"][0]["file"] == str(source)


def test_a_result_that_is_no_live_patch_tells_what_made_it(
    tree: pathlib.Path, source: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    build = prepare(tree, [source], tmp_path)
    work = tmp_path / "work"
    work.mkdir()

    def make(command: list[str]) -> tuple[int, str, str]:
        (work / f"{build.name}.ko").write_text("not a module")
        return 0, "  LD [M]  fix.ko", ""

    with pytest.raises(BuildError) as failure:
        kbuild.build_module(build, str(work), make)
    assert failure.value.finding.reason == "not_elf"
    assert (failure.value.details["cmd"][0], failure.value.details["rc"]) == ("make", 0)


def test_the_kbuild_file_names_all_parts(tree: pathlib.Path, tmp_path: pathlib.Path) -> None:
    for name in ("a.c", "b.c"):
        (tmp_path / name).write_text("")
    build = prepare(tree, [tmp_path / "a.c", tmp_path / "b.c"], tmp_path, name="fix", cflags=["-DX"])
    work = tmp_path / "work"
    work.mkdir()
    with pytest.raises(BuildError):
        kbuild.build_module(build, str(work), run)
    lines = (work / "Kbuild").read_text().splitlines()
    assert lines[:2] == ["obj-m := fix.o", "fix-y := a.o b.o"]
    assert lines[2].endswith("-DX")


def test_description() -> None:
    assert describe(None) == "none\n"
