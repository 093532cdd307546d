"""Makes times of two runs comparable: divides out how fast the machine was while each process ran.

A metronome is a block of work that depends on neither torch nor the driver, timed in every round.  A machine that is
ten percent slower makes the metronomes and the case ten percent slower, so

    adjusted seconds = seconds x nominal / (geometric mean of the process's metronomes)

The coefficient is one, not the slope of a regression.  Seen on 2 x 12 reports of seven CPU workloads (the evidence
scripts' workloads, torch 2.13, 2 cores, 12 processes of a case in each report), standard deviation of the difference
between two reports of the same code, root mean square over the workloads:

    raw 9.5 % and 2.6 %; this 6.0 % and 2.0 %; the hash block alone 6.7 % and 1.9 %; the interpreter block alone 4.4 %
    and 2.2 %; slopes fitted in each report and adjusted to the mean of all reports 4.9 % and 2.0 % (which no single
    report knows), but adjusted to a fixed reference 30 % away from it 24 % and 20 %.

That is of all rounds; of the calm ones calm.py tells.

A slope fitted to a dozen processes is off by 0.2 or more, and multiplies its error with the distance to the
reference; a quiet report cannot fit one at all, though its machine may have been slow throughout.  With a coefficient
of one the reference cancels when two reports are compared.  The fitted slope and the gain are told as facts.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median

import numpy as np

from bench.analysis.intervals import FEWEST, Floats
from bench.analysis.phrases import percent
from bench.model import Record

# Arbitrary but the same for ever: about what the blocks take on the machines they were written on, so that adjusted
# seconds look like seconds.  Only ratios of adjusted times mean anything.
NOMINAL_SECONDS = {"cpu": 1.3e-4, "cuda": 1e-3}

# Where a case does not follow the metronomes, adjusting adds their noise to its own, and is left.  On the CPU a quiet
# report is adjusted all the same, since its machine may be slower than the other report's: seen on the reports above,
# adjusting only where the gain is above 1 makes 7.1 % and 2.2 % out of 6.0 % and 2.0 %.  So a little noise is borne:
# a gain of 0.9, which a dozen processes cannot tell from 1, and spreads up to the smallest change `compare` tells.
# On the GPU the metronome is the clock, and what waits for memory follows it not at all: there a gain must be seen.
LEAST_GAIN = {"cpu": 0.9, "cuda": 1.0}
BEARABLE_SPREAD = {"cpu": 0.02, "cuda": 0.0}


@dataclass(frozen=True, slots=True, kw_only=True)
class Adjustment:
    """Adjusted log seconds by process, or none; the sentence tells coefficient and gain (raw / adjusted spread)."""

    logs: Mapping[int, float] = field(default_factory=dict)
    sentence: str = ""


def beats(records: Mapping[int, Record]) -> dict[int, float]:
    """process -> mean over the metronomes of the median log seconds; only metronomes that all processes have."""
    medians = {p: {name: _median_log(v) for name, v in r.metronomes.items()} for p, r in records.items()}
    ticking = {p: {n: v for n, v in of.items() if v is not None} for p, of in medians.items()}
    ticking = {p: of for p, of in ticking.items() if of}
    names = set.intersection(*(set(of) for of in ticking.values())) if ticking else set()
    return {p: math.fsum(of[n] for n in names) / len(names) for p, of in ticking.items()} if names else {}


def _median_log(seconds: Sequence[float]) -> float | None:
    good = [s for s in seconds if 0 < s < math.inf]
    return math.log(median(good)) if good else None


def adjust(logs: Mapping[int, float], beat: Mapping[int, float], device: str) -> Adjustment:
    """Adjust log seconds by process with the beats of the same processes; nothing to say without any beat."""
    common = [process for process in logs if process in beat]
    if not common:
        return Adjustment()
    if len(common) < FEWEST:
        return Adjustment(sentence=f"not adjusted by the metronomes: {len(common)} processes, {FEWEST} are needed")
    times, ticks = np.array([logs[p] for p in common]), np.array([beat[p] for p in common])
    adjusted = times - ticks + math.log(NOMINAL_SECONDS[device])
    raw, left = float(times.std(ddof=1)), float(adjusted.std(ddof=1))
    told = _coefficient(times, ticks)
    if left > max(BEARABLE_SPREAD[device], raw / LEAST_GAIN[device]):
        grows = f"the spread of processes would grow from {percent(raw)} to {percent(left)}"
        return Adjustment(sentence=f"not adjusted by the metronomes: {told}, {grows}")
    gain = f"gain {raw / left:.2f}: spread of processes {percent(raw)} raw, {percent(left)} adjusted" if left else ""
    return Adjustment(logs=dict(zip(common, adjusted.tolist(), strict=True)), sentence=f"{told}, {gain}".strip(", "))


def _coefficient(times: Floats, ticks: Floats) -> str:
    """How many percent the case slows when the metronomes slow by one, with its standard error: least squares."""
    centred = ticks - ticks.mean()
    moved = float(centred @ centred)
    if not moved:
        return "coefficient unknown, for the metronomes did not move"
    slope = float(centred @ times) / moved
    rest = times - times.mean() - slope * centred
    error = math.sqrt(float(rest @ rest) / (len(times) - 2) / moved)
    return f"coefficient {slope:.2f} ± {error:.2f}"
