"""One command: a program that was started from here, recorded, and ended with everything that it starts."""

from __future__ import annotations

import asyncio
import os
import threading
import time
from collections.abc import AsyncIterator, Callable, Generator, Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

from ..errors import BadArgument
from ..identity import Identity
from ..journal import names
from ..journal.process_state import read_process
from ..model import Kind, Status, new_process_id
from .arguments import Line, plan_command, program_name
from .callbacks import call_soon
from .exits import Exit, describe_exit
from .output import Capture, Tail, as_text
from .reaper import LONG, look_later
from .recorder import Host, ProcessRecord, child_environment, identify_child
from .starting import full_environment, start_child

Result = dict[str, Any]

GRACE = 2.0
"""Seconds between SIGTERM and SIGKILL when a timeout ends a command."""
_SLICE = 0.1
_STREAM_SLICE = 0.02

_running: dict[str, Command] = {}


class Command:
    """A handle on a running or finished command; ``await`` gives its result.

    Leaving its ``with`` block waits for it, or ends it when an error is on its way.

    >>> with start_process(["sh", "-c", "echo one; echo two"]) as command:
    ...     for line in command:
    ...         print(line)
    one
    two
    """

    def __init__(
        self,
        host: Host,
        cmd: str | os.PathLike[str] | Sequence[str | os.PathLike[str]],
        *,
        shell: bool | None = None,
        cwd: str | os.PathLike[str] | None = None,
        env: Mapping[str, str] | None = None,
        input_data: str | bytes | None = None,
        capture_output: bool = True,
        process_id: str | None = None,
        name: str | None = None,
        quick: bool = False,
    ) -> None:
        self.process_id = process_id or new_process_id()
        self.command = cmd
        self.timed_out = False
        self.returncode: int | None = None
        self._host = host
        self._terminated = False
        self._over = threading.Event()
        self._callbacks: list[Callable[[Result], Any]] = []
        self._finishing = threading.Lock()
        self._detached = False
        line, use_shell = plan_command(cmd, shell)
        if name is not None:
            names.check_name(name)
        if process_id is not None and host.paths.wrapper_journal(process_id).exists():
            raise BadArgument(f"the process id {process_id!r} is taken; leave it out, or choose another")
        streams = ("stdout", "stderr") if capture_output else ()
        self._outputs = {stream: Capture(self._logs, stream, quick=quick) for stream in streams}
        claim = None if name is None else names.claim_name(host.paths, name, self.process_id, Identity.mine())
        self.start_time = time.time()
        self._began = time.perf_counter()
        try:
            self._child = start_child(
                line,
                shell=use_shell,
                cwd=cwd,
                environment=full_environment(env, child_environment(host.paths, self.process_id)),
                input_data=input_data,
                outputs=[output.fd for output in self._outputs.values()],
            )
        except BaseException:
            self._leave_nothing(claim)
            raise
        # The rest is done while the command begins to run.
        self.pid = self._child.pid
        self._exit = Exit(self._child)
        self.identity = identify_child(self.pid)
        try:
            self._record = self._register(line, cwd, claim)
        except BaseException:
            self._end_tree(0.0)
            self._child.wait()
            self._leave_nothing(claim)
            raise
        self._named = claim is not None
        _running[self.process_id] = self

    def _logs(self) -> Path:
        return self._host.paths.logs(self.process_id)

    # Starting

    def _register(self, line: Line, cwd: Any, claim: names.Claim | None) -> ProcessRecord:
        host = self._host
        record = ProcessRecord(host.paths, self.process_id)
        record.started(
            Kind.COMMAND,
            self.identity,
            name=program_name(line),
            claim=claim,
            argv=[line] if isinstance(line, str) else line,
            cwd=os.fspath(cwd) if cwd is not None else None,
            parent=host.parent(),
            user=host.user(),
        )
        if claim is not None:
            names.hand_over(host.paths, claim, self.identity)
        return record

    def _leave_nothing(self, claim: names.Claim | None) -> None:
        for output in self._outputs.values():
            output.discard()
        if claim is not None:
            names.release_name(self._host.paths, claim.name, self.process_id)

    # Waiting

    def watch(self, timeout: float | None = None) -> None:
        """Let it run in the background: its end is noted by itself, and it is ended after ``timeout`` seconds."""
        self._exit.tell(lambda: self._finish(self._child.wait()))
        look_later(self._note_long)
        if timeout is not None:
            look_later(self._time_out_aside, timeout)

    def run(
        self,
        timeout: float | None,
        on_stdout: Callable[[str], Any] | None = None,
        on_stderr: Callable[[str], Any] | None = None,
    ) -> Result:
        """Wait here for its end, with its output as it comes. Whatever is raised meanwhile ends it first."""
        end = None if timeout is None else time.monotonic() + timeout
        tails = self._tails(on_stdout, on_stderr)
        step = _STREAM_SLICE if tails else _SLICE
        try:
            while True:
                left = step if end is None else min(step, end - time.monotonic())
                code = self._exit.wait(left)
                for tail, tell in tails:
                    for line in tail.read(ended=code is not None):
                        tell(line)
                if code is not None:
                    self._finish(code)
                    break
                if end is not None and time.monotonic() >= end:
                    end = None
                    self.timed_out = True
                    self._end_tree(GRACE)
                self._note_long()
                self._host.checkpoint()
        except BaseException:
            self._terminated = True
            self._end_tree(0.0)
            code = self._exit.wait(10.0)
            self._finish(-9 if code is None else code)
            raise
        return self.to_result()

    def wait(self, timeout: float | None = None) -> Result:
        """Wait for the end of a command that runs in the background; its result.

        Raises:
            TimeoutError: it still runs after ``timeout`` seconds, and goes on.
        """
        end = None if timeout is None else time.monotonic() + timeout
        while not self._over.wait(_SLICE if end is None else max(0.0, min(_SLICE, end - time.monotonic()))):
            if end is not None and time.monotonic() >= end:
                raise TimeoutError(f"{self.process_id} still runs after {timeout:g} s; terminate() ends it")
            self._host.checkpoint()
        return self.to_result()

    def stream(self, on_stdout: Callable[[str], Any] | None, on_stderr: Callable[[str], Any] | None) -> None:
        """Call back with each line as it comes, from a thread."""
        tails = self._tails(on_stdout, on_stderr)
        if not tails:
            return

        def pump() -> None:
            over = False
            while not over:
                over = self._over.wait(_STREAM_SLICE)
                for tail, tell in tails:
                    for line in tail.read(ended=over):
                        call_soon(tell, line)

        threading.Thread(target=pump, name="tablevault-stream", daemon=True).start()

    def add_done_callback(self, callback: Callable[[Result], Any]) -> None:
        """Call ``callback(result)`` in the callbacks' thread when it is over."""
        with self._finishing:
            if not self._over.is_set():
                self._callbacks.append(callback)
                return
        call_soon(lambda: callback(self.to_result()))

    def lines(self, stream: str = "stdout") -> Iterator[str]:
        """Its lines as they are printed, without newlines, until it is over."""
        tail = Tail(self._captured(stream))
        over = False
        while not over:
            over = self._over.wait(_STREAM_SLICE)
            yield from tail.read(ended=over)
            if not over:
                self._host.checkpoint()

    async def alines(self, stream: str = "stdout") -> AsyncIterator[str]:
        """The same, for ``async for``."""
        tail = Tail(self._captured(stream))
        over = False
        while not over:
            over = self._over.is_set()
            for line in tail.read(ended=over):
                yield line
            if not over:
                await asyncio.sleep(_STREAM_SLICE)

    def __iter__(self) -> Iterator[str]:
        return self.lines()

    def __aiter__(self) -> AsyncIterator[str]:
        return self.alines()

    def __await__(self) -> Generator[Any, None, Result]:
        return self._await().__await__()

    async def _await(self) -> Result:
        loop = asyncio.get_running_loop()
        over: asyncio.Future[None] = loop.create_future()

        def tell() -> None:
            if not over.done():
                over.set_result(None)

        self.add_done_callback(lambda result: None if loop.is_closed() else loop.call_soon_threadsafe(tell))
        await over
        return self.to_result()

    def __enter__(self) -> Command:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        if kind is None:
            self.wait()
        else:
            self.terminate(0.0)

    # Ending

    def terminate(self, timeout: float = 5.0) -> bool:
        """End it and everything that it started: SIGTERM, ``timeout`` seconds, SIGKILL. False if it was over."""
        if self._over.is_set():
            return False
        self._terminated = True
        self._end_tree(timeout)
        self._over.wait(timeout + 10.0)
        return True

    def detach(self) -> None:
        """Let it live on when this process ends."""
        self._detached = True

    def _end_tree(self, grace: float) -> None:
        self._host.end_tree(self.identity, self.process_id, grace)

    def _time_out_aside(self) -> None:
        if not self._over.is_set():
            self.timed_out = True
            threading.Thread(target=self._end_tree, args=(GRACE,), name="tablevault-timeout", daemon=True).start()

    def _note_long(self) -> None:
        if self._over.is_set() or time.perf_counter() - self._began < LONG:
            return
        if not self._named:
            self._named = True
            self._record.claim_name()
        for output in self._outputs.values():
            output.keep()

    def _finish(self, code: int) -> None:
        with self._finishing:
            if self._over.is_set():
                return
            self.returncode = code
            self._duration = time.perf_counter() - self._began
            self._record.ended(code, stopped=self._stopped(), error=self._words())
            self._exit.close()
            for output in self._outputs.values():
                output.close()
            _running.pop(self.process_id, None)
            self._over.set()
        for callback in self._callbacks:
            call_soon(callback, self.to_result())

    def _stopped(self) -> bool:
        return self._terminated and not self.timed_out and self.returncode != 0

    def _words(self) -> str | None:
        if self.timed_out:
            return f"timed out after {self._duration:.1f} s"
        if self.returncode is not None and self.returncode < 0:
            return f"ended by {describe_exit(self.returncode)}"
        return None

    # What it is

    @property
    def running(self) -> bool:
        return not self._over.is_set()

    @property
    def detached(self) -> bool:
        return self._detached

    @property
    def status(self) -> Status:
        """Its state as the vault knows it: others may have paused it."""
        if not self._over.is_set():
            status = read_process(self._host.paths, self.process_id).status
            return Status.RUNNING if status.ended else status  # over, and about to be noted
        if self._stopped():
            return Status.STOPPED
        return Status.FINISHED if self.returncode == 0 and not self.timed_out else Status.FAILED

    @property
    def duration(self) -> float:
        """Seconds it ran, or has run up to now."""
        return self._duration if self._over.is_set() else time.perf_counter() - self._began

    @property
    def stdout(self) -> str | None:
        """What it printed so far; None if that was not captured."""
        return self._text("stdout")

    @property
    def stderr(self) -> str | None:
        return self._text("stderr")

    def _text(self, stream: str) -> str | None:
        output = self._outputs.get(stream)
        return None if output is None else as_text(output.read())

    def to_result(self) -> Result:
        """The documented keys, and ``timed_out``."""
        return {
            "returncode": self.returncode,
            "stdout": self.stdout,
            "stderr": self.stderr,
        } | self._words_without_output()

    def _words_without_output(self) -> Result:
        return {
            "returncode": self.returncode,
            "pid": self.pid,
            "command": self.command,
            "duration": self.duration,
            "process_id": self.process_id,
            "timed_out": self.timed_out,
        }

    def to_status(self, *, output: bool = True) -> Result:
        """The result as far as it goes, with ``status`` and ``start_time`` (seconds since the epoch)."""
        words = self.to_result() if output else self._words_without_output()
        return words | {"status": self.status.value, "start_time": self.start_time}

    def __repr__(self) -> str:
        return f"<Command {self.process_id} {self.command!r} {self.status}>"

    def _captured(self, stream: str) -> Capture:
        output = self._outputs.get(stream)
        if output is None:
            raise BadArgument(f"{stream!r} of {self.process_id} is not captured; there are stdout and stderr")
        return output

    def _tails(
        self, on_stdout: Callable[[str], Any] | None, on_stderr: Callable[[str], Any] | None
    ) -> list[tuple[Tail, Callable[[str], Any]]]:
        wanted = (("stdout", on_stdout), ("stderr", on_stderr))
        return [(Tail(self._captured(stream)), tell) for stream, tell in wanted if tell is not None]


def end_all_at_once(grace: float = 0.0) -> None:
    """End everything that was started here and is not meant to outlive it."""
    living = [command for command in list(_running.values()) if not command.detached]
    threads = [threading.Thread(target=command.terminate, args=(grace,), daemon=True) for command in living]
    try:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    except RuntimeError:  # no more threads: the interpreter is going down
        for command in living:
            command.terminate(0.0)
