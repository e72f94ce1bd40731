"""CPU, memory and threads of a process's tree, as the keeper leaves them in `live/ID.samples`."""

from __future__ import annotations

import json
import os
from collections import deque
from typing import Any

from ..paths import VaultPaths

_KEPT = 120


class Samples:
    """The samples of one process, oldest first; `read` takes in what is new in the file.

    Columns: ``t`` seconds since the epoch, ``cpu`` % of one core, ``rss`` bytes, ``threads``, ``children``.
    """

    def __init__(self, paths: VaultPaths, process_id: str) -> None:
        self._path = str(paths.samples(process_id))
        self._changed = 0
        self._columns: dict[str, deque[Any]] = {
            key: deque(maxlen=_KEPT) for key in ("t", "cpu", "rss", "threads", "children")
        }

    def __getitem__(self, key: str) -> list[Any]:
        return list(self._columns[key])

    @property
    def children(self) -> int:
        """OS processes below it."""
        counts = self._columns["children"]
        return int(counts[-1] or 0) if counts else 0

    def read(self) -> bool:
        """Whether there was anything new."""
        try:
            changed = os.stat(self._path).st_mtime_ns  # noqa: PTH116 - asked for thousands of files
            if changed == self._changed:
                return False
            with open(self._path, "rb") as file:  # noqa: PTH123
                self._take(file.read())
            self._changed = changed
            return True
        except (OSError, ValueError, KeyError, TypeError):
            return False  # none yet, or just being replaced: the last known ones stay

    def _take(self, data: bytes) -> None:
        """Usually there is one new sample, the last; the two minutes before it need not be parsed again."""
        times = self._columns["t"]
        last = times[-1] if times else None
        fresh: list[dict[str, Any]] = []
        end = data.rindex(b"]")
        while last is not None:
            begin = data.rfind(b'{"t":', 0, end)
            row = json.loads(data[begin:end].rstrip(b", ")) if begin >= 0 else {"t": 0}
            if row["t"] <= last:
                break
            fresh.append(row)
            end = begin
        if last is None or row["t"] < last:  # nothing known of it, or another series
            for column in self._columns.values():
                column.clear()
            fresh = json.loads(data)["samples"][::-1]
        for row in reversed(fresh):
            for key, column in self._columns.items():
                column.append(row.get(key))

    def to_json(self, history: int) -> dict[str, Any] | None:
        """The contract's `resources`; None if nothing was measured."""
        columns = self._columns
        if not columns["t"]:
            return None
        begin = max(len(columns["t"]) - history, 0)
        return {
            "cpu": columns["cpu"][-1],
            "rss": columns["rss"][-1],
            "threads": columns["threads"][-1],
            "children": self.children,
            "history": {key: self[key][begin:] for key in ("t", "cpu", "rss")},
        }
