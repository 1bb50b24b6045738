# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The recorder of what only a real kernel can tell, on a directory and a kernel that look like one."""

from __future__ import annotations

import json
import pathlib
import struct
import typing as t

import pytest
from ansible_collections.openeuler.livepatch.tests.rig import record_kernel
from ansible_collections.openeuler.livepatch.tests.rig.record_kernel import TRACEABLE, UNTRACED, Recorder

CODE = 0xFFFFFFFF81000000
IN_MODULE = 0xFFFFFFFFC0000000
ENTRY, JUMP = b"\x0f\x1f\x44\x00\x00", b"\xe9\x01\x02\x03\x04"
BODY = bytes(range(0x30, 0x30 + 35))

SYMBOLS = f"""\
{CODE:x} T {TRACEABLE}
{CODE + 40:x} t short_one
{CODE + 44:x} t __pfx_no_function
{CODE + 60:x} t twice
{CODE + 64:x} t twice
{CODE + 68:x} T longer_one
{CODE + 92:x} T the_last_one
{IN_MODULE:x} t {UNTRACED}\t[klp_target]
{IN_MODULE + 48:x} t behind\t[klp_target]
"""

FILES = {
    "/boot/config-6.6.0": "CONFIG_SMP=y\nCONFIG_LIVEPATCH_ISOLATE_KPROBE=y\n# CONFIG_LIVEPATCH_STACK is not set\n",
    "/dev/kmsg": "",
    "/etc/hostname": "secret-host\n",
    "/etc/os-release": 'NAME=x\nPRETTY_NAME="openEuler 24.03 (LTS)"\n',
    "/proc/kallsyms": SYMBOLS,
    "/proc/klp_target_untraced": "target\n",
    "/proc/sys/kernel/osrelease": "6.6.0\n",
    "/proc/sys/kernel/version": "#1 SMP\n",
    "/proc/uptime": "12.34 56.78\n",
    "/sys/kernel/livepatch/lp_c1/enabled": "0\n",
    "/sys/kernel/livepatch/lp_untraced/enabled": "0\n",
    "/sys/kernel/tracing/available_filter_functions": f"{TRACEABLE}\nlonger_one\n",
    "/sys/kernel/tracing/current_tracer": "nop\n",
    "/sys/kernel/tracing/set_ftrace_filter": "",
    "/sys/kernel/tracing/trace": "# tracer: nop\n",
}
PLACES = {TRACEABLE: (CODE, 0, 5), UNTRACED: (IN_MODULE, 100, 0)}
"""Each function: its address, where the false /proc/kcore has it, and where its jump stands."""


class IsolatingKernel(record_kernel.Kernel):
    """Refuses short functions, and patches where a kprobe is deeper than the entry. It writes the jump into kcore."""

    def __init__(self, root: pathlib.Path) -> None:
        self.root = root
        self.loaded: dict[str, str] = {}
        self.lines: list[str] = []

    def insert(self, image: bytes, parameters: str = "") -> str:
        name, _space, function = image.decode().partition(" ")
        if name == "klp_probe":
            offset = int(parameters.rpartition("=")[2])
            if offset not in (0, 4, 12):
                return "EILSEQ"
            parameters = f"{parameters.split()[0].partition('=')[2]} {offset}"
        function = function.rstrip("\0")
        if function == "short_one":
            self.lines.append(f"[  991.555485] livepatch: func {function} at ffffffff81000028 is too short")
            self.lines.append("audit: nothing that concerns this")
            return "EINVAL"
        self.loaded[name] = parameters
        return "ok"

    def remove(self, name: str) -> str:
        return "ok" if self.loaded.pop(name, None) is not None else "ENOENT"

    def log(self) -> str:
        mark = (self.root / "dev/kmsg").read_text(encoding="utf-8")
        told, self.lines = self.lines, []
        return "\n".join(["livepatch: older", mark.strip("\n"), *told, ""])

    def enable(self, name: str, patch: str, value: str) -> str:
        probe = self.loaded.get("klp_probe", "").split()
        if probe and probe[0] == name and probe[1] != "0":
            return "EINVAL"
        _address, start, place = PLACES[name]
        core = bytearray((self.root / "proc/kcore").read_bytes())
        begin = 64 + 2 * 56 + start
        core[begin : begin + 40] = ENTRY + BODY
        if value == "1":
            core[begin + place : begin + place + 5] = JUMP
        (self.root / "proc/kcore").write_bytes(core)
        return "ok"


class FakedRecorder(Recorder):
    """Hands what is written to `enabled` to the kernel."""

    def write(self, path: str, text: str) -> str:
        for name, patch in ((TRACEABLE, "lp_c1"), (UNTRACED, "lp_untraced")):
            if path == f"/sys/kernel/livepatch/{patch}/enabled":
                assert isinstance(self.kernel, IsolatingKernel)
                return self.kernel.enable(name, patch, text)
        return super().write(path, text)


def core() -> bytes:
    """/proc/kcore: two segments, the kernel's and that of modules."""
    header = bytearray(64)
    header[32:40] = struct.pack("<Q", 64)
    header[54:58] = struct.pack("<HH", 56, 2)
    data = (ENTRY + BODY).ljust(100, b"\xcc") + (ENTRY + BODY).ljust(100, b"\xcc")
    for offset, address in ((0, CODE), (100, IN_MODULE)):
        header += struct.pack("<IIQQQQQQ", 1, 5, 64 + 112 + offset, address, 0, 100, 100, 0)
    return bytes(header) + data


@pytest.fixture(name="recorder")
def _recorder(tmp_path: pathlib.Path) -> FakedRecorder:
    for path, text in FILES.items():
        target = tmp_path / path.lstrip("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, encoding="utf-8")
    (tmp_path / "proc/kcore").write_bytes(core())
    modules = tmp_path / "built"
    modules.mkdir()
    for name in ("klp_target", "klp_probe", "lp_c1", "lp_untraced"):
        (modules / f"{name}.ko").write_text(name, encoding="ascii")
    (modules / "lp_any.ko").write_bytes(b"lp_any " + record_kernel.PLACEHOLDER)
    return FakedRecorder(str(modules), IsolatingKernel(tmp_path), str(tmp_path), "x86_64")


@pytest.fixture(name="document")
def _document(recorder: FakedRecorder) -> dict[str, t.Any]:
    document: dict[str, t.Any] = json.loads(json.dumps(recorder.record()))
    assert isinstance(recorder.kernel, IsolatingKernel) and not recorder.kernel.loaded
    return document


def test_the_kernel_is_named_with_its_options_alone(document: dict[str, t.Any]) -> None:
    assert document["kernel"] == {"release": "6.6.0", "version": "#1 SMP", "machine": "x86_64"}
    assert document["system"] == "openEuler 24.03 (LTS)"
    assert document["stand_in"] is False
    assert document["options"] == ["# CONFIG_LIVEPATCH_STACK is not set", "CONFIG_LIVEPATCH_ISOLATE_KPROBE=y"]
    assert "secret" not in json.dumps(document)


def test_what_was_found_is_kept_part_by_part(recorder: FakedRecorder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recorder, "traced_after", lambda *_patch: 1 // 0)
    with pytest.raises(ZeroDivisionError):
        recorder.record()
    kept = json.loads((pathlib.Path(recorder.modules) / "recording.json").read_text(encoding="utf-8"))
    assert len(kept["functions"]) == 2 and "then_enable" in kept["tracer"] and "then_trace" not in kept["tracer"]


@pytest.mark.parametrize("path", ["etc/stand-in", "sys/module/klp_stop_machine_emulation"])
def test_a_stand_in_is_named_so(recorder: FakedRecorder, path: str) -> None:
    (pathlib.Path(recorder.root) / path).mkdir(parents=True)
    assert recorder.host()["stand_in"] is True


def test_bytes_tell_where_the_jump_stands(document: dict[str, t.Any]) -> None:
    traceable, untraced = document["functions"]
    assert (traceable["name"], traceable["size"], traceable["traceable"]) == (TRACEABLE, 40, True)
    assert (untraced["name"], untraced["size"], untraced["traceable"]) == (UNTRACED, 48, False)
    assert traceable["bytes"]["before"].startswith("0f 1f 44 00 00 30 31")
    assert traceable["bytes"]["enabled"].startswith("0f 1f 44 00 00 e9 01 02 03 04 35")
    assert untraced["bytes"]["enabled"].startswith("e9 01 02 03 04 30")
    assert traceable["bytes"]["disabled"] == traceable["bytes"]["before"]


def test_kprobes_are_tried_at_the_entry_near_to_it_and_further_on(document: dict[str, t.Any]) -> None:
    for function in document["functions"]:
        answers = {row["offset"]: row["then_enable"]["answer"] for row in function["kprobes"]}
        assert answers == {0: "ok", 4: "EINVAL", 12: "EINVAL"}
        assert all(row["then_set"]["answer"] == "ok" for row in function["kprobes"])


def test_tracing_is_looked_at_before_each_step_that_may_break_it(
    recorder: FakedRecorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = recorder.record()
    assert whole["tracer"]["tracing_works"] is whole["tracer"]["tracing_works_after"] is True
    assert whole["tracer"]["then_trace"] == {"answer": "ok"}
    monkeypatch.setattr(record_kernel, "TRACEFS", ("/nowhere",))
    broken = FakedRecorder(recorder.modules, recorder.kernel, recorder.root, "x86_64").record()
    assert [row["tracing_works"] for function in broken["functions"] for row in function["kprobes"]] == [False] * 6
    assert broken["tracer"]["then_trace"] == {"answer": "ENOENT"}


def test_the_shortest_function_that_is_accepted_is_told(document: dict[str, t.Any]) -> None:
    sizes = {row["function"]: (row["size"], row["traceable"], row["answer"]) for row in document["sizes"]}
    assert sizes == {
        "short_one": (4, False, "EINVAL"),
        "longer_one": (24, True, "ok"),
        TRACEABLE: (40, True, "ok"),
    }
    assert document["shortest"]["untraced"] == {"accepted": None, "refused": 4}
    assert document["shortest"]["traceable"] == {"accepted": 24, "refused": None}


def test_lines_of_the_log_that_concern_it_are_kept_without_addresses(document: dict[str, t.Any]) -> None:
    (row,) = [row for row in document["sizes"] if row["function"] == "short_one"]
    assert row["log"] == ["livepatch: func short_one at ADDRESS is too short"]


def test_lines_and_their_number_are_bounded(recorder: FakedRecorder) -> None:
    assert isinstance(recorder.kernel, IsolatingKernel)
    recorder.kernel.lines = ["livepatch: " + "x" * 1000] * 1000
    asked = recorder.ask(lambda: "ok")
    assert len(asked["log"]) == record_kernel.MAXIMUM_LINES
    assert {len(line) for line in asked["log"]} == {record_kernel.MAXIMUM_LINE}


def test_a_kernel_whose_memory_cannot_be_read_is_recorded_all_the_same(recorder: FakedRecorder) -> None:
    (pathlib.Path(recorder.root) / "proc/kcore").unlink()
    assert recorder.code(TRACEABLE) is None


def test_a_patch_that_is_not_accepted_ends_the_steps_with_its_function(recorder: FakedRecorder) -> None:
    recorder.kernel.insert = lambda image, parameters="": "ENOEXEC"
    row = recorder.function(TRACEABLE, "lp_c1", "/proc/uptime")
    assert row["load"] == {"answer": "ENOEXEC"}
    assert "enable" not in row
