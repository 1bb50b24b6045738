# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whole rollouts over ten scripted hosts: which wave a host is in, what a wave stops, and what is counted."""

from __future__ import annotations

import json
import re
import typing as t
from pathlib import Path

import pytest
from ansible_collections.openeuler.livepatch.tests.unit.plays.rollout_stand_in import ENABLED, Rollout

NAMES = [f"h{place}" for place in range(10)]
NO_FILE, FIXED = {"release": "6.5"}, {"release": "6.7"}
WAVES = json.dumps({"livepatch_canary": "h0,h1", "livepatch_waves": [1, 3, "100%"]})


@pytest.fixture(name="rollout")
def fixture_rollout(tmp_path: Path) -> Rollout:
    return Rollout(tmp_path)


def totals(output: str) -> dict[str, int]:
    """What set_stats got last."""
    found = re.findall(r'"totals": (\{[^}]*\})', output[output.index("CUSTOM STATS") :])
    return json.loads(found[-1])


def recap(output: str, count: str) -> list[str]:
    """The hosts whose line in the recap has such a count that is not zero."""
    lines = output[output.index("PLAY RECAP") :].splitlines()
    return [line.split()[0] for line in lines if re.search(rf"\b{count}=[1-9]", line)]


def counts(**of: int) -> dict[str, int]:
    kinds = ("patched", "already", "fixed", "no_patch_file", "failed", "rolled_back", "not_begun")
    assert sum(of.values()) == len(NAMES)
    return {"hosts": len(NAMES), **{kind: of.get(kind, 0) for kind in kinds}}


def mixed(rollout: Rollout) -> None:
    states: dict[str, dict[str, t.Any]] = {
        "h0": NO_FILE,
        "h3": {"patches": [ENABLED]},
        "h4": NO_FILE,
        "h5": {"refuses": "It is covered."},
        "h6": FIXED,
        "h8": {"refuses": "It is stuck."},
    }
    for name in NAMES:
        rollout.host(name, **states.get(name, {}))


def test_check_mode_looks_at_all_waves(rollout: Rollout) -> None:
    mixed(rollout)
    output = rollout.run(WAVES, "--check", returns=2)
    lines = [
        "h0: no_patch_file (kernel 6.5)",
        "h1: would be enabled",
        "h2: would be enabled",
        "h3: enabled before",
        "h4: no_patch_file (kernel 6.5)",
        "h5: refused. It is covered.",
        "h6: fixed (kernel 6.7)",
        "h7: untouched",
        "h8: refused. It is stuck.",
        "h9: untouched",
    ]
    assert "\n".join(f'        "{line}",' for line in lines) in output
    assert '"The rollout of Fix 1 would stop here: 1 of the 3 hosts of this wave did not pass' in output
    assert '"stopped": "The rollout of Fix 1 would stop here: 1 of the 5 hosts' in output
    assert totals(output) == counts(patched=2, already=1, fixed=1, no_patch_file=2, failed=2, not_begun=2)
    assert recap(output, "failed") == ["h5", "h7", "h8", "h9"]
    assert [rollout.state(name)["patches"] for name in NAMES] == [[]] * 3 + [[ENABLED]] + [[]] * 6


def test_a_rollout_stops_and_goes_on_where_it_stopped(rollout: Rollout) -> None:
    mixed(rollout)
    where = {"livepatch_rollout_summary_file": str(rollout.folder / "summary.json")}
    output = rollout.run(WAVES, json.dumps(where), returns=2)
    # h0 is no canary, since the release has no file for it.
    assert '"h1: enabled"' in output and '"h2: enabled"' in output
    assert "The rollout of Fix 1 has stopped: 1 of the 3 hosts of this wave did not pass" in output
    assert "Not begun: h0, h4, h6, h8, h9" in output
    stopped = counts(patched=2, already=1, failed=1, not_begun=6)
    assert totals(output) == stopped
    assert "Totals of the rollout of Fix 1, 10 hosts: 2 patched, 1 already enabled, " in output
    assert recap(output, "failed") == ["h5", "h7"]
    summary = json.loads((rollout.folder / "summary.json").read_text(encoding="utf-8"))
    assert summary["totals"] == stopped
    assert not summary["is_finished"] and summary["stopped"].startswith("The rollout of Fix 1 has stopped")
    assert [host["name"] for host in summary["hosts"]] == NAMES
    ends = ["not_begun", "patched", "patched", "already", "not_begun", "failed", "not_begun", "not_begun"]
    assert [host["end"] for host in summary["hosts"]] == [*ends, "not_begun", "not_begun"]
    for name in ("h5", "h8"):
        rollout.host(name)
    output = rollout.run(WAVES, json.dumps(where))
    # Its last wave is one of hosts without a file, which stops nothing.
    assert totals(output) == counts(patched=4, already=3, fixed=1, no_patch_file=2)
    assert recap(output, "failed") == []
    finished = json.loads((rollout.folder / "summary.json").read_text(encoding="utf-8"))
    assert finished["is_finished"] is True and finished["reboot_required"] is False
    assert finished["release_file"] == str(rollout.folder / "release.yml")


def test_all_hosts_of_a_wave_refuse(rollout: Rollout) -> None:
    for name in NAMES:
        rollout.host(name, refuses="It is stuck.")
    output = rollout.run('{"livepatch_waves": [9, 1]}', returns=2)
    assert recap(output, "failed") == NAMES[:9]
    assert "Not begun: h9" in output
    assert totals(output) == counts(failed=9, not_begun=1)


def test_a_rollout_that_patches_nobody(rollout: Rollout) -> None:
    for name in NAMES:
        answer: dict[str, t.Any] = {**(FIXED if name == "h0" else NO_FILE)}
        rollout.host(name, **answer)
    output = rollout.run(returns=2)
    assert "No host was patched, and none had the patch already (livepatch_rollout_on_empty_wave is stop)." in output
    assert totals(output) == counts(fixed=1, no_patch_file=9)
    assert recap(output, "failed") == NAMES
    output = rollout.run("livepatch_rollout_on_empty_wave=continue")
    assert totals(output) == counts(fixed=1, no_patch_file=9)
    assert "0 patched, 0 already enabled, 1 with a kernel that has the fix, 9 without a patch file" in output
