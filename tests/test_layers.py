"""The shape of the package: who imports whom, who prints, who exits, and how long things may get."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "bench"
FILES = sorted(PACKAGE.rglob("*.py"))

# A module imports only to its left.  `bench` itself, `axes` and `claims` are what authors import, like `suite`.
ORDER = (
    "errors", "metrics", "model", "notes", "suite", "discover", "store", "analysis", "report", "interop", "measure",
    "testing", "pytest_plugin", "cli",
)  # fmt: skip
PLACES = {name: place for place, name in enumerate(ORDER)}
PLACES |= dict.fromkeys(("", "axes", "claims"), PLACES["suite"]) | {"__main__": PLACES["cli"]}

# Library -> where a module may import it when it is itself imported; elsewhere not at all (torch and what needs it), or
# inside the function that needs it.
AT_MODULE_LEVEL = {
    "torch": {"measure"},
    "thop": {"measure"},
    "pynvml": {"measure"},
    "numpy": {"analysis", "report", "interop", "measure"},
    "scipy": {"analysis"},
    "pandas": {"report", "interop"},
    "matplotlib": {"report"},
    "jinja2": {"report"},
    "rich": {"report"},
    "typer": {"cli"},
    "pytest": {"pytest_plugin"},
}
ONLY_MEASURE = {"torch", "thop", "pynvml"}
MAY_PRINT = {"cli", "__main__", "report/terminal"}
MAY_EXIT = {"cli", "__main__"}

LONGEST_FILE, LONGEST_FUNCTION, LARGEST_PACKAGE = 350, 40, 17_925


def module_name(file: Path) -> str:
    """``bench/report/frame.py`` -> ``report/frame``; ``bench/__init__.py`` -> the empty string."""
    return "/".join(file.relative_to(PACKAGE).with_suffix("").parts).removesuffix("__init__").rstrip("/")


def layer(name: str) -> str:
    return name.split("/", maxsplit=1)[0]


def imports(tree: ast.AST, *, nested: bool = True) -> Iterator[str]:
    """Dotted names a module imports when it runs, not for type checking; without ``nested``: when it is imported."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"line {node.lineno}: write the whole name, not a relative import"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            yield from imports(ast.Module(body=node.orelse, type_ignores=[]), nested=nested)
        elif nested or not isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)):
            yield from imports(node, nested=nested)


def imports_to_the_right(name: str, source: str) -> list[str]:
    own = PLACES[layer(name)]
    # `bench.load` is the one door from what authors import to the reports; it opens when it is called.
    dotted = [d.split(".") for d in imports(ast.parse(source), nested=name != "")]
    ours = [parts for parts in dotted if parts[0] == "bench"]
    # `from bench import __version__` names no module of ours and means `bench` itself.
    targets = [parts[1] if len(parts) > 1 and parts[1] in PLACES else "" for parts in ours]
    return [target for target in targets if PLACES[target] > own]


def heavy_imports(name: str, source: str) -> list[str]:
    tree, where = ast.parse(source), layer(name)
    ever = {dotted.split(".")[0] for dotted in imports(tree)}
    first = {dotted.split(".")[0] for dotted in imports(tree, nested=False)}
    misplaced = {library for library in first & AT_MODULE_LEVEL.keys() if where not in AT_MODULE_LEVEL[library]}
    return sorted(misplaced | (ever & ONLY_MEASURE if where != "measure" else set()))


def calls(source: str) -> set[str]:
    return {ast.unparse(node.func) for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call)}


def lengths(source: str) -> dict[str, int]:
    """Function -> its lines, the docstring aside."""
    found = {}
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            first = node.body[0]
            words = (first.end_lineno or 0) - first.lineno + 1 if ast.get_docstring(node) is not None else 0
            found[node.name] = (node.end_lineno or 0) - node.lineno + 1 - words
    return found


every_file = pytest.mark.parametrize("file", FILES, ids=[module_name(file) or "bench" for file in FILES])


def test_every_module_has_a_place_in_the_order() -> None:
    assert {layer(module_name(file)) for file in FILES} <= PLACES.keys()


@every_file
def test_a_module_imports_only_to_its_left(file: Path) -> None:
    assert imports_to_the_right(module_name(file), file.read_text(encoding="utf-8")) == []


@every_file
def test_heavy_libraries_are_imported_where_they_belong(file: Path) -> None:
    assert heavy_imports(module_name(file), file.read_text(encoding="utf-8")) == []


@every_file
def test_only_the_command_line_and_the_terminal_report_print(file: Path) -> None:
    if not {module_name(file), layer(module_name(file))} & MAY_PRINT:
        assert not calls(file.read_text(encoding="utf-8")) & {"print", "typer.echo", "typer.secho", "rich.print"}


@every_file
def test_only_the_command_line_exits(file: Path) -> None:
    if not {module_name(file), layer(module_name(file))} & MAY_EXIT:
        assert not calls(file.read_text(encoding="utf-8")) & {"exit", "quit", "sys.exit", "SystemExit", "typer.Exit"}


@every_file
def test_files_and_functions_stay_short(file: Path) -> None:
    source = file.read_text(encoding="utf-8")
    assert len(source.splitlines()) <= LONGEST_FILE
    assert {name: lines for name, lines in lengths(source).items() if lines > LONGEST_FUNCTION} == {}


def test_the_package_stays_small() -> None:
    lines = {module_name(file) or "bench": len(file.read_text(encoding="utf-8").splitlines()) for file in FILES}
    longest = sorted(lines, key=lines.__getitem__)[-5:]
    assert sum(lines.values()) <= LARGEST_PACKAGE, f"the longest files are {longest}"


@pytest.mark.parametrize(
    ("name", "source", "found"),
    [
        ("model", "from bench.suite import Subject", ["suite"]),
        ("model", "def late():\n    import bench.cli", ["cli"]),
        ("analysis/estimate", "from bench import report", ["report"]),
        ("model", "from bench import __version__", [""]),
        ("analysis/estimate", "from bench.model import Case\nfrom bench.analysis import claims", []),
        ("model", "if TYPE_CHECKING:\n    from bench.suite import Subject", []),
    ],
)
def test_the_check_sees_an_import_to_the_right(name: str, source: str, found: list[str]) -> None:
    assert imports_to_the_right(name, source) == found


@pytest.mark.parametrize(
    ("name", "source", "found"),
    [
        ("report/frame", "def late():\n    import torch.nn", ["torch"]),
        ("analysis/estimate", "import pandas as pd", ["pandas"]),
        ("cli", "try:\n    from matplotlib import pyplot\nexcept ImportError:\n    pass", ["matplotlib"]),
        ("cli", "def late():\n    from matplotlib import pyplot", []),
        ("measure/cpu", "import torch", []),
    ],
)
def test_the_check_sees_a_heavy_import(name: str, source: str, found: list[str]) -> None:
    assert heavy_imports(name, source) == found


def test_the_check_measures_functions_without_their_docstrings() -> None:
    assert lengths('def f(a,\n      b):\n    """One.\n\n    Two."""\n    return a + b\n') == {"f": 3}
