"""Google sheets that are watched: how they stand, what one would come to, reading one now, and hints from outside."""

from typing import Annotated, Any

from litestar import Controller, Request, get, post
from litestar.params import FromPath, HeaderParameter
from msgspec import Struct

from relay.contract import Data, Listing
from relay.flow.watch import Turn
from relay.flow.watches import SheetPlan, UnknownSheet, UnreadableSheet, WatchView

from .answers import refusal
from .errors import ApiError
from .parts import TheWatches

_UNKNOWN = refusal("No sheet of that name is watched; beatrelay.toml names them.")
_UNREADABLE = refusal("The sheet cannot be read; the message says why and what to do.")
_FORGED = refusal("The signature or its timestamp is not valid, or the sheet takes no hints.")
MOST_BYTES = 16 * 1024


class Hinted(Struct):
    """The sheet will be read soon."""

    ok: bool = True


class SheetsController(Controller):
    """Sheets of `beatrelay.toml`. A row with an empty status becomes a task, and what becomes of that is written beside
    it."""

    path = "/relay/v1/sheets"
    tags = ("Sheets",)

    @get("/", operation_id="listSheets", summary="List watched sheets")
    async def list_sheets(self, watches: TheWatches) -> Data[Listing[WatchView]]:
        """When each was read, what keeps it from working, and what people wrote over its results."""
        return Data(Listing(await watches.views()))

    @get(
        "/{name:str}/plan",
        operation_id="planSheet",
        summary="See what a sheet would come to",
        responses={404: _UNKNOWN, 409: _UNREADABLE},
    )
    async def plan_sheet(self, name: FromPath[str], watches: TheWatches) -> Data[SheetPlan]:
        """Reads it, and tells each row that may be taken, what is wrong with it by cell, and the price against the
        balance. Nothing is written, sent or spent."""
        try:
            return Data(await watches.check(name))
        except (UnknownSheet, UnreadableSheet) as error:
            raise _refused(error) from error

    @post(
        "/{name:str}/run",
        operation_id="runSheet",
        summary="Read a sheet now",
        status_code=200,
        responses={404: _UNKNOWN, 409: _UNREADABLE},
    )
    async def run_sheet(self, name: FromPath[str], watches: TheWatches) -> Data[Turn]:
        """As its schedule would: rows are taken, and results written."""
        try:
            return Data(await watches.run(name))
        except (UnknownSheet, UnreadableSheet) as error:
            raise _refused(error) from error


@post(
    "/webhooks/sheets/{name:str}",
    operation_id="hintSheet",
    summary="Say that a sheet was edited",
    tags=["Sheets"],
    status_code=202,
    responses={401: _FORGED},
    request_max_body_size=MOST_BYTES,
)
async def push_hint(
    request: Request[Any, Any, Any],
    name: FromPath[str],
    watches: TheWatches,
    webhook_id: Annotated[str, HeaderParameter(name="webhook-id", max_length=256, description="Any.")],
    webhook_timestamp: Annotated[
        str, HeaderParameter(name="webhook-timestamp", max_length=20, description="Unix seconds, at most 300 off.")
    ],
    webhook_signature: Annotated[
        str,
        HeaderParameter(
            name="webhook-signature",
            max_length=2048,
            description="Standard Webhooks: `v1,` and base64 of an HMAC-SHA256 by the sheet's `push_secret`.",
        ),
    ],
) -> Hinted:
    """What the Apps Script sends. The body is not believed, and not even read: the sheet is, within seconds."""
    headers = {
        "webhook-id": webhook_id,
        "webhook-timestamp": webhook_timestamp,
        "webhook-signature": webhook_signature,
    }
    if not watches.hint(name, headers, await request.body()):
        raise ApiError(401, "The signature or its timestamp is not valid, or this sheet takes no hints.")
    return Hinted()


def _refused(error: UnknownSheet | UnreadableSheet) -> ApiError:
    if isinstance(error, UnknownSheet):
        return ApiError(404, f"{error}.")
    return ApiError(409, f"The sheet cannot be read: {error}.", code="conflict")
