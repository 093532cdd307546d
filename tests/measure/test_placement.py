"""What all variants read lies in one place, as long as nobody writes there."""

from __future__ import annotations

from collections.abc import Callable

import numpy
import pytest
import torch
from torch import nn

from bench.measure.placement import Placement
from bench.suite import Subject


def reading(*inputs: object, call: Callable[..., object] = torch.add) -> Subject:
    return Subject(call, *inputs)


def places(*tensors: torch.Tensor) -> int:
    """In how many places they lie."""
    return len({tensor.data_ptr() for tensor in tensors})


def test_inputs_of_the_same_layout_lie_where_those_of_the_first_do() -> None:
    first, second, third = (torch.ones(2, 3) for _ in range(3))
    where = first.data_ptr()
    Placement([reading(first), reading(second), reading(third)])
    assert {tensor.data_ptr() for tensor in (first, second, third)} == {where}


def test_parameters_of_the_same_name_do_so_too_and_buffers_which_calls_change_do_not() -> None:
    a, b = nn.BatchNorm1d(3), nn.BatchNorm1d(3)
    Placement([Subject(a, torch.ones(4, 3)), Subject(b, torch.ones(4, 3))])
    assert a.weight.data_ptr() == b.weight.data_ptr()
    assert a.running_mean is not None
    assert b.running_mean is not None
    assert a.running_mean.data_ptr() != b.running_mean.data_ptr()


def test_a_tensor_that_wants_gradients_stays_a_leaf_with_gradients_of_its_own() -> None:
    a, b = torch.ones(3, requires_grad=True), torch.ones(3, requires_grad=True)
    Placement([reading(a), reading(b)])
    assert a.data_ptr() == b.data_ptr()
    (2 * b).sum().backward()
    assert a.grad is None
    assert b.grad is not None


@pytest.mark.parametrize(
    "other",
    [
        torch.ones(3, 2).t(),
        torch.ones(2, 4),
        torch.ones(2, 3, dtype=torch.float64),
        nn.Parameter(torch.ones(2, 3)),
        torch.ones(2, 3).to_sparse(),
        torch.ones(7)[1:].view(2, 3),
        torch.from_numpy(numpy.ones((2, 3), dtype=numpy.float32)),
        torch.ones(2, 3).share_memory_(),
        torch.ones(2, 3)._neg_view(),
        torch.inference_mode()(torch.ones)(2, 3),
        "no tensor",
    ],
    ids=[
        *("layout", "shape", "dtype", "type", "sparse", "alignment"),
        *("an array's memory", "shared memory", "lazy", "made for inference", "word"),
    ],
)
def test_where_one_of_them_differs_nobody_shares(other: object) -> None:
    """Else those that share would find each other's data in the caches and that one would not."""
    first, second = torch.ones(2, 3), torch.ones(2, 3)
    Placement([reading(first), reading(second), reading(other)])
    assert places(first, second) == 2


def test_a_tensor_that_overlaps_itself_is_left_alone() -> None:
    first, second = torch.ones(1).expand(3), torch.ones(1).expand(3)
    Placement([reading(first), reading(second)])
    assert places(first, second) == 2


@pytest.mark.parametrize("dtype", [torch.float64, torch.float16, torch.bool, torch.complex64, torch.float8_e4m3fn])
def test_numbers_of_every_kind_are_known_again_not_a_number_among_them(dtype: torch.dtype) -> None:
    first, second = (torch.tensor([float("nan"), 0.0, 1.0]).to(dtype) for _ in range(2))
    shared = Placement([reading(first), reading(second)])
    shared.end_if_written()
    assert places(first, second) == 1
    first.view(torch.uint8)[0] ^= 1
    shared.end_if_written()
    assert places(first, second) == 2


def test_a_strided_view_of_a_larger_tensor_is_lent_as_it_lies() -> None:
    (first, whole), (second, _) = ((t[64:, ::2], t) for t in (torch.arange(1024.0).view(128, 8) for _ in range(2)))
    shared = Placement([reading(first), reading(second)])
    assert places(first, second) == 1
    shared.end_if_written()
    assert places(first, second) == 1
    whole[-1, -2] = -1
    shared.end_if_written()
    assert places(first, second) == 2
    assert torch.equal(first, second)


def test_nothing_is_left_as_it_is() -> None:
    first, second = torch.empty(0, 3), torch.empty(0, 3)
    Placement([reading(first), reading(second)]).end_if_written()
    assert second.shape == (0, 3)


def test_an_input_that_one_of_them_lacks_and_one_alone_share_nothing() -> None:
    first, second, third = torch.ones(3), torch.ones(3), torch.ones(3)
    Placement([reading(first, second), reading(third)])
    assert places(first, third) == 1
    assert places(second, third) == 2
    Placement([reading(second)]).end_if_written()


def test_an_input_given_twice_is_lent_once() -> None:
    first, second = torch.ones(3), torch.ones(3)
    shared = Placement([reading(first, first), reading(second, second)])
    assert places(first, second) == 1
    second.mul_(2)
    shared.end_if_written()
    assert places(first, second) == 2
    assert first.tolist() == second.tolist() == [1, 1, 1]


def test_while_nobody_writes_it_stays_so() -> None:
    first, second = torch.ones(3), torch.ones(3)
    shared = Placement([reading(first), reading(second)])
    shared.end_if_written()
    assert places(first, second) == 1


@pytest.mark.parametrize("writer", [0, 1, 2])
@pytest.mark.parametrize(
    "write",
    [
        lambda tensor: tensor.add_(1),
        lambda tensor: tensor.data.add_(1),  # which no version counter sees
        lambda tensor: tensor.numpy().fill(7),
    ],
    ids=["in place", "through data", "through NumPy"],
)
def test_when_one_writes_each_has_its_own_place_again_with_the_values_it_came_with(
    write: Callable[[torch.Tensor], object], writer: int
) -> None:
    inputs = [torch.ones(3) for _ in range(3)]
    others = [torch.zeros(3) for _ in range(3)]
    shared = Placement([reading(x, y) for x, y in zip(inputs, others, strict=True)])
    write(inputs[writer])
    shared.end_if_written()
    assert places(*inputs, *others) == 6
    assert [x.tolist() for x in inputs] == [[1, 1, 1]] * 3
    assert [y.tolist() for y in others] == [[0, 0, 0]] * 3


def test_their_own_memory_lives_on_for_whoever_holds_its_address() -> None:
    first, second = torch.ones(1000), torch.ones(1000)
    held = second.view(10, 100)
    shared = Placement([reading(first), reading(second)])
    held.fill_(3)
    assert first.sum() == second.sum() == 1000
    assert shared is not None


@pytest.mark.cuda
def test_tensors_of_a_gpu_are_lent_and_compared_there() -> None:
    first, second = torch.ones(3, device="cuda"), torch.ones(3, device="cuda")
    shared = Placement([reading(first), reading(second)])
    shared.end_if_written()
    assert places(first, second) == 1
    second.relu_().add_(1)
    shared.end_if_written()
    assert places(first, second) == 2
    assert first.tolist() == second.tolist() == [1, 1, 1]


@pytest.mark.cuda
def test_pinned_memory_is_the_variants_own() -> None:
    first, second = torch.ones(3), torch.ones(3).pin_memory()
    Placement([reading(first), reading(second)])
    assert second.is_pinned()
    assert places(first, second) == 2
