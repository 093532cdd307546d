"""Run `bench` with a stopwatch on all that the runner asks of workers: self_run.py FILE ARGUMENTS…

FILE gets the seconds by kind of request as JSON; `start` and `end` are a worker's beginning and end, `lock`
is waiting for the device, `wall` is all but that; `left` is what was left after a third of it, `told left` what the
display said.
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
from bench.report.progress import Progress


def timed(call: Callable[..., Any], spent: dict[str, float], name: str = "") -> Callable[..., Any]:
    """The same call, with its seconds added under a name, else under the kind of what it is given."""

    def stopwatch(*args: Any, **options: Any) -> Any:
        start = time.perf_counter()
        try:
            return call(*args, **options)
        finally:
            spent[name or type(args[1]).__name__] += time.perf_counter() - start

    return stopwatch


def listening(call: Callable[..., None], heard: list[tuple[float, float]]) -> Callable[..., None]:
    """A progress's method that also keeps when it was called, and the seconds left that a display would show."""

    def listen(progress: Progress, *args: Any) -> None:
        call(progress, *args)
        heard.append((time.perf_counter(), progress.seconds_left()))

    return listen


def run(file: Path, arguments: list[str]) -> None:
    start, spent = time.perf_counter(), defaultdict[str, float](float)
    ProcessWorker.ask = timed(ProcessWorker.ask, spent)  # type: ignore[method-assign]
    ProcessWorker.close = timed(ProcessWorker.close, spent, "end")  # type: ignore[method-assign]
    lock._acquire = timed(lock._acquire, spent, "lock")
    heard: list[tuple[float, float]] = []
    Progress.process_done = listening(Progress.process_done, heard)  # type: ignore[method-assign]
    Processes.launch = timed(Processes.launch, spent, "start")  # type: ignore[method-assign]
    sys.argv = ["bench", *arguments]
    try:
        main()
    finally:
        end = time.perf_counter()
        start += spent["lock"]
        at, told = next(((at, left) for at, left in heard if at - start > (end - start) / 3), (end, 0.0))
        file.write_text(json.dumps({**spent, "wall": end - start, "told left": told, "left": end - at}))


if __name__ == "__main__":
    run(Path(sys.argv[1]), sys.argv[2:])
