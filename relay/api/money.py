"""Money: what requests will cost, what they did cost, and whether the provider counts the same."""

import calendar
import time
from typing import Annotated, Any

import msgspec
from litestar import Controller, Response, get, post
from litestar.params import JSONBody, QueryParameter
from msgspec import UNSET, Struct, UnsetType

from relay.contract import Credits, Data, Listing, Unit, encode
from relay.contract.pricing import amount
from relay.contract.rules import Violation
from relay.flow.estimate import Quote
from relay.flow.inputs import RULES
from relay.flow.reconcile import Reconciliation
from relay.journal import LedgerSum
from relay.journal.ledger import By

from .answers import BAD_REQUEST, UNAUTHORIZED
from .errors import ApiError
from .parts import TheJournal, TheQuotes, TheReconciler

MOST_REQUESTS = 2000
FOREVER = 253402300800.0
"""The year 10000."""


class Item(Struct):
    """A create, as it would be sent."""

    workflow: str
    """`music-video`, `ecommerce-video`, or another kind of task, whose price is then unknown."""
    request: dict[str, Any]


class EstimateRequest(Struct):
    """One request, or a batch of them in `requests`."""

    workflow: str | UnsetType = UNSET
    request: dict[str, Any] | UnsetType = UNSET
    requests: list[Item] | UnsetType = UNSET


class LedgerEntry(Struct):
    """What one task, batch, client or day cost. Amounts are in `unit`; a name has one entry for each unit."""

    name: str
    unit: Unit
    tasks: int
    reserved: Credits
    charged: Credits
    settled: Credits
    refunded: Credits


class MoneyController(Controller):
    """Estimates, the ledger, and its comparison with the provider."""

    path = "/relay/v1"
    tags = ("Money",)
    responses = {400: BAD_REQUEST, 401: UNAUTHORIZED}  # noqa: RUF012 (litestar reads it once)

    @post("/estimates", operation_id="estimate", summary="Estimate what requests will cost", status_code=200)
    async def estimate(self, data: JSONBody[EstimateRequest], quotes: TheQuotes) -> Response[Data[Quote]]:
        """Checked by the same rules as a create, and nothing is sent. `least` and `most` differ where only the
        provider can measure the song."""
        items = _items(data)
        violations = [
            Violation(f"requests[{index}].{one.field}", one.value, one.rule)
            for index, item in enumerate(items)
            for one in (RULES[item.workflow](item.request) if item.workflow in RULES else [])
        ]
        if violations:
            details = [msgspec.structs.asdict(violation) for violation in violations]
            raise ApiError(400, "; ".join(map(str, violations[:20])) + ".", details=details)
        bodies = [(item.workflow, msgspec.json.encode(item.request).decode()) for item in items]
        return _exact(await quotes.quote(bodies))

    @get("/ledger", operation_id="readLedger", summary="Read what was spent")
    async def ledger(
        self,
        journal: TheJournal,
        by: Annotated[By, QueryParameter(description="What to sum by.")] = "day",
        since: Annotated[str, QueryParameter(name="from", description="First day (UTC), such as 2026-07-01.")] = "",
        until: Annotated[str, QueryParameter(name="to", description="Last day (UTC).")] = "",
        limit: Annotated[int, QueryParameter(ge=1, le=1000, description="Most entries to return.")] = 100,
        after: Annotated[str, QueryParameter(description="The last name of the page before.")] = "",
    ) -> Response[Data[Listing[LedgerEntry]]]:
        """Exactly as the provider told it, whenever it told it; kept for ever."""
        begin = _day("from", since) if since else 0.0
        end = _day("to", until) + 86400 if until else FOREVER
        return _exact(Listing([_entry(one) for one in await journal.ledger.sums(by, begin, end, limit, after)]))

    @get("/reconciliation", operation_id="reconcile", summary="Compare the ledger with the provider's totals")
    async def reconciliation(self, reconciler: TheReconciler) -> Response[Data[Reconciliation]]:
        """Reads both anew. A difference that lasts means that something was spent which this relay knows nothing of."""
        return _exact(await reconciler.check())


def _exact(value: Any) -> Response[Any]:
    """Amounts as exact numbers, as the contract has them."""
    return Response(encode(Data(value)), media_type="application/json")


def _items(data: EstimateRequest) -> list[Item]:
    single = data.workflow is not UNSET or data.request is not UNSET
    if isinstance(data.requests, list) and not single:
        if len(data.requests) > MOST_REQUESTS:
            raise ApiError(400, f"requests has {len(data.requests)} items; at most {MOST_REQUESTS} go at once.")
        return data.requests
    if isinstance(data.workflow, str) and isinstance(data.request, dict) and data.requests is UNSET:
        return [Item(data.workflow, data.request)]
    raise ApiError(400, "Give either `workflow` and `request`, or a list of such pairs in `requests`.")


def _day(field: str, text: str) -> float:
    try:
        return float(calendar.timegm(time.strptime(text, "%Y-%m-%d")))
    except ValueError as error:
        raise ApiError(400, f"{field} is {text[:40]!r}; it must be a day such as 2026-07-01.") from error


def _entry(one: LedgerSum) -> LedgerEntry:
    return LedgerEntry(
        one.name,
        one.unit,
        one.tasks,
        amount(one.reserved),
        amount(one.charged),
        amount(one.settled),
        amount(one.refunded),
    )
