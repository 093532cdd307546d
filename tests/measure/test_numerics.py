from __future__ import annotations

import functools
import random

import numpy
import pytest
import torch
from torch import nn

from bench.measure.numerics import checks, gradients, in_double, outputs, relative_error, same_bits, untouched
from bench.measure.subject import require_gradients
from bench.model import Check
from bench.suite import Subject


def output(baseline: Subject, variant: Subject) -> Check:
    (check,) = checks(baseline, variant, backward=False, seed=0)
    return check


@pytest.fixture(autouse=True)
def seeded() -> None:
    torch.manual_seed(0)


def one_by_one(x: torch.Tensor) -> torch.Tensor:
    """The sum in float32 from left to right, which no kernel takes."""
    return functools.reduce(torch.add, x.unbind())


def bits(value: int) -> torch.Tensor:
    """A float32 of these bits."""
    return torch.tensor([value], dtype=torch.int32).view(torch.float32)


def test_the_same_bits_are_identical() -> None:
    x = torch.randn(8)
    check = output(Subject(torch.sin, x), Subject(lambda x: x.sin(), x))
    assert (check.what, check.level, check.verdict) == ("output", "numeric", "identical")


def test_another_order_of_summation_is_close_and_both_errors_are_against_float64() -> None:
    x = torch.rand(1000)
    check = output(Subject(torch.sum, x), Subject(one_by_one, x))
    exact = x.double().sum()
    assert check.verdict == "close"
    assert check.baseline_error == relative_error(x.sum(), exact)
    assert check.error == relative_error(one_by_one(x), exact)
    assert check.error > 0
    assert check.tolerance == 1.3e-5


def test_another_result_is_different() -> None:
    x = torch.randn(8)
    check = output(Subject(torch.sin, x), Subject(lambda x: x.sin() * 1.001, x))
    assert check.verdict == "different"
    assert check.error == pytest.approx(1e-3, rel=0.01)
    assert check.relative == pytest.approx(1e-3, rel=0.01)


def test_the_author_s_tolerance_decides() -> None:
    x = torch.randn(8)
    assert output(Subject(torch.sin, x), Subject(lambda x: x.sin() * 1.001, x, tolerance=0.01)).verdict == "close"


def test_a_variant_may_be_nearer_to_the_truth_than_its_baseline() -> None:
    x = torch.full((1000,), 0.1)
    check = output(Subject(one_by_one, x), Subject(lambda x: x.double().sum().to(x.dtype), x))
    assert 0 < check.error < check.baseline_error


def test_other_shapes_are_different_and_the_reason_shows_both() -> None:
    x = torch.randn(2, 3)
    check = output(Subject(torch.relu, x), Subject(lambda x: x.relu().t(), x))
    assert check.verdict == "different"
    assert "output/0 is (3, 2), not (2, 3)" in check.reason


def test_outputs_without_tensors_have_nothing_to_compare() -> None:
    check = output(Subject(lambda: 1), Subject(lambda: 1))
    assert (check.verdict, check.reason) == ("different", "nothing to compare")


def test_only_strides_do_not_make_other_bits() -> None:
    a = torch.randn(2, 3, 4, 4)
    assert same_bits(a, a.to(memory_format=torch.channels_last))
    assert same_bits(a.transpose(0, 1), a.transpose(0, 1).contiguous())


def test_minus_zero_is_another_zero() -> None:
    assert not same_bits(torch.tensor([0.0]), torch.tensor([-0.0]))
    assert same_bits(torch.tensor([-0.0]), torch.tensor([-0.0]))


def test_nans_of_other_payload_are_other_bits_and_of_the_same_payload_the_same() -> None:
    quiet, other = bits(0x7FC00000), bits(0x7FC00001)
    assert quiet.isnan().all()
    assert other.isnan().all()
    assert same_bits(quiet, quiet.clone())
    assert not same_bits(quiet, other)


@pytest.mark.parametrize("dtype", [torch.bool, torch.int64, torch.bfloat16, torch.float64, torch.complex64])
def test_bits_are_compared_in_every_dtype_and_other_dtypes_are_other_bits(dtype: torch.dtype) -> None:
    a = torch.tensor([0, 1, 0, 1]).to(dtype)
    assert same_bits(a, a.clone())
    assert not same_bits(a, 1 - a if dtype is not torch.bool else ~a)
    assert not same_bits(a, a.real.to(torch.float32))
    assert same_bits(a[:0], a[:0])


def test_a_lazy_conjugate_has_the_bits_that_it_stands_for() -> None:
    a = torch.tensor([1 + 2j])
    assert same_bits(a.conj(), torch.tensor([1 - 2j]))
    assert not same_bits(a.conj(), a)


@pytest.mark.parametrize(
    ("value", "reference", "expected"),
    [
        ([1.0, 2.0], [1.0, 2.0], 0.0),
        ([1.0, 2.1], [1.0, 2.0], 0.05),
        ([float("nan")], [float("nan")], 0.0),
        ([float("nan"), 1.0], [1.0, 1.0], float("inf")),
        ([float("inf"), 1.0], [float("inf"), 1.0], 0.0),
        ([1.0], [float("inf")], float("inf")),
        ([1.0], [0.0], float("inf")),
        ([-0.0], [0.0], 0.0),
        ([], [], 0.0),
        ([1 + 1j], [1 + 2j], 0.5),
    ],
)
def test_a_relative_error_is_measured_by_the_largest_element_of_the_reference(
    value: list[float], reference: list[float], expected: float
) -> None:
    assert relative_error(torch.tensor(value), torch.tensor(reference)) == pytest.approx(expected)


def test_a_function_that_holds_float32_tensors_is_compared_with_the_baseline_itself() -> None:
    weight, x = torch.randn(4, 4), torch.randn(4, 4)
    check = output(Subject(lambda x: x @ weight, x), Subject(lambda x: (x @ weight) * 1.001, x))
    assert check.reason.startswith("no float64 reference (")
    assert check.reason.endswith("compared with the baseline itself")
    assert check.baseline_error == 0.0
    assert check.error == check.relative


def test_a_float64_copy_has_wide_inputs_and_weights_and_leaves_the_subject_as_it_is() -> None:
    subject = Subject(nn.Linear(2, 2), torch.randn(1, 2), torch.tensor([1]), "text", torch.zeros(1, dtype=torch.cfloat))
    double = in_double(subject)
    assert [getattr(x, "dtype", x) for x in double.inputs] == [torch.float64, torch.int64, "text", torch.complex128]
    assert double.call.weight.dtype == torch.float64
    assert subject.call.weight.dtype == torch.float32


def test_gradients_of_inputs_and_of_weights_of_the_same_name_are_compared() -> None:
    plain, biased = nn.Linear(3, 3, bias=False), nn.Linear(3, 3)
    biased.weight.data.copy_(plain.weight.data)
    x = torch.randn(2, 3)
    found = checks(Subject(plain, x), Subject(biased, x.clone()), backward=True, seed=0)
    assert [(c.what, c.verdict) for c in found] == [("output", "different"), ("gradient", "identical")]
    assert sorted(gradients(Subject(biased, x), 0)) == ["input/0", "parameter/bias", "parameter/weight"]


def test_a_wrong_gradient_behind_a_right_output_is_found() -> None:
    x = torch.randn(8)

    def wrong(x: torch.Tensor) -> torch.Tensor:
        return x.detach() * 2 + (x - x.detach())

    found = checks(Subject(lambda x: x * 2, x), Subject(wrong, x.clone()), backward=True, seed=0)
    assert {c.what: c.verdict for c in found} == {"output": "identical", "gradient": "different"}


def test_a_backward_of_the_author_s_own_has_no_gradients_to_compare() -> None:
    subject = Subject(torch.sin, torch.randn(2), backward=lambda out: None)
    assert [c.what for c in checks(subject, subject, backward=True, seed=0)] == ["output"]


def test_dropout_repeats_from_the_seed() -> None:
    subject = Subject(nn.Dropout(), torch.randn(64))
    assert same_bits(outputs(subject, 3)["output/0"], outputs(subject, 3)["output/0"])
    assert not same_bits(outputs(subject, 3)["output/0"], outputs(subject, 4)["output/0"])


class Counting(nn.Module):
    """Carries state in a buffer that is not saved, and in one that is replaced."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("hidden", torch.zeros(1), persistent=False)
        self.register_buffer("calls", torch.zeros(1))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.hidden += 1
        self.calls = self.calls + 1
        return x + self.hidden


def test_batch_norm_statistics_and_other_state_are_put_back() -> None:
    norm, counting = nn.BatchNorm1d(3), Counting()
    for module in (norm, counting):
        subject = Subject(module, torch.randn(8, 3))
        before = {name: t.clone() for name, t in module.named_buffers()}
        outputs(subject, 0)
        gradients(subject, 0)
        assert all(same_bits(t, before[name]) for name, t in module.named_buffers())
    assert norm.num_batches_tracked == 0


def test_inputs_that_a_call_changes_are_put_back_so_that_both_sides_see_the_same() -> None:
    x = torch.randn(8)
    subject, other = Subject(torch.Tensor.relu_, x), Subject(torch.Tensor.relu_, x.clone())
    kept = x.clone()
    assert output(subject, other).verdict == "identical"
    assert torch.equal(x, kept)


def test_generators_are_put_back() -> None:
    def draws() -> Subject:
        return Subject(lambda: torch.rand(2) + random.random() + numpy.random.rand())

    def next_numbers() -> tuple[float, float, float]:
        return random.random(), float(numpy.random.rand()), float(torch.rand(1))

    states = random.getstate(), numpy.random.get_state(), torch.get_rng_state()
    expected = next_numbers()
    random.setstate(states[0])
    numpy.random.set_state(states[1])
    torch.set_rng_state(states[2])
    outputs(draws(), 0)
    assert next_numbers() == expected


def test_state_is_put_back_after_an_exception_too() -> None:
    x = torch.ones(2)

    def spoil() -> None:
        x.zero_()
        raise ValueError("half way")

    with pytest.raises(ValueError, match="half way"), untouched(Subject(spoil, x)):
        spoil()
    assert torch.equal(x, torch.ones(2))


def test_sparse_inputs_are_left_alone() -> None:
    sparse = torch.eye(3).to_sparse()
    check = output(Subject(torch.sparse.mm, sparse, torch.ones(3, 3)), Subject(torch.mm, sparse, torch.ones(3, 3)))
    assert check.verdict == "identical"


def test_checks_of_gradients_ask_for_them_on_inputs_only_where_they_float() -> None:
    subject = Subject(nn.Embedding(4, 2), torch.tensor([0, 1]))
    require_gradients(subject)
    assert not subject.inputs[0].requires_grad
    assert list(gradients(subject, 0)) == ["parameter/weight"]


def test_a_variant_may_be_as_coarse_as_its_baseline() -> None:
    def coarse(x: torch.Tensor) -> torch.Tensor:
        return x if x.dtype == torch.float64 else x.half().to(x.dtype)

    x = torch.linspace(1, 2, 1001)
    ours, theirs = Subject(coarse, x), Subject(lambda x: coarse(x) * (1 + 1e-6), x)
    (check,) = checks(ours, theirs, backward=False, seed=0)
    assert (check.verdict, check.error > 1.3e-5) == ("close", True)
    (exact,) = checks(Subject(lambda x: x, x), ours, backward=False, seed=0)
    assert exact.verdict == "different"
