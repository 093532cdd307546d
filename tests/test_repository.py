"""The repository says what is so: versions, links, commands, and a first benchmark that works as printed."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
KINDS = {"added", "changed", "fixed", "removed"}

# What a package is imported as, where that differs from its name.
IMPORTED_AS = {"nvidia-ml-py": "pynvml", "pytest-benchmark": "pytest_benchmark"}

every_page = pytest.mark.parametrize("page", PAGES, ids=[str(page.relative_to(ROOT)) for page in PAGES])


def requirements(lines: list[str]) -> list[Requirement]:
    return [Requirement(line) for line in lines]


def pinned() -> list[Requirement]:
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    return requirements([line for line in lines if line and not line.startswith("#")])


def imported(folder: str) -> set[str]:
    trees = [ast.parse(file.read_text(encoding="utf-8")) for file in (ROOT / folder).rglob("*.py")]
    nodes = [node for tree in trees for node in ast.walk(tree)]
    names = [alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names]
    names += [node.module or "" for node in nodes if isinstance(node, ast.ImportFrom) and not node.level]
    return {name.split(".", maxsplit=1)[0] for name in names}


def test_the_package_asks_for_what_it_imports_and_for_nothing_else() -> None:
    wanted = {canonicalize_name(r.name) for r in requirements(PROJECT["dependencies"])}
    optional = {canonicalize_name(r.name) for e in PROJECT["optional-dependencies"].values() for r in requirements(e)}
    used = imported("bench") - sys.stdlib_module_names - {"bench", "tomllib"}
    back = {module: package for package, module in IMPORTED_AS.items()}
    used = {canonicalize_name(back.get(name, name)) for name in used}
    assert wanted - used - {"pytest-benchmark"} == set()
    assert used - wanted - optional == set()


def test_every_dependency_is_pinned_within_what_the_package_allows() -> None:
    pins = {(canonicalize_name(r.name), str(r.marker or "")): r for r in pinned()}
    names = {name for name, _ in pins}
    for wanted in requirements([*PROJECT["dependencies"], *PROJECT["optional-dependencies"]["test"]]):
        name = canonicalize_name(wanted.name)
        assert name in names, name
        for (pin, _), exact in pins.items():
            versions = [s.version.removesuffix(".*") for s in exact.specifier]
            assert pin != name or all(wanted.specifier.contains(v) for v in versions), exact


def test_the_torch_that_is_pinned_stands_on_a_line_of_its_own() -> None:
    # The Makefile replaces that line when TORCH is given.
    assert [str(r) for r in pinned() if r.name == "torch"] == ["torch==2.13.*"]


@pytest.mark.skipif(os.name != "posix", reason="make is not at home here")
@pytest.mark.parametrize("target", ["run", "test", "lint", "gpu-check", "bench-self", "clean"])
def test_every_target_of_the_makefile_is_one_that_make_would_run(target: str) -> None:
    made = subprocess.run(["make", "--dry-run", target], cwd=ROOT, capture_output=True, text=True, check=False)
    assert made.returncode == 0, made.stderr


@pytest.mark.skipif(os.name != "posix", reason="make is not at home here")
def test_make_installs_the_torch_that_was_asked_for() -> None:
    made = subprocess.run(
        ["make", "--dry-run", "run", "TORCH=torch==2.10.*"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert "'torch==2.10.*'" in made.stdout


def links(page: Path) -> list[str]:
    return re.findall(r"\]\(([^)\s]+)\)", page.read_text(encoding="utf-8"))


@every_page
def test_a_link_leads_somewhere(page: Path) -> None:
    inside = [link.split("#", maxsplit=1)[0] for link in links(page) if "://" not in link]
    assert [link for link in inside if link and not (page.parent / link).exists()] == []


@every_page
def test_a_page_has_one_title(page: Path) -> None:
    text = re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    assert len(re.findall(r"^# ", text, flags=re.MULTILINE)) == 1


def test_every_page_of_the_documentation_can_be_reached_from_the_readme() -> None:
    reached, pages = set(), [ROOT / "README.md"]
    while pages:
        page = pages.pop().resolve()
        if page not in reached and page.suffix == ".md" and page.exists():
            reached.add(page)
            pages += [page.parent / link.split("#", maxsplit=1)[0] for link in links(page) if "://" not in link]
    assert {page.resolve() for page in (ROOT / "docs").rglob("*.md")} <= reached


def test_a_change_that_users_notice_is_one_file_named_by_its_kind() -> None:
    for fragment in (ROOT / "changelog.d").iterdir():
        assert re.fullmatch(rf"[a-z0-9_-]+\.({'|'.join(KINDS)})\.md", fragment.name), fragment.name
        text = fragment.read_text(encoding="utf-8")
        assert text.endswith(".\n")
        assert len(text.splitlines()) == 1


def test_the_order_of_layers_is_the_same_in_the_text_and_in_the_test() -> None:
    from test_layers import ORDER

    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    assert " < ".join(ORDER[1:]) in text


def first_benchmark() -> str:
    found = re.search(r"```python\n(.*?)```", (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8"), re.DOTALL)
    assert found
    return found[1]


def test_a_first_benchmark_takes_fifteen_lines() -> None:
    assert len(first_benchmark().splitlines()) == 15


def test_a_first_benchmark_works_as_printed(tmp_path: Path) -> None:
    folder = tmp_path / "mysuite"
    folder.mkdir()
    (folder / "first.py").write_text(first_benchmark(), encoding="utf-8")
    ran = subprocess.run(
        [sys.executable, "-m", "bench", "run", "mysuite", "--tier", "smoke", "--budget", "1s", "--output", "report"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT), "TMPDIR": str(tmp_path)},  # a lock of its own
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    assert "Is a transposed matrix slower to sum than a contiguous one?" in ran.stdout
    assert 'higher("time", of="transposed")' in (tmp_path / "report" / "report.md").read_text(encoding="utf-8")
