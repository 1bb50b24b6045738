# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The plan knows what is live afterwards: where a fix would be lost, that is refused, or told in check mode as well."""

from __future__ import annotations

import dataclasses
import pathlib
import typing as t

import pytest
from ansible_collections.openeuler.livepatch.plugins.module_utils._manage.manage import manage
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.patch_file import PatchFile
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.request import (
    CONTAINED,
    OnCovered,
    Patience,
    State,
    Task,
    Wanted,
)
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.snapshot import (
    PER_TASK,
    STOP_MACHINE,
    Function,
)
from ansible_collections.openeuler.livepatch.plugins.module_utils._store import copies
from ansible_collections.openeuler.livepatch.tests.unit.plugins.module_utils.model_host import ModelHost
from ansible_collections.openeuler.livepatch.tests.unit.plugins.module_utils.model_kernel import (
    content_of,
    loaded,
    patch_file,
)

on_both_kernels = pytest.mark.parametrize("abi", [PER_TASK, STOP_MACHINE])
TOLD = ("fix_lost", "live_after")


def of(*names: str) -> tuple[Function, ...]:
    return tuple(Function("vmlinux", name) for name in names)


class Host(ModelHost):
    """A host with `old`, which replaces a and b, perhaps under other patches."""

    def __init__(self, root: pathlib.Path, abi: str, *others: PatchFile, **changes: t.Any) -> None:
        self.old = patch_file("old", abi=abi, **{"functions": of("a", "b"), **changes})
        files = [dataclasses.replace(file, abi=abi) for file in (self.old, *others)]
        patches = [loaded(file, load_index=place) for place, file in enumerate(files, 1)]
        super().__init__(root, *patches, kept=files, abi=abi)

    def told(self, wanted: Wanted, content: str = "1") -> tuple[list[tuple[str, str, str]], dict[str, t.Any]]:
        """What a task says of this, in check mode and when it is carried out, and its result."""
        if wanted.file:
            (self.root / "sys/module" / wanted.name).mkdir(parents=True, exist_ok=True)
            (self.root / "sent.ko").write_bytes(content_of(wanted.name, content))
            self.kernel.add_file(dataclasses.replace(wanted.file, functions=wanted.file.functions or of("a")))
        path = str(self.root / "sent.ko") if wanted.file else None
        before = self.stack
        predicted = manage(Task(wanted, path, check_mode=True), self.kernel)
        assert self.stack == before
        result = manage(Task(wanted, path, patience=Patience(3, 2, 0.1)), self.kernel)
        findings = [
            [(one["reason"], one["severity"], one["cause"]) for one in side["findings"] if one["reason"] in TOLD]
            for side in (predicted, result)
        ]
        # What is only possible before is known afterwards.
        known = [[one for one in side if "perhaps" not in one[2]] for side in findings]
        assert known[0] == known[1] or known[0] != findings[0]
        self.remedies = [one["remedy"] for one in predicted["findings"] if one["reason"] in TOLD]
        self.foretold = findings[0]
        return findings[1], result


@on_both_kernels
@pytest.mark.parametrize("state", [State.ABSENT, State.DISABLED])
def test_what_is_taken_out_leaves_functions_without_a_patch(tmp_path: pathlib.Path, abi: str, state: State) -> None:
    told, result = Host(tmp_path, abi).told(Wanted("old", state))
    assert told == [("fix_lost", "info", "After this no patch is live on vmlinux/a,1, vmlinux/b,1.")]
    assert result["changed"]


@on_both_kernels
@pytest.mark.parametrize("state", [State.ABSENT, State.DISABLED])
def test_what_comes_to_light_is_told(tmp_path: pathlib.Path, abi: str, state: State) -> None:
    host = Host(tmp_path, abi, patch_file("new", functions=of("b", "c")))
    told, _result = host.told(Wanted("new", state))
    assert told == [
        ("fix_lost", "info", "After this no patch is live on vmlinux/c,1."),
        ("live_after", "info", "After this old is live on vmlinux/b,1."),
    ]


@on_both_kernels
def test_what_is_not_live_is_not_lost(tmp_path: pathlib.Path, abi: str) -> None:
    host = Host(tmp_path, abi, patch_file("new", functions=of("a", "b")))
    told, result = host.told(Wanted("old", State.ABSENT, on_covered=OnCovered.ALLOW))
    assert (told, result["changed"]) == ([], True)


@on_both_kernels
def test_what_is_lifted_keeps_its_functions_also_if_its_file_shows_none(tmp_path: pathlib.Path, abi: str) -> None:
    host = Host(tmp_path, abi, patch_file("new", functions=of("a", "c")))
    host.kernel.note_copy(patch_file("new", abi=abi, functions=None))
    told, result = host.told(Wanted("old", State.ABSENT, on_covered=OnCovered.UNSTACK))
    assert not result.get("failed"), result
    assert told == [("fix_lost", "info", "After this no patch is live on vmlinux/b,1.")]


@on_both_kernels
@pytest.mark.parametrize(
    ("is_ours", "severity", "why"),
    [
        (True, "info", "old took the place of nothing."),
        (False, "warn", "Nothing is remembered that old took the place of."),
    ],
)
def test_what_displaced_nothing_is_reverted_and_that_is_told(
    tmp_path: pathlib.Path, abi: str, is_ours: bool, severity: str, why: str
) -> None:
    host = Host(tmp_path, abi)
    if not is_ours:
        pathlib.Path(host.kernel.files().path(f"{copies.DIRECTORY}/old.json")).unlink()
    told, result = host.told(Wanted("old", State.REVERTED, force_owner=True))
    cause = f"After this no patch is live on vmlinux/a,1, vmlinux/b,1. {why}"
    assert told == [("fix_lost", severity, cause)]
    assert result["state"] == "absent"


@on_both_kernels
def test_what_comes_back_is_told_and_what_only_the_reverted_patch_had(tmp_path: pathlib.Path, abi: str) -> None:
    host = Host(tmp_path, abi)
    new = patch_file("new", abi=abi, functions=of("a", "b", "c"))
    assert host.told(Wanted("new", State.ENABLED, new, supersedes=(CONTAINED,)))[0] == []
    told, _result = host.told(Wanted("new", State.REVERTED))
    assert told == [
        ("fix_lost", "info", "After this no patch is live on vmlinux/c,1."),
        ("live_after", "info", "After this old is live on vmlinux/a,1, vmlinux/b,1."),
    ]


def with_new_in_its_place(root: pathlib.Path, abi: str, is_hidden: bool = False) -> Host:
    """A host on which `new` has taken the place of `old`, whose file may show no functions."""
    host = Host(root, abi)
    if is_hidden:
        host.kernel.note_copy(dataclasses.replace(host.old, functions=None))
    host.told(Wanted("new", State.ENABLED, patch_file("new", abi=abi, functions=of("a", "b")), supersedes=("old",)))
    return host


@on_both_kernels
def test_what_could_be_brought_back_instead_is_told_as_long_as_it_can(tmp_path: pathlib.Path, abi: str) -> None:
    host = with_new_in_its_place(tmp_path, abi)
    host.told(Wanted("new", State.DISABLED))
    assert host.remedies == ["Set state: reverted to bring back old."]
    host.run("new", file=patch_file("new", abi=abi, functions=of("a", "b")))
    _told, result = host.told(Wanted("new", State.ABSENT))
    assert host.remedies == ["Set state: reverted instead to bring back old."]
    remedies = {one["reason"]: one["remedy"] for one in result["findings"]}
    assert remedies["fix_lost"] == "Load old from its file, if the host needs that fix."
    # It went with the patch that had it.
    assert remedies["not_remembered"] == "Keep the file at hand."


@on_both_kernels
@pytest.mark.parametrize("state", [State.ABSENT, State.DISABLED])
def test_a_revert_that_would_be_refused_is_no_remedy(tmp_path: pathlib.Path, abi: str, state: State) -> None:
    host = with_new_in_its_place(tmp_path, abi)
    for copy in tmp_path.glob(f"{copies.DIRECTORY[1:]}/old-*.ko"):
        copy.unlink()
    host.told(Wanted("new", state))
    assert host.remedies == ["Load old from its file, if the host needs that fix."]


@on_both_kernels
@pytest.mark.parametrize("state", [State.ABSENT, State.ENABLED])
def test_what_is_forgotten_with_a_patch_is_told_also_if_no_fix_is_lost(
    tmp_path: pathlib.Path, abi: str, state: State
) -> None:
    host = with_new_in_its_place(tmp_path, abi)
    host.run("top", file=patch_file("top", abi=abi, functions=of("a", "b")), on_covered=OnCovered.ALLOW)
    if state == State.ENABLED:
        host.run("old", file=host.old, on_covered=OnCovered.ALLOW)
    _told, result = host.told(Wanted("new", State.ABSENT, on_covered=OnCovered.ALLOW))
    forgotten = [one["cause"] for one in result["findings"] if one["reason"] == "not_remembered"]
    why = "What new took the place of is remembered as long as that is loaded."
    assert forgotten == ([f"After this no revert brings back old. {why}"] if state == State.ABSENT else [])


@on_both_kernels
@pytest.mark.parametrize(("has_it", "told"), [(True, []), (False, ["After this no patch is live on vmlinux/b,1."])])
def test_what_comes_back_and_hides_its_functions_may_have_them(
    tmp_path: pathlib.Path, abi: str, has_it: bool, told: list[str]
) -> None:
    """The kernel shows them in the end, and then they are known."""
    host = with_new_in_its_place(tmp_path, abi, is_hidden=True)
    real = dataclasses.replace(host.old, functions=of("a", "b") if has_it else of("a"))
    host.kernel.add_file(real)
    known, _result = host.told(Wanted("new", State.REVERTED))
    assert [cause for reason, _severity, cause in known if reason == "fix_lost"] == told
    perhaps = "After this perhaps no patch is live on vmlinux/a,1, vmlinux/b,1."
    why = "The file of old does not show its functions."
    assert [cause for reason, _severity, cause in host.foretold if reason == "fix_lost"] == [f"{perhaps} {why}"]


@on_both_kernels
def test_where_no_patch_is_live_in_between_is_told(tmp_path: pathlib.Path, abi: str) -> None:
    """What is above is taken out, and what takes the place of the lower one comes last."""
    host = Host(tmp_path, abi, patch_file("above", functions=of("a")))
    new = patch_file("new", abi=abi, functions=of("a", "b"))
    result = host.run("new", file=new, supersedes=("old",), on_covered=OnCovered.UNSTACK)
    between = [one["cause"] for one in result["findings"] if one["reason"] == "not_live_between"]
    up = "load" if abi == PER_TASK else "enable"
    spans = [f"From disable old to {up} above no patch is live on vmlinux/a,1"]
    spans.append(f"From disable old to {up} new no patch is live on vmlinux/b,1.")
    assert [cause.partition(" The kernel")[0] for cause in between] == ["; ".join(spans)]


@on_both_kernels
def test_another_build_that_is_live_afterwards_is_told_apart(tmp_path: pathlib.Path, abi: str) -> None:
    host = Host(tmp_path, abi)
    build = patch_file("old", "2", abi=abi, functions=of("a", "b"), loaded_with="level=2")
    host.run("old", file=build, content="2", reload=True)
    told, _result = host.told(Wanted("old", State.REVERTED))
    assert [cause for reason, _severity, cause in told if reason == "live_after"] == [
        "After this old (build-id id-old1, without parameters) is live on vmlinux/a,1, vmlinux/b,1."
    ]


@on_both_kernels
@pytest.mark.parametrize("replace", [False, True])
def test_what_supersedes_names_may_lose_its_fix_and_that_is_told(
    tmp_path: pathlib.Path, abi: str, replace: bool
) -> None:
    host = Host(tmp_path, abi)
    new = patch_file("new", abi=abi, functions=of("a"), replace=replace and abi == PER_TASK)
    told, result = host.told(Wanted("new", State.ENABLED, new, supersedes=("old",)))
    assert told == [("fix_lost", "warn", "After this no patch is live on vmlinux/b,1. supersedes names old.")]
    assert (result["changed"], host.stack) == (True, ["new"])


@on_both_kernels
def test_a_function_that_another_patch_replaces_is_not_lost(tmp_path: pathlib.Path, abi: str) -> None:
    host = Host(tmp_path, abi, patch_file("other", functions=of("b")))
    new = patch_file("new", abi=abi, functions=of("a"))
    told, result = host.told(Wanted("new", State.ENABLED, new, supersedes=("old",), on_covered=OnCovered.UNSTACK))
    assert not result.get("failed"), result
    assert told == []


@on_both_kernels
@pytest.mark.parametrize("state", [State.ENABLED, State.PRESENT])
def test_another_build_that_lacks_a_function_is_refused(tmp_path: pathlib.Path, abi: str, state: State) -> None:
    host = Host(tmp_path, abi)
    build = patch_file("old", "2", abi=abi, functions=of("a"))
    told, result = host.told(Wanted("old", state, build, reload=True), "2")
    cause = "old would go, and the file of old does not replace vmlinux/b,1. After this no patch would be live there."
    assert told == [("fix_lost", "refuse", cause)]
    assert (result["failed"], result["reason"], host.identities) == (True, "fix_lost", {"old": "id-old1"})
    assert ("name old in supersedes" in result["remedy"]) == (state == State.ENABLED)


@on_both_kernels
def test_another_build_that_lacks_a_function_comes_if_the_task_names_it(tmp_path: pathlib.Path, abi: str) -> None:
    host = Host(tmp_path, abi)
    build = patch_file("old", "2", abi=abi, functions=of("a"))
    told, _result = host.told(Wanted("old", State.ENABLED, build, reload=True, supersedes=("old",)), "2")
    assert told == [("fix_lost", "warn", "After this no patch is live on vmlinux/b,1. supersedes names old.")]
    assert host.identities == {"old": "id-old2"}
    host.told(Wanted("old", State.REVERTED))
    assert host.identities == {"old": "id-old1"}


@on_both_kernels
def test_another_build_with_all_functions_loses_nothing(tmp_path: pathlib.Path, abi: str) -> None:
    build = patch_file("old", "2", abi=abi, functions=of("a", "b"))
    told, result = Host(tmp_path, abi).told(Wanted("old", State.ENABLED, build, reload=True), "2")
    assert (told, result["changed"]) == ([], True)


@on_both_kernels
def test_where_the_file_shows_no_function_the_loss_is_possible(tmp_path: pathlib.Path, abi: str) -> None:
    build = patch_file("old", "2", abi=abi, functions=None)
    host = Host(tmp_path, abi)
    told, result = host.told(Wanted("old", State.ENABLED, build, reload=True), "2")
    assert [(reason, severity) for reason, severity, _cause in host.foretold] == [("fix_lost", "warn")]
    assert host.foretold[0][2].startswith("After this perhaps no patch is live on vmlinux/a,1, vmlinux/b,1.")
    # The build has the first of them, which the kernel shows.
    assert told == [("fix_lost", "warn", "After this no patch is live on vmlinux/b,1.")]
    assert result["changed"]
