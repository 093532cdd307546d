"""From paths to a comparison: reads the reports, the machine's calibration and the changes that were accepted."""

from __future__ import annotations

import datetime
import gc
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path

from bench.analysis import accept, calibrate
from bench.analysis.calibrate import Calibration
from bench.analysis.change import Comparison
from bench.analysis.compare import compare
from bench.analysis.judging import FLOOR, Rule
from bench.analysis.reported import Report
from bench.errors import BenchError
from bench.interop.reading import read

# Where `bench calibrate` leaves its results; folders are named by time.
CALIBRATIONS = "*-calibration*/calibration.json"
_UNCALIBRATED = (
    "nobody calibrated this machine: that it differs from run to run by less than the floor is taken on trust "
    "(bench calibrate measures it)"
)


def compare_paths(
    paths: Sequence[str | Path],
    *,
    floor: float = FLOOR,
    allow: Collection[str] = (),
    accepted: Path = Path(accept.FILE),
    today: datetime.date | None = None,
) -> Comparison:
    """Compare report folders, ``report.csv`` files and other tools' results, the first with each of the others.

    ``floor``: the smallest change that counts; a calibration beside the last report raises it case by case.
    ``accepted``: the file of accepted changes, if there is one; its entries expire by ``today``.
    Raises BenchError for whatever cannot be read, before anything is written.
    """
    accepts = accept.parse(_text(accepted), file=str(accepted)) if accepted.exists() else ()
    with _no_garbage_collector():
        reports = [read(path) for path in paths]
        calibration = _calibration(Path(paths[-1]), reports[-1]) if reports else None
        floors = Rule().floors if calibration is None else partial(calibrate.floor, calibration)
        comparison = compare(reports, rule=Rule(floor=floor, floors=floors), allow=allow)
        if any(change.p is not None for change in comparison.changes):
            known = _UNCALIBRATED if calibration is None else calibrate.sentence(calibration)
            comparison = replace(comparison, notes=(known, *comparison.notes))
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
            gc.enable()


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise BenchError(f"{file}: cannot be read ({error})") from None


def _calibration(path: Path, report: Report) -> Calibration | None:
    """The newest calibration beside a report that was made on the same machine."""
    beside = (path if path.is_dir() else path.parent).resolve().parent
    for file in sorted(beside.glob(CALIBRATIONS), reverse=True):
        calibration = calibrate.loads(_text(file), str(file))
        known = [(str(value), report.facts[key]) for key, value in calibration.machine.items() if key in report.facts]
        if known and all(value in values for value, values in known):
            return calibration
    return None
