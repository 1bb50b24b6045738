# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Measure livepatch_build beside bare kpatch-build, in CPU seconds of the build host; run by "make bench-kpatch".

Both build the same patches from the same source, one after the other: the bare tool in a tree of its own that it keeps
warm, the module with an empty cache. What is measured is what getrusage says of all processes of a build, one job at a
time: CPU seconds then hardly depend on what else the machine does.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys

SOURCE = "/usr/src/linux-{{ rig_kernel_release }}"
VMLINUX = "/usr/lib/debug/lib/modules/{{ rig_kernel_release }}/vmlinux"
PATCHES = ("cmdline", "0001-test", "series-1")

# What is wanted of the module: a second patch against its own first one, and against the bare tool in its warm tree.
OF_THE_FIRST_LIMIT = 0.15
OF_BARE_LIMIT = 1.05
OF_BARE_WANTED = 0.6
OVERHEAD_LIMIT = 2.0

CHILDREN = """
import resource, subprocess, sys
done = subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
sys.stderr.buffer.write(done.stderr)
usage = resource.getrusage(resource.RUSAGE_CHILDREN)
print(usage.ru_utime + usage.ru_stime)
sys.exit(done.returncode)
"""


def ansible(module: str, **arguments: object) -> str:
    """Return what Ansible prints of the result of one task on the build host, which must succeed."""
    command = ["ansible", "builders", "-m", module, "-a", json.dumps(arguments)]
    environment = {**os.environ, "ANSIBLE_CALLBACK_RESULT_FORMAT": "json"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"bench: {module} failed:\n{done.stdout}{done.stderr}")
    return done.stdout


def bare(patch: str) -> float:
    """CPU seconds of kpatch-build itself, in a tree that only it uses."""
    tool = ["kpatch-build", "-j", "1", "-s", "/srv/bare", "-c", "/srv/bare/.config", "-v", VMLINUX, "-o", "/srv/out"]
    command = ["python3", "-c", CHILDREN, *tool, f"/srv/patches/{patch}.patch"]
    return float(ansible("ansible.builtin.command", argv=command).split()[-1])


def ours(patch: str) -> tuple[float, float]:
    """CPU seconds of one task: of the build, and of all that the module does besides."""
    arguments = {"patches": [f"/srv/patches/{patch}.patch"], "kernel_release": "{{ rig_kernel_release }}"}
    printed = ansible(
        "openeuler.livepatch.livepatch_build",
        dest="/srv/ours/",
        cache_dir="/srv/cache",
        rebuild="always",
        progress=False,
        jobs=1,
        **arguments,
    )
    cpu = json.loads(printed.partition("=>")[2])["cpu_seconds"]
    return float(cpu["build"]), float(cpu["besides"])


def main() -> None:
    here = "tests/bench/../.."
    for source in (f"{here}/molecule/build/files/", f"{here}/examples/cmdline.patch"):
        ansible("ansible.builtin.copy", src=source, dest="/srv/patches/", mode="preserve")
    ansible("ansible.builtin.shell", cmd=f"mkdir -p /srv/out && cp -a {SOURCE} /srv/bare")
    rows = []
    for patch in PATCHES:
        print(f"bench: {patch} with kpatch-build itself ...", flush=True)
        alone = bare(patch)
        print(f"bench: {patch} with livepatch_build ...", flush=True)
        rows.append((patch, alone, *ours(patch)))
    print(f"\n{'CPU seconds':14}{'kpatch-build':>14}{'livepatch_build':>17}{'besides':>10}{'of bare':>10}")
    for patch, alone, build, besides in rows:
        print(f"{patch:14}{alone:14.1f}{build:17.1f}{besides:10.1f}{(build + besides) / alone:10.2f}")
    first = rows[0][2] + rows[0][3]
    for patch, alone, build, besides in rows[1:]:
        both = build + besides
        print(f"\n{patch}: {both / first:.3f} of the first (wanted: at most {OF_THE_FIRST_LIMIT})")
        print(f"  {both / alone:.2f} of the bare tool (at most {OF_BARE_LIMIT}, wanted: {OF_BARE_WANTED})")
        print(f"  {besides:.1f} s besides the tool (wanted: at most {OVERHEAD_LIMIT})")


if __name__ == "__main__":
    main()
