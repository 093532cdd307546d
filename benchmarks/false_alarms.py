"""How often does each tool cry wolf on identical code, and how often does it find a planted slowdown?

    python benchmarks/false_alarms.py --repeats 12 --output DIR

Eight small operations (``workloads/_ops.py``) are measured again and again by pytest-benchmark, torch.utils.benchmark,
pyperf and this harness, in turn on one machine, as they are and slowed down by 2, 5 and 10 %; for want of time pyperf
is never slowed down, and ``bench ab``, the longest row and runs beside a reference only by 5 %.  Then every two
runs of a tool are compared as that tool compares.  A repeat takes some minutes; whatever is in DIR already is not
measured again, and ``--table`` only prints what is there.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import permutations, product
from pathlib import Path

from bench.analysis.intervals import share_interval
from bench.interop.comparing import compare_paths
from bench.measure.ab import judge_ab

HERE = Path(__file__).parent / "workloads"
sys.path.insert(0, str(HERE))
SHARES = (0.0, 0.02, 0.05, 0.10)
LIMIT = 1.05  # "fail at 5 % slower", the gate most projects write

Alarms = Callable[[Path, Path], set[str]]


@dataclass(frozen=True, kw_only=True)
class Tool:
    """How a tool is run into a folder, and which operations of a second run it calls slower than in a first."""

    name: str
    command: Callable[[Path, dict[str, str]], list[str]]
    alarms: Alarms
    paired: bool = False  # one run holds both sides
    plants: bool = False  # its command gives one side what is planted
    shares: tuple[float, ...] = SHARES


def medians_of_pytest(folder: Path) -> dict[str, float]:
    """Operation -> median seconds."""
    data = json.loads((folder / "out.json").read_text(encoding="utf-8"))
    return {b["params"]["name"]: b["stats"]["median"] for b in data["benchmarks"]}


def by_median(read: Callable[[Path], dict[str, float]]) -> Alarms:
    """The rule of ``--benchmark-compare-fail=median:5%``."""

    def alarms(base: Path, new: Path) -> set[str]:
        old, fresh = read(base), read(new)
        return {name for name in old if fresh[name] > LIMIT * old[name]}

    return alarms


def by_pyperf(base: Path, new: Path) -> set[str]:
    """Operations that ``pyperf compare_to`` calls slower: significant, whatever the size."""
    command = [sys.executable, "-m", "pyperf", "compare_to", str(base / "out.json"), str(new / "out.json")]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return {line.split(":")[0] for line in said.splitlines() if "slower" in line and "Geometric mean" not in line}


def by_compare(base: Path, new: Path) -> set[str]:
    """Operations whose time ``bench compare`` calls worse."""
    comparison = compare_paths([base, new], accepted=Path(os.devnull) / "none")
    return _worse(comparison)


def by_ab(_: Path, new: Path) -> set[str]:
    """Operations whose time ``bench ab`` calls worse."""
    return _worse(judge_ab(new, floor=0.02))


def by_claims(_: Path, new: Path) -> set[str]:
    """Operations of which a claim that the two variants differ is confirmed."""
    with open(new / "verdicts.csv", newline="", encoding="utf-8") as file:
        return {name_in(row["case"]) for row in csv.DictReader(file) if row["verdict"] == "confirmed"}


def name_in(case: str) -> str:
    """The operation of a case."""
    return case.partition("name=")[2].partition("]")[0]


def _worse(comparison: object) -> set[str]:
    changes = [c for pair in comparison.pairs for c in pair.changes]  # type: ignore[attr-defined]
    return {name_in(c.case) for c in changes if c.state == "worse" and "time/" in c.metric}


def bench(*words: str) -> list[str]:
    """The harness's command line, without a progress display."""
    return [sys.executable, "-m", "bench", *words]


def tools(
    seconds: float, processes: int, reference_seconds: float, ab_seconds: float, twin_seconds: float
) -> tuple[Tool, ...]:
    """The tools as they are compared.  ``seconds``: of torch.utils.benchmark on each operation."""
    return (
        Tool(
            name="pytest-benchmark, defaults, median > 5 %",
            command=lambda out, _: (
                [
                    sys.executable,
                    "-m",
                    "pytest",
                    "-q",
                    "-p",
                    "no:cacheprovider",
                    "-c",
                    os.devnull,
                    str(HERE / "pytest_ops.py"),
                    f"--benchmark-json={out / 'out.json'}",
                ]
            ),
            alarms=by_median(medians_of_pytest),
        ),
        Tool(
            name="torch.utils.benchmark, median > 5 %",
            command=lambda out, _: (
                [
                    "sh",
                    "-c",
                    f'"$0" "$1" {seconds:g} > "$2"',
                    sys.executable,
                    str(HERE / "timer_ops.py"),
                    str(out / "out.json"),
                ]
            ),
            alarms=by_median(lambda folder: json.loads((folder / "out.json").read_text(encoding="utf-8"))),
        ),
        Tool(
            name="pyperf, one process, compare_to",
            command=lambda out, _: (
                [
                    sys.executable,
                    str(HERE / "pyperf_ops.py"),
                    "-q",
                    "-p1",
                    "-o",
                    str(out / "out.json"),
                    "--inherit-environ",
                    "OMP_NUM_THREADS,INJECT,PYTHONPATH",
                ]
            ),
            alarms=by_pyperf,
            shares=(0.0,),  # two processes for every operation: the slowest of all
        ),
        _compared("bench run, bench compare", "--processes", str(processes)),
        _compared(
            "bench run --reference, bench compare",
            *("--reference", str(HERE / "unplanted_python.sh"), "--budget", f"{reference_seconds:g}s"),
            shares=(0.0, 0.05),
        ),
        _ab("bench ab", ab_seconds),
        _variants("bench run, both as variants", twin_seconds, SHARES),
        _variants("bench run, both as variants, longer", 5 * twin_seconds, (0.0, 0.05)),
    )


def _compared(name: str, *options: str, shares: tuple[float, ...] = SHARES) -> Tool:
    """Two runs, and a comparison of what they left."""
    run = [*bench("run", str(HERE / "op.py"), "--device", "cpu", "--determinism", "off", "-q"), *options]
    return Tool(
        name=name,
        command=lambda out, _: [*run, "--output", str(out), "--wait", "600s"],
        alarms=by_compare,
        shares=shares,
    )


def _ab(name: str, seconds: float) -> Tool:
    """Both sides in turn."""
    return Tool(
        name=name,
        command=lambda out, env: (
            bench("ab", str(HERE / "op.py"), "--device", "cpu", "--fail-on", "none")
            + ["--budget", f"{seconds:g}s", "--output", str(out), "--wait", "600s"]
            + [word for key, value in env.items() for word in ("--b-env", f"{key}={value}")]
        ),
        alarms=by_ab,
        paired=True,
        plants=True,
        shares=(0.0, 0.05),
    )


def _variants(name: str, seconds: float, shares: tuple[float, ...]) -> Tool:
    """Both sides in one run, for so many seconds of measuring."""
    return Tool(
        name=name,
        command=lambda out, _: (
            [
                *bench("run", str(HERE / "twins.py"), "--device", "cpu", "--determinism", "off", "-q"),
                "--budget",
                f"{seconds:g}s",
                "--output",
                str(out),
                "--wait",
                "600s",
            ]
        ),
        alarms=by_claims,
        paired=True,
        shares=shares,
    )


def measure(tool: Tool, folder: Path, share: float) -> None:
    """One run of a tool, unless it was there; the wall time beside it."""
    if (folder / "seconds").exists():
        return
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    planted = {"INJECT": f"{share:.2f}"}  # of one length always: a longer environment moves what follows it
    environment = {**os.environ, "INJECT": "0.00", **({} if tool.plants else planted)}
    start = time.monotonic()
    done = subprocess.run(
        tool.command(folder, planted), env=environment, capture_output=True, text=True, check=False, cwd=HERE
    )
    if done.returncode:
        raise SystemExit(f"{tool.name} failed:\n{done.stdout}{done.stderr}")
    (folder / "seconds").write_text(str(time.monotonic() - start), encoding="utf-8")


def stem(tool: Tool) -> str:
    """The tool's folder."""
    return "-".join("".join(c if c.isalnum() else " " for c in tool.name).split())


def runs(tool: Tool, folder: Path, share: float) -> list[Path]:
    """The finished runs of a tool with a share planted."""
    return sorted(f.parent for f in folder.glob(f"*/{stem(tool)}/{share:g}/seconds"))


def row(tool: Tool, folder: Path) -> list[str] | None:
    """The tool's line of the table: runs, A/A pairs with an alarm, shares found, seconds of a run."""
    clean = runs(tool, folder, 0.0)
    if len(clean) < 2:
        return None
    pairs: Sequence[tuple[Path, Path]] = [(f, f) for f in clean] if tool.paired else list(permutations(clean, 2))
    alarms = [tool.alarms(*pair) for pair in pairs]
    cells = [tool.name, str(len(pairs)), rate([bool(a) for a in alarms], len(clean) - (not tool.paired))]
    cells.append(f"{sum(map(len, alarms))} of {8 * len(pairs)}")
    for share in SHARES[1:]:
        slowed = runs(tool, folder, share)
        against = [(f, f) for f in slowed] if tool.paired else list(product(clean, slowed))
        hits = [name in found for found in (tool.alarms(*pair) for pair in against) for name in names()]
        cells.append(f"{100 * sum(hits) / len(hits):.0f} %" if hits else "-")
    walls = sorted(float((f / "seconds").read_text(encoding="utf-8")) for f in clean)
    return [*cells, f"{walls[len(walls) // 2]:.0f} s"]


def rate(hits: Sequence[bool], trials: int) -> str:
    """A share with its 95 % interval; pairs of the same runs tell only as much as so many independent trials."""
    share = sum(hits) / len(hits)
    low, high = share_interval(share * trials, trials, 0.95)
    return f"{100 * share:.1f} % [{100 * low:.0f}, {100 * high:.0f}]"


def names() -> tuple[str, ...]:
    """The operations."""
    from _ops import NAMES

    return NAMES


def table(all_tools: Sequence[Tool], folder: Path) -> str:
    """Everything measured so far, as Markdown."""
    titles = ["tool", "A/A comparisons", "with any alarm", "cases alarmed", "+2 % found", "+5 %", "+10 %", "wall time"]
    rows = [row(tool, folder) for tool in all_tools]
    lines = [titles, ["---"] * len(titles), *(r for r in rows if r)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def main() -> None:
    """Measure what is missing, then print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=12)
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--seconds", type=float, default=1.0, help="of torch.utils.benchmark on each operation")
    parser.add_argument("--processes", type=int, default=30, help="of bench run")
    parser.add_argument("--reference-seconds", type=float, default=120.0, help="of bench run beside a reference")
    parser.add_argument("--ab-seconds", type=float, default=120.0, help="of bench ab on all operations")
    parser.add_argument("--twin-seconds", type=float, default=9.5, help="of measuring both as variants")
    parser.add_argument("--without", action="append", default=[], help="leave out tools whose name holds this")
    parser.add_argument("--shares", type=float, nargs="+", default=SHARES, help="planted, of those in the table")
    parser.add_argument("--table", action="store_true", help="print what is there already")
    asked = parser.parse_args()
    folder = asked.output.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    os.environ |= {"OMP_NUM_THREADS": "1", "UNPLANTED_PYTHON": sys.executable}
    known = tools(asked.seconds, asked.processes, asked.reference_seconds, asked.ab_seconds, asked.twin_seconds)
    chosen = [tool for tool in known if not _left_out(tool, asked.without)]
    if not asked.table:
        for number in range(asked.repeats):
            for tool in chosen[number % len(chosen) :] + chosen[: number % len(chosen)]:
                for share in sorted(set(tool.shares) & set(asked.shares)):
                    measure(tool, folder / f"{number:02d}" / stem(tool) / f"{share:g}", share)
            print(f"repeat {number + 1} of {asked.repeats} done", file=sys.stderr, flush=True)
    print(table(chosen, folder))


def _left_out(tool: Tool, without: Sequence[str]) -> bool:
    return any(word in tool.name for word in without)


if __name__ == "__main__":
    main()
