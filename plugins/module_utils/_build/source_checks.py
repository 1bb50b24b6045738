# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise is made to code outside of it.

"""Finds, before a long build, what would make a builder of source patches fail."""

from __future__ import annotations

import os
import re
import shutil
import typing as t
from dataclasses import dataclass

from ansible_collections.openeuler.livepatch.plugins.module_utils._build.kernel_source import Config, Vmlinux
from ansible_collections.openeuler.livepatch.plugins.module_utils._build.release_name import (
    base_of,
    name_release,
    three_numbers,
)
from ansible_collections.openeuler.livepatch.plugins.module_utils._build.source_patch import (
    SourcePatch,
    Trial,
    Tried,
)
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.findings import WARN, Finding
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.text import clean


def check_plain(config: Config, builder: str) -> t.Iterator[Finding]:
    """Whether the configuration has only options: the builder reads it as a shell script."""
    if config.odd_line is not None:
        yield Finding(
            reason="config_not_plain",
            seen=f"Line {config.odd_line} of {config.path} is neither a kernel option nor a comment in ASCII, and "
            f"{builder} would run it.",
            remedy="Give the configuration file from the package of the kernel.",
        )


def check_refused(config: Config, options: t.Iterable[str], builder: str) -> t.Iterator[Finding]:
    """Whether the kernel has one of the options that the builder refuses."""
    for name in options:
        if name in config.options:
            yield Finding(
                reason="config",
                seen=f"{config.path} has {name}, which {builder} does not support.",
                remedy="Build for a kernel without it.",
            )


def check_programs(names: t.Iterable[str], config: Config) -> t.Iterator[Finding]:
    """Whether these programs are installed, and those that a kernel of this configuration is not built without."""
    # Without pahole, Kconfig drops BTF and says nothing: struct module is then another one (include/linux/module.h).
    needs_pahole = config.options.get("CONFIG_DEBUG_INFO_BTF") == "y"
    for name in (*names, *(("pahole",) if needs_pahole else ())):
        if shutil.which(name) is None:
            yield Finding(
                reason="missing_program",
                seen=f"The program {name} is not installed.",
                remedy="Install it on the build host.",
            )


@dataclass(frozen=True)
class Kernel:
    """The kernel to build for: its release, None if nothing tells it, and how a sentence names it."""

    release: str | None
    named: str


def check_version(kernel: Kernel, config: Config, source: str, version: str | None, local: str) -> t.Iterator[Finding]:
    """Whether the kernel, configuration and source, with its `localversion` files, belong together."""
    if version is None:
        yield Finding(reason="no_source", seen=f"{source} is not the source of a kernel.", remedy="Correct src_dir.")
        return
    if config.version and three_numbers(config.version) != three_numbers(version):
        yield Finding(
            reason="version_mismatch",
            seen=f"{config.path} is the configuration of {config.version}, and {source} the source of {version}.",
            remedy="Give the configuration that the kernel was built with.",
        )
    if kernel.release is None:
        return
    if base_of(kernel.release, version) is None:
        yield Finding(
            reason="version_mismatch",
            seen=f"{source} is the source of {version}, and {kernel.named} is of {kernel.release}.",
            remedy="Give the source that the kernel was built from.",
        )
    elif name_release(kernel.release, config, version, local) is None:
        yield Finding(
            reason="version_mismatch",
            seen=f"{source} and {config.path} do not make the release {kernel.release} of {kernel.named}.",
            remedy="Give the source and the configuration that the kernel was built from.",
        )


def check_banner(vmlinux: Vmlinux, package: str, wanted: str | None) -> t.Iterator[Finding]:
    """Whether the file is the vmlinux of a kernel, and its release is known, and the one that the task wants.

    `package` is what has one.
    """
    if vmlinux.release is None and vmlinux.is_debug_only:
        yield Finding(
            reason="no_release",
            seen=f"{vmlinux.path} is a file of debug information alone, without the kernel's version in it.",
            remedy="Give kernel_release, the release that it is for.",
        )
    elif vmlinux.release is None:
        yield Finding(
            reason="bad_vmlinux",
            seen=f"{vmlinux.path} is not the vmlinux of a kernel.",
            remedy=f"Install {package}, and give its vmlinux.",
        )
    elif wanted not in (None, vmlinux.release):
        yield Finding(
            reason="wrong_release",
            seen=f"{vmlinux.path} is of {vmlinux.release}, and the task builds for {clean(wanted or '')}.",
            remedy="Give the vmlinux of that kernel, or correct kernel_release.",
        )


_CERTIFICATES = (
    *("CONFIG_SYSTEM_TRUSTED_KEYS", "CONFIG_SYSTEM_REVOCATION_KEYS", "CONFIG_SYSTEM_BLACKLIST_HASH_LIST"),
    "CONFIG_MODULE_SIG_KEY",
)
"""The options that name files which are built into the kernel (kernel: certs/Kconfig)."""

_MADE = "certs/signing_key.pem"
"""The key that make generates if it is not there."""


def check_certificates(config: Config, source: str) -> t.Iterator[Finding]:
    """Whether the source has the certificates that the configuration builds into the kernel."""
    for name in _CERTIFICATES:
        for path in config.options.get(name, "").strip('"').split():
            is_a_file = path != _MADE and not path.startswith("pkcs11:")
            if is_a_file and not os.path.isfile(os.path.join(source, path)):
                yield Finding(
                    reason="certificates",
                    seen=f"{config.path} builds {clean(path)} into the kernel ({name}), and {source} has no such file.",
                    remedy=f'Give a copy of the configuration with {name} set to "" (config). No function depends on '
                    "it.",
                )


def no_compiler(program: str) -> t.Iterator[Finding]:
    yield Finding(
        reason="missing_program",
        seen=f"The compiler {program} does not work or is not installed.",
        remedy="Install it.",
    )


def check_compiler(vmlinux: Vmlinux, compiler: str | None, program: str) -> t.Iterator[Finding]:
    """Whether the compiler is the one that the kernel was built with."""
    if compiler is None:
        yield from no_compiler(program)
    elif vmlinux.compiler is not None and compiler != vmlinux.compiler:
        yield Finding(
            reason="compiler_mismatch",
            seen=f"{program} is {compiler!r}, and the kernel was built with {vmlinux.compiler!r}.",
            remedy="Install that compiler, or set skip_compiler_check: true if you know that both make the same code.",
        )


def check_paths(patches: t.Sequence[SourcePatch]) -> t.Iterator[Finding]:
    """Whether the patches change only what can be live-patched."""
    for patch in patches:
        for path in patch.paths:
            what = _unsupported(path)
            if what:
                yield _unsupported_path(f"{patch.path} changes", path, what)


def _unsupported_path(who_changes: str, path: str, what: str) -> Finding:
    return Finding(
        reason="unsupported_path",
        seen=f"{who_changes} {clean(path)}: {what} cannot be live-patched.",
        remedy="Leave the file out of the patch." if what == _ODD_NAME else "Patch a function that calls it instead.",
    )


_ODD_NAME = "a file of such a name"

_PLAIN_NAME = re.compile(r"[A-Za-z0-9._+,@=~-]+(?:/[A-Za-z0-9._+,@=~-]+)*\Z")


def _unsupported(path: str) -> str | None:
    if not _PLAIN_NAME.match(path) or ".." in path.split("/"):
        return _ODD_NAME
    if path.startswith("lib/"):
        return "code in lib/"
    if path.endswith(".S"):
        return "assembly"
    if "/realmode/rm/" in path:
        return "code that runs before the kernel"
    if "/vdso/" in path or "/vdso32/" in path or "/vdso64/" in path:
        return "the vDSO"
    return None


def check_trials(trials: t.Sequence[Trial], in_init: t.Sequence[tuple[str, str, str]]) -> t.Iterator[Finding]:
    """Whether the patches apply, and change nothing that the kernel discards after its start."""
    for trial in trials:
        if trial.already_applied:
            yield Finding(
                reason="already_applied",
                seen=f"src_dir already contains {trial.patch}.",
                remedy="Give the source without this patch.",
            )
        for path in trial.missing:
            yield Finding(
                reason="does_not_apply",
                seen=f"{trial.patch} changes {clean(path)}, which does not exist.",
                remedy="Correct the patch or src_dir.",
            )
        for path, hunk, line in trial.failures:
            yield Finding(
                reason="does_not_apply",
                seen=f"{trial.patch}: hunk {hunk} does not apply to {clean(path)} at line {line}.",
                remedy="Correct the patch or src_dir.",
            )
        if trial.elsewhere:
            yield Finding(
                reason="does_not_apply",
                seen=f"What {trial.patch} would make of its files stands in them already, but elsewhere: from line "
                f"{' and '.join(map(str, trial.elsewhere))} on.",
                remedy="Look whether that is the same fix, or the code of another function.",
            )
        for path, line, fuzz in trial.fuzzy:
            yield Finding(
                reason="fuzzy_patch",
                seen=f"{trial.patch} applies to {clean(path)} at line {line} only with fuzz {fuzz}: {fuzz} lines "
                "around the change differ from those of the patch.",
                remedy="Check that it is the right place, or adapt the patch to this source.",
                severity=WARN,
            )
        if trial.says:
            yield Finding(
                reason="does_not_apply",
                seen=f"{trial.patch} does not apply: {clean(trial.says)}.",
                remedy="Correct the patch.",
            )
    for patch, path, function in in_init:
        yield Finding(
            reason="init_section",
            seen=f"{patch} changes {function} in {path}, which the kernel discards after it has started.",
            remedy="Leave functions marked __init or __exit as they are.",
        )


def check_patches(patches: t.Sequence[SourcePatch], tried: Tried, config: Config) -> t.Iterator[Finding]:
    """Whether the patches change only what can be live-patched, and apply to the source that they were tried on."""
    yield from check_paths(patches)
    in_init = [found for found in tried.in_init if not _is_of_another_architecture(found[1], config)]
    yield from check_trials(tried.trials, in_init)
    yield from _check_changes(patches, tried)


_OPTIONS = {"powerpc": "CONFIG_PPC", "sh": "CONFIG_SUPERH", "sw_64": "CONFIG_SW64", "um": "CONFIG_UML"}
"""Folder of an architecture -> the option that its kernels have, where that is not the name in capital letters."""


def _is_of_another_architecture(path: str, config: Config) -> bool:
    """Whether the file is not compiled, since it is of another architecture than the kernel."""
    folder = re.match(r"arch/([^/]+)/", path)
    return folder is not None and _OPTIONS.get(folder[1], f"CONFIG_{folder[1].upper()}") not in config.options


def _check_changes(patches: t.Sequence[SourcePatch], tried: Tried) -> t.Iterator[Finding]:
    """Whether the patches together change a line, and none of a file that is moved and cannot be patched."""
    if tried.all_apply and not any(content.has_other_lines for content in tried.changes.values()):
        yield Finding(
            reason="no_change",
            seen="The patches change no line of any file.",
            remedy="Check that they are the right ones; modes and empty files need no live patch.",
        )
    for path in sorted(tried.changes.keys() - {path for patch in patches for path in patch.paths}):
        what = _unsupported(path)
        if what:
            yield _unsupported_path("The patches change", path, what)
