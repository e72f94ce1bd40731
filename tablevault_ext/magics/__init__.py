"""The IPython face. Loading registers names only; what a magic needs is imported when it is used."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..recording.notebook import PRIVATE_MAGIC
from ..session import current_session
from ..vault import Vault

LINE_MAGICS = {
    "vault": "Say what is recorded here, and list the magics.",
    "vault_ps": "List the processes that run; --all: also those that are over.",
    "vault_show": "Show what is known of one process: facts, requests, cells, children, and why it ended.",
    "vault_panel": "Show what runs as a live panel with buttons, where there is no sidebar.",
    "vault_pause": "Pause processes at their next checkpoint, or --now.",
    "vault_resume": "Let paused processes go on.",
    "vault_stop": "Stop processes at their next checkpoint, or --now.",
    "vault_run": "Start a script, module or command in the background, recorded.",
    "vault_logs": "Show what a process printed.",
    "vault_errors": "Show errors with their tracebacks.",
    "vault_sql": "Ask the vault with DuckDB's SQL; as %%vault_sql the cell is the query.",
    "vault_cleanup": "Close what processes that are gone left open.",
}
_TAKES_A_CELL = frozenset({"vault_sql"})
PRIVATE = PRIVATE_MAGIC.removeprefix("%%")


def load(shell: Any) -> None:
    """Record every cell from now on, and add the magics. Prints nothing; a second call changes nothing."""
    Vault()
    if getattr(shell, "_tablevault_loaded", False):
        return
    shell._tablevault_loaded = True
    for name, summary in LINE_MAGICS.items():
        kind = "line_cell" if name in _TAKES_A_CELL else "line"
        shell.register_magic_function(_magic(shell, name, summary), kind, name)
        shell.set_hook("complete_command", _complete, str_key=f"%{name}")
    shell.register_magic_function(_private_magic, "cell", PRIVATE)
    shell.input_transformers_cleanup.append(_strip_private)


def unload(shell: Any) -> None:
    """Record no more cells, and take the magics away; the process keeps its row."""
    session = current_session()
    if session is not None:
        session.detach_notebook()
    if not getattr(shell, "_tablevault_loaded", False):
        return
    shell._tablevault_loaded = False
    magics = shell.magics_manager.magics
    for name in LINE_MAGICS:
        magics["line"].pop(name, None)
        magics["cell"].pop(name, None)
        shell.strdispatchers["complete_command"].strs.pop(f"%{name}", None)
    magics["cell"].pop(PRIVATE, None)
    if _strip_private in shell.input_transformers_cleanup:
        shell.input_transformers_cleanup.remove(_strip_private)


def _magic(shell: Any, name: str, summary: str) -> Callable[..., Any]:
    def magic(line: str, cell: str | None = None) -> Any:
        from . import verbs

        return verbs.call(shell, name, line, cell)

    magic.__name__ = magic.__qualname__ = name
    magic.__doc__ = f"{summary}\n\n%{name} --help says more."
    # SQL has its own use for $ and {}; see `verbs` for how variables are bound.
    magic._ipython_magic_no_var_expand = name == "vault_sql"  # type: ignore[attr-defined]
    return magic


def _complete(shell: Any, event: Any) -> list[str]:
    from .completion import complete

    return complete(event)


def _strip_private(lines: list[str]) -> list[str]:
    """Let a private cell run as the ordinary cell that it is: with ``await``, and with its own line numbers.

    The recorder, which sees the cell as it was typed, leaves its code and output out.
    """
    for index, line in enumerate(lines):
        if line.strip():
            if line.strip() == PRIVATE_MAGIC:
                return [*lines[:index], "\n", *lines[index + 1 :]]
            break
    return lines


def _private_magic(line: str, cell: str) -> None:
    """Run a cell of which only is recorded that it ran: neither its code nor its output."""
    from IPython.core.error import UsageError

    if line.strip() in ("-h", "--help"):
        print(f"{PRIVATE_MAGIC}\n\n{_private_magic.__doc__}\nIt must be the first line of the cell.")
        return
    if line.strip():
        raise UsageError(f"{PRIVATE_MAGIC} takes no arguments; the cell was not run")
    raise UsageError(f"{PRIVATE_MAGIC} must be the first line: this cell is being recorded already. It was not run")
