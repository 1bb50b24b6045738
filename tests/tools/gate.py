# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Run the stages that are named on the command line, one after the other; the Makefile calls this.

Each stage says when it starts and ends and how long it took. The first one that fails ends the run.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
import typing as t
from pathlib import Path

import docs_site
import ee_image
import galaxy
import package_set
import serving
import staging
from matrix import CORES, matrix
from mutants import mutants
from runner import ansible_test, interpreters, versions
from side_by_side import side_by_side
from toolbox import (
    BROWSER_REQUIREMENTS,
    CACHE,
    CHECKOUT,
    EDA_REQUIREMENTS,
    MONITORING_REQUIREMENTS,
    OLDEST_REQUIREMENTS,
    REQUIREMENTS,
    VEX_REQUIREMENTS,
    WORK,
    Argv,
    Stop,
    chromium,
    need_java,
    promtool,
    run,
    tool_environ,
    tools,
    venv,
)

PLAYS = "tests/unit/plays"
WALK = "ansible_collections.openeuler.livepatch.tests.unit.plugins.module_utils.walk"
IN_PARALLEL = ("--numprocesses=auto", "--dist=worksteal", "--durations=10")
MEMORY = Path("/dev/shm")
ROOM = 1 << 30
STARTED = float(os.environ.setdefault("LIVEPATCH_STARTED", str(time.time())))


def lint() -> None:
    """ruff, mypy, import-linter, yamllint, ansible-lint, antsibull-changelog, reuse: all, even if one fails."""
    collections = staging.COLLECTIONS
    staged, environ = staging.tree(), tool_environ(ANSIBLE_COLLECTIONS_PATH=collections, PYTHONPATH=collections)
    packages = [f"--package=ansible_collections.openeuler.livepatch.{name}" for name in ("plugins", "tests.unit")]
    commands: dict[str, Argv] = {
        "ansible-lint": ["ansible-lint", "-q", "--nocolor", "--offline", "--strict"],
        "mypy": ["mypy", *packages],
        **{f"mypy-{name}": ["mypy", f"--cache-dir={WORK / name}", f"tests/{name}"] for name in ("rig", "tools")},
        "reuse": ["reuse", "lint", "--lines"],
        "ruff-format": ["ruff", "format", "--check", "."],
        "ruff": ["ruff", "check", "."],
        "yamllint": ["yamllint", "--strict", "."],
        "imports": ["lint-imports", "--no-cache", "pyproject.toml"],
        "changelog": ["antsibull-changelog", "lint"],
    }
    side_by_side(commands, os.cpu_count() or 1, WORK / "lint", cwd=staged, env=environ)


def python(*arguments: str) -> None:
    """Run the Python of the tools in the staged copy of the checkout."""
    with folder_in_memory() as found:
        environ = tool_environ(PYTHONPATH=staging.COLLECTIONS, **found)
        run([tools() / "bin" / "python", *arguments], cwd=staging.tree(), env=environ)


@contextlib.contextmanager
def folder_in_memory() -> t.Iterator[dict[str, str]]:
    """A TMPDIR that is no disk, if this machine has one with room: tests sync thousands of files, and wait for each."""
    try:
        found = os.statvfs(MEMORY)
        is_fit = found.f_bavail * found.f_frsize >= ROOM and not found.f_flag & os.ST_NOEXEC
    except OSError:
        is_fit = False
    if not is_fit:
        yield {}
        return
    with tempfile.TemporaryDirectory(prefix="livepatch-", dir=MEMORY) as folder:
        yield {"TMPDIR": folder}


def pytest(*arguments: str) -> None:
    python("-m", "pytest", *arguments)


def unit() -> None:
    """pytest, without tests/unit/plays; with TESTS, the tests that it names alone."""
    named = os.environ.get("TESTS", "").split()
    pytest("--no-cov", *(named or (*IN_PARALLEL, f"--ignore={PLAYS}")))


def coverage() -> None:
    """The tests of "unit", with the coverage of the lines and branches of plugins/, which must be above its floor."""
    report = WORK / "coverage.json"
    pytest(*IN_PARALLEL, "--cov", "--cov-report=term-missing", f"--cov-report=json:{report}", f"--ignore={PLAYS}")
    hold_coverage(json.loads(report.read_text(encoding="utf-8"))["totals"])


def hold_coverage(totals: dict[str, float]) -> None:
    """Raise Stop if lines or branches are below the floor in pyproject.toml. coverage checks only their sum."""
    settings = (CHECKOUT / "pyproject.toml").read_text(encoding="utf-8")
    floor = int(re.findall(r"^fail_under = (\d+)$", settings, re.M)[0])
    parts = {"lines": ("covered_lines", "num_statements"), "branches": ("covered_branches", "num_branches")}
    for what, (covered, whole) in parts.items():
        percent = 100 * totals[covered] / totals[whole]
        print(f"    {percent:.1f} % of {totals[whole]} {what} are covered", flush=True)
        if percent < floor:
            raise Stop(f"The unit tests cover {percent:.1f} % of the {what} of plugins/: it must be {floor} %.")


def plays() -> None:
    """pytest of what only Ansible itself can show, each test with whole playbooks: roles, playbooks and examples."""
    pytest("--no-cov", *IN_PARALLEL, PLAYS)


def oldest() -> None:
    """The tests of "plays", and the unit tests of the controller's code, on the oldest ansible-core for this Python."""
    path = venv("oldest", OLDEST_REQUIREMENTS)
    # The tools are of another core.
    ways = {"PATH": f"{path / 'bin'}{os.pathsep}{os.environ['PATH']}", "VIRTUAL_ENV": str(path)}
    on_hosts = [f"--ignore=tests/unit/plugins/{name}" for name in ("module_utils", "modules")]
    with folder_in_memory() as found:
        run_pytest("oldest", OLDEST_REQUIREMENTS, *IN_PARALLEL, *on_hosts, "tests/unit/plugins", PLAYS, **ways, **found)


def sanity() -> None:
    """ansible-test sanity, all tests, no exceptions."""
    core, python = versions(tools())
    print(f"    ansible-core {core}, Python {python}", flush=True)
    ansible_test(tools(), "sanity", "--python", python)


def docs_lint() -> None:
    """antsibull-docs lint-collection-docs: documentation of the plugins, and links between them."""
    antsibull = tools() / "bin" / "antsibull-docs"
    options = ["--plugin-docs", "--validate-collection-refs=all", "--disallow-unknown-collection-refs"]
    environ = tool_environ(ANSIBLE_COLLECTIONS_PATH=staging.COLLECTIONS)
    run([antsibull, "lint-collection-docs", *options, staging.tree()], env=environ)


def docs() -> None:
    """The documentation as HTML, without a warning."""
    print(f"    {docs_site.site()}", flush=True)


def errors_page() -> None:
    """Write the page about the kernel's errors and the list of checks into the checkout, from their tables."""
    staging.tree()
    for page in ("errors_page", "reasons_page"):
        run([tools() / "bin" / "python", f"tests/tools/{page}.py"], env=tool_environ(PYTHONPATH=staging.COLLECTIONS))


def collection() -> None:
    """ansible-galaxy collection build and install."""
    staging.artifact()


def galaxy_checks() -> None:
    """galaxy-importer, ansible-builder create and introspect."""
    galaxy.check()


def run_pytest(name: str, requirements: Path, *tests: str, **environ: str) -> None:
    """Run tests of the staged tree in a virtual environment of their own."""
    python = venv(name, requirements) / "bin" / "python"
    settings = tool_environ(PYTHONPATH=staging.COLLECTIONS, **environ)
    run([python, "-m", "pytest", "-p", "no:cacheprovider", *tests], cwd=staging.tree(), env=settings)


def browser() -> None:
    """The report's page, with 3, 200 and 5 000 hosts, and the documentation's pages in a headless Chromium."""
    found = {"LIVEPATCH_BROWSER": chromium(), "LIVEPATCH_SITE": str(docs_site.site().parent)}
    run_pytest("browser", BROWSER_REQUIREMENTS, "tests/browser", **found)


def pictures() -> None:
    """Take the pictures of the guides anew, and write them into the checkout."""
    images = CHECKOUT / "docs" / "docsite" / "rst" / "images"
    found = {"LIVEPATCH_BROWSER": chromium(), "LIVEPATCH_PICTURES": str(images)}
    tests = ["tests/browser/test_pictures.py", "--deselect=tests/browser/test_pictures.py::test_each_picture"]
    run_pytest("browser", BROWSER_REQUIREMENTS, *tests, **found)


def monitoring() -> None:
    """The alerts and the dashboard of docs/monitoring, with promtool and Grafana's SDK."""
    run_pytest("monitoring", MONITORING_REQUIREMENTS, "tests/monitoring", LIVEPATCH_PROMTOOL=str(promtool()))


def vex() -> None:
    """The report as OpenVEX and CSAF, with libraries that hold their schemas and rules."""
    run_pytest("vex", VEX_REQUIREMENTS, "tests/vex")


def eda() -> None:
    """The rulebook for Event-Driven Ansible, run by ansible-rulebook."""
    need_java()
    run_pytest("eda", EDA_REQUIREMENTS, "tests/eda")


def ee() -> None:
    """Unit tests, galaxy-importer and the scenario default with exactly the execution environment's package set."""
    environment = package_set.make()
    package_set.unit_tests(environment)
    of_galaxy = venv("galaxy", galaxy.REQUIREMENTS, galaxy.python())
    galaxy.importer(of_galaxy, package_set.first_in_path(environment, of_galaxy)["PATH"])
    # Molecule is not in the set. The ansible-playbook that it starts is.
    test_scenario("default", **package_set.first_in_path(environment, tools()))


def image() -> None:
    """The execution environment's image, built by buildah in a chroot, and a job that ansible-runner runs in it."""
    reason = ee_image.hindrance()
    if reason:
        print(f"    not run: the image of the execution environment, because {reason}", flush=True)
        return
    ee_image.check()


def rig(instance: str, *arguments: str | Path, **environ: str) -> None:
    """Call the rig, which makes, boots and stops the machines of an instance."""
    settings = vm_environ(ANSIBLE_INVENTORY=str(rig_inventory(instance)), **environ)
    run([tools() / "bin" / "python", "tests/rig/rig.py", "--instance", instance, *arguments], env=settings)


def rig_inventory(instance: str) -> Path:
    return CACHE / "run" / instance / "inventory.yml"


def check_machine() -> None:
    """Raise Stop, before anything is installed, if the rig could not be made or run on this machine."""
    command = [sys.executable, "-B", "tests/rig/rig.py", "check"]
    done = subprocess.run(command, cwd=CHECKOUT, stderr=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        raise Stop(done.stderr.strip().removeprefix("rig: "))


def prepare() -> None:
    """Make the build host's root and the VM's image, once."""
    rig("default", "prepare")


def test_kernel() -> None:
    """Build a kernel for kpatch-build, and make its build host, once (about 8 minutes)."""
    rig("default", "prepare-kernel")


def kernel_7() -> None:
    """Build a kernel whose own klp-build makes patches, and make its build host, once (about 10 minutes)."""
    rig("default", "prepare-kernel-7")


def arm64() -> None:
    """Build a kernel for arm64, and make its build host and the VM's image, once (about 15 minutes)."""
    rig("default", "prepare-arm64")


def scenarios() -> list[str]:
    """Return the names of the Molecule scenarios to run, which the Makefile gives."""
    return os.environ.get("SCENARIOS", "").split()


def molecule() -> None:
    """molecule test, as many scenarios at a time as there are cores, with the installed artifact, on VMs of the rig."""
    names = scenarios()
    if not names:
        raise Stop("SCENARIOS names no scenario.")
    if len(names) == 1:
        test_scenario(names[0])
        return
    commands = {name: [sys.executable, "-B", __file__, ONE_SCENARIO, name] for name in names}
    side_by_side(commands, os.cpu_count() or 1, WORK / "molecule")


def fuzz() -> None:
    """All property tests, with the long profile of tests/unit/conftest.py; with MINUTES or SEED, random walks alone."""
    named = [os.environ.get(name, "") for name in ("MINUTES", "SEED")]
    if any(named):
        minutes, *seed = filter(None, [named[0] or "0", named[1]])
        python("-m", WALK, minutes, *seed)
        return
    pytest("--no-cov", *IN_PARALLEL, "-m", "hypothesis", "--hypothesis-profile=long")


def sources() -> None:
    """The kernel modules of the tests, compiled for Linux 5.10, 6.12 and the newest, and for KERNEL_TREES."""
    rig("default", "compile-sources", *os.environ.get("KERNEL_TREES", "").split())


def stand_in() -> None:
    """The scenario openeuler with a stand-in for an image: download, check, unpack and boot it, and build on it."""
    inputs = sorted(path for path in (CHECKOUT / "tests" / "rig").rglob("*") if path.is_file())
    digest = hashlib.sha256(b"".join(path.read_bytes() for path in inputs)).hexdigest()[:12]
    folder = CACHE / f"stand-in-{digest}"
    rig("stand-in", "stand-in", folder)
    (image,) = folder.glob("*.xz")
    with serving.serve(folder) as url:
        source = f"{url}/{image.name}"
        try:
            test_scenario("openeuler", OPENEULER_IMAGE=source)
        finally:
            remove(CACHE / "images" / hashlib.sha256(source.encode()).hexdigest()[:12])


def test_scenario(name: str, **more: str) -> None:
    """Run one Molecule scenario, with machines of its own."""
    instance = f"molecule-{name}"
    environ = vm_environ(
        MOLECULE_GLOB="molecule/*/molecule.yml",
        RIG_INSTANCE=instance,
        RIG_INVENTORY=str(rig_inventory(instance)),
        LIVEPATCH_ARTIFACT=str(staging.built_artifact()),
        LIVEPATCH_RECORDINGS=str(CACHE / "recordings"),
        **(old_core() if name == "userlands" else {}),
        **more,
    )
    print(f"    scenario {name}", flush=True)
    try:
        run([tools() / "bin" / "molecule", "test", "--scenario-name", name], env=environ)
    finally:
        rig(instance, "down")


def old_core() -> dict[str, str]:
    """Where the last ansible-core is that hosts with Python 3.7 can have; it is empty if no Python here can run it."""
    _requirement, controllers = CORES["2.17"]
    python = next((found for version, found in interpreters().items() if version in controllers), None)
    if python is None:
        print(f"    not run: Python 3.7 on hosts: no Python {' or '.join(controllers)} is on this machine", flush=True)
        return {}
    return {"LIVEPATCH_OLD_CORE": str(venv("old-core", REQUIREMENTS.with_name("old_core.txt"), python))}


def demo() -> None:
    """Live-patch a real kernel, step by step."""
    play = ["ansible-playbook", "examples/demo.yml", "-e", f"work={WORK / 'demo'}"]
    rig("demo", "run", "builder", "vm1", "--", *play, **SHIPPED_SETTINGS)


def demo_kpatch() -> None:
    """Build a live patch from a source patch with kpatch-build, and live-patch a real kernel with it."""
    play = ["ansible-playbook", "examples/demo-kpatch.yml", "-e", f"work={WORK / 'demo-kpatch'}"]
    rig("demo-kpatch", "run", "kernel-builder", "slim1", "--", *play, **SHIPPED_SETTINGS)


def bench_kpatch() -> None:
    """Measure livepatch_build and bare kpatch-build, in CPU seconds."""
    measure = ["python", "tests/bench/patch_builders.py", "kpatch"]
    rig("bench-kpatch", "run", "kernel-builder", "--", *measure, **SHIPPED_SETTINGS)


def bench_klp_build() -> None:
    """Measure livepatch_build and the kernel's own klp-build, in CPU seconds."""
    measure = ["python", "tests/bench/patch_builders.py", "klp-build"]
    rig("bench-klp-build", "run", "kernel-builder-7", "--", *measure, **SHIPPED_SETTINGS)


def bench_overhead() -> None:
    """Measure what a live patch costs its callers, and what its change costs, in instructions."""
    measure = ["python", "tests/bench/overhead.py", str(WORK / "bench-overhead")]
    rig("bench-overhead", "run", "builder", "counted1", "vm1", "--", *measure, **SHIPPED_SETTINGS)


def bench_growth() -> None:
    """Measure what grows with the patches of a host, in CPU seconds."""
    python("tests/bench/growth.py")


def bench_report() -> None:
    """Measure the report of up to 10 000 hosts and 1 000 fixes."""
    python("tests/bench/report.py")


def bench_fleet() -> None:
    """Measure what facts, report and rollout of scripted hosts cost the controller, beside pings."""
    python("tests/bench/fleet.py", *os.environ.get("SIZES", "").split())


def bench() -> None:
    """Measure the collection, a ping and a hand-written playbook, and compare that with the figures that were kept."""
    rig("bench", "run", "builder", "vm1", "--", "python", "tests/bench/run.py", str(WORK / "bench"), **SHIPPED_SETTINGS)


def shell() -> None:
    """Open a shell in a VM, and stop the VM afterwards. The inventory that this prints lasts as long."""
    print(f"    ansible -i {rig_inventory('shell')} all -m ping", flush=True)
    try:
        rig("shell", "shell", "vm1")
    finally:
        rig("shell", "down")


def vm_environ(**more: str) -> dict[str, str]:
    """Return the environment for playbooks, in which the installed artifact is the only collection."""
    return tool_environ(ANSIBLE_COLLECTIONS_PATH=staging.INSTALLED, **more)


def clean() -> None:
    """Remove what the gates made for this checkout: staged tree, artifact, caches of the tools."""
    remove(WORK)


def distclean() -> None:
    """Remove the whole cache, with all virtual environments, VM images and kernels, of all checkouts."""
    run([sys.executable, "-B", "tests/rig/rig.py", "clean"])
    remove(CACHE)


def remove(folder: Path) -> None:
    """Remove a folder of the cache, but never what may be mounted in it."""
    print(f"    removing {folder}", flush=True)
    run(["rm", "-rf", "--one-file-system", folder])


SHIPPED_SETTINGS = {"ANSIBLE_CONFIG": "examples/ansible.cfg", "ANSIBLE_CALLBACK_RESULT_FORMAT": "yaml"}

ONE_SCENARIO = "scenario"
STAGES: dict[str, t.Callable[[], None]] = {
    "arm64": arm64,
    "bench": bench,
    "bench-fleet": bench_fleet,
    "bench-growth": bench_growth,
    "bench-klp-build": bench_klp_build,
    "bench-kpatch": bench_kpatch,
    "bench-overhead": bench_overhead,
    "bench-report": bench_report,
    "browser": browser,
    "clean": clean,
    "collection": collection,
    "coverage": coverage,
    "demo": demo,
    "demo-kpatch": demo_kpatch,
    "distclean": distclean,
    "docs": docs,
    "docs-lint": docs_lint,
    "eda": eda,
    "ee": ee,
    "ee-image": image,
    "errors-page": errors_page,
    "fuzz": fuzz,
    "galaxy": galaxy_checks,
    "kernel-7": kernel_7,
    "lint": lint,
    "matrix": matrix,
    "molecule": molecule,
    "monitoring": monitoring,
    "mutants": mutants,
    "oldest": oldest,
    "pictures": pictures,
    "plays": plays,
    "prepare": prepare,
    "sanity": sanity,
    "shell": shell,
    "sources": sources,
    "stand-in": stand_in,
    "test-kernel": test_kernel,
    "unit": unit,
    "vex": vex,
}
KERNELS: dict[str, tuple[tuple[str, ...], set[str]]] = {
    "arm64": ((), {"arm64"}),
    "kernel-7": (("bench-klp-build",), {"build"}),
    "test-kernel": (("bench-kpatch", "demo-kpatch"), {"boot", "build", "rollout"}),
}
"""The stage that makes a kernel -> the stages and the scenarios that need it."""

ON_MACHINES = (
    "bench",
    "bench-overhead",
    "demo",
    "ee",
    "molecule",
    "stand-in",
    *(user for users, _scenarios in KERNELS.values() for user in users),
)
NEED_ARTIFACT = ("ee-image", "galaxy", *ON_MACHINES)
NEED_RIG = ("sources", *KERNELS, *ON_MACHINES, "shell")


def elapsed() -> str:
    """Return the time since the whole run started."""
    return f"[{time.time() - STARTED:5.0f} s]"


def stage(name: str) -> float:
    """Run one stage and return the seconds that it took."""
    started = time.monotonic()
    print(f"==> {elapsed()} {name}: {(STAGES[name].__doc__ or '').rstrip('.')}", flush=True)
    try:
        STAGES[name]()
    except BaseException:
        print(f"<== {elapsed()} {name} failed after {time.monotonic() - started:.0f} s", flush=True)
        raise
    took = time.monotonic() - started
    print(f"<== {elapsed()} {name} ok in {took:.0f} s", flush=True)
    return took


def stages(names: list[str]) -> None:
    """Run the stages in this order, and before the first stage that needs a VM, a kernel or the artifact, make that."""
    kernels = [
        (kernel, (*users, "molecule") if boot_it.intersection(scenarios()) else users)
        for kernel, (users, boot_it) in KERNELS.items()
    ]
    for first, later in (*kernels, ("prepare", NEED_RIG), ("collection", NEED_ARTIFACT)):
        needed = min((names.index(name) for name in later if name in names), default=None)
        if needed is not None and first not in names[:needed]:
            names.insert(needed, first)
    if "prepare" in names:
        check_machine()
    took: dict[str, float] = {}
    try:
        for name in names:
            took[name] = stage(name)
    finally:
        if len(names) > 2:
            table(names, took)


def table(names: list[str], took: dict[str, float]) -> None:
    """Print the stages with their times, and a closing line that counts them."""
    failed = [name for name in names if name not in took][:1]
    print()
    for name in names:
        outcome = f"{took[name]:.0f} s" if name in took else "FAILED" if name in failed else "not run"
        print(f"    {name:12}{outcome:>9}")
    print(f"    {'together':12}{time.time() - STARTED:7.0f} s\n")
    print(f"{len(took)} passed, {len(failed)} failed", flush=True)


def interrupted(number: int, _frame: object) -> t.NoReturn:
    """Raise SystemExit for a signal, so that running machines and commands are stopped."""
    raise SystemExit(128 + number)


def main() -> int:
    """Run what the command line names."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, interrupted)
    try:
        if sys.argv[1:2] == [ONE_SCENARIO]:
            test_scenario(sys.argv[2])
        else:
            stages(sys.argv[1:])
    except Stop as problem:
        print(f"make: {problem}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("make: interrupted; run it again at any time.", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
