# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise is made to code outside of it.
"""What an advisory says of kernels."""

from __future__ import annotations

from dataclasses import dataclass

from ansible_collections.openeuler.livepatch.plugins.plugin_utils._advisory.kernels import Kernel
from ansible_collections.openeuler.livepatch.plugins.plugin_utils._advisory.products import Product


@dataclass(frozen=True)
class Claim:
    """What an advisory says of a product's kernels without naming one that is fixed: they have these CVEs, or not."""

    product: Product
    flavour: str
    is_affected: bool
    cves: tuple[str, ...]


@dataclass(frozen=True)
class Advisory:
    """An advisory, as far as it is about kernels. The texts are clean, and on one line."""

    id: str
    title: str
    severity: str
    publisher: str
    cves: tuple[str, ...]
    kernels: tuple[Kernel, ...]
    claims: tuple[Claim, ...] = ()

    @property
    def fixed_in(self) -> tuple[str, ...]:
        """The kernels that have the fix, as `uname -r` prints them."""
        return tuple(sorted({kernel.release for kernel in self.kernels}))

    @property
    def products(self) -> tuple[Product, ...]:
        """The products that it says something about, by name."""
        found = {*(kernel.product for kernel in self.kernels), *(claim.product for claim in self.claims)}
        return tuple(sorted(found, key=lambda product: (product.name, product.version)))
