# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""livepatch_fetch. The build host is replaced by one that gives what a test wants; the files are real ones."""

from __future__ import annotations

import base64
import hashlib
import json
import typing as t
from pathlib import Path
from unittest.mock import MagicMock

import pytest
import yaml
from ansible_collections.openeuler.livepatch.plugins.action import livepatch_fetch
from ansible_collections.openeuler.livepatch.plugins.action.livepatch_fetch import ActionModule
from ansible_collections.openeuler.livepatch.plugins.module_utils._build.signing import trailer
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.bounds import PATCH_FILE_MAX
from ansible_collections.openeuler.livepatch.plugins.modules import livepatch_fetch as documented
from ansible_collections.openeuler.livepatch.plugins.plugin_utils._fetched import LIVEPATCH_FETCH
from ansible_collections.openeuler.livepatch.tests.unit.plugins.module_utils.signing_keys import make_key, signed

pytest.importorskip("elftools", reason="pyelftools is not installed for this Python")

FIXTURES = Path(__file__).parents[1] / "module_utils" / "fixtures"
NAME, KERNEL = "livepatch_0001_test", "6.12.118-klp"
FILE = (FIXTURES / f"{NAME}.ko").read_bytes()
SRC = "/srv/fix.ko"
Data = dict[str, t.Any]


def slurped(content: bytes | str) -> Data:
    raw = content if isinstance(content, bytes) else content.encode()
    return {"content": base64.b64encode(raw).decode(), "encoding": "base64", "source": "/../../etc/passwd"}


def manifest(file: bytes = FILE, **more: t.Any) -> Data:
    return slurped(json.dumps({"format": 1, "sha256": hashlib.sha256(file).hexdigest(), **more}))


class Action(ActionModule):
    """The action plugin with a build host that has these answers."""

    def __init__(self, dest: Path, *answers: t.Any, check_mode: bool = False, **arguments: t.Any) -> None:
        known = {"src": SRC, "dest": str(dest), "name": NAME, "kernel_release": KERNEL, "method": "kpatch"}
        task = MagicMock(args={**known, **arguments}, async_val=0, check_mode=check_mode, diff=False)
        super().__init__(task, MagicMock(), MagicMock(), MagicMock(), MagicMock(), MagicMock())
        self.answers = list(answers) or [slurped(FILE), manifest()]
        self.asked: list[str] = []

    def _execute_module(
        self, module_name: str | None = None, module_args: Data | None = None, **kwargs: t.Any
    ) -> t.Any:
        assert module_name == "ansible.legacy.slurp"
        self.asked.append((module_args or {})["src"])
        return self.answers.pop(0)


def files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_the_documentation_is_of_these_options() -> None:
    options = yaml.safe_load(documented.DOCUMENTATION)["options"]
    assert options.keys() == LIVEPATCH_FETCH["argument_spec"].keys()
    for name, option in LIVEPATCH_FETCH["argument_spec"].items():
        assert {key: options[name][key] for key in option} == option


def test_what_is_returned_is_read_from_the_file_here(tmp_path: Path) -> None:
    dest = tmp_path / "release" / KERNEL
    answers = [slurped(FILE), manifest(kernel_build_id="AB" * 20, machine="sparc")]
    action = Action(dest, *answers, name="livepatch-0001-test")
    result = action.run()
    assert (result["changed"], action.asked) == (True, [SRC, f"{SRC}.json"])
    assert result["path"] == f"{dest}/{NAME}.ko" and result["manifest"] == f"{dest}/{NAME}.ko.json"
    assert result["file"] == {
        "kernel_release": KERNEL,
        "name": NAME,
        "machine": "x86_64",
        "abi": "per_task",
        "sha256": hashlib.sha256(FILE).hexdigest(),
        "build_id": "12ebc946d48d5ba56740ddb2a945b2e050087bb7",
        "srcversion": None,
        "kernel_build_id": "ab" * 20,
    }
    assert files(tmp_path) == {
        f"release/{KERNEL}/{NAME}.ko": FILE,
        f"release/{KERNEL}/{NAME}.ko.json": base64.b64decode(answers[1]["content"]),
    }
    assert Action(dest, *answers).run()["changed"] is False


def test_check_mode_writes_nothing(tmp_path: Path) -> None:
    assert Action(tmp_path / "new", check_mode=True).run()["changed"] is True
    assert list(tmp_path.iterdir()) == []


OTHER = (FIXTURES / "kpatch_callbacks.ko").read_bytes()
HAND_WRITTEN = (FIXTURES / "livepatch_cmdline.ko").read_bytes()
OF_CMDLINE = {"name": "livepatch_cmdline", "kernel_release": "6.12.117+deb13-cloud-amd64"}
SLY = FILE.replace(b"name=livepatch_0001_test\0", b"name={{ 1 + 1 }}_01_test\0")
REFUSED: dict[str, tuple[list[t.Any], Data, str]] = {
    "other name": ([slurped(OTHER), manifest(OTHER)], {}, "not_as_asked"),
    "template as name": ([slurped(SLY), manifest(SLY)], {}, "not_as_asked"),
    "other kernel": ([], {"kernel_release": "6.12.119-klp"}, "not_as_asked"),
    "hand-written": ([slurped(HAND_WRITTEN), manifest(HAND_WRITTEN)], OF_CMDLINE, "not_as_asked"),
    "of kpatch": ([], {"method": "kbuild"}, "not_as_asked"),
    "no ELF file": ([slurped("x"), manifest(b"x")], {}, "not_elf"),
    "nothing": ([slurped(""), manifest(b"")], {}, "empty_file"),
    "half a file": ([slurped(FILE[:5000]), manifest(FILE[:5000])], {}, "damaged_file"),
    "manifest of another": ([slurped(FILE), manifest(OTHER)], {}, "bad_manifest"),
    "no manifest": ([slurped(FILE), slurped("{")], {}, "bad_manifest"),
    "list as manifest": ([slurped(FILE), slurped("[]")], {}, "bad_manifest"),
    "deep manifest": ([slurped(FILE), slurped("[" * 100_000)], {}, "bad_manifest"),
    "no answer": ([{"failed": True, "msg": "file not found: \x1b[2J"}], {}, "not_fetched"),
    "odd answer": ([{"content": 7}], {}, "not_fetched"),
    "no dictionary": ([7], {}, "not_fetched"),
    "no base64": ([{"content": "{{ 1 }}"}], {}, "not_fetched"),
    "no ASCII": ([{"content": "\u2028"}], {}, "not_fetched"),
    "path as name": ([], {"name": "../x"}, "bad_argument"),
    "path as kernel": ([], {"kernel_release": "../x"}, "bad_argument"),
    "parent as kernel": ([], {"kernel_release": ".."}, "bad_argument"),
    "line as kernel": ([], {"kernel_release": "6.6\n"}, "bad_argument"),
    "option as kernel": ([], {"kernel_release": "-x"}, "bad_argument"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_another_file_than_was_asked_for_is_not_written(case: str, tmp_path: Path) -> None:
    answers, arguments, reason = REFUSED[case]
    dest = tmp_path / KERNEL
    Action(dest).run()
    before = files(tmp_path)
    result = Action(dest, *answers, **arguments).run()
    assert (result["failed"], result["reason"]) == (True, reason), result
    assert result["msg"] == f"{result['cause']} {result['remedy']}"
    assert result["msg"].isprintable()
    assert files(tmp_path) == before


def test_a_file_that_is_too_big_is_not_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert PATCH_FILE_MAX == 256 * 1024**2
    monkeypatch.setattr(livepatch_fetch, "PATCH_FILE_MAX", len(FILE) - 1)
    assert Action(tmp_path / "new").run()["reason"] == "too_big"
    assert list(tmp_path.iterdir()) == []


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    result = Action(tmp_path / "file" / "x").run()
    assert (result["reason"], str(tmp_path) in result["cause"]) == ("not_written", True)


@pytest.fixture(name="keys")
def fixture_keys(tmp_path: Path) -> Path:
    """A folder with the keys and certificates of the site, and of somebody who uses its name."""
    folder = tmp_path / "keys"
    folder.mkdir()
    for name in ("site", "other"):
        make_key(folder, name)
    return folder


def test_what_the_key_has_signed_is_fetched(tmp_path: Path, keys: Path) -> None:
    for options in (("-nocerts",), ("-nocerts", "-keyid")):
        file = signed(FILE, keys, "site", *options)
        answers = [slurped(file), manifest(file)]
        result = Action(tmp_path / KERNEL, *answers, certificate=str(keys / "site.pem")).run()
        assert result["verified"] is True, result
        assert (tmp_path / KERNEL / f"{NAME}.ko").read_bytes() == file
    assert Action(tmp_path / KERNEL, *answers).run()["verified"] is False


OTHER_LICENCE = FILE.replace(b"license=GPL", b"license=BSD")
FORGED: dict[str, tuple[t.Callable[[Path], bytes], str, str]] = {
    "not signed": (lambda _keys: FILE, "site.pem", "not_signed"),
    "by another key of the same name": (
        lambda keys: signed(FILE, keys, "other", "-nocerts"),
        "site.pem",
        "wrong_signature",
    ),
    "with its own certificate": (lambda keys: signed(FILE, keys, "other"), "site.pem", "wrong_signature"),
    "with a signature of other content": (
        lambda keys: OTHER_LICENCE + signed(FILE, keys, "site", "-nocerts")[len(FILE) :],
        "site.pem",
        "wrong_signature",
    ),
    "with the signed content inside": (
        lambda keys: OTHER_LICENCE + signed(FILE, keys, "site", "-nodetach")[len(FILE) :],
        "site.pem",
        "wrong_signature",
    ),
    "with an empty signature": (lambda _keys: FILE + trailer(0), "site.pem", "not_signed"),
    "with anything as a signature": (lambda _keys: FILE + b"x" * 99 + trailer(99), "site.pem", "not_signed"),
    "with a key as certificate": (lambda keys: signed(FILE, keys, "site", "-nocerts"), "site.key", "bad_cert"),
    "without that certificate": (lambda keys: signed(FILE, keys, "site", "-nocerts"), "no.pem", "bad_cert"),
}


@pytest.mark.parametrize("case", FORGED)
def test_what_the_key_has_not_signed_is_not_written(case: str, tmp_path: Path, keys: Path) -> None:
    make, certificate, reason = FORGED[case]
    file = make(keys)
    answers = [slurped(file), manifest(file)]
    result = Action(tmp_path / KERNEL, *answers, certificate=str(keys / certificate)).run()
    assert (result["failed"], result["reason"]) == (True, reason), result
    assert not (tmp_path / KERNEL).exists()


def test_without_openssl_nothing_is_verified(tmp_path: Path, keys: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = signed(FILE, keys, "site", "-nocerts")
    monkeypatch.setenv("PATH", str(tmp_path))
    answers = [slurped(file), manifest(file)]
    result = Action(tmp_path / KERNEL, *answers, certificate=str(keys / "site.pem")).run()
    assert (result["failed"], result["reason"]) == (True, "missing_program"), result
