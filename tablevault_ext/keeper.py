"""The keeper: the vault's ingester, with the steps that ride on it, as a process of its own.

    python -m tablevault_ext.keeper VAULT

Started by whoever records when there is none; the Jupyter Server extension runs the same steps in its own thread.
It stands outside every tree that it serves, and ends half a minute after the last living process.
"""

from __future__ import annotations

import sys

from .control.escalation import Escalation
from .control.sampling import Sampling
from .store.ingester import Ingester, ingest_until_idle


def add_steps(ingester: Ingester) -> None:
    """Let sampling and escalation ride on an ingester."""
    ingester.extra_steps += [
        Sampling(ingester.paths, lambda: ingester.living).step,
        Escalation(ingester.paths, lambda: ingester.living).step,
    ]


if __name__ == "__main__":
    ingest_until_idle(sys.argv[1], add_steps)
