"""A machine's error rates, as `calibrate` finds them: what they are, and how they are told."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from statistics import median

from bench.analysis.phrases import percent
from bench.model import Value

# History: 1  2026-11  first
SCHEMA = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate:
    """Hits among pairs of runs, and the interval of their share."""

    hits: int
    pairs: int
    low: float
    high: float

    @property
    def share(self) -> float:
        return self.hits / self.pairs if self.pairs else 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Injected:
    """How often a slowdown by ``share`` of the work was told as ``worse``."""

    share: float
    found: Rate


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseCalibration:
    """One case and metric.  Spreads and changes are fractions.

    ``between_runs``: standard deviation of the runs' values.  ``floor``: what differences between runs of the same
    code exceed in 1 % of pairs beyond what the spread of processes explains.  ``smallest_change``: told with 95 %
    power, None with too few runs.  ``visible``: for each ordered pair of runs the smallest slowdown that would have
    been told, ascending: the power to see a change is the share of them up to it.
    """

    case: str
    metric: str
    adjusted: bool
    between_runs: float
    floor: float
    false_alarms: Rate
    smallest_change: float | None
    visible: tuple[float, ...]
    injected: tuple[Injected, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """This machine's error rates.  ``false_alarms``: pairs of runs of the same code with any change told.

    ``measured``: when the first run began, UTC; empty where that is not known.
    """

    machine: Mapping[str, Value]
    runs: int
    asked_floor: float
    fdr: float
    false_alarms: Rate
    cases: tuple[CaseCalibration, ...]
    injected: tuple[Injected, ...] = ()
    schema: int = SCHEMA
    measured: str = ""


def floor(calibration: Calibration, case: str, metric: str) -> float | None:
    """The calibrated floor of a case and metric, or None where it was not calibrated."""
    return next((c.floor for c in calibration.cases if (c.case, c.metric) == (case, metric)), None)


def power(calibrated: CaseCalibration, change: float) -> float:
    """The share of comparisons that would tell a slowdown by ``change``."""
    return sum(v <= change for v in calibrated.visible) / len(calibrated.visible)


def sentence(calibration: Calibration) -> str:
    """``this gate on this machine: false alarms 0.4 % [0.1, 1.1], sees +3.1 % (half of the cases), +6.0 % (all)``."""
    rate = calibration.false_alarms
    told = f"false alarms in {percent(rate.share)} of comparisons [{percent(rate.low)}, {percent(rate.high)}]"
    seen = [c.smallest_change for c in calibration.cases if c.smallest_change is not None]
    if seen:
        told += f", sees +{percent(median(seen))} in half of the cases, +{percent(max(seen))} in all (95 % power)"
    return f"this gate on this machine: {told}; {calibration.runs} runs of the same code"


def quoted(calibration: Calibration) -> str:
    """What a report of the same machine says of it."""
    rate = calibration.false_alarms
    day = f" on {calibration.measured[:10]}" if calibration.measured else ""
    told = (
        f"On this machine, as calibrated{day} with {calibration.runs} runs: false alarms of bench compare in "
        f"{percent(rate.share)} [{percent(rate.low)}, {percent(rate.high)}] of pairs"
    )
    seen = [c.smallest_change for c in calibration.cases if c.smallest_change is not None]
    return told + (f"; half of the cases show a change of {percent(median(seen))} with 95 % power." if seen else ".")
