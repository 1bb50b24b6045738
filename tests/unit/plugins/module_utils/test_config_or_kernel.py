# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A configuration that is not the running kernel's: what the kernel shows of itself counts."""

from __future__ import annotations

import pathlib
import typing as t

import pytest
from ansible_collections.openeuler.livepatch.plugins.module_utils._manage.facts import gather
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.reading import Reading, Unreadable
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.snapshot import PER_TASK, STOP_MACHINE
from ansible_collections.openeuler.livepatch.plugins.module_utils._observe.host import read_snapshot
from ansible_collections.openeuler.livepatch.plugins.module_utils._system.files import Files
from ansible_collections.openeuler.livepatch.tests.unit.plugins.module_utils import shown_kernel
from ansible_collections.openeuler.livepatch.tests.unit.plugins.module_utils.model_host import ModelHost
from ansible_collections.openeuler.livepatch.tests.unit.plugins.module_utils.model_kernel import patch_file

RELEASE = "6.1.0"
WITHOUT = "CONFIG_KALLSYMS=y\nCONFIG_SMP=y\n# CONFIG_LIVEPATCH is not set\n"
MAINLINE = "CONFIG_LIVEPATCH=y\n"
OPENEULER = "CONFIG_LIVEPATCH=y\nCONFIG_LIVEPATCH_WO_FTRACE=y\n"
BY_FTRACE = "ffffffff81300040 t klp_ftrace_handler\nffffffff81300080 T klp_enable_patch\n"
BY_STOP_MACHINE = "ffffffff81300040 T klp_register_patch\nffffffff81300080 T klp_enable_patch\n"
OLD = "/sys/kernel/livepatch/livepatch_old"
PER_TASK_PATCH = {f"{OLD}/enabled": "1\n", f"{OLD}/transition": "0\n"}
STATE = "Index\tPatch\tState\n1\tlivepatch_old\tenabled\n"


class Host:
    """A host with these files, and livepatch_old among its modules."""

    def __init__(self, root: pathlib.Path, config: str | None, kallsyms: str, more: t.Mapping[str, str]) -> None:
        self.root = root
        self.write("/proc/sys/kernel/osrelease", RELEASE + "\n")
        self.write("/proc/modules", "livepatch_old 16384 1 - Live 0x0000000000000000 (K)\n")
        self.write("/proc/kallsyms", "ffffffff81200040 t mid\n" + kallsyms)
        (root / "sys/kernel").mkdir(parents=True)
        if config is not None:
            self.write(f"/boot/config-{RELEASE}", config)
        for path, content in more.items():
            self.write(path, content)

    def write(self, path: str, content: str) -> None:
        place = self.root / path.lstrip("/")
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(content)

    @property
    def facts(self) -> dict[str, t.Any]:
        return gather(Files(str(self.root)))


def test_a_configuration_without_live_patching_of_a_kernel_that_has_it(tmp_path: pathlib.Path) -> None:
    facts = Host(tmp_path, WITHOUT, BY_FTRACE, PER_TASK_PATCH).facts
    assert (facts["supported"], facts["abi"], facts["why_unsupported"]) == (True, PER_TASK, None)
    assert facts["abi_evidence"] == ["klp_ftrace_handler in /proc/kallsyms"]
    assert [(patch["name"], patch["enabled"]) for patch in facts["patches"]] == [("livepatch_old", True)]
    assert facts["config_contradiction"] == (
        "The configuration is not that of the running kernel: CONFIG_LIVEPATCH is not set in /boot/config-6.1.0, but "
        "the kernel shows klp_ftrace_handler in /proc/kallsyms."
    )
    assert {option["set"] for option in facts["config"].values()} == {None}


STOPPED_PATCH = {f"{OLD}/enabled": "1\n", "/proc/livepatch/state": STATE}


@pytest.mark.parametrize(
    ("config", "kallsyms", "files", "abi", "contradicted"),
    [
        (MAINLINE, BY_FTRACE, PER_TASK_PATCH, PER_TASK, False),
        (OPENEULER, BY_STOP_MACHINE, STOPPED_PATCH, STOP_MACHINE, False),
        (None, BY_FTRACE, PER_TASK_PATCH, PER_TASK, False),
        (OPENEULER, BY_FTRACE, PER_TASK_PATCH, PER_TASK, True),
        (OPENEULER, "", PER_TASK_PATCH, PER_TASK, True),
        (MAINLINE, BY_STOP_MACHINE, STOPPED_PATCH, STOP_MACHINE, True),
        (MAINLINE, "", STOPPED_PATCH, STOP_MACHINE, True),
        (WITHOUT, BY_STOP_MACHINE, STOPPED_PATCH, STOP_MACHINE, True),
        (WITHOUT, "", PER_TASK_PATCH, PER_TASK, True),
        # The kernel has neither patches nor the state file.
        (OPENEULER, BY_FTRACE, {"/sys/kernel/livepatch/x": ""}, PER_TASK, True),
        (OPENEULER, "", {"/sys/kernel/livepatch/x": ""}, STOP_MACHINE, False),
        (WITHOUT, "", {"/sys/kernel/livepatch/x": ""}, None, True),
        (MAINLINE, BY_FTRACE, {}, None, True),
        (WITHOUT, "", {}, None, False),
    ],
)
def test_what_the_kernel_shows_counts(
    tmp_path: pathlib.Path,
    config: str | None,
    kallsyms: str,
    files: dict[str, str],
    abi: str | None,
    contradicted: bool,
) -> None:
    facts = Host(tmp_path, config, kallsyms, files).facts
    assert (facts["abi"], facts["config_contradiction"] is not None) == (abi, contradicted)
    assert (facts["why_unsupported"] is None) == facts["supported"] == (abi is not None)


def test_a_file_that_cannot_be_read_is_no_evidence(tmp_path: pathlib.Path) -> None:
    class Refusing(Files):
        def inode(self, path: str) -> Reading[int]:
            return Unreadable(path, "EACCES") if path.endswith("/transition") else super().inode(path)

    root = Host(tmp_path, MAINLINE, "", PER_TASK_PATCH).root
    snapshot = read_snapshot(Refusing(str(root)))
    assert (snapshot.abi, snapshot.config_contradiction) == (PER_TASK, None)


def test_nothing_of_such_a_configuration_is_used(tmp_path: pathlib.Path) -> None:
    snapshot = read_snapshot(Files(str(Host(tmp_path, WITHOUT, BY_FTRACE, PER_TASK_PATCH).root)))
    assert (snapshot.vermagic_words, snapshot.module_plts) == (None, None)


def test_patches_in_an_order_that_the_configuration_rules_out(tmp_path: pathlib.Path) -> None:
    host = Host(tmp_path, OPENEULER + "CONFIG_LIVEPATCH_STACK=y\n", BY_STOP_MACHINE, {})
    host.write("/proc/modules", "b 1 1 - Live 0x0 (K)\na 1 1 - Live 0x0 (K)\n")
    host.write("/sys/kernel/livepatch/a/enabled", "0\n")
    host.write("/sys/kernel/livepatch/b/enabled", "0\n")
    host.write("/proc/livepatch/state", "Index\tPatch\tState\n1\ta\tdisabled\n2\tb\tdisabled\n")
    facts = host.facts
    assert (facts["stacking_enforced"], facts["config_contradiction"]) == (True, None)
    host.write("/sys/kernel/livepatch/b/enabled", "1\n")
    host.write("/proc/livepatch/state", "Index\tPatch\tState\n1\ta\tdisabled\n2\tb\tenabled\n")
    facts = host.facts
    assert facts["stacking_enforced"] is False
    assert "b is enabled behind a" in facts["config_contradiction"]


def test_a_run_tells_the_contradiction_and_goes_on(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Shown(ModelHost):
        kind = shown_kernel.ShownKernel

    monkeypatch.setattr(shown_kernel, "CONFIG", WITHOUT)
    host = Shown(tmp_path)
    place = tmp_path / "proc/kallsyms"
    place.parent.mkdir(parents=True)
    place.write_text(BY_FTRACE)
    result = host.run("fix", file=patch_file("fix"))
    assert (result["state"], result.get("failed"), host.stack) == ("enabled", None, ["fix"])
    (finding,) = (finding for finding in result["findings"] if finding["reason"] == "config_contradiction")
    assert finding["severity"] == "warn"
    assert "CONFIG_LIVEPATCH is not set in /boot/config-" in finding["cause"]
