"""Cases that vanished and cases that appeared, when they are the same cases under another name."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

# suite/benchmark[axis=value,…]/variant@device
_ID = re.compile(r"(.+)/([^/\[]+)\[(.*)\]/([^/]+)@(\w+)\Z", re.DOTALL)
_PARTS = ("suite", "benchmark", "variant")

Axes = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Name:
    """A case id taken apart; ``parts`` are suite, benchmark, variant, device."""

    parts: tuple[str, ...]
    axes: Axes

    @property
    def keys(self) -> frozenset[str]:
        return frozenset(key for key, _ in self.axes)


def hints(missing: Iterable[str], new: Iterable[str]) -> tuple[str, ...]:
    """Sentences such as ``662 cases differ only by +dtype``, the most frequent first."""
    lost, found = _names(missing), _names(new)
    words = dict(_axis_changes(lost, found))
    words |= dict(_part_changes([name for name in lost if name not in words], found))
    counts = Counter(words.values())
    return tuple(
        f"{count} {'case differs' if count == 1 else 'cases differ'} only by {what}"
        for what, count in counts.most_common()
    )


def name_of(case: str) -> Name | None:
    """The parts of a case id; None for the case of another tool."""
    match = _ID.match(case)
    if match is None:
        return None
    suite, benchmark, axes, variant, device = match.groups()
    pairs = (axis.partition("=") for axis in axes.split(",") if axis)
    return Name(parts=(suite, benchmark, variant, device), axes=tuple((k, v) for k, _, v in pairs))


def _names(cases: Iterable[str]) -> list[Name]:
    return [name for name in map(name_of, cases) if name is not None]


def _axis_changes(lost: Iterable[Name], found: Iterable[Name]) -> Iterator[tuple[Name, str]]:
    """One word such as ``+dtype``, ``-dtype`` or ``size -> n`` per case found again with other axes."""
    shapes: dict[tuple[str, ...], dict[frozenset[str], list[Name]]] = {}
    for name in found:
        shapes.setdefault(name.parts, {}).setdefault(name.keys, []).append(name)
    seen: dict[object, set[Axes]] = {}
    for name in lost:
        for keys, others in shapes.get(name.parts, {}).items():
            gone, come = name.keys - keys, keys - name.keys
            index = (name.parts, keys, gone)
            if index not in seen:
                seen[index] = {_apart_from(other, gone, come) for other in others}
            if gone | come and _apart_from(name, gone, come) in seen[index]:
                yield name, _axis_word(gone, come)
                break


def _apart_from(name: Name, gone: frozenset[str], come: frozenset[str]) -> Axes:
    """What must agree: the axes both have, and the value of an axis that only changed its name."""
    other = gone | come
    renamed = len(gone) == len(come) == 1
    kept = (("" if key in other else key, value) for key, value in name.axes if renamed or key not in other)
    return tuple(sorted(kept))


def _axis_word(gone: frozenset[str], come: frozenset[str]) -> str:
    if len(gone) == len(come) == 1:
        return f"{min(gone)} -> {min(come)}"
    return ", ".join([*(f"+{key}" for key in sorted(come)), *(f"-{key}" for key in sorted(gone))])


def _part_changes(lost: Iterable[Name], found: Iterable[Name]) -> Iterator[tuple[Name, str]]:
    """One word such as ``variant plain -> fast`` per case found again with one other part."""
    for place, part in enumerate(_PARTS):
        others = {_without(name, place): name.parts[place] for name in found}
        for name in lost:
            other = others.get(_without(name, place), name.parts[place])
            if other != name.parts[place]:
                yield name, f"{part} {name.parts[place]} -> {other}"


def _without(name: Name, place: int) -> tuple[object, ...]:
    return (*name.parts[:place], *name.parts[place + 1 :], name.axes)
