"""Which moments of a run may be compared with those of another, and how far a case follows the processor's clock.

On a machine with busy neighbours most of the difference between two runs of the same code comes from moments in which
they slowed the case more, or less, than the metronomes.  The metronomes know these moments: rounds before and after
which every metronome was near its best of the run are **calm**; where both reports have enough, they alone are
compared.  The choice looks at the metronomes alone, never at the case, so it favours neither side of a comparison.

Of its calm rounds a process gives the lowest decile: what is left of the neighbours only adds.

What the metronomes still tell of calm rounds is the clock.  A processor runs scalar code faster while its other cores
sleep, and wide vector code hardly: from one run to another the hash and the interpreter's loop differed by 3 to 16 %, a
convolution by a seventh of that, an addition of 64 numbers by all of it.  So each case has a **coefficient**: how many
percent it slows when these two slow by one, by least squares on all its calm rounds.  One comparison uses one
coefficient for both sides, the mean of theirs, so that the reference cancels.  Seen on 11 and on 9 reports of eight
operations in two busy hours (30 processes, torch 2.13, one thread on 2 shared cores), standard deviation in % between
reports of the same code, median and root mean square over the operations:

                                                        11 reports       9 reports
    all rounds, raw                                     11.3   13.2      10.3   11.7
    calm within 15 % (copy 30 %), medians, raw           1.5    4.5       1.7    2.9
      divided by all metronomes                          3.9    4.0       2.3    2.6
      with a coefficient                                 1.2    2.5       1.8    2.2
    calm within 10 % (copy 20 %), with a coefficient
      medians                                            1.0    1.9       1.7    2.1
      lowest quartiles                                   0.9    1.8       1.5    1.6
      lowest deciles                                     0.9    1.7       1.3    1.6

A tolerance of 6 % (15 %) is a little better still (lowest quartiles: 0.8 and 1.6, 1.2 and 1.5), and leaves 12 to 25 %
of the cases with too few calm processes instead of 2 to 6 %.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from bench.analysis.intervals import FEWEST, MAD_TO_SIGMA, Floats, nan_medians, nan_quantiles
from bench.analysis.metronome import NOMINAL_SECONDS
from bench.analysis.phrases import percent
from bench.analysis.times import Times
from bench.model import Record

# A metronome at its best is among its fastest 5 % of the run; it is near that up to this much above.
BEST_QUANTILE = 0.05
NEAR_BEST = {"copy": 1.20}
NEAR_BEST_OTHERWISE = 1.10
# Of fewer calm rounds a quantile says little, and such a process says nothing.
FEWEST_CALM_ROUNDS = 3
CALM_QUANTILE = 0.1

# The metronomes that wait for nothing but the processor.
CLOCKS = ("hash", "python")
# A case that waits for the processor alone has 1; one that is a thousand short calls was seen to have 1.3.
LARGEST_COEFFICIENT = 1.5
# Rounds that lie further from the line than so many robust standard deviations met something else.
_OUTLYING = 3.0

Rounds = NDArray[np.bool_]


def best(records: Iterable[Record]) -> dict[str, float]:
    """Metronome -> seconds it takes when the machine is at its best in this run."""
    found: dict[str, list[float]] = defaultdict(list)
    for record in records:
        for name, seconds in record.metronomes.items():
            found[name] += [s for s in seconds if 0 < s < math.inf]
    return {name: float(np.quantile(seconds, BEST_QUANTILE)) for name, seconds in found.items() if seconds}


def calm_rounds(record: Record, at_best: Mapping[str, float]) -> Rounds:
    """Which rounds of a process were calm: every metronome near its best when they began and when the next one did."""
    calm = np.ones(max(map(len, record.metronomes.values()), default=0), dtype=np.bool_)
    for name, seconds in record.metronomes.items():
        limit = at_best.get(name, 0.0) * NEAR_BEST.get(name, NEAR_BEST_OTHERWISE)
        near = np.zeros(len(calm), dtype=np.bool_)
        near[: len(seconds)] = (np.array(seconds) > 0) & (np.array(seconds) <= limit)
        calm &= near & np.append(near[1:], near[-1:])
    return calm if np.count_nonzero(calm) >= FEWEST_CALM_ROUNDS else np.zeros_like(calm)


@dataclass(frozen=True, slots=True, kw_only=True)
class Calm:
    """What one case took in calm rounds: process -> lowest decile of the log seconds.

    ``adjusted``: the same divided by what the clocks took, in seconds of the nominal machine; empty where too few
    processes were calm or the clocks never moved.  ``coefficient``, ``rounds``: how many percent the case slows when
    the clocks slow by one, and of how many rounds that is known.  ``share``, ``gain``: sentences.
    """

    logs: Mapping[int, float]
    share: str
    adjusted: Mapping[int, float] = field(default_factory=dict)
    coefficient: float = 0.0
    rounds: int = 0
    gain: str = ""


def calm_of(times: Times, records: Mapping[int, Record], rounds: Mapping[int, Rounds]) -> Calm | None:
    """The valid times of calm rounds; None where there is none."""
    times = times.among(rounds)
    share = f"{times.valid_samples} of {times.samples} samples were taken in calm rounds"
    known = {p: row for p, row in zip(times.processes, times.logs, strict=True) if np.isfinite(row).any()}
    if not known:
        return None
    ticks = {p: _clock(records[p], rounds[p], len(row)) for p, row in known.items()}
    low = dict(zip(known, nan_quantiles(list(known.values()), CALM_QUANTILE).tolist(), strict=True))
    line = _line(np.concatenate(list(ticks.values())), np.concatenate(list(known.values())))
    if len(low) < FEWEST or line is None:
        return Calm(logs=low, share=share)
    beats = nan_medians(list(ticks.values())).tolist()
    adjusted = {p: low[p] - beat + math.log(NOMINAL_SECONDS["cpu"]) for p, beat in zip(low, beats, strict=True)}
    slope, error, count = line
    spreads = (float(np.std([(1 - c) * low[p] + c * adjusted[p] for p in low], ddof=1)) for c in (0.0, slope))
    gain = "± {:.2f}; spread of processes {} raw, {} freed of the clock".format(error, *map(percent, spreads))
    return Calm(logs=low, adjusted=adjusted, coefficient=slope, rounds=count, share=share, gain=gain)


def _clock(record: Record, rounds: Rounds, length: int) -> Floats:
    """Log seconds of the clocks around each calm round of a process, before it and before the next one; NaN elsewhere.

    Where none of ``CLOCKS`` was timed, all metronomes are clocks.
    """
    names = [name for name in CLOCKS if name in record.metronomes] or list(record.metronomes)
    around = rounds | np.append(False, rounds[:-1])
    logs = np.log(np.where(around, np.array([record.metronomes[name] for name in names]), np.nan)).mean(axis=0)
    found = np.full(max(length, len(rounds)), np.nan)
    found[: len(rounds)] = np.where(rounds, (logs + np.append(logs[1:], logs[-1:])) / 2, np.nan)
    return found[:length]


def _line(x: Floats, y: Floats) -> tuple[float, float, int] | None:
    """Slope of the least-squares line, its standard error and how many points made it; None where x does not move.

    Points far from a first line are left out of the second.
    """
    known = np.isfinite(x) & np.isfinite(y)
    x, y = x[known], y[known]
    if not _moves(x):
        return None
    rest = _fit(x, y)[1]
    off = np.abs(rest - np.median(rest))
    near = off <= _OUTLYING * MAD_TO_SIGMA * np.median(off)
    x, y = x[near], y[near]
    if not _moves(x):
        return None
    slope, rest = _fit(x, y)
    error = math.sqrt(float(rest @ rest) / (len(x) - 2)) / (float(x.std()) * math.sqrt(len(x)))
    return min(max(slope, 0.0), LARGEST_COEFFICIENT), error, len(x)


def _moves(x: Floats) -> bool:
    return len(x) >= FEWEST and bool(np.ptp(x))


def _fit(x: Floats, y: Floats) -> tuple[float, Floats]:
    """Slope, and what the line leaves of y."""
    across, up = x - x.mean(), y - y.mean()
    slope = float(across @ up) / float(across @ across)
    return slope, up - slope * across


def freed(calm: Sequence[float], adjusted: Sequence[float], coefficient: float) -> tuple[float, ...]:
    """Calm seconds of processes freed of the clock by a coefficient: 0 leaves them, 1 gives the adjusted ones."""
    return tuple(c ** (1 - coefficient) * a**coefficient for c, a in zip(calm, adjusted, strict=True))


def common_coefficient(of_runs: Iterable[object]) -> float:
    """One coefficient for runs that are compared: the mean of theirs; 1 where none has any."""
    known = [each for each in of_runs if isinstance(each, float)]
    return math.fsum(known) / len(known) if known else 1.0
