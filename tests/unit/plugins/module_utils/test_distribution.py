# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which distribution a host has, by files that are written as those of openEuler, its relatives and others."""

from __future__ import annotations

import pathlib

import pytest
from ansible_collections.openeuler.livepatch.plugins.module_utils._observe.distribution import (
    RELATIVES,
    Distribution,
    line_of,
    parse_os_release,
    read_distribution,
)
from ansible_collections.openeuler.livepatch.plugins.module_utils._system.files import Files

MAINLINE = "6.12.48-amd64"


def read(root: pathlib.Path, text: str, release: str = MAINLINE, path: str = "etc/os-release") -> Distribution:
    (root / path).parent.mkdir(parents=True, exist_ok=True)
    (root / path).write_text(text, encoding="utf-8")
    return read_distribution(Files(str(root)), release)


@pytest.mark.parametrize(
    ("text", "like"),
    [
        ('NAME="openEuler"\nID="openEuler"\n', "openEuler"),
        ('NAME="Kylin Linux Advanced Server"\nID="kylin"\n', "openEuler"),
        ("NAME=Kylin\nID=kylin\nID_LIKE=debian\n", "Debian"),
        ('NAME="EulerOS"\nID="euleros"\nID_LIKE="rhel fedora centos"\n', "openEuler"),
        ('NAME="UnionTech OS Server 20"\nID=uos\nID_LIKE="rhel fedora centos"\n', "RedHat"),
        ('NAME="UnionTech OS Desktop"\nID=uos\nID_LIKE=debian\n', "Debian"),
        ("NAME=uos\nID=uos\n", None),
        ('NAME="TencentOS Server"\nID="tencentos"\nID_LIKE="rhel fedora centos"\n', "RedHat"),
        ('NAME="Anolis OS"\nID="anolis"\nID_LIKE="rhel fedora centos"\n', "RedHat"),
        ('NAME="Debian GNU/Linux"\nID=debian\n', "Debian"),
        ("ID=ubuntu\nID_LIKE=debian\n", "Debian"),
        ('ID="rhel"\nID_LIKE="fedora"\n', "RedHat"),
        ('ID="sles"\nID_LIKE="suse"\n', "SUSE"),
        ("ID=somebodys\nID_LIKE='ours openEuler'\n", "openEuler"),
        ("ID=arch\n", None),
        ("", None),
    ],
)
def test_whose_packages_it_has(tmp_path: pathlib.Path, text: str, like: str | None) -> None:
    assert read(tmp_path, text).like == like


def test_all_that_is_told(tmp_path: pathlib.Path) -> None:
    text = 'NAME="openEuler"\nID="openEuler"\nVERSION_ID="22.03"\nPRETTY_NAME="openEuler 22.03 (LTS-SP4)"\n'
    expected = Distribution("openeuler", "openEuler 22.03 (LTS-SP4)", "22.03", "openEuler", "22.03-LTS-SP4")
    assert read(tmp_path, text, "5.10.0-216.0.0.115.oe2203sp4.x86_64") == expected


def test_the_second_place_counts_where_the_first_is_empty(tmp_path: pathlib.Path) -> None:
    assert read(tmp_path, "ID=debian\n", path="usr/lib/os-release").id == "debian"
    assert read(tmp_path, "ID=fedora\n").id == "fedora"


def test_nothing_is_known_without_a_file(tmp_path: pathlib.Path) -> None:
    assert read_distribution(Files(str(tmp_path)), MAINLINE) == Distribution()


def test_the_values_are_those_that_a_shell_reads() -> None:
    text = '# ID=no\nID=\'a b\'\nNAME="say \\"it\\" \\$5"\n BUG_URL=plain \nnot one\nlower=no\nEMPTY=\nONE="\n'
    assert parse_os_release(text) == {
        "ID": "a b",
        "NAME": 'say "it" $5',
        "BUG_URL": "plain",
        "EMPTY": "",
        "ONE": '"',
    }


def test_a_name_commands_no_terminal() -> None:
    assert parse_os_release("PRETTY_NAME=\x1b[31mred\u202e\n") == {"PRETTY_NAME": "\ufffd[31mred\ufffd"}


@pytest.mark.parametrize(
    ("release", "line"),
    [
        ("4.19.90-2003.4.0.0036.oe1.x86_64", "20.03-LTS"),
        ("4.19.90-2112.8.0.0131.oe2003sp3.aarch64", "20.03-LTS-SP3"),
        ("5.10.0-60.18.0.50.oe2203.x86_64", "22.03-LTS"),
        ("5.10.0-216.0.0.115.oe2203sp4.x86_64", "22.03-LTS-SP4"),
        ("6.6.0-28.0.0.34.oe2403.x86_64", "24.03-LTS"),
        ("6.6.0-72.6.0.56.oe2503", "25.03"),
        ("6.6.0-32.7.v2505.ky11.x86_64", None),
        ("5.10.0-46.uelc20.x86_64", None),
        (MAINLINE, None),
        ("6.6.0.oe24", None),
    ],
)
def test_the_line_of_openeulers_kernels(release: str, line: str | None) -> None:
    assert line_of(release) == line


def test_the_table_is_sorted_and_in_small_letters() -> None:
    assert list(RELATIVES) == sorted(name.lower() for name in RELATIVES)
