"""Setting up: the Beat API key, and the webhook by which Beat API tells what is finished."""

from typing import Any

from litestar import Controller, Request, Response, get, post
from litestar.response import Template
from msgspec import Struct

from relay.api.parts import TheAccount, TheGovernor, TheJournal
from relay.flow.account import AccountProblem

from .forms import form
from .gate import back

_ADMIN = {"role": "admin"}
_PAGE = "/setup"


class GivenKey(Struct):
    """The key as it was pasted."""

    key: str = ""


class Wanted(Struct):
    """A webhook endpoint is to be made; ``was`` is the one that the page showed."""

    was: str = ""


class SetupPages(Controller):
    """``/setup``."""

    path = _PAGE

    @get()
    async def show(self, account: TheAccount, governor: TheGovernor, journal: TheJournal) -> Template:
        """What is set up, and the next step."""
        heard = await journal.receipts.recent(1, None, "accepted")
        return Template(
            "setup.html",
            context={"account": account.view(), "standing": governor.standing, "heard": heard[0] if heard else None},
        )

    @post("/key", opt=_ADMIN, status_code=303)
    async def give_key(self, request: Request[Any, Any, Any], account: TheAccount) -> Response[Any]:
        """Tried at Beat API before it is kept."""
        sent = await form(request, GivenKey)
        try:
            standing = await account.give_key(sent.key)
        except AccountProblem as error:
            return back(_PAGE, str(error), "bad")
        return back(_PAGE, f"The key works: {standing.balance:f} {standing.unit}, {standing.limit} videos at once.")

    @post("/webhook", opt=_ADMIN, status_code=303)
    async def register(self, request: Request[Any, Any, Any], account: TheAccount) -> Response[Any]:
        """Make the endpoint at Beat API, then prove it."""
        sent = await form(request, Wanted)
        try:
            await account.register(sent.was)
        except AccountProblem as error:
            return back(_PAGE, str(error), "bad")
        return await self._prove(account, "Beat API knows the webhook now. ")

    @post("/test", opt=_ADMIN, status_code=303)
    async def prove(self, account: TheAccount) -> Response[Any]:
        """A test delivery through the public address."""
        return await self._prove(account, "")

    async def _prove(self, account: TheAccount, before: str) -> Response[Any]:
        try:
            return back(_PAGE, before + await account.prove())
        except AccountProblem as error:
            return back(_PAGE, before + str(error), "bad")
