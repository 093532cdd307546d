"""What a call may change besides its result, put back afterwards: tensors, generators, torch's global switches."""

from __future__ import annotations

import contextlib
import functools
import itertools
import random
import types
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy
import torch
from torch import nn

from bench.measure.bits import same_bits
from bench.measure.subject import overlaps_itself, tensors_in
from bench.suite import Subject


class Snapshot:
    """A subject's tensors (inputs, parameters, buffers), every generator and every switch, as they were.

    Modules and generators count that the call owns: itself, its inputs, and what it can reach (a closure, a
    ``partial``, a DataLoader).  Other Python objects do not: a cache that changes results should be seen.
    """

    def __init__(self, subject: Subject) -> None:
        things = tuple(_reachable(subject))
        self._inputs = tuple(
            _Held(name=f"input/{i}", tensor=x, saved=x.detach().clone()) for i, x in enumerate(_inputs(subject))
        )
        self._state = tuple(_slots(thing for thing in things if isinstance(thing, nn.Module)))
        generators = (*_global_generators(), *(g for thing in things for g in _own_generator(thing)))
        self._generators = tuple((generator, generator.get()) for generator in generators)
        self._switches = tuple((switch, switch.get()) for switch in _SWITCHES)

    def changed_inputs(self) -> tuple[str, ...]:
        """Names of the inputs that are not what they were."""
        return tuple(held.name for held in self._inputs if held.is_changed)

    def changed_state(self) -> tuple[str, ...]:
        """Names of the parameters and buffers that are not what they were."""
        return tuple(held.name for held in self._state if held.is_changed)

    def drew_random_numbers(self) -> bool:
        """Whether a generator has moved on."""
        return any(_text(generator.get()) != _text(state) for generator, state in self._generators)

    def restore_all_but_state(self) -> None:
        """Put inputs, generators and switches back, and leave parameters and buffers."""
        for held in self._inputs:
            held.restore()
        for generator, state in self._generators:
            generator.set(state)
        for switch, value in self._switches:
            if switch.get() != value:
                switch.set(value)

    def restore(self) -> None:
        """Put everything back."""
        self.restore_all_but_state()
        for held in self._state:
            held.restore()


@contextlib.contextmanager
def untouched(subject: Subject) -> Iterator[Snapshot]:
    """Whatever happens inside, also an exception, leaves the subject, the generators and the switches as they were."""
    before = Snapshot(subject)
    try:
        yield before
    finally:
        before.restore()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Held:
    """A tensor with its values as they were; ``module`` and ``attribute``: where it hangs, if it does."""

    name: str
    tensor: torch.Tensor
    saved: torch.Tensor
    module: nn.Module | None = None
    attribute: str = ""

    @property
    def is_changed(self) -> bool:
        """By bits and not by version: BatchNorm writes its statistics without raising theirs."""
        replaced = self.module is not None and getattr(self.module, self.attribute, None) is not self.tensor
        return replaced or not same_bits(self.tensor, self.saved)

    def restore(self) -> None:
        if not self.is_changed:
            return
        if self.module is not None:
            setattr(self.module, self.attribute, self.tensor)
        with torch.no_grad():
            self.tensor.detach().copy_(self.saved)


def _inputs(subject: Subject) -> Iterator[torch.Tensor]:
    """Inputs that can be copied back: expanded ones share their elements, and nobody may write to those either."""
    for x in (*tensors_in(subject.inputs), *_arrays(subject.inputs)):
        if x.layout == torch.strided and not overlaps_itself(x):
            yield x


def _arrays(inputs: Iterable[Any]) -> Iterator[torch.Tensor]:
    """NumPy inputs that can be written to, as tensors on the same memory."""
    for x in inputs:
        if isinstance(x, numpy.ndarray) and x.flags.writeable:
            with contextlib.suppress(TypeError, ValueError):  # texts, negative strides
                yield torch.from_numpy(x)


def _slots(modules: Iterable[nn.Module]) -> Iterator[_Held]:
    """Every parameter and buffer of these modules, each once."""
    seen: set[nn.Module] = set()
    for root in modules:
        for path, module in root.named_modules():
            if module in seen:
                continue
            seen.add(module)
            held = (*module.named_parameters(recurse=False), *module.named_buffers(recurse=False))
            for attribute, tensor in held:
                name = f"{path}.{attribute}".lstrip(".")
                yield _Held(name=name, tensor=tensor, saved=tensor.detach().clone(), module=module, attribute=attribute)


# --- what a call owns ------------------------------------------------------------------------------------------------

_DEEPEST, _MOST = 4, 100  # a DataLoader's generator is two steps from a closure; a list of data is no place to look


def _reachable(subject: Subject) -> Iterator[object]:
    """The call, its inputs and what hangs on them, each once."""
    seen: set[int] = set()
    layer: list[object] = [subject.call, *subject.inputs]
    for _ in range(_DEEPEST):
        layer = list({id(thing): thing for thing in layer if id(thing) not in seen}.values())
        seen |= {id(thing) for thing in layer}
        yield from layer
        layer = [part for thing in layer for part in itertools.islice(_parts(thing), _MOST)]


def _parts(thing: object) -> Iterator[object]:
    if isinstance(thing, functools.partial):
        yield from (thing.func, *thing.args, *thing.keywords.values())
    elif isinstance(thing, types.MethodType):
        yield from (thing.__func__, thing.__self__)
    elif isinstance(thing, types.FunctionType):
        yield from _held_by(thing)
    elif isinstance(thing, Mapping):
        yield from thing.values()
    elif isinstance(thing, (list, tuple)):
        yield from thing
    elif isinstance(thing, nn.Module):
        yield from (value for part in thing.modules() for value in vars(part).values())
    elif not isinstance(thing, (type, types.ModuleType, torch.Tensor, numpy.ndarray)):
        yield from getattr(thing, "__dict__", {}).values()


def _held_by(function: types.FunctionType) -> Iterator[object]:
    """What a function closes over, its defaults, and the modules and generators that it names."""
    for cell in function.__closure__ or ():
        with contextlib.suppress(ValueError):  # not filled yet
            yield cell.cell_contents
    yield from function.__defaults__ or ()
    yield from (function.__kwdefaults__ or {}).values()
    named = (function.__globals__.get(name) for name in function.__code__.co_names)
    yield from (value for value in named if isinstance(value, (nn.Module, *_GENERATORS)))


# --- generators and switches -----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Setting:
    """One thing that can be read and set."""

    get: Callable[[], Any]
    set: Callable[[Any], object]


_GENERATORS = (torch.Generator, numpy.random.Generator, numpy.random.RandomState, random.Random)


def _global_generators() -> Iterator[_Setting]:
    yield _Setting(random.getstate, random.setstate)
    yield _Setting(numpy.random.get_state, numpy.random.set_state)
    yield _Setting(torch.get_rng_state, torch.set_rng_state)
    if torch.cuda.is_initialized():  # type: ignore[no-untyped-call]
        yield _Setting(torch.cuda.get_rng_state_all, torch.cuda.set_rng_state_all)


def _own_generator(thing: object) -> Iterator[_Setting]:
    if isinstance(thing, torch.Generator):
        yield _Setting(thing.get_state, thing.set_state)
    elif isinstance(thing, random.Random):
        yield _Setting(thing.getstate, thing.setstate)
    elif isinstance(thing, numpy.random.RandomState):
        yield _Setting(thing.get_state, thing.set_state)
    elif isinstance(thing, numpy.random.Generator):
        bits: Any = thing.bit_generator
        yield _Setting(lambda: bits.state, functools.partial(setattr, bits, "state"))


def _text(state: object) -> object:
    """A generator's state as something that ``!=`` compares in one piece."""
    if isinstance(state, torch.Tensor):
        return state.cpu().numpy().tobytes()
    if isinstance(state, numpy.ndarray):
        return state.tobytes()
    if isinstance(state, Mapping):
        return {key: _text(value) for key, value in state.items()}
    return tuple(map(_text, state)) if isinstance(state, (list, tuple)) and len(state) < _MOST else state


def _attribute(owner: Any, name: str) -> _Setting:
    """A switch that torch has as an attribute; one that it refuses to tell is left alone."""

    def get() -> object:
        try:
            return getattr(owner, name)
        except (AttributeError, RuntimeError):  # an older torch; a switch set by torch's newer names
            return None

    return _Setting(get, functools.partial(setattr, owner, name))


def _deterministic() -> tuple[bool, bool]:
    return torch.are_deterministic_algorithms_enabled(), torch.is_deterministic_algorithms_warn_only_enabled()


_SWITCHES = (
    _Setting(_deterministic, lambda value: torch.use_deterministic_algorithms(value[0], warn_only=value[1])),
    _attribute(torch.utils.deterministic, "fill_uninitialized_memory"),
    *(_attribute(torch.backends.cudnn, name) for name in ("enabled", "benchmark", "deterministic", "allow_tf32")),
    *(_attribute(torch.backends.mkldnn, name) for name in ("enabled", "deterministic")),
    _Setting(torch.get_float32_matmul_precision, torch.set_float32_matmul_precision),
    _Setting(torch.get_num_threads, torch.set_num_threads),
    _Setting(torch.get_default_dtype, torch.set_default_dtype),
    _Setting(torch.is_grad_enabled, torch.set_grad_enabled),
)
