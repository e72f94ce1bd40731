"""A table that shows itself: coloured in a terminal, plain in a pipe, HTML in a notebook."""

from __future__ import annotations

import html
import io
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TextIO

from .words import printable

if TYPE_CHECKING:
    from rich.console import Console, RenderableType


@dataclass(frozen=True, slots=True)
class Text:
    """A piece of text and how it looks. The colour never says anything that the words do not."""

    text: str
    color: str = ""
    dim: bool = False


Value = str | Text
_GAP = 2  # characters between two columns
_LEGIBLE = 30  # characters that make a clipped text worth having


@dataclass(slots=True)
class Table:
    """Rows under column names, with a title, a sentence for when there are none, and notes below.

    In IPython its value is shown by itself; ``print(table)`` gives the plain form. ``data`` is what the rows were
    made of, for those who want to go on with it.
    """

    columns: Sequence[str]
    rows: list[Sequence[Value]] = field(default_factory=list)
    title: str = ""
    empty: str = ""
    notes: list[str] = field(default_factory=list)
    right: frozenset[str] = frozenset()
    """The columns that are set flush right: numbers."""
    clipped: frozenset[str] = frozenset()
    """The columns that a terminal cuts at its edge instead of folding them; a pipe and a notebook show all."""
    spare: Sequence[str] = ()
    """The columns that a narrow terminal leaves out, the first of them first."""
    headless: bool = False
    data: Any = None

    def render(self, console: Console) -> RenderableType:
        """What rich shows."""
        from rich.console import Group
        from rich.table import Table as RichTable
        from rich.text import Text as RichText

        parts: list[RenderableType] = []
        if self.title:
            parts.append(RichText(printable(self.title), style="bold"))
        if self.rows:
            table = RichTable(box=None, show_header=not self.headless, pad_edge=False, header_style="bold")
            drawn, room = self._fitting(console.width) if console.is_terminal else (list(self.columns), None)
            for name in drawn:
                clip = room is not None and name in self.clipped
                table.add_column(
                    printable(name),
                    justify="right" if name in self.right else "left",
                    overflow="ellipsis" if clip else "fold",
                    no_wrap=clip,
                    max_width=room if clip else None,
                )
            for row in self.rows:
                cells = zip(self.columns, row, strict=True)
                table.add_row(*(_rich_text(value) for name, value in cells if name in drawn))
            parts.append(table)
        elif self.empty:
            parts.append(RichText(self.empty))
        parts += [RichText(printable(note), style="dim") for note in self.notes]
        return Group(*parts)

    def _fitting(self, width: int) -> tuple[list[str], int]:
        """The columns that a terminal has room for, and the characters of each that may be clipped."""
        from rich.cells import cell_len

        widths = {
            name: max(cell_len(printable(text)) for text in (name, *(_plain(row[index]) for row in self.rows)))
            for index, name in enumerate(self.columns)
        }
        drawn = list(self.columns)
        for left_out in (*self.spare, None):
            taken = sum(_GAP + (0 if name in self.clipped else widths[name]) for name in drawn)
            room = (width - taken) // max(1, len(self.clipped))
            if room >= _LEGIBLE or left_out is None:
                break
            drawn.remove(left_out)
        return drawn, max(12, room)

    def print(self, file: TextIO | None = None) -> None:
        """Write it to a terminal or a pipe."""
        console = console_for(file)
        if console.is_terminal:
            console.print(self.render(console))
        else:
            print(self, file=file)

    def __str__(self) -> str:
        return self._as_text(color=False)

    def _as_text(self, *, color: bool) -> str:
        from rich.console import Console

        text = io.StringIO()
        console = (
            Console(file=text, force_terminal=True, force_jupyter=False, highlight=False)
            if color
            else console_for(text)
        )
        console.print(self.render(console))
        return "\n".join(line.rstrip() for line in text.getvalue().rstrip("\n").split("\n"))

    def __repr__(self) -> str:
        return str(self)

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        """Terminal IPython, and the plain-text form in notebooks."""
        printer.text(self._as_text(color=sys.stdout.isatty()))

    def _repr_html_(self) -> str:
        return self.to_html()

    def to_html(self) -> str:
        """The table for a notebook; every text is escaped."""
        parts = []
        if self.title:
            parts.append(f"<strong>{_escape(self.title)}</strong>")
        if self.rows:
            heads = "".join(f'<th style="text-align:left">{_escape(name)}</th>' for name in self.columns)
            head = "" if self.headless else f"<thead><tr>{heads}</tr></thead>"
            body = "".join(f"<tr>{self._html_cells(row)}</tr>" for row in self.rows)
            parts.append(f"<table>{head}<tbody>{body}</tbody></table>")
        elif self.empty:
            parts.append(f"<span>{_escape(self.empty)}</span>")
        parts += [f"<div><small>{_escape(note)}</small></div>" for note in self.notes]
        return f'<div class="tablevault">{"".join(parts)}</div>'

    def _html_cells(self, row: Sequence[Value]) -> str:
        cells = []
        for name, value in zip(self.columns, row, strict=True):
            align = "right" if name in self.right else "left"
            cells.append(f'<td style="text-align:{align};white-space:pre-wrap">{_html_text(value)}</td>')
        return "".join(cells)


def details_table(title: str, facts: Iterable[tuple[str, Value]], *, data: Any = None) -> Table:
    """Facts about one thing, a line each; facts without a value are left out."""
    rows: list[Sequence[Value]] = [(name, value) for name, value in facts if _plain(value)]
    return Table(("", " "), rows, title=title, headless=True, data=data)


def console_for(file: TextIO | None = None) -> Console:
    """A console as wide as its terminal; in a pipe nothing is folded, cut or coloured."""
    from rich.console import Console

    target = file or sys.stdout
    # Not Jupyter: there rich would display by itself, and ours is shown through `_repr_html_`.
    plain: dict[str, Any] = {"force_jupyter": False, "highlight": False, "markup": False, "emoji": False}
    console = Console(file=target, **plain)
    if not console.is_terminal:
        console = Console(file=target, width=100_000, soft_wrap=True, **plain)
    return console


def _plain(value: Value) -> str:
    return value.text if isinstance(value, Text) else value


def _rich_text(value: Value) -> Any:
    from rich.text import Text as RichText

    style = ""
    if isinstance(value, Text):
        style = value.color + (" dim" if value.dim else "")
    return RichText(printable(_plain(value), keep_lines=True), style=style.strip())


def _html_text(value: Value) -> str:
    text = _escape(_plain(value))
    if isinstance(value, Text) and value.color:
        # A bar in the colour beside the word: coloured letters would be hard to read on some themes.
        return f'<span style="border-left:0.4em solid {value.color};padding-left:0.4em">{text}</span>'
    if isinstance(value, Text) and value.dim:
        return f'<span style="opacity:0.7">{text}</span>'
    return text


def _escape(text: str) -> str:
    return html.escape(printable(text, keep_lines=True))
