# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Measure livepatch_build beside the bare tool that it calls, in CPU seconds of the build host.

Run by "make bench-kpatch" and "make bench-klp-build". Both build the same patches from the same source, one after the
other: the bare tool in a tree of its own that it keeps warm, the module with an empty cache. What is measured is what
getrusage says of all processes of a build, one job at a time: CPU seconds then hardly depend on what else the machine
does. Both modules are compared afterwards, without debug information, which has the names of the trees, and without the
build id, which the linker makes of that as well. So are those of ten more patches, each to another file: the module
compiles less than the bare tool does, and must make the same of it.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass

SOURCE = "/usr/src/linux-{{ rig_kernel_release }}"
VMLINUX = "/usr/lib/debug/lib/modules/{{ rig_kernel_release }}/vmlinux"
TREE = "/srv/bare"

OVERHEAD_LIMIT = 2.0
"""What the module may cost besides the tool, in seconds."""

FILES = ("cmdline", "version", "uptime", "loadavg", "devices", "consoles", "softirqs", "stat", "meminfo", "kmsg")
"""The files in fs/proc that the ten patches change: they print a line before the first return of a function."""

MAKE_PATCH = r"""
cd "$1"; changed=/srv/changed/fs/proc/$2.c patch=/srv/patches/$2.patch; mkdir -p "${changed%/*}"
awk '$0 == "\treturn 0;" && !done { print "\tpr_info(\"livepatch\");"; done = 1 } { print }' "fs/proc/$2.c" > "$changed"
diff -u --label "a/fs/proc/$2.c" --label "b/fs/proc/$2.c" "fs/proc/$2.c" "$changed" > "$patch" || [ $? = 1 ]
"""

CHILDREN = """
import resource, subprocess, sys
done = subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
sys.stderr.buffer.write(done.stderr)
usage = resource.getrusage(resource.RUSAGE_CHILDREN)
print(usage.ru_utime + usage.ru_stime)
sys.exit(done.returncode)
"""


@dataclass(frozen=True)
class Tool:
    """A builder, and what is wanted of livepatch_build beside it."""

    method: str
    first: tuple[str, ...]
    """The command that builds in a tree for the first time, up to the name of the result."""
    again: tuple[str, ...]
    """The same in a tree that is warm."""
    patches: tuple[str, ...]
    of_bare: float
    """What a later patch may cost of what it costs the bare tool in its warm tree."""
    of_the_first: float
    """What a later patch may cost of the bare tool's first run."""


KPATCH_BUILD = ("kpatch-build", "-j", "1", "-s", TREE, "-c", f"{TREE}/.config", "-v", VMLINUX, "-n")
KLP_BUILD = ("scripts/livepatch/klp-build", "-j", "1")
TOOLS = {
    "kpatch": Tool(
        "kpatch",
        (*KPATCH_BUILD, "{name}", "-o", "/srv/out"),
        (*KPATCH_BUILD, "{name}", "-o", "/srv/out"),
        ("cmdline", "0001-test", "series-1"),
        of_bare=0.25,
        of_the_first=0.15,
    ),
    "klp-build": Tool(
        "klp_build",
        (*KLP_BUILD, "-T", "-o", "/srv/out/{name}.ko"),
        (*KLP_BUILD, "-S", "2", "-o", "/srv/out/{name}.ko"),
        ("cmdline", "0001-test-7", "series-1"),
        of_bare=1.1,
        of_the_first=0.04,
    ),
}


def ansible(module: str, **arguments: object) -> str:
    """Return what Ansible prints of the result of one task on the build host, which must succeed."""
    command = ["ansible", "builders", "-m", module, "-a", json.dumps(arguments)]
    environment = {**os.environ, "ANSIBLE_CALLBACK_RESULT_FORMAT": "json"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"bench: {module} failed:\n{done.stdout}{done.stderr}")
    return done.stdout


def bare(command: tuple[str, ...], patch: str) -> float:
    """CPU seconds of the tool itself, in a tree that only it uses."""
    argv = [word.replace("{name}", f"livepatch-{patch}") for word in command]
    argv = ["python3", "-c", CHILDREN, *argv, f"/srv/patches/{patch}.patch"]
    return float(ansible("ansible.builtin.command", argv=argv, chdir=TREE).split()[-1])


def ours(method: str, patch: str) -> tuple[float, float]:
    """CPU seconds of one task: of the build, and of all that the module does besides."""
    printed = ansible(
        "openeuler.livepatch.livepatch_build",
        patches=[f"/srv/patches/{patch}.patch"],
        kernel_release="{{ rig_kernel_release }}",
        method=method,
        dest="/srv/ours/",
        cache_dir="/srv/cache",
        rebuild="always",
        progress=False,
        jobs=1,
    )
    cpu = json.loads(printed.partition("=>")[2])["cpu_seconds"]
    return float(cpu["build"]), float(cpu["besides"])


COMPARE = """
cd /srv/compared
for place in out ours; do
  objcopy --strip-debug --remove-section=.note.gnu.build-id "/srv/$place/$1.ko" "$place.ko"
done
if cmp -s out.ko ours.ko; then echo the same bytes; else echo OTHER BYTES; fi
"""


def compared(patch: str) -> str:
    """Whether both have built the same module."""
    argv = ["sh", "-euc", COMPARE, "sh", f"livepatch-{patch}"]
    return ansible("ansible.builtin.command", argv=argv).rstrip().rpartition("\n")[2]


def main(tool: Tool) -> None:
    here = "tests/bench/../.."
    for source in (f"{here}/molecule/build/files/", f"{here}/examples/cmdline.patch"):
        ansible("ansible.builtin.copy", src=source, dest="/srv/patches/", mode="preserve")
    ansible("ansible.builtin.shell", cmd=f"mkdir -p /srv/out /srv/compared && cp -a {SOURCE} {TREE}")
    rows = []
    print(f"\n{'CPU seconds':14}{'bare tool':>14}{'livepatch_build':>17}{'besides':>10}{'of bare':>10}", flush=True)
    for patch in tool.patches:
        alone = bare(tool.again if rows else tool.first, patch)
        build, besides = ours(tool.method, patch)
        ratio = (build + besides) / alone
        print(f"{patch:14}{alone:14.1f}{build:17.1f}{besides:10.1f}{ratio:10.2f}  {compared(patch)}", flush=True)
        rows.append((patch, alone, build, besides))
    print("\nTen more patches in both ways:")
    for name in FILES:
        ansible("ansible.builtin.command", argv=["sh", "-euc", MAKE_PATCH, "sh", SOURCE, name])
        bare(tool.again, name)
        ours(tool.method, name)
        print(f"{name}: {compared(name)}", flush=True)
    first = rows[0][1]
    for patch, alone, build, besides in rows[1:]:
        both = build + besides
        print(f"\n{patch}: {both / alone:.2f} of the bare tool in its warm tree (wanted: at most {tool.of_bare})")
        print(f"  {both / first:.3f} of the bare tool's first run (wanted: at most {tool.of_the_first})")
        print(f"  {besides:.1f} s besides the tool (wanted: at most {OVERHEAD_LIMIT})")


if __name__ == "__main__":
    main(TOOLS[sys.argv[1]])
