"""Everything that runs, in one tree, with one history: record, pause, resume and stop notebooks and scripts.

In a notebook, ``%load_ext tablevault_ext`` records every cell from then on. In a script,
``from tablevault_ext import Vault; vault = Vault(process_name="train")`` records the script, and
``vault.checkpoint_execution()`` marks where it may be paused or stopped.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .errors import (
        BadArgument,
        BadRecord,
        DatabaseDamaged,
        DatabaseHeld,
        ExecutionStopped,
        NameTaken,
        NoControl,
        ProcessEnded,
        RequestPending,
        UnknownProcess,
        VaultError,
        VaultUnusable,
        WorkerStopped,
        WrongState,
    )
    from .model import Process, Request, Status
    from .vault import Vault

__version__ = "0.1.0"

_ERRORS = (
    "BadArgument",
    "BadRecord",
    "DatabaseDamaged",
    "DatabaseHeld",
    "ExecutionStopped",
    "NameTaken",
    "NoControl",
    "ProcessEnded",
    "RequestPending",
    "UnknownProcess",
    "VaultError",
    "VaultUnusable",
    "WorkerStopped",
    "WrongState",
)
_HOMES = dict.fromkeys(_ERRORS, "errors") | {
    "Process": "model",
    "Request": "model",
    "Status": "model",
    "Vault": "vault",
}

__all__ = [  # noqa: RUF022 - sorted by what it is
    "Vault",
    "Process",
    "Request",
    "Status",
    "BadArgument",
    "BadRecord",
    "DatabaseDamaged",
    "DatabaseHeld",
    "ExecutionStopped",
    "NameTaken",
    "NoControl",
    "ProcessEnded",
    "RequestPending",
    "UnknownProcess",
    "VaultError",
    "VaultUnusable",
    "WorkerStopped",
    "WrongState",
]


def __getattr__(name: str) -> Any:
    # Lazily: the Jupyter server imports this package for its paths alone, a worker for its actors alone.
    if name in _HOMES:
        return getattr(importlib.import_module(f".{_HOMES[name]}", __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def load_ipython_extension(shell: Any) -> None:
    """``%load_ext tablevault_ext``: record every cell, and add the ``%vault`` magics. Prints nothing."""
    from .magics import load

    load(shell)


def unload_ipython_extension(shell: Any) -> None:
    """``%unload_ext tablevault_ext``: record no more cells; the process keeps its row."""
    from .magics import unload

    unload(shell)


def _jupyter_labextension_paths() -> list[dict[str, str]]:
    """Where `jupyter labextension` finds the built front end."""
    return [{"src": "labextension", "dest": "tablevault-ext"}]


def _jupyter_server_extension_points() -> list[dict[str, str]]:
    """Name the server extension without importing it: kernels import this package, too."""
    return [{"module": "tablevault_ext.server"}]
