"""What came in and what was sent: receipts and submissions, as the journal has them."""

from typing import Annotated

from litestar import Controller, get
from litestar.params import QueryParameter
from msgspec import Struct

from relay.contract import Data, Listing
from relay.journal import Operation, OperationState, Receipt, Verdict

from .parts import TheJournal

Limit = Annotated[int, QueryParameter(ge=1, le=500, description="Most entries to return.")]
Before = Annotated[str | None, QueryParameter(description="The last id of the page before.")]


class ReceiptSummary(Struct):
    """One webhook from Beat API, with the verdict on it. Times are Unix seconds."""

    id: str
    received_at: float
    verdict: Verdict
    status: int
    """What it was answered with."""
    reason: str
    event_id: str | None
    event: str | None
    provider_task_id: str | None
    seen: int
    """How often this very event came."""


class Submission(Struct):
    """One request to Beat API that costs credits: a create, an edit or a compose. Times are Unix seconds."""

    id: str
    """Also its `Idempotency-Key` at Beat API."""
    task_id: str
    kind: str
    state: OperationState
    client: str
    batch: str
    priority: int
    attempts: int
    created_at: float
    due_at: float | None
    sent_at: float | None
    settled_at: float | None
    error: str | None


class RecordsController(Controller):
    """Key-paged lists, newest first."""

    path = "/relay/v1"
    tags = ("Relay",)

    @get("/receipts", operation_id="listReceipts", summary="List webhooks from Beat API")
    async def list_receipts(
        self,
        journal: TheJournal,
        verdict: Annotated[Verdict | None, QueryParameter(description="Only these.")] = None,
        limit: Limit = 50,
        before: Before = None,
    ) -> Data[Listing[ReceiptSummary]]:
        """Every webhook that came, forged ones too, without their bodies."""
        found = await journal.receipts.recent(limit, before, verdict)
        return Data(Listing([_receipt(one) for one in found]))

    @get("/submissions", operation_id="listSubmissions", summary="List what was, or will be, sent to Beat API")
    async def list_submissions(
        self,
        journal: TheJournal,
        in_state: Annotated[OperationState | None, QueryParameter(name="state", description="Only these.")] = None,
        limit: Limit = 50,
        before: Before = None,
    ) -> Data[Listing[Submission]]:
        """Creates, edits and composes, each with its key, its attempts and its state."""
        found = await journal.queue.recent(limit, before, in_state)
        return Data(Listing([_submission(one) for one in found]))


def _receipt(one: Receipt) -> ReceiptSummary:
    return ReceiptSummary(**{name: getattr(one, name) for name in ReceiptSummary.__struct_fields__})


def _submission(one: Operation) -> Submission:
    return Submission(**{name: getattr(one, name) for name in Submission.__struct_fields__})
