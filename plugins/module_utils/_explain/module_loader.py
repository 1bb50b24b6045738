# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise is made to code outside of it.

"""What the module loader prints when it does not take a module, whatever that is: parameters, relocations, symbols."""

from __future__ import annotations

import errno

from ansible_collections.openeuler.livepatch.plugins.module_utils._explain.row import Row
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.findings import Finding

_BAD_PARAMETER = Finding(
    reason="bad_parameter",
    seen="The parameter {parameter} of the patch does not take the value {value}.",
    remedy="Correct it in parameters; the patch's source tells which values it takes.",
)

_ARRAY_LENGTH = Finding(
    reason="bad_parameter",
    seen="The number of values does not suit the parameter {parameter} of the patch, whose bound is {count}.",
    remedy="Give as many values in parameters as it takes.",
)

# kernel/params.c, parse_args(), and param_array() for the two lines on arguments.
_INVALID_LINE = r"(?<![^`\n])(?P<value>[^`\n]*)' invalid for parameter `(?P<parameter>[^']+)'"

_UNKNOWN_RELOCATION = Finding(
    reason="bad_relocation",
    seen="The file has a relocation of type {type}, which the kernel's module loader does not know: a newer linker or "
    "compiler made it.",
    remedy="Build the patch with the compiler and the binutils that the kernel was built with.",
)

_OVERFLOW = Finding(
    reason="bad_relocation",
    seen="A relocation of type {type} in the file does not reach its target.",
    remedy="Build the patch with the compiler and the flags that the kernel was built with.",
)

_NAMESPACE = Finding(
    reason="namespace",
    seen="The patch uses {symbol} of the namespace {namespace}, and does not import that.",
    remedy="Add MODULE_IMPORT_NS for {namespace} to the source of the patch.",
)

ROWS: tuple[Row, ...] = (
    Row(
        number=errno.EINVAL,
        log=r"(?<!\S)(?P<parameter>\S+): can only take (?P<count>\S+) arguments",
        finding=_ARRAY_LENGTH,
    ),
    Row(
        number=errno.EINVAL,
        log=r"(?<!\S)(?P<parameter>\S+): needs at least (?P<count>\S+) arguments",
        finding=_ARRAY_LENGTH,
    ),
    Row(number=errno.EINVAL, log=_INVALID_LINE, finding=_BAD_PARAMETER),
    Row(number=errno.ERANGE, log=_INVALID_LINE, finding=_BAD_PARAMETER),
    Row(
        number=errno.ENOSPC,
        log=r"(?<![^`\n])(?P<value>[^`\n]*)' too large for parameter `(?P<parameter>[^']+)'",
        finding=_BAD_PARAMETER,
    ),
    # kernel/params.c, param_check_unsafe(): module_param_hw() and security_locked_down().
    Row(
        number=errno.EPERM,
        log=r"Lockdown: (?P<task>.*): unsafe module parameters",
        finding=Finding(
            reason="bad_parameter",
            seen="The kernel is locked down and takes no parameters that reach hardware.",
            remedy="Leave that parameter out.",
        ),
    ),
    # arch/*/kernel/module.c, apply_relocate_add()
    Row(number=errno.ENOEXEC, log=r"Unknown rela relocation: (?P<type>\d+)", finding=_UNKNOWN_RELOCATION),
    Row(number=errno.ENOEXEC, log=r"unsupported RELA relocation: (?P<type>\d+)", finding=_UNKNOWN_RELOCATION),
    Row(number=errno.ENOEXEC, log=r"overflow in relocation type (?P<type>\d+)", finding=_OVERFLOW),
    Row(
        number=errno.ENOEXEC,
        log=r"relocation target, existing value is nonzero for type (?P<type>\d+)",
        finding=Finding(
            reason="relocated_before",
            seen="A place in the patch that is to be relocated holds a value already: a module that the patch changes "
            "was unloaded and loaded again, or another compiler made the file.",
            remedy="Unload the patch, load it when that module is loaded; if it stays so, build it with the compiler "
            "that the kernel was built with.",
        ),
    ),
    # kernel/module/main.c, verify_namespace_is_imported()
    Row(
        number=errno.EINVAL,
        log=r"uses symbol \((?P<symbol>\S+)\) from namespace (?P<namespace>\S+), but does not import it",
        finding=_NAMESPACE,
    ),
    Row(
        number=errno.EINVAL,
        log=r"uses symbol (?P<symbol>\S+) from namespace (?P<namespace>\S+), but does not import it",
        finding=_NAMESPACE,
    ),
)
