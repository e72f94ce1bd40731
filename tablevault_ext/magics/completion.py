"""Tab completion of process names behind the magics."""

from __future__ import annotations

import shlex
from typing import Any

from ..errors import VaultError
from ..vault import Vault

_OF_THE_LIVING = frozenset({"vault_pause", "vault_resume", "vault_stop"})
_OF_ALL = frozenset({"vault_show", "vault_logs", "vault_errors"})


def complete(event: Any) -> list[str]:
    """Names and options that may follow; nothing that goes wrong here may reach the prompt."""
    from .verbs import options

    magic = event.command.lstrip("%")
    if event.symbol.startswith("-"):
        return options(magic)
    try:
        if magic in _OF_THE_LIVING:
            return [shlex.quote(process.name) for process in Vault().list_processes()]
        if magic in _OF_ALL:
            return [shlex.quote(name) for name in Vault().process_names()]
    except (VaultError, OSError):
        return []
    return _files() if magic == "vault_run" else []


def _files() -> list[str]:
    from pathlib import Path

    return sorted(path.name for path in Path.cwd().glob("*.py"))
