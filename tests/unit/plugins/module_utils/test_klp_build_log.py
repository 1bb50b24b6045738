# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Why klp-build failed, from lines that the one of Linux 7.3 has printed, or that its source has."""

from __future__ import annotations

import pytest
from ansible_collections.openeuler.livepatch.plugins.module_utils._build._failures.explain import (
    Failed,
    explain_failure,
)
from ansible_collections.openeuler.livepatch.plugins.module_utils._klp_build.printed import says_success, warnings_in

NOISE = 'error: klp-build: line 739: \'( cd "$ORIG_CSUM_DIR"; "${cmd[@]}" )\''
DIFF_FAILED = f"error: klp-build: objtool klp diff failed\n{NOISE}"


@pytest.mark.parametrize(
    ("printed", "reason", "says"),
    [
        (
            (
                "Validating patch(es)\npatching file fs/x.c\nHunk #1 FAILED at 8.\n"
                "error: klp-build: /c/0001.patch did not apply"
            ),
            "does_not_apply",
            "does not apply",
        ),
        ("error: klp-build: /c/0001.patch: unsupported patch to lib/kstrtox.c", "unsupported_path", "lib/kstrtox.c"),
        (
            (
                "fs/proc/cmdline.c:10:9: error: implicit declaration of function 'nothing'\n"
                "make[4]: *** [scripts/Makefile.build:289: fs/proc/cmdline.o] Error 1\n"
                "error: klp-build: patched kernel build failed"
            ),
            "compile_error",
            "fs/proc/cmdline.c:10: implicit",
        ),
        (
            (
                "  CC      fs/proc/cmderror: klp-build: patched kernel build failed\nline.o\n"
                "fs/proc/cmdline.c:10:9: error: implicit declaration of function 'nothing'\n"
            ),
            "compile_error",
            "fs/proc/cmdline.c:10: implicit",
        ),
        (
            "  CC      certs/xerror: klp-build: original kernel build failed\n.o\ncerts/x.c:1:2: error: no such thing",
            "original_does_not_build",
            "without the patch",
        ),
        (
            "certs/x.c:1:2: error: no such thing\nerror: klp-build: original kernel build failed",
            "original_does_not_build",
            "without the patch",
        ),
        ("Diffing objects\nerror: klp-build: no changes detected", "no_change", "changes no function's code"),
        (
            (
                "Diffing objects\nvmlinux.o: changed function: proc_cmdline_init\nvmlinux.o: error: objtool: "
                f"proc_cmdline_init: can't patch or reference init code/data\n{DIFF_FAILED}"
            ),
            "init_section",
            "proc_cmdline_init",
        ),
        (f"vmlinux.o: error: objtool: changed data: panic_timeout\n{DIFF_FAILED}", "changed_data", "panic_timeout"),
        (
            (
                "x.o: error: objtool: f: new reference to g (exported by ext4) would create an undeclared module "
                f"dependency\n{DIFF_FAILED}"
            ),
            "module_dependency",
            "module ext4",
        ),
        (
            (
                "x.o: error: objtool: f+0x1: unsupported static branch key a_key.  Use static_key_enabled() instead\n"
                f"{DIFF_FAILED}"
            ),
            "jump_label",
            "a_key",
        ),
        (
            (
                "x.o: error: objtool: f()+0x10: unsupported static call key some_call.  Use KLP_STATIC_CALL() instead\n"
                f"{DIFF_FAILED}"
            ),
            "static_call",
            "some_call",
        ),
        (
            "vmlinux.o: error: objtool: FILE symbol mismatch: a.c != b.c\n" + DIFF_FAILED,
            "unreconcilable",
            "a.c != b.c",
        ),
        (
            "error: klp-build: .config mismatch, check your .config or run 'make olddefconfig'",
            "config_incomplete",
            "does not answer",
        ),
        ("tee: /c/build.log: No space left on device", "disk_full", "disk was full"),
        (
            "error: klp-build: make syncconfig failed",
            "build_failed",
            "ended with 1: error: klp-build: make syncconfig failed.",
        ),
        ("getopt: unrecognized option '--bogus'\n\nUsage: klp-build", "tool_too_old", "the option --bogus"),
        (NOISE, "build_failed", "it said nothing"),
        (f"  LD      vmlinux.o{NOISE}\n", "build_failed", "ended with 1"),
    ],
)
def test_reasons(printed: str, reason: str, says: str) -> None:
    why = explain_failure(Failed("klp-build", 1, printed + "\n"))
    assert why.finding.reason == reason
    assert says in why.finding.cause
    assert not any("line 739" in line for line in why.lines)


@pytest.mark.parametrize(
    ("printed", "expected"),
    [
        ("Building patch module: /o/fix.ko\nSUCCESS\n", True),
        ("  LD [M]  fiSUCCESS\nx.ko\nvmlinux.o: warning: objtool: late\n", True),
        ("Usage: klp-build [OPTIONS] PATCH_FILE(s)\n", False),
        ("", False),
    ],
)
def test_success(printed: str, expected: bool) -> None:
    """What programs print by way of others mixes with the lines of klp-build itself."""
    assert says_success(printed) is expected


def test_each_thing_that_is_lost_is_told_once() -> None:
    printed = "".join(
        f"vmlinux.o: warning: objtool: {name}: disabling unsupported tracepoint {point}\n"
        for name, point in (("f", "b"), ("f", "a"), ("g", "b"))
    )
    (found,) = warnings_in(printed)
    assert "points any more: a, b." in found
    assert warnings_in("vmlinux.o: changed function: f\n") == []
