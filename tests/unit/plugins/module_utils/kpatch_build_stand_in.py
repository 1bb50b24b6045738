# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A stand-in for openEuler's kpatch-build, which no package archive of the tests has. It builds nothing.

It takes the options and reads the variables that the table in _kpatch/versions.py has for a version, writes down how it
was called, prints what the real one printed when it was measured, and puts a file made elsewhere where the result
belongs.
"""

from __future__ import annotations

import os
import pathlib
import stat
import sys

from ansible_collections.openeuler.livepatch.plugins.module_utils._kpatch.versions import OPENEULER_VERSIONS, Version

STAND_IN = """\
#!{python} -IS
import json, os, shutil, sys, time
# environment: {variables}
arguments = sys.argv[1:]
known = {options!r}
for word in arguments:
    if word.startswith("-") and word not in known:
        print("kpatch-build: unrecognized option '%s'\\nERROR: getopt failed." % word, file=sys.stderr)
        sys.exit(1)
if "--help" in arguments:
    print("usage: kpatch-build [options] <patch1 ... patchN>\\n" + {usage!r}, file=sys.stderr)
    sys.exit(0)
if "--version" in arguments:
    print("Version : {number}")
    sys.exit(0)
calls = {calls!r}
with open(calls, "a") as stream:
    stream.write(json.dumps({{"arguments": arguments, "environ": dict(os.environ)}}) + "\\n")
value = dict(zip(arguments, arguments[1:]))
log = os.path.join(os.environ["CACHEDIR"], "build.log")
def say(text):
    print(text, flush=True)
say("Testing patch file(s)")
say("Building original source")
with open(log, "w") as stream:
    stream.write("  CC      kernel/a.o\\n  CC [M]  fs/b.o\\n  LD      vmlinux\\n")
with open(os.path.join(value["-s"], "Module.symvers"), "w") as stream:
    stream.write("original")
time.sleep(0.02)
say("Building patched source")
os.makedirs(os.path.join(os.environ["CACHEDIR"], "tmp", "patched"))
time.sleep({seconds})
{then}
say("Extracting new and modified ELF sections")
say("cgroup.o: changed function: cgroup_exit")
say("Patched objects: vmlinux vmlinux")
say("Building patch module: " + value["-n"] + ".ko")
shutil.copyfile({result!r}, os.path.join(value["-o"], value["-n"] + ".ko"))
os.unlink(log)
say("SUCCESS")
"""

VERSION = OPENEULER_VERSIONS["0.9.7"]


def install(
    path: pathlib.Path,
    result: pathlib.Path,
    calls: pathlib.Path,
    version: Version = VERSION,
    then: str = "",
    seconds: float = 0,
) -> None:
    """Make the program; `then` is what else it does before it says what it found."""
    text = STAND_IN.format(
        python=sys.executable,
        variables=" ".join(version.variables),
        options=[word for line in version.options for word in line.split(", ")],
        usage="\n".join(version.options),
        number=version.number,
        calls=str(calls),
        result=str(result),
        then=then,
        seconds=seconds,
    )
    with open(path, "w", encoding="utf-8") as stream:
        stream.write(text)
    os.chmod(path, stat.S_IRWXU)
