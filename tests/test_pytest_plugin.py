"""Suites under pytest, as their users meet them: what is collected, timed, judged, refused and left alone."""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path
from typing import Any

import pytest
import torch  # pytester forgets the modules that a session imported, and torch cannot be imported twice

from bench.errors import BenchError
from bench.measure import lending, session, worker  # noqa: F401  likewise

pytest_plugins = ("pytester",)

TINY = '''
"""Is two more than one?"""
import torch

from bench import Subject, benchmark, close

@benchmark(variants={"one": 1, "two": 2}, cpu={"n": [4, 8]}, claims=[close("output", note="N1")])
def tiny(value, n):
    return Subject(lambda x: x + value, torch.ones(n))
'''
NAMES = [f"tiny[n=4]/{variant}@cpu/{phase}" for variant in ("one", "two") for phase in ("forward", "backward")]

# Its calls fail where a switch is not what their variant wants.
SWITCHED = '''
"""Does a switch hold?"""
import torch

from bench import Settings, Subject, benchmark

@benchmark(
    variants={"off": None, "on": Settings(cudnn_benchmark=True, matmul_precision="medium")},
    cpu={"n": [4]},
    phases=["forward"],
)
def switched(value, n):
    def call(x):
        assert torch.backends.cudnn.benchmark == (value is not None)
        return x + torch.rand(n)

    return Subject(call, torch.ones(n))
'''

# One claim for every way a claim can end; nothing is timed.
JUDGED = '''
"""Do these agree?"""
import torch

from bench import Subject, benchmark, close, identical

def breaks(x):
    raise RuntimeError("out of luck")

@benchmark(
    variants={"plain": lambda x: x + 1, "same": lambda x: x + 1, "other": lambda x: x + 2, "broken": breaks},
    cpu={"n": [4]},
    phases=[],
    claims=[
        identical("output", of="same", note="confirmed"),
        close("output", of="other", note="refuted"),
        identical("output", of="broken"),
        close("output", of="same", on="cuda"),
    ],
)
def judged(call, n):
    return Subject(call, torch.ones(n))
'''

Pytester = pytest.Pytester


@pytest.fixture(autouse=True)
def own_lock(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))


@pytest.fixture
def suites(pytester: Pytester) -> Path:
    """A folder with one suite file, beside a test of the user's own."""
    pytester.makepyfile(test_own="def test_own():\n    pass")
    folder = pytester.mkdir("suites")
    write(folder, tiny=TINY)
    return folder


def write(folder: Path, **files: str) -> None:
    for name, text in files.items():
        (folder / f"{name}.py").write_text(text.lstrip(), encoding="utf-8")


def run(pytester: Pytester, *arguments: str) -> pytest.RunResult:
    quick = ("--benchmark-max-time=0.001", "--benchmark-min-rounds=1", "-W", "error", "-p", "no:cacheprovider")
    return pytester.runpytest_inprocess("--bench-device=cpu", *quick, *arguments)


def collected(pytester: Pytester, *arguments: str) -> list[str]:
    """The names of what pytest finds, without their files."""
    found = run(pytester, "--collect-only", "-q", *arguments).outlines
    return [line.partition("::")[2] for line in found if "::" in line]


# --- what is collected -----------------------------------------------------------------------------------------------


def test_a_suite_that_is_named_becomes_a_test_for_every_case_and_phase(pytester: Pytester, suites: Path) -> None:
    assert collected(pytester, "suites") == NAMES
    assert collected(pytester, "suites/tiny.py") == NAMES
    assert collected(pytester, "suites", "-k", "two and not backward") == [NAMES[2]]
    assert collected(pytester, f"suites/tiny.py::{NAMES[1]}") == [NAMES[1]]


def test_a_tier_chooses_the_sizes(pytester: Pytester, suites: Path) -> None:
    assert len(collected(pytester, "suites", "--bench-tier", "standard")) == 2 * len(NAMES)


def test_with_claims_wanted_every_claim_and_case_is_a_test_and_nothing_is_measured(
    pytester: Pytester, suites: Path
) -> None:
    assert collected(pytester, "suites", "--bench-claims") == ['tiny[n=4]/two@cpu/close("output")']


def test_a_session_that_names_no_suite_stays_as_it_was(pytester: Pytester, suites: Path) -> None:
    assert collected(pytester) == ["test_own"]
    assert collected(pytester, "test_own.py") == ["test_own"]
    assert collected(pytester, "suites", "test_own.py") == [*NAMES, "test_own"]


def test_suites_can_be_named_in_testpaths(pytester: Pytester, suites: Path) -> None:
    pytester.makeini("[pytest]\ntestpaths = suites")
    assert collected(pytester) == NAMES


def test_only_files_that_declare_benchmarks_are_executed(pytester: Pytester, suites: Path) -> None:
    write(suites, script="raise SystemExit('executed')", _shared="raise SystemExit('executed')")
    write(suites, test_mine=TINY + "\ndef test_mine():\n    assert tiny.name == 'tiny'")
    write(suites, borrower="from bench import load, benchmark\n")
    assert sorted(collected(pytester, "suites")) == sorted(["test_mine", *NAMES])


def test_a_suite_may_import_its_neighbours(pytester: Pytester, suites: Path) -> None:
    write(suites, _sizes="SIZES = [4]", tiny=TINY.replace("import torch", "import torch\nfrom ._sizes import SIZES"))
    assert collected(pytester, "suites/tiny.py") == NAMES


# The line of a decorator of several lines: before Python 3.11 that of its last arguments.
DECORATOR = 6 if sys.version_info >= (3, 11) else 7


@pytest.mark.parametrize(
    ("wrong", "right", "told"),
    [
        ('"one": 1', '"a b": 1', f"tiny.py:{DECORATOR}: tiny: variant name 'a b'"),
        ("def tiny(value, n):", "def tiny(value, n:", "tiny.py:"),
        ("import torch", "import no_such_module", "tiny.py:2: ModuleNotFoundError"),
    ],
)
def test_a_suite_with_a_mistake_is_an_error_that_says_where(
    wrong: str, right: str, told: str, pytester: Pytester, suites: Path
) -> None:
    write(suites, tiny=TINY.replace(wrong, right))
    result = run(pytester, "suites")
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines([f"*{told.replace('[', '[[]')}*"])
    assert "Traceback" not in result.stdout.str()


# --- times -----------------------------------------------------------------------------------------------------------


def timed(pytester: Pytester, *arguments: str) -> dict[str, Any]:
    """What pytest-benchmark writes of a run."""
    run(pytester, "suites", "--benchmark-only", "--benchmark-json=times.json", *arguments).assert_outcomes(passed=4)
    data: dict[str, Any] = json.loads((pytester.path / "times.json").read_text(encoding="utf-8"))
    return data


def test_variants_stand_side_by_side_in_the_groups_of_pytest_benchmark(pytester: Pytester, suites: Path) -> None:
    found = {(b["group"], b["name"]) for b in timed(pytester)["benchmarks"]}
    assert found == {(f"suites/tiny[n=4]@cpu {name.rpartition('/')[2]}", name) for name in NAMES}


def test_facts_and_environment_travel_in_the_file(pytester: Pytester, suites: Path) -> None:
    data = timed(pytester)
    info = next(b["extra_info"] for b in data["benchmarks"] if b["name"] == NAMES[2])
    assert info["case"] == "suites/tiny[n=4]/two@cpu"
    assert (info["metric"], info["baseline"], info["point"]) == ("time/forward", "one", {"n": 4})
    assert info["notes"] == ["N1"]
    assert info["output"] == "different"
    assert info["memory/peak/forward"] >= 16  # the result: four numbers of four bytes
    assert "memory/rss" not in info  # this process's, not the case's
    assert data["machine_info"]["bench"]["torch"] == torch.__version__


def test_tests_of_the_users_own_tell_nothing_of_us(pytester: Pytester) -> None:
    pytester.makepyfile(test_own="def test_own(benchmark):\n    benchmark(int)")
    run(pytester, "test_own.py", "--benchmark-json=times.json").assert_outcomes(passed=1)
    assert "bench" not in json.loads((pytester.path / "times.json").read_text(encoding="utf-8"))["machine_info"]


def test_a_comparison_with_an_earlier_file_of_the_same_machine_finds_the_same_machine(
    pytester: Pytester, suites: Path
) -> None:
    # The clock speed that pytest-benchmark notes moves by itself.
    pytester.makeconftest("def pytest_benchmark_generate_machine_info():\n    return {}")
    run(pytester, "suites", "--benchmark-autosave").assert_outcomes(passed=4)
    result = run(pytester, "suites", "--benchmark-compare")
    result.assert_outcomes(passed=4)
    result.stdout.fnmatch_lines(["*(0001_unver*"])


def test_the_fixtures_of_the_users_own_apply(pytester: Pytester, suites: Path) -> None:
    scopes = ("session", "package", "module", "function")
    fixtures = [f"@pytest.fixture(autouse=True, scope='{s}')\ndef every_{s}(request): request.node" for s in scopes]
    pytester.makeconftest("\n".join(["import pytest", *fixtures]))
    run(pytester, "suites").assert_outcomes(passed=4)


def test_without_benchmarks_every_case_is_called_once(pytester: Pytester, suites: Path) -> None:
    run(pytester, "suites", "--benchmark-disable").assert_outcomes(passed=4)
    run(pytester, "suites", "--benchmark-skip").assert_outcomes(skipped=4)


def test_a_case_that_breaks_fails_with_its_own_words_and_the_others_go_on(pytester: Pytester, suites: Path) -> None:
    broken = TINY.replace("lambda x: x + value", "lambda x: x + 1 / (2 - value)")
    write(suites, tiny=broken)
    result = run(pytester, "suites")
    result.assert_outcomes(passed=2, failed=2)
    result.stdout.fnmatch_lines(["*failed: ZeroDivisionError: division by zero"])
    assert "suites/tiny.py" in result.stdout.str()
    run(pytester, "suites", "-x", "-k", "two").assert_outcomes(failed=1)


def test_settings_hold_for_their_case_alone(pytester: Pytester, suites: Path) -> None:
    write(suites, tiny=SWITCHED)
    before = torch.backends.cudnn.benchmark, torch.get_float32_matmul_precision(), torch.get_rng_state().tolist()
    run(pytester, "suites", "--benchmark-only").assert_outcomes(passed=2)
    after = torch.backends.cudnn.benchmark, torch.get_float32_matmul_precision(), torch.get_rng_state().tolist()
    assert before == after
    assert not before[0]


# The line of a decorator of several lines: before Python 3.11 that of its last arguments.
DECORATOR = 6 if sys.version_info >= (3, 11) else 7


@pytest.mark.parametrize(
    ("wrong", "right", "told"),
    [
        ('"two": 2', '"two": Settings(environment={"A": "b"})', "*sets environment variables*"),
        ('cpu={"n": [4, 8]}', 'cpu="needs a GPU", cuda={"n": [4]}', "*needs a GPU"),
        ("claims=", "phases=[], claims=", "*nothing in it is timed*"),
        ("claims=", "bytes_needed=lambda value, n: 1 << 60, claims=", "*needs 1073741824.0 GiB, * are free"),
    ],
)
def test_what_cannot_be_timed_is_skipped_with_the_reason(
    wrong: str, right: str, told: str, pytester: Pytester, suites: Path
) -> None:
    write(suites, tiny=TINY.replace("import Subject", "import Settings, Subject").replace(wrong, right))
    result = run(pytester, "suites", "--benchmark-only", "-rs")
    assert result.parseoutcomes()["skipped"] >= 1
    assert "failed" not in result.parseoutcomes()
    result.stdout.fnmatch_lines([told])


# --- claims ----------------------------------------------------------------------------------------------------------


def test_a_claim_passes_fails_or_is_skipped_by_its_verdict(pytester: Pytester, suites: Path) -> None:
    write(suites, tiny=JUDGED)
    result = run(pytester, "suites", "--bench-claims", "-rs")
    result.assert_outcomes(passed=1, failed=1, skipped=2)
    result.stdout.fnmatch_lines(
        [
            "bench: measuring 3 cases for their claims on cpu",
            'close("output", of="other") refuted',
            "suites/judged[[]n=4]/other@cpu: output: refuted: output of other is different*",
            "*suites/judged[[]n=4]/broken@cpu: output: undecided: failed: RuntimeError: out of luck",
            "*suites/judged[[]n=4]/same@cpu: output: not applicable: speaks of cuda; this is cpu",
        ]
    )
    assert result.stdout.str().count("bench: measuring") == 1


def test_only_the_claims_that_were_chosen_are_measured_and_a_refusal_is_told_in_a_sentence(
    pytester: Pytester, suites: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[Any, str]] = []

    def refuse(paths: Any, options: Any, *, keyword: str, **_: Any) -> None:
        asked.append((paths, keyword))
        raise BenchError("cpu is being measured by another process")

    monkeypatch.setattr(session, "measure", refuse)
    write(suites, judged=JUDGED)
    result = run(pytester, "suites", "--bench-claims", "-k", "judged and not broken")
    result.assert_outcomes(errors=3)
    result.stdout.fnmatch_lines(["bench: cpu is being measured by another process"])
    names = "suites/judged[n=4]/other@cpu or suites/judged[n=4]/same@cpu"
    assert asked == [([str(suites / "judged.py")], names)]


# --- refusals --------------------------------------------------------------------------------------------------------


def refused(pytester: Pytester, *arguments: str) -> str:
    result = pytester.runpytest_inprocess(*arguments)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    return result.stderr.str().strip()


def test_a_device_that_is_not_there_is_refused_at_once(pytester: Pytester, suites: Path) -> None:
    assert refused(pytester, "suites", "--bench-device", "cuda:99").startswith("ERROR: --device cuda:99: ")
    assert "use auto, cpu, cuda or cuda:N" in refused(pytester, "suites", "--bench-device", "tpu")


def test_claims_and_benchmark_only_exclude_each_other(pytester: Pytester, suites: Path) -> None:
    assert "leave out --benchmark-only" in refused(pytester, "suites", "--bench-claims", "--benchmark-only")


def test_suites_are_refused_under_xdist_and_other_tests_are_not(pytester: Pytester, suites: Path) -> None:
    pytester.makeconftest("def pytest_addoption(parser):\n    parser.addoption('--dist', default='no')")
    assert "not under xdist" in refused(pytester, "suites", "--dist", "load")
    run(pytester, "test_own.py", "--dist", "load").assert_outcomes(passed=1)
    run(pytester, "--dist", "load").assert_outcomes(passed=1)
    # What is installed beside the tests brings suites of its own.
    environment = pytester.mkdir("env")
    (environment / "pyvenv.cfg").touch()
    (pytester.path / ".tox").mkdir()
    write(pytester.path / ".tox", tiny=TINY)
    suites.rename(environment / "suites")
    run(pytester, ".", "--dist", "load").assert_outcomes(passed=1)


def test_a_worker_of_xdist_collects_no_suites(pytester: Pytester, suites: Path) -> None:
    """It is told the folder by name also where its user named none."""
    pytester.makeconftest(
        "import pytest\n@pytest.hookimpl(tryfirst=True)\ndef pytest_configure(config): config.workerinput = {}"
    )
    assert collected(pytester, ".") == ["test_own"]


def test_the_plugin_can_be_switched_off(pytester: Pytester, suites: Path) -> None:
    assert "unrecognized arguments: --bench-claims" in refused(pytester, "-p", "no:bench", "suites", "--bench-claims")


def test_a_session_without_suites_imports_neither_torch_nor_numpy(pytester: Pytester, suites: Path) -> None:
    pytester.makepyfile(
        test_own="import sys\ndef test_own():\n    assert 'bench.pytest_plugin' in sys.modules\n"
        "    assert not {'torch', 'numpy', 'pandas', 'bench.discover'} & sys.modules.keys()"
    )
    pytester.runpytest_subprocess("test_own.py").assert_outcomes(passed=1)
