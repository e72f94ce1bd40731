"""Pids, refs and atoms: the words that travel inside messages."""

from __future__ import annotations

import os
import secrets
import sys
from itertools import count


class Pid(str):
    """The address of a process: ``pid_`` + a prefix of this OS process + a counter; never used twice."""

    __slots__ = ()


class Ref(str):
    """The name of one monitor, timer or call: ``ref_`` + prefix + counter; never used twice."""

    __slots__ = ()


_counter = count(1)
_pid_prefix = _ref_prefix = ""


def _new_prefix() -> None:
    # A forked child inherits the counter, so it needs a prefix of its own.
    global _pid_prefix, _ref_prefix
    prefix = secrets.token_hex(5)
    _pid_prefix, _ref_prefix = f"pid_{prefix}_", f"ref_{prefix}_"


_new_prefix()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_new_prefix)


def new_pid() -> Pid:
    return Pid(_pid_prefix + str(next(_counter)))


def new_ref() -> Ref:
    return Ref(_ref_prefix + str(next(_counter)))


def atom(name: str) -> str:
    """The one interned string of that name: equal to the plain string, and cheap to compare.

    >>> atom("ready") == "ready", atom("ready") is atom("rea" + "dy")
    (True, True)
    """
    return sys.intern(str(name))


NORMAL = atom("normal")
KILL = atom("kill")
KILLED = atom("killed")
SHUTDOWN = atom("shutdown")
NOPROC = atom("noproc")
NOCONNECTION = atom("noconnection")
DOWN = atom("DOWN")
EXIT = atom("EXIT")
PROCESS = atom("process")


def is_word(reason: object, word: str) -> bool:
    """Whether `reason` is that atom. Never calls a foreign ``__eq__``: a reason may be an array."""
    return isinstance(reason, str) and reason == word


def is_orderly(reason: object) -> bool:
    """Whether OTP counts the reason as an expected end: ``normal``, ``shutdown`` or ``('shutdown', term)``."""
    if isinstance(reason, tuple) and len(reason) == 2:
        return is_word(reason[0], SHUTDOWN)
    return is_word(reason, NORMAL) or is_word(reason, SHUTDOWN)
