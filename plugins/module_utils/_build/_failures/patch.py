# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise is made to code outside of it.

"""Causes that whoever wrote the patch, or the hand-written module, has to remedy."""

from __future__ import annotations

from ansible_collections.openeuler.livepatch.plugins.module_utils._build._failures.row import HOST, SUMMARY, Row
from ansible_collections.openeuler.livepatch.plugins.module_utils._build._failures.stages import Stage

_FUNCTIONS_ONLY = "Change the patch so that only functions change."

_OTHER_MACRO = "Leave the macro as it is: add another one, and use that in the functions."

_UNDEFINED = r"""(?:modpost: )?(?:"(?P<symbols>[^"]+)" \[[^\]]+\]|\S+: symbol '(?P<other>[^']+)') undefined!"""
"""How modpost says it up to Linux 6, of 4.19 without its name, and in Linux 7.3."""

COMPILER = Row(
    reason="compile_error",
    has="error: ",
    line=r"\A(?P<file>[^\s:][^:]*):(?P<number>\d+):(?:\d+:)? (?:fatal )?error: (?P<message>.*)",
    cause="The compiler says: {file}:{number}: {message}.",
    remedy="Correct {work}.",
    stages=(Stage.UNKNOWN, Stage.ORIGINAL, Stage.PATCHED, Stage.MODULE, Stage.SOURCE),
)

# Source: also scripts/mod/modpost.c of Linux 4.19 to 7.3, where the newest names the module before what it says.
ROWS = (
    Row(
        reason="already_applied",
        has="previously applied) patch detected",
        line=r"(?:Reversed \(or p|P)reviously applied\) patch detected",
        cause="The source already contains the patch.",
        remedy="Give the source without this patch.",
        stages=(Stage.UNKNOWN, Stage.TESTING, Stage.READING),
    ),
    Row(
        reason="does_not_apply",
        has=" FAILED at ",
        line=r"\AHunk #(?P<hunk>\d+) FAILED at (?P<line>\d+)",
        cause="Hunk {hunk} of the patch does not apply at line {line}.",
        remedy="Correct the patch, or give the source of the kernel that it is for.",
        stages=(Stage.UNKNOWN, Stage.TESTING, Stage.READING, Stage.PATCHED),
    ),
    Row(
        reason="does_not_apply",
        has="Not deleting file ",
        line=r"\ANot deleting file (?P<file>.+) as content differs from patch",
        cause="The source has more in {file} than the patch, which deletes it.",
        remedy="Correct the patch, or give the source of the kernel that it is for.",
        stages=(Stage.UNKNOWN, Stage.TESTING, Stage.READING, Stage.PATCHED),
    ),
    Row(
        reason="does_not_apply",
        has="malformed patch at line",
        line=r"malformed patch at line (?P<line>\d+)",
        cause="Line {line} of the patch is not what its header announces.",
        remedy="Write the patch anew with diff -u or git diff; editors and mail programs damage patches.",
    ),
    Row(
        reason="does_not_apply",
        has="can't find file to patch",
        line=r"can't find file to patch at input line (?P<line>\d+)",
        cause="The source lacks the file that the patch changes at its line {line}.",
        remedy="Correct the patch, whose names begin with one directory (a/, b/), or give another src_dir.",
    ),
    Row(
        reason="does_not_apply",
        has="apply",
        line=r"ERROR: (?P<patch>.+) file failed to apply|error: klp-build: (?P<other>.+) did not apply",
        cause="The patch {patch}{other} does not apply.",
        remedy="Correct the patch, or give the source of the kernel that it is for.",
        rank=SUMMARY,
    ),
    Row(
        reason="empty_patch",
        has="missing file operand",
        line=r"\Acp: missing file operand",
        cause="The patch changes no file.",
        remedy="Correct the patch.",
        stages=(Stage.UNKNOWN, Stage.TESTING),
    ),
    Row(
        reason="unsupported_path",
        has="unsupported patch to",
        line=r"unsupported patch to (?P<what>lib/|assembly|vdso)\S*: (?P<file>\S+)",
        cause="The patch changes {file}, and kpatch-build cannot patch {what}.",
        remedy="Patch a function that calls it instead.",
    ),
    Row(
        reason="unsupported_path",
        has="unsupported patch to",
        line=r"error: klp-build: .*: unsupported patch to (?P<file>\S+)",
        cause="The patch changes {file}, which klp-build cannot patch.",
        remedy="Patch a function that calls it instead.",
    ),
    Row(
        reason="export_symbol",
        has="export_symbol",
        line=r"(?:changed section |ERROR: \S+: )(?P<section>(?:\.rela)?\.export_symbol)\b"
        r"|(?P<other>(?:\.?rela)?\.export_symbol) section (?:in|header)\b",
        cause="The patch changes a source file with EXPORT_SYMBOL, and this kpatch-build cannot keep the section "
        "{section}{other} that kernels from 6.5 on have for it.",
        remedy="Patch a function of another file instead, such as a caller, or use a newer kpatch-build.",
    ),
    Row(
        reason="no_fentry",
        has="unable to patch",
        line=r"(?P<object>[^\s:]+): function (?P<symbol>\S+) has no \S+ call, unable to patch",
        cause="The function {symbol} of {object} has no profiling call, by which ftrace would find it.",
        remedy="Patch a function that calls it instead; functions that are inline have none either (__always_inline).",
    ),
    Row(
        reason="init_section",
        has="not selected for inclusion",
        line=r"(?P<object>[^\s:]+): changed section (?P<section>(?:\.rela)?\.init\S*) not selected for inclusion",
        cause="The patch changes code or data of {object} that the kernel discards after it has started ({section}).",
        remedy="Leave functions and data marked __init as they are.",
    ),
    Row(
        reason="init_section",
        has="patch or reference init code",
        line=r"error: objtool: (?P<symbol>[^\s:]+): can't patch or reference init code/data",
        cause="The patch changes {symbol}, or what uses it, which the kernel discards after it has started.",
        remedy="Leave functions and data marked __init as they are.",
    ),
    Row(
        reason="changed_data",
        has="not selected for inclusion",
        line=r"(?P<object>[^\s:]+): changed section (?P<section>(?:\.rela)?\.(?:data|bss)\S*) not selected for "
        r"inclusion",
        cause="The patch changes data of {object} ({section}) that the running kernel has in use.",
        remedy="Keep data as it is; use shadow variables or a callback that changes it at run time.",
    ),
    Row(
        reason="changed_data",
        has="selected for inclusion",
        line=r"(?P<object>[^\s:]+): data section (?P<section>\S+) selected for inclusion",
        cause="The patch changes data of {object} ({section}) that the running kernel has in use.",
        remedy="Keep data as it is; use shadow variables or a callback that changes it at run time.",
    ),
    Row(
        reason="changed_data",
        has="changed data",
        line=r"error: objtool: changed data: (?P<symbol>\S+)",
        cause="The patch changes the value of {symbol}, which the running kernel has in use.",
        remedy="Keep data as it is; use shadow variables or a callback that changes it at run time.",
    ),
    Row(
        reason="unsupported_section",
        has="not selected for inclusion",
        line=r"(?P<object>[^\s:]+): changed section (?P<section>\S+) not selected for inclusion",
        cause="The patch changes the section {section} of {object}, which a live patch cannot replace.",
        remedy=_FUNCTIONS_ONLY,
    ),
    Row(
        reason="unsupported_section",
        has="group",
        line=r"(?P<object>[^\s:]+): (?:changed section (?P<section>\S+) is part of a section group|"
        r"new/changed group sections are not supported)",
        cause="The patch changes a group of sections of {object}, which a live patch cannot replace ({section}).",
        remedy="Patch a function of another file instead, such as a caller.",
    ),
    Row(
        reason="changed_macro",
        has="is not followed by a macro parameter",
        line=r"\A(?P<file>[^\s:][^:]*):(?P<number>\d+):(?:\d+:)? error: '#' is not followed by a macro parameter",
        cause="The patch changes a macro of several lines at {file}:{number}, and klp-build writes #line into it.",
        remedy=_OTHER_MACRO,
        rank=HOST,
        stages=(Stage.PATCHED,),
        program="klp-build",
    ),
    Row(
        reason="changed_macro",
        has=" in program",
        line=r"\A(?P<file>[^\s:][^:]*):(?P<number>\d+):(?:\d+:)? error: stray '#' in program",
        cause="The patch changes a macro of several lines at {file}:{number}, and klp-build writes #line into it.",
        remedy=_OTHER_MACRO,
        # The macro ends there, and its other lines have errors that the compiler tells before.
        rank=HOST,
        then=r"\A\s*\d* \| #line \d|\A *#line \d",
        stages=(Stage.PATCHED,),
        program="klp-build",
    ),
    Row(
        reason="jump_label",
        has="Found a jump label",
        line=r"Found a jump label at (?P<function>[^\s(+]+)\S*, using key (?P<key>[^\s,.]+)(?P<why>.*?)"
        r"\.?(?:  ?Use |\Z)",
        cause="{function}, which the patch changes, has a jump label with the key {key}{why}.",
        remedy="Use static_key_enabled() in the changed function, instead of static_branch_likely() and the like.",
    ),
    Row(
        reason="jump_label",
        has="unsupported jump label",
        line=r"(?P<count>\d+) unsupported jump labels?",
        cause="The functions that the patch changes have {count} jump labels that a module cannot have.",
        remedy="Use static_key_enabled() in the changed functions, instead of static_branch_likely() and the like.",
        rank=SUMMARY,
    ),
    Row(
        reason="jump_label",
        has="unsupported static branch key",
        line=r"(?P<function>[^\s:+()]+)(?:\(\))?\+0x[0-9a-f]+: unsupported static branch key (?P<key>\S+?)\.",
        cause="{function}, which the patch changes, has a jump label with the key {key} of a module.",
        remedy="Use static_key_enabled() in the changed function, instead of static_branch_likely() and the like.",
    ),
    Row(
        reason="static_call",
        has="Found a static call",
        line=r"Found a static call at (?P<function>[^\s(+]+)\S*, using key (?P<key>[^\s,.]+)",
        cause="{function}, which the patch changes, has a static call with the key {key} of a module.",
        remedy="Use KPATCH_STATIC_CALL() of kpatch-macros.h in the changed function.",
    ),
    Row(
        reason="static_call",
        has="unsupported static call key",
        line=r"(?P<function>[^\s:+()]+)(?:\(\))?\+0x[0-9a-f]+: unsupported static call key (?P<key>\S+?)\.",
        cause="{function}, which the patch changes, has a static call with the key {key} of a module.",
        remedy="Use KLP_STATIC_CALL() of linux/livepatch_helpers.h in the changed function.",
    ),
    Row(
        reason="static_local",
        has="static local",
        line=r"(?:ERROR: )?(?P<object>[^\s:]+\.o): .*?(?P<says>reference to static local variable (?P<name>\S+) in "
        r"\S+ was removed|static local (?P<other>\S+) has been correlated with .+|found two twins for "
        r"static local variable (?P<third>[^\s:]+))",
        cause="The patch changes the use of the static variable {name}{other}{third} inside a function of {object}: "
        "{says}.",
        remedy="Keep every use of the variable in the function that has it; the new code may refer to it besides.",
    ),
    Row(
        reason="relocation",
        has="out-of-range relocation",
        line=r"(?P<says>(?P<object>[^\s:]+): kpatch_check_relocations: \d+: .*out-of-range relocation (?P<symbol>\S+))",
        cause="A reference in {object} points outside of its section: create-diff-object says {says}.",
        remedy="Keep the function that the patch adds or changes out of line (noinline), or move it to another file.",
    ),
    Row(
        reason="module_dependency",
        has="undeclared module dependency",
        line=r"new reference to (?P<symbol>\S+) \(exported by (?P<module>[^\s)]+)\) would create",
        cause="The patch uses {symbol} of the module {module}, which the patched object does not depend on.",
        remedy="Use what the patched object already uses, or look the symbol up at run time.",
    ),
    Row(
        reason="unreconcilable",
        has="FILE symbol mismatch",
        line=r"error: objtool: (?P<says>FILE symbol mismatch: .+)",
        cause="The patch changes which source files an object is made of: {says}.",
        remedy="Add no source file to an object, and remove none.",
    ),
    Row(
        reason="unreconcilable",
        has="unsupported sibling call at",
        line=r"Found an unsupported sibling call at (?P<function>[^\s(+]+)",
        cause="{function}, which the patch changes, ends with a call of another function.",
        remedy='Add __attribute__((optimize("-fno-optimize-sibling-calls"))) to {function}.',
    ),
    Row(
        reason="unreconcilable",
        has=" symbol",
        line=r"ERROR: (?P<object>[^\s:]+): \w+: \d+: (?P<what>(?:bundle mismatch|sections .+ aren't correlated) for "
        r"symbol .+?|unsupported (?:klp relocation|dynrela) reference to symbol .+?)(?:: Success)?\Z",
        cause="The change of {object} cannot be made a live patch: {what}.",
        remedy=_FUNCTIONS_ONLY,
    ),
    Row(
        reason="symbol_version",
        has="ersion",
        line=r"Patch module references (?P<symbol>\S+) with invalid version"
        r"|Version (?:disagreement|mismatch) for symbol (?P<other>\S+)",
        cause="The patch changes the version of {symbol}{other}, which it uses, so the kernel would not load it.",
        remedy="Keep the types of exported functions and data as they are; a new #include may change them as well.",
    ),
    Row(
        reason="symbol_version",
        has="Malformed symbol entry",
        line=r"ERROR: Malformed symbol entry for (?P<symbol>\S+) in ",
        cause="The patch takes {symbol} away, which the kernel exports.",
        remedy="Keep what the kernel exports as it is.",
    ),
    Row(
        reason="namespace",
        has=" from namespace ",
        line=r"ERROR: modpost: (?P<says>(?:\S+: )?module (?:\S+ )?uses symbol '?(?P<symbol>[^\s']+)'? from namespace "
        r"'?(?P<namespace>[^\s',]+)'?, but does not import it)",
        cause="The module uses {symbol} of the namespace {namespace} without importing it: {says}.",
        remedy="Add MODULE_IMPORT_NS of {namespace} to {work}.",
    ),
    Row(
        reason="gpl_only",
        has="GPL-only symbol",
        line=r"modpost: (?:(?P<module>\S+): )?GPL-incompatible module (?:(?P<other>\S+) )?uses GPL-only symbol "
        r"'(?P<symbol>[^']+)'",
        cause="The module {module}{other} uses {symbol}, which the kernel offers to modules under the GPL only.",
        remedy='Give {work} MODULE_LICENSE("GPL"), if that is its license, or do without the symbol.',
    ),
    Row(
        reason="no_license",
        has="MODULE_LICENSE()",
        line=r"ERROR: modpost: (?:(?P<module>\S+): )?missing MODULE_LICENSE\(\)(?: in (?P<file>\S+))?",
        cause="{file}{module} does not say under which license the module is.",
        remedy='Add MODULE_LICENSE("GPL") to {work}.',
    ),
    Row(
        reason="undefined_symbol",
        has="Undefined symbols",
        line=r"\AERROR: Undefined symbols: (?P<symbols>.+?) *\.(?: Check|$)",
        cause="The patch uses {symbols}, which neither the kernel nor the patch defines.",
        remedy="Correct {work}.",
    ),
    Row(
        reason="undefined_symbol",
        has="undefined!",
        line=rf"ERROR: {_UNDEFINED}",
        cause="The kernel does not export {symbols}{other}, and {work} does not define it.",
        remedy="Correct {work}: a hand-written module can use exported symbols only, kpatch-build reaches others too.",
        stages=(Stage.SOURCE,),
    ),
    Row(
        reason="undefined_symbol",
        has="undefined!",
        line=rf"ERROR: {_UNDEFINED}",
        cause="The patch uses {symbols}{other}, which neither the kernel nor the patch defines.",
        remedy="Correct {work}.",
    ),
    Row(
        reason="undefined_symbol",
        has="undefined reference to",
        line=r"undefined reference to ['`](?P<symbols>[^']+)'",
        cause="The patch uses {symbols}, which neither the kernel nor the patch defines.",
        remedy="Correct {work}.",
    ),
    Row(
        reason="defined_twice",
        has="multiple definition of",
        line=r"multiple definition of ['`](?P<symbol>[^']+)'",
        cause="{symbol} is defined twice.",
        remedy="Give the function or variable that {work} adds another name, or make it static.",
    ),
    Row(
        reason="no_change",
        has="no functional changes found",
        line=r"ERROR: no functional changes found",
        cause="The patch changes no function's code.",
        remedy="Check that the patch is the right one; comments, and code that is not compiled, need no live patch.",
    ),
    Row(
        reason="no_change",
        has="no changed objects found",
        line=r"ERROR: no changed objects found",
        cause="The patch changes no file that this kernel's configuration compiles.",
        remedy="Check the patch and the configuration; this kernel may not be affected.",
    ),
    Row(
        reason="no_change",
        has="no changes detected",
        line=r"error: klp-build: no changes detected",
        cause="The patch changes no function's code.",
        remedy="Check that the patch is the right one; comments, and code that is not compiled, need no live patch.",
    ),
    Row(
        reason="unsupported_section",
        has="unsupported section change",
        line=r"ERROR: (?P<object>[^\s:]+): (?:\w+: \d+: )?(?P<count>\d+) unsupported section change",
        cause="The patch changes {count} sections of {object} that a live patch cannot replace.",
        remedy=_FUNCTIONS_ONLY,
        rank=SUMMARY,
    ),
    Row(
        reason="unreconcilable",
        has="ERROR: ",
        line=r"ERROR: (?P<object>[^\s:]+\.o(?:\.\w+)?): (?P<what>.+?)(?:: Success)?\Z",
        cause="The change of {object} cannot be made a live patch: {what}.",
        remedy=_FUNCTIONS_ONLY,
        rank=SUMMARY,
        stages=(Stage.UNKNOWN, Stage.COMPARING),
    ),
    Row(
        reason="unreconcilable",
        has="unreconcilable difference",
        line=r"(?P<object>[^\s:]+): (?P<what>unreconcilable difference)",
        cause="The change cannot be made a live patch: {object} says {what}.",
        remedy=_FUNCTIONS_ONLY,
        rank=SUMMARY,
    ),
    COMPILER,
)
