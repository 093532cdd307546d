"""The knob matrix: the switches that may change bits or speed, as processes that have them set."""

from __future__ import annotations

from dataclasses import dataclass, field

from bench.suite import Settings

# cuBLAS repeats its bits only with a fixed workspace (cuBLAS documentation, "Results Reproducibility"); with
# use_deterministic_algorithms PyTorch refuses matrix products without it.
_WORKSPACE = {"CUBLAS_WORKSPACE_CONFIG": ":4096:8"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One setting of the knobs; ``name`` is the ``knobs`` column of reports.

    ``must_agree``: nothing that a result may depend on is set, so its bits must be those of the default cell.
    ``is_timed``: whether anybody would run with it for long.
    """

    name: str
    settings: Settings = field(default_factory=Settings)
    must_agree: bool = False
    is_timed: bool = True

    @property
    def is_default(self) -> bool:
        """Whether it is the cell that the others are compared with."""
        return self.settings == Settings()


# Knobs one by one, and the two that work together; not the whole product, of whose 2^6 cells most say nothing new.
DEFAULT = Cell(name="default", must_agree=True)
_EVERYWHERE = (
    DEFAULT,
    *(
        Cell(
            name=f"PYTHONHASHSEED={seed}",
            settings=Settings(environment={"PYTHONHASHSEED": seed}),
            must_agree=True,
            is_timed=False,
        )
        for seed in ("1", "2")
    ),
)
_CPU = (
    Cell(
        name="deterministic=warn",
        settings=Settings(deterministic_algorithms="warn", fill_uninitialized_memory=False),
        is_timed=False,
    ),
    Cell(name="deterministic=on", settings=Settings(deterministic_algorithms=True, fill_uninitialized_memory=False)),
    # PyTorch's default with deterministic=on; apart, because it is most of the cost (METHOD.md section 8)
    Cell(
        name="deterministic=on,fill=on",
        settings=Settings(deterministic_algorithms=True, fill_uninitialized_memory=True),
    ),
    Cell(name="threads=1", settings=Settings(threads=1)),
    Cell(name="onednn=off", settings=Settings(mkldnn=False)),
    Cell(name="onednn.deterministic=on", settings=Settings(mkldnn_deterministic=True)),
    Cell(name="precision=medium", settings=Settings(matmul_precision="medium")),
    Cell(
        name="ONEDNN_DEFAULT_FPMATH_MODE=BF16",
        settings=Settings(environment={"ONEDNN_DEFAULT_FPMATH_MODE": "BF16"}),
    ),
)
_CUDA = (
    Cell(name="cudnn.benchmark=on", settings=Settings(cudnn_benchmark=True)),
    Cell(name="cudnn.deterministic=on", settings=Settings(cudnn_deterministic=True)),
    Cell(
        name="cudnn.benchmark=on,cudnn.deterministic=on",
        settings=Settings(cudnn_benchmark=True, cudnn_deterministic=True),
    ),
    Cell(name="tf32=off", settings=Settings(matmul_precision="highest", cudnn_allow_tf32=False)),
    Cell(name="tf32=on", settings=Settings(matmul_precision="high", cudnn_allow_tf32=True)),
    Cell(name="CUBLAS_WORKSPACE_CONFIG=:4096:8", settings=Settings(environment=_WORKSPACE)),
    Cell(
        name="deterministic=warn",
        settings=Settings(deterministic_algorithms="warn", fill_uninitialized_memory=False, environment=_WORKSPACE),
        is_timed=False,
    ),
    Cell(
        name="deterministic=on",
        settings=Settings(deterministic_algorithms=True, fill_uninitialized_memory=False, environment=_WORKSPACE),
    ),
    Cell(
        name="deterministic=on,fill=on",
        settings=Settings(deterministic_algorithms=True, fill_uninitialized_memory=True, environment=_WORKSPACE),
    ),
)


def cells(kind: str) -> tuple[Cell, ...]:
    """The knob matrix of ``cpu`` or ``cuda``, the default first."""
    return (*_EVERYWHERE, *(_CPU if kind == "cpu" else _CUDA))
