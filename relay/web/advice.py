"""What to do about a failed task, in plain words."""

from typing import Any

_REFUNDED = "What it cost is given back when `credits_refunded` below says so."
_ADVICE = {
    "cancelled": "It was taken back before it was sent; nothing was charged. Ask again whenever you like.",
    "insufficient_credits": "The balance of the Beat API account did not cover it. Top it up, then ask again.",
    "bad_request": "Beat API did not accept the request. Mend what the message names, then ask again.",
    "unauthorized": "Beat API did not accept the relay's key. Check it under Settings; then ask again.",
    "forbidden": "The relay's Beat API key may not do this. Use one that may, then ask again.",
    "processing_failed": f"Beat API could not make this video. {_REFUNDED} Another prompt or image often helps.",
    "processing_timeout": f"Beat API gave up after its time limit. {_REFUNDED} The same request often works later.",
    "processing_unavailable": f"Beat API had no capacity. {_REFUNDED} Ask again in a while.",
    "provider_capacity_timeout": f"Beat API had no capacity. {_REFUNDED} Ask again in a while.",
    "result_transfer_failed": f"The video was made, but Beat API could not hand it over. {_REFUNDED} Ask again.",
    "internal_error": f"Something broke at Beat API. {_REFUNDED} If it happens again, give them the record below.",
    "abandoned": "A person gave it up while its fate was unknown. If it was paid for, Beat API's own usage shows it.",
}
_UNKNOWN = f"Beat API tells no more than this code. {_REFUNDED} Give their support the record below."


def advice(task: dict[str, Any]) -> str | None:
    """For a failed task (as the contract shows it) a sentence or two; ``None`` if there is nothing to say."""
    if task.get("status") != "failed":
        return None
    return _ADVICE.get(str(task.get("error_code")), _UNKNOWN)
