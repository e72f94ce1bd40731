"""The children of the calling process: suspended and resumed with it, and ended after it was stopped."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from ..errors import VaultError
from ..identity import Identity
from ..paths import VaultPaths

if TYPE_CHECKING:
    from .marks import Marks


class Children(Protocol):
    """Suspends and resumes the child processes with their parent; both return what they observed."""

    def suspend(self) -> dict[str, Any]: ...

    def resume(self) -> dict[str, Any]: ...


class NoChildren:
    """Leaves child processes alone."""

    def suspend(self) -> dict[str, Any]:
        return {}

    def resume(self) -> dict[str, Any]:
        return {}


class OwnChildren:
    """What a checkpoint pause does to the processes below this one.

    ``suspend`` remembers whom it suspended; ``resume`` continues those and no others. Tree control is imported when
    there is a child: most kernels never have one, and load faster without.
    """

    def __init__(self, paths: VaultPaths, process_id: str) -> None:
        self._me = Identity.mine()
        self._paths = paths
        self._process_id = process_id
        self._suspended: tuple[Identity, ...] = ()
        self._before = usage_of_dead_children()

    def forget_helpers(self) -> None:
        """Children until now were this package's own (who starts an ingester); later ones are the user's."""
        self._before = usage_of_dead_children()

    def suspend(self) -> dict[str, Any]:
        if not had_children(self._before):
            return {}
        from . import tree

        try:
            report = tree.pause_now(self._me, self._marks(), patience=2.0)
        except VaultError as error:
            return {"children": str(error)}
        self._suspended = report.suspended
        if not report.reached and not report.missed:
            return {}
        return {"children": report.summary(), "children_suspended": len(self._suspended)}

    def resume(self) -> dict[str, Any]:
        suspended, self._suspended = self._suspended, ()
        if not suspended:
            return {}
        from . import tree

        report = tree.resume_now(self._me, self._marks(), only=suspended)
        return {"children": report.summary()}

    def end(self, grace: float) -> dict[str, Any]:
        """End what outlives a stopped process; what was ended, and what is left."""
        if not had_children(self._before):
            return {}
        from . import tree
        from .now import marks_of_tree

        report = tree.stop_now(self._me, marks_of_tree(self._paths, self._process_id), grace=grace)
        return {"children": report.summary()} if report.ended or report.missed else {}

    def _marks(self) -> Marks:
        from .now import marks_of

        return marks_of(self._paths, self._process_id)


class Together:
    """Several things that are suspended and resumed with this process, in this order."""

    def __init__(self, *parts: Children) -> None:
        self._parts = parts

    def suspend(self) -> dict[str, Any]:
        return {key: value for part in self._parts for key, value in part.suspend().items()}

    def resume(self) -> dict[str, Any]:
        return {key: value for part in self._parts for key, value in part.resume().items()}


def had_children(before: object = None) -> bool:
    """Whether this process ever had a child since `usage_of_dead_children` gave ``before``: cheap, as most never do.

    A child lives, is a zombie, or was waited for and has left its traces in the usage of dead children.
    """
    if usage_of_dead_children() != before:
        return True
    try:
        threads = [str(thread.native_id) for thread in threading.enumerate() if thread.native_id]
        return any(Path(f"/proc/self/task/{thread}/children").read_bytes() for thread in threads)
    except OSError:
        return True


def usage_of_dead_children() -> object:
    """A value that changes whenever a child is waited for; None where the platform does not tell."""
    try:
        import resource
    except ImportError:  # Windows
        return None
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_minflt, usage.ru_nvcsw, usage.ru_utime, usage.ru_stime
