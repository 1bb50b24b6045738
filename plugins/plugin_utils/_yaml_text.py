# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise is made to code outside of it.

"""Writes files of variables whose texts stay data."""

from __future__ import annotations

import typing as t

import yaml
from ansible_collections.openeuler.livepatch.plugins.plugin_utils._plain import is_sentence

UNSAFE = "!unsafe"
"""The tag of a text that Ansible does not render in a file of variables."""


class _Dumper(yaml.SafeDumper):
    """Writes a text that could be a template as one that Ansible does not render, even if the file is given with -e."""

    def ignore_aliases(self, data: t.Any) -> bool:
        return True


def _represent(dumper: yaml.SafeDumper, text: str) -> yaml.Node:
    if is_sentence(text):
        return dumper.represent_str(text)
    return dumper.represent_scalar(UNSAFE, text, style='"')


_Dumper.add_representer(str, _represent)


def yaml_text(data: t.Any) -> str:
    """The data as YAML. They must be plain, as `plain_data` makes them."""
    return yaml.dump(data, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=120)
