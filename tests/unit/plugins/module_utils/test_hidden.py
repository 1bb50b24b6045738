# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The values of a build's environment are in nothing that is kept or shown."""

from __future__ import annotations

import pytest
from ansible_collections.openeuler.livepatch.plugins.module_utils._build import signing
from ansible_collections.openeuler.livepatch.plugins.module_utils._build.builder import BuildError
from ansible_collections.openeuler.livepatch.plugins.module_utils._build.hidden import HIDDEN, digests, hider


def test_a_value_is_hidden_wherever_it_stands() -> None:
    hide = hider({"TOKEN": "hunter22", "LONG": "hunter22-and-more", "ONE": "1", "EMPTY": ""})
    assert hide("curl -u hunter22, hunter22-and-more\n") == f"curl -u {HIDDEN}, {HIDDEN}\n"
    assert hide("line 1: export ONE=1") == f"line 1: export ONE={HIDDEN}"
    assert hide("ONE='1' EMPTY=") == f"ONE={HIDDEN}' EMPTY="
    assert hider({})("as it is") == "as it is"


def test_what_chooses_the_compiler_is_hidden_behind_its_name_only() -> None:
    hide = hider({"ARCH": "arm64", "TOKEN": "arm64-token"}, ["ARCH"])
    assert hide("arch/arm64/x.c ARCH=arm64 arm64-token") == f"arch/arm64/x.c ARCH={HIDDEN} {HIDDEN}"


def test_a_digest_tells_a_value_from_another_and_not_the_value() -> None:
    first = digests({"TOKEN": "hunter22", "OTHER": "hunter22"})
    assert first == digests({"OTHER": "hunter22", "TOKEN": "hunter22"})
    assert first["TOKEN"] != first["OTHER"]
    assert first["TOKEN"] != digests({"TOKEN": "hunter23"})["TOKEN"]
    assert "hunter22" not in str(first)


def test_a_passphrase_decides_nothing_and_is_shown_nowhere(monkeypatch: pytest.MonkeyPatch) -> None:
    assert digests({"KBUILD_SIGN_PIN": "hunter22"}) == {}
    monkeypatch.setenv("KBUILD_SIGN_PIN", "hunter22")
    assert hider({})("the PIN is hunter22") == f"the PIN is {HIDDEN}"
    seal = signing.Seal("/k", "/c", "sha512", "/sign-file")
    with pytest.raises(BuildError) as failure:
        signing.sign("/x.ko", seal, lambda command: (1, "", "bad passphrase hunter22\n"))
    assert "hunter22" not in str(failure.value) + str(failure.value.details)
