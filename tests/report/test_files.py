import subprocess
import sys
from pathlib import Path

from stories import hostile, nothing, story

from bench.report.files import write_report

FILES = {"report.csv", "verdicts.csv", "reproducibility.csv", "report.md", "report.html", "junit.xml", "plots"}


def everything(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def test_a_report_folder_holds_every_file(tmp_path: Path):
    write_report(story(), tmp_path)
    assert {p.name for p in tmp_path.iterdir()} == FILES


def test_rendering_again_changes_no_byte(tmp_path: Path):
    write_report(story(), tmp_path)
    before = everything(tmp_path)
    write_report(story(), tmp_path)
    assert everything(tmp_path) == before


def test_a_run_without_a_record_and_one_with_hostile_names_are_reported_too(tmp_path: Path):
    for name, summary in (("nothing", nothing()), ("hostile", hostile())):
        (tmp_path / name).mkdir()
        write_report(summary, tmp_path / name)
        assert {p.name for p in (tmp_path / name).iterdir()} == FILES


def loaded(statement: str) -> set[str]:
    """The heavy modules that a fresh interpreter has after a statement."""
    heavy = "{'torch', 'matplotlib', 'jinja2', 'rich', 'scipy'}"
    code = f"import sys; {statement}; print(*({heavy} & sys.modules.keys()))"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(said.stdout.split())


def test_reading_a_report_imports_nothing_to_draw_with_and_no_torch():
    assert not loaded("import bench.report.frame") - {"scipy"}


def test_importing_every_report_needs_no_torch_and_no_matplotlib():
    assert not {"torch", "matplotlib"} & loaded("import bench.report.files, bench.report.terminal")
