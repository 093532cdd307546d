"""How much work a call does: multiply-adds by thop, FLOPs by torch's counter, and the author's formula."""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Callable, Mapping, Sequence

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from bench.measure.subject import cotangents, differentiated, leaves, require_gradients
from bench.suite import Subject


def measure(subject: Subject, phases: Sequence[str], seed: int) -> dict[str, float]:
    """Metric name -> count.  ``subject`` is a throw-away build: thop leaves buffers in the module."""
    values = _declared("work/flops(formula)", subject.flops) | _declared("bytes_moved", subject.bytes_moved)
    counters: dict[str, Callable[[], float]] = {"work/flops(torch)": lambda: _forward_flops(subject)}
    if "backward" in phases and subject.backward is None:
        counters["work/flops(torch)/backward"] = lambda: _backward_flops(subject, seed)
    if isinstance(subject.call, nn.Module):
        counters["work/macs(thop)"] = lambda: _thop_macs(subject)
    for name, count in counters.items():
        values |= _counted(name, count)
    return values


def _counted(name: str, count: Callable[[], float]) -> dict[str, float]:
    """The count, or a warning: one that fails takes no measurement with it."""
    try:
        return {name: count()}
    except Exception as error:
        warnings.warn(f"no {name}: {type(error).__name__}: {error}", stacklevel=2)
        return {}


def _declared(name: str, amount: int | Mapping[str, int] | None) -> dict[str, float]:
    if amount is None:
        return {}
    if isinstance(amount, Mapping):
        return {name if phase == "forward" else f"{name}/{phase}": float(n) for phase, n in amount.items()}
    return {name: float(amount)}


def _forward_flops(subject: Subject) -> float:
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        subject.call(*subject.inputs)
    return float(counter.get_total_flops())


def _backward_flops(subject: Subject, seed: int) -> float:
    require_gradients(subject)
    outputs = differentiated(subject)
    drawn = cotangents(outputs, seed)
    with FlopCounterMode(display=False) as counter:
        torch.autograd.grad(outputs, list(leaves(subject).values()), drawn, allow_unused=True)
    return float(counter.get_total_flops())


def _thop_macs(subject: Subject) -> float:
    """Multiply-adds of the modules thop knows (2022: it counts no functional calls)."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # thop 0.1.1 asks distutils for versions when it is imported
        from thop import profile
    with torch.no_grad():
        macs, _ = profile(subject.call, inputs=subject.inputs, verbose=False)
    return float(macs)


def preload() -> None:
    """Import thop now, so that no worker forked later pays for it."""
    with contextlib.suppress(ImportError), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import thop  # noqa: F401
