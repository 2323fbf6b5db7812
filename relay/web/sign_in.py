"""Signing in, by a one-time link, a password or an API key; and out."""

from typing import Annotated, Any

from litestar import Controller, Request, Response, get, post
from litestar.params import FromPath, QueryParameter
from litestar.response import Redirect, Template
from msgspec import Struct

from relay.api.parts import ThePeople
from relay.flow.people import Entered, PeopleProblem

from .forms import form
from .gate import back, inside, visitor_of
from .parts import TheSession

_ANYBODY = {"role": "anybody"}


class Credentials(Struct):
    """What somebody signs in with. Without a name, the password is an API key."""

    password: str = ""
    name: str = ""
    next: str = "/"


class Chosen(Struct):
    """What an invited person chose."""

    name: str = ""
    password: str = ""


class NewPassword(Struct):
    """A change of one's own password."""

    old: str = ""
    password: str = ""


class SignInController(Controller):
    """The door."""

    @get("/sign-in", opt=_ANYBODY)
    async def sign_in_page(
        self,
        request: Request[Any, Any, Any],
        people: ThePeople,
        to: Annotated[str, QueryParameter(name="next")] = "/",
    ) -> Response[Any]:
        """The form; and what to do at the very first start."""
        if request.state.get("visitor"):
            return Redirect(inside(to), status_code=303)
        return _page("sign-in.html", next=inside(to), first=not await people.users())

    @post("/sign-in", opt=_ANYBODY, status_code=200)
    async def sign_in(self, request: Request[Any, Any, Any], people: ThePeople, session: TheSession) -> Response[Any]:
        """In, or the form again with what was wrong."""
        sent = await form(request, Credentials)
        address = request.client.host if request.client else ""
        try:
            entered = await people.sign_in(sent.name, sent.password, address)
        except PeopleProblem as error:
            shown = {"next": inside(sent.next), "first": False, "name": sent.name, "problem": str(error)}
            return _page("sign-in.html", 403, **shown)
        return _in(inside(sent.next), entered, session)

    @get("/sign-in/{secret:str}", opt=_ANYBODY)
    async def invited(self, secret: FromPath[str], people: ThePeople) -> Template:
        """Where a one-time link leads. Looking does not use it up: previews of links look too."""
        link = await people.invited(secret)
        return _page("welcome.html", 200 if link else 410, link=link, secret=secret)

    @post("/sign-in/{secret:str}", opt=_ANYBODY, status_code=200)
    async def welcome(
        self, request: Request[Any, Any, Any], secret: FromPath[str], people: ThePeople, session: TheSession
    ) -> Response[Any]:
        """The name and the password were chosen."""
        sent = await form(request, Chosen)
        try:
            entered = await people.accept(secret, sent.name, sent.password)
        except PeopleProblem as error:
            link = await people.invited(secret)
            return _page("welcome.html", 400, link=link, secret=secret, name=sent.name, problem=error)
        return _in("/", entered, session)

    @post("/sign-out", opt={"role": "viewer"}, status_code=303)
    async def sign_out(self, request: Request[Any, Any, Any], people: ThePeople, session: TheSession) -> Response[Any]:
        """Out, here; other browsers stay in."""
        await people.sign_out(visitor_of(request))
        return Redirect("/sign-in", status_code=303, cookies=[session.give(None)])

    @post("/password", opt={"role": "viewer"}, status_code=303)
    async def change_password(self, request: Request[Any, Any, Any], people: ThePeople) -> Response[Any]:
        """One's own, from the page of people."""
        sent = await form(request, NewPassword)
        try:
            await people.change_password(visitor_of(request), sent.old, sent.password)
        except PeopleProblem as error:
            return back("/people", str(error), "bad")
        return back("/people", "Your password is changed; your other browsers are signed out.")


def _page(template: str, code: int = 200, /, **context: Any) -> Template:
    return Template(template, context={"name": "", "problem": None, **context}, status_code=code)


def _in(to: str, entered: Entered, session: Any) -> Redirect:
    return Redirect(to, status_code=303, cookies=[session.give(entered.secret)])
