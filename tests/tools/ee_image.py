# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The execution environment as an image: buildah builds it in a chroot, and ansible-runner runs a job in it.

Two things are not as in the definition of examples/awx: the base is made of Debian's packages, since the tests do not
count on a registry of images, and the collection is the built artifact, which no Galaxy has.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import tempfile
import typing as t
from pathlib import Path

import galaxy
import package_set
import staging
from toolbox import CACHE, CHECKOUT, WORK, Argv, Stop, capture, install_package, lock, run, venv

FOLDER = WORK / "ee-image"
BASE, IMAGE = "localhost/livepatch-base:1", "localhost/livepatch-ee:1"
MMDEBSTRAP = ("mmdebstrap", "--mode=root", "--variant=minbase", "trixie")
ARTIFACT = "livepatch.tar.gz"
REPLACED = {
    "    name: docker.io/library/debian:13\n": f"    name: {BASE}\n",
    "      - openeuler.livepatch\n": f"      - name: /build/{ARTIFACT}\n        type: file\n",
}
"""A line of the definition -> what the test has instead."""

MORE = f"additional_build_files:\n  - src: {ARTIFACT}\n    dest: .\n"
HOST = "ansible_connection=local ansible_python_interpreter=/usr/bin/python3 livepatch_become=false"
# Where the image is and the image's user can write. AWX and ansible-navigator mount it as well.
PRIVATE_DATA = "/runner"


def hindrance() -> str:
    """Why this machine cannot build an image; empty if it can."""
    if os.geteuid() != 0:
        return "only root can build in a chroot"
    if subprocess.run(["unshare", "--mount", "true"], capture_output=True, check=False).returncode:
        return "this machine does not let root mount"
    missing = [name for name in ("buildah", "mmdebstrap") if not shutil.which(name)]
    if missing and not shutil.which("apt-get"):
        return f"{' and '.join(missing)} cannot be installed"
    return ""


def check() -> None:
    """Build the image and run a job in it, with the artifact, which must have been built and installed."""
    for name in ("buildah", "mmdebstrap"):
        if not shutil.which(name):
            install_package(name, f"{name} is needed: install it.")
    shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir(parents=True)
    try:
        build(context())
        container = buildah("from", IMAGE).strip()
        has_package_set(container)
        run_job(container)
    finally:
        buildah("rm", "--all")
        buildah("rmi", "--all", "--force")


def buildah_argv(*arguments: str | Path) -> list[str | Path]:
    """A command of buildah, which has its images here and nowhere else."""
    return ["buildah", "--root", FOLDER / "store", "--runroot", FOLDER / "run", *arguments]


def buildah(*arguments: str | Path) -> str:
    return capture(buildah_argv(*arguments))


def base() -> Path:
    """Return an archive with Debian 13. It is made once."""
    digest = hashlib.sha256(" ".join(MMDEBSTRAP).encode()).hexdigest()[:12]
    path = CACHE / f"debian-{digest}.tar"
    with lock(path.stem):
        if not path.exists():
            print("    mmdebstrap makes the base (once)", flush=True)
            with tempfile.TemporaryDirectory(dir=CACHE) as folder:
                made = Path(folder) / "base.tar"
                capture([*MMDEBSTRAP, made])
                os.replace(made, path)
    return path


def context() -> Path:
    """Return what ansible-builder makes of the definition."""
    text = (CHECKOUT / galaxy.AWX_DEFINITION).read_text(encoding="utf-8")
    for line, replacement in REPLACED.items():
        if text.count(line) != 1:
            raise Stop(f"{galaxy.AWX_DEFINITION} does not have the line {line.strip()!r} once.")
        text = text.replace(line, replacement)
    definition = FOLDER / "definition.yml"
    definition.write_text(f"{text}{MORE}", encoding="utf-8")
    shutil.copyfile(staging.built_artifact(), FOLDER / ARTIFACT)
    builder = venv("galaxy", galaxy.REQUIREMENTS, galaxy.python()) / "bin" / "ansible-builder"
    capture([builder, "create", "--file", definition, "--context", FOLDER / "context"])
    return FOLDER / "context"


def build(made: Path) -> None:
    """Build the image. Nothing is pulled."""
    container = buildah("from", "scratch").strip()
    buildah("add", container, base(), "/")
    buildah("commit", container, BASE)
    print("    buildah builds the image", flush=True)
    isolation = ["--isolation=chroot", "--pull-never", "--tag", IMAGE]
    buildah("build", *isolation, *settings_of_pip(), "--file", made / "Dockerfile", made)


def settings_of_pip() -> Argv:
    """The options with which pip finds the index of this machine, and trusts it, while the image is built."""
    lines, volumes = ["[global]"], []
    if "PIP_INDEX_URL" in os.environ:
        lines.append(f"index-url = {os.environ['PIP_INDEX_URL']}")
    if "PIP_CERT" in os.environ:
        lines.append("cert = /etc/pip-cert.pem")
        volumes.append(f"--volume={os.environ['PIP_CERT']}:/etc/pip-cert.pem:ro")
    settings = FOLDER / "pip.conf"
    settings.write_text("\n".join([*lines, ""]), encoding="utf-8")
    return [*volumes, f"--volume={settings}:/etc/pip.conf:ro"]


def has_package_set(container: str) -> None:
    """Raise Stop if the image lacks a package that the collection asks for."""
    frozen = buildah("run", "--isolation=chroot", container, "--", "python3", "-m", "pip", "freeze").lower()
    installed = {line.partition("==")[0] for line in frozen.splitlines()}
    needed = package_set.of_collection()
    missing = [name for name in needed if name.lower() not in installed]
    if missing or not needed:
        raise Stop(f"The image lacks {', '.join(missing) or 'what the collection asks for'}.")


def run_job(container: str) -> None:
    """Report this machine, with the playbook that the job template has and the program with which AWX runs it."""
    private = FOLDER / "job"
    shutil.copytree(CHECKOUT / galaxy.AWX_DEFINITION.parent, private / "project")
    given = {"livepatch_report_directory": f"{PRIVATE_DATA}/report"}
    for name, text in {"inventory/hosts": f"machine {HOST}\n", "env/extravars": json.dumps(given)}.items():
        (private / name).parent.mkdir()
        (private / name).write_text(text, encoding="utf-8")
    private.chmod(0o777)
    entry_point = ["/opt/builder/bin/entrypoint", "dumb-init"]
    job = [*entry_point, "ansible-runner", "run", PRIVATE_DATA, "--playbook", "report.yml"]
    run(buildah_argv("run", "--isolation=chroot", f"--volume={private}:{PRIVATE_DATA}", container, "--", *job))
    report: dict[str, t.Any] = json.loads((private / "report/livepatch.json").read_text(encoding="utf-8"))
    hosts = [host["name"] for host in report["hosts"]]
    if hosts != ["machine"]:
        raise Stop(f"The job in the image has reported {hosts}.")
