"""pause, resume, stop, withdraw: requests, and what came of them."""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import redirect_stdout

import click

from ..client import VaultClient
from ..errors import WrongState
from ..model import Kind, Outcome, Request
from .common import (
    FAILED,
    PENDING,
    client,
    complete_living_name,
    each_name,
    json_option,
    on_terminal,
    show_json,
    vault_option,
)

_names = click.argument("names", metavar="NAME...", nargs=-1, required=True, shell_complete=complete_living_name)
_wait = click.option(
    "--wait",
    metavar="SECONDS",
    type=click.FloatRange(min=0),
    help="Wait so long for the effect; exit code 4 if it is still pending then.",
)
_reason = click.option("--reason", default="", help="Shown to whoever asks why.")


@click.command()
@_names
@click.option("--now", is_flag=True, help="Freeze the whole process tree at once instead of at the next checkpoint.")
@_reason
@_wait
@json_option
@vault_option
def pause(names: tuple[str, ...], now: bool, reason: str, wait: float | None, as_json: bool) -> None:
    """Pause processes at their next checkpoint, or now.

    \b
    Example:
      tablevault pause train --wait 10
    """
    vault = client()
    _ask(names, wait, as_json, lambda name: vault.pause_execution(name, now=now, reason=reason, wait=wait))


@click.command()
@_names
@_wait
@json_option
@vault_option
def resume(names: tuple[str, ...], wait: float | None, as_json: bool) -> None:
    """Let paused processes go on.

    A pause that has not taken effect yet is withdrawn.

    \b
    Example:
      tablevault resume train
    """
    vault = client()
    _ask(names, wait, as_json, lambda name: vault.resume_execution(name, wait=wait))


@click.command()
@_names
@click.option("--now", is_flag=True, help="End the whole process tree: SIGTERM, the grace, SIGKILL.")
@click.option("--keep-kernel", is_flag=True, help="Abort a notebook's run, but keep its kernel and memory.")
@click.option(
    "--grace",
    metavar="SECONDS",
    type=click.FloatRange(min=0),
    default=30.0,
    show_default=True,
    help="Time between asking and killing.",
)
@click.option("--escalate", is_flag=True, help="Turn a stop at a checkpoint into one now when the grace is over.")
@_reason
@_wait
@click.option("--yes", "-y", is_flag=True, help="Do not ask before something is destroyed.")
@json_option
@vault_option
def stop(
    *,
    names: tuple[str, ...],
    now: bool,
    keep_kernel: bool,
    grace: float,
    escalate: bool,
    reason: str,
    wait: float | None,
    yes: bool,
    as_json: bool,
) -> None:
    """Stop processes at their next checkpoint, or now.

    At a checkpoint `finally` blocks and atexit functions run. With --now, and for commands, which have no
    checkpoints, the whole tree is ended; on a terminal you are asked first.

    \b
    Examples:
      tablevault stop train --reason "loss diverged" --wait 30
      tablevault stop train --now --grace 5
      tablevault stop analysis.ipynb --keep-kernel
    """
    vault = client()

    def ask_one(name: str) -> Request:
        if not yes and on_terminal():
            _confirm(vault, name, now)
        return vault.stop_execution(
            name, now=now, keep_kernel=keep_kernel, grace=grace, escalate=escalate, reason=reason, wait=wait
        )

    _ask(names, wait, as_json, ask_one)


@click.command()
@click.argument("name", metavar="NAME", shell_complete=complete_living_name)
@click.argument("request_id", required=False)
@json_option
@vault_option
def withdraw(name: str, request_id: str | None, as_json: bool) -> None:
    """Take back what was asked of a process, before it takes effect.

    Without REQUEST_ID all its pending requests are withdrawn.

    \b
    Example:
      tablevault withdraw train
    """
    vault = client()
    process = vault.get_process(name)
    pending = [r for r in process.requests.values() if r.wanted and request_id in (None, r.request_id)]
    if not pending:
        raise WrongState(f"{process.address} has no pending request{f' {request_id}' if request_id else ''}")
    answers = [vault.withdraw_request(request) for request in pending]
    _show(answers, as_json)


def _ask(names: tuple[str, ...], wait: float | None, as_json: bool, ask: Callable[[str], Request]) -> None:
    answers: list[Request] = []

    def one(name: str) -> int:
        with redirect_stdout(sys.stderr):  # what a wait says when its time is over belongs beside the answer
            answers.append(ask(name))
        if not as_json:
            _show(answers[-1:], as_json)
        return _code(answers[-1], wait)

    code = each_name(names, one)
    if as_json:
        _show(answers, as_json)
    click.get_current_context().exit(code)


def _code(request: Request, wait: float | None) -> int:
    if request.pending:
        return 0 if wait is None else PENDING
    return 0 if request.outcome is Outcome.EFFECTIVE else FAILED


def _show(requests: list[Request], as_json: bool) -> None:
    if as_json:
        show_json([request.to_dict() for request in requests])
        return
    for request in requests:
        click.echo(str(request))


def _confirm(vault: VaultClient, name: str, now: bool) -> None:
    from ..display.processes import ended_by_now

    process = vault.get_process(name)
    if process.status.ended or not (now or process.kind is Kind.COMMAND):
        return
    click.confirm(f"{ended_by_now(process, vault.list_descendants(process))} Go on?", abort=True, err=True)
