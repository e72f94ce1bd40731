"""The list of processes, kept in memory and made new only where something changed."""

from __future__ import annotations

import bisect
import logging
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable

from ..errors import VaultError
from ..identity import Presence
from ..journal.names import resolve
from ..journal.reader import compressed, list_process_ids
from ..model import Kind, Process
from ..paths import VaultPaths
from .entry import Entry
from .stored import stored_processes
from .wanted import DAY, Listing, Wanted
from .wire import Json, notice_of

log = logging.getLogger("tablevault_ext")

_CHECKED, _OBSERVED = 0.25, 1.5  # seconds for which files, and what was observed of the living, count as known
_AT_ONCE = 50
_REMEMBERED = 600.0  # seconds for which an answer with only the changes is possible


class Board:
    """Every living process, and those that ended lately.

    Thread-safe. Changes come in by `changed` (the ingester's thread) and `pulse`; both tell ``on_change``.

    Args:
        on_change: called with the revision, the parts that changed, and whose (None: many).
        on_entry: called with each process that was read again.
    """

    def __init__(
        self,
        paths: VaultPaths,
        *,
        on_change: Callable[[int, set[str], set[str] | None], None],
        on_entry: Callable[[Process], None],
    ) -> None:
        self.paths = paths
        self.revision = 0
        self.notice: Json | None = None
        self._on_change = on_change
        self._on_entry = on_entry
        self._lock = threading.RLock()
        self._entries: dict[str, Entry] = {}
        self._ended_since = float("inf")  # processes that ended after this are known
        self._loaded = threading.Event()
        self._observed_at = self._checked_at = -1e9
        self._listed_at = -1e9
        self._notebooks: dict[str, str] = {}
        self._known_times: deque[tuple[int, float]] = deque(maxlen=2000)

    # Coming in

    def load(self, ended_within: float = DAY) -> None:
        """Make sure that everything living, and what ended within so many seconds, is known."""
        since = time.time() - ended_within
        with self._lock:
            if self._loaded.is_set() and since >= self._ended_since:
                return
            try:
                stored, self.notice = stored_processes(self.paths, since)
            except VaultError as error:
                self.notice = notice_of(error)
                stored = {i: None for i in list_process_ids(self.paths) if self.paths.journal(i).exists()}
            for process_id, found in stored.items():
                if process_id in self._entries:
                    continue
                if found is None:
                    entry = Entry(self.paths, process_id)
                    self._read(entry)
                else:
                    entry = Entry.stored(self.paths, *found)
                entry.revision = self.revision
                self._entries[process_id] = entry
            self._ended_since = min(since, self._ended_since)
            self._loaded.set()

    def changed(self, process_ids: Iterable[str]) -> None:
        """The files of these processes may have changed: read what is new and tell."""
        if not self._loaded.is_set():
            return
        parts: set[str] = set()
        touched: set[str] = set()
        with self._lock:
            for process_id in process_ids:
                news = self._reread(process_id)
                if news:
                    parts |= news
                    touched.add(process_id)
            self._tell(parts, touched)

    def pulse(self) -> None:
        """See who has gone, been suspended or continued; while somebody looks, what the living use."""
        with self._lock:
            living = [entry for entry in self._entries.values() if not entry.ended]
        watched, touched = self.is_watched, set()
        if watched:
            self._observed_at = time.monotonic()
        for begin in range(0, len(living), _AT_ONCE):  # in portions, so that nobody who lists waits for all of them
            portion = living[begin : begin + _AT_ONCE]
            with self._lock:
                # The ingester tells of what grew, but not while it is busy with a pass.
                self.changed([entry.process_id for entry in portion if entry.look() | entry.has_grown()])
                touched |= self._observe(portion) if watched else set()
        with self._lock:
            self._tell({"resources"}, touched)

    @property
    def is_watched(self) -> bool:
        """Whether somebody has asked for the list within the last quarter of a minute."""
        return time.monotonic() - self._listed_at < 15.0

    def set_notebooks(self, notebooks: dict[str, str]) -> None:
        """Where the kernels of this server are now: kernel id → path."""
        with self._lock:
            if notebooks == self._notebooks:
                return
            self._notebooks = notebooks
            touched = set()
            for entry in self._entries.values():
                if self._place(entry):
                    self._count(entry)
                    touched.add(entry.process_id)
            self._tell({"processes"}, touched)

    def set_notice(self, notice: Json | None) -> None:
        """Say what keeps answers from being complete, or that nothing does any more."""
        with self._lock:
            if notice != self.notice:
                self.notice = notice
                self.revision += 1
                self._on_change(self.revision, {"notice"}, None)

    def check(self) -> None:
        """See whether the database can be read again."""
        try:
            self.set_notice(stored_processes(self.paths, time.time())[1])
        except VaultError as error:
            self.set_notice(notice_of(error))

    # Going out

    def entry(self, process_id: str) -> Entry:
        """One process as its files have it now; also one that ended long ago.

        Raises:
            UnknownProcess: with near names.
        """
        with self._lock:
            entry = self._entries.get(process_id)
            if entry is None:
                process_id = resolve(self.paths, process_id)
                entry = self._entries.get(process_id)
            if entry is None:
                entry = Entry(self.paths, process_id)
                entry.read()
                if not entry.ended:
                    self._entries[process_id] = entry
            elif entry.has_news() or not entry.ended:
                self.changed([entry.process_id])
                entry = self._entries.get(entry.process_id, entry)
            if entry.observe() | self._place(entry):
                self._count(entry)
            return entry

    def is_pending(self, process_id: str) -> bool:
        """Whether a request to this process waits to be decided."""
        with self._lock:
            entry = self._entries.get(process_id)
            return entry is not None and any(r.pending for r in entry.process.requests.values())

    @property
    def has_living(self) -> bool:
        with self._lock:
            living = [entry.process for entry in self._entries.values() if not entry.ended]
        return any(process.presence() is Presence.ALIVE for process in living)

    def find_request(self, request_id: str) -> str | None:
        """The process that a request was made to, if it is one of the list's."""
        with self._lock:
            for entry in self._entries.values():
                if request_id in entry.process.requests:
                    return entry.process_id
        return None

    def by_identity(self) -> dict[tuple[int, int], Process]:
        """The living processes of this machine by (pid, start)."""
        with self._lock:
            living = (entry.process for entry in self._entries.values() if not entry.ended)
            return {(p.identity.pid, p.identity.start): p for p in living if p.identity is not None}

    def json_of(self, entry: Entry, history: int = 30) -> Json:
        with self._lock:
            return entry.to_json(history, self._children_counts().get(entry.process_id))

    def listing(self, wanted: Wanted) -> Listing:
        """The processes asked for, newest first; only what changed since ``wanted.since`` where that is known."""
        self.load(max(wanted.ended_within, DAY))
        self._listed_at = time.monotonic()
        with self._lock:
            self._refresh()
            border = time.time() - wanted.ended_within
            found = {
                entry.process_id: entry
                for entry in self._entries.values()
                if (not entry.ended or entry.last_sign >= border) and wanted.matches(entry.process)
            }
            self._add_ancestors(found)
            newest = sorted(found.values(), key=lambda e: (e.process.started_at or 0, e.process_id), reverse=True)
            total, newest = len(newest), newest[: wanted.limit]
            removed = self._removed_since(wanted, border, found) if total <= wanted.limit else None
            if removed is not None:
                newest = [entry for entry in newest if entry.revision > (wanted.since or 0)]
            counts = self._children_counts()
            processes = [entry.to_text(wanted.history, counts.get(entry.process_id)) for entry in newest]
            self._remember_time()
            return Listing(processes, total, removed is not None, removed or [], self.revision, self.notice)

    def _removed_since(self, wanted: Wanted, border: float, found: dict[str, Entry]) -> list[str] | None:
        """The processes that left the list since then; None if only a whole list can tell."""
        if wanted.since is None or wanted.status or wanted.kind or wanted.text or wanted.user:
            return None
        at = bisect.bisect_right(self._known_times, (wanted.since, float("inf"))) - 1
        if at < 0 or time.time() - self._known_times[at][1] > _REMEMBERED or wanted.since > self.revision:
            return None
        earlier = border - (time.time() - self._known_times[at][1]) - 1
        return [
            entry.process_id
            for entry in self._entries.values()
            if entry.ended and entry.process_id not in found and entry.last_sign >= earlier
        ]

    def _remember_time(self) -> None:
        """When this revision was given out."""
        if not self._known_times or self._known_times[-1][0] != self.revision:
            self._known_times.append((self.revision, time.time()))

    def _add_ancestors(self, found: dict[str, Entry]) -> None:
        for entry in list(found.values()):
            parent = self._entries.get(entry.process.parent_id or "")
            while parent is not None and parent.process_id not in found:
                found[parent.process_id] = parent
                parent = self._entries.get(parent.process.parent_id or "")

    def _children_counts(self) -> dict[str, Counter[str]]:
        """How many living descendants of each kind every process has."""
        counts: dict[str, Counter[str]] = {}
        for entry in self._entries.values():
            if entry.ended:
                continue
            seen = {entry.process_id}
            parent = entry.process.parent_id
            while parent and parent not in seen and parent in self._entries:
                seen.add(parent)
                counts.setdefault(parent, Counter())[entry.process.kind.value] += 1
                parent = self._entries[parent].process.parent_id
        return counts

    # Keeping

    def _reread(self, process_id: str) -> set[str]:
        entry = self._entries.get(process_id)
        if entry is None:
            entry = Entry(self.paths, process_id)
            if not entry.has_news() or not self._is_recent(entry):
                return set()
            self._entries[process_id] = entry
        elif entry.ended and not entry.has_news():
            return self._drop_pruned(entry)
        parts = self._read(entry)
        if parts:
            self._count(entry)
        return parts

    def _is_recent(self, entry: Entry) -> bool:
        """Whether something unknown is new, and not merely so old that the list does not go back to it."""
        journal = self.paths.journal(entry.process_id)
        started = journal.exists() or self.paths.wrapper_journal(entry.process_id).exists()
        return started and entry.last_sign >= min(self._ended_since, time.time())

    def _drop_pruned(self, entry: Entry) -> set[str]:
        journal = self.paths.journal(entry.process_id)
        wrapper = self.paths.wrapper_journal(entry.process_id)
        if any(path.exists() for own in (journal, wrapper) for path in (own, compressed(own))):
            return set()
        del self._entries[entry.process_id]
        self._known_times.clear()  # only a whole list tells that it is gone
        self.revision += 1
        return {"processes"}

    def _read(self, entry: Entry) -> set[str]:
        parts = entry.read()
        self._place(entry)
        self._on_entry(entry.process)
        return parts

    def _place(self, entry: Entry) -> bool:
        before = entry.notebook
        living = not entry.ended and entry.process.kind is Kind.NOTEBOOK
        entry.notebook = self._notebooks.get(entry.process.kernel_id or "") if living else before
        return entry.notebook != before

    def _refresh(self) -> None:
        """What the ingester and `pulse` have not told yet: they may be busy, or nobody may have looked for a while."""
        now = time.monotonic()
        living = [entry for entry in self._entries.values() if not entry.ended]
        if now - self._checked_at > _CHECKED:
            self._checked_at = now
            self.changed([entry.process_id for entry in living if entry.has_grown()])
        if now - self._observed_at > _OBSERVED:
            self._observed_at = now
            self._observe(living)

    def _observe(self, entries: Iterable[Entry]) -> set[str]:
        touched = set()
        for entry in entries:
            if entry.observe():
                self._count(entry)
                touched.add(entry.process_id)
        return touched

    def _count(self, entry: Entry) -> None:
        self.revision += 1
        entry.revision = self.revision
        # Its descendants are counted in what is shown of its ancestors.
        parent = self._entries.get(entry.process.parent_id or "")
        while parent is not None and parent.revision != self.revision:
            parent.revision = self.revision
            parent = self._entries.get(parent.process.parent_id or "")

    def _tell(self, parts: set[str], touched: set[str]) -> None:
        if parts and touched:
            self._on_change(self.revision, parts, touched if len(touched) <= 50 else None)
