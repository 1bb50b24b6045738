# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""livepatch_build from its arguments to its result, with small programs in the place of make, gcc and kpatch-build."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import pathlib
import shutil
import sys
import typing as t

import pytest

pytest.importorskip("elftools", reason="pyelftools is not installed for this Python")

from ansible.module_utils import basic
from ansible_collections.openeuler.livepatch.plugins.module_utils._system import programs
from ansible_collections.openeuler.livepatch.plugins.modules import livepatch_build
from ansible_collections.openeuler.livepatch.tests.unit.plugins.module_utils import tiny_elf
from ansible_collections.openeuler.livepatch.tests.unit.plugins.module_utils.hurried_clock import HurriedClock
from ansible_collections.openeuler.livepatch.tests.unit.plugins.module_utils.test_kpatch import (
    COMPILER,
    STOP_MACHINE_CONFIG,
    Place,
)

Plain = t.Dict[str, t.Any]
Call = t.Callable[..., Plain]

FIXTURE = pathlib.Path(__file__).parents[1] / "module_utils/fixtures/livepatch_cmdline.ko"
NAME = FIXTURE.stem

MAKE = """\
echo "$@" >> {calls}
for argument; do case $argument in M=*) directory=${{argument#M=}};; esac; done
printf '%s' {cmd} | sed "s,%,$directory/," > $directory/.{name}.o.cmd
cp {result} $directory/{name}.ko
"""

FAILING_MAKE = """\
for argument; do case $argument in M=*) directory=${{argument#M=}};; esac; done
echo "$directory/{name}.c:7:3: error: 'x' undeclared" >&2
exit 2
"""

CMD_FILE = """\
savedcmd_%fix.o := test-gcc -c -o %fix.o %fix.c

source_%fix.o := %fix.c

deps_%fix.o := \\
  include/linux/kernel.h \\

"""

SIGNATURE = b"a signature"


class BuildHost:
    """A kernel's build tree, the source of a patch, and programs that are found first."""

    def __init__(self, path: pathlib.Path, call: Call) -> None:
        self.path = path
        self._call = call
        self.tree = path / "tree"
        self.source = path / f"{NAME}.c"
        self.dest = path / f"out/{NAME}.ko"
        self.calls = path / "calls"
        self.header = self.tree / "include/linux/kernel.h"
        for file, content in (
            (self.tree / "include/config/kernel.release", "6.12.48-test\n"),
            (self.tree / ".config", "CONFIG_LIVEPATCH=y\n"),
            (self.tree / "Makefile", ""),
            (self.header, "#define X 1\n"),
            (self.source, "int x;\n"),
        ):
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(content, encoding="utf-8")
        (path / "bin").mkdir()
        self.install("test-gcc", "echo version 14 >&2")
        cmd = path / "cmd"
        cmd.write_text(CMD_FILE, encoding="utf-8")
        self.install("make", MAKE.format(calls=self.calls, cmd=f'"$(cat {cmd})\n\n"', name=NAME, result=FIXTURE))

    def install(self, name: str, script: str) -> None:
        program = self.path / "bin" / name
        program.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
        program.chmod(0o755)

    def build(self, check_mode: bool = False, **arguments: t.Any) -> Plain:
        values = {
            "method": "kbuild",
            "sources": [str(self.source)],
            "dest": str(self.dest),
            "kernel_build": str(self.tree),
            **arguments,
        }
        return self._call(livepatch_build, check_mode, **values)

    @property
    def builds(self) -> int:
        return len(self.calls.read_text(encoding="utf-8").splitlines()) if self.calls.exists() else 0

    @property
    def manifest(self) -> Plain:
        return t.cast(Plain, json.loads(pathlib.Path(f"{self.dest}.json").read_text(encoding="utf-8")))


@pytest.fixture(name="host")
def fixture_host(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, call: Call) -> BuildHost:
    monkeypatch.setenv("PATH", f"{tmp_path}/bin{os.pathsep}{os.environ['PATH']}")
    return BuildHost(tmp_path, call)


def digest(path: pathlib.Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


# ---- kbuild ----


def test_a_first_build(host: BuildHost) -> None:
    result = host.build()
    assert (result["changed"], result["path"], result["name"]) == (True, str(host.dest), NAME)
    assert result["release"] == "6.12.48-test"
    assert result["patch_file"]["sha256"] == digest(host.dest) == host.manifest["sha256"]
    assert result["manifest"] == f"{host.dest}.json"
    assert result["changed_functions"] == []
    assert set(result["cpu_seconds"]) == {"build", "besides"}
    assert result["diff"]["before"] == "none\n"
    assert f"sha256: {digest(host.dest)}" in result["diff"]["after"]
    assert sorted(os.listdir(host.dest.parent)) == [host.dest.name, f"{host.dest.name}.json"]


def test_what_is_current_is_not_built_again(host: BuildHost) -> None:
    first = host.build()
    result = host.build()
    assert (result["changed"], host.builds) == (False, 1)
    assert result["patch_file"] == first["patch_file"]
    # Nothing was built, so nothing was spent.
    assert result["cpu_seconds"] is None
    assert result["diff"]["before"] == result["diff"]["after"]


@pytest.mark.parametrize("key", ["inputs", "patch_file", "fix"])
@pytest.mark.parametrize("value", [[1], "text", 5])
def test_a_manifest_that_nobody_can_have_written_is_none(host: BuildHost, key: str, value: object) -> None:
    host.build()
    host.dest.with_name(f"{host.dest.name}.json").write_text(json.dumps({**host.manifest, key: value}))
    assert host.build()["changed"]
    assert isinstance(host.manifest["patch_file"], dict)


@pytest.mark.parametrize("what", ["source", "header", "configuration", "flags", "result", "manifest"])
def test_whatever_decides_the_result_is_a_reason_to_build(host: BuildHost, what: str) -> None:
    host.build()
    changes: dict[str, tuple[pathlib.Path, str]] = {
        "source": (host.source, "int y;\n"),
        "header": (host.header, "#define X 2\n"),
        "configuration": (host.tree / ".config", "CONFIG_LIVEPATCH=y\nCONFIG_X=y\n"),
        "result": (host.dest, "something else"),
        "manifest": (pathlib.Path(f"{host.dest}.json"), "{"),
    }
    if what in changes:
        path, content = changes[what]
        path.write_text(content, encoding="utf-8")
    result = host.build(cflags=["-DX"] if what == "flags" else [])
    assert (result["changed"], host.builds) == (True, 2)
    assert digest(host.dest) == digest(FIXTURE)


def test_the_user_may_want_a_build_always(host: BuildHost) -> None:
    host.build()
    assert (host.build(rebuild="always")["changed"], host.builds) == (True, 2)


def test_the_user_may_want_no_build_at_all(host: BuildHost) -> None:
    result = host.build(rebuild="never")
    assert (result["failed"], result["reason"], host.builds) == (True, "outdated", 0)
    host.build()
    assert not host.build(rebuild="never")["changed"]
    host.source.write_text("int y;\n", encoding="utf-8")
    assert (host.build(rebuild="never")["reason"], host.builds) == ("outdated", 1)


def test_check_mode_builds_nothing_and_tells_that_it_would(host: BuildHost) -> None:
    result = host.build(check_mode=True)
    assert (result["changed"], host.builds, host.dest.exists()) == (True, 0, False)
    assert "sha256: (not built yet)" in result["diff"]["after"]
    host.build()
    assert not host.build(check_mode=True)["changed"]


def test_the_attributes_of_the_result_are_kept_as_wanted(host: BuildHost) -> None:
    host.build(mode="0600")
    assert host.dest.stat().st_mode & 0o777 == 0o600
    result = host.build(mode="0640")
    assert (result["changed"], host.builds) == (True, 1)
    assert host.dest.stat().st_mode & 0o777 == 0o640


def test_a_job_that_asks_first_whether_there_is_anything_to_build(host: BuildHost) -> None:
    ask = {"only_if_current": True}
    assert host.build(_handed_over=ask)["needs_build"]
    host.build()
    result = host.build(_handed_over=ask)
    assert ("needs_build" in result, result["changed"]) == (False, False)
    host.source.write_text("int y;\n", encoding="utf-8")
    assert host.build(_handed_over=ask)["needs_build"]
    assert host.builds == 1


def test_a_failed_build_leaves_the_last_result(host: BuildHost) -> None:
    host.build()
    before = host.manifest
    host.install("make", FAILING_MAKE.format(name=NAME))
    result = host.build(rebuild="always")
    assert (result["failed"], result["reason"]) == (True, "compile_error")
    assert result["errors"] == [
        {"file": str(host.source), "line": 7, "column": 3, "message": "'x' undeclared"},
    ]
    assert result["cause"] in result["msg"] and result["remedy"] in result["msg"]
    assert (host.manifest, digest(host.dest)) == (before, digest(FIXTURE))


def test_the_timeout_holds_for_make_as_well(host: BuildHost, monkeypatch: pytest.MonkeyPatch) -> None:
    begun = host.path / "begun"
    host.install("make", f"touch {begun}; exec sleep 600")
    monkeypatch.setattr(programs, "time", HurriedClock(begun.exists))
    result = host.build(timeout=60)
    assert (result["failed"], result["reason"], result["rc"]) == (True, "timeout", None)
    assert result["cause"] == "make did not end before the 60 s of the task were over."
    assert result["cmd"][0] == "make"
    assert not host.dest.exists()


def test_a_passphrase_is_needed_for_a_build_alone(host: BuildHost, monkeypatch: pytest.MonkeyPatch) -> None:
    keys = Keys(host)
    keys.key.write_text("-----BEGIN ENCRYPTED PRIVATE KEY-----\n", encoding="utf-8")
    monkeypatch.delenv("KBUILD_SIGN_PIN", raising=False)
    assert (host.build(sign=keys.wanted)["reason"], host.builds) == ("no_passphrase", 0)
    monkeypatch.setenv("KBUILD_SIGN_PIN", "secret")
    assert host.build(sign=keys.wanted)["changed"]
    monkeypatch.delenv("KBUILD_SIGN_PIN")
    assert not host.build(sign=keys.wanted)["changed"]


def test_the_timeout_holds_for_signing_as_well(host: BuildHost, monkeypatch: pytest.MonkeyPatch) -> None:
    keys, begun = Keys(host), host.path / "begun"
    host.install("openssl", f"touch {begun}; exec sleep 600")
    monkeypatch.setattr(programs, "time", HurriedClock(begun.exists))
    result = host.build(timeout=60, sign=keys.wanted)
    assert (result["failed"], result["reason"]) == (True, "timeout")
    assert str(keys.key) not in str(result)
    assert not host.dest.exists()


def test_a_program_that_is_missing_is_named(host: BuildHost, monkeypatch: pytest.MonkeyPatch) -> None:
    (host.path / "bin/make").unlink()
    monkeypatch.setenv("PATH", f"{host.path}/bin")
    result = host.build()
    assert (result["failed"], result["reason"]) == (True, "no_make")


@pytest.mark.parametrize(
    ("number", "reason"), [(errno.ENOSPC, "disk_full"), (errno.EROFS, "system_error"), (errno.EACCES, "system_error")]
)
def test_what_the_system_refuses_is_told(
    host: BuildHost, monkeypatch: pytest.MonkeyPatch, number: int, reason: str
) -> None:
    def refuse(*_arguments: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(shutil, "copyfile", refuse)
    result = host.build()
    assert (result["failed"], result["reason"]) == (True, reason)
    assert os.strerror(number) in result["msg"]
    assert not host.dest.exists()


def test_without_pyelftools_it_is_named(host: BuildHost, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.split(".")[0] == "elftools" or "._patch_file." in name]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "elftools", None)
    result = host.build()
    assert (result["failed"], result["reason"]) == (True, "no_pyelftools")
    assert "pyelftools" in result["msg"]


# ---- signing ----


class Keys:
    """A key and a certificate, with an openssl that leaves a signature."""

    def __init__(self, host: BuildHost) -> None:
        self.key, self.cert = host.path / "key.pem", host.path / "cert.pem"
        for path in (self.key, self.cert):
            path.write_text(path.name, encoding="utf-8")
        script = "while [ $# -gt 1 ]; do [ $1 != -out ] || out=$2; shift; done\nprintf '%s' '{}' > $out"
        host.install("openssl", script.format(SIGNATURE.decode()))

    @property
    def wanted(self) -> Plain:
        return {"key": str(self.key), "cert": str(self.cert)}


def test_a_signed_result_is_known_by_its_signed_content(host: BuildHost) -> None:
    keys = Keys(host)
    result = host.build(sign=keys.wanted)
    content = host.dest.read_bytes()
    assert content.startswith(FIXTURE.read_bytes() + SIGNATURE)
    assert host.manifest["sha256"] == result["patch_file"]["sha256"] == digest(host.dest)
    assert result["patch_file"]["size"] == len(content)
    # What the stand-in for openssl leaves is no signature that can be read.
    assert result["patch_file"]["signature"] == {"signer": None, "hash": None, "key_id": None, "readable": False}
    assert host.manifest["inputs"]["sign"] == {"cert": digest(keys.cert), "hash": "sha512"}
    assert not host.build(sign=keys.wanted)["changed"]


def test_another_certificate_or_none_is_a_reason_to_build(host: BuildHost) -> None:
    keys = Keys(host)
    host.build(sign=keys.wanted)
    keys.cert.write_text("renewed", encoding="utf-8")
    assert host.build(sign=keys.wanted)["changed"]
    assert host.build()["changed"]
    assert digest(host.dest) == digest(FIXTURE)


def test_a_key_that_is_not_there_fails_before_anything_is_built(host: BuildHost) -> None:
    keys = Keys(host)
    keys.key.unlink()
    assert (host.build(sign=keys.wanted)["reason"], host.builds) == ("no_such_file", 0)


def test_an_unsigned_result_for_a_kernel_that_wants_signatures_is_warned_of(host: BuildHost) -> None:
    (host.tree / ".config").write_text("CONFIG_LIVEPATCH=y\nCONFIG_MODULE_SIG_FORCE=y\n", encoding="utf-8")
    (warning,) = host.build()["warnings"]
    assert "6.12.48-test loads signed modules only" in warning
    assert host.build(sign=Keys(host).wanted)["warnings"] == []


# ---- kpatch-build ----


class KpatchHost:
    """A kernel's source with a patch for it, and stand-ins for kpatch-build and the compiler."""

    def __init__(self, path: pathlib.Path, call: Call) -> None:
        self.place = Place(path)
        self._call = call
        comment = path / "comment.o"
        comment.write_bytes(tiny_elf.elf({".comment": COMPILER.encode() + b"\0"}, True))
        programs = path / "bin"
        programs.mkdir()
        for name, script in (
            ("gcc", f'cp {comment} "$3"'),
            *((name, "true") for name in ("bc", "bison", "flex", "gawk", "lsdiff", "ld", "objcopy", "strings")),
        ):
            if name == "gcc" or shutil.which(name) is None:
                (programs / name).write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
                (programs / name).chmod(0o755)

    @property
    def builds(self) -> int:
        return len(self.place.called())

    def build(self, check_mode: bool = False, **arguments: t.Any) -> Plain:
        values = {
            "patches": [str(self.place.patch)],
            "src_dir": str(self.place.source),
            "vmlinux": str(self.place.vmlinux),
            "config": str(self.place.config),
            "kpatch_build": str(self.place.tool),
            "cache_dir": str(self.place.cache),
            "dest": f"{self.place.path}/out/",
            **arguments,
        }
        return self._call(livepatch_build, check_mode, **values)


@pytest.fixture(name="kpatch")
def fixture_kpatch(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, call: Call) -> KpatchHost:
    monkeypatch.setenv("PATH", f"{tmp_path}/bin{os.pathsep}{os.environ['PATH']}")
    return KpatchHost(tmp_path, call)


def test_kpatch_builds_once(kpatch: KpatchHost) -> None:
    result = kpatch.build()
    assert (result["changed"], result["name"]) == (True, "livepatch_0001_test")
    assert result["changed_functions"] == [{"object": "cgroup.o", "name": "cgroup_exit", "new": False}]
    assert result["path"] == f"{kpatch.place.path}/out/livepatch-0001-test.ko"
    assert os.path.exists(result["path"])
    assert result["duration"] >= 0
    assert not kpatch.build()["changed"]
    assert kpatch.builds == 1


def test_kpatch_in_check_mode_leaves_nothing(kpatch: KpatchHost) -> None:
    assert kpatch.build(check_mode=True)["changed"]
    assert not kpatch.place.cache.exists()
    assert not (kpatch.place.path / "out").exists()


@pytest.mark.parametrize("arguments", [{}, {"_handed_over": {"only_if_current": True}}])
def test_what_would_make_the_build_fail_is_found_before_it(kpatch: KpatchHost, arguments: Plain) -> None:
    kpatch.place.config.write_text(STOP_MACHINE_CONFIG.replace("CONFIG_LIVEPATCH=y\n", ""), encoding="utf-8")
    result = kpatch.build(**arguments)
    assert result["failed"]
    assert [problem["reason"] for problem in result["problems"]] == [result["reason"]]
    assert kpatch.builds == 0


def test_whoever_watches_is_told_how_the_build_goes(kpatch: KpatchHost) -> None:
    assert kpatch.build(_handed_over={"progress": "job-1"})["changed"]
    watch = {"progress": "job-1", "offset": 0, "seconds": 0.1}
    news = kpatch.build(_handed_over=watch)
    assert (news["changed"], news["running"]) == (False, False)
    stages = [entry["stage"] for entry in news["entries"] if "stage" in entry]
    assert stages[-1] == "building the module"
    assert "end" in news["entries"][-1]
    # What is over is told once.
    assert kpatch.build(_handed_over=watch)["entries"] == []


def test_a_build_goes_on_although_nobody_can_be_told(kpatch: KpatchHost) -> None:
    kpatch.place.cache.mkdir()
    (kpatch.place.cache / "progress").write_text("not a directory", encoding="utf-8")
    assert kpatch.build(_handed_over={"progress": "job-1"})["changed"]


@pytest.mark.parametrize("fails", [False, True])
def test_the_values_of_env_are_in_no_result_and_no_log(
    kpatch: KpatchHost, monkeypatch: pytest.MonkeyPatch, fails: bool
) -> None:
    logged: list[str] = []
    monkeypatch.setattr(
        basic.AnsibleModule, "log", lambda _module, msg, log_args=None: logged.append(f"{msg} {log_args}")
    )
    if fails:
        kpatch.place.install(then='say("ERROR: " + os.environ["TOKEN"]); sys.exit(1)')
    result = kpatch.build(env={"TOKEN": "hunter22", "ONE": "1"}, debug=1)
    assert result.get("failed", False) is fails
    assert kpatch.builds == 1 and logged
    # Later versions of ansible-core add it only if the controller asks for it.
    shown = result.get("invocation", {}).get("module_args", {}).get("env")
    assert shown in (None, {"TOKEN": "********", "ONE": "********"})
    if not fails:
        assert result["path"] == f"{kpatch.place.path}/out/livepatch-0001-test.ko"
        assert not kpatch.build(env={"TOKEN": "hunter22", "ONE": "1"}, debug=1)["changed"]
        assert kpatch.build(env={"TOKEN": "hunter23", "ONE": "1"}, debug=1)["changed"]
    files = [path for path in kpatch.place.path.rglob("*") if path.is_file() and path != kpatch.place.calls]
    kept = [path.read_text(encoding="utf-8", errors="replace") for path in files]
    assert [text for text in (json.dumps(result), *logged, *kept) if "hunter22" in text] == []


def test_what_make_prints_is_clean(host: BuildHost) -> None:
    host.install("make", "printf 'x.c:1:1: error: \\033[2J\\302\\233 \\377\\n' >&2; exit 2")
    result = host.build()
    assert result["errors"][0]["message"] == "\ufffd[2J\ufffd \ufffd"
    assert "\x1b" not in json.dumps(result, ensure_ascii=False)
