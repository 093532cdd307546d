"""What every test may use."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

GOLDEN = Path(__file__).parent / "golden"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--accept", action="store_true", help="write the golden files instead of comparing with them")


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Tests marked ``cuda`` need a device; without one they are skipped."""
    if item.get_closest_marker("cuda") is not None:
        import torch

        if not torch.cuda.is_available():
            pytest.skip("no CUDA device")


@pytest.fixture
def golden(request: pytest.FixtureRequest) -> Callable[[str, str], None]:
    """``golden("compare.md", text)``: the text is what tests/golden/compare.md holds, to the letter."""

    def check(name: str, text: str) -> None:
        path = GOLDEN / name
        if request.config.getoption("--accept"):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8", newline="")
        if not path.exists():
            pytest.fail(f"no golden file {path}: look at the text, then run pytest --accept\n{text}")
        with open(path, encoding="utf-8", newline="") as file:
            assert text == file.read(), f"differs from {path}: if the new text is right, run pytest --accept"

    return check


@pytest.fixture
def end(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[Callable[..., tuple[int, str, str]]]:
    """``end("run", "--tier", "x")``: the status, standard output and standard error, without a new process."""
    from bench import cli

    terminate = signal.getsignal(signal.SIGTERM)

    def call(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["bench", *arguments])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        out, err = capsys.readouterr()
        return int(ended.value.code or 0), out, err

    yield call
    signal.signal(signal.SIGTERM, terminate)
