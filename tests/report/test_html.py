import dataclasses
import re
from collections.abc import Callable

from builders import declaration
from pages import Page
from stories import hostile, large, nothing, story

from bench.report.html import html


def test_the_words_of_a_report_read_as_accepted(golden: Callable[[str, str], None]):
    golden("report/report.html.txt", "\n".join(Page(html(story())).lines) + "\n")


def test_the_same_records_give_the_same_bytes():
    assert html(story()) == html(story())


def test_every_element_is_closed_where_it_was_opened():
    for summary in (story(), hostile(), nothing()):
        assert Page(html(summary)).open == []


def test_nothing_is_fetched_and_only_the_pages_own_script_may_run():
    page = Page(html(story()))
    assert not [attrs for _, attrs in page.elements if {"src", "srcset", "data"} & set(attrs)]
    assert all(attrs["href"].startswith("#") for tag, attrs in page.elements if tag == "a")
    (policy,) = [a["content"] for t, a in page.elements if t == "meta" and "content-security" in str(a).lower()]
    assert policy.startswith("default-src 'none';")
    assert re.search(r"script-src 'sha256-[A-Za-z0-9+/]{43}='$", policy)
    assert "url(" not in html(story())
    assert "@import" not in html(story())


def test_hostile_names_stay_text():
    text = html(hostile())
    page = Page(text)
    assert [tag for tag, _ in page.elements].count("script") == 1
    assert not [c for c in "\x1b\u202e" if c in text]
    assert "<script>alert(1)</script>" in " ".join(page.lines)
    assert "{{ x }}" in " ".join(page.lines)


def test_every_link_leads_somewhere():
    page = Page(html(story()))
    ids = [attrs["id"] for _, attrs in page.elements if "id" in attrs]
    assert len(ids) == len(set(ids))
    assert {attrs["href"][1:] for tag, attrs in page.elements if tag == "a"} <= set(ids)


def test_it_can_be_read_aloud_and_without_colour():
    page = Page(html(story()))
    named = [
        attrs.get("role") == "img" or attrs.get("aria-hidden") == "true" for t, attrs in page.elements if t == "svg"
    ]
    assert named
    assert all(named)
    assert ("html", {"lang": "en"}) in page.elements
    assert all("scope" in attrs for tag, attrs in page.elements if tag == "th")
    assert {"refuted", "undecided", "confirmed", "not applicable"} <= set(page.lines)


def test_flagged_samples_are_visible():
    text = html(story())
    assert text.count('class="flag"') == 6  # three cases, two phases
    assert "Crosses are flagged samples" in text


def test_the_source_keeps_its_lines_and_can_harm_nobody():
    source = "def f(x):\n    return x < 1  # </pre>\n"
    run = nothing()
    manifest = dataclasses.replace(run.manifest, declarations=(declaration(source=source),))
    assert "def f(x):\n    return x &lt; 1  # &lt;/pre&gt;</pre>" in html(dataclasses.replace(run, manifest=manifest))


def test_what_went_wrong_is_told_with_its_trace():
    assert "What went wrong in conv/bias_before_bn[c=64,n=4]/bias@cpu" in html(story())
    assert "<pre>Traceback:\n  line 1</pre>" in html(story())


def test_unknown_facts_say_why_they_are_unknown():
    run = story()
    (key, known), *_ = run.environments.items()
    known = dataclasses.replace(known, reasons={"gpu": "measured on the CPU"})
    assert "unknown: measured on the CPU" in html(dataclasses.replace(run, environments={key: known}))


def test_a_large_report_stays_small():
    assert len(html(large(25)).encode()) < 3_000_000
