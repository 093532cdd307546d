from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn

from bench.errors import SuiteError
from bench.measure.subject import (
    block_of,
    build,
    cotangents,
    leaves,
    require_gradients,
    share,
    tensors_in,
    training_step,
)
from bench.model import make_point
from bench.suite import Benchmark, Subject, benchmark


@pytest.fixture(autouse=True)
def seeded() -> None:
    torch.manual_seed(0)


def declare(function: Callable[..., Any], **variants: Any) -> Benchmark:
    return benchmark(variants=variants, cpu={"c": [3]})(function)


def conv_and_norm(bias: bool, c: int) -> Subject:
    torch.randn(7 * bias)  # what a variant draws more moves all that it draws later
    conv = nn.Conv2d(c, c, 3, bias=bias)
    return Subject(nn.Sequential(conv, nn.BatchNorm2d(c)), torch.randn(2, c, 8, 8))


def built(declared: Benchmark, variant: str, seed: int = 0) -> Subject:
    return build(declared, variant, make_point({"c": 3}), "cpu", seed)


def test_a_subject_is_built_the_same_from_the_same_seed_and_otherwise_not() -> None:
    declared = declare(conv_and_norm, plain=False)
    first, again, other = (built(declared, "plain", seed) for seed in (0, 0, 1))
    assert torch.equal(first.inputs[0], again.inputs[0])
    assert not torch.equal(first.inputs[0], other.inputs[0])


def test_a_subject_is_built_on_the_device_that_the_harness_names() -> None:
    subject = build(declare(conv_and_norm, plain=False), "plain", make_point({"c": 3}), "meta", 0)
    assert {t.device.type for t in [*subject.inputs, *leaves(subject).values()]} == {"meta"}


def test_a_build_function_that_forgets_the_subject_is_told_what_to_write() -> None:
    def forgetful(bias: bool, c: int) -> object:
        return nn.Conv2d(c, c, 3, bias=bias)

    with pytest.raises(SuiteError, match=r"forgetful returned Conv2d.*return Subject\(module_or_function, input"):
        built(declare(forgetful, plain=False), "plain")


def test_variants_get_the_same_inputs_and_the_same_weights_by_name() -> None:
    declared = declare(conv_and_norm, plain=False, bias=True)
    plain, biased = built(declared, "plain"), built(declared, "bias")
    assert not torch.equal(plain.inputs[0], biased.inputs[0])
    assert not torch.equal(plain.call[0].weight, biased.call[0].weight)
    share(plain, biased)
    assert torch.equal(plain.inputs[0], biased.inputs[0])
    assert torch.equal(plain.call[0].weight, biased.call[0].weight)
    assert biased.call[0].bias.abs().sum() > 0  # what has no counterpart keeps its own values


def test_sharing_copies_values_and_leaves_every_layout() -> None:
    rows, columns = torch.randn(2, 3, 8, 8), torch.randn(2, 3, 8, 8).to(memory_format=torch.channels_last)
    strides = columns.stride()
    share(Subject(torch.relu, rows), Subject(torch.relu, columns))
    assert torch.equal(rows, columns)
    assert columns.stride() == strides != rows.stride()


def test_sharing_leaves_expanded_inputs_alone() -> None:
    one = torch.randn(1, 4)
    expanded, kept = one.expand(5, 4), one.clone()
    share(Subject(torch.relu, torch.randn(5, 4)), Subject(torch.relu, expanded))
    assert torch.equal(one, kept)


def test_sharing_reaches_inputs_in_lists_and_passes_over_other_shapes() -> None:
    ours, theirs = [torch.randn(2), torch.randn(3)], [torch.randn(2), torch.randn(4)]
    kept = theirs[1].clone()
    share(Subject(torch.cat, ours), Subject(torch.cat, theirs))
    assert torch.equal(theirs[0], ours[0])
    assert torch.equal(theirs[1], kept)


def test_sharing_copies_over_dtypes_and_passes_over_sparse_inputs() -> None:
    wide, narrow = torch.randn(4), torch.zeros(4, dtype=torch.bfloat16)
    sparse = torch.eye(4).to_sparse()
    share(Subject(torch.add, wide, torch.eye(4)), Subject(torch.add, narrow, sparse))
    assert torch.equal(narrow, wide.bfloat16())
    assert torch.equal(sparse.to_dense(), torch.eye(4))


def test_an_input_that_both_variants_hold_is_not_copied_onto_itself() -> None:
    x = torch.randn(4, 4)
    version = x._version
    share(Subject(torch.relu, x), Subject(torch.relu, x))
    assert x._version == version


def test_tensors_are_found_in_nested_outputs() -> None:
    a, b, c = (torch.tensor(float(i)) for i in range(3))
    assert [float(t) for t in tensors_in({"a": a, "rest": [b, (c, "text", 3)]})] == [0, 1, 2]


@pytest.mark.parametrize("arity", range(5))
@pytest.mark.parametrize("phase", ["forward", "inference"])
def test_a_block_calls_the_subject_with_its_inputs_as_often_as_it_is_told(arity: int, phase: str) -> None:
    seen: list[tuple[Any, ...]] = []
    inputs = tuple(range(arity))
    block = block_of(Subject(lambda *args: seen.append(args), *inputs), phase, 0)
    assert seen == []
    block(7)
    assert seen == [inputs] * 7


def test_forward_records_a_graph_and_inference_does_not() -> None:
    outputs: list[torch.Tensor] = []
    subject = Subject(lambda x: outputs.append(x * 2), torch.ones(2, requires_grad=True))
    block_of(subject, "forward", 0)(1)
    block_of(subject, "inference", 0)(1)
    assert [out.requires_grad for out in outputs] == [True, False]


class Doubled(torch.autograd.Function):
    """Twice its input; remembers the cotangents that it was given."""

    seen: list[torch.Tensor] = []  # noqa: RUF012

    @staticmethod
    def forward(ctx: Any, x: torch.Tensor) -> torch.Tensor:
        return 2 * x

    @staticmethod
    def backward(ctx: Any, *grads: torch.Tensor) -> torch.Tensor:
        Doubled.seen.append(grads[0].clone())
        return 2 * grads[0]


def test_a_backward_block_differentiates_one_graph_as_often_as_it_is_told() -> None:
    Doubled.seen = []
    calls: list[int] = []

    def call(x: torch.Tensor) -> torch.Tensor:
        calls.append(1)
        return Doubled.apply(x)

    subject = Subject(call, torch.randn(3))
    require_gradients(subject)
    block = block_of(subject, "backward", seed=5)
    block(4)
    assert len(calls) == 1
    assert len(Doubled.seen) == 4
    assert all(torch.equal(cotangent, *cotangents([torch.empty(3)], seed=5)) for cotangent in Doubled.seen)


def test_batch_norm_passes_the_cotangent_on_and_would_not_pass_ones_or_its_own_input() -> None:
    def norm(_: object, c: int) -> Subject:
        return Subject(nn.BatchNorm1d(c), torch.randn(32, c))

    subject = built(declare(norm, plain=None), "plain", seed=7)
    require_gradients(subject)
    (x,) = subject.inputs
    out = subject.call(x)

    def gradient(cotangent: torch.Tensor) -> float:
        return float(torch.autograd.grad(out, x, cotangent, retain_graph=True)[0].abs().max())

    assert gradient(torch.ones_like(out)) < 1e-4
    assert gradient(x.detach()) < 1e-4  # what the build function's seed draws first
    assert gradient(*cotangents([out], seed=7)) > 0.1


def test_cotangents_are_the_same_for_every_layout_and_follow_it() -> None:
    rows = torch.empty(2, 3, 4, 4)
    columns = rows.to(memory_format=torch.channels_last)
    (a,), (b,) = cotangents([rows], 0), cotangents([columns], 0)
    assert torch.equal(a, b)
    assert (a.stride(), b.stride()) == (rows.stride(), columns.stride())


def test_cotangents_are_drawn_once_for_all_variants(monkeypatch: pytest.MonkeyPatch) -> None:
    outputs = [torch.empty(2, 5), torch.empty(3)]
    first = cotangents(outputs, 11)
    monkeypatch.setattr(torch, "randn", None)
    assert all(map(torch.equal, cotangents(outputs, 11), first))
    first[0].zero_()  # whoever writes into his own does not write into the others'
    assert cotangents(outputs, 11)[0].any()


def test_backward_is_with_respect_to_floating_inputs_and_parameters() -> None:
    subject = Subject(nn.Embedding(5, 2), torch.tensor([1, 2]))
    require_gradients(subject)
    assert list(leaves(subject)) == ["parameter/weight"]
    bilinear = Subject(nn.Bilinear(2, 2, 1), torch.randn(1, 2), torch.randn(1, 2))
    require_gradients(bilinear)
    assert sorted(leaves(bilinear)) == ["input/0", "input/1", "parameter/bias", "parameter/weight"]


def test_a_backward_of_the_author_s_own_gets_the_output_each_time() -> None:
    seen: list[float] = []
    subject = Subject(lambda x: x * 3, torch.ones(1), backward=lambda out: seen.append(float(out)))
    block_of(subject, "backward", 0)(3)
    assert seen == [3.0, 3.0, 3.0]


def test_a_backward_with_nothing_to_differentiate_says_what_to_write() -> None:
    subject = Subject(torch.sort, torch.tensor([2, 1]))
    require_gradients(subject)
    with pytest.raises(SuiteError, match=r'give floating inputs or an nn.Module, or declare phases=\("forward",\)'):
        block_of(subject, "backward", 0)


def test_a_training_step_goes_forward_and_backward_each_time() -> None:
    Doubled.seen = []
    calls: list[int] = []

    def call(x: torch.Tensor) -> torch.Tensor:
        calls.append(1)
        return Doubled.apply(x)

    subject = Subject(call, torch.randn(3))
    require_gradients(subject)
    step = training_step(subject, 0)
    before = len(calls)
    (gradient,) = step()  # type: ignore[misc]
    step()
    assert len(calls) - before == len(Doubled.seen) == 2
    assert torch.equal(gradient, 2 * Doubled.seen[0])
