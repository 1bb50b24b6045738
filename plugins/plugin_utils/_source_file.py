# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise is made to code outside of it.

"""The file on the controller that the option `src` names, or the patch in a package or a directory of the vendor's."""

from __future__ import annotations

import contextlib
import os
import tempfile
import typing as t
from dataclasses import dataclass, replace

from ansible import constants
from ansible.errors import AnsibleError
from ansible.plugins.action import ActionBase
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.findings import FindingError, bad_argument
from ansible_collections.openeuler.livepatch.plugins.module_utils._patch_file.arguments import (
    VAULT_HEADER,
    no_such_file,
    not_opened,
)
from ansible_collections.openeuler.livepatch.plugins.module_utils._patch_file.reader import PACKAGE
from ansible_collections.openeuler.livepatch.plugins.module_utils._system.durable import open_regular
from ansible_collections.openeuler.livepatch.plugins.plugin_utils._download import is_url
from ansible_collections.openeuler.livepatch.plugins.plugin_utils._downloaded import (
    checked_copy,
    download_patch,
    shown_url,
)
from ansible_collections.openeuler.livepatch.plugins.plugin_utils._fleet.reader import printable
from ansible_collections.openeuler.livepatch.plugins.plugin_utils._vendor.cpio import File
from ansible_collections.openeuler.livepatch.plugins.plugin_utils._vendor.package import read_package
from ansible_collections.openeuler.livepatch.plugins.plugin_utils._vendor.payload import MOST_UNPACKED
from ansible_collections.openeuler.livepatch.plugins.plugin_utils._vendor.refused import Refused, too_big
from ansible_collections.openeuler.livepatch.plugins.plugin_utils._vendor.signature import check_signature
from ansible_collections.openeuler.livepatch.plugins.plugin_utils._vendor.vendor_patch import (
    VendorPatch,
    from_directory,
    from_package,
    is_directory_of_a_patch,
)


@dataclass(frozen=True)
class Source:
    """A patch file on the controller: where it is, and what messages call it.

    `vendor` is what the vendor's package says of it, `given` the package; a plain .ko file has neither.
    """

    path: str
    known_as: str
    given: str = ""
    vendor: VendorPatch | None = None

    def vendor_for(self, machine: str, release: str) -> VendorPatch | None:
        """What is known of the vendor's patch, whose module is for this machine and kernel. Raises FindingError."""
        try:
            return self.vendor and self.vendor.joined(machine, release)
        except Refused as refused:
            raise FindingError(refused.finding(self.given)) from refused


@contextlib.contextmanager
def open_source(action: ActionBase, src: str) -> t.Iterator[Source]:
    """The patch file that `src` names, or the one in a package or directory; unpacked for as long as this is open.

    Raises FindingError.
    """
    if is_url(src):
        raise bad_argument(f"src is {printable(src)}, and this module takes no URL.", "Download it, and give its path.")
    with _opened(find_source_file(action, src), src) as source:
        yield source


@contextlib.contextmanager
def open_checked(action: ActionBase, src: str, checksum: str | None) -> t.Iterator[Source]:
    """The same, where `src` may be a URL, and where what is used has this checksum. Raises FindingError."""
    if is_url(src):
        path, src = download_patch(src, checksum), shown_url(src)
    else:
        path = find_source_file(action, src)
        if checksum is not None:
            path = checked_copy(path, src, checksum)
    with _opened(path, src) as source:
        yield source


@contextlib.contextmanager
def _opened(path: str, src: str) -> t.Iterator[Source]:
    with contextlib.ExitStack() as opened:
        try:
            source = _take_out(opened, path, src)
        except Refused as refused:
            raise FindingError(refused.finding(src)) from refused
        except OSError as error:
            raise FindingError(not_opened(src, b"", OSError(error.strerror))) from error
        yield source


def _take_out(opened: contextlib.ExitStack, path: str, src: str) -> Source:
    if is_directory_of_a_patch(path):
        vendor, module = from_directory(path)
    elif _start(path, len(PACKAGE)) == PACKAGE:
        vendor, module = _from_package(opened, path)
    else:
        return Source(path, src)
    name = os.path.basename(module.path)
    return Source(_put(opened, name, module.content), os.path.join(src, name), src, vendor)


def _from_package(opened: contextlib.ExitStack, path: str) -> tuple[VendorPatch, File]:
    with open_regular(path) as stream:
        content = stream.read(MOST_UNPACKED + 1)
    if len(content) > MOST_UNPACKED:
        raise too_big(f"more than {MOST_UNPACKED} bytes")
    package = read_package(content)
    vendor, module = from_package(package)
    # A copy, so that rpm checks what was read here.
    signature = check_signature(_put(opened, "package.rpm", content), package.has_signature)
    return replace(vendor, signature=signature), module


def _put(opened: contextlib.ExitStack, name: str, content: bytes) -> str:
    """Write a file into a private directory that is there until the end. The name is one without slashes."""
    directory = opened.enter_context(tempfile.TemporaryDirectory(dir=constants.DEFAULT_LOCAL_TMP))
    path = os.path.join(directory, name)
    with open(path, "xb") as stream:
        stream.write(content)
    return path


def find_source_file(action: ActionBase, src: str) -> str:
    """The path of the file, or of a decrypted copy of it if it is vaulted. Raises FindingError."""
    try:
        path = t.cast(str, action._find_needle("files", src))
    except AnsibleError as error:
        raise FindingError(no_such_file(error)) from error
    if not os.path.isfile(path):
        return path  # Whoever reads it says what it is.
    try:
        return t.cast(str, action._loader.get_real_file(path))
    except (AnsibleError, OSError) as error:
        raise FindingError(not_opened(path, _start(path, len(VAULT_HEADER)), error)) from error


def _start(path: str, length: int) -> bytes:
    with contextlib.suppress(OSError), open_regular(path) as stream:
        return stream.read(length)
    return b""
