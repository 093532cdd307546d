"""What became of each claim: confirmed, refuted, undecided or not applicable, with one sentence of evidence.

docs/method.md, verdicts on claims.  An interval of 95 % must lie wholly on one side of the margin, so a claim whose
truth sits exactly on the margin is settled wrongly in at most 2.5 % of runs on either side.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from bench.analysis.intervals import FEWEST, WIDENING, processes_needed, quantile
from bench.analysis.phrases import amount, change
from bench.errors import BenchError
from bench.metrics import covers, kind, metric
from bench.model import Case, Check, Claim, Decision, Declaration, Estimate, Record, Status, Verdict, format_value

# No run is asked for more processes than this; a ratio so close to the margin is said to lie on it.
_MOST_PROCESSES = 1000

_NOUNS = {
    "first_call": "first-call time",
    "memory/parameters": "parameter memory",
    "memory/peak": "peak memory",
    "memory/reserved": "reserved memory",
    "memory/nvml": "GPU memory in use",
    "memory/rss": "resident memory",
    "rate/flops": "FLOP rate",
    "rate/bytes": "byte rate",
}


def judge(declaration: Declaration, estimates: Sequence[Estimate], records: Sequence[Record]) -> tuple[Verdict, ...]:
    """Verdicts on every claim of a benchmark: one per variant, point and phase it speaks of."""
    cases = _evidence(declaration, estimates, records)
    baselines = {case.group: evidence for case, evidence in cases.items() if case.is_baseline}
    return tuple(
        verdict
        for claim in declaration.claims
        for case, evidence in cases.items()
        if case.variant in (claim.of or declaration.variants[1:])
        for verdict in _judge(claim, case, evidence, baselines.get(case.group))
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Evidence:
    """Estimates of one case by metric, and its records."""

    estimates: Mapping[str, Estimate]
    records: Sequence[Record]

    @property
    def ends(self) -> tuple[tuple[Status, str], ...]:
        """Status and reason of everything that gave no number."""
        parts: tuple[Record | Estimate, ...] = (*self.records, *self.estimates.values())
        return tuple((part.status, part.reason) for part in parts if part.status != "ok")

    @property
    def skipped(self) -> str:
        """Why the case was not measured on purpose; empty when it was to be."""
        return next((reason or "skipped" for status, reason in self.ends if status == "skipped"), "")

    @property
    def broken(self) -> str:
        """How the first process that failed did; empty when none did."""
        return next((f"{status}: {reason}" for status, reason in self.ends), "")


def _evidence(
    declaration: Declaration, estimates: Sequence[Estimate], records: Sequence[Record]
) -> dict[Case, _Evidence]:
    rows: defaultdict[Case, dict[str, Estimate]] = defaultdict(dict)
    kept: defaultdict[Case, list[Record]] = defaultdict(list)
    for e in estimates:
        rows[e.case][e.metric] = e
    for r in records:
        kept[r.case].append(r)
    cases = [case for case in dict.fromkeys((*rows, *kept)) if case.name_of_benchmark == declaration.name]
    return {case: _Evidence(estimates=rows[case], records=kept[case]) for case in cases}


def _judge(claim: Claim, case: Case, evidence: _Evidence, baseline: _Evidence | None) -> Iterator[Verdict]:
    why_not = _inapplicable(claim, case) or evidence.skipped
    if why_not:
        yield _plain(claim, case, "not applicable", why_not)
    elif claim.kind in ("close", "identical"):
        yield _of_bits(claim, case, evidence)
    else:
        found = [e for name, e in evidence.estimates.items() if _speaks_of(claim.metric, name)]
        if not found:
            why = evidence.broken or f"no value of {claim.metric} was measured"
            yield _plain(claim, case, "undecided", why)
        for estimate in found:
            yield _of_number(claim, estimate, baseline.estimates.get(estimate.metric) if baseline else None)


def _plain(claim: Claim, case: Case, decision: Decision, evidence: str) -> Verdict:
    return Verdict(case=case, claim=claim, metric=claim.metric, decision=decision, evidence=evidence)


def _inapplicable(claim: Claim, case: Case) -> str:
    if claim.on and claim.on != case.device:
        return f"speaks of {claim.on}; this is {case.device}"
    point = dict(case.point)
    limits = [f"{axis}={format_value(value)}" for axis, value in claim.at if point.get(axis, ...) != value]
    return f"speaks of {', '.join(limits)} only" if limits and case.point else ""


def _speaks_of(claimed: str, name: str) -> bool:
    try:
        return covers(claimed, name)
    except BenchError:  # a metric of a later version
        return False


# --- numbers ---------------------------------------------------------------------------------------------------------


def _of_number(claim: Claim, estimate: Estimate, baseline: Estimate | None) -> Verdict:
    decision, evidence = _decide(claim, estimate, baseline)
    processes = _processes(estimate, baseline)
    return Verdict(
        case=estimate.case,
        claim=claim,
        metric=estimate.metric,
        decision=decision,
        evidence=evidence,
        ratio=estimate.ratio,
        low=estimate.ratio_low,
        high=estimate.ratio_high,
        processes=processes,
    )


def _processes(estimate: Estimate, baseline: Estimate | None) -> int:
    """Processes behind a ratio: those of the side that has fewer."""
    return min(len(e.process_values) for e in (estimate, baseline or estimate))


def _decide(claim: Claim, estimate: Estimate, baseline: Estimate | None) -> tuple[Decision, str]:
    if estimate.status != "ok":
        return "undecided", f"{estimate.status}: {estimate.reason}"
    if metric(estimate.metric).exact:
        return _decide_exactly(claim, estimate, baseline)
    if estimate.ratio is None or estimate.ratio_low is None or estimate.ratio_high is None:
        return "undecided", _why_no_interval(estimate, baseline)
    decision = _place(claim, estimate.ratio_low, estimate.ratio_high)
    sentence = _measured(claim, estimate, baseline)
    if decision == "undecided":
        return decision, f"{sentence}; {_remedy(claim, estimate, baseline)}"
    return decision, sentence


def _place(claim: Claim, low: float, high: float) -> Decision:
    """Where an interval of the ratio lies: wholly in what the claim says, wholly outside, or on the border."""
    below, above = 1 - claim.within, 1 + claim.within
    if claim.kind == "unchanged":
        inside, outside = below <= low and high <= above, high < below or low > above
    elif claim.kind == "lower":
        inside, outside = high < below, low > below
    else:
        inside, outside = low > above, high < above
    return "confirmed" if inside else "refuted" if outside else "undecided"


def _why_no_interval(estimate: Estimate, baseline: Estimate | None) -> str:
    if baseline is not None and baseline.status != "ok":
        return f"no ratio: the baseline is {baseline.status}: {baseline.reason}"
    told = next((fact for fact in estimate.facts if "ratio" in fact), "")
    return estimate.reason or told or "there is no ratio to the baseline"


def _measured(claim: Claim, estimate: Estimate, baseline: Estimate | None) -> str:
    """``bias costs +4.1 % [3.6, 4.7] forward time: 12 processes, 96 rounds; margin 1 %``."""
    rounds = round(estimate.samples * (estimate.valid_fraction or 0))
    counts = f"{_processes(estimate, baseline)} processes" + (f", {rounds} rounds" if rounds else "")
    return f"{estimate.case.variant} {_effect(estimate)}: {counts}; margin {100 * claim.within:g} %"


def _effect(estimate: Estimate) -> str:
    """A cost, a saving, or where the interval says neither a change."""
    ratio, low, high = estimate.ratio or 1.0, estimate.ratio_low or 1.0, estimate.ratio_high or 1.0
    effect, noun = change(ratio, low, high), _noun(estimate.metric)
    if metric(estimate.metric).better != "lower" or low <= 1 <= high:
        return f"changes {noun} by {effect}"
    if low > 1 or ratio <= 0.5:
        return f"{'costs' if low > 1 else 'needs'} {effect} {noun}"
    return f"saves {change(2 - ratio, 2 - high, 2 - low).removeprefix('+')} {noun}"


def _noun(name: str) -> str:
    """``time/forward/hot`` -> ``forward time, hot``; ``memory/peak/backward`` -> ``backward peak memory``."""
    of = kind(name)
    phase, _, sibling = name[len(of) + 1 :].partition("/")
    return f"{phase} {_NOUNS.get(of, of)}".strip() + (f", {sibling}" if sibling else "")


def _remedy(claim: Claim, estimate: Estimate, baseline: Estimate | None) -> str:
    """What would settle an undecided claim: so many more processes, if the ratio stays where it is."""
    low, at, high = (math.log(r or 1.0) for r in (estimate.ratio_low, estimate.ratio, estimate.ratio_high))
    below, above = math.log1p(-claim.within), math.log1p(claim.within)
    distance = min(
        abs(at - border) for border in {"lower": (below,), "higher": (above,)}.get(claim.kind, (below, above))
    )
    count = max(FEWEST, _processes(estimate, baseline))
    half = (high - low) / 2
    spread = half * math.sqrt(count) / (WIDENING * quantile(count - 1, estimate.confidence or 0.95))
    needed = processes_needed(spread=spread, half_width=distance, confidence=estimate.confidence or 0.95)
    if needed > _MOST_PROCESSES:
        return "too close to the margin for any number of processes"
    more = max(1, needed - count)
    return f"about {more} more process{'es' if more > 1 else ''} would settle it"


def _decide_exactly(claim: Claim, estimate: Estimate, baseline: Estimate | None) -> tuple[Decision, str]:
    """Bytes and counts take no interval: they lie inside the margin or they do not."""
    mine, theirs = estimate.value, baseline.value if baseline else None
    if not isinstance(mine, (int, float)) or not isinstance(theirs, (int, float)):
        return "undecided", f"the baseline has no value of {estimate.metric} to compare with"
    ratio = estimate.ratio if estimate.ratio is not None else math.inf if mine > theirs else 0.0
    decision = _place(claim, ratio, ratio)
    if decision == "undecided":  # exactly on the margin, which is not beyond it
        decision = "refuted"
    unit = metric(estimate.metric).unit
    of, instead = amount(mine, unit), amount(theirs, unit)
    told = f"{of}, as the baseline" if mine == theirs else f"{of} against {instead} ({_difference(mine, theirs, unit)})"
    return (
        decision,
        f"{_noun(estimate.metric)} of {estimate.case.variant}: {told}; exact, margin {100 * claim.within:g} %",
    )


def _difference(mine: float, theirs: float, unit: str) -> str:
    sign = "+" if mine > theirs else "-"
    by = f"{sign}{amount(abs(mine - theirs), unit)}"
    return f"{by}, {change(mine / theirs)}" if theirs > 0 else by


# --- bits and distances ----------------------------------------------------------------------------------------------


def _of_bits(claim: Claim, case: Case, evidence: _Evidence) -> Verdict:
    checks = [c for r in evidence.records for c in r.checks if c.level == "numeric" and c.what == claim.metric]
    if not checks:
        why = evidence.broken or f"{claim.metric} was not compared with the baseline's"
        return _plain(claim, case, "undecided", why)
    worst = max(checks, key=lambda c: ("identical", "close", "different").index(c.verdict))
    allowed = ("identical",) if claim.kind == "identical" else ("identical", "close")
    return _plain(claim, case, "confirmed" if worst.verdict in allowed else "refuted", _distance(case, worst))


def _distance(case: Case, check: Check) -> str:
    if check.verdict == "identical":
        return f"{check.what} of {case.variant} is the baseline's, bit for bit"
    told = [check.reason] if check.reason else []
    if check.error is not None:
        own = f" (the baseline's own: {check.baseline_error:.2g})" if check.baseline_error is not None else ""
        told.append(f"relative error against float64 {check.error:.2g}{own}")
    if check.tolerance is not None:
        told.append(f"tolerance {check.tolerance:.2g}")
    if check.ulp is not None:
        told.append(f"{check.ulp:.3g} ulp from the baseline")
    return f"{check.what} of {case.variant} is {check.verdict}" + (f": {', '.join(told)}" if told else "")
