"""Where a vault keeps what: the directory layout, private to its owner."""

from __future__ import annotations

import os
import re
import stat
from dataclasses import dataclass
from pathlib import Path

import platformdirs

from .errors import BadArgument, VaultUnusable

ENV_HOME = "TABLEVAULT_HOME"
_PROCESS_ID = re.compile(r"[0-9A-Za-z][0-9A-Za-z_-]{0,63}")
_FOLDERS = ("journals", "inbox", "live", "names", "logs")


@dataclass(frozen=True, slots=True)
class VaultPaths:
    """The files of one vault. ``root`` is an absolute, existing directory."""

    root: Path

    @property
    def database(self) -> Path:
        return self.root / "vault.duckdb"

    @property
    def journals(self) -> Path:
        return self.root / "journals"

    @property
    def names(self) -> Path:
        return self.root / "names"

    @property
    def live(self) -> Path:
        return self.root / "live"

    @property
    def inboxes(self) -> Path:
        return self.root / "inbox"

    def journal(self, process_id: str) -> Path:
        return self.root / "journals" / f"{checked_id(process_id)}.ndjson"

    def wrapper_journal(self, process_id: str) -> Path:
        """The journal of `tablevault run`, which outlives its child and sees how it ends."""
        return self.root / "journals" / f"{checked_id(process_id)}.wrapper.ndjson"

    def keeper_journal(self, process_id: str) -> Path:
        """What the keeper saw of a process from outside: samples, children, peaks."""
        return self.root / "journals" / f"{checked_id(process_id)}.keeper.ndjson"

    def samples(self, process_id: str) -> Path:
        """The short history of a living process's resources."""
        return self.root / "live" / f"{checked_id(process_id)}.samples"

    def actors(self, process_id: str) -> Path:
        """The actors of a living process, as its watching thread saw them last."""
        return self.root / "live" / f"{checked_id(process_id)}.actors"

    def inbox(self, process_id: str) -> Path:
        return self.root / "inbox" / f"{checked_id(process_id)}.ndjson"

    def control_block(self, process_id: str) -> Path:
        return self.root / "live" / f"{checked_id(process_id)}.ctl"

    def wake(self, process_id: str) -> Path:
        return self.root / "live" / f"{checked_id(process_id)}.wake"

    def logs(self, process_id: str) -> Path:
        return self.root / "logs" / checked_id(process_id)


def checked_id(process_id: str) -> str:
    """Refuse anything that could climb out of the vault when it becomes a file name."""
    if not _PROCESS_ID.fullmatch(process_id):
        raise BadArgument(f"{process_id[:80]!r} is not a process id")
    return process_id


def default_root() -> Path:
    """TABLEVAULT_HOME, or the user's data directory."""
    home = os.environ.get(ENV_HOME)
    return Path(home).expanduser() if home else Path(platformdirs.user_data_dir("tablevault", appauthor=False))


def open_vault(path: str | os.PathLike[str] | None = None, *, create: bool = True) -> VaultPaths:
    """Find or make a vault: a directory of mode 0700 that belongs to the calling user.

    Raises:
        VaultUnusable: a file is in its place, it belongs to somebody else, others may write or read it and
            that cannot be changed, it cannot be made, or (``create=False``) there is none.
    """
    root = Path(path).expanduser() if path is not None else default_root()
    root = Path(os.path.abspath(root))  # noqa: PTH100 - resolve() would follow a link that is not ours
    try:
        if create:
            root.mkdir(mode=0o700, parents=True, exist_ok=True)
        info = root.stat()
    except FileExistsError:
        raise VaultUnusable(f"{root} is a file, not a vault directory; choose another path") from None
    except FileNotFoundError:
        raise VaultUnusable(f"there is no vault at {root} yet; record something first, or give another path") from None
    except OSError as error:
        raise VaultUnusable(f"the vault {root} cannot be made or opened: {error.strerror}") from error
    if not stat.S_ISDIR(info.st_mode):
        raise VaultUnusable(f"{root} is a file, not a vault directory; choose another path")
    if hasattr(os, "getuid") and info.st_uid != os.getuid():
        raise VaultUnusable(f"the vault {root} belongs to user {info.st_uid}; a vault is used by its owner only")
    if hasattr(os, "getuid") and info.st_mode & 0o077:
        _make_private(root)
    for folder in _FOLDERS:
        try:
            (root / folder).mkdir(mode=0o700, exist_ok=True)
        except OSError as error:
            raise VaultUnusable(f"the vault {root} cannot be written: {error.strerror}") from error
    return VaultPaths(root)


def _make_private(root: Path) -> None:
    """Close a directory to others, but only where it is plainly a vault or empty: not someone's home."""
    entries = {entry.name for entry in root.iterdir()}
    if entries and not entries & {"journals", "vault.duckdb"}:
        raise VaultUnusable(
            f"{root} is an ordinary directory with other things in it, readable by others; "
            "a vault needs a directory of its own"
        )
    root.chmod(0o700)
