# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The recorder of hosts: what it records, unpacked elsewhere, is read as the host itself is."""

from __future__ import annotations

import dataclasses
import errno
import glob
import gzip
import json
import pathlib
import re

import pytest
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.reading import Unreadable
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.snapshot import PER_TASK, Function, Snapshot
from ansible_collections.openeuler.livepatch.plugins.module_utils._observe.conditions import Conditions, read_conditions
from ansible_collections.openeuler.livepatch.plugins.module_utils._observe.host import read_snapshot
from ansible_collections.openeuler.livepatch.plugins.module_utils._observe.kallsyms import Symbol
from ansible_collections.openeuler.livepatch.plugins.module_utils._observe.transition import read_stalling_tasks
from ansible_collections.openeuler.livepatch.plugins.module_utils._system.files import Files
from ansible_collections.openeuler.livepatch.tests.rig import record_tree
from ansible_collections.openeuler.livepatch.tests.unit.plugins.module_utils.recorded_host import RecordedFiles
from ansible_collections.openeuler.livepatch.tests.unit.plugins.module_utils.test_host import RELEASE, Tree

CMDLINE = Function("vmlinux", "cmdline_proc_show", 1)
FSYNC = Function("ext4", "ext4_sync_file", 1)
FUNCTIONS = [(function.object, function.name) for function in (CMDLINE, FSYNC)]

SYMBOLS = """\
ffffffff81000000 T _stext
ffffffff81000010 t cmdline_proc_show
ffffffff81000010 t an_alias
ffffffff81000040 t next_to_it
ffffffff81000050 t far_away
ffffffff81000060 t klp_ftrace_handler
ffffffff81000090 T behind_it
ffffffffc0000000 t ext4_sync_file\t[ext4]
ffffffffc0000020 t ext4_other\t[ext4]
ffffffffc0100000 t foreign\t[mbcache]
ffffffffc0200000 t new_cmdline\t[lp_one]
"""

CONFIG = "CONFIG_SMP=y\nCONFIG_FOREIGN=y\nCONFIG_KALLSYMS=y\nCONFIG_LIVEPATCH=y\n# CONFIG_PREEMPT is not set\n"

FILES: dict[str, bytes | str] = {
    "/proc/config.gz": gzip.compress(CONFIG.encode()),
    "/proc/kallsyms": SYMBOLS,
    "/proc/keys": "1ed2b2c5 I------     1 perm 1f030000     0     0 asymmetri Us: 6ccece7e: X509.rsa 6ccece7e []\n",
    "/proc/meminfo": "MemTotal: 1000 kB\nMemAvailable: 500 kB\n",
    "/proc/sys/kernel/ftrace_enabled": "1\n",
    "/proc/sys/kernel/modules_disabled": "0\n",
    "/proc/sys/kernel/panic_on_oops": "1\n",
    "/proc/42/task/42/comm": "sleep\n",
    "/proc/42/task/42/patch_state": "0\n",
    "/proc/42/task/42/stack": "[<0>] hrtimer_nanosleep+0x9d/0x120\n",
    "/proc/43/task/43/comm": "done\n",
    "/proc/43/task/43/patch_state": "-1\n",
    f"/lib/modules/{RELEASE}/modules.builtin": "kernel/fs/ext4/ext4.ko\n",
    f"/lib/modules/{RELEASE}/modules.dep": "kernel/fs/ext4/ext4.ko.xz: kernel/fs/mbcache.ko.xz\n",
    "/sys/firmware/efi/efivars/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c": b"\x06\0\0\0\x01",
    "/sys/kernel/debug/kprobes/list": "ffffffff81000010  k  cmdline_proc_show+0x0    [FTRACE]\n",
    "/sys/kernel/security/lockdown": "none [integrity] confidentiality\n",
    "/sys/kernel/tracing/README": "tracing\n",
    "/sys/kernel/tracing/enabled_functions": "cmdline_proc_show (1) R I     \ttramp: 0xc0\n",
    "/sys/module/lp_one/notes/.note.gnu.build-id": b"\x04\0\0\0\x14\0\0\0\x03\0\0\0GNU\0" + bytes(range(200, 220)),
    "/sys/module/lp_off/refcnt": "1\n",
    "/sys/module/lp_one/srcversion": "ABCDEF\n",
    "/sys/module/module/parameters/sig_enforce": "N\n",
    "/usr/lib/syscare/patches/4f2a/lp-two.ko": "\x7fELF",
}


class NotingFiles(Files):
    """Remembers all paths that were asked for."""

    def __init__(self, root: str) -> None:
        super().__init__(root)
        self.asked: set[str] = set()

    def path(self, path: str) -> str:
        self.asked.add(path)
        return super().path(path)


@pytest.fixture(name="tree")
def fixture_tree(tmp_path: pathlib.Path) -> Tree:
    """A mainline host, written by hand, on which the transition of a patch is running."""
    tree = Tree(tmp_path / "host")
    tree.write("/proc/sys/kernel/osrelease", RELEASE + "\n")
    tree.write("/proc/sys/kernel/tainted", "36864\n")
    tree.write(
        "/proc/modules", "lp_off 12288 1 - Live 0x0 (OEK)\nlp_one 12288 1 - Live 0x0 (OEK)\next4 1163264 1 - Live 0x0\n"
    )
    tree.patch("lp_one", ["vmlinux/cmdline_proc_show,1"], transition="1")
    for path, content in FILES.items():
        tree.write(path, content)
    return tree


def read(files: Files) -> tuple[Snapshot, Conditions]:
    """What the collection reads of a host, without what another file system numbers anew."""
    snapshot = read_snapshot(files)
    patches = tuple(dataclasses.replace(patch, instance=None) for patch in snapshot.patches)
    conditions = read_conditions(files, RELEASE, "lp_one", [CMDLINE, FSYNC])
    return dataclasses.replace(snapshot, patches=patches), conditions


def recorded(tree: Tree, folder: pathlib.Path) -> RecordedFiles:
    """The host, recorded, written down, and unpacked elsewhere."""
    document = json.loads(json.dumps(record_tree.Recorder(FUNCTIONS, str(tree.root)).record()))
    return RecordedFiles(str(folder), document)


def test_a_recorded_host_is_read_as_the_host_is(tree: Tree, tmp_path: pathlib.Path) -> None:
    files = recorded(tree, tmp_path / "elsewhere")
    snapshot, conditions = read(files)
    assert (snapshot, conditions) == read(tree.files)
    assert (snapshot.abi, [patch.in_transition for patch in snapshot.patches]) == (PER_TASK, [True, False])
    assert [patch.pinned for patch in snapshot.patches] == [False, True]
    assert conditions.symbols == {
        ("vmlinux", "cmdline_proc_show"): (Symbol(0xFFFFFFFF81000010, 0x30, frozenset(["an_alias"])),),
        ("ext4", "ext4_sync_file"): (Symbol(0xFFFFFFFFC0000000, 0x20),),
    }
    assert conditions.loadable == frozenset(["ext4"])
    assert [holder.command for holder in read_stalling_tasks(files, enabling=True)] == ["sleep"]


def test_everything_that_is_read_is_recorded(tree: Tree) -> None:
    files = NotingFiles(str(tree.root))
    read(files)
    read_stalling_tasks(files, enabling=True)
    patterns = [re.compile(form(pattern)) for pattern in record_tree.Recorder(FUNCTIONS, str(tree.root)).patterns()]
    for path in files.asked:
        # Directories are asked for their names, and a task that no transition concerns for its state.
        is_directory = (tree.root / path.lstrip("/")).is_dir()
        is_state = path.endswith("/patch_state")
        assert is_directory or is_state or any(pattern.fullmatch(path) for pattern in patterns), path


def form(pattern: str) -> str:
    """A pattern of glob, as a regular expression."""
    pattern = re.sub(r"\[([*?[])\]", r"\1", pattern)
    return re.escape(pattern).replace(re.escape("/**"), "(/.*)?")


def test_long_lists_are_excerpts_that_say_so(tree: Tree) -> None:
    dependencies = f"/lib/modules/{RELEASE}/modules.dep"
    tree.write(dependencies, "kernel/a-b.ko: kernel/c.ko\nkernel/c.ko:\n")
    document = record_tree.Recorder([("vmlinux", "cmdline_proc_show"), ("a_b", "f")], str(tree.root)).record()
    assert document["files"][dependencies] == {"text": "kernel/a-b.ko: kernel/c.ko\n", "excerpt": True}
    symbols = document["files"]["/proc/kallsyms"]
    assert symbols["excerpt"]
    assert [line.split()[2] for line in symbols["text"].splitlines()] == [
        "cmdline_proc_show",
        "an_alias",
        "next_to_it",
        "klp_ftrace_handler",
        "behind_it",
        "new_cmdline",
    ]
    assert document["files"]["/proc/config.gz"] == {"gzip": CONFIG.replace("CONFIG_FOREIGN=y\n", ""), "excerpt": True}
    assert "excerpt" not in document["files"]["/proc/modules"]


def test_the_content_of_modules_and_programs_is_not_recorded(tree: Tree) -> None:
    files = record_tree.Recorder(root=str(tree.root)).record()["files"]
    assert files["/usr/lib/syscare/patches/4f2a/lp-two.ko"] == {"text": ""}


def test_what_could_not_be_read_is_recorded_with_its_errno(tree: Tree, tmp_path: pathlib.Path) -> None:
    path = tree.root / "proc/sys/kernel/ftrace_enabled"
    path.unlink()
    path.symlink_to("/proc/self/mem")
    files = recorded(tree, tmp_path / "elsewhere")
    assert files.errors == {"/proc/sys/kernel/ftrace_enabled": errno.EIO}
    assert read(files)[1].unreadable["/proc/sys/kernel/ftrace_enabled"] == "EIO"
    assert files.bytes("/proc/sys/kernel/ftrace_enabled") == Unreadable("/proc/sys/kernel/ftrace_enabled", "EIO")


@pytest.mark.parametrize("transition", ["0", None])
def test_tasks_are_recorded_while_a_transition_runs_only(tree: Tree, transition: str | None) -> None:
    path = tree.root / "sys/kernel/livepatch/lp_one/transition"
    path.unlink()
    if transition is not None:
        path.write_text(transition, encoding="ascii")
    files = record_tree.Recorder(root=str(tree.root)).record()["files"]
    assert not any(name.startswith("/proc/42") for name in files)
    assert glob.glob(f"{tree.root}/proc/42/task/42/comm")
