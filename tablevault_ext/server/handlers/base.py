"""What all handlers share: who may, what was sent, what may block, and errors as the contract has them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.client import responses
from typing import Any, TypeVar, cast

from jupyter_core.utils import ensure_async
from jupyter_server.auth.decorator import authorized
from jupyter_server.base.handlers import APIHandler
from tornado import web

from ...errors import (
    BadArgument,
    DatabaseHeld,
    NameTaken,
    NoControl,
    UnknownProcess,
    UnsupportedPlatform,
    VaultError,
    WrongState,
)
from ...panel.board import Board
from ...panel.entry import Entry, dump
from ...panel.wire import notice_of, sentence
from ...session import default_user
from ..application import SETTING, TableVaultExtension
from ..fields import Fields, body_fields, query_fields

T = TypeVar("T")
F = TypeVar("F", bound=Callable[..., Any])

READ = "tablevault"
CONTROL = "tablevault:requests"

PROCESS = r"processes/(?P<process_id>[^/]+)"

_MOST = 1 << 20  # bytes of a body; an argument list beyond 2 MiB could not be started anyway
_STATUSES: tuple[tuple[type[Exception], int, str], ...] = (
    (BadArgument, 400, "invalid"),
    (UnknownProcess, 404, "not_found"),
    (NoControl, 409, "wrong_state"),
    (WrongState, 409, "wrong_state"),
    (NameTaken, 409, "wrong_state"),
    (UnsupportedPlatform, 409, "wrong_state"),
    (DatabaseHeld, 503, "locked"),
)


def permitted(action: str, resource: str) -> Callable[[F], F]:
    """`authorized` with an action and a resource of its own, typed."""
    return cast("Callable[[F], F]", authorized(action=action, resource=resource))


class Refusal(web.HTTPError):
    """An answer that says why not."""

    def __init__(self, status: int, word: str, message: str) -> None:
        super().__init__(status, reason=responses.get(status, word))
        self.word = word
        self.message = sentence(message)


@contextmanager
def refusing() -> Iterator[None]:
    """Turn the errors of the rooms below into answers."""
    try:
        yield
    except VaultError as error:
        for kind, status, word in _STATUSES:
            if isinstance(error, kind):
                raise Refusal(status, word, str(error)) from error
        word = notice_of(error)["kind"] if isinstance(error, OSError) else "unavailable"
        raise Refusal(503, word, str(error)) from error
    except OSError as error:
        raise Refusal(503, notice_of(error)["kind"], f"the vault cannot be used: {error.strerror or error}") from error


class VaultHandler(APIHandler):
    """The base of all handlers."""

    auth_resource = READ

    @property
    def extension(self) -> TableVaultExtension:
        extension: TableVaultExtension = self.settings[SETTING]
        return extension

    @property
    def board(self) -> Board:
        with refusing():
            return self.extension.open_board

    def query(self) -> Fields:
        with refusing():
            return query_fields(self.request.query_arguments)

    def no_query(self) -> None:
        """Refuse any parameter."""
        with refusing():
            self.query().done()

    def body(self) -> Fields:
        with refusing():
            return body_fields(self.request.body, _MOST)

    async def off_loop(self, function: Callable[..., T], *arguments: Any, **named: Any) -> T:
        """Run what may block in a thread; what it refuses becomes the answer."""
        with refusing():
            return await self.extension.off_loop(function, *arguments, **named)

    async def entry(self, process_id: str) -> Entry:
        """The process that the address names, as it is now."""
        return await self.off_loop(self.board.entry, process_id)

    async def place_notebooks(self) -> None:
        """Tell the list where the kernels are now."""
        self.board.set_notebooks(await self.extension.kernels.places())

    async def may(self, action: str, resource: str) -> bool:
        allowed = self.authorizer.is_authorized(self, self.current_user, action, resource)
        return bool(await ensure_async(allowed))

    @property
    def asker(self) -> str:
        """Who asks: the user that the server knows; without a login of its own, whoever runs it."""
        user = self.current_user
        anonymous = user is None or str(getattr(user, "display_name", "")).startswith("Anonymous ")
        return default_user() if anonymous else str(user.username)

    def noticed(self, **data: Any) -> None:
        """Answer 200, with how complete this is."""
        notice = data.pop("notice", None) or self.extension.present_notice
        self.answer({**data, "revision": self.extension.revision, "notice": notice})

    def answer(self, data: Any, status: int = 200) -> None:
        self.set_status(status)
        self.finish(data if isinstance(data, bytes) else dump(data))

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        error = kwargs.get("exc_info", (None, None))[1]
        word = {400: "invalid", 403: "forbidden", 404: "not_found", 405: "invalid"}.get(status_code)
        message = responses.get(status_code, "Unknown error")
        if isinstance(error, Refusal):
            message, word = error.message, error.word
        elif isinstance(error, web.HTTPError):
            message = (error.log_message or message).replace("%%", "%")
        elif error is not None:
            message = "The server met an error that nobody expected; its log says more."
        self.set_header("Content-Type", "application/json")
        self.finish(json.dumps({"message": message, "reason": word}))
