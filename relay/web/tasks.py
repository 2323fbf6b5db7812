"""Tasks: the list, and one task's page, which is its support record."""

import shlex
from collections.abc import Mapping
from typing import Annotated, Any

import msgspec
from litestar import Controller, Request, Response, get, post
from litestar.params import FromPath, QueryParameter
from litestar.response import Redirect, Template
from msgspec import Struct

from relay.api.errors import ApiError
from relay.api.parts import (
    TheCanceller,
    TheClock,
    TheIntake,
    TheJournal,
    TheQuotes,
    TheReplayer,
    TheSettler,
)
from relay.contract import Status, encode
from relay.contract.pricing import Estimate
from relay.flow.cancel import TooLate
from relay.flow.estimate import Quotes
from relay.flow.intake import Origin
from relay.flow.settle import Decision, SettleError
from relay.flow.view import client_task, row_of
from relay.flow.why import Story, as_json, tell
from relay.journal import DeliveryFilter, Journal, TaskRow

from .advice import advice
from .forms import form
from .gate import back, visitor_of
from .parts import ThePoller, TheSettings

PAGE = 50
GROUPS: dict[str, list[Status]] = {
    "running": [Status.QUEUED, Status.PROCESSING, Status.EDITING, Status.COMPOSING],
    "needs you": [Status.STORYBOARD_READY, Status.REQUIRES_ACTION],
    "succeeded": [Status.SUCCEEDED],
    "failed": [Status.FAILED],
}
"""What people look for; statuses that the contract does not name are under "all"."""
UNCONFIRMED = "unconfirmed"


class TaskLine(Struct):
    """A task as the list shows it."""

    id: str
    title: str
    workflow: str
    status: str
    batch: str
    created_at: float
    updated_at: float


class Settling(Struct):
    """A person's decision on an unconfirmed create."""

    decision: Decision
    provider_id: str | None = None


class Again(Struct):
    """One click on "make it again"."""

    nonce: str


class TaskPages(Controller):
    """``/tasks``."""

    path = "/tasks"

    @get()
    async def list_tasks(
        self,
        journal: TheJournal,
        show: Annotated[str, QueryParameter()] = "all",
        batch: Annotated[str | None, QueryParameter()] = None,
        before: Annotated[str | None, QueryParameter()] = None,
    ) -> Template:
        """Newest first, a page at a time."""
        if show == UNCONFIRMED:
            found = [await journal.tasks.get(one.task_id) for one in await journal.tasks.unconfirmed()]
            rows = [row for row in found if row is not None]
        else:
            rows = await journal.tasks.recent(PAGE + 1, before, batch or None, GROUPS.get(show, []))
        context = {
            "tasks": [line_of(row) for row in rows[:PAGE]],
            "more": rows[PAGE - 1].id if len(rows) > PAGE else None,
            "show": show,
            "groups": ["all", *GROUPS, UNCONFIRMED],
            "batch": batch or "",
            "before": before,
        }
        return Template("tasks.html", context=context)

    @get("/find")
    async def find(self, journal: TheJournal, q: Annotated[str, QueryParameter()] = "") -> Response[Any]:
        """Whatever has this id: a task (ours or the provider's), a delivery, a batch, an endpoint."""
        wanted = q.strip()
        task = await journal.tasks.get(wanted) or await journal.tasks.by_provider_id(wanted)
        if task is not None:
            return Redirect(f"/tasks/{task.id}", status_code=303)
        delivery = await journal.deliveries.get(wanted)
        if delivery is not None:
            return Redirect(f"/tasks/{delivery.task_id}#{delivery.id}", status_code=303)
        if await journal.batches.get(wanted) is not None:
            return Redirect(f"/batches/{wanted}", status_code=303)
        if await journal.endpoints.get(wanted) is not None:
            return Redirect(f"/endpoints/{wanted}", status_code=303)
        words = "Search takes the whole id of a task, a delivery, a batch or an endpoint."
        text = f"Nothing here has the id {wanted[:80]!r}. {words}"
        return back("/tasks", text, "ask")

    @get("/{task_id:str}")
    async def task_page(
        self, task_id: FromPath[str], journal: TheJournal, quotes: TheQuotes, settings: TheSettings, clock: TheClock
    ) -> Template:
        """Everything that is known of a task."""
        task, story = await _known(journal, task_id)
        record = await _record(task, story, journal)
        extra = {"price": price_of(task, quotes), "curl": curl(task, settings.url), "nonce": clock.new_id("again")}
        return Template("task.html", context={**record, **extra})

    @get("/{task_id:str}/record.json", media_type="application/json")
    async def record(self, task_id: FromPath[str], journal: TheJournal) -> Response[bytes]:
        """The support record for a file or a ticket."""
        _, story = await _known(journal, task_id)
        headers = {"content-disposition": f'attachment; filename="{task_id[:64]}.json"'}
        return Response(as_json(story), media_type="application/json", headers=headers)

    @post("/{task_id:str}/poll", status_code=303)
    async def poll_now(
        self, task_id: FromPath[str], journal: TheJournal, clock: TheClock, poller: ThePoller
    ) -> Response[Any]:
        """Ask Beat API at once."""
        task, _ = await _known(journal, task_id)
        if task.provider_id is None:
            return back(f"/tasks/{task.id}", "Beat API has no id for this task yet: there is nothing to ask.", "ask")
        await journal.tasks.polled(task, clock.now(), failed=False)
        poller.nudge()
        return back(f"/tasks/{task.id}", "Beat API is asked now; the timeline shows whether it has news.")

    @post("/{task_id:str}/again", status_code=303)
    async def again(
        self, request: Request[Any, Any, Any], task_id: FromPath[str], journal: TheJournal, intake: TheIntake
    ) -> Response[Any]:
        """The same request as a new task, which is paid for anew; the form's nonce makes a second click harmless."""
        task, _ = await _known(journal, task_id)
        sent = await form(request, Again)
        tags, recipes = (msgspec.json.decode(text, type=tuple[str, ...]) for text in (task.tags, task.recipes))
        origin = Origin(visitor_of(request).id, task.batch, tags, recipes=recipes)
        new = await intake.accept(
            task.workflow, task.request, row=task.row, client_key=f"{origin.client}:{sent.nonce}", origin=origin
        )
        return back(f"/tasks/{new.id}", "This is the new task; the one before stays as it is.")

    @post("/{task_id:str}/cancel", status_code=303)
    async def cancel(self, task_id: FromPath[str], canceller: TheCanceller) -> Response[Any]:
        """Take back what was never sent."""
        try:
            await canceller.cancel(task_id)
        except TooLate as error:
            return back(f"/tasks/{task_id}", f"{error}.", "bad")
        return back(f"/tasks/{task_id}", "Cancelled before it was sent; nothing was charged.")

    @post("/{task_id:str}/settle", status_code=303)
    async def settle(
        self, request: Request[Any, Any, Any], task_id: FromPath[str], settler: TheSettler
    ) -> Response[Any]:
        """Decide on a create whose answer was lost."""
        sent = await form(request, Settling)
        try:
            await settler.settle(task_id, sent.decision, sent.provider_id)
        except SettleError as error:
            return back(f"/tasks/{task_id}", str(error), "bad")
        return back(f"/tasks/{task_id}", "Settled.")

    @post("/{task_id:str}/deliveries/{delivery_id:str}/replay", status_code=303)
    async def replay(self, task_id: FromPath[str], delivery_id: FromPath[str], replayer: TheReplayer) -> Response[Any]:
        """Send one delivery again, under its own id: a destination that has it already does nothing."""
        effects = await replayer.replay(DeliveryFilter(ids=[delivery_id], task_id=task_id), "same", run=True)
        if not effects.count:
            return back(f"/tasks/{task_id}#{delivery_id}", "Nothing to send: it is under way already.", "ask")
        return back(f"/tasks/{task_id}#{delivery_id}", "It is sent again now.")


def line_of(task: TaskRow) -> TaskLine:
    """A task in one line."""
    return TaskLine(task.id, title_of(task), task.workflow, task.status, task.batch, task.created_at, task.updated_at)


def title_of(task: TaskRow) -> str:
    """What a person would call it: the row's title, else the prompt's beginning, else the file's name."""
    return name_of(row_of(task), task.request, task.workflow)


def name_of(row: Mapping[str, Any], body: str, workflow: str) -> str:
    """The same for a row of a sheet that may not be a task yet; ``body`` is its request (JSON)."""
    for name in ("title", "song", "name", "Title", "Song"):
        if isinstance(row.get(name), str) and row[name].strip():
            return row[name].strip()
    request = msgspec.json.decode(body, type=dict[str, Any])
    for name in ("prompt", "audio_url", "product_url"):
        text = request.get(name)
        if isinstance(text, str) and text.strip():
            text = text.rpartition("/")[2] if name.endswith("_url") else text
            return text if len(text) <= 60 else f"{text[:59]}…"
    return workflow


async def _known(journal: Journal, task_id: str) -> tuple[TaskRow, Story]:
    story = await tell(journal, task_id)
    task = await journal.tasks.get(story.task["id"]) if story else None
    if story is None or task is None:
        raise ApiError(404, f"There is no task {task_id[:80]}.")
    return task, story


async def _record(task: TaskRow, story: Story, journal: Journal) -> dict[str, Any]:
    deliveries = await journal.deliveries.of_task(task.id)
    operations = await journal.tasks.operations(task.id)
    shown = client_task(task)
    attempts: dict[str, list[Any]] = {}
    for moment in story.moments:
        if moment.kind.startswith("delivery.") and "delivery" in moment.data:
            attempts.setdefault(moment.data["delivery"], []).append(moment)
    return {
        "task": task,
        "title": title_of(task),
        "shown": shown,
        "story": story,
        "deliveries": deliveries,
        "attempts": attempts,
        "operations": operations,
        "media": await journal.deliveries.media_of(task.id, task.revision),
        "usage": msgspec.json.decode(task.usage),
        "advice": advice(shown),
        "unconfirmed": [one for one in operations if one.state == "unconfirmed"],
        "queued": [one for one in operations if one.state == "queued"],
        "row": row_of(task),
    }


def price_of(task: TaskRow, quotes: Quotes) -> str:
    """What the same request costs again."""
    return price(quotes.price(task.workflow, task.request))


def price(estimate: Estimate) -> str:
    """What something costs, as the end of a sentence: ``for 25 credits``."""
    if estimate.least is None or estimate.most is None:
        return "at a price that Beat API tells"
    amount = f"{estimate.least:f}" if estimate.least == estimate.most else f"{estimate.least:f} to {estimate.most:f}"
    return f"for {amount} {'credit' if estimate.unit == 'credits' and amount == '1' else estimate.unit}"


def curl(task: TaskRow, url: str) -> str:
    """The request as a command, without a key."""
    body = encode(msgspec.json.decode(task.request)).decode()
    return (
        f"curl {url}/v1/{task.workflow}/tasks \\\n  -H 'Authorization: Bearer '\"$BEATRELAY_KEY\" \\\n"
        f"  -H 'Content-Type: application/json' \\\n  -d {shlex.quote(body)}"
    )
