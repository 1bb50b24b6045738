# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise is made to code outside of it.

"""Runs a probe, which looks for the effect of a patch in the output of a command or in a file."""

from __future__ import annotations

import re
import typing as t

from ansible_collections.openeuler.livepatch.plugins.module_utils._model.checks import PROBE
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.findings import INFO, Finding
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.request import Probe
from ansible_collections.openeuler.livepatch.plugins.module_utils._system import programs

if t.TYPE_CHECKING:
    from ansible_collections.openeuler.livepatch.plugins.module_utils._apply.kernel_protocol import KernelProtocol

MAX_OUTPUT = 1 << 20
"""How many bytes are read of a probe's file."""


def holds(probe: Probe, kernel: KernelProtocol) -> tuple[bool, str]:
    """Whether the probe holds now, and the text that it showed. This takes up to `probe.timeout` seconds."""
    command = probe.argv if probe.path is None else _read_command(kernel.files().path(probe.path))
    try:
        returned, printed = programs.run(command, probe.timeout)
    except programs.TimedOut:
        return False, f"no answer within {probe.timeout:g} s"
    except OSError as error:
        return False, str(error)
    text = printed.strip()
    if probe.path is not None and returned != 0:
        return False, text
    if probe.expect is None and probe.reject is None:
        return returned == 0, f"return code {returned}"
    expected = probe.expect is None or re.search(probe.expect, text, re.M) is not None
    rejected = probe.reject is not None and re.search(probe.reject, text, re.M) is not None
    return expected and not rejected, text


def probed_beforehand(probe: Probe | None, kernel: KernelProtocol, check_mode: bool) -> t.Iterator[Finding]:
    """What a probe tells before the change which it is to prove. Check mode does not run it."""
    if probe and check_mode and probe.argv:
        yield Finding(
            reason=PROBE,
            seen=f"The probe {probe} was not run.",
            remedy="Nothing needs to be done.",
            why="Check mode runs no commands of the user's.",
            severity=INFO,
        )
    elif probe and holds(probe, kernel)[0]:
        yield Finding(
            reason=PROBE,
            seen=f"The probe {probe} holds already.",
            remedy="Give a probe that shows the difference.",
            why="It could not prove that the patch has an effect.",
        )


def _read_command(path: str) -> list[str]:
    """The command that reads a file. Another process reads it, since a patched function may never return."""
    return ["head", "-c", str(MAX_OUTPUT), "--", path]
