# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What kernels show of symbols, kprobes, traced functions and keys (lines of 6.12 and of openEuler 6.6)."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.openeuler.livepatch.plugins.module_utils._observe.kallsyms import Symbol, find_symbols
from ansible_collections.openeuler.livepatch.plugins.module_utils._observe.keyring import (
    Key,
    parse_doubtful,
    parse_key_ids,
    parse_signers,
)
from ansible_collections.openeuler.livepatch.plugins.module_utils._observe.tracers import (
    Kprobe,
    Traced,
    parse_kprobes,
    parse_traced,
)

KALLSYMS = b"""\
ffffffff81000000 T _stext
ffffffff814c0d10 t __pfx_cmdline_proc_show
ffffffff814c0d20 t cmdline_proc_show
ffffffff814c0d20 t an_alias
ffffffff814c0d50 t next
ffffffff814c0d60 d name
ffffffff814c0d64 t name
ffffffff814c0d90 t last
ffffffffc0401000 t ext4_late\t[ext4]
ffffffffc0400010 t ext4_sync_fs\t[ext4]
ffffffffc0400000 t ext4_first\t[ext4]
ffffffffc0400010 t ext4_fs_sync\t[ext4]
ffffffffc0400010 t same_address\t[other]
ffffffffc0500000 t ext4_sync_fs\t[other]
"""


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        (("vmlinux", "cmdline_proc_show"), [(0xFFFFFFFF814C0D20, 0x30, frozenset(["an_alias"]))]),
        (("vmlinux", "an_alias"), [(0xFFFFFFFF814C0D20, 0x30, frozenset(["cmdline_proc_show"]))]),
        (("vmlinux", "name"), [(0xFFFFFFFF814C0D60, 4), (0xFFFFFFFF814C0D64, 0x2C)]),
        (("vmlinux", "last"), [(0xFFFFFFFF814C0D90, 0xFFFFFFFFC0401000 - 0xFFFFFFFF814C0D90)]),
        (("vmlinux", "ext4_sync_fs"), []),
        (("vmlinux", "cmdline"), []),
        (("vmlinux", "proc_show"), []),
        (("ext4", "ext4_sync_fs"), [(0xFFFFFFFFC0400010, 0xFF0, frozenset(["ext4_fs_sync"]))]),
        (("ext4", "ext4_fs_sync"), [(0xFFFFFFFFC0400010, 0xFF0, frozenset(["ext4_sync_fs"]))]),
        (("ext4", "ext4_late"), [(0xFFFFFFFFC0401000, None)]),
        (("ext4", "next"), []),
    ],
)
def test_symbols_and_their_lengths(name: tuple[str, str], expected: list[t.Any]) -> None:
    assert find_symbols(KALLSYMS, [name]) == {name: tuple(Symbol(*symbol) for symbol in expected)}


def test_hidden_addresses() -> None:
    name = ("vmlinux", "name")
    hidden = b"0000000000000000 d name\n0000000000000000 t name\n0000000000000000 t last\n"
    assert find_symbols(hidden, [name]) == {name: (Symbol(None, None), Symbol(None, None))}


def test_aliases_where_addresses_are_short() -> None:
    name = ("vmlinux", "one")
    (symbol,) = find_symbols(b"c0100000 T one\nc0100000 T two\nc0100010 T three\n", [name])[name]
    assert symbol == Symbol(0xC0100000, 16, frozenset(["two"]))


def test_kprobes() -> None:
    text = """\
ffffffff814c0d20  k  cmdline_proc_show+0x0    [FTRACE]
ffffffff814c0d30  r  loadavg_proc_show+0x10    [DISABLED][OPTIMIZED]
ffffffffc0400010  k  ext4_sync_fs+0x4  ext4 [FTRACE]
ffffffff814c0d31  k  ffffffff814c0d31
"""
    assert parse_kprobes(text) == (
        Kprobe("vmlinux", "cmdline_proc_show", 0, 0xFFFFFFFF814C0D20, by_ftrace=True),
        Kprobe("vmlinux", "loadavg_proc_show", 16, 0xFFFFFFFF814C0D30),
        Kprobe("ext4", "ext4_sync_fs", 4, 0xFFFFFFFFC0400010, by_ftrace=True),
    )


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("0000000000000000  k  f+0x0    ", Kprobe("vmlinux", "f")),
        ("ffffffff814c0d20  k  f+0x0    [FTRACE]", Kprobe("vmlinux", "f", 0, 0xFFFFFFFF814C0D20, by_ftrace=True)),
        ("ffffffffc0400010  k  f+0x4  ext4 ", Kprobe("ext4", "f", 4, 0xFFFFFFFFC0400010)),
        ("ffffffffc0400010  k  f+0x4  ext4 [FTRACE]", Kprobe("ext4", "f", 4, 0xFFFFFFFFC0400010, by_ftrace=True)),
    ],
)
def test_the_last_kprobe_of_a_stripped_text(line: str, expected: Kprobe) -> None:
    assert parse_kprobes(f"{line}\n{line}\n".strip()) == (expected, expected)
    assert parse_kprobes(line.replace("f+0x", "f+0xg")) == ()


def test_traced_functions() -> None:
    text = """\
cmdline_proc_show (1) R I     \ttramp: 0xffffffffc0400000 (klp_ftrace_handler+0x0/0x250) ->klp_ftrace_handler+0x0/0x250
loadavg_proc_show (2)           \ttramp: 0xffffffffc0401000 (function_trace_call+0x0/0x170)
uptime_proc_show (1) R   D     \ttramp: ftrace_regs_caller+0x0/0x65 (call_direct_funcs+0x0/0x20)
\tdirect-->bpf_trampoline_6442543310+0x0/0x87
ext4_sync_fs [ext4] (3)   I
"""
    klp, traced, direct, module = parse_traced(text)
    assert (klp.object, klp.function, klp.users, klp.ip_modify, klp.direct) == (
        "vmlinux",
        "cmdline_proc_show",
        1,
        True,
        False,
    )
    assert "klp_ftrace_handler" in klp.text
    assert traced == Traced(
        "vmlinux", "loadavg_proc_show", 2, text="tramp: 0xffffffffc0401000 (function_trace_call+0x0/0x170)"
    )
    assert direct.direct
    assert direct.text.endswith("direct-->bpf_trampoline_6442543310+0x0/0x87")
    assert module == Traced("ext4", "ext4_sync_fs", 3, ip_modify=True)


def test_signers() -> None:
    text = """\
0a6ddda2 I------     1 perm 1f010000     0     0 keyring   .builtin_trusted_keys: 4
1ed2b2c5 I------     1 perm 1f030000     0     0 asymmetri Debian Secure Boot CA: 6ccece7e4c6c: X509.rsa 5cbb419e []
2f6f8b6d I------     1 perm 1f030000     0     0 asymmetri Build time autogenerated kernel key: 00ab: X509.rsa 00ab []
35d9d3f1 I--Q---     2 perm 3f010000     0 65534 keyring   _uid_ses.0: 1
"""
    assert parse_signers(text) == {"Debian Secure Boot CA", "Build time autogenerated kernel key"}
    assert parse_key_ids(text) == {"6ccece7e4c6c", "00ab"}
    assert parse_doubtful(text) == ()


@pytest.mark.parametrize(
    ("flags", "expiry", "why"),
    [
        ("IR-----", "perm", "revoked"),
        ("I------", "expd", "expired"),
        ("ID-----", "perm", "dead"),
        ("I-----i", "5d", "invalidated"),
    ],
)
def test_a_key_that_is_not_used(flags: str, expiry: str, why: str) -> None:
    line = f"01234567 {flags}     1 {expiry:>4} 1f030000     0     0 asymmetri lp: 62246d0eae: X509.rsa 0eae []\n"
    assert parse_signers(line) == parse_key_ids(line) == frozenset()
    assert parse_doubtful(line) == (Key("lp", "62246d0eae", why),)


def test_keys_of_one_name() -> None:
    line = "01234567 I------     1 perm 1f030000     0     0 asymmetri lp: {}: X509.rsa 0eae []\n"
    assert parse_doubtful(line.format("aa") + line.format("aa")) == ()
    assert parse_doubtful(line.format("aa") + line.format("bb")) == (Key("lp", "aa", ""), Key("lp", "bb", ""))
