"""What the vault knows at the end of the demo."""

from __future__ import annotations

from ..client import VaultClient
from ..display.cells import cell_table
from ..display.chart import sparkline
from ..display.errors import ErrorList
from ..display.processes import process_table, request_table
from .screen import Screen
from .stage import NOTEBOOK, TRAINING

_LOSS = f"""
SELECT (record->>'epoch')::INT, (record->>'loss')::DOUBLE
FROM records JOIN processes USING (process_id)
WHERE list = 'loss' AND name = '{TRAINING}' ORDER BY 1
"""  # noqa: S608


def report(vault: VaultClient, screen: Screen) -> None:
    """Print processes, cells, the error, receipts, the loss curve, and how to go on."""
    screen.headline("What the vault knows now: the processes")
    screen.table(process_table(vault.list_processes(all=True), all_shown=True))

    screen.headline("The notebook's cells")
    screen.table(cell_table(vault.list_cells(NOTEBOOK), title=""))

    screen.headline("The error, with its traceback")
    ErrorList(vault.list_errors(NOTEBOOK)[::-1]).print()

    screen.headline("Every request with its receipts, from vault to checkpoint")
    requests = list(vault.get_process(TRAINING).requests.values())
    screen.table(request_table(requests, title=""))

    screen.headline("The loss curve, from DuckDB")
    losses = [loss for _, loss in vault.sql(_LOSS).fetchall()]
    screen.say(f"{losses[0]:.3f} {sparkline(losses)} {losses[-1]:.3f}   ({len(losses)} epochs)")

    root = vault.path
    screen.headline("Look for yourself; the vault stays where it is")
    screen.say(f'  tablevault --vault {root} sql "FROM slow_cells LIMIT 5"')
    screen.say(f"  tablevault --vault {root} show {TRAINING}")
    screen.say(f"  tablevault --vault {root} logs {TRAINING}")
    screen.say(f"  duckdb -readonly {root}/vault.duckdb")
    screen.say("  jupyter lab notebooks/quickstart.ipynb      the same notebook, by hand")
