"""The list of processes as the widget follows it: the same model as the sidebar's, without a server in between."""

from __future__ import annotations

import json
import time

from ..errors import VaultUnusable
from ..panel.board import Board
from ..panel.host import HostReader
from ..panel.wanted import Wanted
from ..panel.wire import Json
from ..paths import VaultPaths
from ..store.watch import Watch

_PULSE = 1.0  # seconds between two looks at what the living use


class Feed:
    """What runs and what ended within a day, by process id, in the words of the server's contract."""

    def __init__(self, paths: VaultPaths) -> None:
        self.paths = paths
        self.processes: dict[str, Json] = {}
        self.notice = ""
        self.board = Board(paths, on_change=lambda revision, parts, whose: None, on_entry=lambda process: None)
        self._watch = Watch(paths)
        self._host = HostReader()
        self._revision: int | None = None
        self._pulsed_at = 0.0

    def look(self) -> set[str]:
        """Take in what is new; the ids of the processes that changed, came or went.

        Raises:
            VaultUnusable: the vault is gone.
        """
        try:
            changed = {source.process_id for source in self._watch.changes()}
        except FileNotFoundError:
            raise VaultUnusable(f"the vault {self.paths.root} is gone; recording anything makes a new one") from None
        if self._revision is not None:
            self.board.changed(changed)
        if time.monotonic() - self._pulsed_at > _PULSE:
            self.board.pulse()
            self._pulsed_at = time.monotonic()
        listing = self.board.listing(Wanted(since=self._revision))
        known = self.processes if listing.partial else {}
        # The board keeps what has not changed as text, for the server to send as it is.
        read = (json.loads(process) if isinstance(process, bytes) else process for process in listing.processes)
        news: dict[str, Json] = {process["process_id"]: process for process in read}
        gone = set(listing.removed) if listing.partial else self.processes.keys() - news.keys()
        self.processes = {key: value for key, value in (known | news).items() if key not in gone}
        self._revision = listing.revision
        self.notice = listing.notice["message"] if listing.notice else ""
        return gone | news.keys()

    def host(self) -> Json:
        """CPU and memory of this machine."""
        return self._host.read()
