"""Deliveries over the API: what has not arrived, why, and what shall be sent again; and the lanes they take."""

from typing import Annotated, Any, Literal

import msgspec
from litestar import Controller, Request, get, post
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import FromPath, JSONBody, QueryParameter
from msgspec import Meta, Struct

from relay.contract import Data, ErrorEnvelope, Listing
from relay.flow.dismiss import Dismissed, Reason, dismiss
from relay.flow.replay import As, Effects, ReplayError
from relay.journal import UNDELIVERED, DeliveryFilter, DeliveryRow, DeliveryState, LaneRow

from .auth import caller_of
from .errors import ApiError
from .parts import TheClock, TheDeliverer, TheJournal, TheReplayer

State = Literal["undelivered", "waiting", "due", "leased", "parked", "done", "dead", "unrouted", "dismissed"]
_NO_RECIPE = ResponseSpec(ErrorEnvelope, description="There is no such recipe.", generate_examples=False)
_NONE = {404: ResponseSpec(ErrorEnvelope, description="There is no such delivery.", generate_examples=False)}


class DeliverySummary(Struct):
    """One delivery. Times are Unix seconds."""

    id: str
    task_id: str
    revision: int
    recipe: str
    recipe_hash: str
    step: str
    use: str
    connection: str | None
    lane: str
    state: DeliveryState
    attempts: int
    failures: int
    error: str | None
    created_at: float
    updated_at: float
    due_at: float | None


class Selection(Struct, kw_only=True, forbid_unknown_fields=True):
    """Which deliveries are meant: all that fit every condition given. At least one is needed."""

    ids: Annotated[list[str], Meta(max_length=1000)] = []
    recipe: str | None = None
    connection: str | None = None
    task_id: str | None = None
    since: float | None = None
    """Planned at this time (Unix seconds) or later."""
    until: float | None = None
    error: str | None = None
    """Text that stands in the last error."""
    confirm: bool = False
    """False counts what would happen; true does it."""

    def filter(self, states: list[DeliveryState]) -> DeliveryFilter:
        """For the journal, with ``states``. Raises :class:`ApiError` if there is no condition besides."""
        names = ("ids", "recipe", "connection", "task_id", "since", "until", "error")
        wanted = DeliveryFilter(states=states, **{name: getattr(self, name) for name in names})
        if wanted == DeliveryFilter(states=states):
            raise ApiError(400, "Say which deliveries: give ids, recipe, connection, task_id, since, until or error.")
        return wanted


class Replay(Selection, kw_only=True, forbid_unknown_fields=True):
    """Deliveries to be sent again."""

    state: list[DeliveryState] = msgspec.field(default_factory=lambda: list[DeliveryState](["dead"]))
    """Only ``dead``, ``dismissed`` and ``done`` ones can be replayed."""
    as_: As = msgspec.field(default="same", name="as")
    """``same``: the same id, the recipe as it was; what knows the id does nothing twice. ``new``: an id of its
    own, the recipe of today."""


class Dismissal(Selection, kw_only=True, forbid_unknown_fields=True):
    """Dead letters to be put aside."""

    reason: Reason
    """Kept in each one's task record, with whose key it was."""


class Backfill(Struct, kw_only=True, forbid_unknown_fields=True):
    """A recipe to run over past finishes."""

    recipe: str
    since: float = 0.0
    until: float | None = None
    task_id: str | None = None
    confirm: bool = False
    """False counts what would happen; true does it."""


class LaneOrder(Struct, kw_only=True, forbid_unknown_fields=True):
    """Which lane: a connection's name, or one of ``GET /relay/v1/lanes``."""

    lane: Annotated[str, Meta(min_length=1, max_length=500)]
    reason: Annotated[str, Meta(max_length=200)] = "a person paused it"


class Moved(Struct):
    """How many deliveries were parked or freed."""

    lane: str
    count: int


class DeliveriesController(Controller):
    """What must go out."""

    path = "/relay/v1"
    tags = ("Relay",)

    @get("/deliveries", operation_id="listDeliveries", summary="List deliveries, newest first")
    async def list_deliveries(
        self,
        journal: TheJournal,
        in_state: Annotated[
            State | None, QueryParameter(name="state", description="`undelivered`: all but those done.")
        ] = None,
        recipe: Annotated[str | None, QueryParameter(description="A recipe's name.")] = None,
        connection: Annotated[str | None, QueryParameter(description="A connection's name.")] = None,
        task: Annotated[str | None, QueryParameter(description="A task's id.")] = None,
        since: Annotated[float | None, QueryParameter(description="Planned at this time or later.")] = None,
        until: Annotated[float | None, QueryParameter(description="Planned at this time or earlier.")] = None,
        error: Annotated[str | None, QueryParameter(description="Text in the last error.")] = None,
        limit: Annotated[int, QueryParameter(ge=1, le=500, description="Most deliveries to return.")] = 50,
        before: Annotated[str | None, QueryParameter(description="The last id of the page before.")] = None,
    ) -> Data[Listing[DeliverySummary]]:
        """One query for what has not arrived: ``state=undelivered`` has what is due, waits, is parked, is dead, and the
        finishes that no recipe wanted."""
        states: list[DeliveryState] = []
        if in_state is not None:
            states = UNDELIVERED if in_state == "undelivered" else [in_state]
        wanted = DeliveryFilter(
            states=states,
            recipe=recipe,
            connection=connection,
            task_id=task,
            since=since,
            until=until,
            error=error,
        )
        return Data(Listing([_summary(row) for row in await journal.deliveries.find(wanted, limit, before)]))

    @get("/deliveries/{delivery_id:str}", operation_id="getDelivery", summary="Look at a delivery", responses=_NONE)
    async def get_delivery(self, delivery_id: FromPath[str], journal: TheJournal) -> Data[DeliverySummary]:
        """One delivery, with its last error in full."""
        row = await journal.deliveries.get(delivery_id)
        if row is None:
            raise ApiError(404, f"There is no delivery {delivery_id[:80]}.")
        return Data(_summary(row))

    @post("/deliveries/replay", operation_id="replayDeliveries", summary="Send deliveries again", status_code=200)
    async def replay(self, data: JSONBody[Replay], replayer: TheReplayer) -> Data[Effects]:
        """Counts the effects by connector; sends only with ``confirm``."""
        return Data(await replayer.replay(data.filter(data.state), data.as_, run=data.confirm))

    @post("/deliveries/dismiss", operation_id="dismissDeliveries", summary="Put dead letters aside", status_code=200)
    async def dismiss(
        self, request: Request[Any, Any, Any], data: JSONBody[Dismissal], journal: TheJournal, clock: TheClock
    ) -> Data[Dismissed]:
        """Counts them by connector, with the steps that wait behind them; puts them aside only with ``confirm``. They
        are no longer listed as undelivered, and can still be replayed."""
        caller = caller_of(request)
        by, wanted = caller.name or caller.id, data.filter(["dead"])
        return Data(await dismiss(journal, clock, wanted, reason=data.reason, by=by, run=data.confirm))

    @post(
        "/deliveries/backfill",
        operation_id="backfill",
        summary="Run a recipe over past finishes",
        status_code=200,
        responses={404: _NO_RECIPE},
    )
    async def backfill(self, data: JSONBody[Backfill], replayer: TheReplayer, clock: TheClock) -> Data[Effects]:
        """Counts the effects by connector; plans only with ``confirm``. A finish that had the recipe is left out."""
        until = clock.now() if data.until is None else data.until
        try:
            return Data(await replayer.backfill(data.recipe, data.since, until, run=data.confirm, task_id=data.task_id))
        except ReplayError as error:
            raise ApiError(404, str(error)) from error

    @get("/lanes", operation_id="listLanes", summary="List lanes with their pauses and breakers")
    async def list_lanes(self, journal: TheJournal) -> Data[Listing[LaneRow]]:
        """One lane a destination: how much waits there, and what holds it."""
        return Data(Listing(await journal.lanes.all()))

    @post("/lanes/pause", operation_id="pauseLane", summary="Send nothing more to a destination", status_code=200)
    async def pause(self, data: JSONBody[LaneOrder], journal: TheJournal, clock: TheClock) -> Data[Moved]:
        """What is due there, and all that comes, is parked until it is resumed."""
        return Data(Moved(data.lane, await journal.lanes.pause(data.lane, clock.now(), data.reason)))

    @post("/lanes/resume", operation_id="resumeLane", summary="Go on with a destination", status_code=200)
    async def resume(
        self, data: JSONBody[LaneOrder], journal: TheJournal, clock: TheClock, deliverer: TheDeliverer
    ) -> Data[Moved]:
        """What was parked is due now, in order; an open breaker is closed."""
        moved = Moved(data.lane, await journal.lanes.resume(data.lane, clock.now()))
        deliverer.nudge()
        return Data(moved)


def _summary(row: DeliveryRow) -> DeliverySummary:
    return DeliverySummary(**{name: getattr(row, name) for name in DeliverySummary.__struct_fields__})
