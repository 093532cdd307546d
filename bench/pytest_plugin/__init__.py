"""Suites under pytest: cases timed by the ``benchmark`` fixture, and with ``--bench-claims`` every claim as a test.

Every pytest of an environment loads this, so it imports nothing heavy before it meets a suite that was asked for.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from bench.pytest_plugin.items import SuiteFile
from bench.pytest_plugin.plan import PLAN, Plan
from bench.suite import TIERS

# What a suite file says before anybody runs it: pytest must not execute files of which nobody said what they are.
_DECLARES = re.compile(
    r"^from bench(\.suite)? import ([^\n(]*|\([^)]*)\bbenchmark\b|\bbench\.benchmark\(", re.MULTILINE
)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Which claims, device and sizes; the options of pytest-benchmark keep their meaning."""
    group = parser.getgroup("bench", "benchmark suites")
    group.addoption("--bench-claims", action="store_true", help="measure the suites and make every claim a test")
    group.addoption("--bench-device", default="auto", metavar="DEVICE", help="auto, cpu, cuda or cuda:N")
    group.addoption("--bench-tier", default="smoke", choices=TIERS, help="the sizes to measure (default: smoke)")


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """Refuse at once what cannot be measured soundly."""
    plan = config.stash[PLAN] = Plan(config)
    if config.getoption("bench_claims") and config.getoption("benchmark_only", False):
        raise pytest.UsageError("--bench-claims times in processes of its own: leave out --benchmark-only")
    if config.getoption("dist", "no") != "no" and any(_named_suites(config)):
        raise pytest.UsageError("suites are measured one at a time, so not under xdist: leave out -n, or the suites")
    if config.getoption("bench_device") != "auto" and any(_named_suites(config)):
        assert plan.torch_name  # refused here and once, not in every file


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

        environment = collect(config.stash[PLAN].torch_name)
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
    """The suite files under the paths that were named, as far as pytest would look."""
    for argument in config.args if _asked_for(config) else ():
        path = config.invocation_params.dir / argument.split("::")[0]
        files = _files(path, config.getini("norecursedirs")) if path.is_dir() else [path]
        yield from (file for file in files if _is_suite(file, config))


def _files(path: Path, ignored: Sequence[str]) -> Iterator[Path]:
    for folder, inside, names in os.walk(path):
        here = Path(folder)
        inside[:] = [
            i for i in inside if not any(map(Path(i).match, ignored)) and not (here / i / "pyvenv.cfg").exists()
        ]
        yield from (here / name for name in names)
