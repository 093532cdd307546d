"""Every suite file is loaded, and each of its questions is asked once, at its smallest point."""

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest
import torch
from torch import nn

import bench
from bench.discover import Found, discover
from bench.measure.subject import build, share, tensors_in
from bench.model import Point
from bench.suite import Subject

SUITES = Path(bench.__file__).parent.parent / "suites"
FILES = sorted(p for p in SUITES.rglob("*.py") if not p.name.startswith("_"))
FOUND = {f.path: f for f in discover([str(SUITES)])}

# The claims of the ledger that the suites have taken up.
LEDGER = {
    *("C1", "C2", "C4", "C5", "C6"),
    *("D1", "D2", "D3", "D4", "D5"),
    *("M1", "M2", "M3", "M4", "M6", "M7"),
    *("B1", "B2", "B3", "B4", "B5", "B6", "B7", "B8"),
    *("K1", "K2", "K4", "K5", "K7", "K8", "K9", "K15"),
    *("X1", "X2", "X3", "X4", "X5", "X6", "X7", "X8", "X9"),
    *("A9", "L4", "P2", "U2"),
    *("R1", "R2", "R3", "R4", "R5", "R6", "R7", "R8", "R9", "R10", "R11"),
    *("T1", "T2", "T3", "T8"),
    "S0:8",  # a line of a note that the ledger has no row for
}
# Questions of our own: no note speaks of them.
WITHOUT_NOTE = {"conv_tf32", "matmul_tf32", "onednn"}


def name(file: Path) -> str:
    return f"{file.parent.name}/{file.stem}"


@pytest.mark.parametrize("file", FILES, ids=name)
def test_a_suite_file_holds_one_question_named_like_it(file: Path) -> None:
    found = FOUND[file]
    assert found.benchmark.name == file.stem
    assert found.benchmark.question.endswith("?")
    assert found.benchmark.explanation
    assert sum(f.path == file for f in discover([str(file)])) == 1


@pytest.mark.parametrize("file", FILES, ids=name)
def test_every_variant_answers_at_the_smallest_point(file: Path) -> None:
    found = FOUND[file]
    points = found.benchmark.points("cpu", "smoke")
    if not points:
        pytest.skip(found.benchmark.skip_reason("cpu"))
    assert asked(found, points[0], "cpu") == len(found.benchmark.variants)


@pytest.mark.parametrize("file", FILES, ids=name)
def test_every_cuda_point_can_be_built(file: Path) -> None:
    """On the meta device, which has shapes and no data, so that the sizes meant for a GPU cost nothing here."""
    found = FOUND[file]
    points = found.benchmark.points("cuda", "large")
    if not points:
        pytest.skip(found.benchmark.skip_reason("cuda"))
    for point in points:
        for variant in found.benchmark.variants:
            subject = build(found.benchmark, variant, point, "meta", seed=0)
            assert {tensor.device.type for tensor in held_by(subject)} <= {"meta"}
            if found.benchmark.phases:
                with contextlib.suppress(NotImplementedError):  # unique: its shape depends on data
                    assert list(tensors_in(subject.call(*subject.inputs)))


def held_by(subject: Subject) -> list[torch.Tensor]:
    """Inputs and weights, those of modules among the inputs included."""
    modules = [m for m in (subject.call, *subject.inputs) if isinstance(m, nn.Module)]
    return [*tensors_in(subject.inputs), *(t for m in modules for t in m.state_dict().values())]


def asked(found: Found, point: Point, device: str) -> int:
    """How many variants gave tensors from shared inputs."""
    subjects = [build(found.benchmark, variant, point, device, seed=0) for variant in found.benchmark.variants]
    for subject in subjects[1:]:
        share(subjects[0], subject)
    return sum(bool(list(tensors_in(subject.call(*subject.inputs)))) for subject in subjects)


def test_every_claim_carries_the_id_of_a_note() -> None:
    notes = {(f.benchmark.name, c.note) for f in FOUND.values() for c in f.benchmark.claims}
    assert {benchmark for benchmark, note in notes if not note} == WITHOUT_NOTE
    assert {note for _, note in notes if note} == LEDGER


def test_every_question_makes_a_claim() -> None:
    assert [f.benchmark.name for f in FOUND.values() if not f.benchmark.claims] == []


def test_a_benchmark_is_a_benchmark_on_some_device() -> None:
    for f in FOUND.values():
        assert f.benchmark.points("cpu", "smoke") or f.benchmark.points("cuda", "smoke"), f.benchmark.name


def test_shared_weights_make_the_variants_of_a_bias_agree() -> None:
    """The claim that the first question rests on, asked without the harness."""
    found = FOUND[SUITES / "conv" / "bias_before_bn.py"].benchmark
    point = found.points("cpu", "smoke")[0]
    plain, biased = (build(found, variant, point, "cpu", seed=0) for variant in found.variants)
    share(plain, biased)
    torch.testing.assert_close(plain.call(*plain.inputs), biased.call(*biased.inputs), rtol=1e-4, atol=1e-4)
