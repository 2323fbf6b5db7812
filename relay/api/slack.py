"""Where Slack tells that somebody clicked a button."""

from typing import Any

from litestar import Request, Response, post
from litestar.di import NamedDependency
from litestar.params import SkipValidation

from relay.flow.slack_buttons import NotFromSlack, SlackButtons, Unreadable

from .errors import ApiError

MOST_BYTES = 256 * 1024
PATH = "/relay/v1/slack/interactions"
TheSlackButtons = NamedDependency[SkipValidation[SlackButtons]]


@post(PATH, status_code=200, request_max_body_size=MOST_BYTES, include_in_schema=False)
async def slack_interactions(request: Request[Any, Any, Any], slack_buttons: TheSlackButtons) -> Response[bytes]:
    """The Request URL of a Slack app's *Interactivity & Shortcuts*. Its signature is the permission."""
    timestamp = request.headers.get("x-slack-request-timestamp", "")
    signature = request.headers.get("x-slack-signature", "")
    try:
        await slack_buttons.take(timestamp, signature, await request.body())
    except NotFromSlack as error:
        message = (
            "The signature or its timestamp is not valid: copy the app's Signing Secret into the `signing_secret` of"
            " its slack connection, and see that this machine's clock is right."
        )
        raise ApiError(401, message, code="invalid_signature") from error
    except Unreadable as error:
        raise ApiError(400, "The body is no interaction: it needs a form field `payload` with JSON.") from error
    return Response(b"", status_code=200)
