"""Alive, and moving? ``/health`` says the first, ``/ready`` the second, ``/metrics`` the numbers."""

from litestar import Response, get
from litestar.openapi.datastructures import ResponseSpec
from msgspec import Struct, field

from relay.flow.archive import MediaStore
from relay.flow.govern import Governor
from relay.flow.reconcile import Reconciler
from relay.journal import Journal, Pulse, Unavailable

from .parts import TheClock, TheGovernor, TheJournal, TheMetrics, TheReconciler, TheStore

OVERDUE = 120.0
"""Seconds that the oldest due work may wait before the relay calls itself stuck."""


class Health(Struct):
    """It answers."""

    status: str


class Readiness(Struct):
    """Whether work moves. Ages are seconds overdue; 0 when nothing is."""

    ready: bool
    oldest_due_poll: float
    oldest_due_delivery: float
    oldest_due_operation: float
    waiting_operations: int
    """Requests in the queue; they may wait long for a slot or for money without anything being stuck."""
    last_commit: float
    """Seconds since the last durable commit."""
    problems: list[str] = field(default_factory=list[str])
    notices: list[str] = field(default_factory=list[str])
    """What a person should look at although work moves."""


@get("/health", operation_id="health", summary="Is the relay alive?", tags=["Operations"])
async def health() -> Health:
    """Answers as long as the process does."""
    return Health("ok")


@get(
    "/ready",
    operation_id="ready",
    summary="Does work move?",
    tags=["Operations"],
    responses={503: ResponseSpec(Readiness, description="Work is stuck.", generate_examples=False)},
)
async def ready(
    journal: TheJournal, clock: TheClock, governor: TheGovernor, reconciler: TheReconciler, store: TheStore
) -> Response[Readiness]:
    """503 when the disk fails, or when due work has waited too long: an endpoint that answers is not a line that
    moves."""
    now = clock.now()
    try:
        pulse = await journal.pulse()
    except Unavailable:  # told below
        pulse = Pulse()

    def overdue(due: float | None) -> float:
        return round(max(0.0, now - due), 3) if due is not None else 0.0

    ages = {
        "poll": overdue(pulse.oldest_due_poll),
        "delivery": overdue(pulse.oldest_due_delivery),
        "submission": max(
            overdue(pulse.oldest_due_operation), 0.0 if governor.holds else overdue(pulse.oldest_waiting_operation)
        ),
    }
    problems = broken(journal, store, now)
    problems += [f"the oldest due {name} has waited {age:.0f} s" for name, age in ages.items() if age > OVERDUE]
    readiness = Readiness(
        ready=not problems,
        oldest_due_poll=ages["poll"],
        oldest_due_delivery=ages["delivery"],
        oldest_due_operation=ages["submission"],
        waiting_operations=pulse.waiting,
        last_commit=round(now - journal.last_commit_at(), 3),
        problems=problems,
        notices=_notices(governor, reconciler),
    )
    return Response(readiness, status_code=503 if problems else 200)


def broken(journal: Journal, store: MediaStore, now: float) -> list[str]:
    """What is wrong with the relay's own disk, and what to do."""
    problems: list[str] = []
    if not journal.alive:
        problems.append("the journal's writer has stopped; restart the relay and look at its log")
    if journal.trouble is not None:
        problems.append(journal.trouble)
    media = store.trouble(now)
    if media is not None:
        problems.append(f"finished files cannot be stored: {media}")
    return problems


def _notices(governor: Governor, reconciler: Reconciler) -> list[str]:
    notices: list[str] = []
    if reconciler.state == "differs":
        notices.append("the provider's totals differ from the ledger; see /relay/v1/reconciliation")
    if governor.pause is not None:
        notices.append(f"the queue is paused: {governor.pause.reason}")
    return notices


@get(
    "/metrics",
    operation_id="metrics",
    summary="Numbers for Prometheus",
    tags=["Operations"],
    media_type="text/plain; version=0.0.4; charset=utf-8",
)
async def metrics(
    journal: TheJournal, clock: TheClock, metrics: TheMetrics, reconciler: TheReconciler, store: TheStore
) -> bytes:
    """Counters and gauges; no secret, no id."""
    metrics.compare(reconciler.state == "differs")
    metrics.disk(journal.trouble is not None, store.trouble(clock.now()) is not None)
    return metrics.render(await journal.pulse(), clock.now(), journal.last_commit_at())
