"""Servers that may be met inside a tree but serve others, too: listed, never signalled.

A Jupyter Server started from a notebook hands its environment to every kernel it starts, so the whole desk would
carry the mark of one notebook. The same holds for cluster schedulers, terminal multiplexers and agents.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import PurePath

_PROGRAMS = frozenset(
    {
        "jupyter-lab",
        "jupyter-labhub",
        "jupyter-nbclassic",
        "jupyter-notebook",
        "jupyter-server",
        "jupyter-voila",
        "jupyterhub",
        "jupyterhub-singleuser",
        "voila",
        "code-server",
        "dask-scheduler",
        "dask-worker",
        "raylet",
        "gcs_server",
        "tmux",
        "screen",
        "sshd",
        "ssh-agent",
        "gpg-agent",
        "dockerd",
        "containerd",
        "containerd-shim-runc-v2",
        "systemd",
        "supervisord",
    }
)
_MODULES = frozenset(
    {
        "jupyterlab",
        "jupyter_server",
        "jupyterhub",
        "jupyterhub.singleuser",
        "notebook",
        "nbclassic",
        "voila",
        "distributed.cli.dask_scheduler",
        "distributed.cli.dask_worker",
        "supervisor.supervisord",
    }
)
_SUBCOMMANDS = {
    "jupyter": frozenset(("lab", "notebook", "server", "nbclassic", "labhub", "voila")),
    "dask": frozenset(("scheduler", "worker")),
}


def looks_like_server(command: Sequence[str]) -> bool:
    """Whether a command line is that of a Jupyter or daemon server.

    >>> looks_like_server(["/usr/bin/python3", "/usr/bin/jupyter-lab", "--no-browser"])
    True
    >>> looks_like_server(["python", "-m", "ipykernel_launcher", "-f", "kernel-1.json"])
    False
    """
    if not command:
        return False
    words = list(command)
    program = PurePath(words[0].lstrip("-").split(":", 1)[0]).name  # tmux calls itself "tmux: server"
    if program.startswith("python"):
        words = _after_options(words[1:])
        if not words:
            return False
        if words[0] == "-m":
            return len(words) > 1 and (words[1] in _MODULES or _subcommand(words[1:]))
        program = PurePath(words[0]).name
    return program.split(" ", 1)[0] in _PROGRAMS or _subcommand([program, *words[1:]])


def _subcommand(words: Sequence[str]) -> bool:
    return len(words) > 1 and words[1] in _SUBCOMMANDS.get(words[0], ())


def _after_options(words: list[str]) -> list[str]:
    """The words from ``-m`` or the script on, past the interpreter's own options."""
    while words and words[0].startswith("-") and words[0] != "-m":
        if words[0] == "-c":
            return []
        words = words[2:] if words[0] in ("-W", "-X") else words[1:]
    return words
