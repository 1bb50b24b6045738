# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise is made to code outside of it.

"""A row of the tables of causes for which a build fails."""

from __future__ import annotations

import typing as t

HOST, CAUSE, SUMMARY, NOTE = range(4)
"""How much a line decides, the most decisive first.

HOST: the build host lacks something without which any line may follow. CAUSE: what went wrong. SUMMARY: only that
something did, such as a count. NOTE: what programs also say of builds that go on, and of what fails for another reason.
"""


class Row(t.NamedTuple):
    """A cause. `line` is searched in one line, which contains `has`; its groups fill `cause` and `remedy`.

    `then` is searched in the lines that follow: without it the line does not decide. `more` may be there as well, and
    its groups fill the sentences. `stages` are those in which the row counts, all if it is empty, and `program` is the
    builder for which it does. In the sentences, `{work}` is what the user has written, such as "the patch".
    """

    reason: str
    has: str
    line: str
    cause: str
    remedy: str
    rank: int = CAUSE
    then: str = ""
    more: str = ""
    stages: tuple[str, ...] = ()
    program: str = ""
