"""From paths to a comparison: reads the reports, the machine's calibration and the changes that were accepted."""

from __future__ import annotations

import datetime
import gc
import os
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from fnmatch import fnmatchcase
from functools import partial
from pathlib import Path

from bench.analysis import accept, rates
from bench.analysis.change import Comparison
from bench.analysis.compare import compare
from bench.analysis.environment_facts import fact
from bench.analysis.judging import FLOOR, Rule
from bench.analysis.rates import Calibration
from bench.analysis.reported import Report
from bench.errors import BenchError
from bench.interop import calibrations
from bench.interop.reading import read_all

_UNCALIBRATED = (
    "no calibration of this machine beside the reports or in reports/local: that it differs from run to run by less "
    "than the floor is taken on trust (bench calibrate measures it)"
)


def compare_paths(
    paths: Sequence[str | Path],
    *,
    floor: float = FLOOR,
    allow: Collection[str] = (),
    calibration: Path | None = None,
    accepted: Path = Path(accept.FILE),
    today: datetime.date | None = None,
) -> Comparison:
    """Compare report folders, ``report.csv`` files and other tools' results, the first with each of the others.

    ``floor``: the smallest change that counts; ``calibration``, a file or its folder, raises it case by case.  Without
    one the newest of the same machine counts that lies beside the reports or in ``reports/local``.
    ``accepted``: the file of accepted changes, if there is one; its entries expire by ``today``.
    Raises BenchError for whatever cannot be read, before anything is written.
    """
    accepts = accept.parse(_text(accepted), file=str(accepted)) if os.path.lexists(accepted) else ()
    with _no_garbage_collector():
        reports = read_all(paths)
        known = _calibrated(paths, reports[-1], calibration, allow) if reports else None
        floors = Rule().floors if known is None else partial(rates.floor, known[1])
        comparison = compare(reports, rule=Rule(floor=floor, floors=floors), allow=allow)
        if any(change.p is not None for change in comparison.changes):
            told = _UNCALIBRATED if known is None else f"{rates.sentence(known[1])} ({known[0]})"
            comparison = replace(comparison, notes=(told, *comparison.notes))
        return accept.excuse(comparison, accepts, today or datetime.date.today())


@contextmanager
def _no_garbage_collector() -> Iterator[None]:
    """Reports are millions of small values without a cycle; looking for one in them takes a quarter of the time."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.freeze()  # and back at once: whatever was made here is old now, and is not looked through next
            gc.unfreeze()
            gc.enable()


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise BenchError(f"{file}: cannot be read ({error})") from None


def _calibrated(
    paths: Sequence[str | Path], report: Report, named: Path | None, allow: Collection[str]
) -> tuple[Path, Calibration] | None:
    """The calibration that was named, else the newest that is found, and its file as one would type it."""
    if named is None:
        found = calibrations.find(map(Path, paths), report.facts, {case.rpartition("@")[2] for case in report.rows})
        return found and (_short(found[0]), found[1])
    calibration = calibrations.read(named)
    for key in calibrations.differing(calibration, report.facts):
        if any(fnmatchcase(key, pattern) for pattern in allow):
            continue
        raise BenchError(
            f"{named} is the calibration of another machine: {fact(key).label} is {calibration.machine[key]} there and "
            f"{' or '.join(report.facts[key])} in {report.name}; name one of this machine, or --allow-diff {key}"
        )
    return named, calibration


def _short(file: Path) -> Path:
    here = Path.cwd()
    return file.relative_to(here) if file.is_relative_to(here) else file
