# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Somebody else's patches: whose a patch is, what is refused for that, and that they may come and go."""

from __future__ import annotations

import dataclasses
import errno
import pathlib
import typing as t

import pytest
from ansible_collections.openeuler.livepatch.plugins.module_utils._manage.assessment import observe
from ansible_collections.openeuler.livepatch.plugins.module_utils._manage.manage import manage
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.boot_set import Acceptance, Accepted
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.patch_file import PatchFile
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.plan import Displaced
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.reading import known_or
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
    UNKNOWN_OWNER,
    Function,
    Identity,
    LoadedPatch,
    Snapshot,
)
from ansible_collections.openeuler.livepatch.plugins.module_utils._plan.plan import make_plan
from ansible_collections.openeuler.livepatch.plugins.module_utils._plan.predict import predict
from ansible_collections.openeuler.livepatch.plugins.module_utils._store import boot as boot_store
from ansible_collections.openeuler.livepatch.plugins.module_utils._store import copies, journal
from ansible_collections.openeuler.livepatch.tests.unit.plugins.module_utils.model_host import ModelHost
from ansible_collections.openeuler.livepatch.tests.unit.plugins.module_utils.model_kernel import (
    RELEASE,
    ModelKernel,
    content_of,
    loaded,
    patch_file,
    snapshot,
)

F, G = (Function("vmlinux", name) for name in ("cmdline_proc_show", "other"))
FIX, OTHER_FIX = patch_file("fix"), patch_file("fix", "2")
HOOK = patch_file("tmhook", functions=(G,))
REPLACING = patch_file("fix", replace=True)
UNKNOWN_REPLACE = patch_file("fix", replace=None)

# ---- what is refused ----


def reasons(wanted: Wanted, *patches: LoadedPatch, privileged: bool = True, abi: str = PER_TASK) -> list[str]:
    plan = make_plan(snapshot(*patches, privileged=privileged, abi=abi, stacking_enforced=False), wanted)
    assert not (plan.refusals and plan.steps)
    return [refusal.reason for refusal in plan.refusals]


ON, OFF = loaded(FIX), loaded(FIX, enabled=False)
HOOKED = loaded(HOOK)
CHANGES: dict[str, tuple[list[LoadedPatch], Wanted]] = {
    "disabled": ([ON], Wanted("fix", State.DISABLED)),
    "absent": ([ON], Wanted("fix", State.ABSENT)),
    "absent, of a disabled one": ([OFF], Wanted("fix", State.ABSENT)),
    "absent, with its own file": ([ON], Wanted("fix", State.ABSENT, FIX)),
    "reload": ([ON], Wanted("fix", State.ENABLED, OTHER_FIX, reload=True)),
    "reload of a disabled one": ([OFF], Wanted("fix", State.ENABLED, OTHER_FIX, reload=True)),
    "present, reload": ([OFF], Wanted("fix", State.PRESENT, OTHER_FIX, reload=True)),
    "supersedes": ([HOOKED], Wanted("fix", State.ENABLED, FIX, supersedes=("tmhook",))),
    "supersedes a disabled one": (
        [dataclasses.replace(HOOKED, enabled=False)],
        Wanted("fix", State.ENABLED, FIX, supersedes=("tmhook",)),
    ),
    "supersedes what it contains": (
        [loaded(patch_file("old"))],
        Wanted("fix", State.ENABLED, FIX, supersedes=("contained",)),
    ),
    "replacing load": ([HOOKED], Wanted("fix", State.ENABLED, REPLACING, supersedes=("tmhook",))),
}
HARMLESS: dict[str, tuple[list[LoadedPatch], Wanted]] = {
    "enabled": ([ON], Wanted("fix", State.ENABLED, FIX)),
    "enabled again": ([OFF], Wanted("fix", State.ENABLED, FIX)),
    "disabled already": ([OFF], Wanted("fix", State.DISABLED)),
    "present": ([ON], Wanted("fix", State.PRESENT)),
    "enabled beside it": ([HOOKED], Wanted("fix", State.ENABLED, FIX)),
    "enabled above it": ([loaded(patch_file("old"))], Wanted("fix", State.ENABLED, FIX)),
    "replacing load beside a disabled one": (
        [dataclasses.replace(HOOKED, enabled=False)],
        Wanted("fix", State.ENABLED, REPLACING),
    ),
    "being disabled": ([loaded(FIX, enabled=False, in_transition=True)], Wanted("fix", State.ENABLED, FIX)),
}


def owned_by(owner: str | None, patches: list[LoadedPatch]) -> list[LoadedPatch]:
    return [dataclasses.replace(patch, owner=owner) for patch in patches]


@pytest.mark.parametrize(
    ("change", "abi"),
    [
        (change, abi)
        for change in CHANGES
        for abi in (PER_TASK, STOP_MACHINE)
        if (change, abi) != ("replacing load", STOP_MACHINE)
    ],
)
@pytest.mark.parametrize(
    ("owner", "force_owner", "expected"),
    [
        (None, False, []),
        (UNKNOWN_OWNER, False, ["owner_unknown"]),
        ("SysCare", False, ["owned"]),
        (None, True, []),
        (UNKNOWN_OWNER, True, []),
        ("SysCare", True, []),
    ],
)
def test_whose_patch_may_be_taken_out(
    owner: str | None, force_owner: bool, expected: list[str], change: str, abi: str
) -> None:
    patches, wanted = CHANGES[change]
    assert reasons(dataclasses.replace(wanted, force_owner=force_owner), *owned_by(owner, patches), abi=abi) == expected


@pytest.mark.parametrize("change", HARMLESS)
@pytest.mark.parametrize("owner", [None, UNKNOWN_OWNER])
def test_what_takes_nothing_away_is_not_refused(owner: str | None, change: str) -> None:
    patches, wanted = HARMLESS[change]
    assert reasons(wanted, *owned_by(owner, patches)) == []


@pytest.mark.parametrize("build_id", [None, "id-other"])
def test_a_disabled_patch_that_may_be_another_build_is_not_exchanged(build_id: str | None) -> None:
    theirs = dataclasses.replace(OFF, identity=Identity(build_id=build_id), owner=UNKNOWN_OWNER)
    wanted = Wanted("fix", State.ENABLED, FIX, reload=True)
    assert reasons(wanted, theirs) == ["owner_unknown"]
    assert reasons(dataclasses.replace(wanted, force_owner=True), theirs) == []


@pytest.mark.parametrize("file", [REPLACING, UNKNOWN_REPLACE])
def test_a_replacing_load_names_what_it_would_take_out(file: PatchFile) -> None:
    stranger = dataclasses.replace(HOOKED, owner=UNKNOWN_OWNER)
    assert reasons(Wanted("fix", State.ENABLED, file), stranger)[0] == "owner_unknown"
    (forced,) = reasons(Wanted("fix", State.ENABLED, file, force_owner=True), stranger)
    assert forced in ("replaces_others", "may_replace_others")


def test_what_lies_above_is_not_lifted_either() -> None:
    above = dataclasses.replace(loaded(patch_file("above", abi=STOP_MACHINE), load_index=2), owner=UNKNOWN_OWNER)
    wanted = Wanted("fix", State.ABSENT, on_covered=OnCovered.UNSTACK)
    mine = loaded(patch_file("fix", abi=STOP_MACHINE), load_index=1)
    assert reasons(wanted, mine, above, abi=STOP_MACHINE) == ["owner_unknown"]


def test_whoever_cannot_read_the_books_is_told_that_root_is_needed() -> None:
    stranger = dataclasses.replace(ON, owner=UNKNOWN_OWNER)
    assert reasons(Wanted("fix", State.ABSENT), stranger, privileged=False) == ["not_root"]


def test_the_message_tells_the_remedy() -> None:
    plan = make_plan(snapshot(dataclasses.replace(ON, owner=UNKNOWN_OWNER)), Wanted("fix", State.ABSENT))
    assert "set force_owner: true if no tool did, as after insmod by hand" in plan.refusals[0].remedy


LKP = patch_file("lkp_Ubuntu_5_15_0_100_1")


@pytest.mark.parametrize("state", [State.ABSENT, State.DISABLED, State.REVERTED])
def test_the_patch_of_a_tool_that_is_not_known_stays(tmp_path: pathlib.Path, state: State) -> None:
    place = tmp_path / "var/snap/canonical-livepatch/common/payload" / f"{LKP.name}.ko"
    place.parent.mkdir(parents=True)
    place.touch()
    kernel = ModelKernel(tmp_path, loaded(LKP))
    for check_mode in (True, False):
        result = manage(Task(Wanted(LKP.name, state), check_mode=check_mode), kernel)
        assert (result["reason"], result["changed"], result["state"]) == ("owner_unknown", False, "enabled")
        assert LKP.name in result["msg"]
    assert kernel.calls == []
    result = manage(Task(Wanted(LKP.name, state, force_owner=True)), kernel)
    assert result["state"] == ("disabled" if state == State.DISABLED else "absent")


# ---- whose a patch is ----


def owner_of(kernel: ModelKernel, name: str) -> str | None:
    patch = observe(kernel)[0].patch(name)
    assert patch
    return patch.owner


def kept_files(kernel: ModelKernel) -> list[str]:
    return known_or(kernel.files().names(copies.DIRECTORY), [])


def keep_copy(kernel: ModelKernel, file: PatchFile) -> None:
    copies.store(kernel.files(), file.name, content_of(file.name), file.sha256)


def test_a_patch_that_nobody_known_has_loaded(tmp_path: pathlib.Path) -> None:
    kernel = ModelKernel(tmp_path, loaded(FIX), loaded(HOOK, owner="SysCare"))
    assert (owner_of(kernel, "fix"), owner_of(kernel, "tmhook")) == (UNKNOWN_OWNER, "SysCare")
    result = manage(Task(Wanted("fix", State.ENABLED, FIX)), kernel)
    assert result["patch"]["owner"] == UNKNOWN_OWNER


@pytest.mark.parametrize("abi", [PER_TASK, STOP_MACHINE])
def test_what_a_task_has_loaded_is_the_collections(tmp_path: pathlib.Path, abi: str) -> None:
    host = ModelHost(tmp_path, abi=abi)
    file = patch_file("fix", abi=abi)
    assert host.run("fix", file=file)["patch"]["owner"] is None
    assert host.run("fix", State.DISABLED)["patch"]["owner"] is None
    assert host.run("fix", State.ABSENT)["state"] == "absent"


def test_what_a_task_has_enabled_is_the_collections(tmp_path: pathlib.Path) -> None:
    """Or a rollout could not disable again what it has enabled."""
    host = ModelHost(tmp_path, loaded(patch_file("fix", abi=STOP_MACHINE), enabled=False), abi=STOP_MACHINE)
    assert owner_of(host.kernel, "fix") == UNKNOWN_OWNER
    assert host.run("fix")["state"] == "enabled"
    patch = host.run("fix")["patch"]
    assert (patch["owner"], patch["stored_copy"], patch["identity"]["sha256"]) == (None, None, None)
    assert host.run("fix", State.DISABLED)["state"] == "disabled"
    assert host.run("fix", State.ABSENT)["state"] == "absent"


def test_what_is_disabled_again_since_it_has_no_effect_is_not(tmp_path: pathlib.Path) -> None:
    kernel = ModelKernel(tmp_path, loaded(patch_file("fix", abi=STOP_MACHINE), enabled=False), abi=STOP_MACHINE)
    failing = Verification(probe=Probe(argv=("false",)))
    result = manage(Task(Wanted("fix", State.ENABLED), verification=failing), kernel)
    assert (result["reason"], result["rolled_back"]) == ("probe_failed", ["disable fix"])
    assert owner_of(kernel, "fix") == UNKNOWN_OWNER


def test_what_was_lifted_is_not(tmp_path: pathlib.Path) -> None:
    files = [patch_file(name, abi=STOP_MACHINE) for name in ("fix", "above")]
    patches = [loaded(file, load_index=place) for place, file in enumerate(files)]
    host = ModelHost(tmp_path, *patches, abi=STOP_MACHINE, kept=files[:1])
    result = host.run("fix", State.ABSENT, on_covered=OnCovered.UNSTACK, force_owner=True)
    assert result["actions"] == ["disable above", "disable fix", "unload fix", "enable above"]
    assert owner_of(host.kernel, "above") == UNKNOWN_OWNER


def test_a_copy_without_its_record_tells_enough_and_stays(tmp_path: pathlib.Path) -> None:
    kernel = ModelKernel(tmp_path, loaded(FIX))
    keep_copy(kernel, FIX)
    assert owner_of(kernel, "fix") is None
    host = ModelHost(tmp_path)
    host.kernel = kernel
    assert host.run("tmhook", file=HOOK)["changed"]
    assert owner_of(kernel, "fix") is None
    assert host.run("fix", State.ABSENT)["state"] == "absent"
    assert not [name for name in kept_files(kernel) if name.startswith("fix")]


def test_a_copy_that_another_patch_has_displaced_tells_nothing(tmp_path: pathlib.Path) -> None:
    kernel = ModelKernel(tmp_path, loaded(FIX), loaded(HOOK))
    keep_copy(kernel, FIX)
    hook = kernel.snapshot().patch("tmhook")
    assert hook
    copies.note(kernel.files(), hook, HOOK, [Displaced("fix", True, FIX)], proven=True)
    assert owner_of(kernel, "fix") == UNKNOWN_OWNER


def test_a_copy_that_was_displaced_by_a_patch_which_is_gone_tells_nothing(tmp_path: pathlib.Path) -> None:
    """Another tool has unloaded that one, and loaded this one again: its record is there until the next run."""
    host = ModelHost(tmp_path)
    host.run("fix", file=FIX)
    host.run("tmhook", file=HOOK, supersedes=("fix",))
    host.kernel.write_enabled("tmhook", False)
    host.kernel.unload("tmhook")
    host.kernel.patches.append(loaded(FIX, instance=99))
    assert owner_of(host.kernel, "fix") == UNKNOWN_OWNER


def test_what_a_failed_task_has_brought_in_vain_tells_nothing(tmp_path: pathlib.Path) -> None:
    """The copies of what could not come back stay until the next task, that of the new patch does not."""
    gone = patch_file("gone", functions=(F,), replace=True)
    host = ModelHost(tmp_path, loaded(gone, False), kept=[gone])
    failing = Verification(probe=Probe(argv=("false",)))
    result = host.run("fix", file=FIX, supersedes=("gone",), verification=failing)
    assert result["not_restored"] == ["gone is not loaded and should be disabled"]
    copied = [name.rpartition("-")[0] for name in kept_files(host.kernel) if name.endswith(".ko")]
    assert copied == ["gone"]
    host.kernel.patches.append(loaded(FIX, instance=99))
    assert owner_of(host.kernel, "fix") == UNKNOWN_OWNER


def test_a_task_that_cannot_begin_leaves_no_copy(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    host = ModelHost(tmp_path)

    def fail(*_arguments: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(journal, "write_note", fail)
    assert host.run("fix", file=FIX)["failed"]
    assert kept_files(host.kernel) == []


def test_the_record_of_another_load_tells_nothing(tmp_path: pathlib.Path) -> None:
    kernel = ModelKernel(tmp_path, loaded(FIX))
    keep_copy(kernel, FIX)
    copies.note(kernel.files(), loaded(FIX, instance=99), FIX, (), proven=True)
    assert owner_of(kernel, "fix") == UNKNOWN_OWNER


def test_a_file_that_could_not_be_loaded_claims_nothing(tmp_path: pathlib.Path) -> None:
    """Somebody else has loaded a patch of its name in the same moment."""
    host = ModelHost(tmp_path)
    load = host.kernel.load

    def lose_the_race(path: str, sha256: str, parameters: str = "") -> None:
        host.kernel.patches.append(loaded(FIX, instance=77))
        load(path, sha256, parameters)

    host.kernel.load = lose_the_race
    result = host.run("fix", file=FIX)
    assert (result["changed"], result["findings"][0]["reason"]) == (False, "replanned")
    assert owner_of(host.kernel, "fix") == UNKNOWN_OWNER


@pytest.mark.parametrize(
    ("file", "release", "expected"),
    [(FIX, RELEASE, None), (OTHER_FIX, RELEASE, UNKNOWN_OWNER), (FIX, "6.1.0", UNKNOWN_OWNER)],
)
def test_what_is_accepted_is_the_collections(
    tmp_path: pathlib.Path, file: PatchFile, release: str, expected: str | None
) -> None:
    kernel = ModelKernel(tmp_path, loaded(FIX))
    entry = Accepted("fix", file.sha256, release, "then", file.to_dict())
    boot_store.write(kernel.files(), Acceptance((entry,)))
    assert owner_of(kernel, "fix") == expected


def test_accepting_takes_a_patch_over(tmp_path: pathlib.Path) -> None:
    host = ModelHost(tmp_path, loaded(FIX))
    assert host.run("fix", file=FIX, boot=AtBoot.ACCEPTED)["patch"]["owner"] is None
    assert host.run("fix", State.DISABLED)["state"] == "disabled"


@pytest.mark.parametrize("damaged", ["accepted", "fix.json"])
def test_with_force_owner_it_goes_whatever_state_the_books_are_in(tmp_path: pathlib.Path, damaged: str) -> None:
    kernel = ModelKernel(tmp_path, loaded(FIX))
    for directory in (copies.DIRECTORY, boot_store.DIRECTORY):
        (tmp_path / directory[1:]).mkdir(parents=True, exist_ok=True)
        (tmp_path / directory[1:] / damaged).write_text("{")
    assert manage(Task(Wanted("fix", State.ABSENT)), kernel)["failed"]
    result = manage(Task(Wanted("fix", State.ABSENT, force_owner=True)), kernel)
    assert (result["state"], result["changed"]) == ("absent", True)
    if damaged == "accepted":
        assert [finding["reason"] for finding in result["findings"]] == ["fix_lost", "boot_store_damaged"]
        assert (tmp_path / boot_store.ACCEPTED[1:]).with_name("accepted.damaged").read_text() == "{"


# ---- what comes and goes meanwhile ----


class Leaving:
    """A host on which the agent takes a patch out, or changes it, while time passes or when a patch has been loaded."""

    def __init__(self, host: ModelHost, *names: str, at_load: bool = False, comes: LoadedPatch | None = None) -> None:
        self.kernel = host.kernel
        self.names = names
        self.comes = comes
        load, sleep = host.kernel.load, host.kernel.sleep

        def load_and_change(path: str, sha256: str, parameters: str = "") -> None:
            load(path, sha256, parameters)
            self.change()

        def sleep_and_change(seconds: float, waits_for: str) -> None:
            sleep(seconds, waits_for)
            self.change()

        if at_load:
            host.kernel.load = load_and_change
        else:
            host.kernel.sleep = sleep_and_change

    def change(self) -> None:
        self.kernel.patches = [patch for patch in self.kernel.patches if patch.name not in self.names]
        if self.comes and self.comes.name not in {patch.name for patch in self.kernel.patches}:
            self.kernel.patches.append(self.comes)


def others_changed(result: dict[str, t.Any]) -> list[str]:
    return [finding["cause"] for finding in result["findings"] if finding["reason"] == "others_changed"]


def watched(host: ModelHost, file: PatchFile, **wanted: t.Any) -> dict[str, t.Any]:
    path = host.root / "sent.ko"
    path.write_bytes(content_of(file.name))
    host.kernel.add_file(file)
    (host.root / "sys/module" / file.name).mkdir(parents=True, exist_ok=True)
    task = Task(
        Wanted(file.name, State.ENABLED, file, **wanted),
        str(path),
        patience=Patience(3, 2, 0.1),
        verification=Verification(watch=3),
    )
    return manage(task, host.kernel)


LP_X = patch_file("lp_x", functions=(F, Function("vmlinux", "two")))
CAME = loaded(HOOK, load_index=9, instance=9)


@pytest.mark.parametrize("at_load", [True, False])
@pytest.mark.parametrize(
    ("before", "goes", "comes", "told"),
    [
        ([HOOKED], ["tmhook"], None, "tmhook is not loaded and was enabled"),
        ([], [], CAME, "tmhook is enabled and was not loaded"),
        ([dataclasses.replace(HOOKED, enabled=False)], ["tmhook"], None, "tmhook is not loaded and was disabled"),
        ([HOOKED], [], None, None),
    ],
)
def test_an_agents_patch_may_come_and_go(
    tmp_path: pathlib.Path,
    before: list[LoadedPatch],
    goes: list[str],
    comes: LoadedPatch | None,
    told: str | None,
    at_load: bool,
) -> None:
    host = ModelHost(tmp_path, *before)
    Leaving(host, *goes, at_load=at_load, comes=comes)
    result = watched(host, LP_X)
    assert "failed" not in result, result
    assert (result["changed"], result["state"], result["patch"]["effective"]) == (True, "enabled", "full")
    sentence = f"Somebody else has changed other live patches meanwhile: {told}."
    assert [text.startswith(sentence) for text in others_changed(result)] == ([True] if told else [])
    assert all(finding["severity"] == "info" for finding in result["findings"])


COVERS = loaded(patch_file("covers", functions=(F,)), load_index=9, instance=9)


@pytest.mark.parametrize("at_load", [True, False])
@pytest.mark.parametrize(
    ("goes", "comes", "told"),
    [
        (["lp_x"], None, "lp_x is not loaded and should be enabled"),
        (["lp_x"], loaded(LP_X, enabled=False, instance=9), "lp_x is disabled and should be enabled"),
        ([], COVERS, "covers is enabled and should be not loaded"),
    ],
)
def test_what_happens_to_the_patch_itself_is_a_reason(
    tmp_path: pathlib.Path, goes: list[str], comes: LoadedPatch | None, told: str, at_load: bool
) -> None:
    host = ModelHost(tmp_path, loaded(patch_file("below", functions=(F,))), HOOKED)
    Leaving(host, *goes, "tmhook", at_load=at_load, comes=comes)
    result = watched(host, LP_X)
    assert result["reason"] == "not_as_planned"
    assert told in result["cause"]
    assert "lp_x" not in [patch.name for patch in host.kernel.patches], "it is rolled back"
    assert "tmhook" not in result["cause"] + " ".join(result["not_restored"])
    assert others_changed(result)


@pytest.mark.parametrize("at_load", [True, False])
def test_what_goes_from_below_a_patch_is_no_reason_to_take_it_out(tmp_path: pathlib.Path, at_load: bool) -> None:
    """Without it nothing would be live there."""
    host = ModelHost(tmp_path, loaded(patch_file("below", functions=(F,))))
    Leaving(host, "below", at_load=at_load)
    result = watched(host, LP_X)
    assert (result["changed"], result["state"], host.stack) == (True, "enabled", ["lp_x"])
    assert "below is not loaded and was enabled" in others_changed(result)[0]


def test_a_patch_that_comes_just_before_a_replacing_load_is_not_disabled_in_silence(tmp_path: pathlib.Path) -> None:
    host = ModelHost(tmp_path)
    load = host.kernel.load

    def replace_it(path: str, sha256: str, parameters: str = "") -> None:
        host.kernel.patches.append(CAME)
        load(path, sha256, parameters)

    host.kernel.load = replace_it
    result = host.run("fix", file=REPLACING)
    assert "Loading fix has disabled tmhook" in result["cause"]
    assert result["not_restored"] == ["tmhook is disabled and should be not loaded"]


# ---- what an own load takes out although its file shows no replace flag ----

SEEMS_HARMLESS = patch_file("lp_x")


def enabled_with_hidden_replace(host: ModelHost, tells_replace: bool, **task: t.Any) -> dict[str, t.Any]:
    """The kernel sees a replace flag that the reader has not seen. Older kernels do not tell it."""
    (host.root / "sys/module/lp_x").mkdir(parents=True)
    (host.root / "sent.ko").write_bytes(content_of("lp_x"))
    host.kernel.known_files[SEEMS_HARMLESS.sha256] = dataclasses.replace(SEEMS_HARMLESS, replace=True)
    if not tells_replace:
        snapshot_now = host.kernel.snapshot

        def without_flags() -> Snapshot:
            now = snapshot_now()
            return dataclasses.replace(
                now, patches=tuple(dataclasses.replace(patch, replace=None) for patch in now.patches)
            )

        host.kernel.snapshot = without_flags
    wanted = Wanted("lp_x", State.ENABLED, SEEMS_HARMLESS)
    return manage(Task(wanted, str(host.root / "sent.ko"), patience=Patience(3, 2, 0.1), **task), host.kernel)


@pytest.mark.parametrize("tells_replace", [True, False])
@pytest.mark.parametrize("is_ours", [True, False])
@pytest.mark.parametrize("probe", [None, Probe(argv=("false",), retries=0)])
def test_what_an_own_load_disables_is_not_blamed_on_others(
    tmp_path: pathlib.Path, probe: Probe | None, is_ours: bool, tells_replace: bool
) -> None:
    """Whether the proof fails because of it or because of the probe: rolling back is about it, too."""
    host = ModelHost(tmp_path, HOOKED, kept=[HOOK] if is_ours else [])
    result = enabled_with_hidden_replace(host, tells_replace, verification=Verification(probe=probe))
    assert result["reason"] == ("replaces_others" if tells_replace else "not_as_planned")
    told = "Loading lp_x disables tmhook" if tells_replace else "tmhook is disabled and should be enabled"
    assert told in result["cause"]
    assert ("whether lp_x has the replace flag" in result["remedy"]) is not tells_replace
    assert others_changed(result) == []
    # Where the other one cannot come back, the host would have no fix at all without this one.
    assert host.stack == (["tmhook"] if is_ours else ["lp_x"])
    assert result["changed"] is not is_ours
    lost = ["lp_x is enabled and should be not loaded", "tmhook is disabled and should be enabled"]
    assert result["not_restored"] == ([] if is_ours else lost)
    if is_ours:
        assert owner_of(host.kernel, "tmhook") is None


def test_what_is_disabled_beside_a_load_that_replaces_nothing_is_told_of_others(tmp_path: pathlib.Path) -> None:
    host = ModelHost(tmp_path, HOOKED)
    Leaving(host, "tmhook", comes=dataclasses.replace(HOOKED, enabled=False), at_load=True)
    result = watched(host, LP_X)
    assert "failed" not in result, result
    assert len(others_changed(result)) == 1


def test_a_step_that_fails_later_does_not_hide_it(tmp_path: pathlib.Path) -> None:
    """The load has disabled the agent's patch, which an older kernel does not tell, and unloading another one fails."""
    old = patch_file("old", functions=(Function("vmlinux", "third"),))
    host = ModelHost(tmp_path, HOOKED, loaded(old, load_index=2), kept=[old], fail={"unload": (5, "")})
    host.kernel.shows_replace = False
    wanted_file = dataclasses.replace(SEEMS_HARMLESS, functions=old.functions)
    host.kernel.known_files[wanted_file.sha256] = dataclasses.replace(wanted_file, replace=True)
    (tmp_path / "sys/module/lp_x").mkdir(parents=True)
    (tmp_path / "sent.ko").write_bytes(content_of("lp_x"))
    wanted = Wanted("lp_x", State.ENABLED, wanted_file, supersedes=("old",))
    result = manage(Task(wanted, str(tmp_path / "sent.ko"), patience=Patience(3, 2, 0.1)), host.kernel)
    assert result["attempted"] == "unload old"
    assert result["not_restored"] == ["tmhook is disabled and should be enabled"]
    assert others_changed(result) == []


@pytest.mark.parametrize("is_ours", [True, False])
def test_an_interrupted_run_whose_load_has_disabled_it_has_not_arrived(tmp_path: pathlib.Path, is_ours: bool) -> None:
    host = ModelHost(tmp_path, HOOKED, kept=[HOOK] if is_ours else [])
    before = host.kernel.snapshot()
    plan = make_plan(before, Wanted("lp_x", State.ENABLED, SEEMS_HARMLESS))
    stored = {"tmhook": HOOK.sha256} if is_ours else {}
    goal = predict(before, plan).patches
    note = journal.Note("root", "load lp_x", "then", before.patches, plan.steps, goal, stored, "lp_x", State.ENABLED)
    keep_copy(host.kernel, SEEMS_HARMLESS)
    journal.write_note(host.kernel.files(), note)
    (tmp_path / "sys/module/lp_x").mkdir(parents=True)
    disabled = dataclasses.replace(host.kernel.patches[0], enabled=False, functions=(), replace=None)
    host.kernel.patches = [disabled, loaded(SEEMS_HARMLESS, replace=True, load_index=5, instance=5)]
    result = host.run("other", State.ABSENT)
    told = result["findings"][0]["cause"]
    assert "it was rolled back" in told
    assert ("tmhook is disabled and should be enabled" in told) is not is_ours
    assert host.stack == (["tmhook"] if is_ours else ["lp_x"])


def test_the_end_of_another_transition_is_not_told(tmp_path: pathlib.Path) -> None:
    host = ModelHost(tmp_path, loaded(HOOK, in_transition=True))
    moving = host.kernel.sleep

    def settle(seconds: float, waits_for: str) -> None:
        moving(seconds, waits_for)
        host.kernel.patches = [dataclasses.replace(patch, in_transition=False) for patch in host.kernel.patches]

    host.kernel.sleep = settle
    result = host.run("lp_x", file=LP_X)
    assert (result["state"], others_changed(result)) == ("enabled", [])


@pytest.mark.parametrize("state", [State.ENABLED, State.ABSENT])
def test_after_an_interrupted_run_only_its_own_patches_count(tmp_path: pathlib.Path, state: State) -> None:
    """It had loaded its patch, and the agent has taken its own out since."""
    host = ModelHost(tmp_path, HOOKED)
    host.kernel.add_file(LP_X)
    before = host.kernel.snapshot()
    plan = make_plan(before, Wanted("lp_x", State.ENABLED, LP_X))
    goal = predict(before, plan).patches
    note = journal.Note("root", "load lp_x", "then", before.patches, plan.steps, goal, {}, "lp_x", State.ENABLED)
    keep_copy(host.kernel, LP_X)
    journal.write_note(host.kernel.files(), note)
    host.kernel.patches = [loaded(LP_X, instance=5)]
    (tmp_path / "sys/module/lp_x").mkdir(parents=True)
    result = host.run("lp_x", state, file=LP_X if state == State.ENABLED else None)
    assert "failed" not in result, result
    told = {
        State.ENABLED: "it had carried out its steps",
        State.ABSENT: "it was rolled back: disable lp_x, unload lp_x.",
    }
    assert told[state] in result["findings"][0]["cause"]
    assert "The host is not as it was" not in result["findings"][0]["cause"]
    assert host.kernel.calls == ([] if state == State.ENABLED else ["disable lp_x", "unload lp_x"])
