"""Slack's error strings, and what to do about each. They come with HTTP 200."""

from collections.abc import Mapping
from typing import Any, cast

from connectors.base import Reject, Retry

_MAY_PASS = {
    "fatal_error",
    "internal_error",
    "rate_limited",
    "ratelimited",
    "request_timeout",
    "rollup_error",
    "service_unavailable",
    "team_access_not_granted_yet",
}
_MENDABLE = {
    "account_inactive": "the bot's user or workspace was deactivated; install the app again",
    "action_prohibited": "an admin of the workspace has restricted posting there",
    "channel_is_archived": "the channel is archived; unarchive it, or name another",
    "channel_not_found": "there is no such channel, or it is private and the bot is not in it: /invite the bot there",
    "file_type_not_allowed": "the workspace forbids this type of file",
    "file_upload_size_restricted": "the workspace forbids files of this size; send a link instead",
    "file_uploads_disabled": "the workspace forbids uploads; send a link instead",
    "invalid_auth": "the `token` is wrong; copy the bot token (xoxb-…) from OAuth & Permissions again",
    "invalid_blocks": "the `blocks` are not valid Block Kit; try them in Slack's Block Kit Builder",
    "invalid_token": "the webhook's URL is wrong; copy it again from the app's page Incoming Webhooks",
    "is_archived": "the channel is archived; unarchive it, or name another",
    "msg_blocks_too_long": "the `blocks` are too long together; shorten their texts",
    "msg_too_long": "the message is too long; use the `truncate` filter",
    "no_service": "the webhook was removed or its app disabled; make a new one",
    "no_team": "the webhook's workspace is no more; make a new one in another",
    "not_authed": "there is no `token`",
    "not_in_channel": "the bot is not in the channel: write `/invite @your-bot` there",
    "restricted_action": "an admin of the workspace has restricted posting there",
    "token_expired": "the `token` has expired; switch token rotation off in the app, and copy the new token",
    "token_revoked": "the `token` was revoked; install the app again and copy the new one",
}


class Refused(Reject):
    """Slack said no; ``error`` is its own word for why."""

    def __init__(self, error: str, reason: str, *, detail: Mapping[str, Any]) -> None:
        super().__init__(reason, detail=detail)
        self.error = error


def refusal(method: str, answer: Mapping[str, Any]) -> Retry | Refused:
    """The error for ``ok: false``."""
    error = str(answer.get("error", "unknown"))
    metadata: Any = answer.get("response_metadata")
    said = cast("dict[str, list[Any]]", metadata).get("messages", []) if isinstance(metadata, dict) else []
    detail = {"error": error, "messages": said}
    if error in _MAY_PASS:
        return Retry(f"{method}: Slack answered {error}", detail=detail)
    if error == "missing_scope":
        needed = answer.get("needed", "?")
        hint = f"add the scope {needed} under OAuth & Permissions, then install the app again"
    else:
        hint = _MENDABLE.get(error, "see Slack's documentation of the method")
    more = f" ({'; '.join(map(str, said))})" if said else ""
    return Refused(error, f"{method}: Slack answered {error}: {hint}{more}", detail=detail)
