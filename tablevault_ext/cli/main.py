"""`tablevault` itself: the commands, in the order in which a newcomer needs them."""

from __future__ import annotations

import click

from .. import __version__
from . import ask, keep, look, start
from .common import TableVaultGroup, global_options

_HELP = """Everything that runs, in one tree: see, pause, resume and stop notebooks and scripts.

\b
  tablevault demo                    see it all in half a minute
  tablevault run train.py            record a script, with what it prints
  tablevault ps                      what runs now
  tablevault pause train             pause it at its next checkpoint
  tablevault sql "FROM errors"       ask the vault anything

A process is addressed by its NAME (the newest run), by NAME#RUN, or by its process id.
The vault is the directory --vault, or $TABLEVAULT_HOME, or the user's data directory.

\b
Exit codes: 0 done or accepted, 1 failed, 2 usage, 3 no such process, 4 still pending, 5 wrong state.
Tab completion: eval "$(_TABLEVAULT_COMPLETE=bash_source tablevault)"   (or zsh_source, fish_source)
"""


@click.group(cls=TableVaultGroup, help=_HELP, context_settings={"help_option_names": ["-h", "--help"]})
@global_options
@click.version_option(__version__, "--version", prog_name="tablevault")
def main() -> None:
    """See _HELP."""


for _command in (
    start.demo,
    start.run,
    look.ps,
    look.show,
    look.logs,
    look.errors,
    look.sql,
    ask.pause,
    ask.resume,
    ask.stop,
    ask.withdraw,
    keep.cleanup,
    keep.rebuild,
    keep.prune,
    keep.autoload,
):
    main.add_command(_command)
