"""What belongs to the account: workflows and usage, as Beat API tells them."""

from typing import Any

from litestar import Response, get

from relay.contract import Account, Data, Listing, Workflow

from .answers import UNAUTHORIZED, UNAVAILABLE
from .parts import TheProvider


@get(
    "/v1/workflows",
    operation_id="listWorkflows",
    summary="List the kinds of video",
    tags=["Account"],
    responses={503: UNAVAILABLE},
)
async def list_workflows(provider: TheProvider) -> Response[Data[Listing[Workflow]]]:
    """What can be asked for. Needs no key."""
    passed = await provider.workflows()
    body: Any = passed.body
    return Response(body, status_code=passed.status, media_type="application/json")


@get(
    "/v1/usage",
    operation_id="getUsage",
    summary="Read the account's usage",
    tags=["Account"],
    responses={401: UNAUTHORIZED, 503: UNAVAILABLE},
)
async def get_usage(provider: TheProvider) -> Response[Data[Account]]:
    """Balance, concurrency and totals of the Beat API account behind this relay."""
    passed = await provider.usage()
    body: Any = passed.body
    return Response(body, status_code=passed.status, media_type="application/json")
