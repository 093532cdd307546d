"""Reads a CSV file strictly: whatever is wrong with it is told with file, line and column, and nothing is guessed."""

from __future__ import annotations

import csv
import io
from collections.abc import Generator, Iterable, Iterator, Sequence
from functools import partial
from itertools import chain
from pathlib import Path
from typing import NoReturn

from bench.errors import BenchError
from bench.store import cannot_read

# A row of 40 processes is about 2 KiB; a line this long is another kind of file, and is not read to its end.
LONGEST_LINE_BYTES = 4 << 20
# Neither `1_000` nor ` 1`, which Python takes for numbers, nor words such as `nan`.
_OF_NUMBERS = b"0123456789eE.;+-"
# Nothing that is measured, in SI units, is further from 1; the ratio of any two such numbers is still one.
_FURTHEST = 1e60
A_NUMBER = "a number (from 1e-60 to 1e60, with '.')"


class Table:
    """A CSV file as lines of cells, every one as wide as the header; refuses with file, line and column."""

    def __init__(self, file: Path, needed: Sequence[str], what: str) -> None:
        self.file = file
        self._blocks = _blocks(file)
        self._reader = csv.reader(chain.from_iterable(self._blocks), strict=True)
        self.header = next(self._cells(), [])
        if not self.header:
            raise BenchError(f"{file}: is empty; this is no {what}")
        missing = [column for column in needed if column not in self.header]
        if missing:
            raise self._error(f", line 1: {_what_is_wrong(self.header, missing)}; this is no {what}")

    def __iter__(self) -> Iterator[tuple[int, list[str]]]:
        width, reader = len(self.header), self._reader
        for cells in self._cells():
            if len(cells) == width:
                yield reader.line_num, cells
            elif len(cells) > width:
                self.refuse(reader.line_num, self.header[-1], f"{len(cells)} cells, where the header has {width}")
            elif cells:
                self.refuse(reader.line_num, self.header[len(cells)], "the line ends before it: is the file cut off?")

    def _cells(self) -> Iterator[list[str]]:
        try:
            yield from self._reader
        except csv.Error as error:
            raise self._error(f", line {self._reader.line_num}: {error}; is the file cut off?") from None

    def number(self, line: int, column: str, cell: str) -> float | None:
        """A cell as a finite number; None for an empty one."""
        if not cell:
            return None
        found = numbers(cell)
        if len(found) != 1:
            self.refuse(line, column, f"{short(cell)} is not {A_NUMBER}")
        return found[0]

    def refuse(self, line: int, column: str, why: str) -> NoReturn:
        name = column if column.isprintable() and len(column) <= 40 else short(column)
        raise self._error(f", line {line}, column {name}: {why}")

    def _error(self, told: str) -> BenchError:
        self._blocks.close()
        return BenchError(f"{self.file}{told}")


def numbers(cell: str) -> tuple[float, ...]:
    """Numbers separated by ``;``; none when one of them is no number that can be measured."""
    try:
        found = () if cell.encode().translate(None, _OF_NUMBERS) else tuple(map(float, cell.split(";")))
    except ValueError:
        return ()
    if not found or (min(found) > 1 / _FURTHEST and max(found) < _FURTHEST):
        return found
    sizes = [abs(number) for number in found if number]
    return () if sizes and not (min(sizes) > 1 / _FURTHEST and max(sizes) < _FURTHEST) else found


def _what_is_wrong(header: Sequence[str], missing: Sequence[str]) -> str:
    if len(header) == 1 and ";" in header[0]:
        return "cells are separated by ';': export with ',' and decimal points"
    shown = f"no column {', '.join(missing[:4])}{' …' if len(missing) > 4 else ''}"
    return f"{shown} (it begins with {short(','.join(header[:6]))})"


def _blocks(file: Path) -> Generator[Iterable[str], None, None]:
    """The lines of a text file, thousands at a time, each checked before it is used."""
    number, rest = 1, b""
    try:
        with open(file, "rb") as source:
            start = _without_mark(file, source.read(LONGEST_LINE_BYTES))
            for block in chain((start,), iter(partial(source.read, LONGEST_LINE_BYTES), b"")):
                whole, end, rest = (rest + block).rpartition(b"\n")
                yield _lines(file, number, whole + end)
                number += whole.count(b"\n") + len(end)
                if len(rest) >= LONGEST_LINE_BYTES:
                    raise BenchError(f"{file}, line {number}: is longer than {LONGEST_LINE_BYTES >> 20} MiB")
            if rest:
                yield [_text(file, number, rest)]
    except OSError as error:
        raise cannot_read(file, error) from None


def _lines(file: Path, number: int, block: bytes) -> Iterable[str]:
    """Whole lines as text; one by one where some line is none, so that what stands before it is told first."""
    try:
        if b"\0" not in block:
            return io.StringIO(block.decode(), newline="\n")
    except UnicodeDecodeError:
        pass
    return (_text(file, n, line) for n, line in enumerate(io.BytesIO(block), number))


def _without_mark(file: Path, line: bytes) -> bytes:
    """The first line without the mark that Excel puts before UTF-8."""
    if line.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise BenchError(f"{file}, line 1: is UTF-16; save it as UTF-8")
    return line.removeprefix(b"\xef\xbb\xbf")


def _text(file: Path, number: int, line: bytes) -> str:
    where = f"{file}, line {number}"
    if b"\0" in line:
        raise BenchError(f"{where}, column {line.index(0) + 1}: a NUL byte; this is no text file")
    if not line.endswith(b"\n"):
        raise BenchError(f"{where}: has no end: is the file cut off?")
    try:
        return line.decode()
    except UnicodeDecodeError as error:
        raise BenchError(f"{where}, column {error.start + 1}: not UTF-8; save the file as UTF-8") from None


def short(cell: str) -> str:
    """A cell as a message quotes it."""
    return repr(cell if len(cell) <= 40 else f"{cell[:40]}…")
