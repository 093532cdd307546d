from stories import story

from bench.report.arrange import sections
from bench.report.columns import all_columns, short_columns


def said(columns: tuple, section: int, row: int, cell: int, phase: str) -> dict[str, str]:
    chosen = sections(story())[section].rows[row].cells[cell]
    return {column.title: column.say(chosen, phase) for column in columns}


def test_little_room_keeps_time_ratio_and_memory():
    assert said(short_columns(sections(story())[0]), 0, 0, 1, "forward") == {
        "time": "2.73 ms",
        "against baseline": "+4.1 % [3.6, 4.7]",
        "peak memory": "1.50 MiB",
    }


def test_columns_with_nothing_to_say_are_left_out():
    titles = [column.title for column in all_columns(sections(story())[0])]
    assert "bandwidth" not in titles
    assert "gradient" not in titles
    assert titles[-1] == "processes"


def test_a_check_is_said_once_a_case():
    columns = all_columns(sections(story())[0])
    assert said(columns, 0, 0, 1, "forward")["output"] == "close 3.8e-07"
    assert said(columns, 0, 0, 1, "backward")["output"] == "–"


def test_a_benchmark_without_times_shows_its_checks_even_in_little_room():
    assert said(short_columns(sections(story())[1]), 1, 0, 1, "") == {"output": "different 0.41"}
