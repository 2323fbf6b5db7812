"""People: who may sign in, with which role, and inviting more."""

from typing import Any

from litestar import Controller, Request, Response, get, post
from litestar.params import FromPath
from litestar.response import Template
from msgspec import Struct

from relay.api.parts import ThePeople
from relay.flow.people import LINK_HOURS, ROLES, PeopleProblem, Role

from .forms import form
from .gate import back, visitor_of

_ADMIN = {"role": "admin"}


class WithRole(Struct):
    """The role that somebody shall have."""

    role: Role = "viewer"


class PeoplePages(Controller):
    """``/people``."""

    path = "/people"

    @get()
    async def list_people(self, request: Request[Any, Any, Any], people: ThePeople) -> Template:
        """Everybody; one's own password."""
        return _page(await people.users(), visitor_of(request).id, None)

    @post("/invite", opt=_ADMIN, status_code=200)
    async def invite(self, request: Request[Any, Any, Any], people: ThePeople) -> Template:
        """A link that lets one person in, shown this once."""
        sent = await form(request, WithRole)
        return _page(await people.users(), visitor_of(request).id, await people.invite(sent.role))

    @post("/{user_id:str}/role", opt=_ADMIN, status_code=303)
    async def give_role(
        self, request: Request[Any, Any, Any], user_id: FromPath[str], people: ThePeople
    ) -> Response[Any]:
        """From their next click on."""
        sent = await form(request, WithRole)
        try:
            await people.give_role(user_id, sent.role)
        except PeopleProblem as error:
            return back("/people", str(error), "bad")
        return back("/people", f"Changed to {sent.role}.")

    @post("/{user_id:str}/remove", opt=_ADMIN, status_code=303)
    async def remove(self, user_id: FromPath[str], people: ThePeople) -> Response[Any]:
        """Their sessions end at once."""
        try:
            await people.remove(user_id)
        except PeopleProblem as error:
            return back("/people", str(error), "bad")
        return back("/people", "Removed, and signed out everywhere.")


def _page(users: Any, me: str, link: str | None) -> Template:
    return Template(
        "people.html", context={"users": users, "me": me, "roles": ROLES, "link": link, "hours": LINK_HOURS}
    )
