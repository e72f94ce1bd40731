"""Find a Chromium for the browser tests, or get one: Playwright's own, else the system's package.

Run `python tests/labextension/chromium.py` to see which one the tests would use.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

ENVIRONMENT_VARIABLE = "TABLEVAULT_CHROMIUM"
NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome", "microsoft-edge")
FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


class NoChromiumError(RuntimeError):
    """No Chromium could be found or had; the message lists what was tried."""


def chromium() -> str:
    """Path of a Chromium that starts; installs one if there is none.

    Raises NoChromiumError, with each way that was tried, if there is none to be had.
    """
    tried = []
    for way in (_known, _from_playwright, _from_the_system):
        for candidate in way():
            if _starts(candidate):
                return candidate
            tried.append(f"{way.__name__[1:]}: {candidate} does not start")
        tried.append(f"{way.__name__[1:]}: nothing more")
    raise NoChromiumError(
        f"No Chromium was found or could be installed ({'; '.join(tried)}). "
        f"Install one, or set {ENVIRONMENT_VARIABLE} to its path."
    )


def _known() -> Iterator[str]:
    if chosen := os.environ.get(ENVIRONMENT_VARIABLE):
        yield chosen
    yield from _installed()
    if path := _playwrights():
        yield path


def _from_playwright() -> Iterator[str]:
    command = [sys.executable, "-m", "playwright", "install"]
    # As root, --with-deps also brings the shared libraries that a bare container lacks.
    _run([*command, "--with-deps", "chromium"] if _is_root() else [*command, "chromium"])
    if path := _playwrights():
        yield path


def _from_the_system() -> Iterator[str]:
    sudo = [] if _is_root() else ["sudo", "-n"]
    if shutil.which("apt-get"):
        _run([*sudo, "apt-get", "update"])
        _run([*sudo, "apt-get", "install", "--yes", "--no-install-recommends", "chromium"])
    elif shutil.which("dnf"):
        _run([*sudo, "dnf", "install", "--assumeyes", "chromium"])
    elif shutil.which("apk"):
        _run([*sudo, "apk", "add", "chromium"])
    yield from _installed()


def _installed() -> Iterator[str]:
    yield from filter(None, map(shutil.which, NAMES))


def _playwrights() -> str | None:
    from playwright.sync_api import sync_playwright  # a second of import, only when needed

    with sync_playwright() as playwright:
        path = playwright.chromium.executable_path
    return path if Path(path).exists() else None


def _is_root() -> bool:
    geteuid: Callable[[], int] | None = getattr(os, "geteuid", None)
    return geteuid is not None and geteuid() == 0


def _starts(path: str) -> bool:
    # `--version` fails, too, where a shared library is missing.
    return _run([path, "--version"], seconds=60)


def _run(command: list[str], seconds: float = 900) -> bool:
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    try:
        done = subprocess.run(
            command, timeout=seconds, check=False, stdin=subprocess.DEVNULL, capture_output=True, env=environment
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0


if __name__ == "__main__":
    sys.stdout.write(chromium() + "\n")
