# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The proof at the instruction: jumps in the kernel's memory, livepatch's hook in ftrace."""

from __future__ import annotations

import dataclasses
import io
import pathlib
import struct
import typing as t

import pytest
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.outcome import Proof, StepFailed
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.request import Verification
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.snapshot import (
    PER_TASK,
    STOP_MACHINE,
    Function,
    PatchedObject,
    Snapshot,
)
from ansible_collections.openeuler.livepatch.plugins.module_utils._system.files import Files
from ansible_collections.openeuler.livepatch.plugins.module_utils._verify import text as kernel_text
from ansible_collections.openeuler.livepatch.plugins.module_utils._verify.jump import LENGTHS, Entry, read_entry
from ansible_collections.openeuler.livepatch.plugins.module_utils._verify.prover import Prover
from ansible_collections.openeuler.livepatch.plugins.module_utils._verify.text import (
    CannotTell,
    read_memory,
)
from ansible_collections.openeuler.livepatch.tests.unit.plugins.module_utils.model_kernel import (
    ModelKernel,
    loaded,
    patch_file,
    snapshot,
)


def unreached(*look: t.Any) -> list[str]:
    """The clauses about functions that are not reached."""
    return list(dict.fromkeys(kernel_text.unreached(*look).values()))


OLD, NEW = 0xFFFFFFFF814C0D20, 0xFFFFFFFFC0400010
FUNCTION = Function("vmlinux", "cmdline_proc_show")
KALLSYMS = f"{OLD:016x} t cmdline_proc_show\n{NEW:016x} t new\t[fix]\n{NEW + 64:016x} t other\t[another]\n"


def kcore(memory: bytes, address: int = OLD) -> bytes:
    """An ELF core file with one segment behind two others that are not it.

    Eight bytes into the first one begins what looks like a segment with the address, at another place of the file.
    """
    segments = [
        (4, 7, 1, 0, address, 0x100, 0x100, 1),
        (1, 7, 0x1000, 0x1000, 0, 0x100, 0x100, 1),
        (1, 7, 0x1000, address, 0, len(memory), len(memory), 1),
    ]
    table = b"".join(struct.pack("<IIQQQQQQ", *segment) for segment in segments)
    header = struct.pack("<16sHHIQQQIHHHHHH", b"\x7fELF\2\1\1", 4, 62, 1, 0, 64, 0, 0, 64, 56, len(segments), 0, 0, 0)
    return (header + table).ljust(0x1000, b"\0") + memory


TABLE_END = 64 + 3 * 56


def jump(to: int, at: int = 0) -> bytes:
    return (b"\xe9" + struct.pack("<i", to - OLD - at - 5)).ljust(32, b"\x90")


NOP5, CALL, INT3, ENDBR = b"\x0f\x1f\x44\0\0", b"\xe8\1\2\3\4", b"\xcc\x1f\x44\0\0", b"\xf3\x0f\x1e\xfa"
JMP, PROLOGUE = b"\xe9\x10\0\0\0", b"\x55\x48\x89\xe5\x41"
NOP, MOV, BL, BTI, BRK = 0xD503201F, 0xAA1E03E9, 0x97FFFFF0, 0xD503245F, 0xD4200080
NEAR = 0x14000004
# movn x16, #0xedcb; movk x16, #0x5678, lsl 16; movk x16, #0x8000, lsl 32; br x16
FAR = (0x929DB970, 0xF2AACF10, 0xF2D00010, 0xD61F0200)
STP = 0xA9BF7BFD
# auipc t6, 0; ld t6, 16(t6); jr t6; and a word that is not used
RISCV = bytes.fromhex("970f000083bf0f0167800f0000000000")


def words(*values: int) -> bytes:
    return struct.pack(f"<{len(values)}I", *values)


@pytest.mark.parametrize(
    ("machine", "code", "target", "is_understood"),
    [
        ("x86_64", JMP, 0x1015, True),
        ("x86_64", b"\xe9\xeb\xff\xff\xff", 0xFF0, True),
        ("x86_64", NOP5 + JMP, 0x101A, True),
        ("x86_64", b"\x66\x66\x66\x66\x90" + JMP, 0x101A, True),
        ("x86_64", CALL + JMP, 0x101A, True),
        ("x86_64", INT3 + JMP, 0x101A, True),
        ("x86_64", ENDBR + NOP5 + JMP, 0x101E, True),
        ("x86_64", NOP5 + PROLOGUE, None, True),
        ("x86_64", CALL + PROLOGUE, None, True),
        ("x86_64", ENDBR + NOP5 + PROLOGUE, None, True),
        # A breakpoint in the place of the jump, or of an instruction that is not patched.
        ("x86_64", NOP5 + b"\xcc" + JMP[1:], None, False),
        ("x86_64", PROLOGUE + JMP, None, False),
        ("x86_64", ENDBR + PROLOGUE + JMP, None, False),
        ("x86_64", bytes(14), None, False),
        ("aarch64", words(NEAR), 0x1010, True),
        ("aarch64", words(0x17FFFFFC), 0xFF0, True),
        ("aarch64", words(*FAR), 0xFFFF800056781234, True),
        ("aarch64", words(*FAR[:3], NOP), None, False),
        ("aarch64", words(NOP, NOP, NEAR), 0x1018, True),
        ("aarch64", words(NOP, NOP, *FAR), 0xFFFF800056781234, True),
        ("aarch64", words(MOV, NOP, NEAR), 0x1018, True),
        ("aarch64", words(MOV, BL, *FAR), 0xFFFF800056781234, True),
        ("aarch64", words(BTI, MOV, BL, NEAR), 0x101C, True),
        ("aarch64", words(BTI, NOP, NOP, *FAR), 0xFFFF800056781234, True),
        ("aarch64", words(BRK, NOP, NEAR), 0x1018, True),
        ("aarch64", words(MOV, BRK, NEAR), 0x1018, True),
        ("aarch64", words(NOP, NOP, STP), None, True),
        ("aarch64", words(MOV, BL, *FAR[:3], STP), None, True),
        ("aarch64", words(NOP, NOP, BRK), None, False),
        ("aarch64", words(STP, NOP, NEAR), None, False),
        ("aarch64", words(MOV, STP, NEAR), None, False),
        ("aarch64", words(BTI, STP, NOP, NEAR), None, False),
        ("riscv64", RISCV + words(0x12345678, 0xFFFFFFFF), 0xFFFFFFFF12345678, True),
        ("riscv64", RISCV[:8] + words(0x00008067, 0, 0x12345678, 0xFFFFFFFF), None, False),
        ("riscv64", bytes(4) + RISCV + words(0x12345678), None, False),
    ],
)
def test_how_functions_begin(machine: str, code: bytes, target: int | None, is_understood: bool) -> None:
    """Behind what ftrace has at an entry stands the jump of a kernel with CONFIG_LIVEPATCH_ISOLATE_KPROBE."""
    code = code.ljust(LENGTHS[machine], b"\x1f")
    entry = read_entry(machine, 0x1000, code)
    assert dataclasses.replace(entry, is_hidden=False) == Entry(target, is_understood, code)


@pytest.mark.parametrize(
    ("code", "is_hidden"),
    [(bytes.fromhex("029083bf"), True), (bytes.fromhex("73001000"), True), (RISCV, False), (bytes(4), False)],
)
def test_a_breakpoint_may_hide_the_jump_on_riscv64(code: bytes, is_hidden: bool) -> None:
    entry = read_entry("riscv64", 0x1000, code.ljust(LENGTHS["riscv64"], b"\x1f"))
    assert entry.is_hidden is is_hidden


@pytest.mark.parametrize(("offset", "expected"), [(0, b"012"), (2, b"234"), (7, b"789")])
def test_memory(offset: int, expected: bytes) -> None:
    assert read_memory(io.BytesIO(kcore(b"0123456789")), OLD + offset, 3) == expected


@pytest.mark.parametrize(
    ("core", "why"),
    [
        (kcore(b"0123456789", OLD - 8), "does not show the address 0xffffffff814c0d20"),
        (kcore(b""), "does not show the address 0xffffffff814c0d20"),
        # What ends within the last entry of its table.
        (kcore(b"0123456789")[: TABLE_END - 1], "does not show the address 0xffffffff814c0d20"),
        (kcore(b"0123456789")[:20], "is not a 64 bit little-endian ELF file"),
        (kcore(b"0123456789").replace(b"\x7fELF\2", b"\x7fELF\1"), "is not a 64 bit little-endian ELF file"),
        (b"", "is not a 64 bit little-endian ELF file"),
    ],
)
def test_memory_that_is_not_shown(core: bytes, why: str) -> None:
    with pytest.raises(CannotTell, match=why):
        read_memory(io.BytesIO(core), OLD, 3)


@pytest.fixture(name="tree")
def fixture_tree(tmp_path: pathlib.Path) -> pathlib.Path:
    (tmp_path / "proc").mkdir()
    (tmp_path / "sys/kernel/tracing").mkdir(parents=True)
    (tmp_path / "proc/kallsyms").write_text(KALLSYMS)
    return tmp_path


@pytest.mark.parametrize(
    ("isolated", "memory", "expected"),
    [
        (False, jump(NEW), []),
        (False, jump(NEW + 64), ["jumps to 0xffffffffc0400050, which is no function of fix"]),
        (False, jump(NEW + 4), ["which is no function of fix"]),
        (False, bytes(32), ["does not begin with a jump"]),
        (False, NOP5 + bytes(32), ["does not begin with a jump"]),
        # The shortest memory that is enough.
        (False, jump(NEW)[:14], []),
        # A function that ftrace cannot trace.
        (True, jump(NEW), []),
        (True, jump(NEW + 64), ["which is no function of fix"]),
        (True, NOP5 + jump(NEW, 5), []),
        (True, CALL + jump(NEW, 5), []),
        (True, NOP5 + jump(NEW + 64, 5), ["jumps to 0xffffffffc0400050, which is no function of fix"]),
        (True, NOP5 + bytes(32), ["does not begin with a jump"]),
        # What is seen counts more than a configuration that nobody could read.
        (None, CALL + jump(NEW, 5), []),
        (None, NOP5 + bytes(32), ["does not begin with a jump"]),
        # A kprobe on what ftrace has at the entry: nothing else stood there.
        (False, INT3 + bytes(32), ["does not begin with a jump"]),
        (None, INT3 + bytes(32), ["does not begin with a jump"]),
        (True, INT3 + bytes(32), ["does not begin with a jump"]),
    ],
)
def test_stop_machine(tree: pathlib.Path, isolated: bool | None, memory: bytes, expected: list[str]) -> None:
    (tree / "proc/kcore").write_bytes(kcore(memory))
    host = snapshot(abi=STOP_MACHINE, kprobes_isolated=isolated)
    found = unreached(Files(str(tree)), host, "fix", [FUNCTION])
    assert len(found) == len(expected)
    assert all(text in sentence for text, sentence in zip(expected, found))


@pytest.mark.parametrize("isolated", [True, None])
def test_an_entry_that_is_not_understood_fails_no_proof(tree: pathlib.Path, isolated: bool | None) -> None:
    """The code of CONFIG_LIVEPATCH_ISOLATE_KPROBE is not public everywhere: its jump may be at another place."""
    (tree / "proc/kcore").write_bytes(kcore(PROLOGUE + jump(NEW, 5)))
    host = snapshot(loaded(patch_file(functions=(FUNCTION,))), abi=STOP_MACHINE, kprobes_isolated=isolated)
    proof = Prover(ModelKernel(tree), "fix", snapshot(), Verification(text=True), "the change").prove(host)[1]
    assert proof.proven is None
    assert proof.how.startswith(
        f"This could not be proven: the first instructions are not understood of {FUNCTION} (554889e541e9"
    )


@pytest.mark.parametrize(
    ("machine", "isolated", "memory", "is_told"),
    [
        *(("x86_64", isolated, b"\xcc" + jump(NEW)[1:], False) for isolated in (True, False, None)),
        ("x86_64", False, PROLOGUE + bytes(32), True),
        ("aarch64", False, words(BRK, NOP, STP, STP), False),
        ("aarch64", None, words(BRK, NOP, STP, STP), False),
        # These two words are ftrace's, and the jump would stand behind them.
        ("aarch64", True, words(BRK, NOP, STP, STP), True),
        ("aarch64", True, words(NOP, NOP, BRK), False),
        *(("aarch64", False, words(*FAR[:place], BRK, *FAR[place + 1 :]), False) for place in range(4)),
        ("aarch64", True, words(NOP, NOP, FAR[0], BRK, *FAR[2:]), False),
        ("aarch64", False, words(NOP, NOP, STP, BRK), True),
        ("aarch64", False, words(STP, BRK, BRK, BRK), True),
    ],
)
def test_a_kprobe_on_the_jump_fails_no_proof(
    tree: pathlib.Path, machine: str, isolated: bool | None, memory: bytes, is_told: bool
) -> None:
    """Its breakpoint takes the place of an instruction, which the kernel carries out all the same: calls go on."""
    (tree / "proc/kcore").write_bytes(kcore(memory.ljust(32, b"\x1f")))
    host = snapshot(abi=STOP_MACHINE, kprobes_isolated=isolated, machine=machine)
    if is_told:
        assert unreached(Files(str(tree)), host, "fix", [FUNCTION]) == [f"{FUNCTION} does not begin with a jump"]
    else:
        with pytest.raises(CannotTell, match="first instructions are not understood"):
            unreached(Files(str(tree)), host, "fix", [FUNCTION])


def test_a_function_that_is_not_reached_is_told_also_beside_one_that_is_not_understood(tree: pathlib.Path) -> None:
    (tree / "proc/kallsyms").write_text(KALLSYMS.replace("\n", f"\n{OLD + 32:016x} t other\n", 1))
    (tree / "proc/kcore").write_bytes(kcore(bytes(32) + NOP5 + bytes(27)))
    host = snapshot(abi=STOP_MACHINE, kprobes_isolated=True)
    other = Function("vmlinux", "other")
    assert unreached(Files(str(tree)), host, "fix", [FUNCTION, other]) == [f"{other} does not begin with a jump"]


def test_stop_machine_where_nothing_can_be_seen(tree: pathlib.Path) -> None:
    look = (Files(str(tree)), snapshot(abi=STOP_MACHINE), "fix", [FUNCTION])
    with pytest.raises(CannotTell, match="kcore cannot be read"):
        unreached(*look)
    (tree / "proc/kcore").write_bytes(kcore(jump(NEW)))
    with pytest.raises(CannotTell, match="kallsyms does not show the address of vmlinux/hidden,1"):
        unreached(*look[:-1], [Function("vmlinux", "hidden")])
    (tree / "proc/kallsyms").unlink()
    with pytest.raises(CannotTell, match="kallsyms cannot be read"):
        unreached(*look)


def test_memory_that_ends_within_a_function_is_no_proof(tree: pathlib.Path) -> None:
    (tree / "proc/kcore").write_bytes(kcore(jump(NEW))[:-30])
    with pytest.raises(CannotTell, match="kcore ends within vmlinux/cmdline_proc_show,1"):
        unreached(Files(str(tree)), snapshot(abi=STOP_MACHINE), "fix", [FUNCTION])


@pytest.mark.parametrize(("sympos", "expected"), [(1, 0), (2, 1), (3, None)])
def test_stop_machine_where_functions_have_one_name(tree: pathlib.Path, sympos: int, expected: int | None) -> None:
    """The first one jumps to the patch, the second one does not."""
    (tree / "proc/kallsyms").write_text(KALLSYMS.replace("\n", f"\n{OLD + 32:016x} t cmdline_proc_show\n", 1))
    (tree / "proc/kcore").write_bytes(kcore(jump(NEW) + bytes(32)))
    function = Function("vmlinux", "cmdline_proc_show", sympos)
    look = (Files(str(tree)), snapshot(abi=STOP_MACHINE, kprobes_isolated=False), "fix", [function])
    if expected is None:
        with pytest.raises(CannotTell, match="does not show the address of vmlinux/cmdline_proc_show,3"):
            unreached(*look)
    else:
        assert len(unreached(*look)) == expected


def test_no_more_is_read_of_the_kernels_memory_than_is_asked_for(
    tree: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file is as large as the address space, and what lies behind the bytes that count may not be readable."""
    (tree / "proc/kcore").write_bytes(kcore(jump(NEW)))
    reads: list[tuple[int, int]] = []

    class NotedFile(io.FileIO):
        def readinto(self, buffer: t.Any) -> int | None:
            reads.append((self.tell(), len(buffer)))
            return super().readinto(buffer)

        def read(self, size: int | None = -1) -> bytes:
            reads.append((self.tell(), -1 if size is None else size))
            return super().read(size) or b""

    def noted(path: str, mode: str, buffering: int = -1) -> t.BinaryIO:
        file = NotedFile(path, mode)
        return t.cast("t.BinaryIO", file if buffering == 0 else io.BufferedReader(file))

    monkeypatch.setattr(kernel_text, "open", noted, raising=False)
    assert unreached(Files(str(tree)), snapshot(abi=STOP_MACHINE), "fix", [FUNCTION]) == []
    assert reads == [(0, 64), (64, TABLE_END - 64), (0x1000, 14)]


NOTHING = "ftrace calls nothing for vmlinux/cmdline_proc_show,1 that could redirect it"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("cmdline_proc_show (1) R I     \ttramp: 0xc0 (klp_ftrace_handler+0x0/0x250)\n", []),
        ("cmdline_proc_show (2) R I\n", []),
        (
            "cmdline_proc_show (1) R I     \ttramp: 0xc0 (other_handler+0x0/0x250)\n",
            ["ftrace calls tramp: 0xc0 (other_handler+0x0/0x250) for vmlinux/cmdline_proc_show,1, not live patching"],
        ),
        ("cmdline_proc_show (1)          \ttramp: 0xc0 (function_trace_call+0x0/0x170)\n", [NOTHING]),
        ("", [NOTHING]),
    ],
)
def test_per_task(tree: pathlib.Path, text: str, expected: list[str]) -> None:
    (tree / "sys/kernel/tracing/enabled_functions").write_text(text)
    assert unreached(Files(str(tree)), snapshot(abi=PER_TASK), "fix", [FUNCTION]) == expected


FIRST, SECOND = Function("vmlinux", "show_stat", 1), Function("vmlinux", "show_stat", 2)
HOOK = "show_stat (1) R I     \ttramp: 0xc0 (klp_ftrace_handler+0x0/0x250)\n"
TRACER = "show_stat (1)         \ttramp: 0xc1 (function_trace_call+0x0/0x170)\n"
NAMELESS = "show_stat (1) R I     \n"


@pytest.mark.parametrize(
    ("text", "others", "asked", "hooked"),
    [
        (HOOK + TRACER, (), (FIRST,), 1),
        (TRACER + HOOK, (), (SECOND,), 1),
        (HOOK, (SECOND,), (FIRST,), 1),
        (HOOK, (), (FIRST, SECOND), 1),
        (HOOK + HOOK, (), (FIRST, SECOND), 2),
        (HOOK + HOOK, (SECOND,), (FIRST,), 2),
        (HOOK + TRACER, (SECOND,), (FIRST,), 1),
        (TRACER, (SECOND,), (FIRST,), 0),
        (NAMELESS, (SECOND,), (FIRST,), 1),
        (HOOK + NAMELESS, (SECOND,), (FIRST,), None),
    ],
)
def test_per_task_where_functions_have_one_name(
    tree: pathlib.Path, text: str, others: tuple[Function, ...], asked: tuple[Function, ...], hooked: int | None
) -> None:
    """Each of the patched functions of the name must be hooked, and no entry shows which one it is of."""
    (tree / "sys/kernel/tracing/enabled_functions").write_text(text)
    host = snapshot(loaded(patch_file("other", functions=others)), loaded(patch_file(functions=asked)))
    look = (Files(str(tree)), host, "fix", asked)
    patched = len({*others, *asked})
    if hooked is None:
        with pytest.raises(CannotTell, match="show_stat"):
            unreached(*look)
    elif hooked == patched:
        assert unreached(*look) == []
    else:
        assert unreached(*look) == [
            f"ftrace calls live patching for {hooked} of the {patched} patched functions named show_stat"
        ]


def test_per_task_where_ftrace_shows_another_name_of_the_function(tree: pathlib.Path) -> None:
    (tree / "proc/kallsyms").write_text("ffffffff81000000 T __ia32_sys_getpid\nffffffff81000000 T __x64_sys_getpid\n")
    hook = HOOK.replace("show_stat", "__ia32_sys_getpid")
    (tree / "sys/kernel/tracing/enabled_functions").write_text(hook)
    both = [Function("vmlinux", "__x64_sys_getpid"), Function("vmlinux", "__ia32_sys_getpid")]
    for functions in (both[:1], both):
        assert unreached(Files(str(tree)), snapshot(), "fix", functions) == []


def test_per_task_where_the_kernel_does_not_name_who_is_called(tree: pathlib.Path) -> None:
    other = Function("vmlinux", "loadavg_proc_show")
    (tree / "sys/kernel/tracing/enabled_functions").write_text("cmdline_proc_show (1) R I     \n")
    with pytest.raises(CannotTell, match="vmlinux/cmdline_proc_show,1"):
        unreached(Files(str(tree)), snapshot(abi=PER_TASK), "fix", [FUNCTION])
    (sentence,) = unreached(Files(str(tree)), snapshot(abi=PER_TASK), "fix", [FUNCTION, other])
    assert "loadavg_proc_show" in sentence


def test_per_task_where_nothing_can_be_seen(tree: pathlib.Path) -> None:
    with pytest.raises(CannotTell, match="enabled_functions"):
        unreached(Files(str(tree)), snapshot(abi=PER_TASK), "fix", [FUNCTION])


# ---- the proof of a run ----


SEEN = Proof("text", True, "Seen in ftrace's list of enabled functions for 1 function.")
JUMPS = Proof("text", True, "Seen at the instruction for 1 function.")
NOT_THERE = Proof("text", None, "This could not be proven: the module xfs is not loaded.")
NOT_LOADED = Proof("text", None, "This could not be proven: the patch is not loaded.")
WITHOUT_FUNCTIONS = Proof("text", None, "This could not be proven: it has no functions.")
NO_FUNCTION_SHOWN = Proof("text", None, "This could not be proven: the kernel shows none of its functions.")
SEEN_WHERE_LOADED = Proof(
    "text",
    None,
    "Seen in ftrace's list of enabled functions for 2 of 4 functions; the modules jfs, xfs are not loaded.",
)
COVERED = Proof("text", None, f"This could not be proven: others cover {FUNCTION}.")
SEEN_IN_PART = Proof(
    "text", None, f"Seen in ftrace's list of enabled functions for 1 of 2 functions; others cover {FUNCTION}."
)
HIDDEN = Proof("text", None, "This could not be proven: the jumps of sparc64 are not known to this collection.")

IN_EXT4, IN_JFS, IN_XFS = (Function(name, f"{name}_readdir") for name in ("ext4", "jfs", "xfs"))


@pytest.mark.parametrize(
    ("functions", "covered", "host", "expected"),
    [
        ([FUNCTION], None, {}, SEEN),
        ([FUNCTION], FUNCTION, {}, COVERED),
        ([FUNCTION, IN_EXT4], FUNCTION, {}, SEEN_IN_PART),
        ([FUNCTION, IN_EXT4, IN_JFS, IN_XFS], None, {}, SEEN_WHERE_LOADED),
        ([IN_XFS], None, {}, NOT_THERE),
        (None, FUNCTION, {}, NOT_LOADED),
        ([], None, {}, NO_FUNCTION_SHOWN),
        ([FUNCTION], None, {"abi": STOP_MACHINE}, JUMPS),
        ([FUNCTION], None, {"abi": STOP_MACHINE, "machine": "sparc64"}, HIDDEN),
    ],
)
def test_what_a_run_proves_at_the_instruction(
    tree: pathlib.Path,
    functions: list[Function] | None,
    covered: Function | None,
    host: dict[str, t.Any],
    expected: Proof,
) -> None:
    hooks = [HOOK.replace("show_stat", name) for name in ("cmdline_proc_show", "ext4_readdir [ext4]")]
    (tree / "sys/kernel/tracing/enabled_functions").write_text("".join(hooks))
    (tree / "proc/kcore").write_bytes(kcore(jump(NEW)))
    patches = [] if functions is None else [loaded(patch_file(functions=tuple(functions)))]
    if covered:
        patches.append(loaded(patch_file("top", functions=(covered,))))
    prover = Prover(ModelKernel(tree), "fix", snapshot(), Verification(text=True), "the change")
    assert prover.prove(snapshot(*patches, **host))[1] == expected


# ---- modules that come and go meanwhile ----


def hook(name: str) -> str:
    return HOOK.replace("show_stat", f"{name}_readdir [{name}]")


class Moving(ModelKernel):
    """A kernel whose modules come and go: `moves` has, for each reading of the host, those that are there after it."""

    def __init__(self, tree: pathlib.Path, functions: t.Sequence[Function], moves: t.Sequence[t.Iterable[str]]) -> None:
        super().__init__(tree, loaded(patch_file(functions=tuple(functions))))
        self.moves = [set(modules) for modules in moves]
        self.readings = 0
        self.hooked = True
        self.move()

    def move(self) -> None:
        """Let modules come and go (klp_module_coming(), klp_module_going(): ftrace knows none that is not there)."""
        self.targets = self.moves[min(self.readings, len(self.moves) - 1)]
        entries = "".join(map(hook, sorted(self.targets))) if self.hooked else ""
        (pathlib.Path(self.root) / "sys/kernel/tracing/enabled_functions").write_text(entries)

    def snapshot(self) -> Snapshot:
        shown = super().snapshot()
        self.readings += 1
        self.move()
        return shown


def text_proof(kernel: Moving) -> Proof:
    prover = Prover(kernel, "fix", snapshot(), Verification(text=True), "the change")
    return prover.prove(kernel.snapshot())[1]


BOTH, JFS, XFS = ("jfs", "xfs"), ("jfs",), ("xfs",)
LIST = "in ftrace's list of enabled functions"


@pytest.mark.parametrize(
    ("moves", "how"),
    [
        # xfs goes after the first reading, and stays away.
        ([BOTH, JFS], f"Seen {LIST} for 1 of 2 functions; the module xfs is not loaded."),
        # It is back when the functions are looked at again.
        ([BOTH, JFS, BOTH], f"Seen {LIST} for 2 functions."),
        # It is there in each reading, and gone whenever ftrace is asked.
        (
            [BOTH, JFS, BOTH, JFS, BOTH, JFS, BOTH, JFS],
            f"Seen {LIST} for 1 of 2 functions; the module xfs was loaded or unloaded meanwhile.",
        ),
        ([BOTH, (), BOTH, (), BOTH, ()], "the modules jfs, xfs were loaded or unloaded meanwhile."),
    ],
)
def test_a_module_that_comes_or_goes_does_not_fail_the_proof(
    tree: pathlib.Path, moves: list[tuple[str, ...]], how: str
) -> None:
    kernel = Moving(tree, [IN_JFS, IN_XFS], moves)
    assert text_proof(kernel).how.endswith(how)


def test_a_function_that_should_be_patched_all_the_time_fails_the_proof(tree: pathlib.Path) -> None:
    kernel = Moving(tree, [IN_JFS, IN_XFS], [BOTH])
    kernel.hooked = False
    kernel.move()
    with pytest.raises(StepFailed) as failed:
        text_proof(kernel)
    assert failed.value.finding.reason == "not_effective"
    assert "ftrace calls nothing for xfs/xfs_readdir,1" in failed.value.finding.seen


def test_a_module_that_is_loaded_anew_during_a_look_does_not_fail_the_proof(tree: pathlib.Path) -> None:
    """It is there before and after, and is another one: `inode` has told it."""
    kernel = Moving(tree, [IN_XFS], [XFS])
    kernel.hooked = False
    kernel.move()
    (tree / "sys/module").mkdir()

    def load_anew() -> None:
        anew = tree / f"xfs{kernel.readings}"
        anew.mkdir()
        anew.replace(tree / "sys/module/xfs")

    kernel.move = load_anew
    assert text_proof(kernel).how == "This could not be proven: the module xfs was loaded or unloaded meanwhile."


@pytest.mark.parametrize("until", [2, 100])
def test_a_list_that_lacks_a_function_while_another_module_goes_does_not_fail_the_proof(
    tree: pathlib.Path, until: int
) -> None:
    """The kernel skips lines of ftrace's list where those before them go between two reads. Seen in scenario hard."""
    kernel = Moving(tree, [IN_XFS], [XFS])
    kernel.hooked = False
    kernel.move()
    (tree / "sys/module/xfs").mkdir(parents=True)
    move = kernel.move

    def let_another_come_and_go() -> None:
        if kernel.readings < until:
            (tree / f"sys/module/other{kernel.readings}").mkdir()
        else:
            kernel.hooked = True
        move()

    kernel.move = let_another_come_and_go
    proof = text_proof(kernel)
    if until == 2:
        assert proof.how == f"Seen {LIST} for 1 function."
    else:
        assert proof.proven is None
        assert "was loaded or unloaded meanwhile" in proof.how and "other" in proof.how


@pytest.mark.parametrize(("shows", "proven"), [(True, None), (False, True)])
def test_the_kernels_own_answer_goes_before_the_list_of_modules(
    tree: pathlib.Path, shows: bool, proven: bool | None
) -> None:
    """A module is listed before it is patched; a kernel before 6.1 shows no more than that."""
    kernel = Moving(tree, [IN_XFS], [XFS])
    kernel.shows_patched = shows
    host = kernel.snapshot()
    if shows:
        patches = tuple(
            dataclasses.replace(patch, objects=(PatchedObject("xfs", patched=False),)) for patch in host.patches
        )
        host = dataclasses.replace(host, patches=patches)
    proof = Prover(kernel, "fix", snapshot(), Verification(text=True), "the change").prove(host)[1]
    assert proof.proven is proven
    if shows:
        assert proof.how == "This could not be proven: the kernel does not patch xfs now."


def test_a_patch_that_somebody_disables_meanwhile_fails_the_proof(tree: pathlib.Path) -> None:
    kernel = Moving(tree, [IN_XFS], [XFS])
    host = kernel.snapshot()
    kernel.hooked = False
    kernel.write_enabled("fix", False)
    kernel.move()
    with pytest.raises(StepFailed, match="prove the result") as failed:
        Prover(kernel, "fix", snapshot(), Verification(text=True), "the change").prove(host)
    assert "fix is not enabled any more" in failed.value.finding.seen


def test_a_patch_of_callbacks_alone_has_no_functions(tree: pathlib.Path) -> None:
    patch = loaded(patch_file(functions=()), objects=(PatchedObject("ext4", patched=True),))
    prover = Prover(ModelKernel(tree), "fix", snapshot(), Verification(text=True), "the change")
    assert prover.prove(snapshot(patch))[1] == WITHOUT_FUNCTIONS
