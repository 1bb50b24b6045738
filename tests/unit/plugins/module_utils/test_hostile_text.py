# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Parsers of what kernels, tools and earlier runs have written: damaged text gives a result soon, and no exception."""

from __future__ import annotations

import json
import pathlib
import re
import tempfile
import time
import typing as t

import pytest

pytest.importorskip("hypothesis", reason="hypothesis is not installed for this Python")
pytest.importorskip("elftools", reason="pyelftools is not installed for this Python")

from ansible_collections.openeuler.livepatch.plugins.module_utils._build._failures.explain import Failed
from ansible_collections.openeuler.livepatch.plugins.module_utils._build.kernel_source import read_config
from ansible_collections.openeuler.livepatch.plugins.module_utils._build.manifest import read_manifest
from ansible_collections.openeuler.livepatch.plugins.module_utils._build.printed import changed_functions, failed_build
from ansible_collections.openeuler.livepatch.plugins.module_utils._build.source_patch import read_source_patch
from ansible_collections.openeuler.livepatch.plugins.module_utils._explain import explain
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.boot_set import Acceptance, Accepted
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.plan import Action, Step
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.request import State
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.text import lines_of
from ansible_collections.openeuler.livepatch.plugins.module_utils._observe import state_file
from ansible_collections.openeuler.livepatch.plugins.module_utils._observe.kallsyms import find_symbols
from ansible_collections.openeuler.livepatch.plugins.module_utils._observe.keyring import parse_signers
from ansible_collections.openeuler.livepatch.plugins.module_utils._observe.tracers import parse_kprobes, parse_traced
from ansible_collections.openeuler.livepatch.plugins.module_utils._patch_file.module import parse_modinfo
from ansible_collections.openeuler.livepatch.plugins.module_utils._store import copies, journal
from ansible_collections.openeuler.livepatch.plugins.module_utils._system import kmsg
from ansible_collections.openeuler.livepatch.plugins.module_utils._system.files import Files
from ansible_collections.openeuler.livepatch.plugins.module_utils._verify import trouble
from ansible_collections.openeuler.livepatch.tests.unit.plugins.module_utils.model_kernel import loaded, patch_file
from hypothesis import given
from hypothesis import strategies as st

SECONDS = 1.0
"""What a parser may take for a text of a few thousand characters."""

STATE = """\
Index\tPatch                     \tState   \n-----------------------------------------------
1    \tlivepatch_0001_test       \tdisabled\n-----------------------------------------------
"""
KALLSYMS = "ffffffff81000000 T _stext\nffffffff814c0d20 t f\nffffffff814c0d50 t g\nffffffffc0400010 t f\t[ext4]\n"
KPROBES = "ffffffff814c0d20  k  f+0x0    [FTRACE]\nffffffffc0400010  k  f+0x4  ext4 [DISABLED][FTRACE]\n"
TRACED = "f (1) R I     \ttramp: 0xc0 (klp_ftrace_handler+0x0/0x250)\ng [ext4] (2)   D\n\tdirect-->bpf+0x0/0x87\n"
KEYS = "1ed2b2c5 I------     1 perm 1f030000     0     0 asymmetri Us: 6ccece7e: X509.rsa 6ccece7e []\n"
RECORD = "6,339,5140900,-;livepatch: func f is in use!\n SUBSYSTEM=acpi\n"
LOG = """\
livepatch: func worker_thread is in use!
livepatch: Call Trace:
livepatch: kworker/0:0:7 check stack failed, ret=-11
livepatch: symbol position 9 for symbol 'init' in object 'vmlinux' not found
fix: version magic '6.1 SMP ' should be '6.12 SMP '
"""
PRINTED = """\
Building original source
ERROR: cgroup.o: 1 error(s) encountered
cgroup.o: changed function: cgroup_exit
fs/proc/cmdline.c:12:2: error: expected ';' before '}' token
"""
PATCH = "--- a/x.c\n+++ b/x.c\n@@ -1,2 +1,2 @@ f\n a\n-b\n+c\n-- \n2.39.5\n"
CONFIG = '# Linux/x86 6.12.48 Kernel Configuration\n# CONFIG_A is not set\nCONFIG_LIVEPATCH=y\nCONFIG_B="c"\n'
MODINFO = "livepatch=Y\0name=fix\0vermagic=6.12 SMP \0depends=a,b\0"
FIX = patch_file()
BOOT = Acceptance((Accepted("fix", FIX.sha256, "6.12", "then", FIX.to_dict(), ("kprobe",)),))
NOTE = json.dumps(
    journal.to_plain(
        journal.Note(
            "a",
            "b",
            "c",
            (loaded(FIX),),
            (Step(Action.LOAD, "fix", FIX),),
            (loaded(FIX),),
            {"fix": FIX.sha256},
            "fix",
            State.ENABLED,
            boot=BOOT,
        )
    )
)
RECORDED = json.dumps({"sysfs_inode": None, "sha256": "0" * 64, "patch_file": {}})
MANIFEST = json.dumps({"format": 1, "inputs": {}, "sha256": "0" * 64, "replace": False})


SEPARATORS = ["\v", "\f", "\r", "\x1b", "\x1c", "\x1d", "\x1e", "\x85", "\u2028", "\u2029", "\u202e", "\u200f"]
"""What one program takes for the end of a line, or a command of a terminal, and another for content."""


def damaged(*texts: str) -> st.SearchStrategy[str]:
    """These texts with pieces changed, taken out, doubled, swapped or cut off; and any text at all."""
    return st.one_of(st.sampled_from(texts).flatmap(_damage), st.text(max_size=200))


@st.composite
def _damage(draw: st.DrawFn, text: str) -> str:
    for _time in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(text)))
        end = draw(st.integers(start, min(len(text), start + 40)))
        piece = draw(
            st.one_of(
                st.text(max_size=5),
                st.just(text[start:end] * draw(st.integers(0, 50))),
                st.sampled_from(SEPARATORS),
                st.sampled_from(["\0", "\n", "\t", "[", "]", "(", ")", "+0x", "-1", "9" * 30, "{", "}", "null", "[]"]),
            )
        )
        text = text[:start] + piece + text[end:]
    return text


def as_file(path: str, read: t.Callable[[Files, str], t.Any]) -> t.Callable[[str], t.Any]:
    """A parser of a file below a root, as one of a text."""

    def parse(text: str) -> t.Any:
        with tempfile.TemporaryDirectory() as root:
            file = pathlib.Path(root) / path.lstrip("/")
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(text.encode("utf-8", "replace"))
            return read(Files(root), str(file))

    return parse


PARSERS = {
    "state file": ([STATE], state_file.parse),
    "kallsyms": (
        [KALLSYMS],
        lambda text: find_symbols(text.encode("utf-8", "replace"), [("vmlinux", "f"), ("ext4", "f")]),
    ),
    "kprobes": ([KPROBES], parse_kprobes),
    "enabled_functions": ([TRACED], parse_traced),
    "keys": ([KEYS], parse_signers),
    "kernel log records": ([RECORD], kmsg.parse_record),
    "trouble in the log": ([LOG], lambda text: trouble.find(lines_of(text), trouble.Counts(), trouble.Counts())),
    "causes": (
        [LOG],
        lambda text: [explain.explain(row.operation or "load", row.number or 0, [text]) for row in explain.ROWS],
    ),
    "modinfo": ([MODINFO], lambda text: parse_modinfo(text.encode("utf-8", "replace"))),
    "kpatch-build's log": (
        [PRINTED],
        lambda text: (failed_build(Failed("kpatch-build", 1, text, text), []), changed_functions(text)),
    ),
    "notes": ([NOTE], as_file(journal.NOTE, lambda files, _path: journal.read_note(files))),
    "records": (
        [RECORDED],
        as_file(copies.DIRECTORY + "/fix.json", lambda files, _path: copies.read(files, "fix")),
    ),
    "source patches": ([PATCH], as_file("/fix.patch", lambda _files, path: read_source_patch(path))),
    "configurations": ([CONFIG], as_file("/config", lambda _files, path: read_config(path))),
    "manifests": ([MANIFEST], as_file("/fix.ko.json", lambda _files, path: read_manifest(path))),
}


@pytest.mark.parametrize("name", PARSERS)
@given(data=st.data())
def test_damaged_text(name: str, data: st.DataObject) -> None:
    texts, parse = PARSERS[name]
    text = data.draw(damaged(*texts))
    begin = time.process_time()
    parse(text)
    assert time.process_time() - begin < SECONDS


RUN_BY_A_SHELL = re.compile(rb"[^ -~\n]|[$`;&|<>(]")
"""In a line that is no comment; bash(1) knows no other characters that begin another command."""


@given(text=damaged(CONFIG))
def test_a_configuration_that_is_taken_runs_nothing(text: str) -> None:
    config = as_file("/config", lambda _files, path: read_config(path))(text)
    if config.odd_line is None:
        lines = [line for line in config.content.split(b"\n") if not line.startswith(b"#")]
        assert not any(RUN_BY_A_SHELL.search(re.sub(rb'"[^"$`]*"', b"", line)) for line in lines)
        assert not re.search(rb"[^ -~\n]", config.content)


@given(texts=st.lists(st.text(st.sampled_from(["+", "-", " ", "a", "\n", *SEPARATORS])), min_size=2, max_size=2))
def test_patches_with_other_hunks_have_other_digests(texts: list[str]) -> None:
    read = as_file("/fix.patch", lambda _files, path: read_source_patch(path))
    first, second = (read(f"--- a/x.c\n+++ b/x.c\n@@ -1,9 +1,9 @@\n{text}") for text in texts)
    assert (first.sha256 == second.sha256) == (lines_of(texts[0]) == lines_of(texts[1]))


@pytest.mark.parametrize("name", PARSERS)
def test_long_text(name: str) -> None:
    """A text that is a thousand times as long takes no more than about as many times as long."""
    texts, parse = PARSERS[name]
    begin = time.process_time()
    parse(texts[0] * 1000)
    assert time.process_time() - begin < 10 * SECONDS


@pytest.mark.parametrize("filling", [" ", "[X]", "f+0x0", "k ", "\t", "M"])
@pytest.mark.parametrize("name", ["kprobes", "enabled_functions", "keys", "kernel log records"])
def test_a_long_line(name: str, filling: str) -> None:
    """A line that is longer than any that a kernel writes, in each of its places, takes no more than its length."""
    (text,), parse = PARSERS[name]
    line = lines_of(text)[0]
    begin = time.process_time()
    for place in range(len(line) + 1):
        parse(f"{line[:place]}{filling * 2000}{line[place:]} !")
    assert time.process_time() - begin < 10 * SECONDS


@pytest.mark.parametrize("line", ["ERROR: a: b", "gcc/kernel version mismatch", "x.o: changed function:", "a:1: error"])
def test_a_log_of_the_same_line_again_and_again(line: str) -> None:
    """The makefile of a source prints what it wants."""
    begin = time.process_time()
    failed_build(Failed("kpatch-build", 1, f"{line}\n" * 50_000), [])
    assert time.process_time() - begin < 10 * SECONDS
