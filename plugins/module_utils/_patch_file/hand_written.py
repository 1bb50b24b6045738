# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise is made to code outside of it.

"""Reads `struct klp_patch` of a hand-written module, where it can be one; else nothing is known of the patch.

The patch is what code passes to the call that enables it. `klp_patch` begins with a pointer to __this_module, followed
by one to its objects; an object has its name at 0 (none means vmlinux) and its functions at 8; a function has its old
name at 0, its new code at 8 and the position of its symbol at 16 (include/linux/livepatch.h, the same in mainline and
openEuler). The sizes of objects and functions differ between kernels: they follow from the places of the entries.
"""

from __future__ import annotations

import bisect
import functools
import math
import struct
import typing as t

from ansible_collections.openeuler.livepatch.plugins.module_utils._model.patch_file import HAND_WRITTEN, is_module_name
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.snapshot import STOP_MACHINE
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.text import clean
from ansible_collections.openeuler.livepatch.plugins.module_utils._patch_file.argument import (
    is_too_small,
    passed_places,
)
from ansible_collections.openeuler.livepatch.plugins.module_utils._patch_file.elf import ElfObject, Target
from ansible_collections.openeuler.livepatch.plugins.module_utils._patch_file.livepatch import (
    CALLBACKS,
    Livepatch,
    Replaced,
    is_symbol_name,
    replaced,
)
from ansible_collections.openeuler.livepatch.plugins.module_utils._patch_file.place import (
    Place,
    any_of,
    places_in_code,
)
from ansible_collections.openeuler.livepatch.plugins.module_utils._patch_file.states import read_states
from ansible_collections.openeuler.livepatch.plugins.module_utils._patch_file.uses import may_be_written

_OBJECTS, _STATES, _REPLACE, _END_OF_PATCH = 8, 16, 24, 32
"""klp_patch: mod 0, objs 8, states 16, replace 24. Kernels from 5.1 to 5.4 have no states, and replace at 16."""

_SMALLEST = 112
"""No kernel since 4.14 has smaller objects and functions: each contains a struct kobject, which has 64 bytes."""

_HEAD = 64
"""The fields that an author fills are before this; the kernel fills the rest at run time."""

_HIGHEST_POSITION = 1 << 20

_UNKNOWN = Livepatch(HAND_WRITTEN, functions=None, replace=None)


class _Impossible(Exception):
    """The bytes cannot be what they would be taken for."""


class HandWritten:
    """The structures of a hand-written module."""

    def __init__(self, elf: ElfObject, abi: str) -> None:
        self._elf = elf
        self._is_stop_machine = abi == STOP_MACHINE
        self._relocations = elf.relocations()
        self._in_code = _sorted(places_in_code(elf))
        self._in_data = _sorted(self._places_in_data())
        self._offsets: dict[int, list[int]] = {}
        symbols = elf.symbols()
        # What bounds an array: (section, start, end) of every data symbol.
        self._extents = [
            (symbol.section, symbol.value, symbol.value + symbol.size)
            for symbol in symbols
            if symbol.is_object and symbol.section is not None
        ]
        self._sizes = {(symbol.section, symbol.value): symbol.size for symbol in symbols if symbol.size}

    def read(self) -> Livepatch:
        """The patch; without functions if the structures are made at run time, or cannot be what they seem to be."""
        passed = passed_places(self._elf)
        if len(passed.places) != 1:
            return _UNKNOWN
        (place,) = passed.places
        if not passed.is_proven and self._has_another(place):
            return _UNKNOWN
        try:
            found = self._patch(place)
        except (_Impossible, ValueError, LookupError, struct.error):
            return _UNKNOWN
        # Code that is not understood may set the flag.
        return found if passed.is_proven else found._replace(replace=None, states=None)

    def _has_another(self, place: Place) -> bool:
        """Whether data begins elsewhere as a patch does: with a pointer to the module."""
        return any(
            self._is_this_module(target) and not is_too_small(self._elf, Place(section, offset))
            for section in self._relocations.sections()
            if self._elf.is_data(section)
            for offset, target in self._relocations.each(section)
            if (section, offset) != place
        )

    def _patch(self, place: Place) -> Livepatch:
        section, start = place
        targets = self._relocations.of(section)
        module, objects = targets.get(start), targets.get(start + _OBJECTS)
        flag = self._elf.number(section, start + _REPLACE, "B")
        if module is None or not self._is_this_module(module) or start + _REPLACE in targets or flag > 1:
            raise _Impossible
        if any_of(self._in_code, section, start + 1, start + _STATES):
            raise _Impossible
        functions: list[Replaced] = []
        names: list[str] = []
        pointers: set[int] = set()
        entries = self._array(_place_of(objects), self._is_object, 2)
        if not entries:
            raise _Impossible
        for entry in entries:
            names.append(self._object_name(entry))
            functions += self._functions_of(entry, names[-1])
            pointers.update(at for at in range(16, 64, 8) if entry.offset + at in self._relocations.of(entry.section))
        is_open = self._may_be_set(place, _END_OF_PATCH)
        keeps_states = not (is_open and self._may_be_set(place, _REPLACE))
        return Livepatch(
            HAND_WRITTEN,
            functions=tuple(functions),
            replace=None if is_open else flag == 1,
            callbacks=self._callbacks(pointers),
            hooks=self._hooks(pointers),
            objects=tuple(dict.fromkeys(names)),
            states=read_states(self._elf, targets.get(start + _STATES), self._in_code) if keeps_states else None,
        )

    def _is_this_module(self, target: Target) -> bool:
        if target.symbol == "__this_module":
            return True
        in_section = target.section is not None and self._elf.section_name(target.section)
        return in_section == ".gnu.linkonce.this_module" and target.offset == 0

    def _may_be_set(self, place: Place, end: int) -> bool:
        """Whether the fields of a patch before this end may be set at run time, or be other ones in an older kernel."""
        section, start = place
        is_older = start + _STATES not in self._relocations.of(section) and not self._is_zero(
            section, start + _STATES, 8
        )
        return (
            is_older
            # Code that refers to what is inside may change it before it enables the patch.
            or any_of(self._in_code, section, start + 1, start + end)
            # module_param_named(replace, patch.replace, bool) has a pointer to the flag in its data, and code may
            # write by a pointer to the patch.
            or any_of(self._in_data, section, start, start + end)
            or may_be_written(self._elf, place, range(start + _STATES, start + end))
        )

    def _places_in_data(self) -> t.Iterator[Place]:
        for section in self._relocations.sections():
            if self._elf.is_in_memory(section) and not self._elf.is_code(section):
                for _offset, target in self._relocations.each(section):
                    if target.section is not None:
                        yield Place(target.section, target.offset)

    def _callbacks(self, pointers: set[int]) -> tuple[str, ...]:
        """The callbacks that are set. openEuler has two pointers to hooks before them (include/linux/livepatch.h)."""
        start = 32 if self._is_stop_machine else 16
        return tuple(name for number, name in enumerate(CALLBACKS) if start + 8 * number in pointers)

    def _hooks(self, pointers: set[int]) -> tuple[str, ...]:
        places = ((16, "load"), (24, "unload")) if self._is_stop_machine else ()
        return tuple(name for at, name in places if at in pointers)

    def _array(self, first: Place, is_entry: t.Callable[[Place], bool], words: int) -> list[Place]:
        """The entries of an array, which ends at the entry whose first words are zero.

        The size of an entry is the greatest that the array and the places of its entries are multiples of, and that
        leads to a zero entry. Where no symbol tells the size of the array, the places alone decide.
        """
        section, start = first
        if self._is_zero(section, start, 8 * words):
            return []
        end, is_exact = self._end(first)
        if end > len(self._elf.content(section)) or any_of(self._in_code, section, start, end - 8):
            raise _Impossible
        places = {at - back for at in self._pointers(section, start, end) for back in (0, 8)}
        filled = {at for at in places if at >= start and is_entry(Place(section, at))}
        distances = [at - start for at in filled] + ([end - start] if is_exact else [])
        step = functools.reduce(math.gcd, distances, 0) or _SMALLEST
        self._elf.budget.step(step // _SMALLEST)
        for parts in range(1, step // _SMALLEST + 1):
            if step % parts == 0:
                entries = self._up_to_zero(range(start, end, step // parts), section, filled, words)
                if entries is not None:
                    return entries
        raise _Impossible

    def _up_to_zero(self, offsets: range, section: int, filled: t.Container[int], words: int) -> list[Place] | None:
        """The entries at these offsets up to the zero one; None if one is neither, or has a pointer in its rest."""
        entries: list[Place] = []
        for offset in offsets:
            self._elf.budget.step()
            end = min(offset + offsets.step, offsets.stop)
            if self._is_zero(section, offset, 8 * words):
                return None if self._pointers(section, offset, end) else entries
            if offset not in filled or self._pointers(section, offset + _HEAD, end):
                return None
            entries.append(Place(section, offset))
        return None

    def _end(self, first: Place) -> tuple[int, bool]:
        """Where the array ends at the latest, and whether it ends there indeed."""
        section, start = first
        self._elf.budget.step(len(self._extents))
        ends = [end for index, begin, end in self._extents if index == section and begin <= start < end]
        if ends:
            return min(ends), True
        others = (self._in_data.get(section, []), self._in_code.get(section, []))
        behind = [(offsets, bisect.bisect_right(offsets, start)) for offsets in others]
        following = [offsets[at] for offsets, at in behind if at < len(offsets)]
        return min([*following, self._elf.section_size(section)]), False

    def _pointers(self, section: int, start: int, end: int) -> list[int]:
        """The offsets of the pointers between two places."""
        if section not in self._offsets:
            self._offsets[section] = list(self._relocations.of(section))
        offsets = self._offsets[section]
        self._elf.budget.step(bisect.bisect_left(offsets, end) - bisect.bisect_left(offsets, start) + 1)
        return offsets[bisect.bisect_left(offsets, start) : bisect.bisect_left(offsets, end)]

    def _is_zero(self, section: int, start: int, size: int) -> bool:
        targets = self._relocations.of(section)
        has_pointer = any(start + at in targets for at in range(0, size, 8))
        return not has_pointer and self._elf.content(section)[start : start + size] == b"\0" * size

    def _is_object(self, place: Place) -> bool:
        targets = self._relocations.of(place.section)
        name, first = targets.get(place.offset), targets.get(place.offset + 8)
        if first is None or first.section is None or self._elf.is_code(first.section):
            return False
        # An object may have callbacks only: its array of functions is empty then.
        has_array = self._is_function(Place(first.section, first.offset)) or self._is_zero(
            first.section, first.offset, 24
        )
        return has_array and (self._is_zero(place.section, place.offset, 8) if name is None else self._is_data(name))

    def _is_function(self, place: Place) -> bool:
        targets = self._relocations.of(place.section)
        name, code = targets.get(place.offset), targets.get(place.offset + 8)
        return bool(name and code and self._is_data(name) and not self._is_data(code))

    def _is_data(self, target: Target) -> bool:
        return target.section is not None and not self._elf.is_code(target.section)

    def _object_name(self, entry: Place) -> str:
        """The name of an object: that of a module, or missing for vmlinux."""
        name = self._relocations.of(entry.section).get(entry.offset)
        object_name = "vmlinux" if name is None else self._string(name)
        # The kernel takes any name for that of a module, and waits for a module named vmlinux for ever.
        if name is not None and (not is_module_name(object_name) or object_name == "vmlinux"):
            raise _Impossible
        return object_name

    def _functions_of(self, entry: Place, object_name: str) -> t.Iterator[Replaced]:
        first = self._relocations.of(entry.section).get(entry.offset + 8)
        for function in self._array(_place_of(first), self._is_function, 3):
            self._elf.budget.function()
            yield self._function(function, object_name)

    def _function(self, place: Place, object_name: str) -> Replaced:
        section, offset = place
        targets = self._relocations.of(section)
        code = targets[offset + 8]
        name, position = self._string(targets[offset]), self._elf.number(section, offset + 16)
        if not is_symbol_name(name) or offset + 16 in targets or position > _HIGHEST_POSITION:
            raise _Impossible
        return replaced(
            object_name,
            name,
            position,
            # Mainline has no such field.
            force=self._elf.number(section, offset + 24, "i") if self._is_stop_machine else 0,
            old_size=None,
            new_size=self._sizes.get((code.section, code.offset)),
        )

    def _string(self, target: Target) -> str:
        place = _place_of(target)
        # What may be written to may be another name when the patch is enabled.
        if self._elf.is_data(place.section) and not self._elf.section_name(place.section).startswith(".rodata"):
            raise _Impossible
        # Longer ones are no names.
        text, zero, _rest = self._elf.content(place.section)[place.offset : place.offset + 512].partition(b"\0")
        return clean(text.decode("utf-8", "replace")) if zero else ""


def _sorted(places: t.Iterable[Place]) -> dict[int, list[int]]:
    """Section -> the offsets in it, in order."""
    found: dict[int, list[int]] = {}
    for place in sorted(places):
        found.setdefault(place.section, []).append(place.offset)
    return found


def _place_of(target: Target | None) -> Place:
    if target is None or target.section is None:
        raise _Impossible
    return Place(target.section, target.offset)
