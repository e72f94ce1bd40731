"""Servers for the tests: one inside this process (pytest-jupyter), or a real one of its own."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

# Imported here rather than named in `pytest_plugins`: the plugin gives every test an event loop of its own, which is
# meant for the tests of this folder only. They are no coroutines, since pytest-asyncio would run those in another.
from pytest_jupyter.jupyter_server import *  # noqa: F403
from tornado.httpclient import HTTPClientError

from tests.support import wait_until

from .jupyter import Server

Fetch = Callable[..., tuple[int, Any]]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A real `jupyter server` with a vault, a base URL and a token of its own; the tests of a module share it."""
    started = Server(tmp_path_factory.mktemp("server"))
    try:
        started.start()
        yield started
    finally:
        started.stop()


@pytest.fixture
def jp_server_config() -> dict[str, Any]:
    return {"ServerApp": {"jpserver_extensions": {"tablevault_ext": True, "jupyter_server_terminals": False}}}


@pytest.fixture
def extension(jp_serverapp: Any) -> Iterator[Any]:
    """The extension of the server inside this process; it is stopped at the end."""
    extension = jp_serverapp.web_app.settings["tablevault"]
    yield extension
    extension.stop(hand_over=False)


@pytest.fixture
def fetch(extension: Any, jp_fetch: Any, jp_asyncio_loop: Any) -> Fetch:
    """Call an endpoint below /tablevault/api: status and decoded body, errors included."""
    # The vault is opened in a thread of its own.
    wait_until(lambda: extension.board is not None or extension.notice is not None, "the vault is opened, or cannot be")

    async def ask(parts: str, method: str, options: dict[str, Any]) -> Any:
        # Called inside the loop: tornado's future belongs to the loop that is running.
        return await jp_fetch("tablevault", "api", *parts.split("/"), method=method, **options)

    def call(path: str, method: str = "GET", body: Any = None, **options: Any) -> tuple[int, Any]:
        parts, _, query = path.partition("?")
        options = {"request_timeout": 120, "connect_timeout": 120, **options}  # seconds, for a busy machine
        if query:
            options["params"] = dict(pair.partition("=")[::2] for pair in query.split("&"))
        if body is not None or method == "POST":
            options["body"] = body if isinstance(body, str | bytes) else json.dumps(body)
        try:
            reply = jp_asyncio_loop.run_until_complete(ask(parts, method, options))
        except HTTPClientError as error:
            assert error.response is not None, error
            return error.code, json.loads(error.response.body)
        return reply.code, json.loads(reply.body)

    return call
