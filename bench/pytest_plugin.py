"""Suites under pytest: cases timed by the ``benchmark`` fixture, and with ``--bench-claims`` every claim as a test.

Every pytest of an environment loads this, so it imports nothing heavy before it meets a suite that was asked for.
"""

from __future__ import annotations

import functools
import re
import tempfile
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from bench.errors import BenchError, SuiteError
from bench.model import Case, Claim, Verdict
from bench.suite import TIERS

if TYPE_CHECKING:
    from bench.discover import Found
    from bench.measure.device import Device
    from bench.measure.messages import Open

# What a suite file says before anybody runs it: pytest must not execute files of which nobody said what they are.
_DECLARES = re.compile(
    r"^from bench(\.suite)? import ([^\n(]*|\([^)]*)\bbenchmark\b|\bbench\.benchmark\(", re.MULTILINE
)
# How long a case waits for its device while another run measures there.
_PATIENCE_SECONDS = 60.0
_LIMIT_SECONDS = 120.0  # of one step of one process, as in `bench run`
_SEED = 0


def pytest_addoption(parser: pytest.Parser) -> None:
    """Which claims, device and sizes; the options of pytest-benchmark keep their meaning."""
    group = parser.getgroup("bench", "benchmark suites")
    group.addoption("--bench-claims", action="store_true", help="measure the suites and make every claim a test")
    group.addoption("--bench-device", default="auto", metavar="DEVICE", help="auto, cpu, cuda or cuda:N")
    group.addoption("--bench-tier", default="smoke", choices=TIERS, help="the sizes to measure (default: smoke)")


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """Refuse at once what cannot be measured soundly."""
    config.stash[_PLAN] = Plan(config)
    if config.getoption("bench_claims") and config.getoption("benchmark_only", False):
        raise pytest.UsageError("--bench-claims times in processes of its own: leave out --benchmark-only")
    if config.getoption("dist", "no") != "no" and any(_named_suites(config)):
        raise pytest.UsageError("suites are measured one at a time, so not under xdist: leave out -n, or the suites")


@pytest.hookimpl(hookwrapper=True)
def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> Iterator[None]:
    """A suite file that was asked for becomes cases, also where pytest would have tried to import it as tests."""
    outcome: Any = yield
    if _asked_for(parent.config) and _is_suite(file_path, parent.config):
        outcome.force_result([SuiteFile.from_parent(parent, path=file_path)])


@pytest.hookimpl(optionalhook=True)
def pytest_benchmark_update_machine_info(config: pytest.Config, machine_info: dict[str, Any]) -> None:
    """Our environment, where suites are measured; asked also before anything is, to compare with an earlier file."""
    if any(_named_suites(config)):
        from bench.measure.environment import collect

        environment = collect(config.stash[_PLAN].torch_name)
        machine_info["bench"] = {"environment": environment.key, **environment.facts}


def _asked_for(config: pytest.Config) -> bool:
    """Whether paths were named, on the command line or as testpaths; not where xdist's workers repeat them."""
    sources = pytest.Config.ArgsSource
    return config.args_source in (sources.ARGS, sources.TESTPATHS) and not hasattr(config, "workerinput")


def _is_suite(file: Path, config: pytest.Config) -> bool:
    """Whether a file declares benchmarks; what pytest takes for tests stays with pytest."""
    if file.suffix != ".py" or file.name.startswith("_") or any(map(file.match, config.getini("python_files"))):
        return False
    try:
        return _DECLARES.search(file.read_text(encoding="utf-8")) is not None
    except (OSError, UnicodeDecodeError):
        return False


def _named_suites(config: pytest.Config) -> Iterator[Path]:
    """The suite files under the paths that were named."""
    for argument in config.args if _asked_for(config) else ():
        path = config.invocation_params.dir / argument.split("::")[0]
        files = path.rglob("*.py") if path.is_dir() else [path]
        yield from (file for file in files if _is_suite(file, config))


class Plan:
    """What this session wants of its suites, found out when the first of them needs it."""

    def __init__(self, config: pytest.Config) -> None:
        self.config = config
        self._judged: Mapping[tuple[str, Claim], list[Verdict]] | BenchError | None = None

    @functools.cached_property
    def torch_name(self) -> str:
        """``cpu`` or ``cuda:N``.  Raises BenchError when it is not there."""
        from bench.measure.session import resolve_device

        return resolve_device(self.config.getoption("bench_device"))

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

    def verdicts(self, item: ClaimItem) -> list[Verdict]:
        """The verdicts of one claim on one case; the first that is asked for measures all that the session selected."""
        if self._judged is None:
            selected = [other for other in item.session.items if isinstance(other, ClaimItem)]
            try:
                self._judged = self._measure(selected or [item])
            except BenchError as error:
                self._judged = error
        if isinstance(self._judged, BenchError):
            raise self._judged
        return self._judged[item.case.id, item.claim]

    def _measure(self, items: Iterable[ClaimItem]) -> Mapping[tuple[str, Claim], list[Verdict]]:
        from bench.analysis.intervals import FEWEST
        from bench.analysis.summary import summarise
        from bench.measure.runner import Options
        from bench.measure.session import measure
        from bench.report.progress import Silence
        from bench.store import read_environments, read_manifest, read_records

        items = tuple(items)
        cases = {item.case.id for item in items}
        options = Options(
            device=self.torch_name,
            tier=self.config.getoption("bench_tier"),
            processes=FEWEST,
            precision=0.01,
            budget_seconds=0.0,  # the number of processes is fixed
            seed=_SEED,
            limit_seconds=_LIMIT_SECONDS,
        )
        _say(self.config, f"measuring {len(cases)} cases for their claims on {self.torch_name}")
        with tempfile.TemporaryDirectory(prefix="bench-claims-") as name:
            measure(
                sorted({str(item.path) for item in items}),
                options,
                folder=Path(name),
                keyword=_keyword(cases),
                command=("pytest", *map(str, self.config.invocation_params.args)),
                wait_seconds=_PATIENCE_SECONDS,
                progress=Silence(),
            )
            records, _ = read_records(Path(name))
            summary = summarise(read_manifest(Path(name)), read_environments(Path(name)), records)
        judged: defaultdict[tuple[str, Claim], list[Verdict]] = defaultdict(list)
        for verdict in summary.verdicts:
            judged[verdict.case.id, verdict.claim].append(verdict)
        return judged


_PLAN = pytest.StashKey[Plan]()


def _keyword(cases: Iterable[str]) -> str:
    """What `bench run -k` would be told; nothing, which measures everything, where a name cannot stand there."""
    named = sorted(cases)
    return " or ".join(named) if all(re.fullmatch(r"[^\s()]+", name) for name in named) else ""


def _say(config: pytest.Config, text: str) -> None:
    """One line to whoever waits: a test that measures is silent for long, and what it prints is captured."""
    reporter = config.pluginmanager.get_plugin("terminalreporter")
    capture = config.pluginmanager.get_plugin("capturemanager")
    if reporter is not None and capture is not None:
        with capture.global_and_fixture_disabled():
            reporter.ensure_newline()
            reporter.write_line(f"bench: {text}")


class SuiteFile(pytest.Module):
    """A suite file as pytest collects it: a module to fixtures, but it is loaded the way `bench run` loads it."""

    obj = None

    def collect(self) -> Iterator[pytest.Item]:
        from bench.discover import discover

        try:
            found = discover([str(self.path)])
            yield from [item for f in found for item in self._items(f)]
        except SuiteError as error:
            raise self.CollectError(str(error)) from None
        except BenchError as error:
            raise self.CollectError(f"bench: {error}") from None

    def _items(self, found: Found) -> Iterator[pytest.Item]:
        plan, is_claims = self.config.stash[_PLAN], self.config.getoption("bench_claims")
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

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:  # noqa: ARG002
        return _sentence(excinfo) or super().repr_failure(excinfo)


def _nothing(benchmark: object) -> None:
    """What a benchmark that is skipped does; it asks for the fixture, so that ``--benchmark-only`` shows our reason."""


def _timed(plan: Plan, found: Found, case: Case, phase: str) -> Callable[[Any], None]:
    def timed(benchmark: Any) -> None:
        from bench.measure import lending, lock

        opened = _opened(found, case)
        settings = found.benchmark.settings(case.variant)
        benchmark.group = f"{case.group} {phase}"
        try:
            with (
                lock.hold(plan.torch_name, _PATIENCE_SECONDS, lambda text: _say(plan.config, text)),
                lending.lent(opened, phase, plan.device, settings) as call,
            ):
                benchmark(call)
                if benchmark.enabled:
                    benchmark.extra_info |= {**_described(found, case, phase), **lending.facts(opened, plan.device)}
        except lending.Unmeasured as event:
            failure = event.failure
            if failure.status == "skipped":
                pytest.skip(failure.reason)
            pytest.fail(f"{failure.status}: {failure.reason}\n{failure.trace}".rstrip(), pytrace=False)

    return timed


def _opened(found: Found, case: Case) -> Open:
    from bench.measure.messages import Open

    return Open(
        name=case.variant,
        file=str(found.path),
        benchmark=case.benchmark,
        variant=case.variant,
        like=case.baseline,
        point=case.point,
        seed=_SEED,
    )


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
        self._verdicts: list[Verdict] = []

    def setup(self) -> None:
        self._verdicts = self.config.stash[_PLAN].verdicts(self)

    def runtest(self) -> None:
        met = {verdict.decision for verdict in self._verdicts}
        told = "\n".join(f"{self.case.id}: {v.metric}: {v.decision}: {v.evidence}" for v in self._verdicts)
        if "refuted" in met:
            pytest.fail(f"{self.claim.text} {self.claim.note}".rstrip() + f"\n{told}", pytrace=False)
        if met != {"confirmed"}:
            pytest.skip(told)

    def reportinfo(self) -> tuple[Path, int, str]:
        return _place(self)

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        return _sentence(excinfo) or super().repr_failure(excinfo, style)


def _sentence(excinfo: pytest.ExceptionInfo[BaseException]) -> str:
    """What a mistake of the user's is told as: a sentence, no traceback."""
    return f"bench: {excinfo.value}" if isinstance(excinfo.value, BenchError) else ""


def _place(item: TimingItem | ClaimItem) -> tuple[Path, int, str]:
    """File, line (counted from 0) and name, as pytest wants them."""
    return item.path, item.found.benchmark.build.__code__.co_firstlineno - 1, item.name
