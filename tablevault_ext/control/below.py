"""What runs below a recorded process, in words."""

from __future__ import annotations

from pathlib import PurePath

from ..model import Process
from ..paths import VaultPaths
from .descendants import find_descendants
from .now import marks_of


def describe_descendants(paths: VaultPaths, process: Process) -> list[str]:
    """The OS processes that belong to one, itself left out, as "pid (program)"; also those that outlived it."""
    if process.identity is None:
        return []
    members = find_descendants(process.identity, marks_of(paths, process.process_id)).members
    below = [member for member in members if member.identity != process.identity and not member.zombie]
    return [f"{m.pid} ({PurePath(m.command[0]).name})" if m.command else str(m.pid) for m in below]
