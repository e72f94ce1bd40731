"""`tablevault demo`: a real notebook and a real training script, recorded, paused, resumed and stopped."""

from __future__ import annotations


def run_demo(path: str | None = None, *, fast: bool = False) -> int:
    """Play the demo in a vault of its own; return the exit code.

    Args:
        path: a directory that is new or empty; None makes one beside the user's vault.
        fast: shorter pauses for reading.

    Raises:
        BadArgument: the directory holds something already.
    """
    from .story import tell

    return tell(path, fast=fast)
