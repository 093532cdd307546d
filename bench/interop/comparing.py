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

CALIBRATION = "calibration.json"


def compare_paths(
    paths: Sequence[str | Path],
    *,
    floor: float = FLOOR,
    allow: Collection[str] = (),
    accepted: Path = Path(accept.FILE),
    today: datetime.date | None = None,
) -> Comparison:
    """Compare report folders, ``report.csv`` files and other tools' results, the first with each of the others.

    ``floor``: the smallest change that counts; a ``calibration.json`` beside the last report raises it case by case.
    ``accepted``: the file of accepted changes, if there is one; its entries expire by ``today``.
    Raises BenchError for whatever cannot be read, before anything is written.
    """
    accepts = accept.parse(_text(accepted), file=str(accepted)) if accepted.exists() else ()
    with _no_garbage_collector():
        reports = [read(path) for path in paths]
        calibration = _calibration(Path(paths[-1]), reports[-1]) if reports else None
        floors = Rule().floors if calibration is None else partial(calibrate.floor, calibration)
        comparison = compare(reports, rule=Rule(floor=floor, floors=floors), allow=allow)
        if calibration is not None:
            comparison = replace(comparison, notes=(calibrate.sentence(calibration), *comparison.notes))
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
    """The calibration in a report's folder or in the one above, if it was made on the same machine."""
    folder = path if path.is_dir() else path.parent
    found = next((f for f in (folder / CALIBRATION, folder.parent / CALIBRATION) if f.is_file()), None)
    if found is None:
        return None
    calibration = calibrate.loads(_text(found), str(found))
    same = all(str(value) in report.facts.get(key, (str(value),)) for key, value in calibration.machine.items())
    return calibration if same else None
