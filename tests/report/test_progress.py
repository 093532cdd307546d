import io
import re
from collections.abc import Callable

from rich.console import Console

from bench.report.progress import Progress, Silence


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


class Clock:
    """Seconds that pass only when told."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def told(file: io.StringIO, clock: Clock, **options: object) -> Progress:
    progress = Progress(Console(file=file, width=100, **options), clock)
    progress.start(["a", "b"], 3)
    for pass_ in (1, 2, 3):
        for group in ("a", "b"):
            clock.now += 3
            progress.process_done(pass_, group, 3.0)
        progress.expect(18 - 6 * pass_)
        progress.pass_done(pass_, {"a": 0.014} if pass_ == 1 else {"a": 0.014, "b": 0.03})
    progress.message("looking again\x1b[2J")
    return progress


def test_a_log_gets_plain_lines(golden: Callable[[str, str], None]):
    file = io.StringIO()
    told(file, Clock()).close()
    golden("report/progress-log.txt", file.getvalue())


def test_a_quick_run_does_not_fill_the_log():
    file, clock = io.StringIO(), Clock()
    progress = Progress(Console(file=file, width=100), clock)
    progress.start(["a"], 100)
    for pass_ in range(1, 101):
        clock.now += 0.1
        progress.pass_done(pass_, {"a": 0.1})
    assert len(file.getvalue().splitlines()) == 3  # the start, the first pass, and one after five seconds


def test_a_terminal_shows_pass_groups_precision_and_time_left():
    file = Terminal()
    progress = told(file, Clock(), force_terminal=True, color_system=None)
    shown = file.getvalue()
    for part in ("pass 2 of about 3", "1 of 2 groups", "widest ±3 % (b)", "about 12 s left", "b took 3.0 s"):
        assert part in shown
    progress.close()
    progress.close()


def test_the_display_fits_80_columns_whatever_the_names():
    file = Terminal()
    progress = Progress(Console(file=file, width=80, force_terminal=True, color_system=None), Clock())
    progress.start(["g" * 300] * 40, 12)
    progress.process_done(1, "g" * 300, 100.0)
    progress.expect(4000.0)
    progress.pass_done(1, {"g" * 300: 0.5})
    shown = file.getvalue()
    assert "about 1 h 6 min left" in shown
    assert "widest ±50 %" in shown
    lines = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", shown).replace("\r", "\n").split("\n")
    assert max(map(len, lines)) <= 80
    progress.close()


def test_time_left_counts_down_between_what_is_said_of_it():
    file, clock = Terminal(), Clock()
    progress = Progress(Console(file=file, width=100, force_terminal=True, color_system=None), clock)
    progress.start(["a", "b"], 5)
    clock.now += 2
    progress.expect(18.0)
    progress.process_done(1, "a", 2.0)
    assert "about 18 s left" in file.getvalue()
    clock.now += 2
    progress.process_done(1, "b", 2.0)
    assert "about 16 s left" in file.getvalue()
    progress.expect(20.0)
    progress.pass_done(1, {})
    clock.now += 5
    progress.process_done(2, "a", 5.0)
    assert "about 15 s left" in file.getvalue()
    progress.close()


def test_a_forced_colour_log_is_still_a_log():
    file = io.StringIO()
    told(file, Clock(), force_terminal=True, color_system=None).close()
    assert "\x1b" not in file.getvalue()


def test_a_message_can_harm_no_terminal():
    file = Terminal()
    told(file, Clock(), force_terminal=True, color_system=None).close()
    assert "\x1b[2J" not in file.getvalue().replace("\x1b[2K", "")
    assert r"looking again\x1b[2J" in file.getvalue()


def test_silence_says_nothing(capsys):
    silence = Silence()
    silence.start(["a"], 1)
    silence.process_done(1, "a", 1.0)
    silence.expect(1.0)
    silence.pass_done(1, {})
    silence.message("x")
    silence.close()
    assert capsys.readouterr() == ("", "")
