# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Why kpatch-build failed: what versions 0.9.5 to 0.9.10 were seen or are known to print."""

from __future__ import annotations

import pytest
from ansible_collections.openeuler.livepatch.plugins.module_utils._build._failures.explain import Failed
from ansible_collections.openeuler.livepatch.plugins.module_utils._build.printed import changed_functions, failed_build

CHECK = " Check /cache/build.log for more details."

CASES = [
    (
        "does_not_apply",
        "Testing patch file(s)\nERROR: /srv/fix.patch file failed to apply." + CHECK,
        "patching file a.c\nHunk #1 FAILED at 8.",
        "Hunk 1",
    ),
    ("no_change", "ERROR: no functional changes found." + CHECK, "", "no function"),
    ("no_change", "ERROR: no changed objects found." + CHECK, "", "compiles"),
    (
        "init_section",
        "ERROR: x.o: 1 unsupported section change(s)\ncreate-diff-object: unreconcilable difference\n"
        "x.o: changed section .init.text not selected for inclusion\nERROR: 1 error(s) encountered." + CHECK,
        "",
        ".init.text",
    ),
    (
        "changed_data",
        (
            "x.o: changed section .data.counter not selected for inclusion\n"
            "ERROR: x.o: 1 unsupported section change(s)\n"
            "create-diff-object: unreconcilable difference\nERROR: 1 error(s) encountered."
        ),
        "",
        ".data.counter",
    ),
    (
        "unsupported_section",
        "x.o: changed section .altinstr_aux not selected for inclusion\nERROR: x.o: 1 unsupported section change(s)\n",
        "",
        ".altinstr_aux",
    ),
    (
        "no_fentry",
        (
            "x.o: function fast has no fentry/mcount call, unable to patch\n"
            "ERROR: x.o: 1 function(s) can not be patched\ncreate-diff-object: unreconcilable difference\n"
        ),
        "",
        "fast",
    ),
    (
        "unreconcilable",
        "ERROR: x.o: 2 .altinstr_replacement relocations\ncreate-diff-object: unreconcilable difference\n",
        "",
        "2 .altinstr_replacement relocations",
    ),
    (
        "unsupported_path",
        "ERROR: fix.patch: unsupported patch to lib/: lib/x.c\nERROR: Unsupported changes detected.",
        "",
        "lib/x.c",
    ),
    (
        "compile_error",
        "Building patched source\nERROR: kpatch build failed." + CHECK,
        "fs/x.c: In function 'f':\nfs/x.c:10:2: error: implicit declaration of function 'g'\nmake: *** Error 2",
        "fs/x.c:10",
    ),
    ("config", "ERROR: kernel doesn't have 'CONFIG_DEBUG_INFO' enabled.", "", "CONFIG_DEBUG_INFO"),
    ("config", "ERROR: kernel option 'CONFIG_X86_KERNEL_IBT' not supported.", "", "CONFIG_X86_KERNEL_IBT"),
    (
        "config",
        "ERROR: openEuler kernel doesn't have 'CONFIG_LIVEPATCH_PER_TASK_CONSISTENCY' enabled.",
        "",
        "CONFIG_LIVEPATCH_PER_TASK_CONSISTENCY",
    ),
    (
        "compiler_mismatch",
        (
            "ERROR: gcc/kernel version mismatch\ngcc version:    GCC: (GNU) 12.3.1\nkernel version: GCC: (GNU) 10.3.1\n"
            "ERROR: kpatch build failed."
        ),
        "",
        "GCC: (GNU) 10.3.1",
    ),
    ("compiler_mismatch", "ERROR: gcc/kernel version mismatch\nERROR: kpatch build failed.", "", "compiler"),
    (
        "missing_program",
        "/usr/bin/kpatch-build: line 400: gawk: command not found\nERROR: can't find special struct alt_instr size.",
        "",
        "gawk",
    ),
    ("missing_program", "ERROR: gawk not installed.", "", "gawk"),
    ("no_special_section", "ERROR: can't find special struct orc_entry size.", "", "orc_entry"),
    (
        "symbol_version",
        (
            "ERROR: Patch module references kfree with invalid version\n"
            "ERROR: Patch module referencing altered exported kernel symbols cannot be loaded."
        ),
        "",
        "kfree",
    ),
    ("undefined_symbol", "ERROR: Undefined symbols: one two ." + CHECK, "", "one two"),
    (
        "undefined_symbol",
        "ERROR: kpatch build failed." + CHECK,
        'ERROR: modpost: "one" [/cache/tmp/patch/x.ko] undefined!',
        "one",
    ),
    ("disk_full", "ERROR: kpatch build failed." + CHECK, "as: fs/x.o: No space left on device", "full"),
    ("tool_crashed", "ERROR: create-diff-object SIGSEGV.\nERROR: no core", "", "create-diff-object"),
    (
        "version_mismatch",
        "ERROR: Kernel version mismatch: 6.6.1 was specified but vmlinux was built for 6.6.2.",
        "",
        "6.6.2",
    ),
    # openEuler's 0.9.7 without DISABLE_AFTER_LOAD, as measured
    (
        "tool_not_for_kernel",
        "Building patch module: livepatch-0001-test.ko\nERROR: kpatch build failed." + CHECK,
        (
            "patch-hook.c:1: warning: x\nlivepatch-patch-hook.c:480:15: error: implicit declaration of function "
            "'klp_enable_patch' [-Werror=implicit-function-declaration]\ncc1: some warnings being treated as errors"
        ),
        "klp_enable_patch",
    ),
    # openEuler's 0.9.7 on a 6.6 tree, as measured
    (
        "tool_too_old",
        "ERROR: kpatch build failed." + CHECK,
        "Usage: ./scripts/setlocalversion [--no-local] [srctree]",
        "kpatch 0.9.9 or later",
    ),
    # on openEuler's 6.4 (dynup/kpatch#1360)
    (
        "tool_too_old",
        (
            "create-diff-object: ERROR: time.o: kpatch_bundle_symbols: 242: symbol do_x at offset 16 within section "
            ".text.do_x, expected 0: Success\nERROR: version.o: 1 unsupported section change(s)\n"
            "create-diff-object: unreconcilable difference: Success\nERROR: 2 error(s) encountered." + CHECK
        ),
        "",
        "do_x of time.o (16 bytes",
    ),
    # on openEuler's 6.6 (dynup/kpatch#1458)
    (
        "export_symbol",
        (
            "ERROR: x.o: 1 unsupported section change(s)\nx.o: changed section .rela.export_symbol not selected for "
            "inclusion\ncreate-diff-object: unreconcilable difference\nERROR: 1 error(s) encountered." + CHECK
        ),
        "",
        ".rela.export_symbol",
    ),
    ("export_symbol", "ERROR: x.o: .export_symbol section header details differ from .export_symbol", "", "caller"),
    ("export_symbol", "rela.export_symbol section in output.o has extra symbol", "", " rela.export_symbol "),
    # Other lines name the section too, and nothing is wrong with it.
    ("no_change", "ERROR: no functional changes found.", "  CC  a.o\nkeeping .export_symbol of a.o", "no function"),
    ("build_failed", "", "", "nothing"),
]


@pytest.mark.parametrize(("reason", "printed", "log", "says"), CASES)
def test_failures(reason: str, printed: str, log: str, says: str) -> None:
    error = failed_build(Failed("kpatch-build", 1, printed, log, "/cache/logs/x.log"), ["kpatch-build"])
    assert error.finding.reason == reason
    assert says in str(error)
    assert "{" not in str(error)
    assert error.details["log"] == "/cache/logs/x.log"
    assert (error.details["cmd"], error.details["rc"]) == (["kpatch-build"], 1)


def test_changed_functions() -> None:
    printed = "Patched objects: vmlinux\ncgroup.o: changed function: cgroup_exit\ncgroup.o: new function: helper\n"
    assert changed_functions(printed) == [
        {"object": "cgroup.o", "name": "cgroup_exit", "new": False},
        {"object": "cgroup.o", "name": "helper", "new": True},
    ]
