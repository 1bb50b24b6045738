# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise is made to code outside of it.

"""Which kernel the host boots next, as far as anything tells.

grubby knows the configuration of its distribution and is asked first. Then come the entries of the Boot Loader
Specification, the environment of GRUB, and the names in /boot. These tell only where the boot loader takes the newest
kernel, which it does unless it was told otherwise.
"""

from __future__ import annotations

import os
import re
import shutil
import typing as t
from dataclasses import dataclass

from ansible_collections.openeuler.livepatch.plugins.module_utils._model.reading import Absent, known_or
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.text import lines_of
from ansible_collections.openeuler.livepatch.plugins.module_utils._system.programs import TimedOut, run

if t.TYPE_CHECKING:
    from ansible_collections.openeuler.livepatch.plugins.module_utils._system.files import Files

GRUBBY_SECONDS = 20.0

PATH = "/usr/sbin:/usr/bin:/sbin:/bin"

ENTRIES = "/boot/loader/entries"

ENVIRONMENTS = ("/boot/grub2/grubenv", "/boot/grub/grubenv")

SETTINGS = "/etc/default/grub"

IMAGE = re.compile(r"(?:vmlinuz|vmlinux|Image|zImage)-(.+)")

NO_KERNEL = re.compile(
    r"rescue|kdump$|\.(?:efi\.)?signed$|[.-](?:old|bak|orig|tmp|dpkg-\w+|rpm(?:save|new|orig)|hmac)$|~$"
)
"""What is in /boot beside the kernels: copies of them, and kernels that are booted after a crash."""

Words = t.Tuple[t.Tuple[int, int, str], ...]


@dataclass(frozen=True)
class NextKernel:
    """The release of the kernel that boots next, and what tells it; both are None where nothing does.

    `source` is `grubby`, `bls`, `grubenv` or `names`.
    """

    release: str | None = None
    source: str | None = None


UNKNOWN = NextKernel()


def read_next_kernel(files: Files, ask_grubby: t.Callable[[], str | None] | None = None) -> NextKernel:
    """Find out which kernel boots next. `ask_grubby` returns what grubby prints, or None; tests replace it."""
    before = len(files.unreadable)
    environment = _environment(files)
    # What is booted once is not what grubby tells: that is the default (grubby-bls, get_default_index()).
    is_once = bool(environment.get("next_entry"))
    release = None if is_once else _release_of_image((ask_grubby or _ask_grubby)() or "")
    if release:
        return NextKernel(release, "grubby")
    entries, names = _entries(files), _releases(files)
    wanted = _wanted(files, environment)
    if len(files.unreadable) > before:
        return UNKNOWN  # What cannot be read may say something else.
    if wanted is None:
        return _newest(entries, names)
    return _chosen(wanted, entries, names)


def newest_first(releases: t.Iterable[str]) -> list[str]:
    """The releases, in the order in which boot loaders list them."""
    return sorted(releases, key=_words, reverse=True)


def _ask_grubby() -> str | None:
    program = shutil.which("grubby", path=PATH)
    if program is None:
        return None
    try:
        status, printed = run([program, "--default-kernel"], GRUBBY_SECONDS)
    except (OSError, TimedOut):
        return None
    return printed if status == 0 else None


def _release_of_image(text: str) -> str | None:
    """The release in the path of a kernel, the last line of the text."""
    lines = text.split("\n")
    last = next((line.strip() for line in reversed(lines) if line.strip()), "")
    match = IMAGE.fullmatch(os.path.basename(last)) if last.startswith("/") else None
    return match.group(1) if match and not NO_KERNEL.search(match.group(1)) else None


def _entries(files: Files) -> dict[str, str]:
    """The entries of the Boot Loader Specification: the name of each file without its suffix -> release."""
    found = {}
    for name in known_or(files.names(ENTRIES), []):
        if not name.endswith(".conf"):
            continue
        text = files.text(f"{ENTRIES}/{name}")
        release = _release_of_entry(text) if isinstance(text, str) else None
        if release and not NO_KERNEL.search(release):
            found[name[: -len(".conf")]] = release
    return found


def _release_of_entry(text: str) -> str | None:
    keys = dict(line.split(None, 1) for line in lines_of(text) if len(line.split(None, 1)) == 2)
    return (
        str(keys["version"]).strip()
        if "version" in keys
        else _release_of_image("/" + keys.get("linux", "").lstrip("/"))
    )


def _releases(files: Files) -> list[str]:
    """The releases of the kernels in /boot, the newest first.

    A name that goes on behind another one is a copy of it, unless there are modules for it.
    """
    matches = (IMAGE.fullmatch(name) for name in known_or(files.names("/boot"), []))
    found = [match.group(1) for match in matches if match and not NO_KERNEL.search(match.group(1))]
    copies = {name for name in found if any(name != other and name.startswith(other) for other in found)}
    return newest_first(name for name in found if name not in copies or _has_modules(files, name))


def _has_modules(files: Files, release: str) -> bool:
    return not isinstance(files.inode(f"/lib/modules/{release}"), Absent)


def _wanted(files: Files, environment: t.Mapping[str, str]) -> str | None:
    """What the boot loader is told to boot; None if it takes the first entry of its menu."""
    setting = _assignments(files.text(SETTINGS)).get("GRUB_DEFAULT", "saved")
    saved = environment.get("saved_entry") if setting == "saved" else setting
    wanted = environment.get("next_entry") or saved or "0"
    return None if wanted == "0" or wanted.startswith("gnulinux-simple-") else wanted


def _environment(files: Files) -> dict[str, str]:
    """What the boot loader remembers (grubenv)."""
    environment: dict[str, str] = {}
    for path in ENVIRONMENTS:
        environment.update(_assignments(files.text(path)))
    return environment


def _assignments(text: t.Any) -> dict[str, str]:
    lines = lines_of(text) if isinstance(text, str) else []
    pairs = (line.partition("=") for line in lines if "=" in line and not line.startswith("#"))
    return {name.strip(): value.strip().strip("\"'") for name, _equals, value in pairs}


def _newest(entries: t.Mapping[str, str], names: t.Sequence[str]) -> NextKernel:
    if entries:
        return NextKernel(newest_first(entries.values())[0], "bls")
    return NextKernel(names[0], "names") if names else UNKNOWN


def _chosen(wanted: str, entries: t.Mapping[str, str], names: t.Sequence[str]) -> NextKernel:
    """The kernel of the entry that the boot loader is told to boot, by its name, its number or its title."""
    if wanted in entries:
        return NextKernel(entries[wanted], "bls")
    if wanted.isdecimal():
        listed = newest_first(entries.values())
        return NextKernel(listed[int(wanted)], "bls") if len(wanted) < 5 and int(wanted) < len(listed) else UNKNOWN
    found = [release for release in {*entries.values(), *names} if _has_word(wanted, release)]
    return NextKernel(max(found, key=len), "grubenv") if found else UNKNOWN


def _has_word(text: str, word: str) -> bool:
    return bool(re.search(rf"(?<![\w.]){re.escape(word)}(?![\w.])", text))


def _words(release: str) -> Words:
    """The release, so that 100 comes after 20, and a release candidate before the release."""
    kinds = {"~": 0, "": 1}
    parts = [*re.findall(r"~|\d+|[^\d~]+", release.replace("-rc", "~rc")), ""]
    return tuple((3, int(part), "") if part.isdecimal() else (kinds.get(part, 2), 0, part) for part in parts)
