# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise is made to code outside of it.

"""A patch that is enabled and stays so: what can be proven of its effect, without a change of the host."""

from __future__ import annotations

import typing as t
from dataclasses import asdict

from ansible_collections.openeuler.livepatch.plugins.module_utils._manage.outcome import failed
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.outcome import Failure, StepFailed
from ansible_collections.openeuler.livepatch.plugins.module_utils._verify.prover import Prover

if t.TYPE_CHECKING:
    from ansible_collections.openeuler.livepatch.plugins.module_utils._manage.assessment import Assessment
    from ansible_collections.openeuler.livepatch.plugins.module_utils._manage.result import Plain


def with_proofs(assessment: Assessment, result: Plain) -> Plain:
    """The result of a task that does nothing, with its proofs, or failed if one of them fails."""
    if not (assessment.is_settled and assessment.proves_unmoved):
        return result
    kernel, verification = assessment.kernel, assessment.verification_unmoved
    kernel.log.begin()
    prover = Prover(kernel, assessment.task.wanted.name, assessment.before, verification, "the task began")
    try:
        proofs = prover.prove(assessment.before)
    except StepFailed as error:
        return failed(result, Failure(error.attempted, error.finding, error.number, error.log))
    return {**result, "proofs": [asdict(proof) for proof in proofs]}
