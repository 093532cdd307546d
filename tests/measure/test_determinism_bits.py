from __future__ import annotations

import hashlib

import pytest
import torch

from bench.measure import bits
from bench.measure.bits import (
    describe,
    differing,
    digest,
    digest_of_all,
    errors,
    first_difference,
    relative_error,
    same_bits,
    ulp_distance,
    widest_ulp,
)

FLOATS = [torch.float64, torch.float32, torch.bfloat16, torch.float16]


def next_after(x: torch.Tensor) -> torch.Tensor:
    whole = {8: torch.int64, 4: torch.int32, 2: torch.int16}[x.element_size()]
    return (x.view(whole) + 1).view(x.dtype)


def test_a_hash_is_of_type_shape_and_bytes() -> None:
    x = torch.tensor([1.0, 2.0])
    assert digest(x) == hashlib.sha256(b"torch.float32 (2,) " + x.numpy().tobytes()).hexdigest()
    others = [x.double(), x.reshape(1, 2), x.view(torch.int32), torch.tensor([1.0, -2.0]), torch.empty(0)]
    assert len({digest(t) for t in (x, *others)}) == 6


def test_strides_do_not_change_a_hash() -> None:
    x = torch.randn(3, 4)
    assert digest(x) == digest(x.t().contiguous().t())
    assert digest(x) != digest(x.t())


def test_conjugate_views_hash_like_the_values_they_show() -> None:
    x = torch.tensor([1 + 2j])
    assert digest(x.conj()) == digest(torch.tensor([1 - 2j]))


def test_the_hash_of_all_depends_on_names() -> None:
    assert digest_of_all({"a": "1", "b": "2"}) == digest_of_all({"b": "2", "a": "1"})
    assert digest_of_all({"a": "1", "b": "2"}) != digest_of_all({"a": "2", "b": "1"})


@pytest.mark.parametrize("dtype", FLOATS)
def test_neighbours_are_one_ulp_apart(dtype: torch.dtype) -> None:
    for value in (1.0, -1.0, 3e-5, 1000.0):
        x = torch.tensor([value], dtype=dtype)
        assert ulp_distance(next_after(x), x) == 1


@pytest.mark.parametrize("dtype", FLOATS)
def test_only_the_same_bits_are_no_ulp_apart(dtype: torch.dtype) -> None:
    zero, nan = torch.zeros(1, dtype=dtype), torch.full((1,), float("nan"), dtype=dtype)
    assert ulp_distance(zero, zero) == ulp_distance(nan, nan) == 0
    assert ulp_distance(-zero, zero) == 1
    assert ulp_distance(next_after(nan), nan) == 1
    assert ulp_distance(nan, zero) == float("inf")
    assert ulp_distance(next_after(-zero), next_after(zero)) == 3


def test_integers_have_no_ulp() -> None:
    assert ulp_distance(torch.tensor(3), torch.tensor(4)) is None
    assert ulp_distance(torch.tensor([1 + 1j]), torch.tensor([1 + 1j])) == 0


def test_differences_are_told_with_place_and_values() -> None:
    x, y = torch.zeros(2, 3), torch.zeros(2, 3)
    y[1, 2] = 0.5
    assert first_difference("out", y, x) == "out[1, 2] is 0.5, was 0.0 (1 of 6 elements)"
    assert first_difference("out", torch.tensor(2), torch.tensor(1)) == "out is 2, was 1 (1 of 1 elements)"
    assert first_difference("out", x.double(), x) == "out is float64[2, 3], was float32[2, 3]"


def test_results_of_different_names_differ() -> None:
    x = torch.ones(1)
    assert differing({"a": x}, {"a": x.clone()}) == ""
    assert differing({"a": x}, {"a": x, "b": x}) == "b"
    assert describe("b", {"a": x}, {"a": x, "b": x}) == "b is missing"
    assert describe("b", {"b": x}, {}) == "b has other bits"
    assert widest_ulp({"a": x}, {"b": x}) is None


def test_errors_are_relative_to_the_largest_of_the_whole_result() -> None:
    reference = {"weight": torch.tensor([100.0, 1.0]), "bias": torch.tensor([1e-7])}
    results = {"weight": torch.tensor([100.0, 2.0]), "bias": torch.tensor([-1e-7])}
    found = errors(results, reference)
    assert found["weight"] == pytest.approx(0.01)
    assert found["bias"] == pytest.approx(2e-9)


@pytest.mark.parametrize("odd", [5.0, -0.0, float("inf"), float("nan")])
def test_a_large_result_is_compared_in_pieces(odd: float, monkeypatch: pytest.MonkeyPatch) -> None:
    reference = torch.arange(1.0, 11.0).reshape(2, 5)
    results = reference.clone()
    results[1, 2] = odd
    whole = relative_error(results, reference.t().contiguous().t())
    monkeypatch.setattr(bits, "_PIECE", 3)
    assert relative_error(results, reference.t().contiguous().t()) == whole
    assert whole == {5.0: 0.3, -0.0: 0.8}.get(odd, float("inf"))


@pytest.mark.cuda
def test_results_on_a_gpu_are_compared_there_as_here() -> None:
    here = torch.randn(1000)
    there, other = here.cuda(), here.cuda()
    other[7] = -other[7]
    assert same_bits(there, there.clone())
    assert not same_bits(there, other)
    assert relative_error(other, there) == relative_error(other.cpu(), here) == relative_error(other, here)


def test_sparse_results_are_compared_by_value() -> None:
    x = torch.eye(3)
    assert same_bits(x.to_sparse(), x.clone().to_sparse())
    assert not same_bits(x.to_sparse(), (2 * x).to_sparse())
