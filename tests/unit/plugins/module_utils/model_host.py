# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A model of a host, named so: a model of a kernel with patches, their files, and tasks for it."""

from __future__ import annotations

import pathlib
import typing as t

from ansible_collections.openeuler.livepatch.plugins.module_utils._manage.manage import manage
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.patch_file import PatchFile
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.request import (
    Patience,
    State,
    Task,
    Verification,
    Wanted,
)
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.snapshot import LoadedPatch
from ansible_collections.openeuler.livepatch.plugins.module_utils._store import copies
from ansible_collections.openeuler.livepatch.tests.unit.plugins.module_utils.model_kernel import (
    ModelKernel,
    content_of,
)


class ModelHost:
    """A host with these patches; the files of those in `kept` are at hand, as if the collection had loaded them."""

    kind: type[ModelKernel] = ModelKernel

    def __init__(
        self, root: pathlib.Path, *patches: LoadedPatch, kept: t.Collection[PatchFile] = (), **kernel: t.Any
    ) -> None:
        self.root = root
        self.kernel = self.kind(root, *patches, **kernel)
        for name in (*(patch.name for patch in patches), *(file.name for file in kept)):
            (root / "sys/module" / name).mkdir(parents=True, exist_ok=True)
        for file in kept:
            self.kernel.add_file(file)
            source = root / "source.ko"
            source.write_bytes(content_of(file.name))
            copies.store(self.kernel.files(), file.name, str(source), file.sha256)
            self.kernel.note_copy(file)

    def run(
        self,
        name: str,
        state: State = State.ENABLED,
        file: PatchFile | None = None,
        content: str = "1",
        patience: Patience | None = None,
        verification: Verification | None = None,
        ignore: tuple[str, ...] = (),
        **wanted: t.Any,
    ) -> dict[str, t.Any]:
        path = self.root / "sent.ko"
        if file:
            self.kernel.add_file(file)
            path.write_bytes(content_of(name, content))
        task = Task(
            Wanted(name, state, file, **wanted),
            str(path) if file else None,
            patience=patience or Patience(3, 2, 0.1),
            verification=verification or Verification(),
            ignore=ignore,
        )
        return manage(task, self.kernel)

    @property
    def stack(self) -> list[str]:
        return [patch.name for patch in self.kernel.patches if patch.enabled]

    @property
    def identities(self) -> dict[str, str | None]:
        return {patch.name: patch.identity.build_id for patch in self.kernel.patches}
