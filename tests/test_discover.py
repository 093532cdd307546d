from __future__ import annotations

import textwrap
from pathlib import Path

import pytest

from bench.discover import discover, load_benchmark, locate, matching, source_version
from bench.errors import BenchError, SuiteError

QUESTION = '''
    """Is it so?"""
    from bench import Subject, benchmark, higher

    @benchmark(variants={"a": 1, "b": 2}, cpu={"n": [1, 2]}, claims=[higher("time", note="C5")])
    def question(value, n):
        """Because."""
        return Subject(abs, value * n)
'''


def write(path: Path, text: str = QUESTION) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(textwrap.dedent(text), encoding="utf-8")
    return path


def names(*paths: Path) -> list[str]:
    return [f"{found.suite}/{found.benchmark.name}" for found in discover([str(path) for path in paths])]


def test_a_suite_is_a_folder_and_a_benchmark_a_value_in_one_of_its_files(tmp_path: Path) -> None:
    file = write(tmp_path / "mine" / "question.py")
    (found,) = discover([str(tmp_path / "mine")])
    assert (found.suite, found.benchmark.name, found.path) == ("mine", "question", file)
    assert found.benchmark.question == "Is it so?"


def test_a_file_may_be_named_in_place_of_its_folder(tmp_path: Path) -> None:
    file = write(tmp_path / "mine" / "question.py")
    write(tmp_path / "mine" / "other.py", QUESTION.replace("question", "other"))
    assert names(file) == ["mine/question"]


def test_folders_are_searched_in_order_and_nothing_twice(tmp_path: Path) -> None:
    for name in ("b", "a"):
        write(tmp_path / "mine" / name / "question.py")
    inner = tmp_path / "mine" / "a"
    assert names(tmp_path / "mine", inner, inner / "question.py") == ["a/question", "b/question"]


def test_hidden_folders_and_underscored_files_hold_no_questions(tmp_path: Path) -> None:
    write(tmp_path / "mine" / "question.py")
    write(tmp_path / "mine" / "_draft.py", "raise AssertionError")
    write(tmp_path / "mine" / ".cache" / "old.py", "raise AssertionError")
    assert names(tmp_path / "mine") == ["mine/question"]


def test_a_suite_may_itself_lie_in_a_hidden_folder(tmp_path: Path) -> None:
    write(tmp_path / ".venv" / "suites" / "mine" / "question.py")
    assert names(tmp_path / ".venv" / "suites") == ["mine/question"]


def test_files_share_what_lies_beside_them(tmp_path: Path) -> None:
    write(tmp_path / "mine" / "_sizes.py", "SIZES = [3, 4]")
    text = QUESTION.replace("[1, 2]}", "SIZES}").replace("from bench", "from ._sizes import SIZES\n    from bench", 1)
    write(tmp_path / "mine" / "question.py", text)
    (found,) = discover([str(tmp_path / "mine")])
    assert [dict(point)["n"] for point in found.benchmark.points("cpu", "standard")] == [3, 4]


def test_a_benchmark_is_found_where_it_was_declared_and_once(tmp_path: Path) -> None:
    write(tmp_path / "mine" / "question.py")
    write(tmp_path / "mine" / "user.py", "from .question import question\nalias = question\n")
    write(tmp_path / "mine" / "twice.py", QUESTION.replace("question", "twice") + "    alias = twice\n")
    assert names(tmp_path / "mine") == ["mine/question", "mine/twice"]


def test_two_benchmarks_of_one_name_in_one_suite_are_refused(tmp_path: Path) -> None:
    write(tmp_path / "mine" / "one.py")
    write(tmp_path / "mine" / "two.py")
    with pytest.raises(SuiteError, match=r"two\.py and .*one\.py both declare mine/question: rename one of them"):
        names(tmp_path / "mine")


def test_a_folder_without_benchmarks_says_what_a_suite_file_holds(tmp_path: Path) -> None:
    with pytest.raises(BenchError, match=r"no benchmarks in .*: a suite file holds a function under @benchmark\(…\)"):
        names(tmp_path)


@pytest.mark.parametrize(
    ("text", "line", "reason"),
    [
        ("import bench\nx = 1 +\n", "2:8", "invalid syntax"),
        ("import bench\n1 / 0\n", "2", "ZeroDivisionError: division by zero"),
        ("\n\nimport no_such_module\n", "3", "ModuleNotFoundError: No module named 'no_such_module'"),
        ("raise SystemExit(3)\n", "1", "SystemExit: 3"),
        ("from bench import higher\n\nhigher('tme')\n", "3", "higher(\"tme\"): unknown metric 'tme'; did you mean"),
    ],
)
def test_a_file_that_cannot_be_loaded_is_named_with_its_line(tmp_path: Path, text: str, line: str, reason: str) -> None:
    file = write(tmp_path / "mine" / "question.py", text)
    with pytest.raises(SuiteError) as refused:
        names(file)
    assert str(refused.value).startswith(f"{file}:{line}: {reason}")


def test_a_mistake_in_a_neighbour_is_shown_there(tmp_path: Path) -> None:
    neighbour = write(tmp_path / "mine" / "_sizes.py", "SIZES = [\n")
    write(tmp_path / "mine" / "question.py", "from ._sizes import SIZES\n")
    with pytest.raises(SuiteError) as refused:
        names(tmp_path / "mine")
    assert str(refused.value).startswith(f"{neighbour}:1:")


def test_a_file_that_is_no_python_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BenchError, match=r"notes\.txt: not a Python file"):
        names(write(tmp_path / "notes.txt", "hello"))


def test_the_suites_that_came_along_are_found_from_anywhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert locate("suites/conv").is_dir()


def test_a_folder_of_ones_own_comes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path / "suites" / "conv" / "question.py")
    monkeypatch.chdir(tmp_path)
    assert locate("suites/conv") == tmp_path / "suites" / "conv"


def test_an_unknown_suite_is_put_right(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(BenchError, match=r"^no such suite: 'suites/covn'; did you mean 'suites/conv'\?$"):
        locate("suites/covn")
    with pytest.raises(BenchError, match=r"^no such suite: 'zzz'; suites that came with bench: suites/conv, "):
        locate("zzz")


def test_a_worker_finds_one_benchmark_of_a_file(tmp_path: Path) -> None:
    assert load_benchmark(write(tmp_path / "mine" / "question.py"), "question").name == "question"


def version(tmp_path: Path, text: str) -> str:
    return source_version(write(tmp_path / "version" / "question.py", text))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("Because.", "Because it is."),
        ("Is it so?", "Is it not so?"),
        ("return", "# why\n\n        return"),
        ("value * n", "value  *  n"),
        ('claims=[higher("time", note="C5")]', 'claims=[higher("time", note="C6", within="2%")]'),
    ],
)
def test_words_blanks_and_claims_do_not_change_the_version(tmp_path: Path, old: str, new: str) -> None:
    assert version(tmp_path, QUESTION.replace(old, new, 1)) == version(tmp_path, QUESTION)


@pytest.mark.parametrize(("old", "new"), [("value * n", "value + n"), ('"b": 2', '"b": 3'), ("[1, 2]", "[1, 3]")])
def test_what_is_measured_changes_the_version(tmp_path: Path, old: str, new: str) -> None:
    assert version(tmp_path, QUESTION.replace(old, new, 1)) != version(tmp_path, QUESTION)


@pytest.mark.parametrize("form", ["from ._sizes import SIZES", "from . import _sizes", "from ._between import SIZES"])
def test_a_neighbour_counts_towards_the_version(tmp_path: Path, form: str) -> None:
    versions = set()
    write(tmp_path / "version" / "_between.py", "from ._sizes import SIZES")
    for sizes in ("[1]", "[2]"):
        write(tmp_path / "version" / "_sizes.py", f"SIZES = {sizes}")
        versions.add(version(tmp_path, form + textwrap.dedent(QUESTION)))
    assert len(versions) == 2


CASE = "conv/bias_before_bn[c=64,n=4]/bias@cpu"


@pytest.mark.parametrize(
    ("expression", "fits"),
    [
        ("bias", True),
        ("BIAS", True),
        ("dilation", False),
        ("not dilation", True),
        ("c=64 and /bias@", True),
        ("c=64 and dilation", False),
        ("dilation or (bias and not c=16)", True),
        ("conv/bias_before_bn[c=64,n=4]", True),
        ("import", False),
        ("True", False),
    ],
)
def test_k_chooses_by_words_in_the_name(expression: str, fits: bool) -> None:
    assert matching(expression)(CASE) is fits


@pytest.mark.parametrize("expression", ["a and", "not", "a b", "()", "a or (b", "a (b)", ")"])
def test_k_that_is_no_expression_is_refused(expression: str) -> None:
    with pytest.raises(BenchError, match="is no expression: join words with and, or, not"):
        matching(expression)
