"""The process panel as a widget, for front ends without the sidebar: VS Code, Colab, Notebook 7.

Importing this package imports no widgets; showing a panel does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..client import VaultClient
    from .process_panel import Panel

_shown: dict[str, Panel] = {}


def panel(vault: VaultClient | None = None) -> Panel:
    """Show what runs, and pause, resume and stop it from the notebook: what ``%vault_panel`` shows.

    It follows the vault once a second in a background thread until `Panel.close`, or until its cell runs again.

    Args:
        vault: whose processes; those of this notebook's vault when None.

    Raises:
        VaultUnusable: the vault cannot be used.

    >>> shown = panel()
    >>> shown.close()
    """
    from ..vault import Vault
    from .process_panel import Panel

    cell = _cell_id()
    earlier = _shown.pop(cell, None)
    if earlier is not None:
        earlier.close()
    _shown[cell] = Panel(vault or Vault())
    return _shown[cell]


def _cell_id() -> str:
    """The cell that runs; empty where the front end does not say, so that there is one panel at a time."""
    from ..recording.origin import running_shell

    shell = running_shell()
    parent = shell.get_parent() if hasattr(shell, "get_parent") else {}
    return str((parent.get("metadata") or {}).get("cellId") or "")
