"""Errors with their tracebacks, for terminals, pipes and notebooks."""

from __future__ import annotations

import html
import io
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, TextIO

from .table import console_for
from .words import printable, shown

if TYPE_CHECKING:
    from rich.console import Console

_EMPTY = "No errors."


@dataclass(slots=True)
class ErrorList:
    """Rows of the view ``errors``, each shown with its whole traceback."""

    errors: list[dict[str, Any]]

    def __str__(self) -> str:
        text = io.StringIO()
        self.print(text)
        return text.getvalue().rstrip("\n")

    def __repr__(self) -> str:
        return str(self)

    def print(self, file: TextIO | None = None) -> None:
        """Write them to a terminal or a pipe."""
        self._write(console_for(file))

    def _write(self, console: Console) -> None:
        from rich.text import Text

        if not self.errors:
            console.print(_EMPTY)
        for error in self.errors:
            console.print(Text(_headline(error), style="bold red"))
            console.print(Text(_traceback(error), overflow="fold"))
            console.print()

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        printer.text(str(self))

    def _repr_html_(self) -> str:
        if not self.errors:
            return f"<span>{_EMPTY}</span>"
        parts = [
            f"<details{' open' if len(self.errors) == 1 else ''}><summary>"
            f'<span style="border-left:0.4em solid red;padding-left:0.4em">{html.escape(_headline(error))}</span>'
            f"</summary><pre>{html.escape(_traceback(error))}</pre></details>"
            for error in self.errors
        ]
        return "".join(parts)


def _headline(error: dict[str, Any]) -> str:
    where = f"{error['name']}#{error['run']}" if error["name"] else error["process_id"]
    if error["cell_seq"] is not None:
        where += f", cell {error['cell_seq']}"
    if error["source"] not in (None, "cell"):
        where += f" ({error['source']})"
    message = shown(f"{error['error_type']}: {error['error_message'] or ''}".rstrip(": "), 120)
    return f"❌ {shown(where, 80)} · {_when(error['happened_at'])} · {message}"


def _traceback(error: dict[str, Any]) -> str:
    return printable(error["traceback"] or "", keep_lines=True).rstrip()


def _when(moment: datetime | None) -> str:
    return "" if moment is None else f"{moment:%Y-%m-%d %H:%M:%S} UTC"
