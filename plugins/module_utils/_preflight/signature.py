# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise is made to code outside of it.
"""Whether the kernel demands a signature, and whether it trusts that of a file."""

from __future__ import annotations

import typing as t

from ansible_collections.openeuler.livepatch.plugins.module_utils._model.findings import WARN, Finding
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.patch_file import PatchFile, Signature
from ansible_collections.openeuler.livepatch.plugins.module_utils._observe.conditions import LOCKDOWN, Conditions
from ansible_collections.openeuler.livepatch.plugins.module_utils._observe.keyring import Key
from ansible_collections.openeuler.livepatch.plugins.module_utils._preflight.check import Circumstances, check

SIGNATURE_LOCKDOWNS = ("integrity", "confidentiality")


@check("signature")
def signatures(circumstances: Circumstances) -> t.Iterator[Finding]:
    conditions = circumstances.conditions
    demands = _demands(conditions)
    why = f"The kernel loads modules only with a signature that it trusts: {demands}."
    for file in circumstances.files:
        if file.signature and not file.signature.readable:
            yield Finding(
                reason="signature",
                seen=f"{file.path} ends as a signed file does, and its signature cannot be read.",
                remedy="Sign it again, after the last change to it, or give the unsigned file.",
                # kernel/module/signing.c, module_sig_check(): only a missing signature, key or algorithm is forgiven.
                why="The kernel would answer EBADMSG, even where it demands no signature.",
            )
        elif demands:
            yield from _untrusted(file, conditions, why)
        else:
            yield from _unknown_demands(conditions)


def _demands(conditions: Conditions) -> str:
    """Why the kernel demands a signature; empty if nothing shows that it does."""
    demands = ["module.sig_enforce is set"] if conditions.sig_enforce else []
    if conditions.lockdown in SIGNATURE_LOCKDOWNS:
        demands.append(f"the kernel is locked down ({conditions.lockdown})")
    return " and ".join(demands)


def _unknown_demands(conditions: Conditions) -> t.Iterator[Finding]:
    # A kernel without lockdown has no such file.
    unreadable = LOCKDOWN in conditions.unreadable
    if conditions.lockdown is None and (conditions.secure_boot or unreadable):
        yield Finding(
            reason="signature",
            seen=conditions.why(LOCKDOWN)
            if unreadable
            else f"Secure Boot is on, and {LOCKDOWN} does not show whether the kernel is locked down.",
            remedy="Sign the patch file.",
            why="The kernel may demand a signature.",
            severity=WARN,
        )


def _untrusted(file: PatchFile, conditions: Conditions, why: str) -> t.Iterator[Finding]:
    signature = file.signature
    if signature is None:
        yield Finding(
            reason="signature",
            seen=f"{file.path} is not signed.",
            remedy="Sign it with a key in the kernel's keyring.",
            why=why,
        )
    elif conditions.signers is None:
        yield Finding(
            reason="signature",
            seen=f"Whether the kernel trusts the signer of {file.path} is unknown: {conditions.why('/proc/keys')}",
            remedy="Make sure that the certificate is in the kernel's keyring.",
            why=why,
            severity=WARN,
        )
    elif any(_may_be_of(key, signature) for key in conditions.doubtful_keys):
        yield _doubt(file, conditions, signature, why)
    elif not _knows(conditions, conditions.signers, signature):
        shown = signature.signer or (f"the key {signature.key_id}" if signature.key_id else "an unknown key")
        yield Finding(
            reason="signature",
            seen=f"{file.path} is signed by {shown}, of which /proc/keys shows no certificate.",
            remedy="Enroll the certificate (mokutil --import), or sign with a key that the kernel trusts.",
            why=why,
            severity=WARN,
        )


def _knows(conditions: Conditions, signers: frozenset[str], signature: Signature) -> bool:
    if signature.signer:
        return any(_is_name_of(name, signature.signer) for name in signers)
    return signature.key_id in conditions.key_ids


def _is_name_of(name: str, signer: str) -> bool:
    """Whether a key's name in /proc/keys is that of the signer, alone or behind the organisation."""
    return name == signer or name.endswith(f": {signer}")


def _may_be_of(key: Key, signature: Signature) -> bool:
    """Whether a doubtful key may be the signer's: a signature that names the signer does not tell which key it has."""
    if signature.signer:
        return _is_name_of(key.name, signature.signer)
    return bool(key.spoilt) and key.key_id == signature.key_id


def _doubt(file: PatchFile, conditions: Conditions, signature: Signature, why: str) -> Finding:
    keys = [key for key in conditions.doubtful_keys if _may_be_of(key, signature)]
    usable = [key for key in keys if not key.spoilt] or (
        signature.signer and _knows(conditions, conditions.signers or frozenset(), signature)
    )
    states = ", ".join(sorted({key.spoilt for key in keys if key.spoilt}))
    shown = signature.signer or f"the key {signature.key_id}"
    if not usable:
        seen = f"{file.path} is signed by {shown}, whose certificate in /proc/keys is {states}."
    else:
        seen = f"{file.path} is signed by {shown}, and /proc/keys shows several certificates of that name"
        seen += f", of which one is {states}." if states else ": nothing tells which of them signed it."
    return Finding(
        reason="signature",
        seen=seen,
        remedy="Sign with a key whose certificate the kernel uses, and give certificates names of their own.",
        why=why,
        severity=WARN,
    )
