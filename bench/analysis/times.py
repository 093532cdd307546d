"""The times of one case and phase over all its processes, and which of them may be used."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from bench.analysis.intervals import Floats, ProcessValue, nan_medians, variances_of_medians
from bench.model import Record, Samples

ALONE = "1 process: nothing is known of how far the next one would be from it"

# A GPU that waits for Python spoils its own time, not the time that launching takes, nor that of the whole.
_HARMLESS = {"enqueue": frozenset({"launch_bound"}), "wall": frozenset({"launch_bound"})}


@dataclass(frozen=True, kw_only=True)
class Times:
    """Seconds by process and round, ragged ends filled with NaN; ``spoilt`` says why samples are not valid.

    No slots, because medians are computed once and kept.
    """

    processes: tuple[int, ...]
    seconds: Floats
    valid: NDArray[np.bool_]
    samples: int
    spoilt: Mapping[str, int]
    flags: Mapping[str, float]

    @cached_property
    def logs(self) -> Floats:
        """Logarithms, NaN where a sample may not be used."""
        return np.log(np.where(self.valid, self.seconds, np.nan))

    @cached_property
    def by_process(self) -> dict[int, float]:
        """process -> median log seconds, for every process with a valid sample."""
        return _known(self.processes, nan_medians(self.logs))

    @property
    def valid_samples(self) -> int:
        return int(np.count_nonzero(self.valid))

    @cached_property
    def distinct(self) -> Floats:
        """The different values among the valid samples, ascending."""
        return np.unique(self.seconds[self.valid])

    @cached_property
    def step(self) -> float:
        """One tick of a coarse clock as a share of the median sample: no interval is narrower.

        A clock that ticks every microsecond tells 20 us from 21 us, but not one process from the next: their medians
        may all be equal and their spread zero.  Zero where fewer than half of the samples repeat another.
        """
        found = self.distinct
        if not 1 < len(found) <= self.valid_samples / 2:
            return 0.0
        return float(np.diff(found).min() / np.median(self.seconds[self.valid]))

    @cached_property
    def trouble(self) -> str:
        """Why these times give no number; empty when they do."""
        good = self.valid_samples
        if not self.samples or 2 * good < self.samples:
            why = ", ".join(f"{count} {what.replace('_', ' ')}" for what, count in self.spoilt.items())
            return f"{good} of {self.samples} samples are valid" + (f": {why}" if why else "")
        if len(self.distinct) == 1 < good:
            return f"all {good} samples are equal: the clock stands still or is coarser than what it timed"
        if len(self.by_process) == 1:
            return ALONE
        return ""

    def among(self, rounds: Mapping[int, NDArray[np.bool_]]) -> Times:
        """The same times with only these rounds of each process valid."""
        wanted = np.zeros(self.valid.shape, dtype=np.bool_)
        for row, process in zip(wanted, self.processes, strict=True):
            chosen = rounds.get(process, np.zeros(0, dtype=np.bool_))[: len(row)]
            row[: len(chosen)] = chosen
        return replace(self, valid=self.valid & wanted)

    def ratios_to(self, baseline: Times) -> dict[int, ProcessValue]:
        """process -> median log ratio over the rounds that are valid for both, and the variance of that median."""
        common = sorted(set(self.processes) & set(baseline.processes))
        if not common:
            return {}
        rounds = min(self.logs.shape[1], baseline.logs.shape[1])
        mine = self.logs[[self.processes.index(p) for p in common], :rounds]
        theirs = baseline.logs[[baseline.processes.index(p) for p in common], :rounds]
        ratios = mine - theirs
        variances = variances_of_medians(ratios).tolist()
        known = _known(common, nan_medians(ratios))
        return {p: ProcessValue(known[p], v) for p, v in zip(common, variances, strict=True) if p in known}


def _known(processes: Iterable[int], values: Floats) -> dict[int, float]:
    return {p: v for p, v in zip(processes, values.tolist(), strict=True) if v == v}


def times_of(records: Sequence[Record], phase: str, sibling: str = "") -> Times | None:
    """The times of a phase (or of a sibling of it) in records of one case; None when none was taken."""
    found = [(r.process, s) for r in records for s in r.samples if s.phase == phase]
    rows = [s.siblings.get(sibling, ()) if sibling else s.seconds for _, s in found]
    if not any(rows):
        return None
    seconds = _table(rows)
    flagged, spoilt, flags = _flags([s for _, s in found], rows, _HARMLESS.get(sibling, frozenset()), seconds.shape)
    usable = np.isfinite(seconds) & (seconds > 0)
    taken = np.arange(seconds.shape[1]) < np.array([[len(row)] for row in rows])
    impossible = {
        "not finite": int(np.count_nonzero(taken & ~np.isfinite(seconds))),
        "zero or negative": int(np.count_nonzero(np.isfinite(seconds) & (seconds <= 0))),
    }
    samples = sum(map(len, rows))
    return Times(
        processes=tuple(process for process, _ in found),
        seconds=seconds,
        valid=usable & ~flagged,
        samples=samples,
        spoilt=spoilt | {what: count for what, count in impossible.items() if count},
        flags={flag: count / samples for flag, count in flags.items()},
    )


def _table(rows: Sequence[Sequence[float]]) -> Floats:
    longest = max(map(len, rows))
    if all(len(row) == longest for row in rows):
        return np.array(rows, dtype=np.float64)
    return np.array([[*row, *[np.nan] * (longest - len(row))] for row in rows])


def _flags(
    samples: Sequence[Samples], rows: Sequence[Sequence[float]], harmless: frozenset[str], shape: tuple[int, ...]
) -> tuple[NDArray[np.bool_], dict[str, int], dict[str, int]]:
    """Which samples carry a flag that spoils them, how many each flag spoils, and how many carry each flag."""
    flagged = np.zeros(shape, dtype=np.bool_)
    carried: Counter[str] = Counter()
    for i, (one, row) in enumerate(zip(samples, rows, strict=True)):
        if any(one.flags):
            flags = one.flags[: len(row)]
            carried.update(chain.from_iterable(flags))
            flagged[i, : len(flags)] = [bool(set(f) - harmless) for f in flags]
    return flagged, {f: n for f, n in carried.most_common() if f not in harmless}, dict(carried)
