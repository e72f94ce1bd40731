"""What became of requests, in a line each."""

from __future__ import annotations

import html
from dataclasses import dataclass
from typing import Any

from ..model import Request
from .processes import outcome
from .words import printable


@dataclass(slots=True)
class Answers:
    """The requests that were made; shown as one line each, with colour, sign and word."""

    requests: list[Request]

    def __str__(self) -> str:
        return "\n".join(f"{_sign(request)} {printable(str(request))}" for request in self.requests)

    def __repr__(self) -> str:
        return str(self)

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        printer.text(str(self))

    def _repr_html_(self) -> str:
        return "".join(
            f'<div><span style="border-left:0.4em solid {outcome(request).color};padding-left:0.4em">'
            f"{html.escape(_sign(request))} {html.escape(printable(str(request)))}</span></div>"
            for request in self.requests
        )


def _sign(request: Request) -> str:
    return outcome(request).text.split()[0]
