"""The knob matrix: the switches that may change bits or speed, as processes that have them set."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from bench.suite import Settings

# cuBLAS repeats its bits only with a fixed workspace (cuBLAS documentation, "Results Reproducibility"); with
# use_deterministic_algorithms PyTorch refuses matrix products without it.
_WORKSPACE = {"CUBLAS_WORKSPACE_CONFIG": ":4096:8"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One setting of the knobs; ``name`` is the ``knobs`` column of reports.

    ``must_agree``: nothing that a result may depend on is set, so its bits must be those of the default cell.
    ``may_raise``: PyTorch refuses what it has no deterministic algorithm for.  ``is_timed``: whether anybody would run
    with it for long.
    """

    name: str
    settings: Settings = field(default_factory=Settings)
    must_agree: bool = False
    may_raise: bool = False
    is_timed: bool = True

    @property
    def is_default(self) -> bool:
        """Whether it is the cell that the others are compared with."""
        return self.settings == Settings()


# Knobs one by one, and the two that work together; not the whole product, of whose 2^6 cells most say nothing new.
DEFAULT = Cell(name="default", must_agree=True)
# What depends on hashes may depend on addresses as well, which are then random too.
_EVERYWHERE = (
    DEFAULT,
    *(
        Cell(
            name=f"PYTHONHASHSEED={seed}",
            settings=Settings(environment={"PYTHONHASHSEED": seed, "BENCH_FIXED_ADDRESSES": ""}),
            must_agree=True,
            is_timed=False,
        )
        for seed in ("1", "2")
    ),
)


def _deterministic(environment: Mapping[str, str]) -> tuple[Cell, ...]:
    """Warn, raise, and raise with PyTorch's default of filling memory: apart, because that is most of the cost."""

    def setting(mode: bool | Literal["warn"], fill: bool) -> Settings:
        return Settings(deterministic_algorithms=mode, fill_uninitialized_memory=fill, environment=environment)

    return (
        Cell(name="deterministic=warn", settings=setting("warn", fill=False), is_timed=False),
        Cell(name="deterministic=on", settings=setting(True, fill=False), may_raise=True),
        Cell(name="deterministic=on,fill=on", settings=setting(True, fill=True)),
    )


_CPU = (
    *_deterministic({}),
    Cell(name="threads=1", settings=Settings(threads=1)),
    Cell(name="onednn=off", settings=Settings(mkldnn=False)),
    Cell(name="onednn.deterministic=on", settings=Settings(mkldnn_deterministic=True)),
    Cell(name="precision=medium", settings=Settings(matmul_precision="medium")),
    Cell(name="onednn.fpmath=bf16", settings=Settings(environment={"ONEDNN_DEFAULT_FPMATH_MODE": "BF16"})),
)
_CUDA = (
    Cell(name="cudnn.benchmark=on", settings=Settings(cudnn_benchmark=True)),
    Cell(name="cudnn.deterministic=on", settings=Settings(cudnn_deterministic=True)),
    Cell(
        name="cudnn.benchmark+deterministic=on",
        settings=Settings(cudnn_benchmark=True, cudnn_deterministic=True),
    ),
    Cell(name="tf32=off", settings=Settings(matmul_precision="highest", cudnn_allow_tf32=False)),
    Cell(name="tf32=on", settings=Settings(matmul_precision="high", cudnn_allow_tf32=True)),
    Cell(name="cublas.workspace=fixed", settings=Settings(environment=_WORKSPACE)),
    *_deterministic(_WORKSPACE),
)


def cells(kind: str) -> tuple[Cell, ...]:
    """The knob matrix of ``cpu`` or ``cuda``, the default first."""
    return (*_EVERYWHERE, *(_CPU if kind == "cpu" else _CUDA))
