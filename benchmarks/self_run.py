"""Run `bench` with a stopwatch on all that the runner asks of workers: self_run.py FILE ARGUMENTS…

FILE gets the seconds by kind of request as JSON; `start` and `end` are a worker's beginning and end, `lock`
is waiting for the device, `wall` is all.
"""

from __future__ import annotations

import json
import sys
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bench.cli import main
from bench.measure import lock
from bench.measure.workers import Processes, ProcessWorker


def timed(call: Callable[..., Any], spent: dict[str, float], name: str = "") -> Callable[..., Any]:
    """The same call, with its seconds added under a name, else under the kind of what it is given."""

    def stopwatch(*args: Any, **options: Any) -> Any:
        start = time.perf_counter()
        try:
            return call(*args, **options)
        finally:
            spent[name or type(args[1]).__name__] += time.perf_counter() - start

    return stopwatch


def run(file: Path, arguments: list[str]) -> None:
    start, spent = time.perf_counter(), defaultdict[str, float](float)
    ProcessWorker.ask = timed(ProcessWorker.ask, spent)  # type: ignore[method-assign]
    ProcessWorker.close = timed(ProcessWorker.close, spent, "end")  # type: ignore[method-assign]
    lock._acquire = timed(lock._acquire, spent, "lock")
    Processes.launch = timed(Processes.launch, spent, "start")  # type: ignore[method-assign]
    sys.argv = ["bench", *arguments]
    try:
        main()
    finally:
        file.write_text(json.dumps({**spent, "wall": time.perf_counter() - start}))


if __name__ == "__main__":
    run(Path(sys.argv[1]), sys.argv[2:])
