"""Print the largest resident memory, in bytes, of a runner that measures so many cases: self_parent.py CASES FOLDER."""

from __future__ import annotations

import resource
import sys
from dataclasses import dataclass, field
from pathlib import Path

from bench.discover import discover
from bench.measure.crew import Side
from bench.measure.runner import Options, Run, Target, make_groups
from bench.measure.session import new_manifest
from bench.store import Store
from bench.testing import ScriptedLauncher, Silent

SUITE = '''
"""What does a case cost the runner?"""

from bench import Subject, benchmark


@benchmark(variants={{"a": 0, "b": 1}}, cpu={{"n": list(range({groups}))}})
def cheap(value, n):
    """Nobody builds it: the workers are scripted."""
    return Subject(abs, n)
'''


@dataclass(slots=True)
class Forgetful(list[str]):
    """A transcript would grow with the run, and is the test's own."""

    kept: list[str] = field(default_factory=list)

    def append(self, line: str) -> None:
        pass


def measure(cases: int, folder: Path) -> None:
    (folder / "cheap.py").write_text(SUITE.format(groups=cases // 2))
    found = discover([str(folder / "cheap.py")])
    options = Options(
        device="cpu", tier="large", processes=12, precision=0.01, budget_seconds=1e6, seed=0, limit_seconds=1.0
    )
    chosen = found[0].benchmark.cases(found[0].suite, "cpu", "large")
    manifest = new_manifest("self", [str(folder)], found, chosen, options, ["self_parent.py"])
    store = Store(folder / "report")
    side = Side(launcher=ScriptedLauncher(transcript=Forgetful()))
    groups = make_groups(found, chosen, options)
    Run(options, groups, {"": Target(side=side, store=store, manifest=manifest)}, progress=Silent()).go()
    store.close()


if __name__ == "__main__":
    measure(int(sys.argv[1]), Path(sys.argv[2]))
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024)
