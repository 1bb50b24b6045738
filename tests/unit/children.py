# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a Python that a test starts needs, to import this collection and the same Ansible as the test itself."""

from __future__ import annotations

import os
from pathlib import Path

COLLECTIONS = [str(path.parent) for path in Path(__file__).resolve().parents if path.name == "ansible_collections"]
"""The folder with the collections, where the tree of the tests is one of them. Else PYTHONPATH has it already."""


def environ_of_child() -> dict[str, str]:
    """The environment, with the collections: ansible-test imports them without, and has Ansible in PYTHONPATH."""
    paths = [*COLLECTIONS, *filter(None, [os.environ.get("PYTHONPATH")])]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}
