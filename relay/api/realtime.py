"""Realtime sessions: the provider's alone. The relay passes them on and keeps nothing."""

import hashlib
from typing import Annotated, Any
from urllib.parse import quote

from litestar import Controller, Request, Response, delete, get, post
from litestar.params import FromPath, HeaderParameter

from relay.contract import Data
from relay.contract.realtime import RealtimeSession

from .answers import BAD_REQUEST, CONFLICT, MOST_BYTES, NO_BALANCE, UNAUTHORIZED, UNAVAILABLE, client_of, refusal
from .parts import TheProvider
from .passing import object_body, passed_on

NO_SESSION = refusal("There is no such session.")
SessionKey = Annotated[
    str,
    HeaderParameter(
        name="Idempotency-Key",
        min_length=1,
        max_length=128,
        description="The same key with the same body returns the session that it made the first time.",
    ),
]


class RealtimeController(Controller):
    """Short-lived sessions that a browser talks to directly; a webhook or a poll never tells of one."""

    path = "/v1/realtime/sessions"
    tags = ("Realtime",)

    @post(
        "/",
        operation_id="createRealtimeSession",
        summary="Create a realtime session",
        status_code=201,
        responses={400: BAD_REQUEST, 401: UNAUTHORIZED, 402: NO_BALANCE, 409: CONFLICT, 503: UNAVAILABLE},
        request_max_body_size=MOST_BYTES,
    )
    async def create_session(
        self, request: Request[Any, Any, Any], provider: TheProvider, session_key: SessionKey
    ) -> Response[Data[RealtimeSession]]:
        """Reserves credits at once. If the answer is lost, ask again with the same key."""
        # two clients may use the same key, and must not get each other's secret
        key = hashlib.sha256(f"{client_of(request)}:{session_key}".encode()).hexdigest()
        return passed_on(await provider.pass_on("POST", self.path, body=await object_body(request), key=key))

    @get(
        "/{session_id:str}",
        operation_id="getRealtimeSession",
        summary="Ask how a session stands",
        responses={401: UNAUTHORIZED, 404: NO_SESSION, 503: UNAVAILABLE},
    )
    async def get_session(self, session_id: FromPath[str], provider: TheProvider) -> Response[Data[RealtimeSession]]:
        """As the provider tells it."""
        return passed_on(await provider.pass_on("GET", _path(session_id)))

    @delete(
        "/{session_id:str}",
        operation_id="closeRealtimeSession",
        summary="Close a session",
        status_code=200,
        responses={401: UNAUTHORIZED, 404: NO_SESSION, 503: UNAVAILABLE},
    )
    async def close_session(self, session_id: FromPath[str], provider: TheProvider) -> Response[Data[RealtimeSession]]:
        """Safe to repeat."""
        return passed_on(await provider.pass_on("DELETE", _path(session_id)))


def _path(session_id: str) -> str:
    return f"{RealtimeController.path}/{quote(session_id, safe='')}"
