"""The claims about reproducibility as they come out on a CPU; that some come out otherwise on a GPU is the point."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

import bench
from bench.analysis.contract import DOCUMENTED
from bench.discover import discover
from bench.measure.numerics import called, checks
from bench.measure.operators import operators
from bench.measure.subject import build, share
from bench.suite import Benchmark

SUITE = Path(bench.__file__).parent.parent / "suites" / "repro"
QUESTIONS = {found.benchmark.name: found.benchmark for found in discover([str(SUITE)])}


def verdict(question: str, variant: str, what: str = "output", **point: object) -> str:
    """``identical``, ``close`` or ``different`` from the baseline."""
    asked = QUESTIONS[question]
    at = next(p for p in asked.points("cpu", "standard") if point.items() <= dict(p).items())
    baseline, other = (build(asked, name, at, "cpu", seed=0) for name in (asked.baseline, variant))
    share(baseline, other)
    found = {c.what: c.verdict for c in checks(baseline, other, backward="backward" in asked.phases, seed=0)}
    return found[what]


def points(question: str, axis: str) -> list[object]:
    return [dict(point)[axis] for point in QUESTIONS[question].points("cpu", "standard")]


@pytest.mark.parametrize("workload", points("same_seeds_recipe", "workload"))
def test_a_training_after_the_recipe_does_not_depend_on_the_past(workload: str) -> None:
    assert verdict("same_seeds_recipe", "after_others", workload=workload) == "identical"


@pytest.mark.parametrize("line", ["python", "numpy", "torch"])
def test_the_lines_that_seed_are_needed(line: str) -> None:
    assert verdict("recipe_lines", "torch", line=line) == "identical"


@pytest.mark.parametrize("line", ["cuda", "cudnn"])
def test_the_lines_about_gpus_change_nothing_on_a_cpu(line: str) -> None:
    assert verdict("recipe_lines", "torch", line=line) == "different"


@pytest.mark.parametrize("draws", points("resumed_training", "draws"))
def test_a_resumed_training_needs_the_generators_where_it_draws(draws: str) -> None:
    as_noted = verdict("resumed_training", "as_noted", draws=draws)
    assert as_noted == ("identical" if draws == "nothing" else "different")
    assert verdict("resumed_training", "with_random_state", draws=draws) == "identical"
    assert verdict("resumed_training", "without_optimizer", draws=draws) == "different"
    assert verdict("resumed_training", "without_scheduler", draws=draws) == "different"


@pytest.mark.parametrize(("noise", "expected"), [("none", "identical"), ("numpy", "different"), ("torch", "different")])
def test_the_order_of_a_loader_stays_and_its_augmentation_does_not(noise: str, expected: str) -> None:
    assert verdict("loader_workers", "two_workers", noise=noise) == expected


@pytest.mark.parametrize(("mask", "expected"), [("bool", "identical"), ("byte", "different"), ("float", "different")])
def test_only_masks_of_bool_are_taken(mask: str, expected: str) -> None:
    assert verdict("masked_fill_byte", "torch", mask=mask) == expected


@pytest.mark.parametrize("trouble", ["none", "untrusted", "renamed_class"])
def test_a_saved_model_loads_where_nothing_is_the_matter(trouble: str) -> None:
    assert verdict("loading_models", "model", trouble=trouble) == ("identical" if trouble == "none" else "different")


@pytest.mark.parametrize(
    ("question", "variant"),
    [
        *(("argmax_ties", "argmax"), ("dropout_modes", "torch"), ("map_location", "torch"), ("module_prefix", "torch")),
        *(("pooling_backward", "torch"), ("shuffled_order", "after_others"), ("silent_broadcast", "torch")),
        *(("spatial_cross_entropy", "torch"), ("unique_values", "sorted"), ("upsampling_backward", "torch")),
    ],
)
def test_notes_that_hold_on_a_cpu(question: str, variant: str) -> None:
    asked = QUESTIONS[question]
    for point in asked.points("cpu", "standard"):
        assert verdict(question, variant, **dict(point)) == "identical"


def test_a_sum_depends_on_the_number_of_threads() -> None:
    assert verdict("seed_across_threads", "two", of="sum") == "close"


def test_an_example_may_get_other_bits_within_a_batch_and_close_ones_always() -> None:
    found = {verdict("batch_invariance", "in_batch", of=of, batch=64) for of in ("matmul", "linear", "softmax", "conv")}
    assert found <= {"identical", "close"}


def test_cudnn_computes_while_it_is_asked_whether_it_repeats(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: Any = QUESTIONS["cudnn_repeats"].variants["torch"]
    found = set()

    def convolved(x: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
        cudnn = torch.backends.cudnn
        found.add((cudnn.enabled, cudnn.allow_tf32, cudnn.benchmark, cudnn.deterministic))
        return x * weight

    monkeypatch.setitem(seen.__globals__, "same_size", convolved)
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", False)
    assert seen(torch.ones(2), torch.ones(2), "benchmark_deterministic") == 1
    assert found == {(True, False, True, True)}


@pytest.mark.parametrize("question", ["cudnn_repeats", "cudnn_deterministic", "randn_devices"])
def test_questions_about_gpus_say_why_they_do_not_apply(question: str) -> None:
    assert QUESTIONS[question].skip_reason("cpu")
    assert QUESTIONS[question].points("cuda", "standard")


def test_switches_and_threads_are_as_before() -> None:
    before = torch.get_num_threads(), torch.backends.cudnn.benchmark, torch.backends.cudnn.deterministic
    verdict("seed_across_threads", "four", of="sum")
    verdict("recipe_lines", "torch", line="cudnn")
    assert before == (torch.get_num_threads(), torch.backends.cudnn.benchmark, torch.backends.cudnn.deterministic)


def ran(asked: Benchmark) -> set[str]:
    found: set[str] = set()
    for point in asked.points("cpu", "standard"):
        subject = build(asked, asked.baseline, point, "cpu", seed=0)
        found |= set(operators(lambda subject=subject: called(subject, seed=0)))
    return found


def test_every_documented_operator_is_asked() -> None:
    names = ran(QUESTIONS["documented_operators"])
    unasked = {line.api for line in DOCUMENTED if not names & set(line.operators)}
    assert unasked == {"torch.Tensor.resize_ of a quantized tensor"}  # it gives no values
