"""What all commands share: the vault option, names that complete, JSON, one-line errors, exit codes."""

from __future__ import annotations

import json
import logging
import math
import sys
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

import click
from click.shell_completion import CompletionItem

from ..client import VaultClient
from ..errors import (
    BadArgument,
    NameTaken,
    NoControl,
    RequestPending,
    UnknownProcess,
    VaultError,
    WrongState,
)

FAILED, USAGE, NO_SUCH_PROCESS, PENDING, WRONG_STATE = 1, 2, 3, 4, 5
_CODES: tuple[tuple[type[VaultError], int], ...] = (
    (UnknownProcess, NO_SUCH_PROCESS),
    (WrongState, WRONG_STATE),
    (NoControl, WRONG_STATE),
    (NameTaken, WRONG_STATE),
    (RequestPending, PENDING),
    (BadArgument, USAGE),
)

Function = TypeVar("Function", bound=Callable[..., Any])


def exit_code(error: VaultError) -> int:
    """The exit code that stands for an error."""
    return next((code for kind, code in _CODES if isinstance(error, kind)), FAILED)


class TableVaultGroup(click.Group):
    """Turns the package's errors into one line on stderr and an exit code; never a traceback."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self.commands)  # in the order in which they were added

    def invoke(self, ctx: click.Context) -> Any:
        logging.getLogger("tablevault_ext").addHandler(_Notes(logging.WARNING))
        try:
            return super().invoke(ctx)
        except VaultError as error:
            complain(error)
            ctx.exit(exit_code(error))
        except BrokenPipeError:
            raise  # click ends quietly
        except OSError as error:
            complain(f"{error.strerror or error}{f': {error.filename}' if error.filename else ''}")
            ctx.exit(FAILED)
        except Exception as error:
            if not is_sql_error(error):
                raise
            complain(error, keep_lines=True)  # DuckDB points at the place in the query, on a line of its own
            ctx.exit(USAGE)


class _Notes(logging.Handler):
    """What the package wants to be known besides the answer: each once, in one line on stderr."""

    def __init__(self, level: int) -> None:
        super().__init__(level)
        self._said: set[str] = set()

    def emit(self, record: logging.LogRecord) -> None:
        text = record.getMessage()
        if text not in self._said:
            self._said.add(text)
            complain(text)


def is_sql_error(error: Exception) -> bool:
    """Whether DuckDB refused a query. It is asked for only if it is there: importing it takes a while."""
    duckdb = sys.modules.get("duckdb")
    return duckdb is not None and isinstance(error, duckdb.Error)


def complain(error: object, *, keep_lines: bool = False) -> None:
    """One line on stderr."""
    from ..display.words import printable

    click.echo(f"tablevault: {printable(str(error), keep_lines=keep_lines)}", err=True)


def _keep_vault(ctx: click.Context, parameter: click.Parameter, value: str | None) -> None:
    if value is not None:
        ctx.ensure_object(dict)["vault"] = value


def vault_option(function: Function) -> Function:
    """``--vault PATH``, before the command or after it."""
    return click.option(
        "--vault",
        metavar="PATH",
        type=click.Path(file_okay=True),
        expose_value=False,
        is_eager=True,
        callback=_keep_vault,
        help="The vault's directory.",
    )(function)


global_options = vault_option
json_option = click.option("--json", "as_json", is_flag=True, help="JSON on stdout, for programs.")


def vault_path() -> str | None:
    """What --vault said."""
    data: dict[str, Any] = click.get_current_context().ensure_object(dict)
    return data.get("vault")


def client() -> VaultClient:
    """The vault to look into. One that was named must be there; the user's own comes into being by itself."""
    path = vault_path()
    return VaultClient(path, create=path is None)


def show_json(data: Any) -> None:
    """Strict JSON: no NaN, times as ISO 8601."""
    from ..recording.records import to_plain

    click.echo(json.dumps(_strict(to_plain(data)), ensure_ascii=False, indent=2, allow_nan=False))


def _strict(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode() if not value.isascii() else value
    if isinstance(value, dict):
        return {key: _strict(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_strict(item) for item in value]
    return value


def on_terminal() -> bool:
    """Whether somebody sits there who can be asked."""
    return sys.stdin.isatty() and sys.stdout.isatty()


def complete_name(ctx: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Names of all processes."""
    return _complete(ctx, incomplete, lambda vault: [CompletionItem(name) for name in vault.process_names()])


def complete_living_name(ctx: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Names of the processes that live, each with its state."""
    return _complete(
        ctx, incomplete, lambda vault: [CompletionItem(p.name, help=p.status.label) for p in vault.list_processes()]
    )


def _complete(
    ctx: click.Context, incomplete: str, find: Callable[[VaultClient], list[CompletionItem]]
) -> list[CompletionItem]:
    """Nothing that goes wrong while the shell completes may reach the prompt."""
    data: dict[str, Any] = ctx.ensure_object(dict)
    logging.disable()
    try:
        found = find(VaultClient(data.get("vault")))
    except (VaultError, OSError):
        return []
    # One line each: a name may hold what the protocol between the shell and us cannot.
    return [item for item in found if item.value.startswith(incomplete) and item.value.isprintable()]


def each_name(names: Iterable[str], action: Callable[[str], int]) -> int:
    """Do it for every name, also when one of them fails; the highest exit code counts."""
    worst = 0
    for name in names:
        try:
            worst = max(worst, action(name))
        except VaultError as error:
            complain(error)
            worst = max(worst, exit_code(error))
    return worst
