"""What belongs to the account: workflows and usage, as Beat API tells them."""

import msgspec
from litestar import Response, get
from msgspec import UNSET, UnsetType

from relay.contract import Account, Data, Listing, Workflow
from relay.flow.govern import QueueView

from .answers import UNAUTHORIZED, UNAVAILABLE
from .parts import TheGovernor, TheProvider
from .passing import passed_on


class RelayAccount(Account, kw_only=True):
    """The account, and what waits here to be sent to it."""

    queue: QueueView | UnsetType = UNSET
    """Not required, so that a client made from this document can ask Beat API itself as well."""


@get(
    "/v1/workflows",
    operation_id="listWorkflows",
    summary="List the kinds of video",
    tags=["Account"],
    responses={503: UNAVAILABLE},
)
async def list_workflows(provider: TheProvider) -> Response[Data[Listing[Workflow]]]:
    """What can be asked for. Needs no key."""
    return passed_on(await provider.workflows())


@get(
    "/v1/usage",
    operation_id="getUsage",
    summary="Read the account's usage",
    tags=["Account"],
    responses={401: UNAUTHORIZED, 503: UNAVAILABLE},
)
async def get_usage(provider: TheProvider, governor: TheGovernor) -> Response[Data[RelayAccount]]:
    """Balance, concurrency and totals of the Beat API account behind this relay, as Beat API tells them; `queue` is
    the relay's own and says what waits, and why."""
    passed = await provider.usage()
    document = msgspec.json.decode(passed.body, type=dict[str, msgspec.Raw])
    if passed.status == 200 and "data" in document:
        account = msgspec.json.decode(document["data"], type=dict[str, msgspec.Raw])
        account["queue"] = msgspec.Raw(msgspec.json.encode(await governor.view()))
        passed.body = msgspec.json.encode({**document, "data": account})
    return passed_on(passed)
