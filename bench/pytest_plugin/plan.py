"""What a pytest session wants of its suites, and what it learnt of them."""

from __future__ import annotations

import functools
import re
import tempfile
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from bench.errors import BenchError
from bench.model import Case, Claim, Verdict

if TYPE_CHECKING:
    from bench.discover import Found
    from bench.measure.device import Device
    from bench.pytest_plugin.items import ClaimItem

PATIENCE_SECONDS = 60.0  # while another run measures on the device
SEED = 0

Judged = Mapping[tuple[str, Claim], Sequence[Verdict]]


class Plan:
    """What this session wants of its suites, found out when the first of them needs it."""

    def __init__(self, config: pytest.Config) -> None:
        self.config = config
        self._judged: Judged | BenchError | None = None

    @functools.cached_property
    def torch_name(self) -> str:
        """``cpu`` or ``cuda:N``.  Raises UsageError when it is not there."""
        from bench.measure.session import resolve_device

        try:
            return resolve_device(self.config.getoption("bench_device"))
        except BenchError as error:
            raise pytest.UsageError(str(error)) from None

    @functools.cached_property
    def device(self) -> Device:
        from bench.measure.worker import make_device

        return make_device(self.torch_name)

    def cases(self, found: Found) -> tuple[Case, ...]:
        """The cases of a benchmark in this session's tier, group by group."""
        kind = self.torch_name.partition(":")[0]
        return found.benchmark.cases(found.suite, kind, self.config.getoption("bench_tier"))

    def skip_reason(self, found: Found) -> str:
        return found.benchmark.skip_reason(self.torch_name.partition(":")[0])

    def judge(self, items: Sequence[ClaimItem]) -> Judged:
        """Verdicts by case and claim.  The first call measures these items; what hinders it hinders all of them."""
        if self._judged is None:
            try:
                self._judged = self._measure(items)
            except BenchError as error:
                self._judged = error
        if isinstance(self._judged, BenchError):
            raise self._judged
        return self._judged

    def _measure(self, items: Sequence[ClaimItem]) -> Judged:
        from bench.analysis.intervals import FEWEST
        from bench.analysis.summary import summarise
        from bench.measure.runner import Options
        from bench.measure.session import measure
        from bench.measure.workers import prepared
        from bench.report.progress import Silence
        from bench.report.words import counted
        from bench.store import read_environments, read_manifest, read_records

        cases = {item.case.id for item in items}
        options = Options(
            device=self.torch_name,
            tier=self.config.getoption("bench_tier"),
            processes=FEWEST,
            precision=0.01,
            budget_seconds=0.0,  # the number of processes is fixed
            seed=SEED,
            limit_seconds=120.0,  # as `bench run`
        )
        say(self.config, f"measuring {counted(len(cases), 'case')} for their claims on {self.torch_name}")
        with tempfile.TemporaryDirectory(prefix="bench-claims-") as name, prepared() as launcher:
            measure(
                sorted({str(item.path) for item in items}),
                options,
                folder=Path(name),
                launcher=launcher,
                keyword=_keyword(cases),
                command=("pytest", *map(str, self.config.invocation_params.args)),
                wait_seconds=PATIENCE_SECONDS,
                progress=Silence(),
            )
            records, _ = read_records(Path(name))
            summary = summarise(read_manifest(Path(name)), read_environments(Path(name)), records)
        judged: defaultdict[tuple[str, Claim], list[Verdict]] = defaultdict(list)
        for verdict in summary.verdicts:
            judged[verdict.case.id, verdict.claim].append(verdict)
        return judged


PLAN = pytest.StashKey[Plan]()


def _keyword(cases: Iterable[str]) -> str:
    """What `bench run -k` would be told; nothing, which measures everything, where a name cannot stand there."""
    named = sorted(cases)
    return " or ".join(named) if all(re.fullmatch(r"[^\s()]+", name) for name in named) else ""


def say(config: pytest.Config, text: str) -> None:
    """One line to whoever waits: a test that measures is silent for long, and what it prints is captured."""
    reporter = config.pluginmanager.get_plugin("terminalreporter")
    capture = config.pluginmanager.get_plugin("capturemanager")
    if reporter is not None and capture is not None:
        with capture.global_and_fixture_disabled():
            reporter.ensure_newline()
            reporter.write_line(f"bench: {text}")
