# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reading hosts from trees written by hand after /proc and /sys of running kernels (mainline 6.12, openEuler 6.6)."""

from __future__ import annotations

import gzip
import pathlib
import struct
import typing as t
from datetime import datetime, timezone

import pytest
from ansible_collections.openeuler.livepatch.plugins.module_utils._manage.facts import gather
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.doubt import doubts
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.reading import Absent, Unreadable
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.snapshot import (
    PER_TASK,
    STOP_MACHINE,
    Function,
)
from ansible_collections.openeuler.livepatch.plugins.module_utils._observe.host import read_snapshot
from ansible_collections.openeuler.livepatch.plugins.module_utils._observe.irreversible import FTRACE_ENABLED
from ansible_collections.openeuler.livepatch.plugins.module_utils._observe.transition import read_stalling_tasks
from ansible_collections.openeuler.livepatch.plugins.module_utils._store import copies
from ansible_collections.openeuler.livepatch.plugins.module_utils._system.files import Files
from ansible_collections.openeuler.livepatch.tests.unit.plugins.module_utils.model_kernel import patch_file

RELEASE = "6.12.48+deb13-cloud-amd64"

MAINLINE_CONFIG = """\
CONFIG_KALLSYMS=y
CONFIG_KALLSYMS_ALL=y
CONFIG_HAVE_LIVEPATCH=y
CONFIG_LIVEPATCH=y
CONFIG_DEBUG_INFO=y
CONFIG_DEBUG_INFO_DWARF5=y
"""

OPENEULER_CONFIG = """\
CONFIG_KALLSYMS=y
CONFIG_KALLSYMS_ALL=y
CONFIG_HAVE_LIVEPATCH_FTRACE=y
CONFIG_HAVE_LIVEPATCH_WO_FTRACE=y
CONFIG_LIVEPATCH=y
# CONFIG_LIVEPATCH_FTRACE is not set
CONFIG_LIVEPATCH_WO_FTRACE=y
CONFIG_LIVEPATCH_STOP_MACHINE_CONSISTENCY=y
# CONFIG_LIVEPATCH_STACK is not set
CONFIG_LIVEPATCH_RESTRICT_KPROBE=y
CONFIG_DEBUG_INFO=y
"""

MODULES = """\
lp_two 12288 1 - Live 0x0000000000000000 (OEK)
lp_off 12288 0 - Live 0x0000000000000000 (OEK)
lp_one 12288 1 - Live 0x0000000000000000 (OEK)
ext4 1163264 1 - Live 0x0000000000000000
mbcache 16384 1 ext4, Live 0x0000000000000000
"""


class Tree:
    def __init__(self, root: pathlib.Path) -> None:
        self.root = root
        self.files = Files(str(root))

    def write(self, path: str, content: bytes | str) -> None:
        file = self.root / path.lstrip("/")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content if isinstance(content, bytes) else content.encode())

    def patch(self, name: str, functions: list[str], enabled: str = "1", transition: str = "0") -> None:
        self.write(f"/sys/kernel/livepatch/{name}/enabled", enabled + "\n")
        self.write(f"/sys/kernel/livepatch/{name}/transition", transition + "\n")
        self.write(f"/sys/kernel/livepatch/{name}/replace", "0\n")
        for function in functions:
            (self.root / f"sys/kernel/livepatch/{name}/{function}").mkdir(parents=True)


@pytest.fixture(name="tree")
def fixture_tree(tmp_path: pathlib.Path) -> Tree:
    """A mainline host without patches."""
    tree = Tree(tmp_path)
    tree.write("/proc/sys/kernel/osrelease", RELEASE + "\n")
    tree.write("/proc/sys/kernel/tainted", "36864\n")
    tree.write("/proc/modules", MODULES)
    tree.write(f"/boot/config-{RELEASE}", MAINLINE_CONFIG)
    (tmp_path / "sys/kernel/livepatch").mkdir(parents=True)
    return tree


def test_patches_in_order_of_loading(tree: Tree) -> None:
    tree.patch("lp_one", ["vmlinux/cmdline_proc_show,1", "ext4/ext4_sync_file,2"])
    tree.patch("lp_two", ["vmlinux/cmdline_proc_show,1"])
    snapshot = read_snapshot(tree.files)
    assert [(patch.name, patch.enabled, patch.refcount) for patch in snapshot.patches] == [
        ("lp_one", True, 1),
        ("lp_off", False, 0),
        ("lp_two", True, 1),
    ]
    assert snapshot.patch("lp_one").functions == (
        Function("ext4", "ext4_sync_file", 2),
        Function("vmlinux", "cmdline_proc_show", 1),
    )
    assert snapshot.patch("lp_off").functions == ()
    assert snapshot.patch("nosuch") is None
    assert snapshot.modules == {"lp_one", "lp_two", "lp_off", "ext4", "mbcache"}
    assert snapshot.taint == 36864
    stack = snapshot.stacks()[Function("vmlinux", "cmdline_proc_show", 1)]
    assert [patch.name for patch in stack] == ["lp_one", "lp_two"]


def test_the_kernel_tells_the_order_itself(tree: Tree) -> None:
    for name, place in (("lp_one", "2"), ("lp_two", "1")):
        tree.patch(name, ["vmlinux/cmdline_proc_show,1"])
        tree.write(f"/sys/kernel/livepatch/{name}/stack_order", f"{place}\n")
    snapshot = read_snapshot(tree.files)
    assert snapshot.is_known
    assert [patch.name for patch in snapshot.patches] == ["lp_two", "lp_off", "lp_one"]
    assert [patch["effective"] for patch in gather(tree.files)["patches"]] == ["none", "none", "full"]


@pytest.mark.parametrize(
    ("place", "reason"),
    [
        ("1", "/sys/kernel/livepatch shows two patches at one place"),
        ("up", "/sys/kernel/livepatch/lp_two/stack_order (damaged)"),
    ],
)
def test_an_order_that_cannot_be_is_not_guessed(tree: Tree, place: str, reason: str) -> None:
    for name, shown in (("lp_one", "1"), ("lp_two", place)):
        tree.patch(name, ["vmlinux/cmdline_proc_show,1"])
        tree.write(f"/sys/kernel/livepatch/{name}/stack_order", f"{shown}\n")
    snapshot = read_snapshot(tree.files, pause=lambda _seconds: None)
    assert not snapshot.is_known
    assert any(reason in finding.cause for finding in doubts(snapshot))


def test_what_is_being_disabled_still_covers(tree: Tree) -> None:
    tree.patch("lp_one", ["vmlinux/cmdline_proc_show,1"])
    tree.patch("lp_two", ["vmlinux/cmdline_proc_show,1"], enabled="0", transition="1")
    facts = gather(tree.files)
    assert {patch["name"]: patch["effective"] for patch in facts["patches"]} == {
        "lp_one": "none",
        "lp_off": "none",
        "lp_two": "none",
    }
    assert [function["stack"] for function in facts["functions"]] == [["lp_one", "lp_two"]]


def test_a_module_without_an_exit_function(tree: Tree) -> None:
    tree.write("/proc/modules", MODULES.replace("lp_off 12288 0 -", "lp_off 12288 0 [permanent],"))
    assert [patch.name for patch in read_snapshot(tree.files).patches if patch.permanent] == ["lp_off"]


@pytest.mark.parametrize(
    ("refcnt", "line", "expected"),
    [
        (1, "- Live", True),
        (0, "- Live", False),
        (None, "- Live", False),
        (1, "- Loading", False),
        # Another module uses it.
        (1, "user, Live", False),
        (2, "user, Live", True),
        (1, "user,[permanent], Live", False),
        (1, "[permanent], Live", True),
    ],
)
def test_a_module_that_the_kernel_holds_after_it_has_dropped_the_patch(
    tree: Tree, refcnt: int | None, line: str, expected: bool
) -> None:
    tree.patch("lp_one", [])
    tree.write("/proc/modules", f"lp_one 12288 1 - Live 0x0 (OEK)\nlp_off 12288 1 {line} 0x0 (OEK)\n")
    for name in ("lp_one", "lp_off") if refcnt is not None else ():
        tree.write(f"/sys/module/{name}/refcnt", f"{refcnt}\n")
    snapshot = read_snapshot(tree.files)
    assert (snapshot.patch("lp_off").pinned, snapshot.patch("lp_one").pinned) == (expected, False)


def test_a_module_that_the_kernel_lets_go_in_this_moment_is_not_held(tree: Tree) -> None:
    """A worker releases the patch after its transition has ended (klp_free_patch_work_fn())."""
    tree.write("/proc/modules", "lp_off 12288 1 - Live 0x0 (OEK)\n")
    tree.write("/sys/module/lp_off/refcnt", "1\n")
    snapshot = read_snapshot(tree.files, pause=lambda _seconds: tree.write("/sys/module/lp_off/refcnt", "0\n"))
    assert snapshot.patch("lp_off").pinned is False


def test_what_was_disabled_by_force_is_a_fact(tree: Tree) -> None:
    tree.patch("lp_one", [])
    tree.patch("lp_two", [])
    assert not gather(tree.files)["reboot_required"]
    tree.write("/sys/module/lp_off/refcnt", "1\n")
    facts = gather(tree.files)
    assert [patch["name"] for patch in facts["patches"] if patch["reboot_required"]] == ["lp_off"]
    assert facts["reboot_required"]


def test_a_kernel_that_loads_and_unloads_no_modules_any_more(tree: Tree) -> None:
    tree.patch("lp_one", [])
    tree.patch("lp_two", [])
    tree.write("/proc/sys/kernel/modules_disabled", "0\n")
    assert not gather(tree.files)["reboot_required"]
    tree.write("/proc/sys/kernel/modules_disabled", "1\n")
    assert [patch["reboot_required"] for patch in gather(tree.files)["patches"]] == [False, True, False]


def test_an_ftrace_that_has_failed(tree: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    assert not gather(tree.files)["reboot_required"]
    bytes_of = tree.files.bytes
    failed = {FTRACE_ENABLED: Absent("ENODEV")}
    monkeypatch.setattr(tree.files, "bytes", lambda path: failed.get(path) or bytes_of(path))
    assert gather(tree.files)["reboot_required"]


def test_what_a_patch_was_made_from(tree: Tree) -> None:
    tree.patch("lp_one", [])
    tree.write("/sys/module/lp_one/refcnt", "1\n")
    snapshot = read_snapshot(tree.files)
    for name, made_from in (("lp_one", ("1" * 64,)), ("lp_two", ())):
        patch = snapshot.patch(name)
        assert patch
        copies.note(tree.files, patch, patch_file(name, source_patches=made_from), (), proven=True)
    patches = {patch["name"]: patch["source_patches"] for patch in gather(tree.files)["patches"]}
    assert patches == {"lp_one": ["1" * 64], "lp_two": [], "lp_off": []}


def test_identity_marks(tree: Tree) -> None:
    tree.patch("lp_one", [])
    note = struct.pack("<3I", 4, 20, 3) + b"GNU\0" + bytes(range(20))
    tree.write("/sys/module/lp_one/notes/.note.gnu.build-id", note)
    tree.write("/sys/module/lp_one/srcversion", "ABCDEF\n")
    tree.write("/sys/module/lp_two/notes/.note.gnu.build-id", b"short")
    snapshot = read_snapshot(tree.files)
    assert snapshot.patch("lp_one").identity.build_id == bytes(range(20)).hex()
    assert snapshot.patch("lp_one").identity.srcversion == "ABCDEF"
    assert str(snapshot.patch("lp_two").identity) == "no mark"


def test_running_transition_and_its_holders(tree: Tree) -> None:
    tree.patch("lp_two", ["vmlinux/do_nanosleep,1"], enabled="1", transition="1")
    for pid, tid, state in ((7, 7, "1"), (42, 42, "0"), (42, 43, "0"), (50, 50, "-1")):
        task = f"/proc/{pid}/task/{tid}"
        tree.write(task + "/patch_state", state + "\n")
        tree.write(task + "/comm", f"task{tid}\n")
        tree.write(task + "/stack", "[<0>] hrtimer_nanosleep+0x9d/0x120\n[<0>] do_syscall_64+0x82/0x190\n")
    facts = gather(tree.files)
    assert facts["transition"]["patch"] == "lp_two"
    assert [(holder["pid"], holder["tid"], holder["command"]) for holder in facts["transition"]["stalling_tasks"]] == [
        (42, 42, "task42"),
        (42, 43, "task43"),
    ]
    assert facts["transition"]["stalling_tasks"][0]["stack"] == [
        "hrtimer_nanosleep+0x9d/0x120",
        "do_syscall_64+0x82/0x190",
    ]
    disabling = read_stalling_tasks(tree.files, enabling=False)
    assert [str(holder) for holder in disabling] == ["task7 (pid 7) in hrtimer_nanosleep+0x9d/0x120"]


def test_the_name_of_a_process_commands_no_terminal(tree: Tree) -> None:
    """The kernel shows the name in comm as its process has set it (fs/proc/array.c)."""
    tree.write("/proc/42/task/42/patch_state", "0\n")
    tree.write("/proc/42/task/42/comm", "\x1b[2J\n\u202eok\x9b\u200f\n".encode())
    (task,) = read_stalling_tasks(tree.files, enabling=True)
    assert task.command == "\ufffd[2J \ufffdok\ufffd\ufffd"


def test_facts_tell_when_they_were_read(tree: Tree) -> None:
    before = datetime.now(timezone.utc).replace(microsecond=0)
    read_at = datetime.strptime(gather(tree.files)["read_at"], "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=timezone.utc)
    assert before <= read_at <= datetime.now(timezone.utc)


def test_facts_of_a_quiet_host(tree: Tree) -> None:
    tree.patch("lp_one", ["vmlinux/cmdline_proc_show,1"])
    tree.patch("lp_two", ["vmlinux/cmdline_proc_show,1"])
    facts = gather(tree.files)
    assert facts["supported"]
    assert facts["abi"] == PER_TASK
    assert facts["release"] == RELEASE
    assert facts["transition"] is None
    assert facts["functions"] == [
        {
            "object": "vmlinux",
            "name": "cmdline_proc_show",
            "sympos": 1,
            "stack": ["lp_one", "lp_two"],
            "live": "lp_two",
        }
    ]
    both = ["per_task", "stop_machine"]
    assert facts["config"]["CONFIG_LIVEPATCH"] == {"set": True, "value": "y", "needed_by": both}
    assert facts["config"]["CONFIG_LIVEPATCH_WO_FTRACE"] == {"set": False, "value": None, "needed_by": both[1:]}
    assert len(facts["config"]) == 8


@pytest.mark.parametrize(
    ("config", "abi", "said"),
    [
        (MAINLINE_CONFIG, PER_TASK, "CONFIG_LIVEPATCH=y without CONFIG_LIVEPATCH_WO_FTRACE"),
        (OPENEULER_CONFIG, STOP_MACHINE, "CONFIG_LIVEPATCH_WO_FTRACE=y"),
        ("# CONFIG_LIVEPATCH is not set\n", None, "CONFIG_LIVEPATCH is not set"),
        ("CONFIG_LIVEPATCH_SAMPLE=y\n", None, "CONFIG_LIVEPATCH is not set"),
    ],
)
def test_abi_by_configuration(tree: Tree, config: str, abi: str | None, said: str) -> None:
    tree.write(f"/boot/config-{RELEASE}", config)
    if abi is None:
        (tree.root / "sys/kernel/livepatch").rmdir()
    facts = gather(tree.files)
    assert facts["abi"] == abi
    assert facts["config_contradiction"] is None
    assert facts["supported"] == (abi is not None)
    assert said in (facts["why_unsupported"] or facts["abi_evidence"][0])


STATE = """\
Index\tPatch                     \tState  \x20
-----------------------------------------------
1    \tlp_two                    \t{two}
2    \tlp_off                    \tdisabled
3    \tlp_one                    \tenabled\x20
-----------------------------------------------
"""


@pytest.fixture(name="stop_machine_tree")
def fixture_stop_machine_tree(tree: Tree) -> Tree:
    """An openEuler host on which an old patch was enabled again above a newer one."""
    tree.write(f"/boot/config-{RELEASE}", OPENEULER_CONFIG)
    tree.write("/proc/livepatch/state", STATE.format(two="enabled "))
    for name, enabled in (("lp_one", "1"), ("lp_off", "0"), ("lp_two", "1")):
        tree.write(f"/sys/kernel/livepatch/{name}/enabled", enabled + "\n")
        (tree.root / f"sys/kernel/livepatch/{name}/vmlinux/cmdline_proc_show,1").mkdir(parents=True)
    return tree


def test_the_state_file_tells_the_order(stop_machine_tree: Tree) -> None:
    facts = gather(stop_machine_tree.files)
    assert [(patch["name"], patch["effective"]) for patch in facts["patches"]] == [
        ("lp_two", "none"),
        ("lp_off", "none"),
        ("lp_one", "full"),
    ]
    assert facts["functions"][0]["stack"] == ["lp_two", "lp_one"]
    assert facts["patches"][0]["covered"][0]["by"] == ["lp_one"]
    assert facts["disagreements"] == []
    assert facts["stacking_enforced"] is False


@pytest.mark.parametrize(
    ("state", "said"),
    [
        (STATE.format(two="disabled"), "shows lp_two as disabled, sysfs as enabled"),
        (STATE.format(two="enabled ").replace("lp_off", "lp_new"), "lists lp_new, which is not a loaded"),
        (STATE.format(two="enabled ").replace("lp_off", "lp_new"), "does not list the loaded patch lp_off"),
        (STATE.format(two="broken  "), "is not understood"),
    ],
)
def test_disagreements_are_facts(stop_machine_tree: Tree, state: str, said: str) -> None:
    stop_machine_tree.write("/proc/livepatch/state", state)
    facts = gather(stop_machine_tree.files)
    assert any(said in sentence for sentence in facts["disagreements"])
    assert len(facts["patches"]) == 3
    assert {patch["effective"] for patch in facts["patches"]} == {facts["functions"]} == {None}


def test_without_the_state_file_nothing_tells_the_order(stop_machine_tree: Tree) -> None:
    (stop_machine_tree.root / "proc/livepatch/state").unlink()
    facts = gather(stop_machine_tree.files)
    assert facts["undecided"] == [{"path": "/proc/livepatch/state", "reason": "ENOENT"}]
    assert (facts["disagreements"], facts["functions"]) == ([], None)


def test_a_patch_that_only_sysfs_shows_is_a_contradiction(tree: Tree) -> None:
    tree.patch("lp_new", [])
    assert read_snapshot(tree.files).disagreements == (
        "/sys/kernel/livepatch has lp_new, which /proc/modules does not show as a live patch module.",
    )


def test_a_moment_in_which_a_patch_comes_is_read_again(tree: Tree) -> None:
    tree.patch("lp_new", [])
    modules = (tree.root / "proc/modules").read_text()
    waited: list[float] = []

    def come(seconds: float) -> None:
        waited.append(seconds)
        tree.write("/proc/modules", "lp_new 12288 1 - Live 0x0 (OEK)\n" + modules)

    snapshot = read_snapshot(tree.files, come)
    assert (snapshot.is_known, len(waited)) == (True, 1)
    assert snapshot.patch("lp_new")


@pytest.mark.parametrize(("reason", "times"), [("EACCES", 0), ("ENOMEM", 2)])
def test_what_stays_unreadable_is_not_read_again(tree: Tree, reason: str, times: int) -> None:
    waited: list[float] = []
    bytes_of, problem = tree.files.bytes, Unreadable("/proc/modules", reason)
    tree.files.bytes = lambda path: problem if path == "/proc/modules" else bytes_of(path)
    snapshot = read_snapshot(tree.files, waited.append)
    assert (snapshot.undecided, len(waited)) == ((problem,), times)


@pytest.mark.parametrize(
    ("stack", "config", "expected"),
    [
        ("CONFIG_LIVEPATCH_STACK=y\n", True, False),
        ("", True, False),
        # An enabled patch behind a disabled one: a kernel with CONFIG_LIVEPATCH_STACK never shows that.
        ("", False, False),
    ],
)
def test_list_order(stop_machine_tree: Tree, stack: str, config: bool, expected: bool) -> None:
    path = f"/boot/config-{RELEASE}"
    stop_machine_tree.write(path, OPENEULER_CONFIG.replace("# CONFIG_LIVEPATCH_STACK is not set\n", stack))
    if not config:
        (stop_machine_tree.root / path.lstrip("/")).unlink()
        stop_machine_tree.write("/proc/kallsyms", "0000000000000000 T klp_register_patch\n")
    facts = gather(stop_machine_tree.files)
    assert facts["abi"] == STOP_MACHINE
    assert facts["stacking_enforced"] is expected
    assert any("CONFIG_LIVEPATCH_STACK" in evidence for evidence in facts["abi_evidence"])


@pytest.mark.parametrize(
    ("modules", "expected"),
    [
        # Where it is set, the list has the order of loading.
        ("".join(reversed(MODULES.splitlines(keepends=True))), None),
        (MODULES, False),
    ],
)
def test_list_order_may_be_unknown(stop_machine_tree: Tree, modules: str, expected: bool | None) -> None:
    stop_machine_tree.write("/proc/modules", modules)
    (stop_machine_tree.root / f"boot/config-{RELEASE}").unlink()
    stop_machine_tree.write("/proc/livepatch/state", STATE.format(two="enabled ").replace("disabled", "enabled "))
    stop_machine_tree.write("/sys/kernel/livepatch/lp_off/enabled", "1\n")
    facts = gather(stop_machine_tree.files)
    assert facts["abi_evidence"][0] == "/proc/livepatch/state exists"
    assert facts["stacking_enforced"] is expected


def test_owners(tree: Tree) -> None:
    tree.patch("lp_one", [])
    tree.patch("lp_two", [])
    tree.write("/usr/lib/syscare/patches/4f2a/lp-one.ko", "")
    tree.write(f"/var/lib/kpatch/{RELEASE}/lp-two.ko", "")
    tree.write("/var/lib/kpatch/5.10.0/lp-off.ko", "")
    assert [patch.owner for patch in read_snapshot(tree.files).patches] == ["SysCare", None, "kpatch.service"]


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        ("CONFIG_LIVEPATCH=y\n", False),
        ("CONFIG_LIVEPATCH=y\nCONFIG_ARM64_MODULE_PLTS=y\n", True),
        # It is not the configuration of this kernel.
        ("CONFIG_ARM64_MODULE_PLTS=y\n", None),
        (None, None),
    ],
)
def test_far_jumps_of_arm64(tree: Tree, config: str | None, expected: bool | None) -> None:
    path = f"/boot/config-{RELEASE}"
    if config:
        tree.write(path, config)
    else:
        (tree.root / path.lstrip("/")).unlink()
    assert read_snapshot(tree.files).module_plts is expected


def test_proc_config_is_preferred_and_a_damaged_one_skipped(tree: Tree) -> None:
    tree.write("/proc/config.gz", gzip.compress(OPENEULER_CONFIG.encode()))
    assert read_snapshot(tree.files).abi == STOP_MACHINE
    tree.write("/proc/config.gz", gzip.compress(OPENEULER_CONFIG.encode())[:-20])
    snapshot = read_snapshot(tree.files)
    assert snapshot.abi == PER_TASK
    assert snapshot.unreadable == (Unreadable("/proc/config.gz", "damaged"),)


@pytest.mark.parametrize(
    ("symbols", "abi"),
    [
        (["klp_enable_patch", "klp_ftrace_handler"], PER_TASK),
        (["klp_register_patch", "klp_ftrace_handler"], PER_TASK),
        (["klp_register_patch", "klp_enable_patch"], STOP_MACHINE),
        ([], None),
    ],
)
def test_abi_by_symbols(tree: Tree, symbols: list[str], abi: str | None) -> None:
    (tree.root / f"boot/config-{RELEASE}").unlink()
    tree.write("/proc/kallsyms", "".join(f"0000000000000000 T {name}\n" for name in [*symbols, "schedule"]))
    facts = gather(tree.files)
    assert facts["abi"] == abi
    assert facts["config"]["CONFIG_LIVEPATCH"]["set"] is None


def test_a_kernel_without_livepatch_is_no_failure(tmp_path: pathlib.Path) -> None:
    tree = Tree(tmp_path)
    facts = gather(tree.files)
    assert not facts["supported"]
    assert facts["patches"] == []
    assert "/sys/kernel/livepatch" in facts["why_unsupported"]


def test_what_cannot_be_read_is_named(tree: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    tree.patch("lp_one", [])

    def refuse(path: str, *args: t.Any, **kwargs: t.Any) -> None:
        raise PermissionError(13, "Permission denied", path)

    monkeypatch.setattr("builtins.open", refuse)
    snapshot = read_snapshot(tree.files)
    assert Unreadable("/proc/modules", "EACCES") in snapshot.unreadable


@pytest.mark.parametrize("modules", ["", "\n", "one two\n", "x 1 - - Live 0x0\n", "\0\xff garbage (((\n"])
def test_odd_module_lists(tree: Tree, modules: str) -> None:
    tree.write("/proc/modules", modules)
    assert read_snapshot(tree.files).patches == ()
