"""One thing found about a machine, and how readings become it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

from bench.measure.reading import Reading

Level = Literal["ok", "warning", "problem", "unknown"]
Judgement = tuple[Level, str, str]  # level, fact, remedy


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What was found of one topic; ``remedy`` says what to do, empty where nothing needs doing."""

    topic: str
    level: Level
    fact: str
    remedy: str = ""


def judge(
    topic: str, keys: tuple[str, ...], verdict: Callable[..., Judgement], readings: Mapping[str, Reading]
) -> Finding:
    """The verdict on the values of these readings; unknown, with its reason, where one is missing."""
    wanted = [readings[key] for key in keys]
    missing = next((reading for reading in wanted if reading.value is None), None)
    if missing is not None:
        return Finding(topic=topic, level="unknown", fact=missing.reason)
    level, fact, remedy = verdict(*(reading.value for reading in wanted))
    return Finding(topic=topic, level=level, fact=fact, remedy=remedy)
