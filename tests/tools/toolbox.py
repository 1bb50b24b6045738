# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Paths, functions that run commands, and the virtual environments of the tools. Standard library only."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import typing as t
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[2]
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "openeuler-livepatch"
WORK = CACHE / "work" / hashlib.sha256(str(CHECKOUT).encode()).hexdigest()[:12]
REQUIREMENTS = CHECKOUT / "tests" / "requirements" / "tools.txt"
APT_GET = CHECKOUT / "tests" / "rig" / "apt_get.py"
BROWSER_REQUIREMENTS = REQUIREMENTS.with_name("browser.txt")
EDA_REQUIREMENTS = REQUIREMENTS.with_name("eda.txt")
MONITORING_REQUIREMENTS = REQUIREMENTS.with_name("monitoring.txt")
OLDEST_REQUIREMENTS = REQUIREMENTS.with_name("oldest.txt")
VEX_REQUIREMENTS = REQUIREMENTS.with_name("vex.txt")

Argv = t.Sequence["str | Path"]
Environ = t.Mapping[str, str]


class Stop(Exception):
    """The work cannot go on. The message is a sentence for the user."""


def run(argv: Argv, *, cwd: Path = CHECKOUT, env: Environ | None = None) -> None:
    """Run a command, which prints by itself. Raises Stop if it fails. On an interrupt, wait until it has cleaned up."""
    with subprocess.Popen([str(arg) for arg in argv], cwd=cwd, env=env) as process:
        try:
            status = process.wait()
        except BaseException as reason:
            if not isinstance(reason, KeyboardInterrupt):  # Ctrl-C has reached the command as well
                process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(60)
            process.kill()
            raise
    if status:
        raise Stop(f"{Path(argv[0]).name} ended with status {status}.")


def capture(argv: Argv, *, cwd: Path = CHECKOUT, env: Environ | None = None) -> str:
    """Return what a command printed. Raises Stop with all that it printed if it fails."""
    try:
        done = subprocess.run([str(arg) for arg in argv], cwd=cwd, env=env, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        raise Stop(f"{argv[0]} is needed and was not found.") from None
    if done.returncode:
        raise Stop(f"{Path(argv[0]).name} ended with status {done.returncode}:\n{(done.stdout + done.stderr).strip()}")
    return done.stdout


@contextlib.contextmanager
def lock(name: str) -> t.Iterator[None]:
    """Keep two runs from making the same thing at the same time. The kernel drops the lock when a run ends."""
    CACHE.mkdir(parents=True, exist_ok=True)
    with open(CACHE / f"{name}.lock", "w", encoding="utf-8") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def venv(label: str, requirements: Path | str, python: Path = Path(sys.executable)) -> Path:
    """Return a virtual environment with these requirements (a file, or one requirement). Makes it if it is missing."""
    content = requirements.read_text(encoding="utf-8") if isinstance(requirements, Path) else requirements
    real_python = python.resolve()
    version = capture([real_python, "-c", "import platform; print(platform.python_version())"]).strip()
    digest = hashlib.sha256(f"{real_python}\n{content}".encode()).hexdigest()[:12]
    path = CACHE / f"{label}-{version}-{digest}"
    complete = path / "complete"
    with lock(path.name):
        if complete.exists():
            return path
        print(f"    {label}: installing into {path} (once)", flush=True)
        need_ensurepip(real_python)
        shutil.rmtree(path, ignore_errors=True)
        capture([real_python, "-m", "venv", path])
        wanted = ["-r", requirements] if isinstance(requirements, Path) else [requirements]
        capture([path / "bin" / "python", "-m", "pip", "install", "-qq", "--disable-pip-version-check", *wanted])
        complete.touch()
    return path


def need_ensurepip(python: Path) -> None:
    """Install ensurepip, which `python -m venv` needs, if the distribution has another package for it, as Debian."""
    probe = [str(python), "-c", "import ensurepip, venv"]
    if subprocess.run(probe, capture_output=True, check=False).returncode == 0:
        return
    package = f"{python.name}-venv" if python.name != "python3" else "python3-venv"
    install_package(
        package, f"{python} cannot make virtual environments: install its venv package (Debian: {package})."
    )


def install_package(name: str, otherwise: str) -> None:
    """Install a Debian package. Raises Stop with the message `otherwise` if this machine or user cannot."""
    become = [] if os.geteuid() == 0 else ["sudo"]
    if not shutil.which("apt-get") or (become and not shutil.which("sudo")):
        raise Stop(otherwise)
    print(f"    installing the Debian package {name}", flush=True)
    for arguments in (["update"], ["install", "--yes", "--no-install-recommends", name]):
        run([*become, sys.executable, "-B", APT_GET, *arguments])


def chromium() -> str:
    """Return the browser of the tests, installed if it is missing."""
    names = ("chromium", "chromium-browser", "google-chrome")
    found = next(filter(None, map(shutil.which, names)), None)
    if found is None:
        install_package("chromium", f"A browser is needed: install one of {', '.join(names)}.")
        found = shutil.which("chromium")
    return found or names[0]


def need_java() -> None:
    """Install a Java runtime if it is missing."""
    if not (os.environ.get("JAVA_HOME") or shutil.which("java")):
        install_package("default-jre-headless", "A Java runtime is needed, of version 17 or later: install one.")


def promtool() -> Path:
    """Return Prometheus' promtool, out of Debian's package if it is missing. To install that would start a server."""
    found = shutil.which("promtool")
    if found:
        return Path(found)
    path = CACHE / "promtool"
    with lock("promtool"):
        if not path.exists():
            if not (shutil.which("apt-get") and shutil.which("dpkg-deb")):
                raise Stop("promtool is needed: install Prometheus' tools.")
            print("    downloading the Debian package prometheus, for promtool (once)", flush=True)
            become = [] if os.geteuid() == 0 else ["sudo"]
            run([*become, sys.executable, "-B", APT_GET, "update"])
            with tempfile.TemporaryDirectory(dir=CACHE) as folder:
                run([sys.executable, "-B", APT_GET, "download", "prometheus"], cwd=Path(folder))
                (package,) = Path(folder).glob("*.deb")
                run(["dpkg-deb", "-x", package, folder])
                os.replace(Path(folder) / "usr/bin/promtool", path)
    return path


def tools() -> Path:
    """Return the virtual environment of all tools."""
    return venv("venv", REQUIREMENTS)


def tool_environ(**more: str | Path) -> dict[str, str]:
    """Return the environment of the gates: the tools are first in PATH, and their caches are outside the checkout."""
    path = tools()
    return {
        **os.environ,
        "PATH": f"{path / 'bin'}{os.pathsep}{os.environ['PATH']}",
        "VIRTUAL_ENV": str(path),
        "PYTHONPYCACHEPREFIX": str(WORK / "pycache"),
        "PYTHONDONTWRITEBYTECODE": "",
        "COVERAGE_FILE": str(WORK / "coverage"),
        "HYPOTHESIS_STORAGE_DIRECTORY": str(WORK / "hypothesis"),
        "MYPY_CACHE_DIR": str(WORK / "mypy"),
        "RUFF_CACHE_DIR": str(WORK / "ruff"),
        **{name: str(value) for name, value in more.items()},
    }
