"""The files that a process makes below its working directory."""

from __future__ import annotations

import threading
from collections import OrderedDict
from pathlib import Path

from ..control.descendants import find_descendants
from ..control.files import FileSeen, FileWatch
from ..control.now import marks_of
from ..model import iso
from ..panel.entry import Entry
from ..panel.wire import Json
from ..paths import VaultPaths

_GROWING = 5.0  # seconds since the last change
_LATE = 5.0  # seconds after its end in which a process's last words may reach the disk
_WATCHES = 50


class FilesReader:
    """Goes on with each walk where the look before ran out of time."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._watches: OrderedDict[tuple[Path, str], FileWatch] = OrderedDict()

    def read(self, paths: VaultPaths, entry: Entry, server_root: Path, limit: int) -> Json:
        """The contract's files, latest written first."""
        folder = entry.process.cwd
        if folder is None or not Path(folder).is_dir():
            return {"files": [], "watched": [], "complete": True}
        with self._lock:
            report = self._watch(paths, entry, Path(folder)).look(_pids(paths, entry))
        ended = entry.process.ended_at
        until = float("inf") if ended is None else ended / 1e6 + _LATE
        files = [file for file in report.files if file.changed_at <= until]
        return {
            "files": [_file(file, server_root) for file in files[:limit]],
            "watched": [folder],
            "complete": report.complete and len(files) <= limit,
        }

    def _watch(self, paths: VaultPaths, entry: Entry, folder: Path) -> FileWatch:
        key = (paths.root, entry.process_id)
        if key not in self._watches:
            since = (entry.process.started_at or 0) / 1e6
            self._watches[key] = FileWatch(folder, since, exclude=[paths.root])
        self._watches.move_to_end(key)
        while len(self._watches) > _WATCHES:
            self._watches.popitem(last=False)
        return self._watches[key]


def _pids(paths: VaultPaths, entry: Entry) -> list[int]:
    if entry.ended or entry.process.identity is None:
        return []
    tree = find_descendants(entry.process.identity, marks_of(paths, entry.process_id))
    return [member.pid for member in tree.members]


def _file(file: FileSeen, server_root: Path) -> Json:
    try:
        server_path = Path(file.path).relative_to(server_root.resolve()).as_posix()
    except ValueError:
        server_path = None
    return {
        "path": file.path,
        "server_path": server_path,
        "size": file.size,
        "modified_at": iso(int(file.changed_at * 1e6)),
        "growing": file.age <= _GROWING,
    }
