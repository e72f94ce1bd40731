"""What kind of process this is, where its code comes from, and what to call it."""

from __future__ import annotations

import os
import re
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..model import Kind


@dataclass(slots=True)
class Origin:
    """How this process was started. ``code`` is a script's whole source, as it is on disk now."""

    kind: Kind
    name: str
    path: str | None = None
    code: str = ""
    kernel_id: str | None = None
    notebook: str | None = None


def find_origin() -> Origin:
    """Look at the running interpreter: notebook kernel, terminal IPython, script, module, `-c`, stdin, REPL, pytest."""
    shell = running_shell()
    if shell is not None:
        return _kernel_origin(shell) if hasattr(shell, "kernel") else Origin(Kind.NOTEBOOK, "ipython")
    return _script_origin()


def running_shell() -> Any:
    """The IPython shell of this process, or None. IPython is looked at only if it is loaded already."""
    ipython = sys.modules.get("IPython")
    get_ipython = getattr(ipython, "get_ipython", None)
    return get_ipython() if get_ipython is not None else None


def _kernel_origin(shell: Any) -> Origin:
    kernel_id = _kernel_id(shell)
    # Jupyter Server says which notebook a kernel was started for; nbclient and papermill do not.
    session = os.environ.get("JPY_SESSION_NAME", "")
    notebook = session or _notebook_of_parent()
    name = Path(notebook).name if notebook else "notebook"
    path = str(Path(notebook).absolute()) if notebook and Path(notebook).exists() else None
    return Origin(Kind.NOTEBOOK, name, path, kernel_id=kernel_id, notebook=notebook or None)


def _kernel_id(shell: Any) -> str | None:
    connection = getattr(getattr(shell.kernel, "parent", None), "connection_file", "") or ""
    match = re.search(r"kernel-(.+)\.json$", Path(connection).name)
    return match[1] if match else None


def _notebook_of_parent() -> str:
    """The notebook on the command line of the program that runs this kernel (papermill, nbconvert), if only one."""
    import psutil  # loaded by ipykernel anyway, where this is asked

    try:
        parent = psutil.Process().parent()
        arguments = parent.cmdline() if parent else []
    except psutil.Error:
        return ""
    notebooks = [argument for argument in arguments if argument.endswith(".ipynb") and not argument.startswith("-")]
    return notebooks[0] if notebooks else ""


def _script_origin() -> Origin:
    main = sys.modules.get("__main__")
    spec = getattr(main, "__spec__", None)
    file = getattr(main, "__file__", None)
    if _is_pytest(file):
        return Origin(Kind.SCRIPT, "pytest", str(Path.cwd()), " ".join(sys.argv))
    if spec is not None and spec.name:
        name = spec.name.removesuffix(".__main__")
        return Origin(Kind.SCRIPT, name, file, _read_source(file))
    if file and not file.startswith("<"):  # "<stdin>" is no file
        path = str(Path(file).absolute())
        return Origin(Kind.SCRIPT, Path(file).name, path, _read_source(path))
    return _fileless_origin(sys.orig_argv)


def _fileless_origin(arguments: list[str]) -> Origin:
    if "-c" in arguments[1:]:
        where = arguments.index("-c", 1)
        return Origin(Kind.SCRIPT, "python -c", code="".join(arguments[where + 1 : where + 2]))
    if hasattr(sys, "ps1") or sys.flags.interactive:
        return Origin(Kind.SCRIPT, "python")
    return Origin(Kind.SCRIPT, "stdin")


def _is_pytest(file: str | None) -> bool:
    if "_pytest" not in sys.modules and "pytest" not in sys.modules:
        return False
    stem = Path(file).stem if file else ""
    return stem in ("pytest", "py.test") or bool(file and Path(file).parts[-2:] == ("pytest", "__main__.py"))


def _read_source(file: str | None) -> str:
    try:
        return Path(file).read_bytes().decode("utf-8", "surrogateescape") if file else ""
    except OSError:
        return ""
