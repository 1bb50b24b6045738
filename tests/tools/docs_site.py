# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Makes the documentation as HTML: the guides, and the pages that antsibull-docs writes for plugins and roles.

The first page and the configuration of Sphinx are in docs/site. Every warning is an error. This uses no network: it
writes the inventory for sphinx.ext.intersphinx of the few pages of Ansible's documentation that ours link to.
"""

from __future__ import annotations

import functools
import re
import shutil
import zlib
from pathlib import Path

import staging
from toolbox import WORK, Stop, run, tool_environ, tools

COLLECTION = "openeuler.livepatch"
SITE = WORK / "docs"
PLUGINS = ".. _plugin_index_for_openeuler.livepatch:"
# The labels that antsibull-docs links to, and their pages in Ansible's documentation.
ANSIBLE_LABELS = {
    "action_plugins": "plugins/action.html",
    "ansible_configuration_settings": "reference_appendices/config.html",
    "common_return_values": "reference_appendices/common_return_values.html",
}
BUILTIN = re.compile(r"<(ansible_collections\.ansible\.builtin\.(\w+))>")


@functools.cache
def site() -> Path:
    """Make all pages anew and return the first one."""
    staging.tree()
    rst, html = SITE / "rst", SITE / "html"
    shutil.rmtree(SITE, ignore_errors=True)
    rst.mkdir(parents=True, mode=0o755)
    environ = tool_environ(ANSIBLE_COLLECTIONS_PATH=staging.COLLECTIONS)
    options = ["--use-current", "--squash-hierarchy", "--fail-on-error", "--no-add-antsibull-docs-version"]
    run([tools() / "bin" / "antsibull-docs", "collection", *options, "--dest-dir", rst, COLLECTION], env=environ)
    (rst / "reference.rst").write_text(reference((rst / "index.rst").read_text(encoding="utf-8")), encoding="utf-8")
    shutil.copytree(staging.tree() / "docs" / "docsite" / "rst" / "images", rst / "docsite" / "images")
    shutil.copytree(staging.tree() / "docs" / "site", SITE, dirs_exist_ok=True)
    (SITE / "index.rst").replace(rst / "index.rst")
    (SITE / "ansible.inv").write_bytes(ansible_inventory(rst))
    run([tools() / "bin" / "sphinx-build", "-q", "-W", "--keep-going", "-c", SITE, rst, html], env=environ)
    return html / "index.html"


def reference(index: str) -> str:
    """The page that lists plugins and roles, of the first page that antsibull-docs writes, which also lists guides."""
    _before, label, plugins = index.partition(PLUGINS)
    if not label:
        raise Stop(f"The first page of antsibull-docs has no {PLUGINS}")
    title = "Modules, roles and filters"
    return f".. _plugins_in_{COLLECTION}:\n\n{title}\n{'=' * len(title)}\n\n{label}{plugins}"


def ansible_inventory(rst: Path) -> bytes:
    """Return a Sphinx inventory of the labels in Ansible's documentation that these pages link to."""
    labels = dict(ANSIBLE_LABELS)
    for page in rst.rglob("*.rst"):
        for label, plugin in BUILTIN.findall(page.read_text(encoding="utf-8")):
            labels[label] = f"collections/ansible/builtin/{plugin}.html"
    head = "# Sphinx inventory version 2\n# Project: Ansible\n# Version: devel\n"
    head += "# The remainder of this file is compressed using zlib.\n"
    lines = [f"{label} std:label -1 {page} {label}\n" for label, page in sorted(labels.items())]
    return head.encode() + zlib.compress("".join(lines).encode())
