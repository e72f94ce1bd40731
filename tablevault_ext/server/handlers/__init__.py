"""The endpoints of `openapi.yaml`, one file a theme. Thin: they check, call, and answer."""

from __future__ import annotations

from typing import Any

from jupyter_server.utils import url_path_join

from . import details, figures, logs, processes, requests, runs, status

HANDLERS = [
    *status.HANDLERS,
    *processes.HANDLERS,
    *details.HANDLERS,
    *figures.HANDLERS,
    *logs.HANDLERS,
    *requests.HANDLERS,
    *runs.HANDLERS,
]


def routes(base_url: str) -> list[tuple[str, Any]]:
    """What the web application is to route to us, below its base URL."""
    return [(url_path_join(base_url, "tablevault/api", pattern), handler) for pattern, handler in HANDLERS]
