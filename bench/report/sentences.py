"""What is said of a whole run and of a whole benchmark: on what, how to repeat it, and the sentences that matter."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Iterable

from bench.analysis.summary import Summary
from bench.model import Environment, Estimate
from bench.report.arrange import DECISIONS, Section, point_text
from bench.report.words import FLAGS, STOPS, because, counted, escape, share

# Flagged samples are left out of estimates, so a few do no harm; from here on the reader should do something.
WORTH_SAYING = 0.05


def subject(summary: Summary) -> str:
    """What was measured on what: ``8 cases of 2 benchmarks on Test CPU with torch 2.13.0 (tier smoke)``."""
    manifest = summary.manifest
    cases = counted(len(manifest.cases), "case")
    return f"{cases} of {counted(len(manifest.declarations), 'benchmark')} on {machine(summary)} (tier {manifest.tier})"


def machine(summary: Summary) -> str:
    """The device and the software under test, in a few words."""
    facts = environment(summary).facts
    wants_gpu = summary.manifest.device != "cpu"
    device = (facts.get("gpu") if wants_gpu else facts.get("cpu")) or summary.manifest.device
    parts = [f"{name} {facts[name]}" for name in ("torch", "cuda", "driver") if facts.get(name)]
    if not wants_gpu:
        parts = parts[:1]
    return escape(f"{device} with {', '.join(parts)}" if parts else device)


def environment(summary: Summary) -> Environment:
    """The environment most records were taken in; one without facts when there is none."""
    keys = Counter(record.environment for record in summary.records if record.environment in summary.environments)
    if keys:
        return summary.environments[keys.most_common(1)[0][0]]
    return next(iter(summary.environments.values()), Environment(facts={}))


def command(summary: Summary) -> str:
    """The command that repeats this run, as one would type it."""
    return escape(shlex.join(summary.manifest.command), 2000)


def headlines(summary: Summary) -> tuple[str, ...]:
    """The sentences that matter, the worst first: an unfinished run, claims, broken cases, what did not repeat."""
    return tuple(s for s in (_unfinished(summary), _claims(summary), _broken(summary), _repeats(summary)) if s)


def _unfinished(summary: Summary) -> str:
    reached = {record.case.id for record in summary.records}
    missing = sum(case.id not in reached for case in summary.manifest.cases)
    if summary.manifest.finished and not missing:
        return ""
    if not missing:
        return "The run was stopped early: every case was measured, with fewer processes than planned."
    return f"The run was stopped early: {missing} of {counted(len(summary.manifest.cases), 'case')} not measured."


def _claims(summary: Summary) -> str:
    judged = Counter(v.decision for v in summary.verdicts)
    applicable = sum(judged.values()) - judged["not applicable"]
    if not applicable:
        return "No claim was judged."
    parts = [f"{judged[word]} {word}" for word in DECISIONS[:3] if judged[word]]
    return f"Of {counted(applicable, 'judgement of a claim', 'judgements of claims')}: {', '.join(parts)}."


def _broken(summary: Summary) -> str:
    bad = {r.case.id: r.status for r in summary.records if r.status not in ("ok", "skipped")}
    bad |= {e.case.id: e.status for e in summary.estimates if e.status not in ("ok", "skipped")}
    if not bad:
        return ""
    kinds = Counter(bad.values())
    return (
        f"{counted(len(bad), 'case')} without a trustworthy number: {', '.join(f'{n} {k}' for k, n in kinds.items())}."
    )


def _repeats(summary: Summary) -> str:
    verdicts: dict[str, set[str]] = {}
    for record in summary.records:
        for check in record.checks:
            if check.level != "numeric":
                verdicts.setdefault(record.case.id, set()).add(check.verdict)
    if not verdicts:
        return ""
    bad = sum(bool(found & {"differs", "mutates"}) for found in verdicts.values())
    if not bad:
        return f"Every one of {counted(len(verdicts), 'checked case')} repeated bit for bit."
    return f"{counted(bad, 'case')} of {len(verdicts)} checked did not repeat bit for bit."


def remarks(section: Section) -> tuple[str, ...]:
    """What to know before trusting a benchmark's numbers, with its remedy; each sentence once, naming its cases."""
    found: dict[str, list[str]] = {}
    for text, where in [*_told(section), *_flagged(section)]:
        if where not in found.setdefault(text, []):
            found[text].append(where)
    return tuple(f"{text} ({_places(places)})" for text, places in found.items())


def _estimates(section: Section) -> Iterable[tuple[str, Estimate]]:
    for row in section.rows:
        for cell in row.cells:
            for estimate in cell.estimates.values():
                yield _where(estimate), estimate


def _where(estimate: Estimate) -> str:
    phase = "/".join(estimate.metric.split("/")[1:])
    at = f" at {point_text(estimate.case)}" if estimate.case.point else ""
    return escape(f"{estimate.case.variant} {phase}".rstrip() + at)


def _told(section: Section) -> Iterable[tuple[str, str]]:
    for where, estimate in _estimates(section):
        if estimate.status != "ok":
            yield because(estimate.status, estimate.reason), where
    for where, estimate in _estimates(section):
        if estimate.stop_reason not in ("", "precise"):
            yield STOPS[estimate.stop_reason], escape(point_text(estimate.case)) or where
        for fact in estimate.facts:
            yield escape(fact, 400), where
    for row in section.rows:
        for cell in row.cells:
            for warning in (w for record in cell.records for w in record.warnings):
                yield escape(warning, 400), escape(f"{cell.case.variant} at {row.point}")


def _flagged(section: Section) -> Iterable[tuple[str, str]]:
    most: dict[str, float] = {}
    places: list[tuple[str, str]] = []
    for where, estimate in _estimates(section):
        for flag, part in estimate.flags.items():
            if part >= WORTH_SAYING:
                most[flag] = max(part, most.get(flag, 0.0))
                places.append((flag, where))
    for flag, where in places:
        remedy = FLAGS.get(flag, "see the documentation")
        yield f"{flag.replace('_', ' ')} in up to {share(most[flag])} of samples: {remedy}", where


def _places(places: list[str]) -> str:
    shown = "; ".join(places[:2])
    return shown if len(places) <= 2 else f"{shown}; and {len(places) - 2} more"
