"""Which processes are asked for, and the answer."""

from __future__ import annotations

from dataclasses import dataclass

from ..model import Process
from .wire import Json

DAY = 86_400.0


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which processes are asked for. ``ended_within`` seconds; ``since`` a revision that the caller knows."""

    ended_within: float = DAY
    status: frozenset[str] = frozenset()
    kind: frozenset[str] = frozenset()
    text: str = ""
    user: str = ""
    history: int = 30
    limit: int = 2000
    since: int | None = None

    def matches(self, process: Process) -> bool:
        if self.status and process.status.value not in self.status:
            return False
        if self.kind and process.kind.value not in self.kind:
            return False
        if self.user and process.user_id != self.user:
            return False
        return not self.text or self._mentions(process)

    def _mentions(self, process: Process) -> bool:
        wanted = self.text.casefold()
        texts = (process.name, process.path, process.notebook, process.user_id, process.description)
        return any(text and wanted in text.casefold() for text in texts)


@dataclass(frozen=True, slots=True)
class Listing:
    """The contract's `ProcessList`; each process is JSON text already."""

    processes: list[bytes]
    total: int
    partial: bool
    removed: list[str]
    revision: int
    notice: Json | None
