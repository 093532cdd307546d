"""What pytest collects from a suite file: cases to time, or claims to judge."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from bench.errors import BenchError, SuiteError
from bench.model import Case, Claim, Verdict
from bench.pytest_plugin.plan import PATIENCE_SECONDS, PLAN, SEED, Plan, say

if TYPE_CHECKING:
    from bench.discover import Found


class SuiteFile(pytest.Module):
    """A suite file as pytest collects it: a module to fixtures, but it is loaded the way `bench run` loads it."""

    obj = None

    def collect(self) -> Iterator[pytest.Item]:
        from bench.discover import discover

        try:
            found = discover([str(self.path)])
        except SuiteError as error:
            raise self.CollectError(str(error)) from None
        except BenchError:  # it speaks of benchmarks and holds none
            return
        for each in found:
            yield from self._items(each)

    def _items(self, found: Found) -> Iterator[pytest.Item]:
        plan, is_claims = self.config.stash[PLAN], self.config.getoption("bench_claims")
        reason = plan.skip_reason(found)
        if not (reason or is_claims or found.benchmark.phases):
            reason = "nothing in it is timed; --bench-claims checks what it claims"
        if reason:
            item = TimingItem.from_parent(self, name=found.benchmark.name, callobj=_nothing, found=found)
            item.add_marker(pytest.mark.skip(reason=reason))
            yield item
        elif is_claims:
            yield from self._claims(plan, found)
        else:
            yield from self._timings(plan, found)

    def _timings(self, plan: Plan, found: Found) -> Iterator[pytest.Item]:
        for case in plan.cases(found):
            for phase in found.benchmark.phases:
                timed = _timed(plan, found, case, phase)
                yield TimingItem.from_parent(self, name=f"{_name(case)}/{phase}", callobj=timed, found=found)

    def _claims(self, plan: Plan, found: Found) -> Iterator[pytest.Item]:
        others = tuple(found.benchmark.variants)[1:]
        for claim in found.benchmark.claims:
            for case in plan.cases(found):
                if case.variant in (claim.of or others):
                    name = f"{_name(case)}/{claim.text}"
                    yield ClaimItem.from_parent(self, name=name, case=case, claim=claim, found=found)


def _name(case: Case) -> str:
    """A case's id without its suite, which is the folder."""
    return case.id.removeprefix(f"{case.suite}/")


# --- times -----------------------------------------------------------------------------------------------------------


class TimingItem(pytest.Function):
    """One phase of one case, for the fixture ``benchmark``."""

    def __init__(self, *, found: Found, **of_function: Any) -> None:
        super().__init__(**of_function)
        self.found = found

    def reportinfo(self) -> tuple[Path, int, str]:
        return _place(self)


def _nothing(benchmark: object) -> None:
    """What a benchmark that is skipped does; it asks for the fixture, so that ``--benchmark-only`` shows our reason."""


def _timed(plan: Plan, found: Found, case: Case, phase: str) -> Callable[[Any], None]:
    def timed(benchmark: Any) -> None:
        from bench.measure import lending, lock

        opened, hindrance = lending.open_request(found, case, SEED), ""
        benchmark.group = f"{case.group} {phase}"
        try:
            with (
                lock.hold(plan.torch_name, PATIENCE_SECONDS, lambda text: say(plan.config, text)),
                lending.lent(opened, phase, plan.device, found.benchmark.settings(case.variant)) as call,
            ):
                benchmark(call)
                if benchmark.enabled:
                    benchmark.extra_info |= {**_described(found, case, phase), **lending.facts(opened, plan.device)}
        except lending.Unmeasured as event:
            failure = event.failure
            if failure.status == "skipped":
                pytest.skip(failure.reason)
            hindrance = f"{failure.status}: {failure.reason}\n{failure.trace}".rstrip()
        except BenchError as error:
            hindrance = f"bench: {error}"
        if hindrance:  # told through the fixture, which would complain that nobody used it
            benchmark(pytest.fail, hindrance, pytrace=False)

    return timed


def _described(found: Found, case: Case, phase: str) -> dict[str, Any]:
    return {
        "case": case.id,
        "metric": f"time/{phase}",
        "baseline": case.baseline,
        "point": dict(case.point),
        "version": found.version,
        "notes": sorted({claim.note for claim in found.benchmark.claims if claim.note}),
    }


# --- claims ----------------------------------------------------------------------------------------------------------


class ClaimItem(pytest.Item):
    """One claim on one case: confirmed passes, refuted fails with the evidence, the rest is skipped with the reason."""

    def __init__(self, *, case: Case, claim: Claim, found: Found, **of_item: Any) -> None:
        super().__init__(**of_item)
        self.case, self.claim, self.found = case, claim, found
        self._verdicts: Sequence[Verdict] = ()

    def setup(self) -> None:
        selected = [item for item in self.session.items if isinstance(item, ClaimItem)]
        try:
            self._verdicts = self.config.stash[PLAN].judge(selected)[self.case.id, self.claim]
        except BenchError as error:
            pytest.fail(f"bench: {error}", pytrace=False)

    def runtest(self) -> None:
        met = {verdict.decision for verdict in self._verdicts}
        told = "\n".join(f"{self.case.id}: {v.metric}: {v.decision}: {v.evidence}" for v in self._verdicts)
        if "refuted" in met:
            pytest.fail(f"{self.claim.text} {self.claim.cited}".rstrip() + f"\n{told}", pytrace=False)
        if met != {"confirmed"}:
            pytest.skip(told)

    def reportinfo(self) -> tuple[Path, int, str]:
        return _place(self)


def _place(item: TimingItem | ClaimItem) -> tuple[Path, int, str]:
    """File, line (counted from 0) and name, as pytest wants them."""
    return item.path, item.found.benchmark.build.__code__.co_firstlineno - 1, item.name
