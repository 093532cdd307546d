"""When to stop measuring a group, and which groups the next pass measures.  Sees numbers only, no clock.

Looking at an interval again and again and stopping when it is narrow enough favours spreads that came out too small,
so coverage falls below its name.  Simulated (60,000 runs a point, spread / precision from 0.6 to 3, the worst of them,
normal noise), coverage of Student's 95 % interval: first look at 8 processes 93.1 %, at 10 93.5 %, at 12 93.7 %, at 16
94.1 %; how often one looks later hardly matters (12, then each quarter more: 93.7 %, doubling: 93.9 %), nor does
asking for more than the precision.  What works is few first looks and a wider interval (WIDENING in intervals.py):

                              coverage, worst        processes with spread of
    first look   widened by   normal    two modes    1 x    1.4 x   2 x precision
    8            12 %         95.5 %    93.9 %        9.0   12.9    23.0
    12            8 %         95.4 %    94.3 %       12.0   13.7    21.9
    16            6 %         95.4 %    94.7 %       16.0   16.3    21.9

The middle row is the rule: nearly as cheap as the first where machines are quiet, and it sees rarer modes.  No rule
helps against a mode that comes once in ten processes and is five standard deviations away: 12 processes miss it
altogether in 28 % of runs, and coverage is 89-91 %.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence

from scipy.special import chdtri

from bench.analysis.intervals import CONFIDENCE, FEWEST, ProcessValue, half_width, mean_of, processes_needed
from bench.model import StopReason

# Group -> for each reported ratio the log ratio of every process.
Series = Mapping[str, Sequence[Sequence[ProcessValue]]]

MINIMUM = 12
GROWTH = 1.25
_FEWEST_TOLD = 3  # no ground for an interval, but for a guess of the time left, which is a sum over groups


def is_look(processes: int) -> bool:
    """Whether the rule looks at a group that has so many processes: 12, 15, 19, 24, 30, …"""
    look = MINIMUM
    while look < processes:
        look = math.ceil(look * GROWTH)
    return look == processes


def decide(
    series: Series,
    *,
    precision: float,
    seconds_left: float,
    cost_seconds: Mapping[str, float],
) -> Mapping[str, StopReason]:
    """Why each group stops, or the empty string: measure on.  What is ``unstable`` lets the others go first.

    precision: half-width asked of every ratio, as a fraction.  cost_seconds: what one more process of a group takes,
    0 where none was measured yet: a first one is always granted.  A group without any ratio has nothing to be precise
    about and goes on until its budget is spent.
    """
    return {
        group: _decide(ratios, math.log1p(precision), left=seconds_left, cost=cost_seconds.get(group, 0.0))
        for group, ratios in series.items()
    }


def _decide(ratios: Sequence[Sequence[ProcessValue]], wanted: float, left: float, cost: float) -> StopReason:
    if is_look(_processes(ratios)) and _widest(ratios) <= wanted:
        return "precise"
    if cost and cost > left:
        return "budget"
    if is_look(_processes(ratios)) and cost * _fewest_more(ratios, wanted) > left:
        return "unstable"
    return ""


def next_groups(
    series: Series,
    stops: Mapping[str, StopReason],
    *,
    precision: float,
    seconds_left: float,
    cost_seconds: Mapping[str, float],
) -> tuple[str, ...]:
    """The groups that the next pass measures, in their order.

    Groups that were not looked at yet come first; then the wide ones, the widest first, each with a claim on the time
    it needs to become precise, until no time is left.  With time for all, that is every group that has not stopped.
    What the others leave is for those that the budget cannot make precise: it may still decide their claims.
    """
    running = [group for group in series if not stops.get(group)]
    if not running:
        fits = (group for group in series if cost_seconds.get(group, 0.0) < seconds_left)
        return tuple(group for group in fits if stops.get(group) == "unstable")
    counts = {group: _processes(series[group]) for group in running}
    chosen = {group for group in running if counts[group] < MINIMUM}
    left = seconds_left - sum(cost_seconds.get(group, 0.0) * (MINIMUM - counts[group]) for group in chosen)
    widths = {group: _widest(series[group]) for group in running if group not in chosen}
    for group in sorted(widths, key=widths.__getitem__, reverse=True):
        if chosen and left <= 0:
            break
        chosen.add(group)
        needed = _needed(series[group], math.log1p(precision), optimism=0.0)
        left -= cost_seconds.get(group, 0.0) * max(1, needed - counts[group])
    return tuple(group for group in running if group in chosen)


def widest(ratios: Iterable[Sequence[ProcessValue]]) -> float | None:
    """Half-width of the widest interval as a fraction; None while there is no interval."""
    width = _widest(tuple(ratios))
    return math.expm1(width) if math.isfinite(width) else None


def processes_expected(ratios: Iterable[Sequence[ProcessValue]], *, precision: float) -> int:
    """How many processes a group will take, as far as its spread is known yet."""
    series = tuple(ratios)
    if _processes(series) < _FEWEST_TOLD:
        return MINIMUM
    return max(MINIMUM, _needed(series, math.log1p(precision), optimism=0.0))


def _processes(ratios: Sequence[Sequence[ProcessValue]]) -> int:
    return max(map(len, ratios), default=0)


def _widest(ratios: Sequence[Sequence[ProcessValue]]) -> float:
    return max((_half_width(ratio) for ratio in ratios), default=math.inf)


def _half_width(values: Sequence[ProcessValue]) -> float:
    return half_width([v.log for v in values], CONFIDENCE, [v.variance for v in values])


def _fewest_more(ratios: Sequence[Sequence[ProcessValue]], wanted: float) -> int:
    """How many more processes it takes even if the spread is at the lower end of what the data allow."""
    return _needed(ratios, wanted, optimism=0.975) - _processes(ratios)


def _needed(ratios: Sequence[Sequence[ProcessValue]], wanted: float, optimism: float) -> int:
    spreads = (_spread(ratio, optimism) for ratio in ratios)
    return max((processes_needed(spread=s, half_width=wanted, confidence=CONFIDENCE) for s in spreads), default=MINIMUM)


def _spread(values: Sequence[ProcessValue], optimism: float) -> float:
    """Standard deviation, or with ``optimism`` the lower bound that holds with this probability (chi-squared).

    Of values with weights, that of so many equal ones whose mean would be known as well.
    """
    if len(values) < FEWEST:
        return math.inf
    mean = mean_of([v.log for v in values], [v.variance for v in values])
    found = mean.error * math.sqrt(len(values))
    return found * math.sqrt(mean.freedom / float(chdtri(mean.freedom, 1 - optimism))) if optimism else found
