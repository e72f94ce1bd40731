"""What a process and its descendants write below their working directory: checkpoints, videos, results.

Found from outside, without slowing anybody down: first what is open for writing (``/proc/PID/fd``), then a walk for
what changed since the start, a little at a time, bounded in time and number.
"""

from __future__ import annotations

import os
import stat
import time
from collections import deque
from collections.abc import Collection, Iterable
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from typing import Any

SKIPPED = frozenset(
    {
        ".git",
        ".hg",
        ".svn",
        ".ipynb_checkpoints",
        ".mypy_cache",
        ".pytest_cache",
        ".ruff_cache",
        ".tox",
        ".venv",
        "__pycache__",
        "node_modules",
        "site-packages",
        "venv",
    }
)
"""Folders that hold tools and caches, not results. A folder with a ``pyvenv.cfg`` is skipped under any name."""

_HUGE = 20_000  # entries of one folder; scandir cannot go on in the middle of one later


@dataclass(frozen=True, slots=True)
class FileSeen:
    """A file that was made or changed since the start.

    ``size`` and ``grown`` (since the look before; its whole size at first) are bytes, ``changed_at`` is seconds since
    the epoch, ``age`` seconds since then, ``open_in`` the pid that has it open for writing, or None.
    """

    path: str
    size: int
    grown: int
    changed_at: float
    age: float
    open_in: int | None

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True, slots=True)
class FilesReport:
    """``files``, the last changed first. ``complete``: the walk has been through the whole folder at least once.

    ``walked`` is the number of entries looked at this time, ``seconds`` the time it took.
    """

    files: tuple[FileSeen, ...]
    complete: bool
    walked: int
    seconds: float

    def to_json(self) -> dict[str, Any]:
        return {**asdict(self), "files": [file.to_json() for file in self.files]}


class FileWatch:
    """Looks below one folder again and again; each look goes on walking where the one before ran out of time.

    Args:
        folder: the working directory.
        since: seconds since the epoch; files changed earlier are of no interest.
        exclude: folders left out besides `SKIPPED`, such as the vault itself.
        max_seconds, max_entries: how much one look may walk.
        max_files: how many files are remembered, the last changed ones.
    """

    def __init__(
        self,
        folder: Path,
        since: float,
        *,
        exclude: Collection[Path] = (),
        max_seconds: float = 0.05,
        max_entries: int = 5000,
        max_files: int = 500,
    ) -> None:
        self.folder = folder.resolve()
        self.since = since
        self._exclude = {str(path.resolve()) for path in exclude}
        self._max_seconds = max_seconds
        self._max_entries = max_entries
        self._max_files = max_files
        self._queue: deque[str] = deque()
        self._complete = False
        self._sizes: dict[str, int] = {}
        self._changed: dict[str, float] = {}

    def look(self, pids: Iterable[int] = ()) -> FilesReport:
        """Look once.

        Args:
            pids: the process and its descendants; what they have open for writing is found first.
        """
        began = time.monotonic()
        before = dict(self._sizes)
        writers = self._open_for_writing(pids)
        for path in [*self._changed, *writers]:
            self._note(path)
        walked = self._walk(began + self._max_seconds)
        self._forget_oldest()
        now = time.time()
        files = [
            FileSeen(path, size, size - before.get(path, 0), changed, max(now - changed, 0.0), writers.get(path))
            for path, changed in sorted(self._changed.items(), key=lambda item: -item[1])
            for size in (self._sizes[path],)
        ]
        return FilesReport(tuple(files), self._complete, walked, time.monotonic() - began)

    def _open_for_writing(self, pids: Iterable[int]) -> dict[str, int]:
        found: dict[str, int] = {}
        for pid in pids:
            try:
                names = os.listdir(f"/proc/{pid}/fd")  # noqa: PTH208
            except OSError:  # gone, another user's, or no /proc: the walk finds what is on disk
                continue
            for name in names:
                link = f"/proc/{pid}/fd/{name}"
                try:
                    # The mode of the link says how the file was opened.
                    if os.lstat(link).st_mode & stat.S_IWUSR:
                        path = os.readlink(link)  # noqa: PTH115
                        if path.startswith("/") and self._is_wanted(path):
                            found.setdefault(path, pid)
                except OSError:
                    continue
        return found

    def _is_wanted(self, path: str) -> bool:
        try:
            parts = Path(path).relative_to(self.folder).parts
        except ValueError:
            return False
        return not SKIPPED.intersection(parts) and not any(
            path == each or path.startswith(each + os.sep) for each in self._exclude
        )

    def _note(self, path: str) -> None:
        try:
            info = os.lstat(path)
        except OSError:
            self._changed.pop(path, None)
            self._sizes.pop(path, None)
            return
        self._note_info(path, info)

    def _note_info(self, path: str, info: os.stat_result) -> None:
        if stat.S_ISREG(info.st_mode) and info.st_mtime >= self.since:
            self._sizes[path] = info.st_size
            self._changed[path] = info.st_mtime

    def _walk(self, deadline: float) -> int:
        """Breadth first: results lie near the top, caches deep."""
        if not self._queue:
            self._queue.append(str(self.folder))
        walked = 0
        while self._queue:
            if walked >= self._max_entries or time.monotonic() > deadline:
                return walked
            walked += self._walk_folder(self._queue.popleft())
        self._complete = True
        return walked

    def _walk_folder(self, folder: str) -> int:
        walked = 0
        try:
            with os.scandir(folder) as entries:
                inside = list(islice(entries, _HUGE))  # of a huger folder, a part
            if any(entry.name == "pyvenv.cfg" for entry in inside):
                return len(inside)
            for entry in inside:
                walked += 1
                if entry.is_dir(follow_symlinks=False):
                    if entry.name not in SKIPPED and entry.path not in self._exclude:
                        self._queue.append(entry.path)
                elif entry.is_file(follow_symlinks=False):
                    self._note_info(entry.path, entry.stat(follow_symlinks=False))
        except OSError:  # removed or closed to us in the meantime
            pass
        return walked

    def _forget_oldest(self) -> None:
        for path in sorted(self._changed, key=self._changed.__getitem__)[: -self._max_files]:
            del self._changed[path], self._sizes[path]
