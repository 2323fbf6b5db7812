"""A storyboard: look at the shots, make one anew, put them in order, compose. Signed in, or by a one-time link."""

from collections.abc import Sequence
from typing import Annotated, Any

import msgspec
from litestar import Controller, Request, Response, get, post
from litestar.params import FromPath, QueryParameter
from litestar.response import Stream, Template
from msgspec import Struct, field

from relay.api.errors import ApiError
from relay.api.parts import TheClock, TheJournal
from relay.clock import Clock
from relay.contract import ACTIONABLE
from relay.flow.approvals import DAYS, LinkOver
from relay.flow.shots import NoFile, Shots
from relay.flow.storyboard import Board, StoryboardProblem, Storyboards
from relay.journal import Journal, TaskRow

from .forms import form
from .gate import back, visitor_of
from .parts import TheApprovals, TheShots, TheStoryboards
from .render import plain_page
from .tasks import price, title_of

_ANYBODY = {"role": "anybody"}
_RATIOS = {"16:9", "9:16", "1:1", "4:3", "3:4"}
Order = Annotated[str | None, QueryParameter()]
"""Ids of shots, separated by commas; those that are not in it are left out."""


class Edit(Struct):
    """A shot to make anew."""

    nonce: str
    prompt: str = ""


class Compose(Struct):
    """The video to cut."""

    nonce: str
    shot: list[str] = field(default_factory=list[str])


def on_link_over(_: Request[Any, Any, Any], error: LinkOver) -> Response[Any]:
    """The link opens nothing any more, or never did."""
    return plain_page("approve.html", 410, over=str(error), tone="ask", title="")


class StoryboardPages(Controller):
    """``/tasks/{id}/storyboard``."""

    path = "/tasks/{task_id:str}/storyboard"

    @get()
    async def show(
        self,
        task_id: FromPath[str],
        journal: TheJournal,
        storyboards: TheStoryboards,
        clock: TheClock,
        order: Order = None,
    ) -> Template:
        """The shots in the order that is tried out, and what every change costs."""
        task = await _known(journal, task_id)
        return await _page(task, storyboards, clock, order)

    @get("/{shot_id:str}/file")
    async def file(
        self,
        request: Request[Any, Any, Any],
        task_id: FromPath[str],
        shot_id: FromPath[str],
        journal: TheJournal,
        shots: TheShots,
    ) -> Response[Any]:
        """A shot's video, when somebody plays it."""
        return await _file(request, await _known(journal, task_id), shot_id, shots)

    @post("/{shot_id:str}/edit", status_code=303)
    async def edit(
        self,
        request: Request[Any, Any, Any],
        task_id: FromPath[str],
        shot_id: FromPath[str],
        journal: TheJournal,
        storyboards: TheStoryboards,
    ) -> Response[Any]:
        """Make a shot anew; the form's nonce makes a second click harmless."""
        task, sent, visitor = await _known(journal, task_id), await form(request, Edit), visitor_of(request)
        path = f"/tasks/{task.id}/storyboard"
        try:
            await storyboards.edit(task, shot_id, sent.prompt, f"{visitor.id}:{sent.nonce}", visitor.name)
        except StoryboardProblem as error:
            return back(path, str(error), "bad")
        return back(path, "The shot is made anew. This page shows when it is there.")

    @post("/compose", status_code=303)
    async def compose(
        self, request: Request[Any, Any, Any], task_id: FromPath[str], journal: TheJournal, storyboards: TheStoryboards
    ) -> Response[Any]:
        """Cut the video; the form's nonce makes a second click harmless."""
        task, sent, visitor = await _known(journal, task_id), await form(request, Compose), visitor_of(request)
        try:
            await storyboards.compose(task, sent.shot, f"{visitor.id}:{sent.nonce}", visitor.name)
        except StoryboardProblem as error:
            return back(f"/tasks/{task.id}/storyboard", str(error), "bad")
        return back(f"/tasks/{task.id}", "The video is being composed. It is delivered when it is there.")

    @post("/link", status_code=200)
    async def link(
        self,
        task_id: FromPath[str],
        journal: TheJournal,
        storyboards: TheStoryboards,
        approvals: TheApprovals,
        clock: TheClock,
    ) -> Response[Any]:
        """A link that lets somebody else decide, shown this once."""
        task = await _known(journal, task_id)
        if task.status not in ACTIONABLE:
            return back(f"/tasks/{task.id}/storyboard", "Nobody has to decide now, so there is no link to send.", "ask")
        link = approvals.link(task.id, task.revision, clock.now())
        return await _page(task, storyboards, clock, None, link=link, days=DAYS)


class ApprovalPages(Controller):
    """``/approve/{token}``: the same, for whoever has the link; good for one change."""

    path = "/approve/{token:str}"
    exception_handlers: Any = {LinkOver: on_link_over}  # noqa: RUF012 (as the framework has it)

    @get(opt=_ANYBODY)
    async def show(
        self,
        token: FromPath[str],
        approvals: TheApprovals,
        storyboards: TheStoryboards,
        order: Order = None,
    ) -> Template:
        """Looking changes nothing: previews of links look too."""
        invited = await approvals.follow(token)
        return await _by_link(token, invited.task, storyboards, order)

    @get("/{shot_id:str}/file", opt=_ANYBODY)
    async def file(
        self,
        request: Request[Any, Any, Any],
        token: FromPath[str],
        shot_id: FromPath[str],
        approvals: TheApprovals,
        shots: TheShots,
    ) -> Response[Any]:
        """A shot's video."""
        invited = await approvals.follow(token)
        return await _file(request, invited.task, shot_id, shots)

    @post("/{shot_id:str}/edit", opt=_ANYBODY, status_code=200)
    async def edit(
        self,
        request: Request[Any, Any, Any],
        token: FromPath[str],
        shot_id: FromPath[str],
        approvals: TheApprovals,
        storyboards: TheStoryboards,
    ) -> Template:
        """The one change: a shot made anew."""
        sent, invited = await form(request, Edit), await approvals.follow(token)
        try:
            await storyboards.edit(invited.task, shot_id, sent.prompt, invited.key, BY_LINK)
        except StoryboardProblem as error:
            return await _by_link(token, invited.task, storyboards, None, str(error))
        return _done("Thank you: the shot is made anew. Whoever sent you this link can send you the next one.")

    @post("/compose", opt=_ANYBODY, status_code=200)
    async def compose(
        self,
        request: Request[Any, Any, Any],
        token: FromPath[str],
        approvals: TheApprovals,
        storyboards: TheStoryboards,
    ) -> Template:
        """The one change: the video composed."""
        sent, invited = await form(request, Compose), await approvals.follow(token)
        try:
            await storyboards.compose(invited.task, sent.shot, invited.key, BY_LINK)
        except StoryboardProblem as error:
            return await _by_link(token, invited.task, storyboards, None, str(error))
        return _done("Thank you: the video is being composed.")


BY_LINK = "somebody with a link"


async def _known(journal: Journal, task_id: str) -> TaskRow:
    task = await journal.tasks.get(task_id)
    if task is None:
        raise ApiError(404, f"There is no task {task_id[:80]}.")
    return task


async def _page(
    task: TaskRow, storyboards: Storyboards, clock: Clock, order: str | None, link: str = "", days: int = 0
) -> Template:
    path = f"/tasks/{task.id}/storyboard"
    context = {"link": link, "days": days, "asks": task.status in ACTIONABLE, "nonce": clock.new_id("click")}
    return Template("storyboard.html", context=_shown(path, task, await storyboards.board(task), order) | context)


async def _by_link(
    token: str, task: TaskRow, storyboards: Storyboards, order: str | None, problem: str = ""
) -> Template:
    context = {"problem": problem, "over": "", "tone": "", "nonce": "-"}
    shown = _shown(f"/approve/{token}", task, await storyboards.board(task), order)
    return Template("approve.html", context=shown | context, status_code=400 if problem else 200)


def _done(text: str) -> Template:
    return Template("approve.html", context={"over": text, "tone": "good", "title": ""})


def _shown(path: str, task: TaskRow, board: Board | None, order: str | None) -> dict[str, Any]:
    ids = None if order is None else [one for one in order.split(",") if one]
    taken, left = board.arranged(ids) if board else ([], [])
    request = msgspec.json.decode(task.request, type=dict[str, Any])
    asked = request.get("aspect_ratio")
    return {
        "path": path,
        "task": task,
        "title": title_of(task),
        "board": board,
        "taken": taken,
        "left": left,
        "moves": Moves([card.id for card in taken]),
        "ratio": asked if asked in _RATIOS else "16:9",
        "price": price,
    }


class Moves:
    """The orders that one step leads to, for the links on the page."""

    def __init__(self, order: Sequence[str]) -> None:
        self._order = list(order)

    def by(self, shot_id: str, step: int) -> str:
        """One step up (-1) or down (1); the same if there is no room."""
        order, at = list(self._order), self._order.index(shot_id)
        to = min(max(at + step, 0), len(order) - 1)
        order[at], order[to] = order[to], order[at]
        return ",".join(order)

    def without(self, shot_id: str) -> str:
        """The shot left out."""
        return ",".join(one for one in self._order if one != shot_id)

    def and_then(self, shot_id: str) -> str:
        """The shot taken again, as the last."""
        return ",".join([*self._order, shot_id])


async def _file(request: Request[Any, Any, Any], task: TaskRow, shot_id: str, shots: Shots) -> Response[Any]:
    try:
        part = await shots.open(task, shot_id, request.headers.get("range"))
    except NoFile as error:
        raise ApiError(503, str(error)) from error
    headers = {**part.headers, "cache-control": "private, max-age=300", "x-content-type-options": "nosniff"}
    return Stream(part.chunks, status_code=part.status, headers=headers, media_type=part.mime_type)
