"""Turn a benchmark's build function into blocks that can be timed, fairly: same inputs, same-named weights."""

from __future__ import annotations

import functools
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import repeat
from typing import Any

import numpy
import torch
from torch import nn

from bench.errors import SuiteError
from bench.measure.device import Block
from bench.model import Point
from bench.suite import Benchmark, Subject

# From the seed itself a cotangent would be the first input again, number for number, and BatchNorm's gradient of what
# it has normalised is all but zero.  (torch keeps 32 bits of a seed on the CPU.)
_ANOTHER_STREAM = 1_000_003


def build(benchmark: Benchmark, variant: str, point: Point, torch_name: str, seed: int) -> Subject:
    """The subject of one case, built on the device from a fixed seed.  Raises what the author's code raises."""
    seed_everything(seed)
    with torch.device(torch_name):
        subject = benchmark.build(benchmark.variants[variant], **dict(point))
    if not isinstance(subject, Subject):
        raise SuiteError(
            f"{benchmark.name} returned {type(subject).__name__}: end the build function with "
            "`return Subject(module_or_function, input, …)`"
        )
    return subject


def seed_everything(seed: int) -> None:
    """Python's, NumPy's and torch's generators (all devices)."""
    random.seed(seed)
    numpy.random.seed(seed % 2**32)
    torch.manual_seed(seed)


def share(source: Subject, target: Subject) -> None:
    """Give ``target`` the values of ``source``: inputs of equal shape, parameters and buffers of equal name and shape.

    Seeding alone is not enough: a convolution with a bias draws more numbers, so what is built after it differs.
    Values are copied, layouts stay.
    """
    with torch.no_grad():
        for pair in zip(source.inputs, target.inputs, strict=False):
            for ours, theirs in zip(*map(tensors_in, pair), strict=False):
                _copy_values(ours, theirs)
        if isinstance(source.call, nn.Module) and isinstance(target.call, nn.Module):
            known = source.call.state_dict(keep_vars=True)
            for name, tensor in target.call.state_dict(keep_vars=True).items():
                if name in known:
                    _copy_values(known[name], tensor)


def _copy_values(ours: torch.Tensor, theirs: torch.Tensor) -> None:
    if ours.shape != theirs.shape or not ours.layout == theirs.layout == torch.strided:
        return
    if ours.data_ptr() != theirs.data_ptr() and not overlaps_itself(theirs):
        theirs.copy_(ours)


def overlaps_itself(tensor: torch.Tensor) -> bool:
    """Whether several elements of a strided tensor are one place of memory, as those of ``expand`` are."""
    return any(stride == 0 and size > 1 for stride, size in zip(tensor.stride(), tensor.shape, strict=True))


def tensors_in(value: Any) -> Iterator[torch.Tensor]:
    """All tensors of an output: a tensor, or tuples, lists and mappings of them."""
    if isinstance(value, torch.Tensor):
        yield value
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from tensors_in(item)
    elif isinstance(value, Sequence) and not isinstance(value, (str, bytes)):
        for item in value:
            yield from tensors_in(item)


def parameters(subject: Subject) -> dict[str, torch.Tensor]:
    """The parameters of a module subject by name; empty for a function."""
    return dict(subject.call.named_parameters()) if isinstance(subject.call, nn.Module) else {}


def differentiable_inputs(subject: Subject) -> dict[str, torch.Tensor]:
    """Floating inputs by position, which backward differentiates with respect to."""
    floating = {str(i): x for i, x in enumerate(subject.inputs) if isinstance(x, torch.Tensor)}
    return {name: x for name, x in floating.items() if x.is_floating_point() or x.is_complex()}


def require_gradients(subject: Subject) -> None:
    """Make the floating inputs leaves that collect gradients, as activations of an earlier layer would."""
    for tensor in differentiable_inputs(subject).values():
        if tensor.is_leaf:
            tensor.requires_grad_()


def leaves(subject: Subject) -> dict[str, torch.Tensor]:
    """What backward differentiates with respect to: ``input/0``, …, ``parameter/weight``, …"""
    named = {f"input/{name}": x for name, x in differentiable_inputs(subject).items()}
    named |= {f"parameter/{name}": p for name, p in parameters(subject).items()}
    return {name: tensor for name, tensor in named.items() if tensor.requires_grad}


def cotangents(outputs: Sequence[torch.Tensor], seed: int) -> list[torch.Tensor]:
    """Fixed random cotangents, drawn on the CPU so that every device and layout gets the same values.

    Not ones: ``out.sum().backward()`` hides the order of accumulation and is all but zero through BatchNorm.
    """
    drawn = _drawn(tuple(out.shape for out in outputs), seed + _ANOTHER_STREAM)
    return [torch.empty_like(out).copy_(d) for d, out in zip(drawn, outputs, strict=True)]


@functools.lru_cache(maxsize=1)
def _drawn(shapes: Sequence[torch.Size], seed: int) -> list[torch.Tensor]:
    """Kept until others are asked for: for the results of a GPU drawing takes half a second, and all variants ask."""
    generator = torch.Generator().manual_seed(seed)
    return [torch.randn(shape, generator=generator, device="cpu") for shape in shapes]


def differentiated(subject: Subject) -> list[torch.Tensor]:
    """One forward call's outputs that carry a graph.  Raises SuiteError when there is nothing to differentiate."""
    outputs = [out for out in tensors_in(subject.call(*subject.inputs)) if out.requires_grad]
    if not outputs:
        raise SuiteError(
            'the phase "backward" has nothing to differentiate: give floating inputs or an nn.Module, '
            'or declare phases=("forward",)'
        )
    return outputs


def block_of(subject: Subject, phase: str, seed: int) -> Block:
    """What is timed in a phase.  The graph of backward is made here, once, and retained: backward is timed alone."""
    if phase == "backward":
        return _backward_block(subject, seed)
    calls = _calls(subject.call, subject.inputs)
    return _without_grad(calls) if phase == "inference" else calls


def training_step(subject: Subject, seed: int) -> Callable[[], object]:
    """One forward and backward call, nothing retained: what the peak of ``memory/peak/backward`` means.

    The cotangents are there before, as if a later layer had made them: drawing them is no part of the step.
    """
    backward = subject.backward
    if backward is not None:
        return lambda: backward(subject.call(*subject.inputs))
    wanted, drawn = list(leaves(subject).values()), cotangents(differentiated(subject), seed)
    return lambda: torch.autograd.grad(differentiated(subject), wanted, drawn, allow_unused=True)


def _backward_block(subject: Subject, seed: int) -> Block:
    if subject.backward is not None:
        return _calls(subject.backward, (subject.call(*subject.inputs),))
    outputs, wanted = differentiated(subject), list(leaves(subject).values())
    drawn, grad = cotangents(outputs, seed), torch.autograd.grad

    def block(loops: int) -> None:
        for _ in repeat(None, loops):
            grad(outputs, wanted, drawn, retain_graph=True, allow_unused=True)

    return block


def _without_grad(block: Block) -> Block:
    def quiet(loops: int) -> None:
        with torch.no_grad():
            block(loops)

    return quiet


def _calls(call: Callable[..., object], inputs: Sequence[Any]) -> Block:
    """A bare loop over ``call(*inputs)``.

    Written out for up to three inputs: unpacking a tuple costs some 30 ns a call, 1 % of a 3 us op.
    """
    loops_by_arity: dict[int, Callable[..., Block]] = {0: _calls0, 1: _calls1, 2: _calls2, 3: _calls3}
    if len(inputs) in loops_by_arity:
        return loops_by_arity[len(inputs)](call, *inputs)
    arguments = tuple(inputs)

    def block(loops: int) -> None:
        for _ in repeat(None, loops):
            call(*arguments)

    return block


def _calls0(call: Callable[..., object]) -> Block:
    def block(loops: int) -> None:
        for _ in repeat(None, loops):
            call()

    return block


def _calls1(call: Callable[..., object], a: Any) -> Block:
    def block(loops: int) -> None:
        for _ in repeat(None, loops):
            call(a)

    return block


def _calls2(call: Callable[..., object], a: Any, b: Any) -> Block:
    def block(loops: int) -> None:
        for _ in repeat(None, loops):
            call(a, b)

    return block


def _calls3(call: Callable[..., object], a: Any, b: Any, c: Any) -> Block:
    def block(loops: int) -> None:
        for _ in repeat(None, loops):
            call(a, b, c)

    return block
