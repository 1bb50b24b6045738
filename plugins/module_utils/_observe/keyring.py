# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise is made to code outside of it.

"""The certificates in the kernel's keyrings, which /proc/keys shows. Pure functions."""

from __future__ import annotations

import re

# security/keys/proc.c and crypto/asymmetric_keys/x509_public_key.c: subject, key identifier, kind.
_KEY = re.compile(r"^[0-9a-f]+ .* asymmetri (.+?)(?:: ([0-9a-f]+))?: X509\.", re.M)


def parse_signers(keys: str) -> frozenset[str]:
    """The names of the certificates in /proc/keys."""
    return frozenset(name for name, _key_id in _KEY.findall(keys))


def parse_key_ids(keys: str) -> frozenset[str]:
    """The identifiers of the keys in /proc/keys, in hexadecimal; of a certificate without one its serial number."""
    return frozenset(key_id for _name, key_id in _KEY.findall(keys) if key_id)
