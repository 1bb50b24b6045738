# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the role build makes of a fix before anything is built."""

from __future__ import annotations

import dataclasses
import json
import os
import re
import subprocess
import sys
import typing as t
from pathlib import Path

import yaml
from ansible_collections.openeuler.livepatch.plugins.module_utils._build.arguments import LIVEPATCH_BUILD
from ansible_collections.openeuler.livepatch.plugins.module_utils._build.kernel_places import debug_package
from ansible_collections.openeuler.livepatch.plugins.module_utils._observe.distribution import (
    Distribution,
    read_distribution,
)
from ansible_collections.openeuler.livepatch.plugins.module_utils._system.files import Files

ROOT = Path(__file__).resolve().parents[3]
# Not by its name: "ansible-test units" has no commands in its PATH.
ANSIBLE_PLAYBOOK = "from ansible.cli.playbook import main; main()"
OWN = {"fix", "method", "name", "patches", "sources", "kernel_release", "dest"}
"""The options that the role makes from the fix."""
KERNEL = {"release": "6.6", "host": "localhost"}
FIX = {
    "livepatch_build_fix": {"id": "CVE-2026-0001"},
    "livepatch_build_name": "my-fix",
    "livepatch_build_patches": ["x.patch"],
    "livepatch_build_kernels": [KERNEL],
}


def play(folder: Path, playbook: str, variables: dict[str, t.Any]) -> subprocess.CompletedProcess[str]:
    collection = folder / "ansible_collections/openeuler/livepatch"
    collection.mkdir(parents=True)
    for name in ("playbooks", "plugins", "roles"):
        (collection / name).symlink_to(ROOT / name)
    return subprocess.run(
        [sys.executable, "-c", ANSIBLE_PLAYBOOK, playbook, "--inventory=localhost,", "-e", json.dumps(variables)],
        cwd=folder,
        env={**os.environ, "ANSIBLE_COLLECTIONS_PATH": str(folder), "ANSIBLE_HOME": str(folder / "home")},
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_role_hands_on_what_the_module_takes() -> None:
    tasks = yaml.safe_load((ROOT / "roles/build/tasks/build.yml").read_text(encoding="utf-8"))
    (build,) = [task for task in tasks if "openeuler.livepatch.livepatch_build" in task]
    handed_on = set(build["openeuler.livepatch.livepatch_build"])
    assert handed_on == set(LIVEPATCH_BUILD["argument_spec"])
    known = yaml.safe_load((ROOT / "roles/build/vars/main.yml").read_text(encoding="utf-8"))
    assert known["__livepatch_build_known_options"] == sorted(handed_on - OWN)


def test_the_role_writes_in_one_folder_of_the_build_host() -> None:
    tasks = yaml.safe_load((ROOT / "roles/build/tasks/build.yml").read_text(encoding="utf-8"))
    given = [value for task in tasks for name, value in task.items() if "." in name and "fetch" not in name]
    places = [value for arguments in given for key, value in arguments.items() if key in ("path", "dest")]
    assert len(places) == len(given) == 4
    assert [place for place in places if not place.startswith("{{ __livepatch_build_folder }}/")] == []
    known = yaml.safe_load((ROOT / "roles/build/vars/main.yml").read_text(encoding="utf-8"))
    assert known["__livepatch_build_folder"] == "{{ __livepatch_build_asked.work }}/{{ __livepatch_build_asked.name }}"


def test_an_option_that_is_not_known_is_refused(tmp_path: Path) -> None:
    kernels = [{"release": "6.6", "hots": "builder", "src_dir": "/x"}]
    options = {"livepatch_become": False, "livepatch_build_options": {"cflag": ["-DX"]}}
    variables = {**FIX, **options, "livepatch_build_kernels": kernels}
    done = play(tmp_path, "openeuler.livepatch.build", variables)
    assert done.returncode == 2, done.stdout + done.stderr
    assert "livepatch_build_options has cflag, hots, which this role does not take" in done.stdout


def test_two_files_of_one_name_are_refused(tmp_path: Path) -> None:
    """They go into one folder of the build host, and the second one would be built in the place of the first."""
    files = {"livepatch_build_sources": [], "livepatch_build_patches": ["a/0001.patch", "b/0001.patch", "b/0002.patch"]}
    variables = {**FIX, **files, "livepatch_become": False, "livepatch_build_kernels": [{"release": "6.6"}]}
    done = play(tmp_path, "openeuler.livepatch.build", variables)
    assert done.returncode == 2, done.stdout + done.stderr
    assert "Two of the files 0001.patch, 0001.patch, 0002.patch have the same name" in done.stdout


def shown(folder: Path, text: str, *variables: dict[str, t.Any]) -> list[t.Any]:
    """What a text with templates in it is with the variables of the role and each of these."""
    plays = [
        {
            "hosts": "localhost",
            "connection": "local",
            "gather_facts": False,
            "vars_files": [str(ROOT / f"roles/build/{name}/main.yml") for name in ("defaults", "vars")],
            "tasks": [{"ansible.builtin.debug": {"msg": text}, "vars": {**FIX, **values}} for values in variables],
        }
    ]
    (folder / "play.yml").write_text(yaml.safe_dump(plays), encoding="utf-8")
    done = play(folder, "play.yml", {})
    assert done.returncode == 0, done.stdout + done.stderr
    found = re.findall(r"^ok: \[localhost\] => (\{\n.*?^\})$", done.stdout, re.MULTILINE | re.DOTALL)
    assert len(found) == len(variables), done.stdout
    return [json.loads(result)["msg"] for result in found]


OS_RELEASES = {
    "openEuler": 'NAME="openEuler"\nID="openEuler"\nVERSION_ID="24.03"\n',
    "Kylin": 'NAME="Kylin Linux Advanced Server"\nID="kylin"\nVERSION_ID="V10"\n',
    "RHEL": 'NAME="Red Hat Enterprise Linux"\nID="rhel"\nID_LIKE="fedora"\n',
    "Rocky": 'NAME="Rocky Linux"\nID="rocky"\nID_LIKE="rhel centos fedora"\n',
    "Oracle": 'NAME="Oracle Linux Server"\nID="ol"\nID_LIKE="fedora"\n',
    "UOS": 'NAME="UnionTech OS Server 20"\nID=uos\nID_LIKE="rhel fedora centos"\n',
    "Fedora": "NAME=Fedora\nID=fedora\n",
    "Debian": 'PRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\nID=debian\nVERSION_ID="12"\n',
    "Ubuntu": 'PRETTY_NAME="Ubuntu 22.04 LTS"\nID=ubuntu\nID_LIKE=debian\n',
    "SLES": 'NAME="SLES"\nID="sles"\nID_LIKE="suse"\n',
    "Leap": 'NAME="openSUSE Leap"\nID="opensuse-leap"\nID_LIKE="suse opensuse"\n',
}
"""os-release files as the distributions have them: each has the packages of its family."""


def read(folder: Path, text: str) -> Distribution:
    (folder / "etc").mkdir(exist_ok=True)
    (folder / "etc/os-release").write_text(text, encoding="utf-8")
    return read_distribution(Files(str(folder)), "")


def of(folder: Path, text: str) -> dict[str, object]:
    return dataclasses.asdict(read(folder, text))


def test_the_packages_and_the_name(tmp_path: Path) -> None:
    distributions: dict[str, object] = {
        **{name: {"livepatch": {"distribution": of(tmp_path, text)}} for name, text in OS_RELEASES.items()},
        "other": {"livepatch": {"distribution": {"id": "alpine", "like": None}}},
        "silent": {},
    }
    kernels = {"livepatch_build_kernels": [{"release": "6.6-default", "host": "localhost"}]}
    klp_build = {**kernels, "livepatch_build_method": "klp_build"}
    text = "{{ [__livepatch_build_name, __livepatch_build_wanted_packages] | to_json }}"
    texts = shown(
        tmp_path,
        text,
        *({"ansible_facts": facts, **more} for more in (kernels, klp_build) for facts in distributions.values()),
    )
    # Some versions of Ansible show such a text as the list that it is.
    named = [json.loads(found) if isinstance(found, str) else found for found in texts]
    assert {name for name, _packages in named} == {"my_fix"}
    packages = {name: set(named[place][1]) for place, name in enumerate(distributions)}
    of_klp_build = {name: set(named[place][1]) for place, name in enumerate(distributions, len(distributions))}
    assert {"kpatch", "kernel-source-6.6-default"} < packages["Kylin"]
    assert "kpatch-build" in packages["Rocky"] and "kpatch" not in packages["Rocky"]
    assert "linux-headers-6.6-default" in packages["Debian"]
    assert {"kernel-default-devel", "kernel-source"} < packages["SLES"]
    for name, text in OS_RELEASES.items():
        wanted = {"gawk", "patchutils", "patch", "bc", "flex", "bison", "perl"}
        assert wanted | {debug_package(read(tmp_path, text), "6.6-default")} < packages[name], name
        assert wanted < of_klp_build[name], name
        assert {"libxxhash-dev", "xxhash-devel"} & of_klp_build[name], name
    assert packages["other"] == packages["silent"] == of_klp_build["other"] == of_klp_build["silent"] == set()


def test_the_packages_are_those_of_the_builder_that_the_kernel_has(tmp_path: Path) -> None:
    facts = {"livepatch": {"distribution": {"id": "debian", "like": "Debian"}}}
    old, new = [{"release": "6.6"}], [{"release": "7.3.4+deb13-cloud-amd64"}]
    cases: list[tuple[list[dict[str, str]], dict[str, t.Any], set[str]]] = [
        (new, {}, {"libxxhash-dev"}),
        (old, {}, {"kpatch-build"}),
        ([*old, *new], {}, {"libxxhash-dev", "kpatch-build"}),
        (new, {"livepatch_build_method": "kpatch"}, {"kpatch-build"}),
        (old, {"livepatch_build_method": "klp_build"}, {"libxxhash-dev"}),
        (new, {"livepatch_build_sources": ["x.c"]}, set()),
        ([{"release": "next"}], {}, {"kpatch-build"}),
    ]
    variables = [
        {
            "ansible_facts": facts,
            "livepatch_build_kernels": [{**kernel, "host": "localhost"} for kernel in kernels],
            **more,
        }
        for kernels, more, _wanted in cases
    ]
    texts = shown(tmp_path, "{{ __livepatch_build_wanted_packages | to_json }}", *variables)
    named = [set(json.loads(found) if isinstance(found, str) else found) for found in texts]
    told = {"libxxhash-dev", "kpatch-build"}
    assert [found & told for found in named] == [wanted for _kernels, _more, wanted in cases]
