"""run and demo: start something, recorded."""

from __future__ import annotations

import click

from ..errors import BadArgument
from ..paths import open_vault
from .common import vault_option, vault_path


@click.command(context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False})
@click.option("--name", help="What to call it; otherwise after its file.")
@click.option("--description", default="", help="Free text to find it by.")
@click.option("--process-id", hidden=True)
@vault_option
@click.argument(
    "command", metavar="SCRIPT|-m MODULE|COMMAND [ARGS]...", nargs=-1, required=True, type=click.UNPROCESSED
)
@click.pass_context
def run(
    ctx: click.Context, name: str | None, description: str, process_id: str | None, command: tuple[str, ...]
) -> None:
    """Run a script, a module or any command, recorded.

    Its output goes where it would go, and is kept. How it ends is recorded exactly, kill -9 and segfaults included.
    The exit code is its own (128 + the signal that killed it).

    \b
    Examples:
      tablevault run train.py --epochs 10
      tablevault run --name nightly -m mypackage.train
      tablevault run ffmpeg -i in.mp4 out.webm
    """
    from ..journal.names import check_name
    from ..recording.wrapper import run_wrapped
    from ..session import default_user
    from ..store.ingester import ensure_ingester

    if command[0].startswith("-") and command[0] != "-m":
        raise click.UsageError(f"No such option: {command[0]}", ctx)
    if name is not None:
        check_name(name)
    if not command[0].strip():
        raise BadArgument("the command is empty; nothing was started")
    paths = open_vault(vault_path())
    ensure_ingester(paths)
    code = run_wrapped(
        paths, command, name=name, user_id=default_user(), description=description, process_id=process_id
    )
    ctx.exit(code)


@click.command()
@click.option("--fast", is_flag=True, help="Shorter pauses for reading; the same steps.")
@vault_option
@click.pass_context
def demo(ctx: click.Context, fast: bool) -> None:
    """See it all in half a minute: a notebook and a training script, recorded, paused, resumed and stopped.

    It makes a vault of its own (in --vault if given, which must be empty or new) and leaves it for you to look at.

    \b
    Example:
      tablevault demo
    """
    from ..demo import run_demo

    ctx.exit(run_demo(vault_path(), fast=fast))
