from __future__ import annotations

import re

import pytest
from builders import case, record

from bench.analysis.contract import DOCUMENTED, applying, contract
from bench.model import Check, Record


def observed(*operators: str, differs: bool = False, device: str = "cuda", variant: str = "bias") -> Record:
    verdict = "differs" if differs else "repeats"
    checks = (Check(what="output", level="full", verdict=verdict, repeats=20, differing=int(differs)),)
    return record(case(variant, device=device), process=0, checks=checks, operators=operators)


def on(status: str = "ok", *, device: str = "cuda", variant: str = "bias") -> Record:
    """The same case in the cell that must raise or act deterministically."""
    reason = "RuntimeError: cumsum does not have a deterministic implementation" if status == "failed" else ""
    return record(case(variant, device=device), process=0, knobs="deterministic=on", status=status, reason=reason)


def test_something_that_differs_and_that_nobody_documents_comes_first() -> None:
    records = [
        observed("cumsum", "cumsum floating", differs=True, variant="a"),
        observed("mm", "mm floating", differs=True, variant="b"),
    ]
    first, second = contract(records, [on("failed", variant="a"), on(variant="b")])
    assert (first.outcome, first.api, first.cases) == ("seen, not documented", "", (case("b", device="cuda").id,))
    assert (second.outcome, second.behaviour, second.raised) == ("documented and seen", "raises", 1)


def test_documented_and_not_seen_says_in_how_many_repeats() -> None:
    (clause,) = contract([observed("index_add")], [on()])
    assert clause.outcome == "documented, not seen"
    assert (clause.repeats, clause.differing, clause.raised, clause.asked) == (20, 0, 0, 1)


def test_what_repeats_and_is_not_documented_is_nothing() -> None:
    assert contract([observed("mm")], [on()]) == ()


def test_what_should_raise_and_does_not_is_a_finding() -> None:
    (clause,) = contract([observed("cumsum floating")], [on()])
    assert clause.outcome == "not as documented"


def test_what_should_switch_and_raises_is_a_finding() -> None:
    (clause,) = contract([observed("index_add")], [on("failed")])
    assert clause.outcome == "not as documented"


def test_a_case_that_runs_several_documented_operators_speaks_against_none() -> None:
    clauses = contract([observed("index_add", "cumsum floating")], [on("failed")])
    assert {clause.outcome for clause in clauses} == {"documented, not seen"}


def test_raising_without_a_line_of_documentation_is_a_finding() -> None:
    (clause,) = contract([observed("mm")], [on("failed")])
    assert clause.outcome == "seen, not documented"


def test_lines_about_gpus_do_not_speak_of_the_cpu() -> None:
    assert applying(["cumsum floating"], "cpu") == frozenset()
    assert len(applying(["cumsum floating"], "cuda")) == 1
    assert len(applying(["max_unpool2d"], "cpu")) == 1


def test_cases_whose_operators_are_not_known_say_nothing() -> None:
    assert contract([observed(differs=True)], []) == ()


def test_the_table_has_every_line_of_the_installed_documentation() -> None:
    """Names in the docstring of torch.use_deterministic_algorithms, as far as it is the one that the table is of."""
    torch = pytest.importorskip("torch")
    if not torch.__version__.startswith("2.13."):
        pytest.skip("the table is that of PyTorch 2.13")
    text = torch.use_deterministic_algorithms.__doc__.split("In addition, several operations")[0]
    lines = text.split("The following normally-nondeterministic operations")[1:]
    names = {name.rpartition(".")[2] for part in lines for name in re.findall(r":(?:class|func):`([\w.]+)`", part)}
    names -= {"RuntimeError"}
    assert len(names) > 40
    known = " ".join(line.api for line in DOCUMENTED)
    expanded = known + " Conv3d ConvTranspose2d ConvTranspose3d ReplicationPad2d ReplicationPad3d"  # written as …2d
    assert {name for name in names if not re.search(rf"\b{name}\b", expanded)} == set()
