"""Is one set of processes slower than another by more than a floor?  Minimum-effect Welch tests, many at once.

Everything is in logarithms, so an effect of 0.02 is two percent, and symmetric.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain

import numpy as np
from scipy.special import stdtr, stdtrit  # not scipy.stats, which takes three times as long to import

from bench.analysis.intervals import WIDENING, Floats, mean_of

# A change this many processes would not resolve sits on the floor itself: no number of them would.
MOST_PROCESSES = 1000
# Logarithms of one and the same value differ by this much from rounding alone.
_ROUNDING = 1e-13


@dataclass(frozen=True, slots=True, kw_only=True)
class Moments:
    """Number, mean and variance of the logarithms of each series, one element per series.

    Of a series with weights, those of so many equal processes as would tell as much.
    """

    number: Floats
    mean: Floats
    variance: Floats


def moments(series: Sequence[Sequence[float]], variances: Sequence[Sequence[float]] = ()) -> Moments:
    """Moments of series of at least two positive numbers each; what is only rounding is no variance.

    ``variances``: of each series those of its logarithms, as in ``mean_of``, where its processes were paired and
    measured until they were precise; empty where they were not.
    """
    number = np.array([len(values) for values in series], dtype=np.float64)
    logs = np.log(np.fromiter(chain.from_iterable(series), dtype=np.float64, count=int(number.sum())))
    if not len(number):
        return Moments(number=number, mean=number, variance=number)
    starts = np.concatenate(([0], np.cumsum(number)[:-1])).astype(np.intp)
    mean = np.add.reduceat(logs, starts) / number
    centred = logs - np.repeat(mean, number.astype(np.intp))
    variance = np.add.reduceat(centred**2, starts) / (number - 1)
    for i, known in enumerate(variances):
        if len(known):
            found = mean_of(np.log(series[i]), known)
            number[i], mean[i], variance[i] = found.count, found.mean, found.count * (WIDENING * found.error) ** 2
    return Moments(number=number, mean=mean, variance=np.where(variance > _ROUNDING**2, variance, 0.0))


@dataclass(frozen=True, slots=True, kw_only=True)
class Effects:
    """Differences of log means (new - base) with their interval, and p of ``|difference| <= floor``.

    Where neither side varies there is no test: ``low``, ``high`` and ``p`` are NaN.
    """

    effect: Floats
    low: Floats
    high: Floats
    p: Floats


def effects(base: Moments, new: Moments, floor: Floats, confidence: float) -> Effects:
    """Welch's t with Satterthwaite's degrees of freedom; the null hypothesis is ``|effect| <= floor``.

    p is the probability, with the true effect at the floor, of a difference at least as large as the one seen in
    either direction, so a floor of 0 gives the ordinary two-sided test.
    """
    of_base, of_new = base.variance / base.number, new.variance / new.number
    error = np.sqrt(of_base + of_new)
    error[error == 0] = np.nan
    freedom = error**4 / (of_base**2 / (base.number - 1) + of_new**2 / (new.number - 1))
    effect = new.mean - base.mean
    size = np.abs(effect)
    p = stdtr(freedom, -(size - floor) / error) + stdtr(freedom, -(size + floor) / error)
    half = stdtrit(freedom, (1 + confidence) / 2) * error
    return Effects(effect=effect, low=effect - half, high=effect + half, p=np.minimum(p, 1.0))


def false_discovery_adjusted(p: Floats) -> Floats:
    """Benjamini and Hochberg (1995): the smallest false-discovery rate at which each test would be rejected.

    NaN, where there was no test, stays NaN and counts for nothing.
    """
    order = np.argsort(p)[: np.count_nonzero(~np.isnan(p))]  # NaN goes last
    raised = p[order] * len(order) / np.arange(1, len(order) + 1)
    adjusted = np.full_like(p, np.nan)
    adjusted[order] = np.minimum.accumulate(raised[::-1])[::-1]
    return np.minimum(adjusted, 1.0)


def more_processes(
    *, effect: float, floor: float, variance: float, number: int, alpha: float, confidence: float
) -> int | None:
    """How many more processes on each side would resolve an effect of this size; None when no number would.

    ``variance``: the sum of both sides'; ``number``: processes of the smaller side; ``alpha``: the p that rejects.
    """
    gap = abs(effect) - floor
    tail = alpha if gap > 0 else (1 - confidence) / 2
    needed = number
    for _ in range(20):  # the quantile depends on the number asked for; a few rounds settle it
        quantile = float(stdtrit(2 * (max(needed, 2) - 1), 1 - tail))
        wanted = variance * (quantile / gap) ** 2 if gap else math.inf
        if wanted > MOST_PROCESSES:
            return None
        if math.ceil(wanted) == needed:
            break
        needed = max(math.ceil(wanted), number)
    return max(1, needed - number)
