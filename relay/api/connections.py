"""Named credentials: stored, tried and forgotten while the relay runs; their secrets go in and never come out."""

from typing import Annotated

from litestar import Controller, delete, get, patch, post, put
from litestar.params import FromPath, JSONBody, QueryParameter
from msgspec import Struct

from relay.contract import Data, Listing
from relay.flow.connections import BadConnection, ConnectionView

from .answers import refusal
from .errors import ApiError
from .parts import TheConnections

_ADMIN = {"scope": "admin"}
_UNKNOWN = refusal("There is no such connection.")
_IN_FILE = refusal("It stands in beatrelay.toml, which wins; change it there.")


class NewConnection(Struct, forbid_unknown_fields=True):
    """A connection, whole."""

    connector: str
    settings: dict[str, str]
    """All of its keys, the secret ones too; which there are stands in the connector's reference."""


class ConnectionChanges(Struct, forbid_unknown_fields=True):
    """Keys to change; ``null`` removes one, what is not named stays as it is."""

    settings: dict[str, str | None]


class Tried(Struct):
    """What trying a connection told."""

    ok: bool
    message: str


class ConnectionsController(Controller):
    """Connections."""

    path = "/relay/v1/connections"
    tags = ("Connections",)

    @get("/", operation_id="listConnections", summary="List connections")
    async def list_connections(self, connections: TheConnections) -> Data[Listing[ConnectionView]]:
        """Those of beatrelay.toml and the stored ones, secrets masked."""
        return Data(Listing(await connections.views()))

    @get("/{name:str}", operation_id="getConnection", summary="Look at a connection", responses={404: _UNKNOWN})
    async def get_connection(self, name: FromPath[str], connections: TheConnections) -> Data[ConnectionView]:
        """One connection, secrets masked."""
        try:
            return Data(await connections.view(name))
        except BadConnection as error:
            raise _refused(error) from error

    @put(
        "/{name:str}",
        operation_id="putConnection",
        opt=_ADMIN,
        summary="Store a connection",
        responses={409: _IN_FILE},
    )
    async def put_connection(
        self, name: FromPath[str], data: JSONBody[NewConnection], connections: TheConnections
    ) -> Data[ConnectionView]:
        """Make it, or replace it whole. What failed through it is tried again at once."""
        try:
            return Data(await connections.put(name, data.connector, data.settings))
        except BadConnection as error:
            raise _refused(error) from error

    @patch(
        "/{name:str}",
        operation_id="changeConnection",
        opt=_ADMIN,
        summary="Change a connection",
        responses={404: _UNKNOWN, 409: _IN_FILE},
    )
    async def change_connection(
        self, name: FromPath[str], data: JSONBody[ConnectionChanges], connections: TheConnections
    ) -> Data[ConnectionView]:
        """Change some keys and keep the rest, such as a rotated secret."""
        try:
            return Data(await connections.change(name, data.settings))
        except BadConnection as error:
            raise _refused(error) from error

    @delete(
        "/{name:str}",
        operation_id="removeConnection",
        opt=_ADMIN,
        summary="Remove a connection",
        responses={404: _UNKNOWN, 409: _IN_FILE},
    )
    async def remove_connection(self, name: FromPath[str], connections: TheConnections) -> None:
        """Deliveries that need it are tried again until it is back, or their tries are used up."""
        try:
            await connections.remove(name)
        except BadConnection as error:
            raise _refused(error) from error

    @post(
        "/{name:str}/test",
        operation_id="testConnection",
        summary="Try a connection",
        status_code=200,
        responses={404: _UNKNOWN},
    )
    async def test_connection(
        self,
        name: FromPath[str],
        connections: TheConnections,
        connector: Annotated[
            str | None, QueryParameter(description="Whose it is, for one of beatrelay.toml that does not say.")
        ] = None,
    ) -> Data[Tried]:
        """Reach the destination without any lasting effect, and say as whom."""
        try:
            return Data(Tried(*await connections.test(name, connector)))
        except BadConnection as error:
            raise _refused(error) from error


def _refused(error: BadConnection) -> ApiError:
    return ApiError(error.status, str(error), code="conflict" if error.status == 409 else None)
