"""A program of many roles, run by the tests as real processes: ``python relatives.py FOLDER ROLE...``.

Every process writes FOLDER/<pid> (its role and start time) once it is ready, and none lives longer than 170 seconds.
"""

import contextlib
import mmap
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

FOLDER = Path(sys.argv[1])
LIFETIME = 170


def announce(role):
    signal.alarm(LIFETIME)  # survives exec, not fork: every process arms its own
    stat = Path(f"/proc/{os.getpid()}/stat").read_text()
    start = stat[stat.rindex(")") + 2 :].split()[19]
    draft = FOLDER / f".{os.getpid()}"
    draft.write_text(f"{role} {start}")
    draft.rename(FOLDER / str(os.getpid()))


def sleep_for_ever():
    while True:
        signal.pause()


def run(*roles, **options):
    return subprocess.Popen([sys.executable, __file__, str(FOLDER), *roles], **options)


def fork(body, role):
    pid = os.fork()
    if pid == 0:
        announce(role)
        try:
            body()
        finally:
            os._exit(0)
    return pid


def double_fork(role):
    """A daemon the classic way: its parent is gone, its session is its own."""
    if os.fork() == 0:
        os.setsid()
        middle = os.getpid()
        if os.fork() == 0:
            wait_until_orphaned(middle)
            announce(role)
            sleep_for_ever()
        os._exit(0)
    os.wait()


def scrubbed_orphan():
    """No environment, no parent: only the session says whose it is."""
    command = [sys.executable, __file__, str(FOLDER), "sleeper"]
    if os.fork() == 0:
        middle = os.getpid()
        if os.fork() == 0:
            wait_until_orphaned(middle)
            os.execve(command[0], command, {})
        os._exit(0)
    os.wait()


def wait_until_orphaned(parent):
    """Who announces itself before is still found through its parent."""
    while os.getppid() == parent:
        time.sleep(0.001)


def fork_slowly(total):
    """Fork one child after another, which forks the next: always one that is about to have a child."""
    left = total
    announce("forker")
    while left > 0:
        if os.fork():
            sleep_for_ever()
        left -= 1
        announce("forker")
    sleep_for_ever()


def bomb(total, ignore):
    """Processes that all fork on and on until there are ``total`` of them; a shared counter bounds it."""
    if ignore:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    tickets = os.open(FOLDER / "tickets", os.O_RDWR | os.O_CREAT | os.O_APPEND)
    announce("bomb")
    while os.fstat(tickets).st_size < total:
        os.write(tickets, b".")
        if os.fork() == 0:
            announce("bomb")
        time.sleep(0.001)
    sleep_for_ever()


def count():
    """Counts in a file: shows whether it runs."""
    announce("counter")
    with (FOLDER / "count").open("r+b" if (FOLDER / "count").exists() else "w+b") as file:
        file.truncate(8)
        with mmap.mmap(file.fileno(), 8) as memory:
            while True:
                memory[:] = (int.from_bytes(memory[:], "little") + 1).to_bytes(8, "little")
                time.sleep(0.001)


def main(role, *rest):
    if role == "sleeper":
        announce(role)
        sleep_for_ever()
    elif role == "deaf":
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        announce(role)
        sleep_for_ever()
    elif role == "saver":

        def save(*_):
            (FOLDER / "saved").write_text("yes")
            raise SystemExit(7)

        signal.signal(signal.SIGTERM, save)
        announce(role)
        sleep_for_ever()
    elif role == "parent":  # parent ROLE,ROLE...: a family, each role with its own arguments after ":"
        for child in rest[0].split(","):
            start(*child.split(":"))
        announce(role)
        sleep_for_ever()
    elif role == "chain":  # chain DEPTH: a line of descendants
        if int(rest[0]) > 1:
            run("chain", str(int(rest[0]) - 1))
        announce(role)
        sleep_for_ever()
    elif role == "wide":  # wide NUMBER: many children, forked
        for _ in range(int(rest[0])):
            fork(sleep_for_ever, "child")
        announce(role)
        sleep_for_ever()
    elif role == "forker":
        fork_slowly(int(rest[0]))
    elif role == "bomb":
        bomb(int(rest[0]), ignore=rest[1:] == ("deaf",))
    elif role == "spawner":  # starts one short program after another: is inside vfork most of the time
        announce(role)
        while True:
            subprocess.run(["true"], check=False)
    elif role == "counter":
        count()
    elif role == "orphaner":  # leaves a family behind and ends
        for child in rest[0].split(","):
            start(*child.split(":"))
        signal.alarm(LIFETIME)
        while not (FOLDER / "go").exists():
            time.sleep(0.01)
    elif role == "holder":  # maps a file, then forks without exec and ends; the fork double-forks away
        with Path(rest[0]).open("r+b") as file:
            memory = mmap.mmap(file.fileno(), 0)
        double_fork("mapped")
        announce(role)
        sleep_for_ever()
        memory.close()
    elif role == "threads":
        import threading

        for _ in range(4):
            threading.Thread(target=sleep_in_thread, daemon=True).start()
        announce(role)
        sleep_for_ever()
    elif role == "vfork":  # waits in vfork for a child that cannot exec before a FIFO is opened
        announce(role)
        os.posix_spawn(
            sys.executable,
            [sys.executable, __file__, str(FOLDER), "sleeper"],
            os.environ,
            file_actions=[(os.POSIX_SPAWN_OPEN, 0, rest[0], os.O_RDONLY, 0)],
        )
        sleep_for_ever()
    else:
        raise SystemExit(f"no such role: {role}")


def sleep_in_thread():
    while True:
        time.sleep(0.001)


def start(role, *rest):
    if role == "setsid":
        run("sleeper", start_new_session=True)
    elif role == "daemon":
        double_fork("daemon")
    elif role == "fork":
        fork(sleep_for_ever, "fork")
    elif role == "scrubbed":
        scrubbed_orphan()
    elif role == "jupyter":
        options = ["--ServerApp.port=0", "--ServerApp.ip=127.0.0.1", "--allow-root", "--no-browser"]
        home = {"HOME": str(FOLDER), "JUPYTER_RUNTIME_DIR": str(FOLDER / "runtime")}
        subprocess.Popen(
            [sys.executable, "-m", "jupyter_server", *options],
            env={**os.environ, **home},
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
    elif role == "zombie":
        pid = os.fork()
        if pid == 0:
            os._exit(0)
        os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)  # a zombie from here on
    else:
        run(role, *rest)


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        main(*sys.argv[2:])
