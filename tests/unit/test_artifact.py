# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What ansible-galaxy packs is what a user can use, and galaxy.yml names its licences."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
# Not by its name: "ansible-test units" has no commands in its PATH.
ANSIBLE_GALAXY = "from ansible.cli.galaxy import main; main()"
LICENCE = re.compile(rb"SPDX-License-Identifier[:] ([\w.+-]+)")
HEAD_BYTES = 600

Content = dict[str, bytes]


@pytest.fixture(scope="module", name="content")
def _content(tmp_path_factory: pytest.TempPathFactory) -> Content:
    """The files of a new artifact, each by its path in it."""
    folder = tmp_path_factory.mktemp("artifact")
    command = [sys.executable, "-c", ANSIBLE_GALAXY, "collection", "build", "--output-path", str(folder), str(ROOT)]
    done = subprocess.run(command, env={**os.environ, "HOME": str(folder)}, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    (artifact,) = folder.glob("openeuler-livepatch-*.tar.gz")
    files = {}
    with tarfile.open(artifact) as archive:
        for member in archive:
            packed = archive.extractfile(member)
            if packed:
                files[member.name] = packed.read()
    return files


def test_it_has_what_a_user_can_use_and_nothing_else(content: Content) -> None:
    assert {name.split("/")[0] for name in content} == {
        ".ansible-lint",
        "CHANGELOG.rst",
        "CODE_OF_CONDUCT.md",
        "CONTRIBUTING.md",
        "FILES.json",
        "LICENSE",
        "LICENSES",
        "MANIFEST.json",
        "README.md",
        "REUSE.toml",
        "changelogs",
        "docs",
        "examples",
        "extensions",
        "meta",
        "playbooks",
        "plugins",
        "roles",
        "tests",
    }
    assert [name for name in content if name.startswith("tests/")] == ["tests/config.yml"]
    assert [name for name in content if name.startswith("extensions/")] == ["extensions/eda/rulebooks/fix_lost.yml"]


def test_it_has_no_source_patch_and_no_playbook_that_needs_one(content: Content) -> None:
    assert [name for name in content if name.endswith(".patch")] == []
    patches = [path.name for path in (ROOT / "examples").rglob("*.patch")]
    assert patches
    for name, packed in content.items():
        if name.startswith("examples/"):
            assert not [patch for patch in patches if patch.encode() in packed], name


def test_galaxy_yml_lists_the_licences_of_what_is_in_it(content: Content) -> None:
    listed = yaml.safe_load((ROOT / "galaxy.yml").read_text(encoding="utf-8"))["license"]
    found = {match[1].decode() for packed in content.values() if (match := LICENCE.search(packed[:HEAD_BYTES]))}
    texts = {Path(name).stem for name in content if name.startswith("LICENSES/")}
    assert sorted(listed) == sorted(found) == sorted(texts)
