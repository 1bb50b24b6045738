# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""livepatch_unpack, which runs on the controller only: it takes the patches out of the vendor's packages."""

from __future__ import annotations

import typing as t

from ansible.plugins.action import ActionBase
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.findings import FindingError, failure_of
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.patch_file import release_in
from ansible_collections.openeuler.livepatch.plugins.module_utils._patch_file.arguments import no_pyelftools
from ansible_collections.openeuler.livepatch.plugins.module_utils._system.durable import open_regular
from ansible_collections.openeuler.livepatch.plugins.plugin_utils._arguments import check_arguments
from ansible_collections.openeuler.livepatch.plugins.plugin_utils._source_file import find_source_file, open_source
from ansible_collections.openeuler.livepatch.plugins.plugin_utils._untrusted import as_data
from ansible_collections.openeuler.livepatch.plugins.plugin_utils._vendor.refused import Refused
from ansible_collections.openeuler.livepatch.plugins.plugin_utils._vendor.signature import caution
from ansible_collections.openeuler.livepatch.plugins.plugin_utils._vendor.unpacked import (
    Unpacked,
    newest_of,
    packages_in,
    put,
)

MODULE = "openeuler.livepatch.livepatch_unpack"
LIVEPATCH_UNPACK: dict[str, t.Any] = {
    "argument_spec": {"src": {"type": "path", "required": True}, "dest": {"type": "path", "required": True}},
}

Result = dict[str, t.Any]


class ActionModule(ActionBase):
    _supports_check_mode = True
    _requires_connection = False

    def run(self, tmp: str | None = None, task_vars: dict[str, t.Any] | None = None) -> Result:
        result: Result = super().run(tmp, task_vars)
        try:
            arguments = check_arguments(self, MODULE, LIVEPATCH_UNPACK)
            result.update(as_data(self._unpack(arguments["src"], arguments["dest"])))
        except ImportError:
            result.update(failure_of(no_pyelftools("to read src on the controller")))
        except FindingError as error:
            result.update(as_data(failure_of(error.finding)))
        return result

    def _unpack(self, src: str, dest: str) -> Result:
        patches = newest_of(self._read(path) for path in packages_in(find_source_file(self, src)))
        written = [put(patch, dest, self._task.check_mode) for patch in patches]
        doubts = [caution(patch.vendor.signature, patch.given) for patch in patches]
        return {
            "changed": any(is_new for _path, is_new in written),
            "warnings": [doubt for doubt in doubts if doubt],
            "patches": [
                {"path": path, "kernel": patch.kernel, "file": patch.file, "vendor": patch.vendor.to_dict()}
                for patch, (path, _is_new) in zip(patches, written, strict=True)
            ],
        }

    def _read(self, path: str) -> Unpacked:
        # Here and not above: without pyelftools the error is to be a plain one.
        from ansible_collections.openeuler.livepatch.plugins.module_utils._patch_file.info import read_file_info

        with open_source(self, path) as source:
            file = read_file_info(source.path, source.known_as)
            vendor = source.vendor_for(file["machine"], release_in(file["vermagic"]))
            if vendor is None:
                what = Refused("not_a_vendor_patch", "is no package of the vendor's", "Give an RPM package.")
                raise FindingError(what.finding(path))
            with open_regular(source.path) as stream:
                return Unpacked(path, file, vendor, stream.read())
