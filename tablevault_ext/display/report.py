"""Everything that is known of one process, for `tablevault show` and `%vault_show` alike."""

from __future__ import annotations

import html
import sys
from dataclasses import dataclass
from typing import Any, TextIO

from ..client import VaultClient
from ..errors import UnknownProcess
from ..model import Process
from .cells import cell_table
from .processes import process_details, process_table, request_table
from .table import Table
from .words import printable


@dataclass(slots=True)
class ProcessReport:
    """Tables one below the other, and what happened at the end. ``data`` holds the same as plain values for JSON."""

    tables: list[Table]
    post_mortem: str
    data: dict[str, Any]

    def __str__(self) -> str:
        return "\n\n".join([*map(str, self.tables), *([self.post_mortem] if self.post_mortem else [])])

    def __repr__(self) -> str:
        return str(self)

    def print(self, file: TextIO | None = None) -> None:
        """Write it to a terminal or a pipe."""
        file = file or sys.stdout
        for number, table in enumerate(self.tables):
            if number:
                print(file=file)
            table.print(file)
        if self.post_mortem:
            print(f"\n{self.post_mortem}", file=file)

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        printer.text(str(self))

    def _repr_html_(self) -> str:
        parts = [table.to_html() for table in self.tables]
        if self.post_mortem:
            parts.append(f"<pre>{html.escape(self.post_mortem)}</pre>")
        return "".join(parts)


def process_report(vault: VaultClient, name: str | Process, *, cells: int = 10) -> ProcessReport:
    """Its facts, what was asked of it, its last ``cells``, its children and, if it was lost or failed, why.

    Raises:
        UnknownProcess: with near names.
    """
    process = vault.get_process(name)
    requests = list(process.requests.values())
    last_cells = vault.list_cells(process, limit=cells)
    death = vault.post_mortem(process)
    vitals = vault.read_vitals([process])
    children = [each for each in vault.list_processes(all=True) if each.parent_id == process.process_id]
    tables = [process_details(process, _address(vault, process.parent_id), *vitals.values())]
    if requests:
        tables.append(request_table(requests))
    if last_cells:
        tables.append(cell_table(last_cells, title="Last cells"))
    if children:
        tables.append(process_table(children, vault.read_vitals(children), all_shown=True))
        tables[-1].title = "Children"
    data = process.to_dict() | {
        "vitals": next((each.to_dict() for each in vitals.values()), None),
        "requests": [request.to_dict() for request in requests],
        "cells": last_cells,
        "children": [child.to_dict() for child in children],
        "post_mortem": death.to_json() if death else None,
    }
    return ProcessReport(tables, printable(death.render(), keep_lines=True) if death else "", data)


def _address(vault: VaultClient, process_id: str | None) -> str:
    """NAME#RUN of a process; its id where it is not known any more."""
    if not process_id:
        return ""
    try:
        return vault.get_process(process_id).address
    except UnknownProcess:
        return process_id
