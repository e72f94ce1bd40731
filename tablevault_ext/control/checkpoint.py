"""The target's side of control: checkpoints, at which a process obeys what its inbox asks.

A checkpoint that finds the doorbell silent only counts. One that finds it rung clears it, reads the inbox in
order, decides (`state_machine.Desk`), journals what it decided, and then waits (pause) or raises (stop).
The doorbell is set again for as long as anything is undecided, paused or stopping, so that no later checkpoint
misses it: a stop is sticky, whoever swallows the exception.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

from ..errors import ExecutionStopped
from ..journal.control_block import BELL, INBOX_WORD, ControlBlock
from ..journal.reader import read_inbox
from ..journal.writer import JournalWriter
from ..model import Outcome, Request, Status
from ..paths import VaultPaths
from ..state_machine import Desk
from .fast_path import make_checkpoint
from .interrupts import interruptible
from .own_children import Children, NoChildren
from .receipts import Receipts
from .sticky_stop import StickyStop

log = logging.getLogger("tablevault_ext")

HELD = "inside vault.no_checkpoint()"
_POLL = 1.0  # seconds between looks at the inbox while paused; the FIFO normally wakes us at once


class Checkpoints:
    """Where this process may be paused or stopped.

    Args:
        is_boss: whether the calling thread is the one whose arrival makes a pause effective (the main thread
            of a script, the thread of a running cell). The others wait at their checkpoints beside it.
        stop_error: what a stop raises here; pool workers pass an ordinary Exception.
    """

    def __init__(
        self,
        paths: VaultPaths,
        process_id: str,
        name: str,
        journal: JournalWriter,
        block: ControlBlock,
        *,
        is_boss: Callable[[], bool] = lambda: threading.current_thread() is threading.main_thread(),
        stop_error: type[BaseException] = ExecutionStopped,
    ) -> None:
        self.children: Children = NoChildren()
        self.on_actor_stop: Callable[[Request], None] | None = None
        self.checkpoint, self._bind = make_checkpoint()
        self.start_over(paths, process_id, name, journal, block, is_boss=is_boss, stop_error=stop_error)

    def start_over(
        self,
        paths: VaultPaths,
        process_id: str,
        name: str,
        journal: JournalWriter,
        block: ControlBlock,
        *,
        is_boss: Callable[[], bool],
        stop_error: type[BaseException],
    ) -> None:
        """Serve another process from now on: a forked child that has registered itself."""
        self.name = name
        self.block = block
        self.desk = Desk(process_id)
        self._receipts = Receipts(journal)
        self.stop = StickyStop(name, self.desk, self._receipts, stop_error)
        self._inbox = paths.inbox(process_id)
        self._is_boss = is_boss
        self._held = 0
        self._lock = threading.RLock()
        self._changed = threading.Condition()
        self._threads_at_start = {thread.ident for thread in threading.enumerate()}
        self._bind(block.memory, block.words, self._obey, block.set_place, self.look_for_lost_rings)

    def rename(self, name: str) -> None:
        """The process has another name from now on."""
        self.name = self.stop.name = name

    def intercept(self, first: Callable[[], None]) -> None:
        """Call ``first`` at the next checkpoint instead of looking at the (parent's) control block."""
        self._bind(b"\x01", [0] * 16, first, lambda line, note: None, lambda: None)

    # The ordinary path

    async def acheckpoint(self) -> None:
        """The awaiting twin: waits without blocking the event loop."""
        if not self.block.memory[BELL]:
            self.checkpoint()
            return
        self.read_inbox()
        self._raise_if_stopping()
        if self._begin_pause_if_wanted():
            await self._wait_async()
        self.checkpoint()

    @property
    def rung(self) -> bool:
        """Whether anything waits to be looked at; the cheap question."""
        return bool(self.block.memory[BELL])

    # The automatic checkpoints of an IPython session

    def gate(self) -> None:
        """An automatic checkpoint: before and after a cell. Put off inside `no_checkpoint`."""
        if self.block.memory[BELL]:
            if self._held:
                self.block.set_place(note=HELD)
            else:
                self._obey()

    def obey_idle(self, is_idle: Callable[[], bool]) -> None:
        """Act on requests for a kernel that runs no cell, from its watching thread.

        An idle kernel stands at a checkpoint: a pause takes effect by itself, and whoever starts a cell waits in
        `gate`. ``is_idle`` is asked again after the doorbell was set, so that a cell that starts meanwhile sees it.
        """
        if not self.block.memory[BELL] or self._held:
            return
        with self._lock:
            if not is_idle():
                return
            self.read_inbox()
            if not is_idle():
                return
            stops = bool(self.desk.stops)
            if stops:
                self._mark_stopping()
            elif self.desk.paused and self.desk.resumes:
                self._end_pause()
            else:
                self._begin_pause_if_wanted()
        if stops:
            self.stop.run_callbacks()

    def release_kernel(self) -> None:
        """The run is aborted: tell whoever looks after this kernel that it may be ended now."""
        with self._lock:
            for stop in self.desk.stops:
                if not stop.detail.get("released"):
                    stop.detail["released"] = True
                    self._receipts.release(stop)

    @contextmanager
    def no_checkpoint(self) -> Iterator[None]:
        """Put the automatic checkpoints off: a transaction that spans cells."""
        with self._lock:
            self._held += 1
        try:
            yield
        finally:
            with self._lock:
                self._held -= 1

    @property
    def held(self) -> bool:
        return self._held > 0

    @property
    def stopping(self) -> bool:
        """A stop was raised and sticks."""
        return self.desk.stopping

    def release_stop(self) -> None:
        """The run was aborted and the kernel is kept: the stop has taken effect and no longer sticks."""
        with self._lock:
            for stop in self.desk.stops:
                self._receipts.write(stop, Outcome.EFFECTIVE, Status.RUNNING)
            self.desk.stops.clear()
            self.desk.stopping = False
            self.stop.forget()
            self._set_bell()

    def begin_stop(self) -> None:
        """Make this process stop from within: a signal came."""
        with self._lock:
            self._mark_stopping()

    def leave_pause(self) -> None:
        """End a pause because the process is being shut down from outside: the waiting thread raises."""
        with self._lock:
            self._mark_stopping()
        self.block.wake()

    # Obeying

    def read_inbox(self) -> None:
        """Clear the doorbell, fold the new inbox lines in order, journal what was decided."""
        with self._lock:
            # Cleared before the inbox is read: a ring that comes in between is a ring for next time.
            self.block.hush()
            try:
                start = self._receipts.inbox_offset
                for offset, line in read_inbox(self._inbox, self._receipts.inbox_offset):
                    decisions = self.desk.take(line)
                    self._receipts.inbox_offset = offset
                    for decision in decisions:
                        status = self._live_status() if decision.outcome is Outcome.WITHDRAWN else None
                        self._receipts.write(decision.request, decision.outcome, status, note=decision.note)
                if self._receipts.inbox_offset != start:
                    self._receipts.acknowledge()
                    self.block.words[INBOX_WORD] = self._receipts.inbox_offset
            except BaseException:
                self.block.memory[BELL] = 1  # interrupted half-way: look again
                raise
            self._set_bell()
            actor_stops, self.desk.actor_stops = self.desk.actor_stops, []
        for request in actor_stops:
            if self.on_actor_stop is None:
                self.close(request, Outcome.FAILED, note="no actor lives in this process")
            else:
                self.on_actor_stop(request)

    def close(
        self, request: Request, outcome: Outcome, *, note: str = "", detail: dict[str, Any] | None = None
    ) -> None:
        """Write how a request came out that somebody else of this process carried out."""
        with self._lock:
            self._receipts.write(request, outcome, None, note=note, detail=detail)

    def _set_bell(self) -> None:
        desk = self.desk
        if desk.pauses or desk.stops or desk.paused or desk.stopping:
            self.block.memory[BELL] = 1

    def _live_status(self) -> Status:
        return Status.PAUSED if self.desk.paused else Status.RUNNING

    def _obey(self) -> None:
        self.read_inbox()
        self._raise_if_stopping()
        if self._is_boss():
            if self._pause_if_wanted():
                self._raise_if_stopping()
        else:
            self._wait_beside()
            self._raise_if_stopping()
        if not self.rung:
            return
        with self._lock:  # nothing left to do: silence the bell that we set for ourselves
            self.read_inbox()

    def _raise_if_stopping(self) -> None:
        if self.desk.stops or self.desk.stopping:
            with self._lock:
                self._mark_stopping()
            self.stop.run_callbacks()
            raise self.stop.error()

    def _mark_stopping(self) -> None:
        desk = self.desk
        if desk.paused:
            self._end_pause()
        if not desk.stopping:
            desk.stopping = True
            for stop in desk.stops:
                self._receipts.write(stop, None, Status.STOPPING)
        self.block.memory[BELL] = 1

    # Pausing

    def _begin_pause_if_wanted(self) -> bool:
        """Enter the paused state if a pause is asked for; True when the caller has to wait."""
        with self._lock:
            desk = self.desk
            if desk.paused:
                return True
            if not desk.wants_pause:
                return False
            for pause in desk.pauses:
                self._receipts.write(pause, None, Status.PAUSING)
            detail = {"threads_running_on": self._other_threads()} | self.children.suspend()
            desk.paused = True
            for pause in desk.pauses:
                self._receipts.write(pause, Outcome.EFFECTIVE, Status.PAUSED, detail=detail)
            self.block.memory[BELL] = 1
            log.info("%s is paused", self.name)
            return True

    def _goes_on(self) -> bool:
        desk = self.desk
        return not desk.paused or desk.stopping or bool(desk.resumes) or bool(desk.stops)

    def _pause_if_wanted(self) -> bool:
        """Wait in the boss thread until resumed or stopped, if a pause is asked for; False if none is.

        Ctrl-C ends the pause, from the moment on that others are told of it.
        """
        try:
            with interruptible():
                if not self._begin_pause_if_wanted():
                    return False
                while not self._goes_on():
                    self.block.wait(_POLL)
                    self.read_inbox()
        except BaseException:
            self._end_pause(interrupted=True)
            raise
        if not self.desk.stops:
            self._end_pause()
        return True

    def _wait_beside(self) -> None:
        """Wait in another thread while the process is paused or about to be."""
        while self.desk.wants_pause or not self._goes_on():
            with self._changed:
                self._changed.wait(0.1)  # these threads get no SIGINT and no FIFO: look now and then
            if self.rung and not self.desk.paused:
                self.read_inbox()
            if self.desk.stops:
                return

    async def _wait_async(self) -> None:
        loop = asyncio.get_running_loop()
        rung = asyncio.Event()
        fd = self.block.wake_fd
        watching = False
        try:
            if fd >= 0:
                try:
                    loop.add_reader(fd, rung.set)
                    watching = True
                except NotImplementedError:
                    watching = False  # Windows' proactor loop: polling alone
            while not self._goes_on():
                # Not wait_for, which in Python 3.11 may lose a Ctrl-C that comes together with a ring.
                with suppress(TimeoutError):
                    async with asyncio.timeout(0.1):
                        await rung.wait()
                rung.clear()
                self.read_inbox()
        except BaseException:  # the cell was interrupted: its task is cancelled
            self._end_pause(interrupted=True)
            raise
        finally:
            if watching:
                loop.remove_reader(fd)
        self._raise_if_stopping()
        self._end_pause()

    def _end_pause(self, *, interrupted: bool = False) -> None:
        with self._lock:
            desk = self.desk
            if not desk.paused:
                return
            detail = self.children.resume()
            desk.paused = False
            after = Status.STOPPING if desk.stops else Status.RUNNING
            if interrupted:
                for pause in desk.pauses:
                    self._receipts.write(pause, Outcome.INTERRUPTED, after, note="ended by Ctrl-C", detail=detail)
            for resume in desk.resumes:
                self._receipts.write(resume, Outcome.EFFECTIVE, after, detail=detail)
            desk.pauses.clear()
            desk.resumes.clear()
            log.info("%s goes on", self.name)
            self.block.hush()
            self._set_bell()
            if self._inbox_is_longer():
                self.block.memory[BELL] = 1
        with self._changed:
            self._changed.notify_all()

    def look_for_lost_rings(self) -> None:
        """Ring at oneself if the inbox holds lines that nobody rang for: a requester died, the link is gone."""
        if self._inbox_is_longer():
            self.block.memory[BELL] = 1

    def _inbox_is_longer(self) -> bool:
        try:
            return self._inbox.stat().st_size > self._receipts.inbox_offset
        except OSError:
            return False

    def _other_threads(self) -> int:
        """User threads that run on during a pause: those that came after the recording began."""
        me = threading.get_ident()
        return sum(
            1 for thread in threading.enumerate() if thread.ident not in self._threads_at_start and thread.ident != me
        )
