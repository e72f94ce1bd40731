"""cleanup, rebuild, prune, autoload: keeping a vault in order."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import timedelta
from typing import Any

import click

from ..errors import BadArgument
from ..model import Process
from .common import client, json_option, on_terminal, show_json, vault_option


class Age(click.ParamType):  # type: ignore[type-arg,unused-ignore]
    """A span such as 90d, 12h, 30m."""

    name = "age"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> timedelta:
        from ..store.prune import parse_age

        if isinstance(value, timedelta):
            return value
        try:
            return parse_age(str(value))
        except BadArgument as error:
            self.fail(str(error), param, ctx)


@click.command()
@click.option(
    "--interval",
    metavar="SECONDS",
    type=click.FloatRange(min=0),
    default=60.0,
    show_default=True,
    help="Only what is older than this.",
)
@json_option
@vault_option
def cleanup(interval: float, as_json: bool) -> None:
    """Close what processes that are gone left open; never what belongs to a living one.

    \b
    Example:
      tablevault cleanup
    """
    closed = client().vault_cleanup(interval)
    if as_json:
        show_json([asdict(operation) for operation in closed])
    elif not closed:
        click.echo("Nothing was left open.")
    else:
        for operation in closed:
            click.echo(f"closed: {operation}")


@click.command()
@vault_option
def rebuild() -> None:
    """Make vault.duckdb again from the journals.

    The journals are the truth; what is not in them any more is gone from the new file. The old file is replaced only
    when the new one is complete; a damaged one is kept beside it.

    \b
    Example:
      tablevault rebuild
    """
    from ..display.words import count, size

    vault = client()
    with _progress() as progress:
        rebuilt = vault.rebuild(progress)
    click.echo(
        f"rebuilt from {size(rebuilt.bytes_read)} of journals: {count(rebuilt.processes, 'process', 'processes')}, "
        f"{count(rebuilt.cells, 'cell')}"
    )
    for notice in rebuilt.notices:
        click.echo(f"note: {notice.message}")
    if rebuilt.kept is not None:
        click.echo(f"the damaged file is kept as {rebuilt.kept}")


@contextmanager
def _progress() -> Iterator[Callable[[int, int], None] | None]:
    """A bar on a terminal; nothing in a pipe."""
    if not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("reading journals")
        yield lambda done, total: bar.update(task, completed=done, total=total)


@click.command()
@click.option("--older-than", metavar="AGE", type=Age(), required=True, help="Such as 90d, 12h; of the ending.")
@click.option("--yes", "-y", is_flag=True, help="Do not ask.")
@json_option
@vault_option
def prune(older_than: timedelta, yes: bool, as_json: bool) -> None:
    """Delete the history of processes that ended long ago, for good.

    Says what goes, and asks first.

    \b
    Example:
      tablevault prune --older-than 90d
    """
    vault = client()
    plan = vault.plan_prune(older_than)
    if not as_json:
        _announce(plan.processes, str(plan))
    if plan.processes and not yes:
        if not on_terminal():
            raise BadArgument("this deletes for good; say --yes where nobody can be asked. Nothing was deleted")
        click.confirm("Delete this for good?", abort=True, err=True)
    gone = vault.prune(plan) if plan.processes else plan
    if as_json:
        show_json({"processes": [process.to_dict() for process in gone.processes], "bytes": gone.size})
    elif gone.processes:
        click.echo(f"deleted: {gone}")


def _announce(processes: list[Process], summary: str) -> None:
    from ..display.processes import process_table

    if not processes:
        click.echo("Nothing is that old.")
        return
    process_table(processes, all_shown=True).print()
    click.echo(f"This goes: {summary}.")


@click.command()
@click.argument("what", metavar="on|off|status", type=click.Choice(["on", "off", "status"]))
@json_option
def autoload(what: str, as_json: bool) -> None:
    """Record every notebook and IPython session without typing anything: on, off, or say which.

    It is one file in the startup folder of IPython's default profile, which does nothing where this package is
    not installed.

    \b
    Example:
      tablevault autoload on
    """
    from .. import autoload as switch

    state = switch.status() if what == "status" else switch.turn(on=what == "on")
    if as_json:
        show_json(state.to_dict())
    else:
        click.echo(str(state))
