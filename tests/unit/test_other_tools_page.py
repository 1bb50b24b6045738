# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The guide that compares this collection with other tools: what it says of the collection is so.

Each situation of its table is made from files of a host. The facts are read from them, and the report from the facts.
"""

from __future__ import annotations

import hashlib
import re
import typing as t
import zipfile
from dataclasses import dataclass
from pathlib import Path

import pytest
from ansible_collections.openeuler.livepatch.plugins.module_utils._manage.facts import gather
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.boot_set import Acceptance, Accepted
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.reading import Unreadable
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.snapshot import LoadedPatch
from ansible_collections.openeuler.livepatch.plugins.module_utils._observe.host import read_snapshot
from ansible_collections.openeuler.livepatch.plugins.module_utils._store import boot as boot_store
from ansible_collections.openeuler.livepatch.plugins.module_utils._store import copies, journal
from ansible_collections.openeuler.livepatch.plugins.module_utils._system import durable
from ansible_collections.openeuler.livepatch.plugins.plugin_utils._fleet.model import Host
from ansible_collections.openeuler.livepatch.tests.unit.plugins.module_utils.model_kernel import patch_file
from ansible_collections.openeuler.livepatch.tests.unit.plugins.module_utils.test_host import (
    MAINLINE_CONFIG,
    RELEASE,
    Tree,
)
from ansible_collections.openeuler.livepatch.tests.unit.plugins.module_utils.test_runs import NOTE
from ansible_collections.openeuler.livepatch.tests.unit.plugins.plugin_utils.test_fleet import host_of, release

PAGE = Path(__file__).resolve().parents[2] / "docs/docsite/rst/other_tools.rst"
CELL = re.compile(r"^   [* ] - ", re.MULTILINE)
TOOLS = 5
CONTENT = b"fix"
SHA = hashlib.sha256(CONTENT).hexdigest()
ENABLED = "/sys/kernel/livepatch/fix/enabled"
Facts = dict[str, t.Any]


def rows() -> dict[str, str]:
    """What the table says of this collection in each situation. The first sentence has the statuses of the host."""
    table = PAGE.read_text(encoding="utf-8").split(".. list-table::")[1].split("\nWhere another tool")[0]
    cells = [" ".join(cell.split()) for cell in CELL.split(table)[1:]]
    assert len(cells) % TOOLS == 0
    return dict(zip(cells[TOOLS::TOOLS], cells[2 * TOOLS - 1 :: TOOLS], strict=True))


def loads(tree: Tree, *names: str) -> None:
    """Patches that are loaded, in this order, and enabled."""
    lines = [f"{name} 12288 1 - Live 0x0000000000000000 (OEK)\n" for name in reversed(names)]
    tree.write("/proc/modules", "".join(lines) + "ext4 1163264 1 - Live 0x0000000000000000\n")
    for name in names:
        tree.patch(name, ["vmlinux/cmdline_proc_show,1"])
        tree.write(f"/sys/module/{name}/srcversion", "S\n")


def is_disabled(tree: Tree) -> None:
    loads(tree)
    tree.write("/proc/modules", "fix 12288 0 - Live 0x0000000000000000 (OEK)\n")


def is_covered(tree: Tree) -> None:
    loads(tree, "fix", "newer")


def is_stalled(tree: Tree) -> None:
    loads(tree, "fix")
    tree.write("/sys/kernel/livepatch/fix/transition", "1\n")
    for path, text in (("patch_state", "0\n"), ("comm", "sleep\n"), ("stack", "[<0>] hrtimer_nanosleep+0x9d/0x120\n")):
        tree.write(f"/proc/42/task/42/{path}", text)


def is_unreadable(tree: Tree) -> None:
    loads(tree, "fix")
    bytes_of, problem = tree.files.bytes, Unreadable(ENABLED, "EACCES")
    tree.files.bytes = lambda path: problem if path == ENABLED else bytes_of(path)


def accepts(tree: Tree, kernel: str) -> None:
    boot_store.write(tree.files, Acceptance((Accepted("fix", SHA, kernel, "then", patch_file("fix").to_dict()),)))
    durable.write(tree.files, boot_store.file_path("fix", SHA), CONTENT)


def is_for_another_kernel(tree: Tree) -> None:
    loads(tree)
    tree.write("/proc/sys/kernel/osrelease", "6.6.0-another\n")
    accepts(tree, RELEASE)


def is_on_trial(tree: Tree) -> None:
    loads(tree, "fix")


def has_an_old_boot_program(tree: Tree) -> None:
    loads(tree, "fix")
    accepts(tree, RELEASE)
    for path in (boot_store.PROGRAM, boot_store.UNIT):
        tree.write(path, "")
    with zipfile.ZipFile(tree.files.path(boot_store.PROGRAM), "w") as archive:
        archive.writestr(boot_store.VERSION_ENTRY, "0.9.9")


def was_interrupted(tree: Tree) -> None:
    loads(tree, "fix")
    journal.write_note(tree.files, NOTE)


def has_no_target(tree: Tree) -> None:
    loads(tree)
    tree.write("/proc/modules", "fix 12288 1 - Live 0x0000000000000000 (OEK)\n")
    tree.patch("fix", ["nfs/nfs_wait_bit_killable,1"])
    tree.write("/sys/module/fix/srcversion", "S\n")


def is_somebody_else_s(tree: Tree) -> None:
    loads(tree, "theirs")
    tree.write("/usr/lib/syscare/patches/4f2a/theirs.ko", "")


def was_taken_out(tree: Tree) -> None:
    loads(tree)
    accepts(tree, RELEASE)


def has_another_name(tree: Tree) -> None:
    loads(tree, "fix")
    tree.write("/proc/sys/kernel/osrelease", RELEASE + "-renamed\n")


def was_disabled_by_force(tree: Tree) -> None:
    is_disabled(tree)
    tree.write("/sys/module/fix/refcnt", "1\n")


def is_proven(tree: Tree) -> LoadedPatch:
    """The patch is loaded by this collection and proven, on a kernel without trouble."""
    loads(tree, "fix")
    tree.write("/sys/module/fix/refcnt", "1\n")
    patch = read_snapshot(tree.files).patch("fix")
    assert patch
    copies.note(tree.files, patch, patch_file("fix", sha256=SHA), (), proven=False, forced=False)
    copies.note_proof(tree.files, patch, True, 1 << 12)
    return patch


def was_enabled_by_force(tree: Tree) -> None:
    copies.note_force(tree.files, is_proven(tree))


def had_an_oops(tree: Tree) -> None:
    is_proven(tree)
    tree.write("/proc/sys/kernel/tainted", f"{1 << 15 | 1 << 7}\n")


@dataclass(frozen=True)
class Case:
    """A situation, and what is to be seen in it: the statuses of the host, and whether the facts show what they must.

    The report has one release, of the patch `fix`, or none with `compared=False`.
    """

    situation: str
    make: t.Callable[[Tree], None]
    statuses: t.Sequence[str]
    shows: t.Callable[[Facts, Host], bool]
    compared: bool = True


CASES = (
    Case(
        "A patch is loaded, but disabled",
        is_disabled,
        ["not_applied"],
        lambda facts, host: facts["patches"][0]["enabled"] is False and "loaded but not enabled" in host.why,
    ),
    Case(
        "A patch is enabled, and others cover all of its functions",
        is_covered,
        ["not_effective", "on_trial"],
        lambda facts, host: (
            facts["patches"][0]["effective"] == "none" and facts["patches"][0]["covered"][0]["by"] == ["newer"]
        ),
    ),
    Case(
        "A transition is running, or stalls",
        is_stalled,
        ["in_transition", "on_trial"],
        lambda facts, host: (
            facts["transition"]["enabling"] is True
            and facts["transition"]["stalling_tasks"][0]["stack"] == ["hrtimer_nanosleep+0x9d/0x120"]
        ),
    ),
    Case(
        "What decides cannot be read",
        is_unreadable,
        ["failed"],
        lambda facts, host: (
            (facts["patches"][0]["enabled"], facts["patches"][0]["effective"]) == (None, None)
            and facts["undecided"] == [{"path": ENABLED, "reason": "EACCES"}]
        ),
    ),
    Case(
        "The patch file is for another kernel",
        is_for_another_kernel,
        ["no_patch_file"],
        lambda facts, host: [(lost["name"], lost["release"]) for lost in facts["boot"]["lost"]] == [("fix", RELEASE)],
    ),
    Case(
        "The next boot does not bring the patch back",
        is_on_trial,
        ["protected", "on_trial"],
        lambda facts, host: facts["patches"][0]["boot"] == "trial",
    ),
    Case(
        "The boot program is old",
        has_an_old_boot_program,
        ["protected", "accepted"],
        lambda facts, host: (
            (facts["boot"]["version"], facts["boot"]["outdated"]) == ("0.9.9", True)
            and any("The boot program is of version 0.9.9" in note for note in host.notes)
        ),
    ),
    Case(
        "A run was interrupted",
        was_interrupted,
        ["unfinished", "on_trial"],
        lambda facts, host: (
            host.is_protected is False and {"who", "what", "since"}.issubset(facts["unfinished_run"] or ())
        ),
    ),
    Case(
        "A target module is not loaded",
        has_no_target,
        ["protected", "on_trial"],
        lambda facts, host: (facts["abi"], facts["patches"][0]["objects"]) == ("per_task", ["nfs"]),
    ),
    Case(
        "The patch is somebody else's",
        is_somebody_else_s,
        ["effective", "on_trial"],
        lambda facts, host: facts["patches"][0]["owner"] == "SysCare",
        compared=False,
    ),
    Case(
        "Another tool has taken the patch out",
        was_taken_out,
        ["not_applied"],
        lambda facts, host: facts["patches"] == [] and bool(facts["read_at"]),
    ),
    Case(
        "The name of the kernel has changed",
        has_another_name,
        ["drifted", "on_trial"],
        lambda facts, host: host.is_protected is False,
    ),
    Case(
        "A patch was disabled by force",
        was_disabled_by_force,
        ["not_applied"],
        lambda facts, host: (facts["reboot_required"], facts["patches"][0]["forced"]) == (True, True),
    ),
    Case(
        "A patch was enabled by force",
        was_enabled_by_force,
        ["forced", "on_trial"],
        lambda facts, host: (
            (facts["reboot_required"], facts["patches"][0]["forced"], host.is_protected) == (True, True, False)
        ),
    ),
    Case(
        "The kernel had an oops after the patch was enabled",
        had_an_oops,
        ["trouble_since", "on_trial"],
        lambda facts, host: (
            (facts["patches"][0]["trouble_since"], host.is_protected) == (["an oops"], False)
            and "The kernel has had an oops since it booted." in host.notes
        ),
    ),
)


@pytest.fixture(name="tree")
def fixture_tree(tmp_path: Path) -> Tree:
    tree = Tree(tmp_path)
    tree.write("/proc/sys/kernel/osrelease", RELEASE + "\n")
    tree.write("/proc/sys/kernel/tainted", "36864\n")
    tree.write(f"/boot/config-{RELEASE}", MAINLINE_CONFIG)
    tree.write("/boot/config-6.6.0-another", MAINLINE_CONFIG)
    tree.write(f"/boot/config-{RELEASE}-renamed", MAINLINE_CONFIG)
    (tmp_path / "sys/kernel/livepatch").mkdir(parents=True)
    return tree


@pytest.mark.parametrize("case", CASES, ids=[case.situation for case in CASES])
def test_what_the_page_says_of_us(tree: Tree, case: Case) -> None:
    case.make(tree)
    facts = gather(tree.files)
    files = [{"kernel_release": RELEASE, "machine": facts["machine"], "sha256": SHA, "srcversion": "S"}]
    host = host_of(facts, *([release(name="fix") | {"files": files}] if case.compared else []))
    assert list(host.statuses) == case.statuses
    assert host.headline == case.statuses[0]
    assert case.shows(facts, host)
    said = re.findall(r"``(\w+)``", rows()[case.situation].split(".")[0])
    assert said[0] == host.headline
    assert set(host.statuses).issuperset(said)


def test_each_situation_of_the_page_is_tested() -> None:
    assert list(rows()) == [case.situation for case in CASES]
