# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Building with the kernel's klp-build, as far as a stand-in can show it."""

from __future__ import annotations

import json
import os
import pathlib
import typing as t

import pytest

pytest.importorskip("elftools", reason="pyelftools is not installed for this Python")

from ansible_collections.openeuler.livepatch.plugins.module_utils._build import kernel_places, patch_builder
from ansible_collections.openeuler.livepatch.plugins.module_utils._build.builder import BuildError
from ansible_collections.openeuler.livepatch.plugins.module_utils._build.patch_builder import origin
from ansible_collections.openeuler.livepatch.plugins.module_utils._klp_build import builder
from ansible_collections.openeuler.livepatch.plugins.module_utils._klp_build import request as requests_of_it
from ansible_collections.openeuler.livepatch.plugins.module_utils._klp_build.request import Build, Request
from ansible_collections.openeuler.livepatch.plugins.module_utils._observe.distribution import Distribution
from ansible_collections.openeuler.livepatch.plugins.module_utils._system.progress import Reporter
from ansible_collections.openeuler.livepatch.tests.unit.plugins.module_utils import klp_build_stand_in, tiny_elf
from ansible_collections.openeuler.livepatch.tests.unit.plugins.module_utils.patch_place import PatchPlace, Recorder
from ansible_collections.openeuler.livepatch.tests.unit.plugins.module_utils.test_klp_build_file import Tables, func
from ansible_collections.openeuler.livepatch.tests.unit.plugins.module_utils.test_kpatch import schema
from ansible_collections.openeuler.livepatch.tests.unit.plugins.module_utils.test_kpatch_request import checked
from ansible_collections.openeuler.livepatch.tests.unit.plugins.module_utils.test_source_patch import FILE, PATCH, run

RELEASE = "7.3.4-klp"
COMPILER = "GCC: (Debian 14.2.0-19) 14.2.0"
SAID = "gcc (Debian 14.2.0-19) 14.2.0"

CONFIG = """\
# Linux/x86 7.3.4 Kernel Configuration
CONFIG_CC_VERSION_TEXT="x86_64-linux-gnu-gcc-14 (Debian 14.2.0-19) 14.2.0"
CONFIG_LOCALVERSION="-klp"
CONFIG_LIVEPATCH=y
CONFIG_KLP_BUILD=y
CONFIG_KALLSYMS=y
CONFIG_KALLSYMS_ALL=y
"""


ONE_PATCH = PATCH[PATCH.index("--- ") :].replace("\t2026-01-01", "").replace("\t2026-01-02", "")
# diff prints three lines around a change, and names no function where klp-build does not ask for it.
ONE_PATCH = (
    ONE_PATCH.replace("@@ -8,5 +8,5 @@ start_it(void)", "@@ -8,7 +8,7 @@") + " \n static int __exit end_it(void)\n"
)

HUNK = PATCH[PATCH.index("@@ ") :]
GIT = "diff --git a/kernel/x.c b/kernel/x.c\nindex 1234567..89abcde 100644\n--- a/kernel/x.c\n+++ b/kernel/x.c\n"
NEW = "--- /dev/null\n+++ b/kernel/{0}\n@@ -0,0 +1 @@\n+int n;\n"
GONE = "--- a/kernel/gone.h\n+++ /dev/null\n@@ -1 +0,0 @@\n-int gone;\n"
CONTEXT = (
    "*** a/kernel/x.c\n--- b/kernel/x.c\n***************\n*** 9,12 ****\n  int used(void)\n  {\n! \treturn 2;\n  }\n"
    "--- 9,12 ----\n  int used(void)\n  {\n! \treturn 22;\n  }\n"
)


class Place(PatchPlace):
    """A kernel's source with klp-build, and what belongs to it, in a directory."""

    requests, builder = requests_of_it, builder

    def __init__(self, path: pathlib.Path) -> None:
        super().__init__(path)
        (self.source / "kernel").mkdir(parents=True)
        (self.source / "scripts").mkdir()
        (self.source / "scripts/setlocalversion").write_text("as it was")
        (self.source / "kernel/x.c").write_text(FILE)
        (self.source / "Makefile").write_text("VERSION = 7\nPATCHLEVEL = 3\nSUBLEVEL = 4\nEXTRAVERSION =\n")
        self.config = self.source / ".config"
        self.config.write_text(CONFIG)
        self.patch = path / "a patch; reboot.patch"
        self.patch.write_text(PATCH)
        self.result = path / "result.ko"
        self.said, self.bash, self.headers = SAID, "5.2.15(1)-release", ""
        self.tables = Tables()
        self.tables.objects({8: self.tables.functions(func("cmdline_proc_show")), 56: 1})
        modinfo = ("livepatch=Y", "name=livepatch_fix", f"vermagic={RELEASE} SMP ")
        self.result.write_bytes(self.tables.module.content(modinfo))
        self.install()

    def install(self, **changes: t.Any) -> None:
        klp_build_stand_in.install(self.source, self.result, self.calls, **changes)

    def run(self, command: list[str]) -> tuple[int, str, str]:
        """The compiler and bash's version are stand-ins; patch is the real program."""
        if command[0] == "bash":
            return 0, self.bash + "\n", ""
        if not command[0].endswith(("gcc", "clang")):
            return run(command)
        if command[1:] == ["--version"]:
            return 0, self.said + "\nCopyright\n", ""
        if command[1] == "-E":
            is_missing = self.headers != "" and self.headers in pathlib.Path(command[-1]).read_text()
            return int(is_missing), "", ""
        pathlib.Path(command[3]).write_bytes(tiny_elf.elf({".comment": COMPILER.encode() + b"\0"}, True))
        return 0, "", ""

    def request(self, **changes: t.Any) -> Request:
        values = {
            "patches": (str(self.patch),),
            "source": str(self.source),
            "dest": f"{self.path}/out/",
            "config": str(self.config),
            "kernel_release": RELEASE,
            "name": "livepatch-fix",
            "cache_dir": str(self.cache),
        }
        return Request(**{**values, **changes})

    def copy(self, path: str) -> str:
        """A file in the copy of the source."""
        return (pathlib.Path(self.tree()) / "source" / path).read_text()

    def tree(self) -> str:
        (tree,) = (self.cache / "trees").iterdir()
        return str(tree)


@pytest.fixture(name="place", autouse=True)
def fixture_place(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    programs = tmp_path / "programs"
    programs.mkdir()
    for name in ("bc", "bison", "flex", "gawk", "make", "ld", "objcopy", "perl", "recountdiff"):
        # Those that the tests of this file do not run may be missing.
        (programs / name).write_text("#!/bin/sh\n")
        (programs / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{os.environ['PATH']}:{programs}")
    return Place(tmp_path)


def test_the_manifest_is_as_the_documented_schema_says(place: Place) -> None:
    jsonschema = pytest.importorskip("jsonschema", reason="jsonschema is not installed for this Python")
    manifest = json.loads(json.dumps(place.build()))
    jsonschema.Draft202012Validator(schema()).validate(manifest)
    assert set(manifest) <= set(schema()["properties"]), "a key is not documented"


def reasons(build: Build) -> list[str]:
    return [problem.reason for problem in build.problems]


def test_the_first_build_and_its_manifest(place: Place) -> None:
    reporter = Recorder()
    manifest = place.build(reporter)
    (call,) = place.called()
    assert call["arguments"][:2] == ["-T", "-j"]
    assert call["arguments"][4].endswith("/out/livepatch-fix.ko")
    assert os.path.basename(call["arguments"][-1]) == "0001.patch"
    assert pathlib.Path(call["arguments"][-1]).read_text() == ONE_PATCH
    assert call["folder"] != str(place.source)
    assert call["config"] == CONFIG
    assert call["environ"]["LOCALVERSION"] == ""
    # Another name of the host, or another user, would be data that the patch changes: the kernel's version has both.
    assert call["environ"]["KBUILD_BUILD_USER"] == call["environ"]["KBUILD_BUILD_HOST"] == "livepatch"
    assert (manifest["method"], manifest["replace"], manifest["abi"]) == ("klp_build", True, "per_task")
    assert (manifest["release"], manifest["kernel_build_id"]) == (RELEASE, None)
    assert manifest["patch_file"]["builder"] == "klp-build"
    assert manifest["patch_file"]["replace"] is True
    assert manifest["changed_functions"] == [
        {"object": "vmlinux.o", "name": "cmdline_proc_show", "new": False},
        {"object": "vmlinux.o", "name": "lp_add", "new": True},
    ]
    assert reporter.stages == [
        "copying the source",
        "testing the patches",
        "building the original source",
        "testing the patches",
        "building the patched source",
        "extracting changed objects",
        "building the module",
    ]
    assert reporter.lines[0] == "vmlinux.o: changed function: cmdline_proc_show"
    assert not (place.source / "klp-tmp").exists()
    assert (place.source / "scripts/setlocalversion").read_text() == "as it was"


def given(place: Place, *texts: str) -> tuple[str, ...]:
    """Patches with these texts."""
    paths = [place.path / f"{number}.patch" for number in range(len(texts))]
    for path, text in zip(paths, texts):
        path.write_bytes(text.encode())
    return tuple(map(str, paths))


@pytest.mark.parametrize(
    "texts",
    [
        (GIT + HUNK,),
        ((GIT + HUNK).replace("\n", "\r\n"),),
        (f"--- a/kernel/x.c.orig\n+++ b/kernel/x.c\n{HUNK}",),
        ("".join(f"  {line}\n" for line in (GIT + HUNK).split("\n")[:-1]),),
        (CONTEXT,),
        (f"Subject: x\n\nThis was:\n--- a/fs/gone.c\n+++ b/fs/gone.c\nas said.\n\n{GIT}{HUNK}",),
        (GIT + HUNK.replace("return 22", "return 7"), GIT + HUNK.replace("return 2;", "return 7;")),
    ],
)
def test_klp_build_gets_one_plain_patch_of_all(place: Place, texts: tuple[str, ...]) -> None:
    """klp-build takes names from the beginnings of lines, and applies each patch alone to the original source."""
    place.build(patches=given(place, *texts))
    (call,) = place.called()
    assert [pathlib.Path(name).name for name in call["arguments"][5:]] == ["0001.patch"]
    assert pathlib.Path(call["arguments"][-1]).read_text() == ONE_PATCH


def test_a_series_whose_first_patch_adds_a_file(place: Place) -> None:
    place.build(
        patches=given(
            place,
            NEW.format("n.h"),
            GIT + HUNK,
            GIT + HUNK.replace("-\treturn 2;", "-\treturn 22;").replace("+\treturn 22;", "+\treturn 7;"),
        )
    )
    text = pathlib.Path(place.called()[0]["arguments"][-1]).read_text()
    assert text == NEW.format("n.h") + ONE_PATCH.replace("return 22", "return 7")


@pytest.mark.parametrize(
    ("texts", "reason", "says"),
    [
        ((NEW.format("n.h"), NEW.format("m.h")), "empty_patch", "The patches only add files"),
        ((GONE,), "empty_patch", "The patches only remove files"),
        ((NEW.format("n.h"), GONE), None, ""),
        (
            (GIT + HUNK, "diff --git a/kernel/e.h b/kernel/e.h\nnew file mode 100644\nindex 0000000..e69de29\n"),
            "unsupported_path",
            "kernel/e.h, which is empty",
        ),
        (
            ("--- a/kernel/gone.h\n+++ b/kernel/gone.h\n@@ -1 +1,2 @@\n int gone;\n+\0\n",),
            "unsupported_path",
            "kernel/gone.h, which is empty or no text",
        ),
        (
            ("--- a/kernel/gone.h\n+++ b/kernel/gone.h\n@@ -1 +1,2 @@\n int gone;\n+++ x;\n",),
            "does_not_apply",
            "begins with '-- ' or '++ '",
        ),
        (
            ("--- a/kernel/sql.c\n+++ b/kernel/sql.c\n@@ -1,2 +1 @@\n--- y;\n int z;\n",),
            "does_not_apply",
            "kernel/sql.c that begins",
        ),
    ],
)
def test_what_klp_build_does_not_read_is_refused_before(
    place: Place, texts: tuple[str, ...], reason: str | None, says: str
) -> None:
    (place.source / "kernel/gone.h").write_text("int gone;\n")
    (place.source / "kernel/sql.c").write_text("-- y;\nint z;\n")
    build = place.prepare(patches=given(place, *texts))
    assert reasons(build) == ([reason] if reason else [])
    assert says in "".join(problem.cause for problem in build.problems)


def test_a_source_that_changes_before_the_build_is_no_other_source(place: Place) -> None:
    build = place.prepare()
    (place.source / "kernel/x.c").write_text("/* new */\n" + FILE)
    content = origin(build.request, keep=False)
    (place.path / "made").mkdir()
    with pytest.raises(BuildError) as caught:
        builder.build_module(build, content, builder.inputs(build, content), str(place.path / "made"), Reporter())
    assert caught.value.finding.reason == "inputs_changed"
    assert place.called() == []


def test_the_next_patch_starts_at_the_second_step(place: Place) -> None:
    place.build()
    place.patch.write_text(PATCH.replace("return 22", "return 23"))
    place.build()
    first, second = place.called()
    assert second["arguments"][:2] == ["-S", "2"]
    assert second["kept"] is True
    assert first["folder"] == second["folder"]


@pytest.mark.parametrize("change", ["source", "config", "compiler", "environment"])
def test_objects_of_another_kernel_are_not_used(place: Place, monkeypatch: pytest.MonkeyPatch, change: str) -> None:
    place.build()
    if change == "source":
        (place.source / "kernel/y.c").write_text("int y;")
    elif change == "config":
        place.config.write_text(CONFIG + "CONFIG_X=y\n")
    elif change == "compiler":
        monkeypatch.setattr(f"{__name__}.COMPILER", "GCC: another")
    place.build(env=(("LLVM", "1"),) if change == "environment" else ())
    assert [call["arguments"][0] for call in place.called()] == ["-T", "-T"]


def test_without_replace(place: Place) -> None:
    assert place.build(replace="no")["replace"] is False
    assert "--no-replace" in place.called()[0]["arguments"]
    build = place.prepare()
    others = place.prepare(replace="no")
    content = origin(build.request, keep=False)
    assert builder.inputs(build, content) != builder.inputs(others, content)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"makes": False}, "build_failed"),
        ({"printed": ("error: klp-build: no changes detected",), "status": 1}, "no_change"),
    ],
)
def test_success_is_the_status_and_the_last_line_and_the_file(
    place: Place, changes: dict[str, t.Any], reason: str
) -> None:
    place.install(**changes)
    with pytest.raises(BuildError) as caught:
        place.build()
    assert caught.value.finding.reason == reason
    assert pathlib.Path(caught.value.details["log"]).read_text().startswith("Validating patch(es)")
    place.install()
    # The script is a part of the source, so that another one has other objects.
    place.build()
    assert place.called()[-1]["arguments"][0] == "-T"


def test_a_bad_patch_costs_no_new_build_of_the_original(place: Place) -> None:
    marker = place.path / "fails"
    text = (place.source / "scripts/livepatch/klp-build").read_text()
    line = f'if os.path.exists({str(marker)!r}): die("error: klp-build: no changes detected")\n'
    text = text.replace('say("Building patch module: "', line + 'say("Building patch module: "')
    (place.source / "scripts/livepatch/klp-build").write_text(text)
    marker.touch()
    with pytest.raises(BuildError):
        place.build()
    marker.unlink()
    place.build()
    assert [call["arguments"][0] for call in place.called()] == ["-T", "-S"]


def test_objects_of_another_source_are_not_taken_for_those_of_this_one(place: Place) -> None:
    """klp-build ends before it removes what it has kept, if an option or a patch is wrong."""
    marker = place.path / "ends soon"
    script = place.source / "scripts/livepatch/klp-build"
    ends = f"os.path.exists({str(marker)!r}) and die('')\nvalue = dict("
    script.write_text(script.read_text().replace("value = dict(", ends))
    place.build()
    (place.source / "kernel/y.c").write_text("int y;")
    marker.touch()
    with pytest.raises(BuildError):
        place.build()
    marker.unlink()
    place.build()
    assert [call["arguments"][0] for call in place.called()] == ["-T", "-T", "-T"]


def test_a_status_of_0_alone_is_no_success(place: Place) -> None:
    text = (place.source / "scripts/livepatch/klp-build").read_text()
    (place.source / "scripts/livepatch/klp-build").write_text(text.replace("fj:o:", "fo:"))
    with pytest.raises(BuildError) as caught:
        place.build()
    assert caught.value.details["rc"] == 0
    assert caught.value.finding.reason == "tool_too_old"


def test_after_a_run_that_was_killed_the_copy_is_made_anew(place: Place) -> None:
    marker = place.path / "dies"
    text = (place.source / "scripts/livepatch/klp-build").read_text()
    kill = f"os.path.exists({str(marker)!r}) and os.kill(os.getpid(), 9)"
    text = text.replace("printed, status, makes =", f"{kill}\nprinted, status, makes =")
    (place.source / "scripts/livepatch/klp-build").write_text(text)
    place.build()
    marker.touch()
    with pytest.raises(BuildError):
        place.build()
    assert place.copy("scripts/setlocalversion") == "edited"
    assert place.copy("kernel/x.c").endswith("patched")
    marker.unlink()
    place.build()
    assert place.copy("scripts/setlocalversion") == "as it was"
    last = place.called()[-1]
    assert (last["arguments"][0], last["kept"]) == ("-T", False)


def test_a_build_that_takes_too_long(place: Place) -> None:
    place.install(seconds=60)
    with pytest.raises(BuildError) as caught:
        place.build(timeout=2)
    assert (caught.value.finding.reason, caught.value.details["rc"]) == ("timeout", None)
    assert "Building patched kernel\n" in pathlib.Path(caught.value.details["log"]).read_text()


def test_a_patch_that_changes_before_the_build_is_no_other_patch(place: Place) -> None:
    build = place.prepare()
    place.patch.write_text(PATCH.replace("22", "23"))
    content = origin(build.request, keep=False)
    (place.path / "made").mkdir()
    with pytest.raises(BuildError) as caught:
        builder.build_module(build, content, builder.inputs(build, content), str(place.path / "made"), Reporter())
    assert caught.value.finding.reason == "inputs_changed"
    assert place.called() == []


def test_objects_are_counted_while_make_removes_folders(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = place.source / "kernel"
    (folder / "klp-tmp").mkdir()
    (folder / "klp-tmp/kept.o").touch()
    (folder / "x.o").touch()
    scan = os.scandir

    def scandir(path: str) -> t.Any:
        if path == str(folder / "gone"):
            raise FileNotFoundError(path)
        return scan(path)

    (folder / "gone").mkdir()
    monkeypatch.setattr(os, "scandir", scandir)
    assert builder.count_objects(str(folder)) == 1


def test_a_build_removes_old_trees_of_the_cache(place: Place) -> None:
    old = place.old_tree()
    made = builder.prepare(place.task(src_dir=str(place.source), kernel_release=RELEASE))
    (place.path / "made").mkdir()
    made.build_into(str(place.path / "made"), made.inputs(None))
    assert [tree["path"] for tree in made.removed_trees] == [str(old)]
    assert pathlib.Path(place.tree()).name != old.name


def test_what_the_patched_functions_lack_is_in_the_manifest(place: Place) -> None:
    warned = (
        "vmlinux.o: warning: objtool: do_x: disabling unsupported tracepoint sched_switch",
        "vmlinux.o: warning: objtool: do_x: disabling unsupported pr_debug()",
    )
    place.install(printed=warned)
    first, second = place.build()["warnings"]
    assert "sched_switch" in first
    assert "pr_debug()" in second


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        (CONFIG.replace("CONFIG_KLP_BUILD=y\n", ""), ["config"]),
        (CONFIG.replace("CONFIG_LIVEPATCH=y\n", ""), ["config"]),
        (CONFIG + "CONFIG_GCC_PLUGIN_RANDSTRUCT=y\nCONFIG_LD_DEAD_CODE_DATA_ELIMINATION=y\n", ["config"] * 2),
        (CONFIG + "CONFIG_AS_IS_LLVM=y\nCONFIG_AS_VERSION=190106\n", ["config"]),
        (CONFIG + "CONFIG_AS_IS_LLVM=y\nCONFIG_AS_VERSION=200101\n", []),
        (CONFIG + "CONFIG_X=$(reboot)\n", ["config_not_plain"]),
        (CONFIG.replace("7.3.4 Kernel", "7.2.0 Kernel"), ["version_mismatch"]),
        (CONFIG.replace("14.2.0-19) 14.2.0", "15.1.0-1) 15.1.0"), ["compiler_mismatch"]),
    ],
)
def test_configurations(place: Place, config: str, expected: list[str]) -> None:
    place.config.write_text(config)
    assert reasons(place.prepare()) == expected


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"kernel_release": "7.3.5-klp"}, ["version_mismatch"]),
        ({"kernel_release": "7.3.4-klp$(reboot)"}, ["bad_argument"]),
        ({"oot_module": "/x.ko"}, ["bad_argument"]),
        ({"arch": "arm64"}, ["tool_not_for_arch"]),
        ({"arch": "x86_64"}, []),
    ],
)
def test_options(place: Place, changes: dict[str, t.Any], expected: list[str]) -> None:
    assert reasons(place.prepare(**changes)) == expected


def test_a_host_that_lacks_things_is_told_all_of_them_at_once(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    (place.path / "programs/recountdiff").unlink()
    monkeypatch.setenv("PATH", str(place.path / "programs"))
    place.bash, place.headers = "4.2.46(2)-release", "xxhash.h"
    (place.source / "scripts/livepatch/fix-patch-lines").unlink()
    found = reasons(place.prepare())
    assert found[0] == "no_klp_build"
    assert {"missing_program", "tool_too_old", "missing_header"} <= set(found)


def test_what_may_be_wrong_is_no_problem(place: Place) -> None:
    """As for kpatch-build: it is told, and does not keep klp-build from building."""
    (place.source / "kernel/x.c").write_text(FILE.replace("}\n\nint used", "}\n/* used */\nint used"))
    build = place.prepare()
    assert (build.problems, [doubt.reason for doubt in build.doubts]) == ((), ["fuzzy_patch"])


def test_a_vmlinux_tells_release_build_and_compiler(place: Place) -> None:
    vmlinux = place.path / "vmlinux"
    vmlinux.write_bytes(tiny_elf.vmlinux(RELEASE, COMPILER))
    manifest = place.build(vmlinux=str(vmlinux), kernel_release=None)
    assert reasons(place.prepare(vmlinux=str(vmlinux), kernel_release="another")) == ["wrong_release"]
    assert manifest["kernel_build_id"] == manifest["patch_file"]["kernel_build_id"] == "01" * 20
    vmlinux.write_bytes(tiny_elf.vmlinux(RELEASE, "GCC: another"))
    assert reasons(place.prepare(vmlinux=str(vmlinux))) == ["compiler_mismatch"]
    assert reasons(place.prepare(vmlinux=str(vmlinux), skip_compiler_check=True)) == []


def test_a_release_that_begins_with_the_sources_version(place: Place) -> None:
    place.config.write_text(CONFIG.replace("-klp", ""))
    build = place.prepare(kernel_release="7.3.4+deb13-cloud-amd64")
    assert (build.named.suffix, build.problems) == ("+deb13-cloud-amd64", ())


def test_a_release_that_does_not_begin_with_the_sources_version(place: Place) -> None:
    """Ubuntu: the release has .0 where the source has its stable release."""
    place.config.write_text(CONFIG.replace("-klp", ""))
    release = "7.3.0-9-generic"
    modinfo = ("livepatch=Y", "name=livepatch_fix", f"vermagic={release} SMP ")
    place.result.write_bytes(place.tables.module.content(modinfo))
    original = (place.source / "Makefile").read_text()
    for _build in range(2):
        assert place.build(kernel_release=release)["release"] == release
        assert place.called()[-1]["environ"]["LOCALVERSION"] == "-9-generic"
        assert place.copy("Makefile") == original.replace("SUBLEVEL = 4", "SUBLEVEL = 0")
        assert (place.source / "Makefile").read_text() == original
    assert [call["arguments"][0] for call in place.called()] == ["-T", "-S"]
    # A kernel whose Makefile says another version has other objects.
    assert builder.tree_of(place.prepare(kernel_release="7.3-9-generic")).path != place.tree()


def test_a_vmlinux_that_does_not_tell_its_release(place: Place) -> None:
    vmlinux = place.path / "vmlinux"
    vmlinux.write_bytes(tiny_elf.debug_only(COMPILER))
    assert place.build(vmlinux=str(vmlinux))["kernel_build_id"] == "01" * 20
    assert reasons(place.prepare(vmlinux=str(vmlinux), kernel_release="7.3.5-klp")) == ["version_mismatch"]
    build = place.prepare(vmlinux=str(vmlinux), kernel_release=None)
    assert reasons(build) == ["no_release"]
    assert "kernel_release" in build.problems[0].remedy


def test_a_vmlinux_in_a_usual_place_is_of_the_release_that_it_is_named_by(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On SUSE it does not tell the release, and a host with it installed needs no more options than one without."""
    monkeypatch.setattr(patch_builder, "own_release", lambda: RELEASE)
    vmlinux = place.path / f"vmlinux-{RELEASE}.debug"
    vmlinux.write_bytes(tiny_elf.debug_only(COMPILER))
    build = place.prepare(vmlinux=str(vmlinux), searched=(str(vmlinux),), kernel_release=None)
    assert (build.release, build.problems) == (RELEASE, ())


def test_a_vmlinux_of_no_kernel_is_remedied_by_its_package(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kernel_places, "read_distribution", lambda *_: Distribution(id="rocky", like="RedHat"))
    vmlinux = place.path / "vmlinux"
    vmlinux.write_bytes(tiny_elf.elf({".text": b"x"}))
    (problem,) = place.prepare(vmlinux=str(vmlinux)).problems
    assert (problem.reason, problem.remedy) == (
        "bad_vmlinux",
        f"Install kernel-debuginfo-{RELEASE}, and give its vmlinux.",
    )


def test_the_files_are_looked_for_where_distributions_put_them(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("_VMLINUX", "_CONFIGS", "_SOURCES"):
        monkeypatch.setattr(kernel_places, name, [f"{tmp_path}{place}" for place in getattr(kernel_places, name)])
    params = checked({"kernel_release": "7.3.4-1-default"})
    found = requests_of_it.read_request(params)
    assert (found.vmlinux, found.source) == (None, f"{tmp_path}/usr/src/linux-7.3.4-1-default")
    files = ("usr/lib/debug/boot/vmlinux-7.3.4-1-default.debug", "usr/lib/modules/7.3.4-1-default/config")
    (tmp_path / "usr/src/linux-7.3.4-1").mkdir(parents=True)
    for name in files:
        (tmp_path / name).parent.mkdir(parents=True)
        (tmp_path / name).touch()
    # klp-build itself leaves one there, which is of no kernel that runs.
    (tmp_path / "usr/src/linux-7.3.4-1/vmlinux").touch()
    found = requests_of_it.read_request(params)
    assert [found.vmlinux, found.config] == [f"{tmp_path}/{name}" for name in files]
    assert found.source == f"{tmp_path}/usr/src/linux-7.3.4-1"


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, True),
        ({"kpatch_build": "/usr/bin/kpatch-build"}, False),
        ({"targets": ["vmlinux"]}, False),
        ({"oot_module": "/x.ko"}, False),
        ({"arch": "arm64"}, False),
        ({"src_dir": "/nowhere"}, False),
    ],
)
def test_when_auto_takes_it(place: Place, changes: dict[str, t.Any], expected: bool) -> None:
    params = {
        **dict.fromkeys(("kpatch_build", "targets", "oot_module", "arch", "kernel_release", "config")),
        "src_dir": str(place.source),
        **changes,
    }
    assert requests_of_it.is_for(params) is expected
    place.config.write_text(CONFIG.replace("CONFIG_KLP_BUILD=y", "# CONFIG_KLP_BUILD is not set"))
    assert requests_of_it.is_for(params) is False
