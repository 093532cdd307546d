import dataclasses

from builders import estimate, manifest
from stories import nothing, story

from bench.report.arrange import sections
from bench.report.sentences import command, environment, headlines, machine, remarks, subject
from bench.report.words import FLAGS


def test_the_subject_says_what_was_measured_on_what():
    assert subject(story()) == "6 cases of 3 benchmarks on Test CPU with torch 2.13.0 (tier smoke)"


def test_on_a_gpu_the_gpu_and_its_driver_are_named():
    summary = story()
    (key, known), *_ = summary.environments.items()
    facts = {**known.facts, "gpu": "H100", "cuda": "12.8", "driver": "580"}
    machines = {key: dataclasses.replace(known, facts=facts)}
    on_cuda = dataclasses.replace(summary.manifest, device="cuda:0")
    assert machine(dataclasses.replace(summary, environments=machines, manifest=on_cuda)) == (
        "H100 with torch 2.13.0, cuda 12.8, driver 580"
    )


def test_a_run_without_records_has_no_facts_and_still_a_subject():
    assert environment(nothing()).facts == {}
    assert subject(nothing()) == "2 cases of 1 benchmark on cpu (tier smoke)"


def test_the_command_is_what_one_would_type_anywhere():
    def typed(*words: str) -> str:
        return command(dataclasses.replace(nothing(), manifest=manifest(command=words)))

    assert typed("/somewhere/bench/__main__.py", "run", "a b") == "python -m bench run 'a b'"
    assert typed("/venv/bin/bench", "run", "suites/conv") == "bench run suites/conv"


def test_the_headlines_tell_the_worst_first():
    assert headlines(story()) == (
        "Of 6 judgements of claims: 1 refuted, 2 undecided, 3 confirmed.",
        "1 case without a trustworthy number: 1 oom.",
        "1 case of 3 checked did not repeat bit for bit.",
    )


def test_a_run_that_ended_early_says_what_is_missing():
    assert headlines(nothing())[0] == "The run was stopped early: 2 of 2 cases not measured."
    stopped = dataclasses.replace(story(), manifest=dataclasses.replace(story().manifest, finished=""))
    assert (
        headlines(stopped)[0]
        == "The run was stopped early: every case was measured, with fewer processes than planned."
    )


def test_remarks_name_problem_remedy_and_place_once():
    assert remarks(sections(story())[0]) == (
        "out of memory: needs 19.6 GB, has 8.0 GB (bias c=64)",
        "output differs from repeat to repeat: 3 of 20 repeats differed (bias c=16)",
        "the time ran out before it was as precise as asked; raise --budget (c=64)",
        f"page faults in up to 12 % of samples: {FLAGS['page_faults']} (bias forward c=16; bias backward c=16)",
        "two modes: 30 % of samples are near 3.1 ms (bias forward c=16; bias backward c=16)",
    )


def test_a_few_flagged_samples_are_no_matter_for_a_remark():
    flagged = estimate(point_of := story().estimates[0].case, value=0.001, flags={"preempted": 0.04})
    quiet = dataclasses.replace(story(), estimates=(flagged,), records=())
    assert point_of.variant == "no_bias"
    assert remarks(sections(quiet)[0]) == ()


def test_many_places_are_counted():
    cases = story().manifest.cases
    rows = tuple(
        estimate(c, f"time/{p}", value=1.0, flags={"stolen": 0.5}) for c in cases[:4] for p in ("forward", "backward")
    )
    (remark,) = remarks(sections(dataclasses.replace(story(), estimates=rows, records=()))[0])
    assert remark.endswith("use a dedicated or an idle host (no_bias forward c=16; no_bias backward c=16; and 6 more)")
