"""How far a mean of processes, or a share of trials, may be from the truth."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import betaincinv, stdtrit  # not scipy.stats, which takes three times as long to import

Floats = NDArray[np.float64]

CONFIDENCE = 0.95

# Fewer processes than this get no interval: with four, Student's t is 3.2 and its coverage hangs on normality.
FEWEST = 5

# Runs stop when their interval is narrow enough, so those that stop tend to have underestimated their spread.  With
# the looks of stopping.py, plain Student intervals of 95 % cover 93.7 % at the worst ratio of spread to precision;
# eight percent wider they cover 95.4-96.2 % whatever the ratio, so that no claim on the margin is settled wrongly more
# than 2.5 % of the time on either side (60,000 simulated runs a point; tests/analysis/test_simulation.py repeats it).
# Looking later instead is dear: a first look at 30 processes instead of 12 comes to 94.6 %.
WIDENING = 1.08

# Processes whose median has more than so many times the usual variance count less.  A limit of 1 widens intervals of
# equal processes of 8 rounds by 6 %, this one by 1 %.
_TOO_UNSTEADY = 2.0

_FEWEST_ROUNDS = 3

# The median absolute deviation of normal noise, times this, is its standard deviation.
MAD_TO_SIGMA = 1.4826

_MANY = 10**9


class ProcessValue(NamedTuple):
    """The logarithm of what one process gave; ``variance``: what its own rounds leave open of it.

    That is NaN where it has too few rounds to tell, and 0 where nothing of the kind is known of any process.
    """

    log: float
    variance: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Mean:
    """A weighted mean of process values, its standard error, and the degrees of freedom of Student's t for it."""

    mean: float
    error: float
    freedom: float

    @property
    def count(self) -> float:
        """How many processes of equal weight would tell as much (Kish 1965)."""
        return self.freedom + 1


def mean_of(values: Sequence[float] | Floats, variances: Sequence[float] | Floats = ()) -> Mean:
    """The mean of at least two process values, in which one whose rounds scatter more than usual counts less.

    On a machine with neighbours some processes are disturbed for as long as they last, and their medians lie ten times
    as far off.  A process whose median has more than twice the usual variance counts in inverse proportion to that;
    below it all count alike, for chance among a few rounds makes as much.  The weights see how rounds scatter about
    their median and not where it lies, so they favour no direction where a disturbance strikes both sides alike; where
    it strikes one side, the mean leans to what the code does undisturbed.

    The error is White's (1980) as corrected by MacKinnon and White (1985, HC2), which holds whether or not the weights
    are right; with equal weights mean and error are the ordinary ones.  tests/analysis/test_simulation.py has its
    coverage.
    """
    logs = np.asarray(values, dtype=np.float64)
    share = _weights(len(logs), np.asarray(variances, dtype=np.float64))
    mean = float(share @ logs)
    error = math.sqrt(float(share**2 / (1 - share) @ (logs - mean) ** 2))
    return Mean(mean=mean, error=error, freedom=max(1.0, 1 / float(share @ share) - 1))


def _weights(count: int, variances: Floats) -> Floats:
    """Shares that sum to one; whoever has too few rounds to tell a variance counts as the most disturbed."""
    known = variances[~np.isnan(variances)]
    limit = _TOO_UNSTEADY * float(np.median(known)) if len(known) else 0.0
    weights = limit / np.fmax(np.where(np.isnan(variances), known.max(), variances), limit) if limit else np.ones(count)
    return np.asarray(weights / weights.sum())


@lru_cache(maxsize=4096)
def quantile(freedom: float, confidence: float) -> float:
    """Student's t that leaves ``1 - confidence`` outside on both sides together."""
    return float(stdtrit(freedom, (1 + confidence) / 2))


def half_width(values: Sequence[float] | Floats, confidence: float, variances: Sequence[float] | Floats = ()) -> float:
    """Half-width of the interval of ``mean_of`` process values; infinite below FEWEST processes."""
    if len(values) < FEWEST:
        return math.inf
    found = mean_of(values, variances)
    return WIDENING * quantile(found.freedom, confidence) * found.error


def processes_needed(*, spread: float, half_width: float, confidence: float) -> int:
    """How many processes an interval of this half-width takes, when their standard deviation is ``spread``.

    A thousand million stands for more than anybody has.
    """
    if spread == 0:
        return FEWEST
    if half_width <= 0:
        return _MANY
    wanted = (WIDENING * spread / half_width) ** 2
    count = max(FEWEST, math.ceil(min(wanted * quantile(_MANY, confidence) ** 2, _MANY)))
    while count < _MANY and wanted * quantile(count - 1, confidence) ** 2 > count:
        count += 1  # a few steps: with so many processes Student's t is the normal quantile
    return count


def share_interval(hits: float, trials: float, confidence: float) -> tuple[float, float]:
    """Clopper and Pearson (1934): the exact interval of a share, never too narrow."""
    tail = (1 - confidence) / 2
    low = float(betaincinv(hits, trials - hits + 1, tail)) if hits else 0.0
    high = float(betaincinv(hits + 1, trials - hits, 1 - tail)) if hits < trials else 1.0
    return low, high


def nan_quantiles(rows: Any, share: float) -> Floats:
    """The quantile of each row's numbers, NaN aside; NaN where it has none.  (numpy's is a hundred times slower.)"""
    table = np.sort(np.asarray(rows, dtype=np.float64), axis=1)  # NaN goes last
    count = np.count_nonzero(~np.isnan(table), axis=1)
    place = share * np.maximum(count - 1, 0)
    at, below = np.arange(len(table)), np.floor(place).astype(np.intp)
    low, high = table[at, below], table[at, np.ceil(place).astype(np.intp)]
    return np.where(count > 0, (1 - (place - below)) * low + (place - below) * high, np.nan)


def nan_medians(rows: Any) -> Floats:
    """Median of each row's numbers."""
    return nan_quantiles(rows, 0.5)


def variances_of_medians(rows: Floats) -> Floats:
    """What the scatter of each row's numbers, NaN aside, leaves open of their median, were they normal.

    The scatter is taken from their median absolute deviation, so that single disturbed rounds, which hardly move a
    median, do not count.  Fewer than three numbers do not tell: NaN.
    """
    scatter = MAD_TO_SIGMA * nan_medians(np.abs(rows - nan_medians(rows)[:, None]))
    count = np.count_nonzero(~np.isnan(rows), axis=1)
    return np.where(count >= _FEWEST_ROUNDS, math.pi / 2 * scatter**2 / np.maximum(count, 1), np.nan)
