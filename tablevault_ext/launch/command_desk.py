"""The documented functions about commands: run, start, look, end, forget."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ..errors import BadArgument
from .arguments import check_timeout, normalize_path
from .commands import GRACE, Command, Result, end_all_at_once
from .recorder import Host

Cmd = str | os.PathLike[str] | Sequence[str | os.PathLike[str]]
Told = Callable[[str], Any] | None


class CommandDesk:
    """Commands that this process started. Source: PyProcessor's document on its process manager."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self._commands: dict[str, Command] = {}

    def run_process(
        self,
        cmd: Cmd,
        shell: bool | None = None,
        cwd: str | os.PathLike[str] | None = None,
        env: Mapping[str, str] | None = None,
        input_data: str | bytes | None = None,
        *,
        timeout: float | None = None,
        capture_output: bool = True,
        process_id: str | None = None,
        callback: Callable[[Result], Any] | None = None,
        name: str | None = None,
        on_stdout: Told = None,
        on_stderr: Told = None,
    ) -> Result:
        """Run a command to its end; it is recorded as a process of its own.

        Args:
            cmd: a list of a program and its arguments, or a string for the shell.
            shell: None decides by the form of ``cmd``.
            cwd: its working directory (``normalize_path`` is applied).
            env: its whole environment; None gives it this process's.
            input_data: what it reads from standard input; None gives it nothing to read.
            timeout: seconds after which it is ended with everything that it started: SIGTERM, 2 s, SIGKILL.
            capture_output: False lets it print where this process prints.
            process_id: an id of one's own; None makes one.
            callback: called with the result.
            name: under which `Vault` finds it; None takes the program's.
            on_stdout, on_stderr: called with each line as it is printed, without its newline.

        Returns:
            ``returncode`` (negative: the signal that ended it), ``stdout``, ``stderr`` (text; None if not
            captured), ``pid``, ``command``, ``duration`` (seconds), ``process_id``, ``timed_out``.

        Raises:
            CommandNotFound: there is no such program or directory. LaunchError: it cannot be started.
            BadArgument: an argument makes no sense. NameTaken: a living process holds ``name``.

        Whatever is raised while it runs (Ctrl-C, a stop, an error in a callback) ends it first. While it waits, an
        automatic checkpoint passes every 0.1 s.

        >>> run_process(["echo", "hello"])["stdout"]
        'hello\\n'
        """
        timeout = _checked(timeout, callback, on_stdout, on_stderr)
        command = self._start(
            cmd,
            shell=shell,
            cwd=cwd,
            env=env,
            input_data=input_data,
            capture_output=capture_output,
            process_id=process_id,
            name=name,
            quick=True,
        )
        result = command.run(timeout, on_stdout, on_stderr)
        if callback is not None:
            callback(result)
        return result

    def start_process(
        self,
        cmd: Cmd,
        shell: bool | None = None,
        cwd: str | os.PathLike[str] | None = None,
        env: Mapping[str, str] | None = None,
        input_data: str | bytes | None = None,
        *,
        timeout: float | None = None,
        capture_output: bool = True,
        process_id: str | None = None,
        callback: Callable[[Result], Any] | None = None,
        name: str | None = None,
        on_stdout: Told = None,
        on_stderr: Told = None,
        detach: bool = False,
    ) -> Command:
        """Start a command and return a handle at once; arguments and errors as in `run_process`.

        Callbacks are called from a thread of their own. A command that still runs when this process ends is ended
        with it, unless ``detach`` is true.

        >>> with start_process(["sh", "-c", "echo one; echo two"]) as command:
        ...     print(list(command))
        ['one', 'two']
        """
        timeout = _checked(timeout, callback, on_stdout, on_stderr)
        command = self._start(
            cmd,
            shell=shell,
            cwd=cwd,
            env=env,
            input_data=input_data,
            capture_output=capture_output,
            process_id=process_id,
            name=name,
        )
        if detach:
            command.detach()
        if callback is not None:
            command.add_done_callback(callback)
        command.stream(on_stdout, on_stderr)
        command.watch(timeout)
        return command

    def run_process_async(self, cmd: Cmd, *args: Any, **options: Any) -> str:
        """Start a command in the background and return its ``process_id``; arguments as in `start_process`.

        >>> process_id = run_process_async(["sleep", "60"])
        >>> get_process_status(process_id)["status"], terminate_process(process_id)
        ('running', True)
        """
        return self.start_process(cmd, *args, **options).process_id

    async def arun_process(self, cmd: Cmd, *args: Any, **options: Any) -> Result:
        """The awaiting twin of `run_process`; cancelling it ends the command.

        >>> import asyncio
        >>> asyncio.run(arun_process(["echo", "hello"]))["returncode"]
        0
        """
        command = self.start_process(cmd, *args, **options)
        try:
            return await command
        except BaseException:
            command.terminate(0.0)
            raise

    def get_process(self, process_id: str) -> Command | None:
        """The handle of a command that was started here, or None."""
        return self._commands.get(process_id)

    def get_process_status(self, process_id: str) -> Result | None:
        """The result as far as it goes, with ``status`` and ``start_time`` (seconds since the epoch); or None.

        ``status`` is running, pausing, paused, stopping, finished, failed or stopped, in the vault's words.
        """
        command = self._commands.get(process_id)
        return None if command is None else command.to_status()

    def terminate_process(self, process_id: str, timeout: float = 5.0) -> bool:
        """End a command with everything that it started: SIGTERM, ``timeout`` seconds, SIGKILL.

        Returns:
            False if it is unknown or was over.
        """
        grace = check_timeout(timeout)
        command = self._commands.get(process_id)
        return command is not None and command.terminate(5.0 if grace is None else grace)

    def terminate_all_processes(self, timeout: float = 5.0) -> int:
        """End all commands that run, at the same time; how many there were."""
        check_timeout(timeout)
        ended: list[bool] = []
        threads = [
            threading.Thread(target=lambda command=command: ended.append(command.terminate(timeout)))
            for command in list(self._commands.values())
            if command.running
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return sum(ended)

    def list_processes(self) -> list[Result]:
        """The commands that were started here and not cleaned up: as `get_process_status`, without their output."""
        return [command.to_status(output=False) for command in list(self._commands.values())]

    def cleanup_processes(self) -> int:
        """Forget the commands that are over; the vault does not. How many there were."""
        over = [process_id for process_id, command in list(self._commands.items()) if not command.running]
        return sum(self._commands.pop(process_id, None) is not None for process_id in over)

    def end_commands(self) -> None:
        """This process ends: end what still runs and is not detached, so that its ending is on record."""
        end_all_at_once(grace=0.0 if self._host.in_haste() else GRACE)

    def _start(self, cmd: Cmd, *, cwd: str | os.PathLike[str] | None, **options: Any) -> Command:
        where = None if cwd is None else normalize_path(cwd)
        self._host.begin()
        command = Command(self._host, cmd, cwd=where, **options)
        self._commands[command.process_id] = command
        return command


def _checked(timeout: Any, *functions: Any) -> float | None:
    for function in functions:
        if function is not None and not callable(function):
            raise BadArgument(f"a callback must be a function, not {type(function).__name__}; nothing was started")
    return check_timeout(timeout)
