"""Whatever a user may give ``compare`` by mistake or malice, each with what the refusal must say."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from pathlib import Path

from builders import case, environment, manifest
from compared import HEADER, cells, csv_text, exact, row, times, write

from bench.report.table import LONGEST_LINE_BYTES
from bench.store import Store

TIME = row(times())

# Makes what is wrong at a path.
Make = Callable[[Path], None]


def write_bytes(path: Path, text: str | bytes) -> None:
    path.write_bytes(text.encode() if isinstance(text, str) else text)


def folder(path: Path, *rows: object, **fields: object) -> Path:
    """A report folder: manifest, environment and report.csv."""
    store = Store(path)
    store.write_manifest(manifest(cases=(case("bias"), case("no_bias")), **fields))
    store.add_environment(environment(kernel="6.1", affinity=None))
    store.add_environment(environment(kernel="6.1", threads=2))
    store.close()
    write(path / "report.csv", *rows)  # type: ignore[arg-type]
    return path


def edited(edit: Callable[[str], str | bytes]) -> Make:
    def make(path: Path) -> None:
        write_bytes(path, edit(csv_text([cells(TIME), cells(exact(1024.0), reason="a quote")])))

    return make


def written(text: str | bytes) -> Make:
    return lambda path: write_bytes(path, text)


def cell(name: str, value: object) -> Make:
    return lambda path: write_bytes(path, csv_text([cells(TIME, **{name: value})]))


def without(column: str) -> Make:
    header = [name for name in HEADER if name != column]
    return lambda path: write_bytes(path, csv_text([cells(TIME)], header))


def one_endless_line(path: Path) -> None:
    """A gigabyte without a line break, most of it a hole in the file: it must not be read to its end."""
    with open(path, "wb") as file:
        file.write(csv_text([]).encode() + b"x" * (LONGEST_LINE_BYTES + 1))
        file.truncate(1 << 30)


def one_large_json(path: Path) -> None:
    """A hole of more than 256 MiB after the first character."""
    with open(path, "wb") as file:
        file.write(b"{")
        file.truncate((256 << 20) + 1)


def circle(path: Path) -> None:
    path.symlink_to(path.with_name("other"))
    path.with_name("other").symlink_to(path)


OURS: dict[str, tuple[Make, str]] = {
    "cut off inside a cell": (edited(lambda t: t[:-30]), r"line 3: has no end: is the file cut off\?"),
    "cut off inside a row": (
        edited(lambda t: t[: t.index(";")] + "\n"),
        r"line 2, column samples: the line ends before it: is the file cut off\?",
    ),
    "cut off inside quotes": (edited(lambda t: t[: t.index(",n=4]")] + "\n"), r"line 2: .*is the file cut off\?"),
    "a cell too many": (
        edited(lambda t: t.replace("\n1,", "\n1,1,", 1)),
        r"line 2, column metronome: 42 cells, where the header has 41",
    ),
    "another tool's": (
        edited(lambda t: "name,mean,stddev\na,1,2\n"),
        r"line 1: no column schema, case, metric, unit …",
    ),
    "no row": (edited(lambda t: t[: t.index("\n") + 1]), "has no rows: nothing was measured"),
    "empty": (edited(lambda t: ""), "is empty"),
    "a missing column": (without("process_values"), r"line 1: no column process_values"),
    "words for a number": (cell("value", "fast"), r"line 2, column value: 'fast' is not a number"),
    "no number": (cell("value", "nan"), r"line 2, column value: 'nan' is not a number"),
    "an infinite bound": (cell("low", "inf"), r"line 2, column low: 'inf' is not a number"),
    "a list of words": (
        cell("process_values", "1;x"),
        r"line 2, column process_values: '1;x' is not a list of numbers",
    ),
    "an unknown status": (cell("status", "fine"), r"line 2, column status: 'fine' is none of ok, skipped"),
    "an unknown direction": (cell("better", "up"), r"line 2, column better: 'up' is neither lower nor higher"),
    "a schema that is none": (cell("schema", "one"), r"line 2, column schema: 'one' is not a number of ours"),
    "another unit": (cell("unit", "ms"), r"line 2, column unit: 'ms', where 'time/forward' is in 's': SI base units"),
    "nothing measured, and well": (cell("value", ""), r"line 2, column value: is empty though the status is ok"),
    "the same case twice": (
        edited(lambda t: t + t.split("\n")[1] + "\n"),
        r"line 4, column metric: 'time/forward' of 'conv/.*' stands already on line 2",
    ),
    "a NUL byte": (edited(lambda t: t.replace("a quote", "a\0quote").encode()), r"line 3, column \d+: a NUL byte"),
    "UTF-16": (edited(lambda t: t.encode("utf-16")), r"line 1: is UTF-16; save it as UTF-8"),
    "Latin-1": (edited(lambda t: t.replace("a quote", "für").encode("latin-1")), r"line 3, column \d+: not UTF-8"),
    "semicolons": (
        edited(lambda t: t.replace(",", ";").replace(".", ",")),
        r"line 1: cells are separated by ';': export with ',' and decimal points",
    ),
    "a gigabyte in one line": (one_endless_line, r"line 2: is longer than 4 MiB"),
    "links in a circle": (circle, r"cannot be read \(Too many levels of symbolic links\)"),
    "no file": (lambda path: None, "no such file"),
    "a number with an underscore": (cell("value", "1_000"), r"line 2, column value: '1_000' is not a number"),
    "a number with a space": (cell("value", " 1"), r"line 2, column value: ' 1' is not a number"),
    "other digits": (cell("low", "\u0661"), r"line 2, column low: '\u0661' is not a number"),
    "an underscore in a list": (cell("process_values", "1;1_0"), r"column process_values: '1;1_0' is not a list"),
    "a gap in a list": (cell("process_values", "1;;2"), r"column process_values: '1;;2' is not a list of numbers"),
    "a number too large to divide": (cell("value", "1e300"), r"column value: '1e300' is not a number \(from 1e-60"),
    "a number too small to divide by": (cell("process_values", "1;1e-300"), r"'1;1e-300' is not a list of numbers"),
    "a schema of 5,000 digits": (
        cell("schema", "1" * 5000),
        r"line 2, column schema: '1{40}…' is not a number of ours",
    ),
    "a schema below one": (cell("schema", "0"), r"line 2, column schema: '0' is not a number of ours"),
    "a column that is no name": (
        edited(lambda t: t.replace("metronome\n", '"\x1b[31m\nred"\n', 1).replace("\n1,", "\n1,1,", 1)),
        r"line 3, column '\\x1b\[31m\\nred': 42 cells",
    ),
    "cells of a long text": (cell("status", "x" * 5000), r"line 2, column status: 'x{40}…' is none of"),
    "compressed": (lambda path: write_bytes(path, gzip.compress(b"{}")), r"is compressed; unpack it first \(gunzip\)"),
}


def pytest_benchmark(*benchmarks: str) -> Make:
    return written(f'{{"machine_info": {{}}, "benchmarks": [{", ".join(benchmarks)}]}}')


def median(text: str) -> Make:
    return pytest_benchmark(f'{{"fullname": "a", "stats": {{"median": {text}}}}}')


def pyperf(metadata: str, benchmark: str) -> Make:
    return written(f'{{"version": "1.0", "metadata": {metadata}, "benchmarks": [{benchmark}]}}')


FOREIGN: dict[str, tuple[Make, str]] = {
    "JSON of something else": (written('{"a": 1}'), "JSON of neither pytest-benchmark nor pyperf"),
    "JSON that is a list": (written("[1, 2]"), "JSON of neither"),
    "JSON that is cut off": (written('{"a": 1,'), r"line 1, column \d+: not JSON"),
    "JSON that is no UTF-8": (written(b'{"a": "\xff"}'), "not UTF-8; save the file as UTF-8"),
    "JSON that is nested too deeply": (written("[" * 100_000), "nested too deeply|not JSON"),
    "a fact that is nested too deeply": (
        written(f'{{"machine_info": {{"node": {"[" * 900 + "]" * 900}}}, "benchmarks": []}}'),
        "nested too deeply|holds no benchmark",
    ),
    "JSON larger than any": (one_large_json, "larger than 256 MiB; this is no benchmark's JSON"),
    "no median": (pytest_benchmark('{"fullname": "a", "stats": {}}'), r"no benchmarks\[0\]\.stats\.median"),
    "a median in words": (median('"x"'), r"benchmarks\[0\]\.stats\.median is 'x', not a number"),
    "a median that is none": (median("NaN"), "median is nan, not a number"),
    "a median that is true": (median("true"), "median is True, not a number"),
    "a median of 400 digits": (median("1" * 400), "median is 1{40}, not a number"),
    "a median of 5,000 digits": (median("1" * 5000), "a number of thousands of digits|median is 1{40}, not a number"),
    "a median too large to divide": (median("1e300"), r"median is 1e\+300, not a number \(from 1e-60"),
    "no list of benchmarks": (
        written('{"machine_info": {}, "benchmarks": {"a": 1}}'),
        "benchmarks is {'a': 1}, not a list",
    ),
    "no benchmark": (pytest_benchmark(), "holds no benchmark"),
    "no benchmarks at all": (written('{"machine_info": {}}'), "no benchmarks; is the file cut off"),
    "a name that is none": (
        pytest_benchmark('{"fullname": 3, "stats": {"median": 1}}'),
        r"benchmarks\[0\]\.fullname is 3, not a text",
    ),
    "a benchmark twice": (pytest_benchmark(*['{"fullname": "a", "stats": {"median": 1}}'] * 2), "'a' is there twice"),
    "pyperf without a name": (pyperf("{}", '{"runs": [{"values": [1]}]}'), r"no benchmarks\[0\]\.metadata"),
    "pyperf without values": (pyperf("{}", '{"metadata": {"name": "a"}, "runs": [{"values": 3}]}'), "not a list"),
    "metadata that are a text": (
        pyperf('"x"', '{"runs": [{"values": [1]}]}'),
        "metadata is 'x', not names with values",
    ),
    "metadata of a benchmark that are a text": (
        pyperf("{}", '{"metadata": "x", "runs": [{"values": [1]}]}'),
        r"benchmarks\[0\]\.metadata is 'x', not names with values",
    ),
    "an operator's time in words": (
        written("Case Name,Execution Time\nadd,fast\n"),
        r"line 2, column Execution Time: 'fast' is not a number",
    ),
    "an operator without a time": (
        written("Case Name,Execution Time\nadd\n"),
        r"line 2, column Execution Time: the line ends before it",
    ),
    "no operator": (written("Case Name,Execution Time\n"), "holds no benchmark"),
}

FILES = OURS | FOREIGN


def spoiled(name: str, make: Make | None) -> Make:
    """A report folder with one of its files replaced, or gone."""

    def made(path: Path) -> None:
        folder(path, TIME)
        (path / name).unlink(missing_ok=True)
        if make is not None:
            make(path / name)

    return made


DEEP = written("[" * 100_000 + "]" * 100_000)
FOLDERS: dict[str, tuple[Make, str]] = {
    "no report": (lambda path: path.mkdir(), "a folder without report.csv; name the folder of a report"),
    "a run that was cut off": (
        spoiled("report.csv", None),
        r"a folder without report\.csv; its run was cut off: bench report .* writes it",
    ),
    "a manifest that is a list": (spoiled("manifest.json", written("[]")), r"manifest\.json: not a manifest"),
    "a manifest that is cut off": (spoiled("manifest.json", written("{")), r"manifest\.json: not JSON .*cut off\?"),
    "a manifest nested too deeply": (spoiled("manifest.json", DEEP), r"manifest\.json: not JSON"),
    "a manifest with a huge number": (spoiled("manifest.json", written("1" * 5000)), r"manifest\.json: not"),
    "a manifest that links in a circle": (spoiled("manifest.json", circle), r"manifest\.json: .*symbolic links"),
    "a manifest that leads nowhere": (
        spoiled("manifest.json", lambda path: path.symlink_to("gone")),
        r"manifest\.json: No such file",
    ),
    "environments that are a list": (spoiled("environment.json", written("[]")), r"environment\.json: not the"),
    "environments that are cut off": (spoiled("environment.json", written("{")), r"environment\.json: not JSON"),
    "environments nested too deeply": (spoiled("environment.json", DEEP), r"environment\.json: not JSON"),
    "environments that link in a circle": (spoiled("environment.json", circle), r"environment\.json: .*symbolic links"),
    "checks that link in a circle": (spoiled("reproducibility.csv", circle), r"reproducibility\.csv: cannot be read"),
    "checks without a verdict": (
        spoiled("reproducibility.csv", written("case,level,what\n")),
        r"reproducibility\.csv, line 1: no column verdict",
    ),
}

ACCEPTS: dict[str, tuple[Make, str]] = {
    "a text that is none": (written("[[accept]]\ncase = 3\n"), "line 1: case must be a text in quotes"),
    "a list of numbers": (written("accept = [1]\n"), r"line 1: write each entry under a line \[\[accept\]\]"),
    "no TOML": (written("[[accept]\n"), "line 1: not TOML"),
    "no UTF-8": (written(b"\xff"), "cannot be read"),
    "nested too deeply": (written("a = " + "[" * 5000 + "]" * 5000), "not TOML: maximum recursion depth"),
    "a huge number": (written("a = " + "1" * 5000), "not TOML: Exceeds the limit|write each entry"),
    "links in a circle": (circle, "symbolic links"),
    "a folder": (lambda path: path.mkdir(), "cannot be read"),
}
