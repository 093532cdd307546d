"""Which of torch's operators a call runs, for whoever knows what is documented of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode


def operators(call: Callable[[], object]) -> tuple[str, ...]:
    """Names such as ``index_put``, and once more with each mark that says what else documentation depends on.

    ``index_put accumulate`` ran with that argument true, ``index_put overwrite`` with false; ``cumsum floating`` had a
    floating or complex tensor; ``median.dim`` is the overload that also gives indices.
    """
    recorder = _Recorder()
    with recorder:
        call()
    return tuple(sorted(recorder.names))


class _Recorder(TorchDispatchMode):  # type: ignore[no-untyped-call]
    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.names: set[str] = set()

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Iterable[Any] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        self.names |= _names(func, list(args), kwargs or {})
        return func(*args, **(kwargs or {}))


def _names(func: Any, args: list[Any], kwargs: dict[str, Any]) -> set[str]:
    name = func._schema.name.partition("::")[2].strip("_")
    given = dict(zip((a.name for a in func._schema.arguments), args, strict=False)) | kwargs
    tensors = [value for value in given.values() if isinstance(value, torch.Tensor)]
    takes = {argument.name for argument in func._schema.arguments}
    marks = {
        " accumulate": given.get("accumulate") is True,
        " overwrite": "accumulate" in takes and not given.get("accumulate"),
        " floating": any(t.is_floating_point() or t.is_complex() for t in tensors),
        " sparse": any(t.layout != torch.strided for t in tensors),
        " quantized": any(t.is_quantized for t in tensors),
        f" reduce={given.get('reduce')}": "reduce" in takes,
        f" mode={given.get('mode')}": "mode" in takes,
        f".{func._overloadname}": func._overloadname not in ("", "default"),
    }
    return {name, *(f"{name}{mark}" for mark, applies in marks.items() if applies)}
