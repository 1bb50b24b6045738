# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise is made to code outside of it.
"""How a host stands with an advisory. Pure functions."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from ansible_collections.openeuler.livepatch.plugins.plugin_utils._advisory.advisory import Advisory
from ansible_collections.openeuler.livepatch.plugins.plugin_utils._advisory.host import Host, read_host
from ansible_collections.openeuler.livepatch.plugins.plugin_utils._advisory.kernels import (
    DEB,
    RPM,
    Kernel,
    Running,
    running_kernel,
)
from ansible_collections.openeuler.livepatch.plugins.plugin_utils._advisory.products import Product
from ansible_collections.openeuler.livepatch.plugins.plugin_utils._advisory.versions import NEEDED, Compare
from ansible_collections.openeuler.livepatch.plugins.plugin_utils._fleet.model import Answer
from ansible_collections.openeuler.livepatch.plugins.plugin_utils._fleet.reader import DataError, listed, printable

AFFECTED = "affected"
NEEDS_LIVE_PATCH = "needs_live_patch"
UNKNOWN = "unknown"
FIXED_BY_LIVE_PATCH = "fixed_by_live_patch"
FIXED_BY_PACKAGE = "fixed_by_package"
NOT_AFFECTED = "not_affected"

STATUSES = (NEEDS_LIVE_PATCH, AFFECTED, UNKNOWN, FIXED_BY_LIVE_PATCH, FIXED_BY_PACKAGE, NOT_AFFECTED)
"""The worst first."""


@dataclass(frozen=True)
class Standing:
    """How a host stands with an advisory, with a sentence on why.

    `kernel` is None where it is not known. `is_affected` is whether the kernel has one of the CVEs, with live patches
    or without; None where that cannot be told. `covered` are the CVEs that live patches fix, `open` those that nothing
    does.
    """

    host: str
    status: str
    why: str
    kernel: str | None = None
    is_affected: bool | None = None
    covered: tuple[str, ...] = ()
    open: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Verdict:
    """What the packages tell: the CVEs that the kernel has, None if that cannot be told, with a sentence on why."""

    cves: tuple[str, ...] | None
    why: str
    is_fixed: bool = False


def standing_of(advisory: Advisory, name: str, answer: Answer, compare: Compare) -> Standing:
    """How the host stands that has answered so."""
    shown = printable(name)
    if answer.problem or answer.facts is None:
        return Standing(shown, UNKNOWN, printable(answer.problem or "There are no facts about it."))
    try:
        host = read_host(answer.facts)
    except DataError as error:
        return Standing(shown, UNKNOWN, f"Its facts are not valid: {error}")
    verdict = _verdict(advisory, host, compare)
    if verdict.cves == ():
        status = FIXED_BY_PACKAGE if verdict.is_fixed else NOT_AFFECTED
        return Standing(shown, status, verdict.why, host.facts.release, False)
    return _with_patches(advisory, shown, host, verdict)


def _with_patches(advisory: Advisory, name: str, host: Host, verdict: _Verdict) -> Standing:
    """The standing of a host whose kernel is affected, or may be."""
    facts = host.facts
    needed = advisory.cves if verdict.cves is None else verdict.cves
    by_patch = {
        patch: set(needed) if fix.id == advisory.id else set(needed).intersection(fix.cves) for patch, fix in host.fixes
    }
    fixed = set().union(*by_patch.values())
    covered = tuple(cve for cve in needed if cve in fixed)
    left = tuple(cve for cve in needed if cve not in fixed)
    patches = listed([patch for patch, cves in by_patch.items() if cves])
    is_affected = None if verdict.cves is None else True
    if not left:
        why = f"{patches} is live, and fixes {listed(covered)}."
        return Standing(name, FIXED_BY_LIVE_PATCH, why, facts.release, is_affected, covered)
    partly = f" {patches} is live, and fixes {listed(covered)}, but not {listed(left)}." if covered else ""
    doubt = f" {facts.doubt}" if facts.doubt else ""
    why = f"{verdict.why}{partly}{doubt}"
    if verdict.cves is None or facts.doubt:
        return Standing(name, UNKNOWN, why, facts.release, is_affected, covered, left)
    if facts.supported:
        return Standing(name, NEEDS_LIVE_PATCH, why, facts.release, True, covered, left)
    why = f"{why} {facts.why_unsupported or 'The kernel does not support live patching.'}"
    return Standing(name, AFFECTED, why, facts.release, True, covered, left)


def _verdict(advisory: Advisory, host: Host, compare: Compare) -> _Verdict:
    facts = host.facts
    if not facts.is_release_certain:
        return _Verdict(None, "Which kernel runs is not certain.")
    products = [product for product in advisory.products if product.is_on(host.distribution)]
    if not products:
        has = host.distribution.name or host.distribution.id or "no distribution that its facts name"
        names = listed(list(dict.fromkeys(product.name for product in advisory.products if product.name)), 3)
        return _Verdict(None, f"The advisory is for {names or 'other products'}, and the host has {has}.")
    rules = _rules(advisory, products)
    running = running_kernel(facts.release, facts.machine, products[0], rules, host.built)
    if running is None:
        return _Verdict(None, f"{facts.release} is not the release of a kernel of {products[0].name}.")
    kernels = [kernel for kernel in advisory.kernels if kernel.product in products]
    kernels = [kernel for kernel in kernels if kernel.flavour == running.flavour]
    same = [kernel for kernel in kernels if kernel.line == running.line and kernel.machine == facts.machine]
    if same:
        return _compared(advisory, products, running, same, compare)
    if kernels:
        lines = sorted({f"{kernel.line} for {kernel.machine}" for kernel in kernels})
        here = f"{running.line} for {facts.machine}"
        return _Verdict(None, f"The advisory names fixed kernels of {listed(lines)}, and the host runs one of {here}.")
    return _claimed(advisory, products, running)


def _rules(advisory: Advisory, products: t.Sequence[Product]) -> str:
    is_deb = any(kernel.rules == DEB for kernel in advisory.kernels if kernel.product in products)
    return DEB if is_deb else RPM


def _compared(
    advisory: Advisory, products: t.Sequence[Product], running: Running, fixed: t.Sequence[Kernel], compare: Compare
) -> _Verdict:
    """What the fixed kernels tell that an update of the running one leads to."""
    rules = fixed[0].rules
    placed = {kernel.version: compare(rules, running.version, kernel.version) for kernel in fixed}
    if None in placed.values():
        return _Verdict(None, f"The versions of kernels cannot be compared. {NEEDED[rules]}")
    named = {cve for kernel in fixed for cve in kernel.cves}
    done = {cve for kernel in fixed for cve in kernel.cves if t.cast(int, placed[kernel.version]) >= 0}
    # What no package of this line fixes may be known to be in it all the same.
    more = {cve for cve in _cves_of(advisory, products, running, True) if cve not in named}
    cves = tuple(cve for cve in advisory.cves if (cve in named or cve in more) and cve not in done)
    versions = listed(sorted({kernel.release for kernel in fixed}))
    if not cves:
        return _Verdict((), f"The kernel {running.release} has the fix, as of {versions}.", True)
    if done:
        return _Verdict(cves, f"The kernel {running.release} has {listed(cves)}.")
    return _Verdict(cves, f"The kernel {running.release} is older than {versions}.")


def _claimed(advisory: Advisory, products: t.Sequence[Product], running: Running) -> _Verdict:
    """What the advisory says of a product that it names no fixed kernel of."""
    name = products[0].name
    affected = _cves_of(advisory, products, running, True)
    if affected:
        cves = tuple(cve for cve in advisory.cves if cve in affected)
        return _Verdict(cves, f"The advisory names no fixed kernel for {name} yet, which has {listed(cves)}.")
    if _cves_of(advisory, products, running, False) == set(advisory.cves):
        return _Verdict((), f"The advisory says that the kernel of {name} is not affected.")
    kind = f"of the flavour {running.flavour}" if running.flavour else "of the usual kind"
    return _Verdict(None, f"The advisory names no kernel {kind} for {name}.")


def _cves_of(advisory: Advisory, products: t.Sequence[Product], running: Running, is_affected: bool) -> set[str]:
    return {
        cve
        for claim in advisory.claims
        if claim.product in products and claim.flavour == running.flavour and claim.is_affected == is_affected
        for cve in claim.cves
    }
