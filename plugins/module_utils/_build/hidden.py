# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise is made to code outside of it.

"""Keeps the values of a build's environment variables out of manifests, results and logs: one may be a secret."""

from __future__ import annotations

import functools
import hashlib
import os
import re
import typing as t

HIDDEN = "********"
"""What is shown instead of a value, as Ansible does."""

PASSPHRASE = "KBUILD_SIGN_PIN"
"""The variable from which sign-file takes the passphrase of a key (kernel: scripts/sign-file.c). It decides nothing."""

SHORTEST = 4
"""A shorter value is hidden only where its variable stands before it: `1` is in every line of a log."""

_ROUNDS = 100_000
"""Whoever has a digest needs a day, not a second, to try all passwords of six letters."""


def digests(env: t.Mapping[str, str]) -> dict[str, str]:
    """A digest for each value that may decide what is built; the value cannot be read from it."""
    return {name: _digest(name, value) for name, value in env.items() if name != PASSPHRASE}


@functools.lru_cache(None)
def _digest(name: str, value: str) -> str:
    salt = b"openeuler.livepatch " + name.encode("utf-8", "surrogateescape")
    return hashlib.pbkdf2_hmac("sha256", value.encode("utf-8", "surrogateescape"), salt, _ROUNDS).hex()


def hider(env: t.Mapping[str, str], shown: t.Container[str] = ()) -> t.Callable[[str], str]:
    """A function that hides these values in a text, and the passphrase of the key.

    Variables in `shown` choose the compiler and the like, so that their values are words of every path and command:
    these are hidden only behind the variable's name.
    """
    values = {**env, **{name: os.environ[name] for name in (PASSPHRASE,) if name in os.environ}}
    secret = {value for name, value in values.items() if len(value) >= SHORTEST and name not in shown}
    # The longest first: one may be a part of another.
    patterns = [re.escape(value) for value in sorted(secret, key=len, reverse=True)]
    patterns += [rf"(?<=\b{re.escape(name)}=)['\"]?{re.escape(value)}" for name, value in values.items() if value]
    pattern = re.compile("|".join(patterns)) if patterns else None
    return lambda text: pattern.sub(HIDDEN, text) if pattern else text
