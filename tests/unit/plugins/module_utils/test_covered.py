# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whole runs for a patch that is enabled and covered: refused, raised, or left so and told."""

from __future__ import annotations

import pathlib
import typing as t

import pytest
from ansible_collections.openeuler.livepatch.plugins.module_utils._manage.manage import manage
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.request import (
    AtBoot,
    OnCovered,
    Patience,
    Probe,
    State,
    Task,
    Verification,
    Wanted,
)
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.snapshot import (
    PER_TASK,
    STOP_MACHINE,
    Function,
)
from ansible_collections.openeuler.livepatch.plugins.module_utils._plan.next_boot import covered_at_boot
from ansible_collections.openeuler.livepatch.plugins.module_utils._store import boot as boot_store
from ansible_collections.openeuler.livepatch.tests.unit.plugins.module_utils.model_host import ModelHost
from ansible_collections.openeuler.livepatch.tests.unit.plugins.module_utils.model_kernel import (
    acceptance_of,
    content_of,
    loaded,
    patch_file,
)

F, G = Function("vmlinux", "f"), Function("vmlinux", "g")
KERNELS: list[dict[str, t.Any]] = [
    {"abi": PER_TASK},
    {"abi": STOP_MACHINE},
    {"abi": STOP_MACHINE, "hidden": True},
    {"abi": STOP_MACHINE, "stacking_enforced": True},
    {"abi": STOP_MACHINE, "stacking_enforced": True, "hidden": True},
]
on_each_kernel = pytest.mark.parametrize("kernel", KERNELS, ids=str)
in_whole_and_in_part = pytest.mark.parametrize(("functions", "effect"), [((F,), "none"), ((F, G), "partial")])


def covered_host(root: pathlib.Path, kernel: dict[str, t.Any], functions: tuple[Function, ...] = (F,)) -> ModelHost:
    """A host with `low`, which `high` covers on the function f."""
    low = patch_file("low", abi=kernel["abi"], functions=functions)
    high = patch_file("high", abi=kernel["abi"], functions=(F,))
    kept = [loaded(file, load_index=place) for place, file in enumerate((low, high), 1)]
    return ModelHost(root, *kept, kept=[low, high], **kernel)


def run(host: ModelHost, on_covered: OnCovered, check_mode: bool = False, **verification: t.Any) -> dict[str, t.Any]:
    wanted = Wanted("low", State.ENABLED, on_covered=on_covered)
    task = Task(wanted, check_mode=check_mode, patience=Patience(3, 2, 0.1), verification=Verification(**verification))
    return manage(task, host.kernel)


def reasons(result: dict[str, t.Any]) -> list[tuple[str, str]]:
    return [(finding["severity"], finding["reason"]) for finding in result["findings"]]


@on_each_kernel
@in_whole_and_in_part
def test_it_is_refused(
    tmp_path: pathlib.Path, kernel: dict[str, t.Any], functions: tuple[Function, ...], effect: str
) -> None:
    host = covered_host(tmp_path, kernel, functions)
    for check_mode in (True, False):
        result = run(host, OnCovered.REFUSE, check_mode, text=True)
        assert (result["failed"], result["changed"], result["state"]) == (True, False, "enabled"), effect
        assert result["reason"] == "covered"
        assert "low is enabled, and covered on vmlinux/f,1 by high." in result["msg"]
    assert host.kernel.calls == []


@on_each_kernel
@in_whole_and_in_part
def test_it_is_raised_once(
    tmp_path: pathlib.Path, kernel: dict[str, t.Any], functions: tuple[Function, ...], effect: str
) -> None:
    host = covered_host(tmp_path, kernel, functions)
    predicted = run(host, OnCovered.UNSTACK, check_mode=True)
    assert host.kernel.calls == []
    result = run(host, OnCovered.UNSTACK)
    assert not result.get("failed"), result["msg"]
    assert result["changed"] and predicted["changed"]
    assert result["actions"] == predicted["actions"]
    assert result["patch"]["effective"] == predicted["patch"]["effective"] == "full" != effect
    assert ("info", "raised") in reasons(result)
    assert reasons(result) == reasons(predicted)
    assert host.stack == ["high", "low"]
    before, after = result["diff"]["before"], result["diff"]["after"]
    assert "function: vmlinux/f,1 (covered by high)\n" in before
    assert "(covered by low)" in after and "(covered by high)" not in after
    again = run(host, OnCovered.UNSTACK)
    assert (again["changed"], again["actions"], reasons(again)) == (False, [], [])


@on_each_kernel
@in_whole_and_in_part
def test_it_is_left_so_and_told(
    tmp_path: pathlib.Path, kernel: dict[str, t.Any], functions: tuple[Function, ...], effect: str
) -> None:
    host = covered_host(tmp_path, kernel, functions)
    for check_mode in (True, False):
        result = run(host, OnCovered.ALLOW, check_mode)
        assert (result.get("failed"), result["changed"], result["patch"]["effective"]) == (None, False, effect)
        assert reasons(result) == [("warn", "covered")]
        assert "low is enabled, and covered on vmlinux/f,1 by high." in result["findings"][0]["cause"]
        assert result["proofs"] == []
    assert host.kernel.calls == []


@on_each_kernel
def test_what_can_be_proven_of_it_is(tmp_path: pathlib.Path, kernel: dict[str, t.Any]) -> None:
    host = covered_host(tmp_path, kernel)
    (tmp_path / "shown").write_text("fixed\n", encoding="ascii")
    probe = Probe(path="/shown", expect="fixed")
    clock = host.kernel.clock
    result = run(host, OnCovered.ALLOW, text=True, probe=probe, watch=60.0)
    assert host.kernel.clock == clock
    assert not result.get("failed")
    proofs = {proof["what"]: (proof["proven"], proof["how"]) for proof in result["proofs"]}
    assert proofs["text"] == (None, "This could not be proven: others cover vmlinux/f,1.")
    assert proofs["probe"] == (True, "/shown (expect 'fixed') holds now.")
    assert run(host, OnCovered.ALLOW, check_mode=True, text=True, probe=probe)["proofs"] == []
    (tmp_path / "shown").write_text("broken\n", encoding="ascii")
    result = run(host, OnCovered.ALLOW, probe=probe)
    assert (result["failed"], result["changed"], result["reason"]) == (True, False, "probe_failed")
    assert "enabled and covered by others, but the probe" in result["msg"]
    assert result["remedy"] == "With on_covered: unstack the next run raises it above the others."
    assert host.stack == ["low", "high"]
    assert host.kernel.calls == []


@pytest.mark.parametrize("looked_at", [True, False])
def test_an_effective_patch_is_not_looked_at_again(tmp_path: pathlib.Path, looked_at: bool) -> None:
    host = covered_host(tmp_path, KERNELS[1])
    if not looked_at:
        host.run("high", State.ABSENT)
    result = run(host, OnCovered.ALLOW, probe=Probe(path="/missing", expect="fixed"))
    assert bool(result.get("failed")) == looked_at


@on_each_kernel
def test_it_is_proven_also_where_only_the_next_boot_changes(tmp_path: pathlib.Path, kernel: dict[str, t.Any]) -> None:
    host = covered_host(tmp_path, kernel)
    host.run("low", boot=AtBoot.ACCEPTED, on_covered=OnCovered.ALLOW)
    wanted = Wanted("low", State.ENABLED, on_covered=OnCovered.ALLOW, boot=AtBoot.TRIAL)

    def forget(path: str) -> dict[str, t.Any]:
        verification = Verification(text=True, probe=Probe(path=path, expect="fixed", retries=0))
        return manage(Task(wanted, verification=verification), host.kernel)

    for _run in range(2):
        result = forget("/missing")
        assert (result["failed"], result["changed"], result["reason"]) == (True, False, "probe_failed")
        assert [entry.name for entry in boot_store.read(host.kernel.files()).accepted] == ["low"]
    (tmp_path / "shown").write_text("fixed\n", encoding="ascii")
    result = forget("/shown")
    assert (result.get("failed"), result["changed"], result["boot"]) == (None, True, "trial")
    assert {"text", "probe"}.issubset(proof["what"] for proof in result["proofs"])


# ---- of which the kernel shows no function ----


@on_each_kernel
@pytest.mark.parametrize("listed", [(F,), (), None])
@pytest.mark.parametrize("is_given", [True, False])
def test_a_patch_without_functions_is_looked_at(
    tmp_path: pathlib.Path, kernel: dict[str, t.Any], listed: tuple[Function, ...] | None, is_given: bool
) -> None:
    """Its file may show functions; one of callbacks alone has none."""
    low = patch_file("low", abi=kernel["abi"], functions=listed)
    host = ModelHost(tmp_path, loaded(low, functions=()), kept=[low], **kernel)
    (tmp_path / "sent.ko").write_bytes(content_of("low"))
    (tmp_path / "shown").write_text("fixed\n", encoding="ascii")
    for path in ("/shown", "/missing"):
        verification = Verification(text=True, probe=Probe(path=path, expect="fixed", retries=0))
        wanted = Wanted("low", State.ENABLED, low if is_given else None)
        task = Task(wanted, str(tmp_path / "sent.ko") if is_given else None, verification=verification)
        result = manage(task, host.kernel)
        assert result.get("reason") == ("probe_failed" if path == "/missing" else None)
        assert (("warn", "no_function_shown") in reasons(result)) is bool(listed)
        if path == "/shown":
            proofs = {proof["what"]: (proof["proven"], proof["how"]) for proof in result["proofs"]}
            assert proofs["text"] == (None, "This could not be proven: the kernel shows none of its functions.")
            assert proofs["probe"][0] is True
            assert result["patch"]["effective"] is None
    assert host.kernel.calls == []


@on_each_kernel
def test_a_patch_that_shows_its_functions_has_no_such_finding(tmp_path: pathlib.Path, kernel: dict[str, t.Any]) -> None:
    host = covered_host(tmp_path, kernel)
    result = host.run("high", file=host.kernel.known_files[patch_file("high").sha256])
    assert reasons(result) == []


# ---- whose functions are unknown ----


@pytest.mark.parametrize("functions", [(F,), (G,), None])
def test_an_older_patch_does_not_come_above_unasked(
    tmp_path: pathlib.Path, functions: tuple[Function, ...] | None
) -> None:
    """A per_task kernel does not show the functions of a disabled patch: without its file nothing does."""
    low, high = patch_file("low", functions=functions), patch_file("high", functions=(F,))
    expected = None if functions == (G,) else "would_cover"
    for on_covered in OnCovered:
        patches = [loaded(low, enabled=False, load_index=1), loaded(high, load_index=2)]
        host = ModelHost(tmp_path / on_covered.value, *patches, kept=[low, high])
        host.kernel.add_file(patch_file("low", functions=functions or (F,)))
        result = run(host, on_covered)
        if on_covered == OnCovered.REFUSE:
            assert result.get("reason") == expected
            assert host.stack == (["high"] if expected else ["high", "low"])
            assert ("is unknown" in result.get("cause", "")) is (functions is None)
            continue
        assert not result.get("failed"), result
        assert host.stack == ["high", "low"]
        told = {OnCovered.ALLOW: "order_changes", OnCovered.UNSTACK: "raised"}[on_covered]
        assert (("info", told) in reasons(result)) is bool(expected)


def test_a_stop_machine_kernel_shows_the_functions_itself(tmp_path: pathlib.Path) -> None:
    low, high = patch_file("low", abi=STOP_MACHINE, functions=()), patch_file("high", abi=STOP_MACHINE, functions=(F,))
    patches = [loaded(low, enabled=False, load_index=1), loaded(high, load_index=2)]
    host = ModelHost(tmp_path, *patches, abi=STOP_MACHINE)
    assert run(host, OnCovered.REFUSE)["state"] == "enabled"


@on_each_kernel
def test_what_the_next_boot_covers_again_is_told(tmp_path: pathlib.Path, kernel: dict[str, t.Any]) -> None:
    host = covered_host(tmp_path, kernel)
    for name in ("low", "high"):
        host.run(name, boot=AtBoot.ACCEPTED, on_covered=OnCovered.ALLOW)
    for check_mode in (True, False):
        assert ("warn", "boot_order") in reasons(run(host, OnCovered.UNSTACK, check_mode))
    # As long as it lasts.
    assert ("warn", "boot_order") in reasons(run(host, OnCovered.UNSTACK))
    assert ("warn", "boot_order") not in reasons(host.run("low", boot=AtBoot.ACCEPTED))
    assert [entry.name for entry in boot_store.read(host.kernel.files()).accepted] == ["high", "low"]


@on_each_kernel
def test_what_is_disabled_or_gone_and_accepted_still_is_told(tmp_path: pathlib.Path, kernel: dict[str, t.Any]) -> None:
    host = covered_host(tmp_path, kernel)
    for name in ("low", "high"):
        host.run(name, boot=AtBoot.ACCEPTED, on_covered=OnCovered.ALLOW)
    assert ("warn", "boot_order") not in reasons(host.run("low", on_covered=OnCovered.ALLOW))
    host.run("high", State.DISABLED)
    for _is_loaded in (True, False):
        result = host.run("low")
        (finding,) = [finding for finding in result["findings"] if finding["reason"] == "boot_order"]
        assert (result["changed"], finding["remedy"]) == (False, "Set boot: trial for high.")
        host.kernel.patches = [patch for patch in host.kernel.patches if patch.name == "low"]
    covered = covered_at_boot(acceptance_of(host.kernel.files()), host.kernel.snapshot())
    assert covered == {"low": ("high",), "high": ()}


@on_each_kernel
@in_whole_and_in_part
@pytest.mark.parametrize("operation", ["disable", "unload", "load", "enable", "probe"])
def test_a_failure_leaves_the_order_as_it_was(
    tmp_path: pathlib.Path, kernel: dict[str, t.Any], functions: tuple[Function, ...], effect: str, operation: str
) -> None:
    host = covered_host(tmp_path, kernel, functions)
    host.kernel.fail_later(operation, 0)
    probe = Probe(path="/missing", expect="fixed") if operation == "probe" else None
    result = run(host, OnCovered.UNSTACK, probe=probe)
    if not result.get("failed"):
        assert operation not in " ".join(host.kernel.calls) or operation == "unload", effect
        return
    assert result["not_restored"] == []
    assert host.stack == ["low", "high"]
    # What was loaded again can be loaded again another time.
    for name in host.stack:
        assert host.kernel.stored_digest(name)
    assert run(host, OnCovered.UNSTACK)["patch"]["effective"] == "full"


@pytest.mark.parametrize("name", ["low", "high"])
def test_without_the_files_what_was_live_stays_live(tmp_path: pathlib.Path, name: str) -> None:
    files = [patch_file(one, functions=(F,)) for one in ("low", "high")]
    patches = [loaded(file, load_index=place) for place, file in enumerate(files, 1)]
    host = ModelHost(tmp_path, *patches, kept=[file for file in files if file.name == name])
    host.kernel.fail_later("load", 0)
    result = run(host, OnCovered.UNSTACK)
    assert result["failed"]
    assert host.stack[-1] == "high"
