"""Making, listing and ending API keys."""

from typing import Annotated, Any

from litestar import Controller, delete, get, post
from litestar.params import FromPath, JSONBody
from msgspec import Meta, Struct, field

from relay.contract import Data, Listing
from relay.flow.keys import KeyProblem, Scope
from relay.journal import KeyRow

from .answers import BAD_REQUEST, refusal
from .errors import ApiError
from .parts import TheKeys

NO_KEY = refusal("There is no such key.")


class KeyRequest(Struct):
    """What a new key shall be able to do."""

    name: str
    """What or whom it is for."""
    scopes: list[Scope] = field(default_factory=lambda: ["submit", "read"])
    """`submit`: create and change. `read`: look. `operate`: see and steer everybody's work. `admin`: all of it, and
    keys."""
    per_minute: Annotated[int, Meta(ge=1)] | None = None
    """Most requests a minute; leave it out for no limit."""
    share: Annotated[int, Meta(ge=1)] | None = None
    """Most tasks of this key that may run at once; leave it out for no limit."""
    expires_at: float | None = None
    """When it ends by itself (Unix seconds)."""


class Key(Struct, kw_only=True):
    """An API key, without the key. Times are Unix seconds."""

    id: str
    name: str
    hint: str
    """Its first characters."""
    scopes: list[str]
    per_minute: int | None
    share: int | None
    created_at: float
    expires_at: float | None
    last_used_at: float | None
    """Within a minute."""
    revoked_at: float | None
    object: str = "api_key"


class NewKey(Key, kw_only=True):
    """A key that was just made: the only time that it is shown."""

    key: str


class KeysController(Controller):
    """Who may use this relay."""

    path = "/relay/v1/keys"
    tags = ("Keys",)
    opt = {"scope": "admin"}  # noqa: RUF012 (the framework's own way)

    @post(operation_id="createKey", summary="Make an API key", status_code=201, responses={400: BAD_REQUEST})
    async def create_key(self, data: JSONBody[KeyRequest], keys: TheKeys) -> Data[NewKey]:
        """The key stands in the answer, this once; the relay keeps only a digest of it."""
        try:
            row, token = await keys.create(
                data.name, data.scopes, per_minute=data.per_minute, share=data.share, expires_at=data.expires_at
            )
        except KeyProblem as error:
            raise ApiError(400, f"{error}.") from error
        return Data(NewKey(**_fields(row), key=token))

    @get(operation_id="listKeys", summary="List API keys")
    async def list_keys(self, keys: TheKeys) -> Data[Listing[Key]]:
        """Every key ever made, the oldest first, with those that were revoked."""
        return Data(Listing([Key(**_fields(row)) for row in await keys.all()]))

    @delete(
        "/{key_id:str}",
        operation_id="revokeKey",
        summary="Revoke an API key",
        status_code=200,
        responses={404: NO_KEY},
    )
    async def revoke_key(self, key_id: FromPath[str], keys: TheKeys) -> Data[Key]:
        """It opens nothing from now on. Its tasks go on."""
        row = await keys.revoke(key_id)
        if row is None:
            raise ApiError(404, f"There is no key {key_id[:80]}; `GET /relay/v1/keys` lists them.")
        return Data(Key(**_fields(row)))


def _fields(row: KeyRow) -> dict[str, Any]:
    return {
        "id": row.id,
        "name": row.name,
        "hint": row.hint,
        "scopes": row.scopes.split(),
        "per_minute": row.per_minute,
        "share": row.share,
        "created_at": row.created_at,
        "expires_at": row.expires_at,
        "last_used_at": row.last_used_at,
        "revoked_at": row.revoked_at,
    }
