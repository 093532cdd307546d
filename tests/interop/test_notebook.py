"""What a notebook gets: tables, pictures, and comparisons that show themselves."""

from __future__ import annotations

from pathlib import Path

import pytest
from builders import case, environment, manifest, record
from compared import CASE, exact, row, times, write

import bench
from bench.interop.notebook import Picture, Report
from bench.model import Claim
from bench.report.comparison_formats import render
from bench.store import Store

HIGHER = Claim(kind="higher", metric="time", of=("bias",), note="C5")
SMALL, LARGE = "conv/bias_before_bn[c=16,n=4]", "conv/bias_before_bn[c=64,n=4]"


@pytest.fixture
def report(tmp_path: Path) -> Report:
    """Two variants at two points; ``bias`` takes 5 % longer."""
    cases = [case(v, point={"c": c, "n": 4}) for c in (16, 64) for v in ("no_bias", "bias")]
    known = environment()
    store = Store(tmp_path / "report")
    store.write_manifest(manifest(cases, HIGHER))
    store.add_environment(known)
    for process in range(1, 7):
        for each in cases:
            seconds = (1e-3 + 1e-6 * process) * (1.05 if each.variant == "bias" else 1.0)
            store.append(record(each, [seconds] * 8, process=process, environment=known.key))
    store.close()
    return bench.open_report(tmp_path / "report")


def drawn(picture: Picture) -> str:
    svg = picture._repr_svg_()
    assert svg.startswith("<?xml")
    return svg


def test_a_report_has_its_tables(report: Report) -> None:
    assert set(report.frame["case"]) == {f"{point}/{v}@cpu" for point in (SMALL, LARGE) for v in ("no_bias", "bias")}
    assert list(report.verdicts["verdict"]) == ["confirmed", "confirmed"]


def test_a_case_is_drawn_with_its_group_and_a_benchmark_with_all_points(report: Report) -> None:
    for name in (f"{SMALL}/bias@cpu", f"{SMALL}@cpu"):
        svg = drawn(report.figure(name))
        assert ">c=16 forward<" in svg
        assert ">c=64 forward<" not in svg
    whole = drawn(report.figure("conv/bias_before_bn", kind="samples"))
    assert ">c=16 forward<" in whole
    assert ">c=64 forward<" in whole


def test_a_picture_is_the_same_every_time(report: Report) -> None:
    assert drawn(report.figure(f"{SMALL}@cpu")) == drawn(report.figure(f"{SMALL}@cpu"))


@pytest.mark.parametrize(
    ("name", "kind", "told"),
    [
        (f"{SMALL}/bais@cpu", "ratio", "did you mean 'conv/bias_before_bn[c=16,n=4]/bias@cpu'?"),
        ("zzz", "ratio", "its benchmarks are conv/bias_before_bn"),
        ("conv/bias_before_bn", "roofline", "there is ratio, samples"),
    ],
)
def test_a_picture_that_cannot_be_is_refused_with_what_can(report: Report, name: str, kind: str, told: str) -> None:
    with pytest.raises(bench.BenchError, match=r"no (case|picture)") as refused:
        report.figure(name, kind=kind)
    assert told in str(refused.value)


def test_a_report_says_in_a_few_lines_what_it_found(report: Report) -> None:
    first, second = repr(report).splitlines()
    assert first == "4 cases of 1 benchmark on Test CPU with torch 2.13.0 (tier smoke)"
    assert second == "Of 2 judgements of claims: 2 confirmed."
    assert report._repr_markdown_().startswith(f"## {first}")


def test_what_is_no_report_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(bench.BenchError, match="name the folder of a report"):
        bench.open_report(tmp_path)


def test_a_comparison_shows_itself_as_the_command_does(tmp_path: Path) -> None:
    base = write(tmp_path / "base.csv", row(times(seed=1)), exact(100.0))
    new = write(tmp_path / "new.csv", row(times(2.4e-3, seed=2)), exact(100.0))
    found = bench.compare(base, new)
    assert "The gate fails: 1 worse (exit status 1)." in repr(found)
    assert found._repr_markdown_() == render(found.comparison, "markdown", found.fail_on)
    assert dict(zip(found.frame["metric"], found.frame["state"], strict=True)) == {
        "time/forward": "worse",
        "memory/peak/forward": "same",
    }
    assert set(found.frame["case"]) == {CASE}


def test_a_comparison_takes_the_options_of_the_command(tmp_path: Path) -> None:
    base = write(tmp_path / "base.csv", row(times(seed=1)))
    new = write(tmp_path / "new.csv", row(times(2.2e-3, seed=2)), cpu="Other CPU")
    assert "incomparable" in repr(bench.compare(base, new))
    allowed = bench.compare(base, new, allow_diff=["cpu"], floor="50%", fail_on="none")
    assert "The gate passes" in repr(allowed)
    with pytest.raises(bench.BenchError, match="floor"):
        bench.compare(base, new, floor="much")
    with pytest.raises(bench.BenchError, match=r"gone\.json: no such file"):
        bench.compare(base, new, calibration="gone.json")
