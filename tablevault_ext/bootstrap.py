"""Run a script or module as the main program of this Python, recorded: the child of `tablevault run`.

python -m tablevault_ext.bootstrap script.py ARGS
python -m tablevault_ext.bootstrap -m module ARGS
"""

from __future__ import annotations

import importlib.util
import runpy
import sys
import types
from collections.abc import Callable
from importlib.machinery import SourceFileLoader
from pathlib import Path

from .model import Kind
from .paths import open_vault
from .recording.origin import Origin
from .session import Session, start_session


def main(arguments: list[str]) -> None:
    """Become the program that ``arguments`` name; returns, raises and exits as it does."""
    is_module = arguments[0] == "-m"
    module = types.ModuleType("__main__")
    module.__dict__["__builtins__"] = __builtins__
    sys.modules["__main__"] = module
    if is_module:
        sys.argv = arguments[1:]
        session = start_session(
            open_vault(), origin=Origin(Kind.SCRIPT, arguments[1], code=_module_source(arguments[1]))
        )
        _watched(session, lambda: runpy._run_module_as_main(arguments[1]))  # type: ignore[attr-defined]
        return
    script = Path(arguments[0])
    source = script.read_bytes()
    sys.argv = list(arguments)
    sys.path[0] = str(script.resolve().parent)
    module.__file__ = str(script)
    module.__loader__ = SourceFileLoader("__main__", str(script))
    text = source.decode("utf-8", "surrogateescape")
    session = start_session(open_vault(), origin=Origin(Kind.SCRIPT, script.name, str(script.absolute()), text))
    _watched(session, lambda: exec(compile(source, str(script), "exec", dont_inherit=True), vars(module)))  # noqa: S102


def _watched(session: Session, program: Callable[[], object]) -> None:
    """Run the program; see its exit code; show its error without our own frames above it."""
    try:
        program()
    except SystemExit as leaving:
        if session.script is not None:
            session.script.note_exit(leaving.code)
        raise
    except KeyboardInterrupt:
        raise  # Python ends by SIGINT, as its parent expects
    except BaseException as error:
        tb = error.__traceback__
        while tb is not None and tb.tb_frame.f_code.co_filename in (__file__, runpy.__file__, "<frozen runpy>"):
            tb = tb.tb_next
        sys.excepthook(type(error), error.with_traceback(tb), tb)
        sys.exit(1)


def _module_source(name: str) -> str:
    try:
        spec = importlib.util.find_spec(name)
        if spec is not None and spec.submodule_search_locations:
            spec = importlib.util.find_spec(f"{name}.__main__")
        origin = spec.origin if spec is not None else None
        return Path(origin).read_bytes().decode("utf-8", "surrogateescape") if origin else ""
    except (ImportError, OSError, ValueError):
        return ""


if __name__ == "__main__":
    main(sys.argv[1:])
