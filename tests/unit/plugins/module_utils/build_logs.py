# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What failed builds print, each with the reason: as short as it can be, and with what stands around it in a real one.

A log begins with the line that decides, as the result has to show it; it is marked in the text by its content alone.
The lines are in the words of kpatch-build, klp-build, make, gcc, clang, ld and of the kernel's scripts; what they name
is invented.
"""

from __future__ import annotations

import typing as t

KPATCH, KLP, MAKE = "kpatch-build", "klp-build", "make"

TESTING = "Using source directory at /srv/src\nTesting patch file(s)\n"
READING = TESTING + "Reading special section data\n"
ORIGINAL = READING + "Building original source\n"
PATCHED = ORIGINAL + "Building patched source\n"
COMPARING = PATCHED + "Extracting new and modified ELF sections\n"
MODULE = COMPARING + "q.o: changed function: q_run\nPatched objects: vmlinux\nBuilding patch module: lp.ko\n"
FAILED = "ERROR: kpatch build failed. Check /srv/cache/build.log for more details.\n"
SAYS = "/usr/lib/kpatch/create-diff-object: ERROR: q.o: "
LOOK = " Check /srv/cache/build.log for more details.\n"
COUNTED = "ERROR: 1 error(s) encountered. Check /srv/cache/build.log for more details.\n"

CHECKING = "Validating patch(es)\n"
KLP_ORIGINAL = CHECKING + "Building original kernel\n"
KLP_PATCHED = KLP_ORIGINAL + "Copying original object files\nFixing patch(es)\nBuilding patched kernel\n"
COPIED = KLP_PATCHED + "Copying patched object files\n"
CHECKSUMS = COPIED + "Generating original checksums\nGenerating patched checksums\n"
DIFFING = CHECKSUMS + "Diffing objects\n"
KLP_MODULE = DIFFING + "vmlinux.o: changed function: q_run\nBuilding patch module: lp.ko\n"
NOISE = 'error: klp-build: line 739: \'( cd "$ORIG_DIR" && "$OBJTOOL" klp diff error: no memory )\'\n'

MISSING_SYMVERS = (
    "         Modules may not have dependencies or modversions.\n"
    "         You may get many unresolved symbol errors.\n"
    "         You can set KBUILD_MODPOST_WARN=1 to turn errors into warning\n"
    "         if you want to proceed at your own risk.\n"
)
"""What follows in kernels from 6.0 on, after the line with the file."""

APPLIED = "checking file fs/q.c\npatching file fs/q.c\n"
"""How kpatch-build's log begins, and how the build of the patched source begins in it."""


class Log(t.NamedTuple):
    """What `builder` printed and wrote into its log, the reason, the line that decides, and what the cause says."""

    name: str
    builder: str
    reason: str
    decides: str
    says: str
    printed: str
    log: str = ""


LOGS = (
    # ---- the build host ----
    Log(
        "disk full in a temporary file",
        KPATCH,
        "disk_full",
        "No space left on device",
        "disk was full",
        ORIGINAL + FAILED,
        "  CC      fs/q.o\nfs/q.c: fatal error: error writing to /tmp/ccAbc.s: No space left on device\n"
        "compilation terminated.\nmake[3]: *** [scripts/Makefile.build:229: fs/q.o] Error 1\n",
    ),
    Log(
        "disk full while linking",
        KLP,
        "disk_full",
        "vmlinux.o: No space left on device",
        "disk was full",
        KLP_ORIGINAL + "ld: final link failed\nld: vmlinux.o: No space left on device\n"
        "make[2]: *** [scripts/Makefile.vmlinux_o:72: vmlinux.o] Error 1\n"
        "error: klp-build: original kernel build failed\n",
    ),
    Log(
        "quota",
        MAKE,
        "disk_full",
        "Disk quota exceeded",
        "quota",
        "as: lp.o: Disk quota exceeded\nmake[2]: *** [scripts/Makefile.build:229: lp.o] Error 1\n",
    ),
    Log(
        "memory ran out in the compiler",
        KPATCH,
        "no_memory",
        "Killed signal terminated program cc1",
        "killed cc1",
        ORIGINAL + FAILED,
        "  CC      drivers/q/big.o\ngcc: fatal error: Killed signal terminated program cc1\ncompilation terminated.\n"
        "make[4]: *** [scripts/Makefile.build:243: drivers/q/big.o] Error 1\n",
    ),
    Log(
        "memory ran out in the linker",
        KPATCH,
        "no_memory",
        "ld terminated with signal 9 [Killed]",
        "killed ld",
        PATCHED + FAILED,
        APPLIED + "collect2: fatal error: ld terminated with signal 9 [Killed]\n"
        "make[1]: *** [scripts/Makefile.vmlinux:34: vmlinux] Error 1\n",
    ),
    Log(
        "memory ran out in a script",
        KPATCH,
        "no_memory",
        "Error 137",
        "killed",
        PATCHED + FAILED,
        APPLIED + "  LD      .tmp_vmlinux.kallsyms1\nKilled\nmake[1]: *** [Makefile:1179: vmlinux] Error 137\n",
    ),
    Log(
        "memory ran out without a word",
        MAKE,
        "no_memory",
        "Error 137",
        "lp.mod.o was killed",
        "make[2]: *** [scripts/Makefile.modfinal:22: lp.mod.o] Error 137\n"
        "make[1]: *** [Makefile:1936: modules] Error 2\n",
    ),
    Log(
        "memory ran out, says the compiler",
        KLP,
        "no_memory",
        "cc1: out of memory allocating 65536 bytes",
        "cc1",
        KLP_PATCHED + "cc1: out of memory allocating 65536 bytes after a total of 1048576 bytes\n"
        "make[4]: *** [scripts/Makefile.build:287: net/q.o] Error 1\n"
        "error: klp-build: patched kernel build failed\n",
    ),
    Log(
        "memory ran out in create-diff-object",
        KPATCH,
        "no_memory",
        "Cannot allocate memory",
        "memory",
        COMPARING + "create-diff-object: q.o: Cannot allocate memory\n" + COUNTED,
    ),
    Log(
        "memory ran out in a program, says make",
        KPATCH,
        "no_memory",
        "make[1]: *** [Makefile:1179: vmlinux] Killed",
        "killed a program that made vmlinux",
        ORIGINAL + FAILED,
        "  LD      vmlinux.o\nmake[1]: *** [Makefile:1179: vmlinux] Killed\n"
        "make: *** [Makefile:220: __sub-make] Error 2\n",
    ),
    Log(
        "memory ran out in clang",
        KLP,
        "no_memory",
        "clang: error: unable to execute command: Killed",
        "killed a program that clang called",
        KLP_ORIGINAL + "clang: error: unable to execute command: Killed\n"
        "clang: error: clang frontend command failed due to signal (use -v to see invocation)\n"
        "make[3]: *** [scripts/Makefile.build:287: fs/q.o] Error 254\n"
        "error: klp-build: original kernel build failed\n",
    ),
    Log(
        "too many processes",
        KPATCH,
        "too_many_processes",
        "fork: retry: Resource temporarily unavailable",
        "no more processes",
        ORIGINAL + FAILED,
        "/bin/sh: fork: retry: Resource temporarily unavailable\n"
        "make[3]: *** [scripts/Makefile.build:500: fs] Error 254\n",
    ),
    Log(
        "too many files",
        MAKE,
        "too_many_files",
        "Too many open files",
        "no more files",
        "ld: cannot open lp.o: Too many open files\nmake[1]: *** [scripts/Makefile.modfinal:58: lp.ko] Error 1\n",
    ),
    Log(
        "a file system that is read only",
        KPATCH,
        "not_writable",
        "Read-only file system",
        "/srv/cache/trees/1/source/.config",
        TESTING
        + "cp: cannot create regular file '/srv/cache/trees/1/source/.config': Read-only file system\n"
        + FAILED,
    ),
    Log(
        "a disk that fails",
        KPATCH,
        "bad_disk",
        "fs/q.c: Input/output error",
        "fs/q.c",
        ORIGINAL + FAILED,
        "cc1: fatal error: fs/q.c: Input/output error\ncompilation terminated.\n"
        "make[3]: *** [scripts/Makefile.build:243: fs/q.o] Error 1\n",
    ),
    Log(
        "noexec",
        KPATCH,
        "noexec",
        "scripts/basic/fixdep: Permission denied",
        "noexec",
        ORIGINAL + FAILED,
        "  HOSTCC  scripts/basic/fixdep\n/bin/sh: 1: scripts/basic/fixdep: Permission denied\n"
        "make[1]: *** [scripts/Makefile.host:114: scripts/basic/fixdep] Error 126\n"
        "make: *** [Makefile:616: scripts_basic] Error 2\n",
    ),
    Log(
        "noexec in the middle of a build",
        KLP,
        "noexec",
        "./scripts/mod/modpost: Permission denied",
        "./scripts/mod/modpost",
        KLP_ORIGINAL + "/bin/sh: ./scripts/mod/modpost: Permission denied\n"
        "make[2]: *** [scripts/Makefile.modpost:147: Module.symvers] Error 126\n"
        "error: klp-build: original kernel build failed\n",
    ),
    Log(
        "programs of another architecture in the headers",
        MAKE,
        "foreign_programs",
        "Exec format error",
        "scripts/basic/fixdep",
        "/bin/sh: 1: scripts/basic/fixdep: Exec format error\n"
        "make[2]: *** [scripts/Makefile.build:229: /tmp/x/lp.o] Error 126\n",
    ),
    # ---- programs, headers and libraries ----
    Log(
        "a compiler that is missing",
        MAKE,
        "missing_program",
        "/bin/sh: 1: gcc-12: not found",
        "gcc-12",
        "/bin/sh: 1: gcc-12: not found\n"
        "make[2]: *** [/usr/src/linux-headers-6.1/scripts/Makefile.build:250: /tmp/x/lp.o] Error 127\n"
        "make[1]: *** [/usr/src/linux-headers-6.1/Makefile:2013: /tmp/x] Error 2\n"
        "make: *** [Makefile:231: __sub-make] Error 2\n",
    ),
    Log(
        "a generator that is missing",
        KPATCH,
        "missing_program",
        "/bin/sh: flex: command not found",
        "flex",
        ORIGINAL + FAILED,
        "  LEX     scripts/kconfig/lexer.lex.c\n/bin/sh: flex: command not found\n"
        "make[1]: *** [scripts/Makefile.host:9: scripts/kconfig/lexer.lex.c] Error 127\n",
    ),
    Log(
        "a calculator that is missing",
        KLP,
        "missing_program",
        "bc: command not found",
        "bc",
        KLP_ORIGINAL + "/bin/sh: line 1: bc: command not found\n"
        "make[1]: *** [Kbuild:24: include/generated/timeconst.h] Error 127\n"
        "error: klp-build: original kernel build failed\n",
    ),
    Log(
        "a program that make itself calls",
        KPATCH,
        "missing_program",
        "make[2]: rpcgen: No such file or directory",
        "rpcgen",
        ORIGINAL + FAILED,
        "make[2]: rpcgen: No such file or directory\nmake[2]: *** [drivers/q/Makefile:9: drivers/q/q.h] Error 127\n",
    ),
    Log(
        "gawk is missing",
        KPATCH,
        "missing_program",
        "gawk: command not found",
        "gawk",
        READING + "/usr/bin/kpatch-build: line 400: gawk: command not found\n"
        "ERROR: can't find special struct alt_instr size. Check /srv/cache/build.log for more details.\n",
    ),
    Log(
        "recountdiff is missing",
        KLP,
        "missing_program",
        "recountdiff not found",
        "recountdiff",
        "error: klp-build: recountdiff not found (install patchutils)\n",
    ),
    Log(
        "the compiler for C++ is missing",
        KPATCH,
        "missing_program",
        "cannot execute 'cc1plus'",
        "cc1plus",
        ORIGINAL + FAILED,
        "  HOSTCXX scripts/gcc-plugins/q_plugin.so\n"
        "g++: fatal error: cannot execute 'cc1plus': execvp: No such file or "
        "directory\ncompilation terminated.\nmake[2]: *** [scripts/gcc-plugins/Makefile:60: q_plugin.so] Error 1\n",
    ),
    Log(
        "a program that is missing, and no line of whose",
        KPATCH,
        "missing_program",
        "Error 127",
        "drivers/q/fw.bin",
        ORIGINAL + FAILED,
        "  GEN     drivers/q/fw.bin\nmake[3]: *** [drivers/q/Makefile:3: drivers/q/fw.bin] Error 127\n",
    ),
    Log(
        "openssl's headers are missing",
        KPATCH,
        "missing_header",
        "openssl/opensslv.h",
        "openssl/opensslv.h",
        ORIGINAL + FAILED,
        "  HOSTCC  scripts/sign-file\nscripts/sign-file.c:25:10: fatal error: openssl/opensslv.h: No such file or "
        "directory\ncompilation terminated.\nmake[1]: *** [scripts/Makefile.host:111: scripts/sign-file] Error 1\n",
    ),
    Log(
        "libelf's headers are missing",
        KLP,
        "missing_header",
        "gelf.h",
        "gelf.h",
        KLP_ORIGINAL + "/srv/src/tools/objtool/include/objtool/elf.h:10:10: fatal error: gelf.h: No such file or "
        "directory\ncompilation terminated.\nmake[3]: *** [/srv/src/tools/build/Makefile.build:106: check.o] Error 1\n"
        "error: klp-build: original kernel build failed\n",
    ),
    Log(
        "a header of a program of the build, unknown to the table",
        KPATCH,
        "missing_header",
        "qlib/q.h",
        "tools/q/main.c",
        ORIGINAL + FAILED,
        "tools/q/main.c:3:10: fatal error: qlib/q.h: No such file or directory\n"
        "make[2]: *** [tools/q/Makefile:8: main.o] Error 1\n",
    ),
    Log(
        "clang misses a header",
        KPATCH,
        "missing_header",
        "'libelf.h' file not found",
        "libelf.h",
        ORIGINAL + FAILED,
        "scripts/mod/q.c:4:10: fatal error: 'libelf.h' file not found\n"
        "make[2]: *** [scripts/Makefile.host:114: scripts/mod/q.o] Error 1\n",
    ),
    Log(
        "make says which headers are missing",
        MAKE,
        "missing_header",
        "please install libelf-dev",
        "libelf",
        'Makefile:1290: *** "Cannot generate ORC metadata for CONFIG_UNWINDER_ORC=y, please install libelf-dev, '
        'libelf-devel or elfutils-libelf-devel".  Stop.\n',
    ),
    Log(
        "objtool without xxhash",
        KLP,
        "missing_header",
        "objtool not built with KLP support",
        "xxhash",
        CHECKING + "error: klp-build: objtool not built with KLP support; install xxhash-devel/libxxhash-dev "
        "(version >= 0.8) and recompile\n",
    ),
    Log(
        "a library is missing",
        KPATCH,
        "missing_library",
        "cannot find -lelf",
        "elf",
        ORIGINAL + FAILED,
        "/usr/bin/ld: cannot find -lelf: No such file or directory\ncollect2: error: ld returned 1 exit status\n"
        "make[4]: *** [tools/objtool/Makefile:75: tools/objtool/objtool] Error 1\n",
    ),
    Log(
        "a program without its library",
        KPATCH,
        "missing_library",
        "libisl.so.23",
        "libisl.so.23",
        ORIGINAL + FAILED,
        "/usr/lib/gcc/x/cc1: error while loading shared libraries: libisl.so.23: cannot open shared object "
        "file: No such "
        "file or directory\nmake[2]: *** [scripts/Makefile.build:243: init/q.o] Error 1\n",
    ),
    Log(
        "a module of Python",
        KPATCH,
        "missing_python_module",
        "No module named 'yaml'",
        "yaml",
        ORIGINAL + FAILED,
        'Traceback (most recent call last):\n  File "tools/net/q.py", line 4, in <module>\n    import yaml\n'
        "ModuleNotFoundError: No module named 'yaml'\nmake[2]: *** [net/q/Makefile:4: net/q/q.h] Error 1\n",
    ),
    Log(
        "a development package without its programs",
        MAKE,
        "no_build_tree",
        "/bin/sh: 1: scripts/basic/fixdep: not found",
        "scripts/basic/fixdep",
        "/bin/sh: 1: scripts/basic/fixdep: not found\n"
        "make[2]: *** [scripts/Makefile.build:243: /tmp/x/lp.o] Error 127\n",
    ),
    Log(
        "a development package without its programs, in bash",
        MAKE,
        "no_build_tree",
        "/bin/sh: line 1: ./tools/objtool/objtool: No such file or directory",
        "./tools/objtool/objtool",
        "/bin/sh: line 1: ./tools/objtool/objtool: No such file or directory\n"
        "make[2]: *** [scripts/Makefile.build:243: /tmp/x/lp.o] Error 127\n"
        "make[2]: *** Deleting file '/tmp/x/lp.o'\nmake[1]: *** [Makefile:1926: /tmp/x] Error 2\n",
    ),
    Log(
        "a development package without its programs, says make",
        MAKE,
        "no_build_tree",
        "make[4]: /usr/src/linux/scripts/mod/modpost: No such file or directory",
        "/usr/src/linux/scripts/mod/modpost",
        "make[4]: /usr/src/linux/scripts/mod/modpost: No such file or directory\n"
        "make[4]: *** [scripts/Makefile.modpost:146: Module.symvers] Error 127\n",
    ),
    Log(
        "a program of the source that was made for another system",
        KPATCH,
        "no_build_tree",
        "/bin/sh: line 1: scripts/basic/fixdep: cannot execute: required file not found",
        "scripts/basic/fixdep",
        ORIGINAL + FAILED,
        "/bin/sh: line 1: scripts/basic/fixdep: cannot execute: required file not found\n"
        "make[2]: *** [scripts/Makefile.build:243: scripts/mod/empty.o] Error 127\n",
    ),
    Log(
        "a compiler that is missing where it is named by its path, in bash",
        MAKE,
        "missing_program",
        "/bin/sh: line 1: /opt/tools/bin/gcc: No such file or directory",
        "/opt/tools/bin/gcc",
        "/bin/sh: line 1: /opt/tools/bin/gcc: No such file or directory\n"
        "make[2]: *** [scripts/Makefile.build:243: /tmp/x/lp.o] Error 127\n",
    ),
    # ---- source, configuration, compiler ----
    Log(
        "certificates of Debian",
        KPATCH,
        "certificates",
        "No rule to make target 'debian/certs/some-certs.pem'",
        "debian/certs/some-certs.pem",
        ORIGINAL + FAILED,
        "  CC      certs/system_keyring.o\n"
        "make[3]: *** No rule to make target 'debian/certs/some-certs.pem', needed by "
        "'certs/x509_certificate_list'.  Stop.\nmake[2]: *** [scripts/Makefile.build:500: certs] Error 2\n"
        "make: *** [Makefile:238: __sub-make] Error 2\n",
    ),
    Log(
        "certificates that are revoked",
        KLP,
        "certificates",
        "No rule to make target 'debian/q-revoked-certs.pem'",
        "CONFIG_SYSTEM_REVOCATION_KEYS",
        KLP_ORIGINAL + "make[3]: *** No rule to make target 'debian/q-revoked-certs.pem', needed by "
        "'certs/x509_revocation_list'.  Stop.\nmake[2]: *** [scripts/Makefile.build:544: certs] Error 2\n"
        "error: klp-build: original kernel build failed\n",
    ),
    Log(
        "a key that cannot be read",
        KPATCH,
        "certificates",
        "extract-cert: certs/rhel.pem: No such file or directory",
        "certs/rhel.pem",
        ORIGINAL + FAILED,
        "  CERT    certs/x509_certificate_list\nextract-cert: certs/rhel.pem: No such file or directory\n"
        "make[2]: *** [certs/Makefile:44: certs/x509_certificate_list] Error 1\n",
    ),
    Log(
        "a key that cannot be made",
        KPATCH,
        "certificates",
        "[certs/Makefile:53: certs/signing_key.pem] Error 1",
        "certs/signing_key.pem",
        ORIGINAL + FAILED,
        "  GENKEY  certs/signing_key.pem\nmake[2]: *** [certs/Makefile:53: certs/signing_key.pem] Error 1\n",
    ),
    Log(
        "pahole is missing",
        KLP,
        "btf",
        "pahole (pahole) is not available",
        "pahole",
        KLP_ORIGINAL + "BTF: .tmp_vmlinux.btf: pahole (pahole) is not available\nFailed to generate BTF for vmlinux\n"
        "Try to disable CONFIG_DEBUG_INFO_BTF\nmake[2]: *** [scripts/Makefile.vmlinux:37: vmlinux] Error 1\n"
        "error: klp-build: original kernel build failed\n",
    ),
    Log(
        "pahole of another time",
        KPATCH,
        "btf",
        "FAILED: load BTF from vmlinux: Invalid argument",
        "Invalid argument",
        ORIGINAL + FAILED,
        "  BTFIDS  vmlinux\nFAILED: load BTF from vmlinux: Invalid argument\n"
        "make: *** [Makefile:1179: vmlinux] Error 255\n",
    ),
    Log(
        "pahole does not know an option",
        KLP,
        "btf",
        "pahole: unrecognized option '--btf_features=q'",
        "unrecognized option",
        KLP_ORIGINAL + "pahole: unrecognized option '--btf_features=q'\n"
        "make[2]: *** [scripts/Makefile.vmlinux:37: vmlinux] Error 64\n"
        "error: klp-build: original kernel build failed\n",
    ),
    Log(
        "a compiler that is too old",
        KPATCH,
        "compiler_unfit",
        "unrecognized command-line option '-fmin-function-alignment=16'",
        "-fmin-function-alignment=16",
        ORIGINAL + FAILED,
        "gcc: error: unrecognized command-line option '-fmin-function-alignment=16'; did you mean "
        "'-flimit-function-alignment'?\nmake[2]: *** [scripts/Makefile.build:243: init/main.o] Error 1\n",
    ),
    Log(
        "clang where gcc is wanted",
        MAKE,
        "compiler_unfit",
        "unknown argument: '-fconserve-stack'",
        "-fconserve-stack",
        "clang: error: unknown argument: '-fconserve-stack'\n"
        "make[2]: *** [scripts/Makefile.build:229: /tmp/x/lp.o] Error 1\n",
    ),
    Log(
        "Kconfig refuses the compiler",
        KPATCH,
        "compiler_unfit",
        "*** C compiler is too old.",
        "C compiler",
        ORIGINAL + FAILED,
        "***\n*** C compiler is too old.\n***   Your gcc version:    4.9.0\n***   Minimum gcc version: 8.1.0\n***\n"
        "scripts/Kconfig.include:44: Sorry, this C compiler is not supported.\n"
        "make[2]: *** [scripts/kconfig/Makefile:85: syncconfig] Error 1\n",
    ),
    Log(
        "plugins of another compiler",
        KPATCH,
        "compiler_unfit",
        "cc1: error: incompatible gcc/plugin versions",
        "plugins",
        ORIGINAL + FAILED,
        "cc1: error: incompatible gcc/plugin versions\n"
        "cc1: error: failed to initialize plugin ./scripts/gcc-plugins/q_plugin.so\n"
        "make[2]: *** [scripts/Makefile.build:117: scripts/mod/empty.o] Error 1\n",
    ),
    Log(
        "the compiler crashes",
        KPATCH,
        "compiler_crashed",
        "internal compiler error: in q_expand, at q.cc:12",
        "in q_expand",
        ORIGINAL + FAILED,
        "during RTL pass: expand\nfs/q.c: In function 'q_run':\nfs/q.c:10:5: internal compiler error: in q_expand, at "
        "q.cc:12\nPlease submit a full bug report\nmake[2]: *** [scripts/Makefile.build:243: fs/q.o] Error 1\n",
    ),
    Log(
        "a tree that is not prepared",
        MAKE,
        "no_build_tree",
        "ERROR: Kernel configuration is invalid.",
        "autoconf.h",
        "\n  ERROR: Kernel configuration is invalid.\n"
        "         include/generated/autoconf.h or include/config/auto.conf are "
        "missing.\n         Run 'make oldconfig && make prepare' on kernel src to fix it.\n\n"
        "make: *** [Makefile:736: include/config/auto.conf] Error 1\n",
    ),
    Log(
        "a configuration with open questions",
        KPATCH,
        "config_incomplete",
        "Console input/output is redirected",
        "configuration does not answer",
        ORIGINAL + FAILED,
        "*\n* Restart config...\n*\nNew thing (NEW_THING) [N/y/?] (NEW) \nError in reading or end of file.\n\n"
        "Console input/output is redirected. Run 'make oldconfig' to update configuration.\n\n"
        "make[2]: *** [scripts/kconfig/Makefile:77: syncconfig] Error 1\n",
    ),
    Log(
        "klp-build refuses a configuration with open questions",
        KLP,
        "config_incomplete",
        ".config mismatch",
        "configuration does not answer",
        CHECKING + "error: klp-build: .config mismatch, check your .config or run 'make olddefconfig'\n",
    ),
    Log(
        "no configuration",
        MAKE,
        "config_incomplete",
        '*** Configuration file ".config" not found!',
        ".config",
        '***\n*** Configuration file ".config" not found!\n***\n'
        '*** Please run some configurator (e.g. "make oldconfig").\n'
        "***\nMakefile:810: include/config/auto.conf.cmd: No such file or directory\n"
        "make: *** [Makefile:819: .config] Error 1\n",
    ),
    Log(
        "a source that is not whole",
        KPATCH,
        "incomplete_source",
        "No rule to make target 'arch/x86/tools/q.c'",
        "arch/x86/tools/q.c",
        ORIGINAL + FAILED,
        "  SYNC    include/config/auto.conf\nmake[2]: *** No rule to make target 'arch/x86/tools/q.c', needed by "
        "'arch/x86/tools/q.o'.  Stop.\nmake[1]: *** [arch/x86/Makefile:260: archscripts] Error 2\n",
    ),
    Log(
        "a target that does not exist",
        KPATCH,
        "no_target",
        "No rule to make target 'fs/q.ko'",
        "fs/q.ko",
        ORIGINAL + FAILED,
        "make[1]: *** No rule to make target 'fs/q.ko'.  Stop.\nmake: *** [Makefile:238: __sub-make] Error 2\n",
    ),
    Log(
        "a tree without symbol versions",
        MAKE,
        "no_symvers",
        'WARNING: Symbol version dump "Module.symvers" is missing.',
        "Module.symvers",
        '  MODPOST /tmp/x/Module.symvers\nWARNING: Symbol version dump "Module.symvers" is missing.\n'
        "         Modules may not have dependencies or modversions.\n"
        'ERROR: modpost: "klp_enable_patch" [/tmp/x/lp.ko] undefined!\n'
        'ERROR: modpost: "seq_printf" [/tmp/x/lp.ko] undefined!\n'
        "make[2]: *** [scripts/Makefile.modpost:145: /tmp/x/Module.symvers] Error 1\n",
    ),
    Log(
        "symbol versions that are damaged",
        KLP,
        "no_symvers",
        "malformed Module.symvers",
        "Line 17",
        DIFFING + "vmlinux.o: error: objtool: malformed Module.symvers (type) at line 17\n"
        "error: klp-build: objtool klp diff failed\n" + NOISE,
    ),
    Log(
        "the kernel's own source with a warning",
        KPATCH,
        "original_does_not_build",
        "drivers/x/y.c:10:5: error: 'foo' may be used uninitialized",
        "drivers/x/y.c:10",
        ORIGINAL + FAILED,
        "drivers/x/y.c:10:5: error: 'foo' may be used uninitialized [-Werror=maybe-uninitialized]\n"
        "cc1: all warnings being treated as errors\nmake[2]: *** [scripts/Makefile.build:243: drivers/x/y.o] Error 1\n",
    ),
    Log(
        "the kernel's own source, for klp-build",
        KLP,
        "original_does_not_build",
        "kernel/q.c:7:2: error: expected ';' before '}' token",
        "kernel/q.c:7",
        KLP_ORIGINAL + "kernel/q.c:7:2: error: expected ';' before '}' token\n"
        "make[3]: *** [scripts/Makefile.build:287: kernel/q.o] Error 1\n"
        "error: klp-build: original kernel build failed\n",
    ),
    Log(
        "the kernel's own source does not link",
        KPATCH,
        "original_does_not_build",
        "undefined reference to `q_old'",
        "q_old",
        ORIGINAL + FAILED,
        "ld: vmlinux.o: in function `q_run':\nfs/q.c:9:(.text+0x1): undefined reference to `q_old'\n"
        "make[1]: *** [Makefile:1179: vmlinux] Error 1\n",
    ),
    Log(
        "objtool refuses the kernel's own source",
        KPATCH,
        "original_does_not_build",
        "error: objtool: q_run+0x10: unsupported instruction",
        "unsupported instruction",
        ORIGINAL + FAILED,
        "fs/q.o: error: objtool: q_run+0x10: unsupported instruction in callable function\n"
        "make[3]: *** [scripts/Makefile.build:243: fs/q.o] Error 255\n",
    ),
    Log(
        "an error that nobody knows, in the kernel's own source",
        KPATCH,
        "original_does_not_build",
        "q-gen: error: table is upside down",
        "q-gen: error: table is upside down",
        ORIGINAL + FAILED,
        "  Q-GEN   fs/q.h\nq-gen: error: table is upside down\nmake[2]: *** [fs/Makefile:3: fs/q.h] Error 3\n"
        "make[1]: *** [Makefile:1936: fs] Error 2\n",
    ),
    Log(
        "a program of the kernel of 4.19 does not link with a compiler of later years",
        KPATCH,
        "original_does_not_build",
        "multiple definition of `yylloc'",
        "multiple definition of `yylloc'",
        ORIGINAL + FAILED,
        "  HOSTLD  scripts/dtc/dtc\n/usr/bin/ld: scripts/dtc/dtc-parser.tab.o:(.bss+0x10): multiple definition of "
        "`yylloc'; scripts/dtc/dtc-lexer.lex.o:(.bss+0x0): first defined here\n"
        "collect2: error: ld returned 1 exit status\n"
        "make[1]: *** [scripts/Makefile.host:99: scripts/dtc/dtc] Error 1\n",
    ),
    Log(
        "the kernel's own module misses a symbol",
        KLP,
        "original_does_not_build",
        "drivers/q/q.ko: symbol 'q_thunk' undefined!",
        "symbol 'q_thunk' undefined!",
        KLP_ORIGINAL + "ERROR: modpost: drivers/q/q.ko: symbol 'q_thunk' undefined!\n"
        "make[2]: *** [scripts/Makefile.modpost:146: Module.symvers] Error 1\n"
        "error: klp-build: original kernel build failed\n",
    ),
    # ---- the kernel and the tool ----
    Log(
        "a tool before setlocalversion changed",
        KPATCH,
        "tool_too_old",
        "Usage: ./scripts/setlocalversion",
        "setlocalversion",
        READING + FAILED,
        "Usage: ./scripts/setlocalversion [--no-local] [srctree]\n",
    ),
    Log(
        "a tool that does not know padding",
        KPATCH,
        "tool_too_old",
        "kpatch_bundle_symbols: 242: symbol q_run at offset 16",
        "q_run of q.o (16 bytes",
        COMPARING
        + "create-diff-object: ERROR: q.o: kpatch_bundle_symbols: 242: symbol q_run at offset 16 within section "
        ".text.q_run, expected 0: Success\nERROR: version.o: 1 unsupported section change(s)\n"
        "create-diff-object: unreconcilable difference: Success\nERROR: 2 error(s) encountered.\n",
    ),
    Log(
        "a tool that does not know an option",
        KPATCH,
        "tool_too_old",
        "unrecognized option '--non-replace'",
        "--non-replace",
        "kpatch-build: unrecognized option '--non-replace'\nERROR: getopt failed.\n",
    ),
    Log(
        "a klp-build that does not know an option",
        KLP,
        "tool_too_old",
        "getopt: unrecognized option '--bogus'",
        "--bogus",
        "getopt: unrecognized option '--bogus'\nUsage: klp-build [OPTIONS] PATCH_FILE(s)\n"
        "Generate a livepatch module.\n",
    ),
    Log(
        "a hook for other kernels",
        KPATCH,
        "tool_not_for_kernel",
        "livepatch-patch-hook.c:480:15: error: implicit declaration of function 'klp_enable_patch'",
        "klp_enable_patch",
        MODULE + FAILED,
        APPLIED + "livepatch-patch-hook.c:480:15: error: implicit declaration of function 'klp_enable_patch' "
        "[-Werror=implicit-function-declaration]\nmake[2]: *** [scripts/Makefile.build:243: patch-hook.o] Error 1\n",
    ),
    Log(
        "a tool that crashes",
        KPATCH,
        "tool_crashed",
        "ERROR: create-diff-object SIGSEGV",
        "create-diff-object",
        COMPARING + "ERROR: create-diff-object SIGSEGV. Check /srv/cache/build.log for more details.\n"
        "ERROR: There was a SIGSEGV, but no core dump was found in the current directory.\n",
    ),
    Log(
        "objtool with words of its own",
        KLP,
        "tool_crashed",
        "error: objtool: no clone for q_list",
        "no clone for q_list",
        DIFFING + "vmlinux.o: changed function: q_run\nvmlinux.o: error: objtool: no clone for q_list\n"
        "error: klp-build: objtool klp diff failed\n" + NOISE,
    ),
    Log(
        "a tool without its programs",
        KPATCH,
        "tool_incomplete",
        "ERROR: can't find supporting tools",
        "beside it",
        "ERROR: can't find supporting tools.\n",
    ),
    Log(
        "another compiler",
        KPATCH,
        "compiler_mismatch",
        "ERROR: gcc/kernel version mismatch",
        "GCC: (GNU) 10.3.1",
        TESTING + "ERROR: gcc/kernel version mismatch\ngcc version:    GCC: (GNU) 12.3.1\n"
        "kernel version: GCC: (GNU) 10.3.1\nInstall the matching gcc version (recommended) or use "
        "--skip-compiler-check\n" + FAILED,
    ),
    Log(
        "another clang, of which nothing more is told",
        KPATCH,
        "compiler_mismatch",
        "ERROR: clang/kernel version mismatch",
        "The installed compiler is not the one",
        TESTING + "ERROR: clang/kernel version mismatch\n" + FAILED,
    ),
    Log(
        "a kernel without an option",
        KPATCH,
        "config",
        "kernel doesn't have 'CONFIG_DEBUG_INFO' enabled",
        "CONFIG_DEBUG_INFO",
        TESTING + "ERROR: kernel doesn't have 'CONFIG_DEBUG_INFO' enabled.\n",
    ),
    Log(
        "a kernel with an option",
        KPATCH,
        "config",
        "kernel option 'CONFIG_X86_KERNEL_IBT' not supported",
        "CONFIG_X86_KERNEL_IBT",
        TESTING + "ERROR: kernel option 'CONFIG_X86_KERNEL_IBT' not supported.\n",
    ),
    Log(
        "a kernel with an option that klp-build refuses",
        KLP,
        "config",
        "kernel option 'CONFIG_GCC_PLUGIN_RANDSTRUCT' not supported",
        "CONFIG_GCC_PLUGIN_RANDSTRUCT",
        "error: klp-build: kernel option 'CONFIG_GCC_PLUGIN_RANDSTRUCT' not supported\n",
    ),
    Log(
        "a kernel without live patches",
        KPATCH,
        "config",
        "unable to find Module.symvers for kpatch core module",
        "CONFIG_LIVEPATCH",
        TESTING + "WARNING: Use of kpatch core module (kpatch.ko) is deprecated!  There may be bugs!\n"
        "ERROR: unable to find Module.symvers for kpatch core module.\n",
    ),
    Log(
        "a kernel without live patches, for klp-build",
        KLP,
        "config",
        "CONFIG_LIVEPATCH not enabled",
        "CONFIG_LIVEPATCH",
        "error: klp-build: CONFIG_LIVEPATCH not enabled\n",
    ),
    Log(
        "a vmlinux of another kernel",
        KPATCH,
        "version_mismatch",
        "Kernel version mismatch: 6.6.1 was specified but vmlinux was built for 6.6.2.",
        "6.6.2",
        TESTING + "ERROR: Kernel version mismatch: 6.6.1 was specified but vmlinux was built for 6.6.2.\n",
    ),
    Log(
        "no debug information",
        KPATCH,
        "no_debug_info",
        "kernel-debuginfo-6.6.0-1.x86_64 not installed",
        "debug information",
        "ERROR: kernel-debuginfo-6.6.0-1.x86_64 not installed.\n",
    ),
    Log(
        "debug information that lacks a structure",
        KPATCH,
        "no_special_section",
        "can't find special struct orc_entry size",
        "orc_entry",
        READING + "ERROR: can't find special struct orc_entry size. Check /srv/cache/build.log for more details.\n",
    ),
    Log(
        "objects of another build",
        KPATCH,
        "vmlinux_mismatch",
        "couldn't find matching queue.c local symbols",
        "couldn't find matching queue.c local symbols in vmlinux symbol table",
        COMPARING + "create-diff-object: ERROR: queue.o: find_local_syms: 180: couldn't find matching queue.c local "
        "symbols in vmlinux symbol table\n" + COUNTED,
    ),
    Log(
        "objects of another build, beside a program that is not needed",
        KPATCH,
        "vmlinux_mismatch",
        "couldn't find matching q.c local symbols",
        "couldn't find matching q.c local symbols",
        COMPARING + "create-diff-object: ERROR: q.o: find_local_syms: 180: couldn't find matching q.c local symbols in "
        "vmlinux symbol table\n" + COUNTED + "/bin/sh: 1: depmod: not found\n"
        "scripts/depmod.sh: Warning: 'make modules_install' requires depmod\n",
    ),
    Log(
        "objtool killed for lack of memory",
        KLP,
        "no_memory",
        "line 640: 12345 Killed",
        "as it does when memory runs out",
        DIFFING + '/srv/src/scripts/livepatch/klp-build: line 640: 12345 Killed                  "$OBJTOOL" klp diff\n'
        "error: klp-build: objtool klp diff failed\n",
    ),
    Log(
        "create-diff-object killed for lack of memory",
        KPATCH,
        "no_memory",
        "line 1420: 12345 Killed",
        "as it does when memory runs out",
        COMPARING + "/usr/bin/kpatch-build: line 1420: 12345 Killed                  "
        '"$TOOLSDIR"/create-diff-object\n' + COUNTED,
    ),
    Log(
        "pahole killed for lack of memory, in bash",
        KPATCH,
        "no_memory",
        "line 120:  4242 Killed",
        "as it does when memory runs out",
        ORIGINAL + FAILED,
        "scripts/link-vmlinux.sh: line 120:  4242 Killed                  LLVM_OBJCOPY= pahole -J vmlinux\n"
        "FAILED: load BTF from vmlinux: No data available\n"
        "make[2]: *** [scripts/Makefile.vmlinux:35: vmlinux] Error 255\n",
    ),
    Log(
        "pahole killed for lack of memory, in dash",
        KPATCH,
        "no_memory",
        "Killed",
        "killed pahole",
        ORIGINAL + FAILED,
        "  BTF     .btf.vmlinux.bin.o\nKilled\nFAILED: load BTF from vmlinux: Invalid argument\n"
        "make[2]: *** [scripts/Makefile.vmlinux:35: vmlinux] Error 255\n",
    ),
    Log(
        "pahole of Linux 7.3 killed for lack of memory, in dash",
        KLP,
        "no_memory",
        "Killed",
        "killed pahole",
        KLP_ORIGINAL + "  BTF     .tmp_vmlinux1\nKilled\nFailed to generate BTF for vmlinux\n"
        "Try to disable CONFIG_DEBUG_INFO_BTF\nmake[2]: *** [scripts/Makefile.vmlinux:84: vmlinux.unstripped] Error 1\n"
        "error: klp-build: original kernel build failed\n",
    ),
    Log(
        "pahole of another time, for Linux 7.3",
        KLP,
        "btf",
        "FAILED: load BTF from .tmp_vmlinux1.BTF.1: Invalid argument",
        "cannot be used (Invalid argument)",
        KLP_ORIGINAL
        + "FAILED: load BTF from .tmp_vmlinux1.BTF.1: Invalid argument\nFailed to generate BTF for vmlinux\n"
        "make[2]: *** [scripts/Makefile.vmlinux:84: vmlinux.unstripped] Error 1\n"
        "error: klp-build: original kernel build failed\n",
    ),
    Log(
        "pahole crashed",
        KPATCH,
        "btf",
        "line 114:  3003 Segmentation fault",
        "pahole crashed",
        ORIGINAL + FAILED,
        "scripts/link-vmlinux.sh: line 114:  3003 Segmentation fault      LLVM_OBJCOPY= pahole -J vmlinux\n"
        "make[1]: *** [Makefile:1164: vmlinux] Error 139\n",
    ),
    Log(
        "pahole does not know the debug information",
        KPATCH,
        "btf",
        "Failed to encode BTF",
        "pahole cannot make the type information",
        ORIGINAL + FAILED,
        "btf_encoder__encode: btf__new failed!\nFailed to encode BTF\n"
        "make[2]: *** [scripts/Makefile.vmlinux:35: vmlinux] Error 1\n",
    ),
    Log(
        "type information that lacks a function",
        KPATCH,
        "btf",
        "FAILED unresolved symbol q_run",
        "lacks q_run",
        ORIGINAL + FAILED,
        "  BTFIDS  vmlinux\nFAILED unresolved symbol q_run\n"
        "make[2]: *** [scripts/Makefile.vmlinux:35: vmlinux] Error 255\n",
    ),
    Log(
        "a program of the build that make itself may not start",
        KPATCH,
        "noexec",
        "scripts/basic/fixdep: Permission denied",
        "scripts/basic/fixdep",
        ORIGINAL + FAILED,
        "make[2]: scripts/basic/fixdep: Permission denied\n"
        "make[2]: *** [scripts/Makefile.build:287: scripts/mod/empty.o] Error 127\n",
    ),
    Log(
        "a plugin of the compiler on a file system without exec",
        KPATCH,
        "noexec",
        "failed to map segment from shared object",
        "noexec",
        ORIGINAL + FAILED,
        "cc1: error: cannot load plugin ./scripts/gcc-plugins/q.so: ./scripts/gcc-plugins/q.so: failed to map segment "
        "from shared object\nmake[2]: *** [scripts/Makefile.build:287: fs/q.o] Error 1\n",
    ),
    Log(
        "a plugin of the compiler that it cannot use",
        KPATCH,
        "compiler_unfit",
        "cannot load plugin ./scripts/gcc-plugins/q.so",
        "./scripts/gcc-plugins/q.so",
        ORIGINAL + FAILED,
        "cc1: error: cannot load plugin ./scripts/gcc-plugins/q.so: undefined symbol: q_register\n"
        "make[2]: *** [scripts/Makefile.build:287: fs/q.o] Error 1\n",
    ),
    Log(
        "a script's interpreter that is not installed",
        KPATCH,
        "missing_program",
        "env: 'python3': No such file or directory",
        "python3",
        ORIGINAL + FAILED,
        "/usr/bin/env: 'python3': No such file or directory\nmake[2]: *** [arch/x86/Makefile:9: q.h] Error 127\n",
    ),
    Log(
        "a module of an old Python",
        KPATCH,
        "missing_python_module",
        "ImportError: No module named yaml",
        "yaml",
        ORIGINAL + FAILED,
        "Traceback (most recent call last):\nImportError: No module named yaml\n"
        "make[2]: *** [tools/q/Makefile:9: q.h] Error 1\n",
    ),
    Log(
        "an object that is cut off",
        KPATCH,
        "original_does_not_build",
        "ld: fs/q.o: file not recognized: file truncated",
        "file truncated",
        ORIGINAL + FAILED,
        "ld: fs/q.o: file not recognized: file truncated\n"
        "make[2]: *** [scripts/Makefile.build:499: fs/built-in.a] Error 1\n",
    ),
    Log(
        "a development package without its common files",
        MAKE,
        "incomplete_source",
        "linux-headers-6.1.0-18-common/Makefile: No such file or directory",
        "/usr/src/linux-headers-6.1.0-18-common/Makefile",
        "make: Entering directory '/usr/src/linux-headers-6.1.0-18-amd64'\n"
        "/usr/src/linux-headers-6.1.0-18-amd64/Makefile:1: /usr/src/linux-headers-6.1.0-18-common/Makefile: No such "
        "file or directory\n"
        "make: *** No rule to make target '/usr/src/linux-headers-6.1.0-18-common/Makefile'.  Stop.\n",
    ),
    Log(
        "a program that is not needed, before what decides",
        KPATCH,
        "vmlinux_mismatch",
        "couldn't find matching q.c local symbols",
        "couldn't find matching q.c local symbols",
        COMPARING + "/bin/sh: 1: depmod: not found\n"
        "scripts/depmod.sh: Warning: 'make modules_install' requires depmod\n"
        "create-diff-object: ERROR: q.o: find_local_syms: 180: couldn't find matching q.c local symbols in vmlinux "
        "symbol table\n" + COUNTED,
    ),
    Log(
        "an old vmlinux beside new objects",
        KLP,
        "vmlinux_mismatch",
        "address mismatch for symbol q_run, stale orig vmlinux?",
        "q_run",
        DIFFING + "vmlinux.o: error: objtool: .text address mismatch for symbol q_run, stale orig vmlinux?\n"
        "error: klp-build: objtool klp diff failed\n" + NOISE,
    ),
    Log(
        "an object that is part of nothing",
        KPATCH,
        "lost_ancestor",
        "invalid ancestor tools/q/main.o for tools/q/main.o",
        "tools/q/main.o",
        COMPARING + "ERROR: invalid ancestor tools/q/main.o for tools/q/main.o. Check /srv/cache/build.log for more "
        "details.\n",
    ),
    Log(
        "an object that is part of two",
        KPATCH,
        "lost_ancestor",
        "two parent matches for fs/q.o",
        "fs/q.o",
        COMPARING + "ERROR: two parent matches for fs/q.o. Check /srv/cache/build.log for more details.\n",
    ),
    Log(
        "an object that is part of several",
        KPATCH,
        "lost_ancestor",
        "multiple parent matches for fs/q.o: fs/r.o fs/s.o",
        "what fs/q.o is linked into (multiple parent matches for fs/q.o: fs/r.o fs/s.o)",
        COMPARING + "ERROR: multiple parent matches for fs/q.o: fs/r.o fs/s.o." + LOOK,
    ),
    Log(
        "a module that was not linked",
        KPATCH,
        "lost_ancestor",
        "can't find .ko for fs/q.mod",
        "what fs/q.mod is linked into",
        COMPARING + "ERROR: can't find .ko for fs/q.mod." + LOOK,
    ),
    Log(
        "a patch that went away",
        KPATCH,
        "no_such_file",
        "patch file '/srv/fix.patch' not found",
        "/srv/fix.patch",
        "ERROR: patch file '/srv/fix.patch' not found.\n",
    ),
    Log(
        "a tree that is not complete",
        KLP,
        "tree_left_behind",
        "-S 2 requires completed klp-tmp/1-orig",
        "klp-tmp/1-orig",
        "error: klp-build: -S 2 requires completed klp-tmp/1-orig\n",
    ),
    # ---- the patch ----
    Log(
        "a patch that does not apply",
        KPATCH,
        "does_not_apply",
        "Hunk #1 FAILED at 8.",
        "Hunk 1 of the patch does not apply at line 8",
        TESTING + "ERROR: /srv/fix.patch file failed to apply. Check /srv/cache/build.log for more details.\n",
        "checking file fs/q.c\nHunk #1 FAILED at 8.\n1 out of 1 hunk FAILED\n",
    ),
    Log(
        "a patch that does not apply, and no line of which hunk",
        KPATCH,
        "does_not_apply",
        "/srv/fix.patch file failed to apply",
        "/srv/fix.patch",
        TESTING + "ERROR: /srv/fix.patch file failed to apply. Check /srv/cache/build.log for more details.\n",
    ),
    Log(
        "a patch that deletes another file than the source has",
        KPATCH,
        "does_not_apply",
        "Not deleting file fs/r.h as content differs from patch",
        "has more in fs/r.h than the patch",
        TESTING + "ERROR: /srv/fix.patch file failed to apply. Check /srv/cache/build.log for more details.\n",
        "checking file fs/r.h\nNot deleting file fs/r.h as content differs from patch\nchecking file fs/q.c\n",
    ),
    Log(
        "a patch that klp-build cannot apply",
        KLP,
        "does_not_apply",
        "Hunk #2 FAILED at 30.",
        "Hunk 2",
        CHECKING + "checking file fs/q.c\nHunk #2 FAILED at 30.\n1 out of 2 hunks FAILED\n"
        "error: klp-build: 0001.patch did not apply\n",
    ),
    Log(
        "a patch that is damaged",
        KLP,
        "does_not_apply",
        "malformed patch at line 12",
        "Line 12",
        CHECKING + "patch: **** malformed patch at line 12:  }\nerror: klp-build: 0001.patch did not apply\n",
    ),
    Log(
        "a patch that is applied already",
        KLP,
        "already_applied",
        "Reversed (or previously applied) patch detected!",
        "already contains",
        CHECKING + "checking file fs/q.c\nReversed (or previously applied) patch detected!  Assume -R? [n] \n"
        "Apply anyway? [n] \nSkipping patch.\n1 out of 1 hunk ignored\nerror: klp-build: 0001.patch did not apply\n",
    ),
    Log(
        "an empty patch",
        KLP,
        "empty_patch",
        "cp: missing file operand",
        "changes no file",
        CHECKING + "cp: missing file operand\nTry 'cp --help' for more information.\n"
        "error: klp-build: line 486: 'xargs cp --parents --target-directory=q'\n",
    ),
    Log(
        "a patch of lib",
        KPATCH,
        "unsupported_path",
        "unsupported patch to lib/: lib/q.c",
        "lib/q.c",
        TESTING + "ERROR: fix.patch: unsupported patch to lib/: lib/q.c\nERROR: Unsupported changes detected.\n",
    ),
    Log(
        "a patch of lib, for klp-build",
        KLP,
        "unsupported_path",
        "unsupported patch to lib/q.c",
        "lib/q.c",
        CHECKING + "error: klp-build: 0001.patch: unsupported patch to lib/q.c\n",
    ),
    Log(
        "a patch that does not compile",
        KPATCH,
        "compile_error",
        "fs/q.c:10:2: error: implicit declaration of function 'q_new'",
        "fs/q.c:10",
        PATCHED + FAILED,
        APPLIED
        + "  CC      fs/p.o\nfs/p.c:3:1: warning: unused variable 'x'\n"
        + APPLIED
        + "fs/q.c: In function 'q_run':\n"
        "fs/q.c:10:2: error: implicit declaration of function 'q_new'\n   10 |  q_new(); /* fatal error: x.h: No space "
        "left on device */\nmake[2]: *** [scripts/Makefile.build:243: fs/q.o] Error 1\n",
    ),
    Log(
        "a patch with a header that does not exist",
        KPATCH,
        "compile_error",
        "fs/q.c:3:10: fatal error: linux/q_new.h: No such file or directory",
        "linux/q_new.h",
        PATCHED + FAILED,
        APPLIED
        + APPLIED
        + "fs/q.c:3:10: fatal error: linux/q_new.h: No such file or directory\ncompilation terminated.\n"
        "make[2]: *** [scripts/Makefile.build:243: fs/q.o] Error 1\n",
    ),
    Log(
        "a patch that does not compile, for klp-build",
        KLP,
        "compile_error",
        "fs/q.c:10:2: error: 'q_new' undeclared",
        "fs/q.c:10",
        KLP_PATCHED + "fs/q.c:10:2: error: 'q_new' undeclared (first use in this function)\n"
        "make[3]: *** [scripts/Makefile.build:287: fs/q.o] Error 1\nerror: klp-build: patched kernel build failed\n",
    ),
    Log(
        "a source that does not compile",
        MAKE,
        "compile_error",
        "/tmp/x/lp.c:4:16: error: 'nothing' undeclared",
        "lp.c:4",
        "/tmp/x/lp.c: In function 'broken':\n"
        "/tmp/x/lp.c:4:16: error: 'nothing' undeclared (first use in this function)\n"
        "make[2]: *** [scripts/Makefile.build:229: /tmp/x/lp.o] Error 1\n",
    ),
    Log(
        "a source for programs",
        MAKE,
        "compile_error",
        "/tmp/x/lp.c:1:10: fatal error: stdio.h: No such file or directory",
        "stdio.h",
        "/tmp/x/lp.c:1:10: fatal error: stdio.h: No such file or directory\ncompilation terminated.\n"
        "make[2]: *** [scripts/Makefile.build:229: /tmp/x/lp.o] Error 1\n",
    ),
    Log(
        "a patch without the file that its makefile names",
        KPATCH,
        "patched_does_not_build",
        "No rule to make target 'fs/new.o', needed by 'fs/built-in.a'",
        "builds without the patch, and not with it: make[4]: *** No rule to make target 'fs/new.o'",
        PATCHED + FAILED,
        APPLIED + APPLIED + "make[4]: *** No rule to make target 'fs/new.o', needed by 'fs/built-in.a'.  Stop.\n"
        "make[3]: *** [scripts/Makefile.build:478: fs] Error 2\n",
    ),
    Log(
        "a patch that removes a target",
        KPATCH,
        "patched_does_not_build",
        "No rule to make target 'fs/q.ko'",
        "fs/q.ko",
        PATCHED + FAILED,
        APPLIED + APPLIED + "make[1]: *** No rule to make target 'fs/q.ko'.  Stop.\n",
    ),
    Log(
        "a patch whose makefile includes a file that it does not bring",
        KPATCH,
        "patched_does_not_build",
        "fs/q/Makefile:3: fs/q/q.mk: No such file or directory",
        "fs/q/q.mk",
        PATCHED + FAILED,
        APPLIED + APPLIED + "fs/q/Makefile:3: fs/q/q.mk: No such file or directory\n"
        "make[3]: *** No rule to make target 'fs/q/q.mk'.  Stop.\n",
    ),
    Log(
        "a patch that asks a question of the configuration",
        KLP,
        "patched_does_not_build",
        "Console input/output is redirected",
        "Console input/output is redirected",
        KLP_PATCHED + "New thing (NEW_THING) [N/y/?] (NEW) \nError in reading or end of file.\n\n"
        "Console input/output is redirected. Run 'make oldconfig' to update configuration.\n"
        "make[2]: *** [scripts/kconfig/Makefile:77: syncconfig] Error 1\n"
        "error: klp-build: patched kernel build failed\n",
    ),
    Log(
        "a patch with an option that the compiler does not know",
        KLP,
        "patched_does_not_build",
        "unrecognized command-line option '-fq-new'",
        "-fq-new",
        KLP_PATCHED + "gcc: error: unrecognized command-line option '-fq-new'\n"
        "make[3]: *** [scripts/Makefile.build:287: fs/q.o] Error 1\nerror: klp-build: patched kernel build failed\n",
    ),
    Log(
        "a hand-written module below /usr/src with a header that does not exist",
        MAKE,
        "compile_error",
        "/usr/src/livepatch/lp.c:3:10: fatal error: linux/lifepatch.h: No such file or directory",
        "lp.c:3",
        "/usr/src/livepatch/lp.c:3:10: fatal error: linux/lifepatch.h: No such file or directory\n"
        "compilation terminated.\nmake[2]: *** [scripts/Makefile.build:243: /tmp/x/lp.o] Error 1\n",
    ),
    Log(
        "a patch of a program of the kernel with a header that does not exist",
        KLP,
        "compile_error",
        "tools/objtool/check.c:3:10: fatal error: linux/q_new.h: No such file or directory",
        "check.c:3",
        KLP_PATCHED + "tools/objtool/check.c:3:10: fatal error: linux/q_new.h: No such file or directory\n"
        "make[3]: *** [tools/build/Makefile.build:106: check.o] Error 1\n"
        "error: klp-build: patched kernel build failed\n",
    ),
    Log(
        "a module below /usr/src of which the source is not whole",
        KPATCH,
        "original_does_not_build",
        "/usr/src/q-1.0/tools/q.c:3:10: fatal error: q_compat.h: No such file or directory",
        "q_compat.h",
        ORIGINAL + FAILED,
        "/usr/src/q-1.0/tools/q.c:3:10: fatal error: q_compat.h: No such file or directory\ncompilation terminated.\n"
        "make[2]: *** [scripts/Makefile.build:243: /usr/src/q-1.0/tools/q.o] Error 1\n",
    ),
    Log(
        "a patch that does not compile, for a compiler that shows the source without a margin",
        KPATCH,
        "compile_error",
        "fs/q.c:10:11: error: 'dve' undeclared",
        "'dve' undeclared",
        PATCHED + FAILED,
        APPLIED + APPLIED + "fs/q.c: In function 'q_probe':\nfs/q.c:10:11: error: 'dve' undeclared (first use in this "
        "function); did you mean 'dev'?\n"
        '   dev_err(dve, "Cannot allocate memory\\n");\n           ^~~\n           dev\n'
        "make[2]: *** [scripts/Makefile.build:303: fs/q.o] Error 1\n",
    ),
    Log(
        "a warning that shows what is none of the disk",
        KLP,
        "compile_error",
        "fs/q.c:12:2: error: expected ';'",
        "expected ';'",
        KLP_PATCHED + 'fs/q.c:8:9: warning: unused result\nq_say("No space left on device");\n^~~~~ ~~~~~~~~~\n'
        "fs/q.c:12:2: error: expected ';'\nmake[3]: *** [scripts/Makefile.build:287: fs/q.o] Error 1\n"
        "error: klp-build: patched kernel build failed\n",
    ),
    Log(
        "a macro of several lines, for klp-build",
        KLP,
        "changed_macro",
        "fs/q.c:1:12: error: '#' is not followed by a macro parameter",
        "several lines at fs/q.c:1",
        KLP_PATCHED + "fs/q.c:1:12: error: '#' is not followed by a macro parameter\n    1 | #define M(x) \\\n"
        "      |            ^\nfs/q.c:5:18: error: expected '=', ',', ';', 'asm' or '__attribute__' before '++' token\n"
        "    5 |                 x++; \\\n      |                  ^~\n"
        "make[3]: *** [scripts/Makefile.build:287: fs/q.o] Error 1\nerror: klp-build: patched kernel build failed\n",
    ),
    Log(
        "a macro of several lines without parameters, for klp-build",
        KLP,
        "changed_macro",
        "fs/q.c:4:1: error: stray '#' in program",
        "several lines at fs/q.c:4",
        KLP_PATCHED + "fs/q.c:5:18: error: expected '=', ',', ';', 'asm' or '__attribute__' before '++' token\n"
        "    5 |                 z++; \\\n      |                  ^~\nfs/q.c:4:1: error: stray '#' in program\n"
        "    4 | #line 4\n      | ^\nfs/q.c:8:13: note: in expansion of macro 'M'\n"
        "make[3]: *** [scripts/Makefile.build:287: fs/q.o] Error 1\nerror: klp-build: patched kernel build failed\n",
    ),
    Log(
        "a patch with a stray character",
        KLP,
        "compile_error",
        "fs/q.c:4:1: error: stray '#' in program",
        "fs/q.c:4",
        KLP_PATCHED + "fs/q.c:4:1: error: stray '#' in program\n    4 | x # y\n      | ^\n"
        "make[3]: *** [scripts/Makefile.build:287: fs/q.o] Error 1\nerror: klp-build: patched kernel build failed\n",
    ),
    Log(
        "a wrong macro, for kpatch-build",
        KPATCH,
        "compile_error",
        "fs/q.c:1:12: error: '#' is not followed by a macro parameter",
        "fs/q.c:1",
        PATCHED + FAILED,
        APPLIED + APPLIED + "fs/q.c:1:12: error: '#' is not followed by a macro parameter\n"
        "make[3]: *** [scripts/Makefile.build:287: fs/q.o] Error 1\n",
    ),
    Log(
        "init code",
        KPATCH,
        "init_section",
        "q.o: changed section .init.text not selected for inclusion",
        ".init.text",
        COMPARING + "ERROR: q.o: 1 unsupported section change(s)\ncreate-diff-object: unreconcilable difference\n"
        "q.o: changed section .init.text not selected for inclusion\n" + COUNTED,
    ),
    Log(
        "init code, for klp-build",
        KLP,
        "init_section",
        "error: objtool: proc_q_init: can't patch or reference init code/data",
        "proc_q_init",
        DIFFING + "vmlinux.o: changed function: proc_q_init\nvmlinux.o: error: objtool: proc_q_init: can't patch or "
        "reference init code/data\nerror: klp-build: objtool klp diff failed\n" + NOISE,
    ),
    Log(
        "data",
        KPATCH,
        "changed_data",
        "q.o: changed section .data.counter not selected for inclusion",
        ".data.counter",
        COMPARING + "q.o: changed section .data.counter not selected for inclusion\n"
        "ERROR: q.o: 1 unsupported section change(s)\ncreate-diff-object: unreconcilable difference\n" + COUNTED,
    ),
    Log(
        "data, for klp-build",
        KLP,
        "changed_data",
        "error: objtool: changed data: q_limit",
        "q_limit",
        DIFFING
        + "vmlinux.o: error: objtool: changed data: q_limit\nerror: klp-build: objtool klp diff failed\n"
        + NOISE,
    ),
    Log(
        "a section of another kind",
        KPATCH,
        "unsupported_section",
        "q.o: changed section .altinstr_aux not selected for inclusion",
        ".altinstr_aux",
        COMPARING + "q.o: changed section .altinstr_aux not selected for inclusion\n"
        "ERROR: q.o: 1 unsupported section change(s)\n" + COUNTED,
    ),
    Log(
        "a file that exports",
        KPATCH,
        "export_symbol",
        "q.o: changed section .rela.export_symbol not selected for inclusion",
        ".rela.export_symbol",
        COMPARING
        + "ERROR: q.o: 1 unsupported section change(s)\nq.o: changed section .rela.export_symbol not selected "
        "for inclusion\ncreate-diff-object: unreconcilable difference\n" + COUNTED,
    ),
    Log(
        "a function that ftrace does not find",
        KPATCH,
        "no_fentry",
        "q.o: function q_fast has no fentry/mcount call, unable to patch",
        "q_fast",
        COMPARING + "q.o: function q_fast has no fentry/mcount call, unable to patch\n"
        "ERROR: q.o: 1 function(s) can not be patched\ncreate-diff-object: unreconcilable difference\n" + COUNTED,
    ),
    Log(
        "a jump label",
        KPATCH,
        "jump_label",
        "Found a jump label at q_run()+0x23, using key q_enabled",
        "key q_enabled, which is defined in a module",
        COMPARING + "q.o: Found a jump label at q_run()+0x23, using key q_enabled, which is defined in a module.  Use "
        "static_key_enabled() instead.\nERROR: q.o: 1 unsupported jump label(s) in the patched code\n" + COUNTED,
    ),
    Log(
        "a jump label, for klp-build",
        KLP,
        "jump_label",
        "unsupported static branch key q_enabled.",
        "q_run, which the patch changes",
        DIFFING + "q.o: error: objtool: q_run+0x23: unsupported static branch key q_enabled.  Use static_key_enabled() "
        "instead\nerror: klp-build: objtool klp diff failed\n" + NOISE,
    ),
    Log(
        "a static call",
        KPATCH,
        "static_call",
        "Found a static call at q_run()+0x40, using key q_hook",
        "q_hook",
        COMPARING + "q.o: Found a static call at q_run()+0x40, using key q_hook, which is defined in a module.  Use "
        "KPATCH_STATIC_CALL() instead.\n" + COUNTED,
    ),
    Log(
        "a static call, for klp-build",
        KLP,
        "static_call",
        "unsupported static call key q_hook.",
        "q_hook of a module",
        DIFFING + "q.o: error: objtool: q_run()+0x40: unsupported static call key q_hook.  Use KLP_STATIC_CALL() "
        "instead\nerror: klp-build: objtool klp diff failed\n" + NOISE,
    ),
    Log(
        "a static variable that is used no more",
        KPATCH,
        "static_local",
        "reference to static local variable count.1 in q_run was removed",
        "count.1",
        COMPARING + "ERROR: q.o: reference to static local variable count.1 in q_run was removed\n"
        "create-diff-object: unreconcilable difference\n" + COUNTED,
    ),
    Log(
        "a static variable with two twins",
        KPATCH,
        "static_local",
        "found two twins for static local variable state.2: state.3 and state.4",
        "state.2",
        COMPARING + "ERROR: q.o: found two twins for static local variable state.2: state.3 and state.4\n"
        "create-diff-object: unreconcilable difference\n" + COUNTED,
    ),
    Log(
        "a relocation out of range",
        KPATCH,
        "relocation",
        "out-of-range relocation compute+fffffffffffffffc",
        ".text.helper+0x4f: out-of-range relocation compute+fffffffffffffffc",
        COMPARING
        + "create-diff-object: ERROR: limit.o: kpatch_check_relocations: 2893: .text.helper+0x4f: out-of-range "
        "relocation compute+fffffffffffffffc\nlimit.o: new function: compute\n" + COUNTED,
    ),
    Log(
        "another module is needed",
        KLP,
        "module_dependency",
        "new reference to q_export (exported by q) would create an undeclared module dependency",
        "of the module q",
        DIFFING + "r.o: error: objtool: r_run: new reference to q_export (exported by q) would create an undeclared "
        "module dependency\nerror: klp-build: objtool klp diff failed\n" + NOISE,
    ),
    Log(
        "another file in an object",
        KLP,
        "unreconcilable",
        "FILE symbol mismatch: q.c != r.c",
        "q.c != r.c",
        DIFFING + "vmlinux.o: error: objtool: FILE symbol mismatch: q.c != r.c\n"
        "error: klp-build: objtool klp diff failed\n" + NOISE,
    ),
    Log(
        "a difference of another kind",
        KPATCH,
        "unreconcilable",
        "ERROR: q.o: 2 .altinstr_replacement relocations",
        "2 .altinstr_replacement relocations",
        COMPARING
        + "ERROR: q.o: 2 .altinstr_replacement relocations\ncreate-diff-object: unreconcilable difference\n"
        + COUNTED,
    ),
    Log(
        "a difference in the words of the tool",
        KPATCH,
        "unreconcilable",
        "q_pair: 77: bundle mismatch for symbol q_two",
        "bundle mismatch for symbol q_two",
        COMPARING + "create-diff-object: ERROR: q.o: q_pair: 77: bundle mismatch for symbol q_two\n" + COUNTED,
    ),
    Log(
        "a version that changes",
        KPATCH,
        "symbol_version",
        "Patch module references kfree with invalid version",
        "kfree",
        MODULE + "ERROR: Patch module references kfree with invalid version\n"
        "ERROR: Patch module referencing altered exported kernel symbols cannot be loaded.\n",
    ),
    Log(
        "a version that changes, in a newer tool's words",
        KPATCH,
        "symbol_version",
        "ERROR: Version disagreement for symbol q_export",
        "q_export",
        PATCHED + "ERROR: Version disagreement for symbol q_export\n" + FAILED,
    ),
    Log(
        "a namespace",
        KPATCH,
        "namespace",
        "module lp uses symbol buf_export from namespace BUF_NS, but does not import it",
        "uses symbol buf_export from namespace BUF_NS",
        MODULE + FAILED,
        "  MODPOST /srv/cache/tmp/patch/Module.symvers\n"
        "ERROR: modpost: module lp uses symbol buf_export from namespace "
        "BUF_NS, but does not import it.\nmake[2]: *** [scripts/Makefile.modpost:138: Module.symvers] Error 1\n",
    ),
    Log(
        "a namespace, for a hand-written module",
        MAKE,
        "namespace",
        "from namespace BUF_NS",
        "BUF_NS",
        "  MODPOST /tmp/x/Module.symvers\n"
        "ERROR: modpost: module lp uses symbol buf_export from namespace BUF_NS, but does "
        "not import it.\nmake[2]: *** [scripts/Makefile.modpost:138: /tmp/x/Module.symvers] Error 1\n",
    ),
    Log(
        "a symbol for the GPL only",
        MAKE,
        "gpl_only",
        "uses GPL-only symbol 'klp_enable_patch'",
        "klp_enable_patch",
        "ERROR: modpost: GPL-incompatible module lp.ko uses GPL-only symbol 'klp_enable_patch'\n"
        "make[2]: *** [scripts/Makefile.modpost:145: /tmp/x/Module.symvers] Error 1\n",
    ),
    Log(
        "no license",
        MAKE,
        "no_license",
        "missing MODULE_LICENSE() in /tmp/x/lp.o",
        "license",
        "ERROR: modpost: missing MODULE_LICENSE() in /tmp/x/lp.o\n"
        "make[2]: *** [scripts/Makefile.modpost:145: /tmp/x/Module.symvers] Error 1\n",
    ),
    Log(
        "symbols that nobody defines",
        KPATCH,
        "undefined_symbol",
        "ERROR: Undefined symbols: one two .",
        "one two",
        MODULE + "ERROR: Undefined symbols: one two . Check /srv/cache/build.log for more details.\n",
    ),
    Log(
        "a symbol that nobody defines",
        KPATCH,
        "undefined_symbol",
        '"one" [/srv/cache/tmp/patch/lp.ko] undefined!',
        "one",
        MODULE + FAILED,
        'ERROR: modpost: "one" [/srv/cache/tmp/patch/lp.ko] undefined!\n'
        "make[2]: *** [Makefile.modpost:1: lp] Error 1\n",
    ),
    Log(
        "a symbol that the linker misses",
        KPATCH,
        "undefined_symbol",
        "undefined reference to `q_new'",
        "q_new",
        PATCHED + FAILED,
        APPLIED + APPLIED + "ld: vmlinux.o: in function `q_run':\nfs/q.c:9:(.text.q_run+0x1): undefined reference to "
        "`q_new'\nmake[1]: *** [Makefile:1179: vmlinux] Error 1\n",
    ),
    Log(
        "a symbol that is not exported",
        MAKE,
        "undefined_symbol",
        'ERROR: modpost: "hidden" [/tmp/x/lp.ko] undefined!',
        "does not export hidden",
        'ERROR: modpost: "hidden" [/tmp/x/lp.ko] undefined!\n'
        "make[2]: *** [scripts/Makefile.modpost:145: /tmp/x/Module.symvers] Error 1\n",
    ),
    Log(
        "a symbol that is there twice",
        KPATCH,
        "defined_twice",
        "multiple definition of `q_new'",
        "q_new",
        PATCHED + FAILED,
        APPLIED
        + APPLIED
        + "ld: fs/r.o: in function `q_new':\nfs/r.c:3: multiple definition of `q_new'; fs/q.o:fs/q.c:3: "
        "first defined here\nmake[1]: *** [scripts/Makefile.vmlinux_o:61: vmlinux.o] Error 1\n",
    ),
    Log(
        "a comment",
        KPATCH,
        "no_change",
        "ERROR: no functional changes found",
        "no function",
        COMPARING + "ERROR: no functional changes found. Check /srv/cache/build.log for more details.\n",
        "  CC      fs/q.o\nkeeping .export_symbol of q.o\n",
    ),
    Log(
        "code that is not compiled",
        KPATCH,
        "no_change",
        "ERROR: no changed objects found",
        "compiles",
        PATCHED + "ERROR: no changed objects found. Check /srv/cache/build.log for more details.\n",
    ),
    Log(
        "a comment, for klp-build",
        KLP,
        "no_change",
        "error: klp-build: no changes detected",
        "no function",
        COPIED + "error: klp-build: no changes detected\n",
    ),
    # ---- modpost of Linux 7.3 names the module first ----
    Log(
        "a namespace, for klp-build",
        KLP,
        "namespace",
        "module uses symbol 'buf_export' from namespace 'BUF_NS', but does not import it",
        "The module uses buf_export of the namespace BUF_NS",
        KLP_MODULE + "ERROR: modpost: /srv/src/klp-tmp/5-kmod/lp.ko: module uses symbol 'buf_export' from namespace "
        "'BUF_NS', but does not import it.\nmake[2]: *** [scripts/Makefile.modpost:146: Module.symvers] Error 1\n",
    ),
    Log(
        "what modpost only warns of, before an error",
        MAKE,
        "compile_error",
        "/tmp/x/lp.mod.c:4:16: error: 'nothing' undeclared",
        "lp.mod.c:4",
        "WARNING: modpost: /tmp/x/lp.ko: module uses symbol 'buf_export' from namespace 'BUF_NS', but does not import "
        "it.\nWARNING: modpost: /tmp/x/lp.ko: symbol 'hidden' undefined!\n"
        "/tmp/x/lp.mod.c:4:16: error: 'nothing' undeclared here (not in a function)\n"
        "make[2]: *** [scripts/Makefile.modfinal:22: /tmp/x/lp.mod.o] Error 1\n",
    ),
    Log(
        "a symbol for the GPL only, in words of 7.3",
        MAKE,
        "gpl_only",
        "GPL-incompatible module uses GPL-only symbol 'klp_enable_patch'",
        "The module lp.ko uses klp_enable_patch",
        "ERROR: modpost: lp.ko: GPL-incompatible module uses GPL-only symbol 'klp_enable_patch'\n"
        "make[2]: *** [scripts/Makefile.modpost:146: Module.symvers] Error 1\n",
    ),
    Log(
        "no license, in words of 7.3",
        MAKE,
        "no_license",
        "/tmp/x/lp.ko: missing MODULE_LICENSE()",
        "/tmp/x/lp.ko does not say under which license",
        "ERROR: modpost: /tmp/x/lp.ko: missing MODULE_LICENSE()\n"
        "make[2]: *** [scripts/Makefile.modpost:146: /tmp/x/Module.symvers] Error 1\n",
    ),
    Log(
        "no license, which a kernel of 4.19 only warns of, before an error",
        MAKE,
        "undefined_symbol",
        '"hidden" [/tmp/x/lp.ko] undefined!',
        "does not export hidden",
        "WARNING: modpost: missing MODULE_LICENSE() in /tmp/x/lp.o\nsee include/linux/module.h for more information\n"
        'ERROR: "hidden" [/tmp/x/lp.ko] undefined!\n'
        "make[1]: *** [scripts/Makefile.modpost:94: __modpost] Error 1\n",
    ),
    Log(
        "a symbol that is not exported, in words of 7.3",
        MAKE,
        "undefined_symbol",
        "/tmp/x/lp.ko: symbol 'hidden' undefined!",
        "does not export hidden",
        "ERROR: modpost: /tmp/x/lp.ko: symbol 'hidden' undefined!\n"
        "make[2]: *** [scripts/Makefile.modpost:146: /tmp/x/Module.symvers] Error 1\n",
    ),
    Log(
        "a symbol that nobody defines, for klp-build",
        KLP,
        "undefined_symbol",
        "lp.ko: symbol 'q_new' undefined!",
        "uses q_new",
        KLP_MODULE + "ERROR: modpost: /srv/src/klp-tmp/5-kmod/lp.ko: symbol 'q_new' undefined!\n"
        "make[2]: *** [scripts/Makefile.modpost:146: /srv/src/klp-tmp/5-kmod/Module.symvers] Error 1\n",
    ),
    Log(
        "symbols that a patched module misses are told later, and no error",
        KLP,
        "compile_error",
        "fs/z.c:1:1: error: nope",
        "fs/z.c:1",
        KLP_PATCHED + "WARNING: modpost: fs/q.ko: symbol 'q_new' undefined!\nfs/z.c:1:1: error: nope\n"
        "make[2]: *** [scripts/Makefile.build:243: fs/z.o] Error 1\nerror: klp-build: patched kernel build failed\n",
    ),
    Log(
        "a tree of 6.12 without symbol versions",
        MAKE,
        "no_symvers",
        "WARNING: Module.symvers is missing.",
        "has no Module.symvers",
        "WARNING: Module.symvers is missing.\n" + MISSING_SYMVERS + 'ERROR: modpost: "seq_printf" [lp.ko] undefined!\n'
        "make[2]: *** [scripts/Makefile.modpost:145: Module.symvers] Error 1\n",
    ),
    Log(
        "a tree of 7.3 without symbol versions",
        MAKE,
        "no_symvers",
        "WARNING: /usr/src/linux/Module.symvers is missing.",
        "has no /usr/src/linux/Module.symvers",
        "WARNING: /usr/src/linux/Module.symvers is missing.\n" + MISSING_SYMVERS + "ERROR: modpost: lp.ko: symbol "
        "'seq_printf' undefined!\nmake[2]: *** [scripts/Makefile.modpost:146: Module.symvers] Error 1\n",
    ),
    Log(
        "one module is built where the kernel is not",
        KPATCH,
        "no_symvers",
        "WARNING: vmlinux.o is missing.",
        "has no vmlinux.o",
        ORIGINAL + FAILED,
        "WARNING: vmlinux.o is missing.\n" + MISSING_SYMVERS + 'ERROR: modpost: "_printk" [drivers/q/q.ko] undefined!\n'
        "make[1]: *** [scripts/Makefile.modpost:145: modules-only.symvers] Error 1\n",
    ),
    # ---- what create-diff-object says of others than the patch, or says in few words ----
    Log(
        "data that the patch needs",
        KPATCH,
        "changed_data",
        "q.o: data section .data.foo selected for inclusion",
        ".data.foo",
        COMPARING + "q.o: data section .data.foo selected for inclusion\n"
        "ERROR: q.o: 1 unsupported section change(s)\ncreate-diff-object: unreconcilable difference\n" + COUNTED,
    ),
    Log(
        "a section of a group",
        KPATCH,
        "unsupported_section",
        "q.o: changed section .text.foo is part of a section group",
        "(.text.foo)",
        COMPARING + "q.o: changed section .text.foo is part of a section group\n"
        "q.o: new/changed group sections are not supported\n"
        "ERROR: q.o: 1 unsupported section change(s)\ncreate-diff-object: unreconcilable difference\n" + COUNTED,
    ),
    Log(
        "a new group of sections",
        KPATCH,
        "unsupported_section",
        "q.o: new/changed group sections are not supported",
        "a group of sections of q.o, which",
        COMPARING + "q.o: new/changed group sections are not supported\n"
        "ERROR: q.o: 1 unsupported section change(s)\ncreate-diff-object: unreconcilable difference\n" + COUNTED,
    ),
    Log(
        "a function that the vmlinux does not have",
        KPATCH,
        "vmlinux_mismatch",
        "can't find symbol 'foo' in symbol table",
        "can't find symbol 'foo' in symbol table",
        COMPARING + SAYS + "kpatch_create_patches_sections: 2: can't find symbol 'foo' in symbol table\n" + COUNTED,
    ),
    Log(
        "a function of the file that the vmlinux does not have",
        KPATCH,
        "vmlinux_mismatch",
        "can't find local symbol 'foo' in symbol table",
        "can't find local symbol 'foo' in symbol table",
        COMPARING + SAYS + "kpatch_create_patches_sections: 2: can't find local "
        "symbol 'foo' in symbol table\n" + COUNTED,
    ),
    Log(
        "two symbols of one name",
        KPATCH,
        "vmlinux_mismatch",
        "duplicate global symbol found for foo",
        "duplicate global symbol found for foo",
        COMPARING + SAYS + "lookup_global_symbol: 9: duplicate global symbol found for foo\n" + COUNTED,
    ),
    Log(
        "the size of a structure was not told",
        KPATCH,
        "no_special_section",
        "JUMP_STRUCT_SIZE not set",
        "JUMP_STRUCT_SIZE",
        COMPARING + SAYS + "jump_table_group_size: 1: JUMP_STRUCT_SIZE not set\n" + COUNTED,
    ),
    Log(
        "a structure that the tool does not know",
        KPATCH,
        "tool_not_for_kernel",
        "BUG: __jump_table has an unexpected format",
        "BUG: __jump_table has an unexpected format",
        COMPARING + SAYS + "kpatch_check_jump: 3: BUG: __jump_table has an unexpected format\n" + COUNTED,
    ),
    Log(
        "create-diff-object with words of its own",
        KPATCH,
        "tool_crashed",
        "can't decode instruction in section .text.foo at offset 0x3",
        "can't decode instruction in section .text.foo at offset 0x3",
        COMPARING + SAYS + "insn_length: 8: can't decode instruction in section .text.foo at offset 0x3\n" + COUNTED,
    ),
    Log(
        "symbol versions in no known form",
        KPATCH,
        "no_symvers",
        "Module.symvers: invalid format",
        "Module.symvers",
        COMPARING + SAYS + "symvers_read: 1: Module.symvers: invalid format\n" + COUNTED,
    ),
    Log(
        "a call at the end of a function",
        KPATCH,
        "unreconcilable",
        "Found an unsupported sibling call at foo()+0x10.",
        "foo, which the patch changes, ends with a call",
        COMPARING + "q.o: Found an unsupported sibling call at foo()+0x10.  Add "
        '__attribute__((optimize("-fno-optimize-sibling-calls"))) to foo() definition.\n'
        + SAYS
        + "kpatch_check_sibling_calls: 3: Found 1 unsupported sibling "
        "call(s) in the patched code.\n" + COUNTED,
    ),
    Log(
        "symbol versions that are damaged, for kpatch-build",
        KPATCH,
        "no_symvers",
        "ERROR: Malformed /srv/cache/tmp/Module.symvers file",
        "damaged",
        PATCHED + "ERROR: Malformed /srv/cache/tmp/Module.symvers file." + LOOK,
    ),
    Log(
        "symbol versions without the kernel",
        KPATCH,
        "no_symvers",
        "ERROR: truncated /srv/cache/source/Module.symvers file",
        "no symbol of vmlinux",
        PATCHED + "ERROR: truncated /srv/cache/source/Module.symvers file." + LOOK,
    ),
    Log(
        "an exported symbol that the patch takes away",
        KPATCH,
        "symbol_version",
        "ERROR: Malformed symbol entry for q_export in /srv/cache/source/Module.symvers file",
        "takes q_export away",
        PATCHED + "ERROR: Malformed symbol entry for q_export in /srv/cache/source/Module.symvers file." + LOOK,
    ),
    # ---- further words for the same ----
    Log(
        "memory is exhausted",
        KPATCH,
        "no_memory",
        "cc1: fatal error: virtual memory exhausted",
        "cc1",
        ORIGINAL + FAILED,
        "cc1: fatal error: virtual memory exhausted\nmake[3]: *** [scripts/Makefile.build:243: fs/q.o] Error 1\n",
    ),
    Log(
        "noexec, for the builder itself",
        KPATCH,
        "noexec",
        "/srv/kpatch/create-diff-object: Permission denied",
        "create-diff-object",
        COMPARING + "/srv/kpatch/kpatch-build: line 900: /srv/kpatch/create-diff-object: Permission denied\n" + COUNTED,
    ),
    Log(
        "kpatch-build says that gawk is missing",
        KPATCH,
        "missing_program",
        "ERROR: gawk not installed",
        "gawk",
        READING + "ERROR: gawk not installed.\n",
    ),
    Log(
        "a program of the builder is missing",
        KPATCH,
        "missing_program",
        "line 620: strings: command not found",
        "strings",
        "/usr/bin/kpatch-build: line 620: strings: command not found\n" + FAILED,
    ),
    Log(
        "a program of the builder crashes",
        KLP,
        "tool_crashed",
        "Segmentation fault",
        "objtool",
        DIFFING + 'klp-build: line 730: 4711 Segmentation fault      "$OBJTOOL" klp diff (objtool)\n'
        "error: klp-build: objtool klp diff failed\n",
    ),
    Log(
        "a kernel of openEuler without an option",
        KPATCH,
        "config",
        "openEuler kernel doesn't have 'CONFIG_LIVEPATCH_PER_TASK_CONSISTENCY' enabled",
        "CONFIG_LIVEPATCH_PER_TASK_CONSISTENCY",
        TESTING + "ERROR: openEuler kernel doesn't have 'CONFIG_LIVEPATCH_PER_TASK_CONSISTENCY' enabled.\n",
    ),
    Log(
        "a vmlinux that was not built for klp-build",
        KLP,
        "config",
        "kernel not built with CONFIG_KLP_BUILD?",
        "vmlinux.o",
        DIFFING + "error: objtool: vmlinux.o: missing .discard.klp_symid section, kernel not built with "
        "CONFIG_KLP_BUILD?\n"
        "error: klp-build: objtool klp diff failed\n" + NOISE,
    ),
    Log(
        "a kernel without replace",
        KPATCH,
        "replace_not_supported",
        "ERROR: The kernel doesn't support klp replace",
        "replace",
        TESTING + "ERROR: The kernel doesn't support klp replace.\n",
    ),
    Log(
        "no vmlinux",
        KPATCH,
        "no_debug_info",
        "ERROR: can't find vmlinux",
        "vmlinux",
        "ERROR: can't find vmlinux.\n",
    ),
    Log(
        "a symbol that the vmlinux lacks",
        KPATCH,
        "vmlinux_mismatch",
        "q_hidden not found in vmlinux symbol table",
        "q_hidden",
        COMPARING + "create-diff-object: ERROR: q.o: q_lookup: 70: q_hidden not found in vmlinux symbol "
        "table\n" + COUNTED,
    ),
    Log(
        "a symbol whose place nobody knows",
        KLP,
        "vmlinux_mismatch",
        "can't find sympos for q_run",
        "can't find sympos for q_run",
        DIFFING + "vmlinux.o: error: objtool: can't find sympos for q_run\n"
        "error: klp-build: objtool klp diff failed\n" + NOISE,
    ),
    Log(
        "a patch that went away before klp-build",
        KLP,
        "no_such_file",
        "0001.patch doesn't exist",
        "0001.patch",
        "error: klp-build: 0001.patch doesn't exist\n",
    ),
    Log(
        "a file that is not in the source",
        KLP,
        "does_not_apply",
        "can't find file to patch at input line 3",
        "its line 3",
        CHECKING + "can't find file to patch at input line 3\nPerhaps you used the wrong -p or --strip option?\n"
        "error: klp-build: 0001.patch did not apply\n",
    ),
    Log(
        "jump labels that are only counted",
        KPATCH,
        "jump_label",
        "2 unsupported jump labels in the patched code",
        "2 jump labels",
        COMPARING + "ERROR: q.o: 2 unsupported jump labels in the patched code\n" + COUNTED,
    ),
    Log(
        "sections that are only counted",
        KPATCH,
        "unsupported_section",
        "ERROR: q.o: 3 unsupported section change(s)",
        "3 sections of q.o",
        COMPARING + "ERROR: q.o: 3 unsupported section change(s)\n" + COUNTED,
    ),
    Log(
        "a difference that is not told",
        KPATCH,
        "unreconcilable",
        "create-diff-object: unreconcilable difference",
        "unreconcilable difference",
        COMPARING + "create-diff-object: unreconcilable difference\n" + COUNTED,
    ),
    # ---- nobody knows ----
    Log(
        "an error that nobody knows",
        KPATCH,
        "build_failed",
        "q-gen: error: table is upside down",
        "kpatch-build ended with 1 while building the patched source: q-gen: error: table is upside down.",
        PATCHED + FAILED,
        APPLIED + APPLIED + "fs/q.c:1:1: warning: error-prone\nq-gen: error: table is upside down\n"
        "make[2]: *** [fs/Makefile:3: fs/q.h] Error 3\nmake[1]: *** [Makefile:1936: fs] Error 2\n",
    ),
    Log(
        "only make says something",
        MAKE,
        "build_failed",
        "make[2]: *** [/tmp/x/Makefile:9: q.h] Error 3",
        "make ended with 1 while compiling the sources: make[2]: *** [/tmp/x/Makefile:9: q.h] Error 3.",
        "  GEN     q.h\nmake[2]: *** [/tmp/x/Makefile:9: q.h] Error 3\nmake[1]: *** [Makefile:1936: /tmp/x] Error 2\n",
    ),
    Log("nothing is said", KPATCH, "build_failed", "it said nothing", "it said nothing", ""),
)
