"""What tables look like: no text of a user's can do harm, and no state is told by colour alone."""

from __future__ import annotations

import io
import re

import pytest
from rich.console import Console

from tablevault_ext.display import Table, Text, details_table
from tablevault_ext.display.cells import result_table
from tablevault_ext.display.chart import sparkline
from tablevault_ext.display.processes import in_tree_order, process_table
from tablevault_ext.display.words import duration, printable, shown
from tablevault_ext.model import Process, Status

HOSTILE = "a\x1b[2Jb\x00c\u202ed\ue000<script>[red]\n'\";--"


def process(name: str, *, parent: str | None = None, status: Status = Status.RUNNING) -> Process:
    return Process(name, name=name, run=1, status=status, parent_id=parent)


def test_control_characters_become_visible_and_harmless() -> None:
    text = str(Table(("NAME",), [(HOSTILE,)]))
    assert "\x1b" not in text
    assert "\x00" not in text
    assert "\u202e" not in text
    assert "[red]" in text, "markup of rich's is just text"


def test_html_escapes_everything() -> None:
    table = Table(("<b>",), [(HOSTILE,), (Text("<i>", "red"),)], title="<u>", notes=["<s>"])
    tags = set(re.findall(r"<(\w+)", table.to_html()))
    assert tags <= {"div", "strong", "table", "thead", "tbody", "tr", "th", "td", "span", "small"}


def test_emoji_survive_and_joined_ones_stay_together() -> None:
    assert printable("👩‍🔬 ✅ ünï") == "👩‍🔬 ✅ ünï"


@pytest.mark.parametrize("status", list(Status))
def test_every_state_has_a_sign_a_word_and_a_colour(status: Status) -> None:
    table = process_table([process("p", status=status)])
    assert status.label in str(table)
    assert str(status) in status.label
    assert not status.label[0].isascii()
    assert status.color in table.to_html()


def test_a_pipe_gets_neither_colours_nor_folded_lines() -> None:
    long = "x" * 500
    text = str(Table(("A", "B"), [(long, Text("🟢 running", "green"))]))
    assert long in text
    assert "\x1b[" not in text
    assert text.count("\n") == 1


def test_a_terminal_gets_colours(monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.delenv("NO_COLOR", raising=False)
    terminal = Terminal()
    Table(("A",), [(Text("🟢 running", "green"),)]).print(terminal)
    assert "\x1b[32m" in terminal.getvalue()


def test_a_narrow_terminal_leaves_out_what_can_be_spared() -> None:
    table = Table(("A", "B", "C"), [("a" * 10, "b" * 10, "c" * 50)], clipped=frozenset({"C"}), spare=("B",))

    def drawn(width: int) -> str:
        console = Console(width=width, force_terminal=True, color_system=None, file=io.StringIO())
        console.print(table.render(console))
        return console.file.getvalue()  # type: ignore[attr-defined]

    assert "bbb" in drawn(60) and "ccc" in drawn(60)
    assert "bbb" not in drawn(45) and "c" * 29 + "…" in drawn(45)


def test_children_stand_below_their_parents_whatever_the_order() -> None:
    listed = [process("grandchild", parent="child"), process("other"), process("child", parent="root"), process("root")]
    assert [(depth, p.name) for depth, p in in_tree_order(listed)] == [
        (0, "other"),
        (0, "root"),
        (1, "child"),
        (2, "grandchild"),
    ]


def test_parents_in_a_ring_or_missing_hide_nobody() -> None:
    ring = [process("a", parent="b"), process("b", parent="a"), process("c", parent="c"), process("d", parent="gone")]
    assert sorted(p.name for _, p in in_tree_order(ring)) == ["a", "b", "c", "d"]


def test_an_empty_table_says_what_to_do() -> None:
    assert "tablevault ps --all" in str(process_table([]))


def test_details_leave_out_what_is_not_known() -> None:
    assert "path" not in str(details_table("x", [("name", "a"), ("path", "")]))


def test_a_long_result_says_how_much_is_not_shown() -> None:
    table = result_table(["n"], [(n,) for n in range(1200)], most=1000)
    assert "200 more rows" in str(table)
    assert str(result_table(["n"], [(None,)])).split() == ["n", "NULL"]


def test_words() -> None:
    assert duration(None) == ""
    assert shown("one\ntwo three", 8) == "one⏎two…"
    assert sparkline([]) == ""
    assert sparkline([float("nan"), 1.0]) == "▁"
    assert len(sparkline(list(range(1000)), width=40)) == 40
