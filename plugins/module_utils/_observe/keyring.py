# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise is made to code outside of it.

"""The certificates in the kernel's keyrings, which /proc/keys shows. Pure functions."""

from __future__ import annotations

import re
import typing as t

# security/keys/proc.c and crypto/asymmetric_keys/x509_public_key.c: flags, uses, expiry, subject, key identifier, kind.
_KEY = re.compile(r"^[0-9a-f]+ (\S{3,9}) +\d+ +(\S+) .* asymmetri (.+?)(?:: ([0-9a-f]+))?: X509\.", re.M)

_FLAGS = {"R": "revoked", "D": "dead", "i": "invalidated", "N": "negative"}
"""Letters of the flags -> why the kernel does not use such a key."""


class Key(t.NamedTuple):
    """A certificate: its name, the identifier of its key in hexadecimal, and why it is not used; empty if it is."""

    name: str
    key_id: str
    spoilt: str


def parse_keys(keys: str) -> tuple[Key, ...]:
    """The certificates in /proc/keys."""
    return tuple(Key(name, key_id, _spoilt(flags, expiry)) for flags, expiry, name, key_id in _KEY.findall(keys))


def _spoilt(flags: str, expiry: str) -> str:
    found = [why for letter, why in _FLAGS.items() if letter in flags]
    return found[0] if found else "expired" if expiry == "expd" else ""


def parse_signers(keys: str) -> frozenset[str]:
    """The names of the certificates in /proc/keys that are in use."""
    return frozenset(key.name for key in parse_keys(keys) if not key.spoilt)


def parse_key_ids(keys: str) -> frozenset[str]:
    """The identifiers of the keys in use, in hexadecimal; of a certificate without one its serial number."""
    return frozenset(key.key_id for key in parse_keys(keys) if key.key_id and not key.spoilt)


def parse_doubtful(keys: str) -> tuple[Key, ...]:
    """The certificates that are not used, and those whose name another one has as well."""
    found = parse_keys(keys)
    ids: dict[str, set[str]] = {}
    for key in found:
        ids.setdefault(key.name, set()).add(key.key_id)
    return tuple(dict.fromkeys(key for key in found if key.spoilt or len(ids[key.name]) > 1))
