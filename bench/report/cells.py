"""Cells of our CSV files that no spreadsheet runs, and that are read back as they were said."""

from __future__ import annotations

import contextlib
import re

# The columns of a report that tell where it was measured.
FACTS = ("torch", "cuda", "cudnn", "driver", "gpu", "gpu_uuid", "cpu", "host", "python", "metronome", "reference")

# A spreadsheet runs a cell that begins with one of these; OWASP's advice is a leading apostrophe.  Apostrophes
# already in front are doubled up, so that reading is the exact inverse.
_FORMULA = re.compile(r"'*[=+\-@\t\r]")


def neutralise(cell: object) -> object:
    """A cell as it is safe in a spreadsheet; numbers, negative ones too, are left alone."""
    if not isinstance(cell, str):
        return cell
    cell = cell.replace("\0", "\N{SYMBOL FOR NULL}")  # no CSV reader takes a NUL
    return cell if _is_number(cell) or not _FORMULA.match(cell) else f"'{cell}"


def restore(cell: str) -> str:
    """The inverse of ``neutralise``."""
    return cell[1:] if cell.startswith("'") and _FORMULA.match(cell) else cell


def _is_number(cell: str) -> bool:
    with contextlib.suppress(ValueError):
        float(cell)
        return True
    return False
