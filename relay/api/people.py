"""Letting people into the dashboard, over the API."""

from litestar import Controller, post
from litestar.params import JSONBody
from msgspec import Struct

from relay.contract import Data
from relay.flow.people import LINK_HOURS, Role

from .parts import TheClock, ThePeople


class InvitationRequest(Struct):
    """Who shall be let in."""

    role: Role = "admin"
    """`viewer` looks, `operator` steers the work, `admin` also changes connections, recipes, keys and people."""


class Invitation(Struct):
    """A link that lets one person in, once, to choose a name and a password."""

    url: str
    role: Role
    expires_at: float
    """Unix seconds."""


class PeopleController(Controller):
    """People at the dashboard."""

    path = "/relay/v1/invitations"
    tags = ("Relay",)
    opt = {"scope": "admin"}  # noqa: RUF012 (the framework's own way)

    @post(operation_id="invite", summary="Invite a person to the dashboard", status_code=201)
    async def invite(self, data: JSONBody[InvitationRequest], people: ThePeople, clock: TheClock) -> Data[Invitation]:
        """The link is shown this once. Opening it with the name of a user and the role `admin` gives that user a new
        password: the way back in for somebody who forgot theirs."""
        ends = clock.now() + LINK_HOURS * 3600
        return Data(Invitation(await people.invite(data.role), data.role, ends))
