"""What a mean and an interval do not tell: heavy tails and two modes, as sentences."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from bench.analysis.intervals import Floats, nan_medians
from bench.analysis.phrases import percent

# Tukey (1977) calls values beyond three interquartile ranges "far out": of normal noise two in a million are.
_FENCE, _HEAVY_SHARE, _HEAVY_SAMPLES = 3.0, 0.02, 3

# Otsu (1979): the share of the variance that splitting in two explains is 0.64 for normal noise, 0.75 for uniform, and
# nears 1 for two modes.  At 0.9 and with a fifth of the values on each side, fewer than 1 % of series of 12 normal
# values pass (20,000 simulated), and 89 % of those with two modes eight standard deviations apart.
_SPLIT, _SMALLER_SIDE = 0.9, 0.2
_VALUES_FOR_MODES, _ROUNDS_FOR_MODES = 12, 8
_APART = 0.01  # modes that differ by less are nobody's concern


def facts(logs: Floats, process_values: Floats) -> tuple[str, ...]:
    """Sentences on log times by process and round (NaN: not valid) and on the process values made of them."""
    return (*_tail(logs), *_modes_within(logs), *_modes_between(process_values))


def _tail(logs: Floats) -> Iterator[str]:
    beyond = logs - nan_medians(logs)[:, None]
    beyond = beyond[~np.isnan(beyond)]
    low, high = np.quantile(beyond, (0.25, 0.75))
    far = np.abs(beyond - (low + high) / 2) > (0.5 + _FENCE) * (high - low)
    count = int(np.count_nonzero(far))
    if high > low and count >= max(_HEAVY_SAMPLES, _HEAVY_SHARE * len(beyond)):
        furthest = float(np.exp(np.abs(beyond[far]).max()))
        share = count / len(beyond)
        yield f"heavy tail: {percent(share)} of samples are far out, up to {furthest:.3g} times their process's median"


def _modes_within(logs: Floats) -> Iterator[str]:
    rows = logs[np.count_nonzero(~np.isnan(logs), axis=1) >= _ROUNDS_FOR_MODES]
    if not len(rows):
        return
    split = _split(rows)
    two = split.bimodal
    if 2 * np.count_nonzero(two) > len(logs):
        apart, slow = float(np.expm1(np.median(split.apart[two]))), float(np.median(split.slow[two]))
        yield f"two modes within processes: {percent(slow)} of samples take {percent(apart)} longer"


def _modes_between(process_values: Floats) -> Iterator[str]:
    if len(process_values) < _VALUES_FOR_MODES:
        return
    split = _split(process_values[None])
    if split.bimodal[0]:
        slow = round(float(split.slow[0]) * len(process_values))
        apart = float(np.expm1(split.apart[0]))
        yield f"two modes between processes: {slow} of {len(process_values)} take {percent(apart)} longer"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Split:
    """The best split of each row in two: share of variance explained, distance of means, share of the upper part."""

    explained: Floats
    apart: Floats
    slow: Floats

    @property
    def bimodal(self) -> Floats:
        return np.asarray((self.explained > _SPLIT) & (self.apart > _APART))


def _split(rows: Floats) -> _Split:
    table = np.sort(rows - nan_medians(rows)[:, None], axis=1)  # NaN goes last
    count = np.count_nonzero(~np.isnan(table), axis=1)[:, None]
    table = np.nan_to_num(table)
    below = np.arange(1, table.shape[1])[None]
    part = np.cumsum(table, axis=1)
    whole, lower = part[:, -1:], part[:, :-1]
    above = np.maximum(count - below, 1)
    between = (count * lower - below * whole) ** 2 / (count * below * above)
    fair = (below >= _SMALLER_SIDE * count) & (count - below >= _SMALLER_SIDE * count)
    best = np.argmax(np.where(fair, between, -1.0), axis=1)[:, None]
    total = (table**2).sum(axis=1) - whole[:, 0] ** 2 / count[:, 0]
    size = np.maximum(count - best - 1, 1)
    at = np.take_along_axis(lower, best, axis=1)
    explained = np.take_along_axis(between, best, axis=1)[:, 0] / np.where(total > 0, total, np.inf)
    return _Split(explained=explained, apart=((whole - at) / size - at / (best + 1))[:, 0], slow=(size / count)[:, 0])
