from __future__ import annotations

import functools
import random
from collections.abc import Iterator
from typing import Any

import numpy
import pytest
import torch
from torch import nn

from bench.measure import state
from bench.measure.determinism import probe
from bench.measure.messages import Open, Probe
from bench.measure.state import Snapshot, untouched
from bench.suite import Subject


def switches() -> list[Any]:
    return [switch.get() for switch in state._SWITCHES]


@pytest.fixture(autouse=True)
def everything_is_as_found() -> Iterator[None]:
    before = switches(), torch.get_rng_state(), random.getstate(), numpy.random.get_state()[1].tolist()
    yield
    assert switches() == before[0]
    assert torch.equal(torch.get_rng_state(), before[1])
    assert random.getstate() == before[2]
    assert numpy.random.get_state()[1].tolist() == before[3]


def turn_everything(x: torch.Tensor) -> torch.Tensor:
    """A call with no manners."""
    torch.use_deterministic_algorithms(True, warn_only=True)
    torch.utils.deterministic.fill_uninitialized_memory = False
    for owner, names in (
        (torch.backends.cudnn, ("enabled", "benchmark", "deterministic", "allow_tf32")),
        (torch.backends.mkldnn, ("enabled", "deterministic")),
    ):
        for name in names:
            setattr(owner, name, not getattr(owner, name))
    torch.set_float32_matmul_precision("medium")
    torch.set_num_threads(torch.get_num_threads() + 1)
    torch.set_default_dtype(torch.float64)
    torch.set_grad_enabled(False)
    random.seed(7)
    numpy.random.seed(7)
    torch.manual_seed(7)
    return x + 1


def turn_everything_and_fail(x: torch.Tensor) -> torch.Tensor:
    turn_everything(x)
    raise ValueError("no")


def test_the_call_turns_what_can_be_turned() -> None:
    """Or the next tests could not fail."""
    before = switches()
    with untouched(Subject(turn_everything)):
        turn_everything(torch.ones(1))
        turned = [old != new for old, new in zip(before, switches(), strict=True)]
    assert all(turned)


def test_every_switch_and_generator_is_put_back() -> None:
    with untouched(Subject(turn_everything, torch.ones(1))):
        turn_everything(torch.ones(1))


def test_so_it_is_after_an_exception() -> None:
    subject = Subject(turn_everything_and_fail, torch.ones(1))
    with pytest.raises(ValueError, match="no"), untouched(subject):
        subject.call(*subject.inputs)


@pytest.mark.parametrize("call", [turn_everything, turn_everything_and_fail])
def test_a_check_leaves_every_switch_as_it_found_it(call: Any) -> None:
    case = Open(name="x", file="x", benchmark="x", variant="x", like="x", point=(), seed=0)
    try:
        probe(Subject(call, torch.ones(1)), Probe(case=case, level="quick", repeats=2), backward=True)
    except ValueError:
        assert call is turn_everything_and_fail


class Restless(nn.Module):
    """Writes a parameter, replaces a buffer, and moves statistics."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(2))
        self.register_buffer("count", torch.zeros(1), persistent=False)
        self.norm = nn.BatchNorm1d(2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        with torch.no_grad():
            self.weight += 1
        self.count = self.count + 1
        return self.norm(x)


def test_parameters_and_buffers_are_put_back_even_where_they_were_replaced() -> None:
    module = Restless()
    held = module.count
    with untouched(Subject(module)) as before:
        module(torch.randn(4, 2))
        moved = ("weight", "count", "norm.running_mean", "norm.running_var", "norm.num_batches_tracked")
        assert before.changed_state() == moved
    assert module.count is held
    assert module.weight.tolist() == [0, 0]
    assert held.item() == module.norm.num_batches_tracked.item() == 0


def test_changed_inputs_are_named_and_put_back() -> None:
    a, array, nested = torch.ones(2), numpy.ones(2), torch.ones(2)
    with untouched(Subject(print, a, array, [nested])) as before:
        array += 1
        nested[0] = 3
        assert before.changed_inputs() == ("input/1", "input/2")
    assert (nested.tolist(), array.tolist()) == ([1, 1], [1, 1])


def test_expanded_inputs_are_left_alone() -> None:
    with untouched(Subject(print, torch.ones(1).expand(4))) as before:
        assert before.changed_inputs() == ()


class Holder:
    def __init__(self, thing: object) -> None:
        self.thing = thing

    def call(self) -> None: ...


def holders(thing: object) -> dict[str, Any]:
    def closing() -> object:
        return thing

    def with_default(x: object = thing) -> object:
        return x

    return {
        "closure": closing,
        "default": with_default,
        "partial": functools.partial(print, thing),
        "method": Holder(thing).call,
        "attribute": Holder([thing]).call,
    }


@pytest.mark.parametrize("how", list(holders(None)))
def test_generators_that_a_call_can_reach_are_put_back(how: str) -> None:
    for make, draw in (
        (lambda: torch.Generator().manual_seed(1), lambda g: torch.rand(1, generator=g).item()),
        (lambda: random.Random(1), lambda g: g.random()),
        (lambda: numpy.random.default_rng(1), lambda g: g.random()),
        (lambda: numpy.random.RandomState(1), lambda g: g.rand()),
    ):
        own = make()
        with untouched(Subject(holders(own)[how])) as before:
            first = draw(own)
            assert before.drew_random_numbers()
        assert draw(own) == first


def test_who_draws_nothing_is_not_said_to_draw() -> None:
    before = Snapshot(Subject(torch.exp, torch.ones(1)))
    torch.ones(3).exp()
    assert not before.drew_random_numbers()
