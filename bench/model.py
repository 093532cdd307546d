"""The nouns that travel between measuring, judging and reporting.  Values only: no clock, no torch, no files."""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal, TypeVar

T = TypeVar("T")
K = TypeVar("K", bound=Hashable)

# History of the record schema (old numbers still load, see store.py):
#   1  2026-11  first
SCHEMA = 1

Value = str | int | float | bool | None
Point = tuple[tuple[str, Value], ...]
Status = Literal["ok", "skipped", "failed", "oom", "timeout", "invalid"]
Flag = Literal[
    "preempted", "page_faults", "stolen", "launch_bound", "throttled", "allocated", "contended"
]  # one sample each; report/words.py has the sentences
StopReason = Literal["precise", "budget", "unstable", ""]
ClaimKind = Literal["lower", "higher", "unchanged", "close", "identical"]
Decision = Literal["confirmed", "refuted", "undecided", "not applicable"]
Repeatability = Literal["repeats", "differs", "random", "mutates"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One variant of one benchmark at one point on one kind of device (``cpu`` or ``cuda``)."""

    suite: str
    benchmark: str
    variant: str
    baseline: str
    point: Point
    device: str

    @property
    def id(self) -> str:
        """Stable name: ``conv/bias_before_bn[c=64,hw=32,n=4]/bias@cpu``."""
        return f"{self._stem}/{self.variant}@{self.device}"

    @property
    def group(self) -> str:
        """Name shared by all variants at this point: ``conv/bias_before_bn[c=64,hw=32,n=4]@cpu``."""
        return f"{self._stem}@{self.device}"

    @property
    def name_of_benchmark(self) -> str:
        """``conv/bias_before_bn``, as in its Declaration."""
        return f"{self.suite}/{self.benchmark}"

    @property
    def is_baseline(self) -> bool:
        return self.variant == self.baseline

    @property
    def _stem(self) -> str:
        axes = ",".join(f"{k}={format_value(v)}" for k, v in self.point)
        return f"{self.name_of_benchmark}[{axes}]"


def format_value(value: Value) -> str:
    """An axis value as it stands in a case id."""
    if isinstance(value, bool) or value is None:
        return {True: "true", False: "false", None: "none"}[value]
    return str(value)


def grouped(items: Iterable[T], key: Callable[[T], K]) -> defaultdict[K, list[T]]:
    """Items by key, both in the order they are met; a key that none has gives an empty list."""
    found: defaultdict[K, list[T]] = defaultdict(list)
    for item in items:
        found[key(item)].append(item)
    return found


def make_point(values: Mapping[str, Value]) -> Point:
    """Axis values sorted by name."""
    return tuple(sorted(values.items()))


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """What somebody says of a benchmark's variants against its baseline.

    ``of``: the variants it speaks of; empty means all but the baseline.  ``within``: margin as a fraction.
    ``on``: the kind of device it speaks of; empty means any.  ``at``: axis values it is limited to.
    ``source``: file and line of the note, where ``notes.csv`` lists it (``bench.notes``).
    """

    kind: ClaimKind
    metric: str
    of: tuple[str, ...] = ()
    note: str = ""
    within: float = 0.01
    on: str = ""
    at: Point = ()
    source: str = ""

    @property
    def cited(self) -> str:
        """The note's id, file and line: ``C5, notes/yolo.md:5``; empty without a note."""
        return ", ".join(part for part in (self.note, self.source) if part)

    @property
    def text(self) -> str:
        """The claim as its author would write it: ``higher("time", of="bias")``; margin and note stand beside it."""
        of = f", of={self.of[0]!r}" if len(self.of) == 1 else f", of={list(self.of)!r}" if self.of else ""
        on = f", on={self.on!r}" if self.on else ""
        at = f", at={dict(self.at)!r}" if self.at else ""
        return f'{self.kind}("{self.metric}"{of}{on}{at})'.replace("'", '"')


@dataclass(frozen=True, slots=True, kw_only=True)
class Samples:
    """The samples of one case and phase in one process; index r is round r.

    ``seconds`` are per call (block time / ``loops``).  ``siblings`` are other times of the same samples (CUDA:
    ``hot``, ``enqueue``, ``wall``).  ``first_call`` in seconds; ``settle``: calls until steady.
    """

    phase: str
    loops: int
    seconds: tuple[float, ...] = ()
    flags: tuple[tuple[Flag, ...], ...] = ()
    siblings: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    first_call: float | None = None
    settle: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """A judgement by bits or by distance, made in one process.

    ``what``: ``output`` or ``gradient`` against the baseline (``level`` = ``numeric``), or a determinism check
    (``level`` = ``quick``, ``full``).  ``verdict``: ``identical``, ``close``, ``different``, or a Repeatability.
    ``error``: relative distance to the float64 reference; ``baseline_error``: the baseline's own.
    """

    what: str
    level: str
    verdict: str
    reason: str = ""
    repeats: int = 0
    differing: int = 0
    ulp: float | None = None
    relative: float | None = None
    error: float | None = None
    baseline_error: float | None = None
    tolerance: float | None = None
    knobs: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One case in one process, as measured; no statistics in it, so new statistics apply to old records.

    ``process`` 0 holds the facts (memory, work, checks) and no samples; 1, 2, … are timed, and number n of a case is
    paired with number n of the other cases of its group.  ``metronomes`` hold one value in seconds per round.
    ``values`` are metrics that need no statistics, by full name.  ``version``: hash of the benchmark's source.
    ``knobs``: the cell of the knob matrix it belongs to (``default`` is one, the others' baseline); empty outside it.
    ``operators``: torch's operators that a call runs, where that was asked (``bench.measure.operators``).
    """

    case: Case
    version: str
    process: int
    status: Status
    reason: str = ""
    samples: tuple[Samples, ...] = ()
    metronomes: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    values: Mapping[str, float | str] = field(default_factory=dict)
    checks: tuple[Check, ...] = ()
    warnings: tuple[str, ...] = ()
    environment: str = ""
    run: str = ""
    time: str = ""
    knobs: str = ""
    operators: tuple[str, ...] = ()
    schema: int = SCHEMA


@dataclass(frozen=True, slots=True, kw_only=True)
class Environment:
    """Everything about machine and software that a number depends on, flat; ``reasons`` say why a fact is None."""

    facts: Mapping[str, Value]
    reasons: Mapping[str, str] = field(default_factory=dict)

    @property
    def key(self) -> str:
        """Twelve hex digits that name this environment in records."""
        text = json.dumps(dict(self.facts), sort_keys=True, default=str)
        return hashlib.sha256(text.encode()).hexdigest()[:12]


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """One case x metric: what its processes say together.  One row of ``report.csv``.

    ``value``, ``low``, ``high`` in the metric's unit; None where there is no trustworthy number (``status`` and
    ``reason`` say why).  ``ratio`` is against the baseline of the group, None for the baseline itself.
    ``process_values``: one per process, in the metric's unit; ``process_variances``: what the rounds of each process
    leave open of its logarithm, where they are ratios that another report's are compared with.  ``flags``: flag ->
    share of samples carrying it.
    ``facts``: sentences about the distribution ("two modes", "heavy tail"), never instructions.
    """

    case: Case
    metric: str
    status: Status
    reason: str = ""
    value: float | str | None = None
    low: float | None = None
    high: float | None = None
    confidence: float | None = None
    process_values: tuple[float, ...] = ()
    process_variances: tuple[float, ...] = ()
    samples: int = 0
    valid_fraction: float | None = None
    stop_reason: StopReason = ""
    ratio: float | None = None
    ratio_low: float | None = None
    ratio_high: float | None = None
    flags: Mapping[str, float] = field(default_factory=dict)
    facts: tuple[str, ...] = ()
    version: str = ""
    environment: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """One claim at one point: decision and evidence.  One row of ``verdicts.csv``."""

    case: Case
    claim: Claim
    metric: str
    decision: Decision
    evidence: str
    ratio: float | None = None
    low: float | None = None
    high: float | None = None
    processes: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Declaration:
    """What a suite file declared, as far as reports need it: kept in the manifest, so they render without the file."""

    suite: str
    benchmark: str
    question: str
    explanation: str
    variants: tuple[str, ...]
    phases: tuple[str, ...]
    claims: tuple[Claim, ...]
    source: str
    version: str
    skip_reason: str = ""

    @property
    def name(self) -> str:
        """``conv/bias_before_bn``."""
        return f"{self.suite}/{self.benchmark}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """What a run set out to measure, and how it ended: ``finished`` is empty while it runs or after it was killed.

    ``precision`` is the half-width asked for, as a fraction; ``budget`` in seconds; ``stops``: group -> why it
    stopped; ``reached``: group -> half-width of its widest ratio then, as a fraction; ``ceilings``: measured roofs
    (``bytes`` in B/s, ``flops`` in FLOP/s) of the device.  ``determinism``: the level of checks, ``off``, ``quick`` or
    ``full``.  ``reference``: the Python beside which the cases were timed, if there was one.
    """

    run: str
    command: tuple[str, ...]
    paths: tuple[str, ...] = ()
    device: str
    tier: str
    seed: int
    precision: float
    budget: float
    started: str
    declarations: tuple[Declaration, ...]
    cases: tuple[Case, ...]
    finished: str = ""
    stops: Mapping[str, StopReason] = field(default_factory=dict)
    reached: Mapping[str, float] = field(default_factory=dict)
    ceilings: Mapping[str, float] = field(default_factory=dict)
    determinism: str = "off"
    reference: str = ""
    schema: int = SCHEMA
