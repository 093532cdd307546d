"""What is said of a whole run and of a whole benchmark: on what, how to repeat it, and the sentences that matter."""

from __future__ import annotations

import re
import shlex
from collections import Counter
from collections.abc import Iterable
from itertools import chain
from pathlib import PurePath

from bench.analysis.summary import Summary
from bench.model import Environment, Estimate
from bench.report.arrange import DECISIONS, Cell, Row, Section
from bench.report.words import FLAGS, REPEATABILITY, STOPS, because, counted, escape, repeats, share

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
    """The command that repeats this run, as one would type it, wherever the program was installed."""
    program, *arguments = summary.manifest.command or ("bench",)
    name = "python -m bench" if PurePath(program).name == "__main__.py" else PurePath(program).name
    return escape(f"{name} {shlex.join(arguments)}", 2000)


def headlines(summary: Summary) -> tuple[str, ...]:
    """The sentences that matter, the worst first: an unfinished run, claims, broken cases, what did not repeat.

    What is known of the machine comes last.
    """
    told = (_unfinished(summary), _claims(summary), _broken(summary), _repeats(summary), summary.calibrated)
    return tuple(sentence for sentence in told if sentence)


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
    """What to know before trusting a benchmark's times, with its remedy; each sentence once, naming its cases."""
    found: dict[str, tuple[str, list[str]]] = {}
    for subject, text, where in chain(
        _statuses(section), _unrepeated(section), _stops(section), _flags(section), _facts(section)
    ):
        places = found.setdefault(subject, (text, []))[1]
        if where not in places:
            places.append(where)
    return tuple(text + _places(places, len(section.rows)) for text, places in found.values())


Told = Iterable[tuple[str, str, str]]  # what it is about, the sentence, where


def _headlines(section: Section) -> Iterable[tuple[str, Row, Cell, Estimate]]:
    """The estimates that reports show first: the time of each phase."""
    for row in section.rows:
        for cell in row.cells:
            for phase in section.phases:
                estimate = cell.estimates.get(f"time/{phase}")
                if estimate is not None:
                    yield escape(f"{cell.case.variant} {phase} {row.point}".strip()), row, cell, estimate


def _statuses(section: Section) -> Told:
    """Why there is no time; reasons that differ in their numbers alone are told once, by the first."""
    for row in section.rows:
        for cell in row.cells:
            where = escape(f"{cell.case.variant} {row.point}".strip())
            for estimate in cell.estimates.values():
                is_shown = not section.phases or estimate.metric in {f"time/{phase}" for phase in section.phases}
                if estimate.status != "ok" and is_shown:
                    text = because(estimate.status, estimate.reason)
                    yield re.sub(r"\d+", "0", text), text, where
            for warning in (w for r in cell.records if r.status == "ok" for w in r.warnings):
                yield warning, escape(warning, 400), where


def _unrepeated(section: Section) -> Told:
    for row in section.rows:
        for cell in row.cells:
            for check in cell.checks:
                if check.level != "numeric" and check.verdict in ("differs", "mutates"):
                    text = f"{check.what} {REPEATABILITY[check.verdict]}: {repeats(check)}"
                    yield text, escape(text, 400), escape(f"{cell.case.variant} {row.point}".strip())


def _stops(section: Section) -> Told:
    for _, row, _, estimate in _headlines(section):
        if estimate.stop_reason not in ("", "precise"):
            yield estimate.stop_reason, STOPS[estimate.stop_reason], escape(row.point)


def _flags(section: Section) -> Told:
    told = [
        (flag, part, where)
        for where, _, _, estimate in _headlines(section)
        for flag, part in estimate.flags.items()
        if part >= WORTH_SAYING
    ]
    most = {flag: max(p for f, p, _ in told if f == flag) for flag, _, _ in told}
    for flag, _, where in told:
        name = f"{flag.replace('_', ' ')} in up to {share(most[flag])} of samples"
        yield flag, f"{name}: {FLAGS.get(flag, 'see the documentation')}", where


def _facts(section: Section) -> Told:
    """Facts that begin alike (``heavy tail: …``) are told once, by the first."""
    for where, _, _, estimate in _headlines(section):
        for fact in estimate.facts:
            yield fact.split(":")[0], escape(fact, 400), where


def _places(places: list[str], points: int) -> str:
    named = [place for place in places if place]
    if not named or (points == 1 and len(named) > 3):
        return ""
    shown = "; ".join(named[:2])
    return f" ({shown})" if len(named) <= 2 else f" ({shown}; and {len(named) - 2} more)"
