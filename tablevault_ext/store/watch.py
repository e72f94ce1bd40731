"""Which journals and inboxes have changed: looked at often, so it must cost next to nothing for thousands of files."""

from __future__ import annotations

import os
import time

from ..paths import VaultPaths
from .offsets import Source, list_sources

_HOT_FOR = 60.0
_SHARE = 0.02


class Watch:
    """Remembers size and inode of every file; `changes` gives those that differ since the last call.

    Files that changed within the last minute are looked at each time; all others only when a directory says that
    a file came or went, and every second or so (less often where there are so many that it would show).
    """

    def __init__(self, paths: VaultPaths) -> None:
        self._paths = paths
        self._seen: dict[Source, tuple[int, int]] = {}
        self._hot: dict[Source, float] = {}
        self._folders: tuple[int, ...] = ()
        self._next_full = 0.0

    def changes(self) -> set[Source]:
        """The sources that changed.

        Raises:
            FileNotFoundError: the vault is gone.
        """
        now = time.monotonic()
        folders = tuple(folder.stat().st_mtime_ns for folder in (self._paths.journals, self._paths.inboxes))
        if folders != self._folders or now >= self._next_full:
            self._folders = folders
            changed = self._look_at_all()
            # At most a fiftieth of the time goes into looking at everything.
            self._next_full = now + max(1.0, (time.monotonic() - now) / _SHARE)
        else:
            changed = self._look_at_hot()
        for source in changed:
            self._hot[source] = now
        self._hot = {source: since for source, since in self._hot.items() if now - since < _HOT_FOR}
        return changed

    def _look_at_all(self) -> set[Source]:
        current: dict[Source, tuple[int, int]] = {}
        for source, entry in list_sources(self._paths):
            try:
                info = entry.stat()
            except FileNotFoundError:
                continue
            current[source] = (info.st_ino, info.st_size)
        changed = {source for source, state in current.items() if self._seen.get(source) != state}
        changed |= self._seen.keys() - current.keys()
        self._seen = current
        return changed

    def _look_at_hot(self) -> set[Source]:
        changed = set()
        root = str(self._paths.root)
        for source in self._hot:
            try:
                info = os.stat(f"{root}/{source.file}")  # noqa: PTH116
            except FileNotFoundError:
                continue
            state = (info.st_ino, info.st_size)
            if not source.packed and self._seen.get(source) != state:
                self._seen[source] = state
                changed.add(source)
        return changed
