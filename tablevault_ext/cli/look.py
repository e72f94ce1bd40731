"""ps, show, logs, errors, sql: what runs, what ran, and what became of it."""

from __future__ import annotations

import csv
import signal
import sys
import threading
from typing import Any

import click

from ..display.table import Table
from ..errors import BadArgument
from ..model import Kind
from .common import client, complete_name, json_option, on_terminal, show_json, vault_option

_MOST_ROWS = 1000  # of a query's result that are drawn as a table


@click.command()
@click.option("--all", "-a", "all_", is_flag=True, help="Also what is over.")
@click.option("--kind", type=click.Choice([kind.value for kind in Kind]), help="Only this kind.")
@click.option("--watch", "-w", is_flag=True, help="Keep showing until Ctrl-C.")
@json_option
@vault_option
def ps(all_: bool, kind: str | None, watch: bool, as_json: bool) -> None:
    """List the processes that run; with --all, also those that are over.

    \b
    Examples:
      tablevault ps
      tablevault ps --all --kind notebook
      tablevault ps --json | jq '.[].name'
    """
    from ..display.processes import process_table

    vault = client()

    def look() -> Table:
        processes = vault.list_processes(all=all_, kind=kind)
        return process_table(processes, vault.read_vitals(processes), all_shown=all_)

    if as_json:
        processes = vault.list_processes(all=all_, kind=kind)
        vitals = vault.read_vitals(processes)
        seen = {process_id: each.to_dict() for process_id, each in vitals.items()}
        show_json([process.to_dict() | {"vitals": seen.get(process.process_id)} for process in processes])
    elif watch:
        _watch(look)
    else:
        look().print()


@click.command()
@click.argument("name", shell_complete=complete_name)
@click.option("-n", "cells", metavar="CELLS", type=click.IntRange(min=0), default=10, show_default=True)
@json_option
@vault_option
def show(name: str, cells: int, as_json: bool) -> None:
    """Show what is known of one process.

    Its facts, what was asked of it with receipts and latencies, its last cells, its children and, if it
    was lost or failed, what happened.

    \b
    Example:
      tablevault show train
    """
    from ..display.report import process_report

    report = process_report(client(), name, cells=cells)
    if as_json:
        show_json(report.data)
    else:
        report.print()


@click.command()
@click.argument("name", shell_complete=complete_name)
@click.option("--follow", "-f", is_flag=True, help="Go on until the process is over or Ctrl-C.")
@click.option("-n", "lines", metavar="LINES", type=click.IntRange(min=0), default=50, show_default=True)
@click.option("--stdout", "streams", flag_value="stdout", help="Only what it wrote to stdout.")
@click.option("--stderr", "streams", flag_value="stderr", help="Only what it wrote to stderr.")
@json_option
@vault_option
def logs(name: str, follow: bool, lines: int, streams: str | None, as_json: bool) -> None:
    """Show what a process printed.

    Of scripts and commands under `tablevault run` everything (bounded), of notebooks the end of each cell's
    output. What was asked of the process stands between, marked ⚙.

    \b
    Example:
      tablevault logs -f train
    """
    import json

    from ..display.logs import log_text

    vault = client()
    wanted = (streams,) if streams else ("stdout", "stderr")
    found = vault.read_log(name, lines=lines, streams=wanted) if not follow else ()
    if not follow and not found and not as_json:
        click.echo(f"{vault.get_process(name).address} has printed nothing that is kept", err=True)
    color = sys.stdout.isatty()
    for line in vault.follow_log(name, lines=lines, streams=wanted) if follow else found:
        # One JSON object a line: it can be followed, too.
        click.echo(json.dumps(line.to_json(), ensure_ascii=False) if as_json else log_text(line, color=color))


@click.command()
@click.argument("name", required=False, shell_complete=complete_name)
@click.option("-n", "count", metavar="ERRORS", type=click.IntRange(min=1), default=10, show_default=True)
@json_option
@vault_option
def errors(name: str | None, count: int, as_json: bool) -> None:
    """Show errors with their tracebacks, of one process or of all, the newest last.

    \b
    Example:
      tablevault errors analysis.ipynb
    """
    from ..display.errors import ErrorList

    found = ErrorList(client().list_errors(name, limit=count)[::-1])
    if as_json:
        show_json(found.errors)
    else:
        found.print()


@click.command()
@click.argument("query", required=False)
@click.option("--csv", "as_csv", is_flag=True, help="CSV on stdout.")
@json_option
@vault_option
def sql(query: str | None, as_csv: bool, as_json: bool) -> None:
    """Ask the vault with DuckDB's SQL; QUERY - reads it from stdin.

    Tables: processes, cells, requests, records, record_lists, descriptions. Views: errors, slow_cells,
    process_tree, request_latency, running, orphans. Times are UTC, durations seconds.

    \b
    Examples:
      tablevault sql "SELECT name, status FROM processes ORDER BY started_at DESC LIMIT 5"
      tablevault sql "FROM slow_cells LIMIT 3" --json
      echo "FROM errors" | tablevault sql - --csv
    """
    if query is None and sys.stdin.isatty():
        raise click.UsageError('Missing a query, such as: tablevault sql "FROM processes"')
    text = sys.stdin.read() if query in (None, "-") else query
    if not text or not text.strip():
        raise BadArgument("the query is empty")
    found = client().sql(text)
    columns, rows = found.columns, found.fetchall()
    if as_json:
        show_json([dict(zip(columns, row, strict=True)) for row in rows])
    elif as_csv:
        writer = csv.writer(sys.stdout, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows(rows)
    else:
        from ..display.cells import result_table

        result_table(columns, rows, most=_MOST_ROWS if on_terminal() else None).print()


def _watch(look: Any) -> None:
    """Show a table again and again: in place on a terminal, one below the other in a pipe."""
    from rich.live import Live

    from ..display.table import console_for

    console = console_for()
    over = _set_by_ctrl_c()
    try:
        if not console.is_terminal:
            while not over.is_set():
                look().print()
                click.echo()
                sys.stdout.flush()
                over.wait(1)
            return
        with Live(console=console, screen=False, auto_refresh=False, vertical_overflow="visible") as live:
            while not over.is_set():
                live.update(look().render(console), refresh=True)
                over.wait(0.5)
    except KeyboardInterrupt:
        return


def _set_by_ctrl_c() -> threading.Event:
    """An event that the first Ctrl-C sets; an exception could fall into DuckDB and be lost. The second one raises."""
    over = threading.Event()

    def end(number: int, frame: object) -> None:
        over.set()
        signal.signal(signal.SIGINT, signal.default_int_handler)

    signal.signal(signal.SIGINT, end)
    return over
