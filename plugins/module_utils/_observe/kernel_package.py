# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise is made to code outside of it.

"""Which package the running kernel is from. The database of rpm or dpkg tells; asking takes some tens of ms."""

from __future__ import annotations

import errno
import re
import typing as t

from ansible_collections.openeuler.livepatch.plugins.module_utils._model.package import DPKG, RPM, Package
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.reading import Absent, Reading, Unreadable
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.text import lines_of
from ansible_collections.openeuler.livepatch.plugins.module_utils._observe.distribution import DEBIAN
from ansible_collections.openeuler.livepatch.plugins.module_utils._observe.running_kernel import OSRELEASE
from ansible_collections.openeuler.livepatch.plugins.module_utils._system.programs import (
    TimedOut,
    TooMuchOutput,
    run_apart,
)

if t.TYPE_CHECKING:
    from ansible_collections.openeuler.livepatch.plugins.module_utils._system.files import Files

RPM_PROGRAM, DPKG_PROGRAM = "/usr/bin/rpm", "/usr/bin/dpkg-query"

ASK_SECONDS = 20.0
"""For each of at most five questions. A database on a slow disk answers within a second."""

MOST_OUTPUT = 1 << 16

ENVIRONMENT = {"LC_ALL": "C", "PATH": "/usr/sbin:/usr/bin:/sbin:/bin"}

IMAGES = ("/lib/modules/{}/vmlinuz", "/boot/vmlinuz-{}")

_RELEASE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+~-]{0,63}\Z")
"""No character that a path or a pattern of dpkg would take for another."""

_NOT_OWNED = re.compile(r"file \S+ is not owned by any package\Z")

_NOT_FOUND = re.compile(r"dpkg-query: no path found matching pattern \S+\Z")

_OWNER = re.compile(r"([a-z0-9][a-z0-9+.-]*(?::[a-z0-9-]+)?): /")

_EPOCH = re.compile(r"(\d{1,10}):")


class _NotUnderstood(Exception):
    """A program has failed, or has printed something else than it does."""


def read_kernel_package(files: Files, release: str, like: str | None) -> Reading[Package]:
    """The package of the kernel of this release, on a host whose family of distributions is `like`.

    Absent where no package manager is, or its database does not know the kernel.
    """
    if not _RELEASE.match(release):
        return files.damaged(OSRELEASE)
    paths = [path for path in (image.format(release) for image in IMAGES) if _is_there(files, path)]
    by_rpm, by_dpkg = (RPM_PROGRAM, _ask_rpm), (DPKG_PROGRAM, _ask_dpkg)
    troubles: list[Unreadable] = []
    # A host may have the programs of the other manager, with an empty database.
    for program, ask in (by_dpkg, by_rpm) if like == DEBIAN else (by_rpm, by_dpkg):
        if not _is_there(files, program):
            continue
        found = _found(files, program, ask, paths)
        if isinstance(found, Package):
            return found
        if isinstance(found, Unreadable):
            troubles.append(found)
    return troubles[0] if troubles else Absent()


def _is_there(files: Files, path: str) -> bool:
    return not isinstance(files.inode(path), Absent)


def _found(
    files: Files, program: str, ask: t.Callable[[str, str], Package | None], paths: t.Sequence[str]
) -> Reading[Package]:
    try:
        owners = (ask(files.path(program), path) for path in paths)
        return next((owner for owner in owners if owner), Absent())
    except TimedOut:
        return files.damaged(program, errno.errorcode[errno.ETIMEDOUT])
    except OSError as error:
        return files.damaged(program, errno.errorcode.get(error.errno or 0, str(error)))
    except (TooMuchOutput, UnicodeDecodeError, ValueError, _NotUnderstood):
        return files.damaged(program)


def _ask_rpm(program: str, path: str) -> Package | None:
    """The package that owns the file; None if none does."""
    asked = "%{NAME}\t%{EPOCHNUM}\t%{VERSION}\t%{RELEASE}\t%{ARCH}\n"
    status, lines, errors = _run(program, "-qf", "--qf", asked, path)
    said = lines + errors
    # A program that a signal ends may have said nothing.
    if status and said and all(map(_NOT_OWNED.match, said)):
        return None
    name, epoch, version, release, arch = _fields(status, lines, 5)
    return Package(RPM, name, version, arch, release, int(epoch))


def _ask_dpkg(program: str, path: str) -> Package | None:
    """The package that owns the file; None if none does."""
    status, lines, errors = _run(program, "--search", path)
    if status == 1 and not lines and all(_NOT_FOUND.match(line) for line in errors):
        return None
    owners = [match[1] for match in map(_OWNER.match, lines) if match]
    # Where something has diverted the file, it is not that of the package.
    is_diverted = any(path in line for line in lines if not _OWNER.match(line))
    if status or len(owners) != 1 or is_diverted:
        raise _NotUnderstood
    status, lines, _errors = _run(
        program, "--show", "--showformat=${Package}\t${Version}\t${Architecture}\n", owners[0]
    )
    name, whole, arch = _fields(status, lines, 3)
    epoch = _EPOCH.match(whole)
    version, _hyphen, revision = whole[epoch.end() if epoch else 0 :].rpartition("-")
    number = int(epoch[1]) if epoch else 0
    return Package(DPKG, name, version or revision, arch, revision if version else None, number)


def _run(program: str, *arguments: str) -> tuple[int, list[str], list[str]]:
    status, output, errors = run_apart([program, *arguments], ASK_SECONDS, ENVIRONMENT, MOST_OUTPUT)
    return status, lines_of(output.decode()), lines_of(errors.decode())


def _fields(status: int, lines: t.Sequence[str], count: int) -> list[str]:
    """The fields of the one line that a program prints."""
    found = {tuple(line.split("\t")) for line in lines}
    if status or len(found) != 1:
        raise _NotUnderstood
    (fields,) = found
    if len(fields) != count:
        raise _NotUnderstood
    return list(fields)
