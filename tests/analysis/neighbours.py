"""Records of a machine that is shared with others."""

from __future__ import annotations

import math

import numpy as np
from builders import record

from bench.model import Record


def neighbourhood(seed: int, *, processes: int = 24, busy: float = 0.5, true: float = 2e-3) -> list[Record]:
    """Processes of 16 rounds beside neighbours that come and go, and slow a case by 50 % but the metronomes by 30 %."""
    rng, records = np.random.default_rng(seed), []
    for process in range(1, processes + 1):
        disturbed = rng.random() < busy
        switches = rng.random(17) < 0.1
        state = np.logical_xor.accumulate(np.concatenate(([disturbed], switches)))[:17]
        noise = rng.normal(0.0, 0.01, (2, 16)) + rng.normal(0.0, 0.005)
        seconds = true * np.exp(np.where(state[:16] | state[1:], math.log(1.5), 0.0) + noise[0])
        ticks = 1.3e-4 * np.exp(np.where(state[:16], math.log(1.3), 0.0) + noise[1])
        records.append(record(seconds=seconds.tolist(), process=process, metronomes={"hash": tuple(ticks.tolist())}))
    return records
