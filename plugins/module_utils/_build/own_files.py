# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise is made to code outside of it.

"""Writes and removes files of the copy of a source. Its links may lead to the user's files: none is followed.

`root` is the folder of the copy, `path` is below it. Each function may raise OSError, such as on a full disk.
"""

from __future__ import annotations

import os
import shutil

from ansible_collections.openeuler.livepatch.plugins.module_utils._build.content import read_bytes


def write(root: str, path: str, content: bytes) -> None:
    """Let the copy have a file of its own with this content, instead of what is there. One that has it stays."""
    make_folder(root, os.path.dirname(path))
    place = os.path.join(root, path)
    if not os.path.islink(place) and read_bytes(place) == content:
        return
    clear(place)
    # O_EXCL follows no link.
    descriptor = os.open(place, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
    with open(descriptor, "wb") as stream:
        stream.write(content)


def make_folder(root: str, path: str) -> None:
    """Let the copy have a folder of its own. A file or a link in its place goes, also a link on the way to it."""
    place = root
    for name in filter(None, path.split("/")):
        place = os.path.join(place, name)
        if not _is_folder(place):
            clear(place)
            os.mkdir(place)


def unfold(root: str, path: str) -> None:
    """Let the copy have a folder of its own. If it is a link to a folder, the new one has links to its entries."""
    place = os.path.join(root, path)
    leads = os.path.realpath(place)
    names = os.listdir(leads) if os.path.islink(place) and os.path.isdir(leads) else []
    make_folder(root, path)
    for name in names:
        os.symlink(os.path.join(leads, name), os.path.join(place, name))


def take_content(root: str, path: str) -> None:
    """Let a link that leads out of the copy to a file be a file with its content. One that leads nowhere goes."""
    place = os.path.join(root, path)
    leads = os.path.realpath(place)
    if not os.path.islink(place) or _is_below(root, leads) or os.path.isdir(leads):
        return
    os.unlink(place)
    if os.path.isfile(leads):
        # make decides by times.
        shutil.copy2(leads, place)
        os.chmod(place, os.stat(place).st_mode | 0o600)


def remove(root: str, path: str) -> None:
    """Remove what the copy has there, a folder with all that is in it. What is not in the copy stays."""
    folder = os.path.realpath(os.path.join(root, os.path.dirname(path)))
    if _is_below(root, folder):
        clear(os.path.join(folder, os.path.basename(path)))


def clear(place: str) -> None:
    """Remove what is in this place, if anything is."""
    if _is_folder(place):
        shutil.rmtree(place)
    elif os.path.lexists(place):
        os.unlink(place)


def link_for_copy(origin: str, path: str) -> str:
    """What a link of the source must say in a copy: there it leads to the copy's file, or out of it to the same place.

    A relative link that leads out would lead elsewhere from there; an absolute one into the source, to the user's file.
    """
    says = os.readlink(os.path.join(origin, path))
    from_top = os.path.normpath(os.path.join(os.path.dirname(path), says))
    if not os.path.isabs(says) and from_top.split("/")[0] != "..":
        return says
    root = os.path.realpath(origin)
    folder = os.path.join(root, os.path.dirname(path))
    beside, name = os.path.split(os.path.join(folder, says))
    leads = os.path.normpath(os.path.join(os.path.realpath(beside), name))
    return os.path.relpath(leads, folder) if _is_below(root, leads) else os.path.join(folder, says)


def _is_folder(place: str) -> bool:
    return os.path.isdir(place) and not os.path.islink(place)


def _is_below(root: str, place: str) -> bool:
    """Whether a place without links on its way is the folder, or in it."""
    return (place + os.sep).startswith(os.path.realpath(root) + os.sep)
