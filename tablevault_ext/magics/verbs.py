"""What each magic does: parse its line, call `Vault`, give back something that shows itself."""

from __future__ import annotations

import argparse
import contextlib
import io
import re
import shlex
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from IPython.core.error import UsageError

from ..errors import VaultError
from ..model import Kind, Request
from ..session import current_session
from ..vault import Vault
from . import LINE_MAGICS

if TYPE_CHECKING:
    from ..display.table import Value

Verb = Callable[[Any, argparse.Namespace, str | None], Any]


def call(shell: Any, name: str, line: str, cell: str | None) -> Any:
    """Run one magic; what goes wrong is one line, not a traceback."""
    from ..display.words import printable

    parser, verb = _parser(name), _VERBS[name]
    try:
        if name == "vault_sql":
            arguments = parser.parse_args(["--help"] if line.strip() in ("-h", "--help") else ["--", line])
        else:
            words = _split(line)
            command: list[str] = []
            if name == "vault_run":
                words, command = _before_command(words)
            arguments = parser.parse_args(words)
            arguments.command = command
        return verb(shell, arguments, cell)
    except _HelpShown:
        return None
    except VaultError as error:
        raise UsageError(printable(str(error))) from None
    except Exception as error:
        duckdb = sys.modules.get("duckdb")
        if duckdb is None or not isinstance(error, duckdb.Error):
            raise
        raise UsageError(printable(str(error), keep_lines=True)) from None


def options(name: str) -> list[str]:
    """The long options of a magic."""
    parser = _parser(name)
    return sorted(option for action in parser._actions for option in action.option_strings if option.startswith("--"))


# The verbs


def _status(shell: Any, arguments: argparse.Namespace, cell: str | None) -> Any:
    from ..display import details_table
    from ..display.processes import state
    from ..display.words import count

    vault = Vault()
    session = current_session()
    recording = session is not None and session.notebook is not None and session.notebook.attached
    me = vault.get_process(vault.process_id)
    living = vault.list_processes()
    facts: list[tuple[str, Value]] = [
        ("this is", me.address),
        ("state", state(me)),
        ("recording", "every cell" if recording else "no cells"),
    ]
    facts += [("vault", vault.path), ("running", count(len(living), "process", "processes"))]
    facts += [(f"%{name}", summary) for name, summary in LINE_MAGICS.items() if name != "vault"]
    facts.append(("%%vault_private", "As a cell's first line: record that it ran, not its code or output."))
    return details_table("TableVault", facts, data=me)


def _ps(shell: Any, arguments: argparse.Namespace, cell: str | None) -> Any:
    from ..display.processes import process_table

    vault = Vault()
    found = vault.list_processes(all=arguments.all, kind=arguments.kind)
    return process_table(found, vault.read_vitals(found), all_shown=arguments.all)


def _show(shell: Any, arguments: argparse.Namespace, cell: str | None) -> Any:
    from ..display.report import process_report

    return process_report(Vault(), arguments.name, cells=arguments.cells)


def _panel(shell: Any, arguments: argparse.Namespace, cell: str | None) -> Any:
    if not hasattr(shell, "kernel"):
        raise UsageError("%vault_panel needs a notebook; here %vault_ps lists the processes")
    from ..widget import panel

    return panel()


def _pause(shell: Any, arguments: argparse.Namespace, cell: str | None) -> Any:
    options = {"now": arguments.now, "reason": arguments.reason, "wait": arguments.wait}
    return _answers(arguments.names, lambda name: Vault().pause_execution(name, **options))


def _resume(shell: Any, arguments: argparse.Namespace, cell: str | None) -> Any:
    return _answers(arguments.names, lambda name: Vault().resume_execution(name, wait=arguments.wait))


def _stop(shell: Any, arguments: argparse.Namespace, cell: str | None) -> Any:
    options = {
        "now": arguments.now,
        "keep_kernel": arguments.keep_kernel,
        "grace": arguments.grace,
        "escalate": arguments.escalate,
        "reason": arguments.reason,
        "wait": arguments.wait,
    }
    return _answers(arguments.names, lambda name: Vault().stop_execution(name, **options))


def _run(shell: Any, arguments: argparse.Namespace, cell: str | None) -> Any:
    from .background import start_in_background

    vault = Vault()
    return start_in_background(vault, arguments.command, name=arguments.name, description=arguments.description)


def _logs(shell: Any, arguments: argparse.Namespace, cell: str | None) -> None:
    from ..display.logs import log_text

    vault = Vault()
    streams = (arguments.stream,) if arguments.stream else ("stdout", "stderr")
    if arguments.follow:
        with contextlib.suppress(KeyboardInterrupt):
            for line in vault.follow_log(arguments.name, lines=arguments.lines, streams=streams):
                print(log_text(line, color=True), flush=True)
        return
    found = vault.read_log(arguments.name, lines=arguments.lines, streams=streams)
    print(
        "\n".join(log_text(line, color=True) for line in found) or f"{arguments.name} has printed nothing that is kept"
    )


def _errors(shell: Any, arguments: argparse.Namespace, cell: str | None) -> Any:
    from ..display.errors import ErrorList

    return ErrorList(Vault().list_errors(arguments.name, limit=arguments.count)[::-1])


def _sql(shell: Any, arguments: argparse.Namespace, cell: str | None) -> Any:
    from ..display.queries import QueryResult

    query = "\n".join(part for part in (arguments.query, cell) if part and part.strip())
    if not query.strip():
        raise UsageError("%vault_sql needs a query, such as: %vault_sql FROM processes")
    return QueryResult(Vault().sql(query, _bound(query, shell.user_ns) or None))


def _cleanup(shell: Any, arguments: argparse.Namespace, cell: str | None) -> Any:
    closed = Vault().vault_cleanup(arguments.interval)
    print("\n".join(f"closed: {operation}" for operation in closed) or "Nothing was left open.")


_VERBS: dict[str, Verb] = {
    "vault": _status,
    "vault_ps": _ps,
    "vault_show": _show,
    "vault_panel": _panel,
    "vault_pause": _pause,
    "vault_resume": _resume,
    "vault_stop": _stop,
    "vault_run": _run,
    "vault_logs": _logs,
    "vault_errors": _errors,
    "vault_sql": _sql,
    "vault_cleanup": _cleanup,
}


def _answers(names: list[str], ask: Callable[[str], Request]) -> Any:
    from ..display.answers import Answers

    answers = []
    for name in names:
        with contextlib.redirect_stdout(io.StringIO()):  # a wait that is over says so, and so does the answer
            answers.append(ask(name))
    return Answers(answers)


def _bound(query: str, variables: dict[str, Any]) -> dict[str, Any]:
    """The notebook's variables that a query names as $NAME: bound as parameters, never pasted into the text."""
    return {name: variables[name] for name in re.findall(r"\$([A-Za-z_]\w*)", query) if name in variables}


# Their lines


class _HelpShown(Exception):
    pass


class _Parser(argparse.ArgumentParser):
    """Neither exits the kernel nor prints usage twice."""

    def error(self, message: str) -> Any:
        raise UsageError(f"{message}; {self.prog} --help says more")

    def exit(self, status: int = 0, message: str | None = None) -> Any:
        raise _HelpShown


def _split(line: str) -> list[str]:
    try:
        return shlex.split(line)
    except ValueError as error:
        raise UsageError(f"{error}: {line.strip()}") from None


def _before_command(words: list[str]) -> tuple[list[str], list[str]]:
    """Part our options from the command: its own, ``-m`` first of all, are none of ours."""
    at = 0
    while at < len(words) and words[at].startswith("-") and words[at] not in ("-m", "--"):
        at += 2 if words[at] in ("--name", "--description") else 1
    return words[:at], words[at + 1 :] if words[at : at + 1] == ["--"] else words[at:]


def _parser(name: str) -> _Parser:
    example, add = _LINES[name]
    parser = _Parser(
        prog=f"%{name}",
        description=LINE_MAGICS[name],
        epilog=f"Example:  {example}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add(parser)
    return parser


def _ps_line(parser: _Parser) -> None:
    parser.add_argument("-a", "--all", action="store_true", help="also what is over")
    parser.add_argument("--kind", choices=[kind.value for kind in Kind])


def _show_line(parser: _Parser) -> None:
    parser.add_argument("name", metavar="NAME", help="NAME, NAME#RUN or a process id")
    parser.add_argument("-n", "--cells", type=int, default=10, help="how many of its last cells (10)")


def _pause_line(parser: _Parser) -> None:
    _resume_line(parser)
    parser.add_argument("--now", action="store_true", help="the whole process tree at once, not at a checkpoint")
    parser.add_argument("--reason", default="", help="shown to whoever asks why")


def _resume_line(parser: _Parser) -> None:
    parser.add_argument("names", nargs="+", metavar="NAME", help="NAME, NAME#RUN or a process id")
    parser.add_argument("--wait", type=float, metavar="SECONDS", help="wait so long for the effect")


def _stop_line(parser: _Parser) -> None:
    _pause_line(parser)
    parser.add_argument("--keep-kernel", action="store_true", help="abort a notebook's run, keep its memory")
    parser.add_argument("--grace", type=float, default=30.0, metavar="SECONDS", help="between asking and killing (30)")
    parser.add_argument("--escalate", action="store_true", help="stop now when the grace is over")


def _run_line(parser: _Parser) -> None:
    parser.add_argument("--name", help="what to call it; otherwise after its file")
    parser.add_argument("--description", default="", help="free text to find it by")
    parser.usage = "%(prog)s [--name NAME] [--description TEXT] SCRIPT | -m MODULE | COMMAND [ARGS]"


def _logs_line(parser: _Parser) -> None:
    parser.add_argument("name", metavar="NAME")
    parser.add_argument("-n", "--lines", type=int, default=20)
    parser.add_argument("-f", "--follow", action="store_true", help="until it is over, or an interrupt")
    parser.add_argument("--stdout", dest="stream", action="store_const", const="stdout")
    parser.add_argument("--stderr", dest="stream", action="store_const", const="stderr")


def _errors_line(parser: _Parser) -> None:
    parser.add_argument("name", nargs="?", metavar="NAME")
    parser.add_argument("-n", "--count", type=int, default=10, help="how many, the newest (10)")


def _sql_line(parser: _Parser) -> None:
    parser.add_argument(
        "query", help="$NAME in it is bound to the notebook's variable NAME; the result has .df() and .fetchall()"
    )


def _cleanup_line(parser: _Parser) -> None:
    parser.add_argument("--interval", type=float, default=60.0, metavar="SECONDS", help="only what is older (60)")


def _nothing(parser: _Parser) -> None:
    """No arguments."""


_LINES: dict[str, tuple[str, Callable[[_Parser], None]]] = {
    "vault": ("%vault", _nothing),
    "vault_ps": ("%vault_ps --all", _ps_line),
    "vault_show": ("%vault_show train", _show_line),
    "vault_panel": ("%vault_panel", _nothing),
    "vault_pause": ("%vault_pause train --wait 10", _pause_line),
    "vault_resume": ("%vault_resume train", _resume_line),
    "vault_stop": ('%vault_stop train --reason "loss diverged"', _stop_line),
    "vault_run": ("%vault_run --name train train.py --epochs 10", _run_line),
    "vault_logs": ("%vault_logs train -n 50", _logs_line),
    "vault_errors": ("%vault_errors train", _errors_line),
    "vault_sql": ("slow = %vault_sql FROM slow_cells LIMIT 5", _sql_line),
    "vault_cleanup": ("%vault_cleanup", _cleanup_line),
}
