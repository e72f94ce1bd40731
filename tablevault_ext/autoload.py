"""`tablevault autoload`: record every notebook without typing anything, by one file in IPython's startup folder."""

from __future__ import annotations

import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from .errors import VaultError

FILE = "50-tablevault.py"
_MARK = "# Written by `tablevault autoload on`"
_STARTUP = f"""{_MARK}; `tablevault autoload off` removes it.
# Where tablevault-ext is not installed (any more) this does nothing.
try:
    get_ipython().extension_manager.load_extension("tablevault_ext")
except Exception as _tablevault_error:
    if getattr(_tablevault_error, "name", "") != "tablevault_ext":
        import sys as _tablevault_sys

        print(f"tablevault: this session is not recorded: {{_tablevault_error}}", file=_tablevault_sys.stderr)
        del _tablevault_sys
"""


@dataclass(frozen=True, slots=True)
class Autoload:
    """Whether every IPython session is recorded. ``changed``: whether that is new."""

    on: bool
    file: str
    changed: bool = False

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    def __str__(self) -> str:
        if self.on:
            done = "wrote" if self.changed else "by"
            return f"autoload is on: every new notebook and IPython session is recorded ({done} {self.file})"
        done = "removed" if self.changed else "there is no"
        return f"autoload is off: a notebook is recorded from %load_ext tablevault_ext on ({done} {self.file})"


def status() -> Autoload:
    """Say whether it is on."""
    file = _file()
    return Autoload(_is_ours(file), str(file))


def turn(*, on: bool) -> Autoload:
    """Switch it on or off; a second time changes nothing.

    Raises:
        VaultError: IPython's startup folder cannot be written, or a file of somebody else's has that name.
    """
    file = _file()
    try:
        if file.exists() and not _is_ours(file):
            raise VaultError(f"{file} was not written by tablevault; rename it, then try again. Nothing was changed")
        if on:
            return Autoload(True, str(file), changed=_write(file))
        existed = file.exists()
        file.unlink(missing_ok=True)
        return Autoload(False, str(file), changed=existed)
    except OSError as error:
        raise VaultError(f"{file} cannot be changed: {error.strerror}; autoload stays as it was") from error


def _write(file: Path) -> bool:
    if file.exists() and file.read_text() == _STARTUP:
        return False
    file.parent.mkdir(parents=True, exist_ok=True)
    new = file.with_name(f".{file.name}.{os.getpid()}")
    new.write_text(_STARTUP)
    new.replace(file)  # whole or not at all: IPython may be starting
    return True


def _is_ours(file: Path) -> bool:
    try:
        return file.read_text().startswith(_MARK)
    except (OSError, ValueError):
        return False


def _file() -> Path:
    from IPython.paths import get_ipython_dir

    return Path(get_ipython_dir()) / "profile_default" / "startup" / FILE
