# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise is made to code outside of it.
"""Packs the boot program and all that it imports into one file that the host's Python runs (see the library zipapp)."""

from __future__ import annotations

import ast
import io
import typing as t
import zipfile
from importlib.util import find_spec

from ansible_collections.openeuler.livepatch.plugins.module_utils._boot import commands
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.version import VERSION
from ansible_collections.openeuler.livepatch.plugins.module_utils._store.boot import VERSION_ENTRY

PACKAGE = commands.__name__.rsplit(".", 2)[0]

MAIN = f"from {commands.__name__} import main\n\nraise SystemExit(main())\n"

PACKED = (1980, 1, 1, 0, 0, 0)
"""The date of each entry. It is fixed, so that the same sources make the same bytes."""


def pack() -> bytes:
    """The boot program, as the bytes of a zip file. The sources are those that this Python would import."""
    content = io.BytesIO()
    # Not compressed: another zlib would make other bytes.
    with zipfile.ZipFile(content, "w", zipfile.ZIP_STORED) as archive:
        for name, source in sorted(_files().items()):
            info = zipfile.ZipInfo(name, PACKED)
            info.external_attr = 0o644 << 16
            archive.writestr(info, source)
    return content.getvalue()


def _files() -> dict[str, str]:
    """The sources by their paths in the zip file: the program, all that it imports, and the packages around them."""
    files = {"__main__.py": MAIN, VERSION_ENTRY: VERSION}
    coming = [commands.__name__]
    while coming:
        name = coming.pop()
        path = name.replace(".", "/") + ".py"
        if path not in files:
            files[path] = _source(name)
            parents = name.split(".")[:-1]
            files.update({"/".join([*parents[:number], "__init__.py"]): "" for number in range(1, len(parents) + 1)})
            coming += _imported(files[path])
    return files


def _source(name: str) -> str:
    # Without importing it: one of the modules needs pyelftools, which a host may lack and nothing at boot uses.
    return t.cast(str, t.cast(t.Any, find_spec(name)).loader.get_source(name))


def _imported(source: str) -> t.Iterator[str]:
    """The modules of this package that a source imports, by their full names."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ImportFrom) and node.module and (node.module + ".").startswith(PACKAGE + "."):
            if _is_package(node.module):
                yield from (f"{node.module}.{alias.name}" for alias in node.names)
            else:
                yield node.module


def _is_package(name: str) -> bool:
    return t.cast(t.Any, find_spec(name)).submodule_search_locations is not None
