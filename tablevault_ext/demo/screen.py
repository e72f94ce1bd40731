"""What the demo shows while it runs: headlines, and the process table, live where there is a terminal."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from ..client import VaultClient
from ..display.processes import process_table
from ..display.table import Table, console_for

_REFRESH = 0.5  # seconds


class Screen:
    """Prints to stdout; on a terminal the process table stays at the bottom and follows what happens."""

    def __init__(self, vault: VaultClient) -> None:
        self._vault = vault
        self._step = 0
        self.console = console_for()

    def headline(self, text: str) -> None:
        """Say what happens next."""
        self._step += 1
        self.console.print()
        self.console.print(f"{self._step}. {text}", style="bold cyan")

    def say(self, text: str) -> None:
        """Print a line."""
        self.console.print(text)

    def table(self, table: Table) -> None:
        """Print a table."""
        table.print()

    def processes(self) -> None:
        """Print the process table, where it is not live anyway."""
        if not self.console.is_terminal:
            self._table().print()

    @contextmanager
    def live(self) -> Iterator[None]:
        """Keep the process table on a terminal up to date."""
        if not self.console.is_terminal:
            yield
            return
        from rich.live import Live

        over = threading.Event()
        with Live(
            self._table().render(self.console), console=self.console, transient=True, refresh_per_second=4
        ) as live:

            def refresh() -> None:
                while not over.wait(_REFRESH):
                    live.update(self._table().render(self.console))

            thread = threading.Thread(target=refresh, name="tablevault-demo-table", daemon=True)
            thread.start()
            try:
                yield
            finally:
                over.set()
                thread.join()

    def _table(self) -> Table:
        processes = self._vault.list_processes(all=True)
        return process_table(processes, self._vault.read_vitals(processes))
