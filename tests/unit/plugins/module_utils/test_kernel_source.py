# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reading a kernel's configuration, vmlinux and source."""

from __future__ import annotations

import os
import pathlib

import pytest
from ansible_collections.openeuler.livepatch.plugins.module_utils._build import kernel_source
from ansible_collections.openeuler.livepatch.tests.unit.plugins.module_utils import tiny_elf

CONFIG = """\
#
# Automatically generated file; DO NOT EDIT.
# Linux/x86 6.12.48 Kernel Configuration
#
CONFIG_LIVEPATCH=y
CONFIG_LOCALVERSION="-klp"
CONFIG_NR_CPUS=64
CONFIG_BASE=0xffff8000
CONFIG_SIGNED=-1
CONFIG_QUOTED="a \\"b\\" c"
CONFIG_M=m
# CONFIG_OFF is not set
"""


def read(tmp_path: pathlib.Path, text: str) -> kernel_source.Config:
    path = tmp_path / "config"
    path.write_bytes(text.encode())
    config = kernel_source.read_config(str(path))
    assert config is not None
    return config


def test_configuration(tmp_path: pathlib.Path) -> None:
    config = read(tmp_path, CONFIG)
    assert config.options["CONFIG_LIVEPATCH"] == "y"
    assert config.options["CONFIG_LOCALVERSION"] == '"-klp"'
    assert "CONFIG_OFF" not in config.options
    assert config.version == "6.12.48"
    assert config.odd_line is None
    assert config.abi == "per_task"
    assert not config.uses_clang
    assert read(tmp_path, "CONFIG_LIVEPATCH_WO_FTRACE=y\n").abi == "stop_machine"
    assert kernel_source.read_config(str(tmp_path / "nosuch")) is None


def test_what_kconfig_has_dropped_or_added_is_told(tmp_path: pathlib.Path) -> None:
    """make's own file of the options has them in another order, and texts without quotes."""
    text = CONFIG + "CONFIG_DEBUG_INFO_BTF=y\nCONFIG_PAHOLE_VERSION=130\nCONFIG_CC_HAS_X=y\nCONFIG_N=n\n"
    config = read(tmp_path, text)
    assert kernel_source.changed_options(config, str(tmp_path)) == []
    made = tmp_path / "include/config/auto.conf"
    made.parent.mkdir(parents=True)
    kept = [line for line in CONFIG.splitlines() if not line.startswith("#")]
    made.write_text("\n".join([*reversed(kept), "CONFIG_TEXT=a text", "CONFIG_NEW=m", ""]))
    assert kernel_source.changed_options(config, str(tmp_path)) == ["CONFIG_DEBUG_INFO_BTF", "CONFIG_NEW"]
    made.write_text(made.read_text().replace("CPUS=64", "CPUS=32").replace("NEW=m", "DEBUG_INFO_BTF=y"))
    assert kernel_source.changed_options(config, str(tmp_path)) == ["CONFIG_NR_CPUS"]


@pytest.mark.parametrize(
    "line",
    [
        "rm -rf /",
        'CONFIG_X="$(reboot)"',
        'CONFIG_X="`reboot`"',
        "CONFIG_X=y; reboot",
        "CONFIG_X=$y",
        'CONFIG_X="a" reboot',
        'CONFIG_X="\\`reboot`"',
        "X=y",
        " CONFIG_X=y",
        "CONFIG_X=y ",
        "# a comment\rreboot",
        'CONFIG_X="a\tb"',
        "CONFIG_\xe9=y",
        "# caf\xe9",
    ],
)
def test_what_a_shell_would_run_is_not_plain(tmp_path: pathlib.Path, line: str) -> None:
    assert read(tmp_path, CONFIG + line + "\n").odd_line == len(CONFIG.splitlines()) + 1


SEPARATORS = ["\v", "\f", "\r", "\x1c", "\x1d", "\x1e", "\x85", "\u2028", "\u2029"]
"""str.splitlines() splits at each, and a shell takes it for a part of the word."""


@pytest.mark.parametrize("separator", SEPARATORS, ids=ascii)
@pytest.mark.parametrize("line", ['CONFIG_X=y{}CONFIG_PATH="/usr/bin"', "# is not set{}# $(reboot)", "{}"])
def test_what_a_shell_takes_for_one_word_is_one_line(tmp_path: pathlib.Path, separator: str, line: str) -> None:
    assert read(tmp_path, CONFIG + line.format(separator) + "\n").odd_line == CONFIG.count("\n") + 1


def test_bytes_that_are_no_text_are_not_plain(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "config"
    digests = set()
    for content in (b"# \xe9\n", b"# \xe8\n"):
        path.write_bytes(content)
        config = kernel_source.read_config(str(path))
        assert config.odd_line == 1 and config.content == content
        digests.add(config.sha256)
    assert len(digests) == 2


def test_a_pipe_in_the_place_of_a_configuration_keeps_nobody_waiting(tmp_path: pathlib.Path) -> None:
    os.mkfifo(tmp_path / "config")
    assert kernel_source.read_config(str(tmp_path / "config")) is None
    assert kernel_source.read_vmlinux(str(tmp_path / "config")) is None


def test_vmlinux(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "vmlinux"
    path.write_bytes(tiny_elf.vmlinux("6.12.48-klp", "GCC: (Debian 14.2.0-19) 14.2.0"))
    vmlinux = kernel_source.read_vmlinux(str(path))
    assert vmlinux.release == "6.12.48-klp"
    assert vmlinux.compiler == "GCC: (Debian 14.2.0-19) 14.2.0"
    assert vmlinux.identity == vmlinux.build_id == "01" * 20
    assert vmlinux.has_debug_info


def test_vmlinux_that_says_little(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "vmlinux"
    path.write_bytes(tiny_elf.elf({".text": b"x"}))
    vmlinux = kernel_source.read_vmlinux(str(path))
    assert (vmlinux.release, vmlinux.compiler, vmlinux.has_debug_info) == (None, None, False)
    assert len(vmlinux.identity) == 64
    assert vmlinux.build_id is None


@pytest.mark.parametrize("content", [b"", b"text", b"\x7fELF", tiny_elf.vmlinux("6.12")[:100]])
def test_what_is_no_vmlinux(tmp_path: pathlib.Path, content: bytes) -> None:
    path = tmp_path / "vmlinux"
    path.write_bytes(content)
    assert kernel_source.read_vmlinux(str(path)) is None
    assert kernel_source.read_vmlinux(str(tmp_path / "nosuch")) is None


@pytest.mark.parametrize(
    ("makefile", "version"),
    [
        ("VERSION = 6\nPATCHLEVEL = 12\nSUBLEVEL = 48\nEXTRAVERSION =\nNAME = x\n", "6.12.48"),
        ("VERSION = 5\nPATCHLEVEL = 10\nSUBLEVEL = 0\nEXTRAVERSION = -60.oe2203\n", "5.10.0-60.oe2203"),
        ("all:\n\techo\n", None),
        (None, None),
    ],
)
def test_version_of_a_source(tmp_path: pathlib.Path, makefile: str | None, version: str | None) -> None:
    if makefile is not None:
        (tmp_path / "Makefile").write_text(makefile)
    assert kernel_source.source_version(str(tmp_path)) == version
