"""Find the benchmarks in the folders and files a user names.

A benchmark is a module-level value of type Benchmark: no registry, no name prefixes.  A suite is a folder; files that
begin with ``_`` hold what its questions share (``from ._shapes import RESNET50``).
"""

from __future__ import annotations

import ast
import hashlib
import importlib.util
import io
import re
import sys
import tokenize
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from types import ModuleType

from bench.errors import BenchError, SuiteError, hint
from bench.model import Declaration
from bench.notes import cited
from bench.suite import Benchmark

# Where the wheel keeps the suites; in a checkout they lie beside the package.
_SHIPPED = (Path(__file__).parent, Path(__file__).parent.parent)


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A benchmark with the suite and file it was found in."""

    suite: str
    benchmark: Benchmark
    path: Path
    version: str

    @property
    def name(self) -> str:
        """``conv/bias_before_bn``."""
        return f"{self.suite}/{self.benchmark.name}"

    def declaration(self, device: str) -> Declaration:
        """What reports need to know of it when it runs on ``device`` (``cpu`` or ``cuda``)."""
        b = self.benchmark
        return Declaration(
            suite=self.suite,
            benchmark=b.name,
            question=b.question,
            explanation=b.explanation,
            variants=tuple(b.variants),
            phases=b.phases,
            claims=b.claims,
            source=self.path.read_text(encoding="utf-8"),
            version=self.version,
            skip_reason=b.skip_reason(device),
        )


def discover(paths: Sequence[str]) -> tuple[Found, ...]:
    """All benchmarks under the named folders and files, in order of path.  Raises BenchError or SuiteError."""
    files = dict.fromkeys(file for path in paths for file in _suite_files(locate(path)))
    found = [f for file in files for f in _benchmarks_in(file)]
    if not found:
        raise BenchError(f"no benchmarks in {', '.join(paths)}: a suite file holds a function under @benchmark(…)")
    seen: dict[str, Path] = {}
    for f in found:
        other = seen.setdefault(f.name, f.path)
        if other != f.path:
            raise SuiteError(f"{f.path} and {other} both declare {f.name}: rename one of them")
    return tuple(found)


def locate(path: str) -> Path:
    """The folder or file a user means: as given, else among the suites that came with the package."""
    for candidate in (Path(path), *(root / path for root in _SHIPPED)):
        if candidate.exists():
            return candidate.resolve()
    folders = (str(p) for p in Path().glob("*/") if p.is_dir() and p.name[0] != ".")
    meant = hint(path.rstrip("/"), _shipped_suites(), "suites that came with bench:", unlisted=folders)
    raise BenchError(f"no such suite: {path!r}; {meant}")


def _shipped_suites() -> list[str]:
    roots = [root / "suites" for root in _SHIPPED if (root / "suites").is_dir()]
    return sorted(
        f"suites/{folder.name}" for root in roots[:1] for folder in root.iterdir() if any(folder.glob("*.py"))
    )


def _suite_files(path: Path) -> Iterator[Path]:
    if path.is_file():
        yield path
        return
    for file in sorted(path.rglob("*.py")):
        # Only below the folder: the folder itself may lie in a .venv.
        hidden = any(part.startswith(".") for part in file.relative_to(path).parts)
        if not hidden and not file.name.startswith("_"):
            yield file


def _benchmarks_in(file: Path) -> Iterator[Found]:
    declared = _declared_in(load_file(file))
    version = source_version(file) if declared else ""
    for benchmark in declared:
        known = replace(benchmark, claims=cited(benchmark.claims, file))
        yield Found(suite=file.parent.name, benchmark=known, path=file, version=version)


def _declared_in(module: ModuleType) -> list[Benchmark]:
    """The benchmarks that a module itself declares, each once, not those it imported."""
    values = {id(v): v for v in vars(module).values()}.values()
    return [v for v in values if isinstance(v, Benchmark) and v.build.__module__ == module.__name__]


@cache
def load_benchmark(file: Path, name: str) -> Benchmark:
    """One benchmark of a file, for a worker that was told where it is; the file is executed once in its process."""
    return next(b for b in _declared_in(load_file(file)) if b.name == name)


def load_file(file: Path) -> ModuleType:
    """Execute a suite file as a module of a package of its own, so that relative imports find its neighbours."""
    package = f"_bench_suite_{hashlib.sha256(str(file.parent).encode()).hexdigest()[:8]}"
    if package not in sys.modules:
        parent = ModuleType(package)
        parent.__path__ = [str(file.parent)]
        sys.modules[package] = parent
    spec = importlib.util.spec_from_file_location(f"{package}.{file.stem}", file)
    if spec is None or spec.loader is None:
        raise BenchError(f"{file}: not a Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    try:
        spec.loader.exec_module(module)
    except SuiteError as error:
        raise SuiteError(f"{file}:{_line_of(error, file)}: {error}") from error
    except SyntaxError as error:
        raise SuiteError(f"{error.filename or file}:{error.lineno}:{error.offset}: {error.msg}") from error
    except (Exception, SystemExit) as error:
        raise SuiteError(f"{file}:{_line_of(error, file)}: {type(error).__name__}: {error}") from error
    return module


def _line_of(error: BaseException, file: Path) -> int:
    """The line of ``file`` nearest to where the error was raised."""
    line, traceback = 0, error.__traceback__
    while traceback is not None:
        if traceback.tb_frame.f_code.co_filename == str(file):
            line = traceback.tb_lineno
        traceback = traceback.tb_next
    return line


def source_version(file: Path) -> str:
    """Twelve hex digits of what the file does: its tokens and those of its ``_`` neighbours.

    Comments, docstrings, blank space and claims do not count, so that history stays comparable (after asv).
    """
    digest = hashlib.sha256()
    for path in _with_neighbours(file):
        digest.update(_meaning(path.read_text(encoding="utf-8")).encode())
    return digest.hexdigest()[:12]


def _with_neighbours(file: Path) -> list[Path]:
    """A file, the files beside it that it imports, and what those import."""
    found = [file]
    for path in found:  # grows while it is read
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and node.level == 1:
                names = [node.module] if node.module else [alias.name for alias in node.names]
                beside = [file.with_name(f"{name}.py") for name in names]
                found += [other for other in beside if other.is_file() and other not in found]
    return [file, *sorted(found[1:])]


def _meaning(text: str) -> str:
    """The tokens of a file without what changes nothing: joined, because f-strings are split differently since 3.12."""
    dropped = _spans_that_change_nothing(ast.parse(text))
    blank = {tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.ENCODING, tokenize.ENDMARKER}
    parts = []
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type in blank or any(start <= token.start < end for start, end in dropped):
            continue
        # An indent is its depth, not its width; the token itself says that one begins or ends.
        parts.append({tokenize.INDENT: "{", tokenize.DEDENT: "}"}.get(token.type, token.string))
    return "".join(parts)


def _spans_that_change_nothing(tree: ast.AST) -> list[tuple[tuple[int, int], tuple[int, int]]]:
    spans = []
    for node in ast.walk(tree):
        if isinstance(node, (ast.Module, ast.FunctionDef, ast.ClassDef)) and ast.get_docstring(node) is not None:
            spans.append(_span(node.body[0]))
        if isinstance(node, ast.Call):
            spans += [_span(keyword) for keyword in node.keywords if keyword.arg == "claims"]
    return spans


def _span(node: ast.stmt | ast.keyword) -> tuple[tuple[int, int], tuple[int, int]]:
    return (node.lineno, node.col_offset), (node.end_lineno or node.lineno, node.end_col_offset or 0)


def matching(expression: str) -> Callable[[str], bool]:
    """Whether a case id fits ``-k``: words joined by ``and``, ``or``, ``not`` and brackets, as in pytest.

    >>> matching("bias and not (c=64 or large)")("conv/bias[c=16]/bias@cpu")
    True
    """
    words = re.findall(r"[()]|[^\s()]+", expression)
    python = " ".join(w if w in ("and", "or", "not", "(", ")") else f"({w.lower()!r} in case)" for w in words)
    try:
        tree = ast.parse(python, "-k", "eval")
        if any(isinstance(node, (ast.Call, ast.Tuple)) for node in ast.walk(tree)):
            raise SyntaxError("two words, or brackets around nothing")
        code = compile(tree, "-k", "eval")
    except SyntaxError:
        raise BenchError(
            f'-k {expression!r} is no expression: join words with and, or, not, as in -k "a and not b"'
        ) from None
    return lambda case: bool(eval(code, {"__builtins__": {}}, {"case": case.lower()}))  # quoted words only
