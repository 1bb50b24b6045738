# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A stand-in for the kernel's klp-build: it builds nothing, and keeps and prints what the real one does.

It takes the same options, insists on the same folders, writes down how it was called, and puts a file made elsewhere
where the result belongs. What it prints was printed by that of Linux 7.3.
"""

from __future__ import annotations

import os
import pathlib
import stat
import sys

STAND_IN = """\
#!{python} -IS
import getopt, json, os, shutil, sys, time
calls = {calls!r}
with open(calls, "a") as stream:
    call = {{"arguments": sys.argv[1:], "environ": dict(os.environ), "folder": os.getcwd()}}
    call["config"] = open(".config").read()
    call["kept"] = os.path.isdir("klp-tmp")
    stream.write(json.dumps(call) + "\\n")
def say(*lines):
    for line in lines:
        print(line, flush=True)
def die(*lines):
    print(*lines, sep="\\n", file=sys.stderr, flush=True)
    sys.exit(1)
names = ["output=", "no-replace", "jobs=", "short-circuit=", "keep-tmp", "debug"]
try:
    options, patches = getopt.gnu_getopt(sys.argv[1:], "fj:o:vdS:T", names)
except getopt.GetoptError as error:
    print("getopt: unrecognized option '--" + error.opt + "'", file=sys.stderr)
    sys.exit(0)
value = dict(options)
if "-S" in value and not os.path.isfile("klp-tmp/1-orig/.complete"):
    die("error: klp-build: -S 2 requires completed " + os.getcwd() + "/klp-tmp/1-orig")
if "-S" not in value:
    shutil.rmtree("klp-tmp", ignore_errors=True)
os.makedirs("klp-tmp/stash", exist_ok=True)
os.replace("scripts/setlocalversion", "klp-tmp/stash/setlocalversion")
open("scripts/setlocalversion", "w").write("edited")
say("Validating patch(es)")
if "-S" not in value:
    say("Building original kernel", "Copying original object files")
    open("vmlinux.o", "w").write("object")
    os.makedirs("klp-tmp/1-orig")
    open("klp-tmp/1-orig/.complete", "w").close()
say("Fixing patch(es)", "Building patched kernel")
with open("kernel/x.c", "a") as stream:
    stream.write("patched")
time.sleep({seconds})
printed, status, makes = {then!r}
if status < 0:
    os.kill(os.getpid(), -status)
text = open("kernel/x.c").read()
open("kernel/x.c", "w").write(text[:-len("patched")])
os.replace("klp-tmp/stash/setlocalversion", "scripts/setlocalversion")
say("Copying patched object files", "Generating original checksums", "Generating patched checksums", "Diffing objects")
say("vmlinux.o: changed function: cmdline_proc_show", "vmlinux.o: new function: lp_add")
say(*printed)
if status:
    sys.exit(status)
say("Building patch module: " + value["-o"])
if makes:
    shutil.copyfile({result!r}, value["-o"])
say("SUCCESS")
"""


def install(
    source: pathlib.Path,
    result: pathlib.Path,
    calls: pathlib.Path,
    printed: tuple[str, ...] = (),
    status: int = 0,
    makes: bool = True,
    seconds: float = 0,
) -> None:
    """Put it into a kernel's source. It prints these lines, ends with this status, and makes the module or not."""
    folder = source / "scripts/livepatch"
    folder.mkdir(parents=True, exist_ok=True)
    text = STAND_IN.format(
        python=sys.executable,
        calls=str(calls),
        result=str(result),
        then=(printed, status, makes),
        seconds=seconds,
    )
    for name, content in (("klp-build", text), ("fix-patch-lines", "#!/usr/bin/awk -f\n")):
        (folder / name).write_text(content, encoding="utf-8")
        os.chmod(folder / name, stat.S_IRWXU)
