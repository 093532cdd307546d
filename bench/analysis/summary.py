"""Everything a report needs to know of a run: what was measured, estimated and judged."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from bench.analysis.claims import judge
from bench.analysis.estimate import estimate
from bench.analysis.plausible import refuse
from bench.analysis.rows import worst
from bench.model import Case, Declaration, Environment, Estimate, Manifest, Record, Status, Verdict, grouped


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """A run with its estimates and verdicts; every case of the manifest has a row among the estimates.

    ``turned``: the records of the knob matrix, which are no part of ``records``.  ``calibrated``: what a calibration of
    the same machine says, a sentence; empty where none was looked for or found.
    """

    manifest: Manifest
    environments: Mapping[str, Environment]
    records: tuple[Record, ...]
    estimates: tuple[Estimate, ...]
    verdicts: tuple[Verdict, ...]
    turned: tuple[Record, ...] = ()
    calibrated: str = ""


def summarise(
    manifest: Manifest,
    environments: Mapping[str, Environment],
    records: Iterable[Record],
    reference: Iterable[Record] = (),
) -> Summary:
    """Estimate and judge the records of a run; cases that have no number appear with the reason.

    ``reference``: the records of the environment beside which they were measured, if there was one.
    """
    everything = tuple(records)
    measured = tuple(record for record in everything if not record.knobs)
    phases = {d.name: d.phases for d in manifest.declarations}
    estimates = estimate(measured, stops=manifest.stops, phases=phases, reference=tuple(reference))
    estimates = refuse(estimates, environments, manifest.ceilings)
    estimates += tuple(_unmeasured(manifest, estimates, measured))
    estimates_of = grouped(estimates, lambda estimate: estimate.case.name_of_benchmark)
    records_of = grouped(measured, lambda record: record.case.name_of_benchmark)
    return Summary(
        manifest=manifest,
        environments=environments,
        records=measured,
        estimates=estimates,
        verdicts=tuple(
            verdict for d in manifest.declarations for verdict in judge(d, estimates_of[d.name], records_of[d.name])
        ),
        turned=tuple(record for record in everything if record.knobs),
    )


def _unmeasured(manifest: Manifest, estimates: Sequence[Estimate], records: Sequence[Record]) -> Iterator[Estimate]:
    """A row for each headline time that should be there and is not."""
    timed = {(e.case, e.metric) for e in estimates}
    met = grouped(records, lambda record: record.case)
    for declaration in manifest.declarations:
        for case in _cases(declaration, manifest):
            if met[case] and not declaration.phases:
                continue
            status, reason = _why(declaration, met[case])
            for phase in declaration.phases or ("forward",):
                if (case, f"time/{phase}") not in timed:
                    yield Estimate(
                        case=case, metric=f"time/{phase}", status=status, reason=reason, version=declaration.version
                    )


def _cases(declaration: Declaration, manifest: Manifest) -> tuple[Case, ...]:
    """The declared cases; one without a point for each variant of a benchmark that does not apply to the device."""
    found = tuple(case for case in manifest.cases if case.name_of_benchmark == declaration.name)
    if found or not declaration.skip_reason:
        return found
    return tuple(
        Case(
            suite=declaration.suite,
            benchmark=declaration.benchmark,
            variant=variant,
            baseline=declaration.variants[0],
            point=(),
            device=manifest.device.split(":")[0],
        )
        for variant in declaration.variants
    )


def _why(declaration: Declaration, records: Sequence[Record]) -> tuple[Status, str]:
    if any(record.status != "ok" for record in records):
        record = worst(records)
        return record.status, record.reason
    if declaration.skip_reason:
        return "skipped", declaration.skip_reason
    return "failed", "not timed: the run ended before its turn" if records else "not measured"
