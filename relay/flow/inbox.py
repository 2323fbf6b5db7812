"""Inbound webhooks: verified on raw bytes, written down, and only then answered.

A webhook is a hint. It never changes a task by itself: it makes the task's poll due now, and stays on the task
as the word to fall back on if the provider cannot be polled for longer than the grace time.
"""

from collections.abc import Callable
from typing import NamedTuple

from relay.clock import Clock
from relay.contract import encode
from relay.journal import Journal, Receipt, Verdict
from relay.providers import Forged, Hint, MalformedWebhook, Provider

MOST_BYTES = 1024 * 1024
TOLERANCE = 300.0
"""Seconds a timestamp may be off, either way, for the webhook to count as news."""
STALE_UNTIL = 1800.0
"""Older than this it is refused. In between it may only wake the poller: providers may retry a delivery with
its first timestamp."""
EVIDENCE_BYTES = 2048
"""How much of a refused body is kept."""
EVIDENCE_PER_MINUTE = 60
"""Refused requests written down per minute: enough to see what happens, too few to fill a disk."""

TEST_EVENT = "webhook.test"
"""The event of a test delivery, which the relay sends to itself: written down, and nobody's task."""

_KEPT_HEADERS = ("x-beatapi-event", "x-beatapi-timestamp", "user-agent", "content-type", "content-length")
READ_HEADERS = (*_KEPT_HEADERS, "x-beatapi-signature")
"""Headers that :meth:`Inbox.receive` looks at; all but the signature are kept with the receipt."""


class Reply(NamedTuple):
    """How to answer, and why."""

    status: int
    verdict: Verdict
    reason: str


class Inbox:
    """Takes webhooks in. After a receipt is on disk, ``woken`` is called if it made a poll due, ``unclaimed`` if it
    names a task that is not one of ours."""

    def __init__(
        self,
        journal: Journal,
        clock: Clock,
        provider: Provider,
        woken: Callable[[], None],
        unclaimed: Callable[[], None],
        counted: Callable[[Verdict], None],
    ) -> None:
        self._journal = journal
        self._clock = clock
        self._provider = provider
        self._woken = woken
        self._unclaimed = unclaimed
        self._counted = counted
        self._evidence_minute = 0
        self._evidence = 0

    async def receive(self, headers: dict[str, str], body: bytes, *, oversized: bool = False) -> Reply:
        """Judge one webhook and write it down. When this returns, the receipt is durable.

        ``headers`` have lowercase names; ``body`` is cut off if ``oversized``.
        """
        now = self._clock.now()
        reply, hint = self._judge(headers, body, self._clock.wall(), oversized)
        self._counted(reply.verdict)
        if hint is None and not self._worth_keeping(now):
            return reply
        received = await self._journal.receipts.add(
            Receipt(
                id=self._clock.new_id("rcv"),
                received_at=now,
                verdict=reply.verdict,
                status=reply.status,
                reason=reply.reason,
                event_id=hint.event_id if hint else None,
                event=hint.event if hint else None,
                provider_task_id=hint.provider_id if hint and hint.event != TEST_EVENT else None,
                headers=encode({name: headers[name] for name in _KEPT_HEADERS if name in headers}).decode(),
                body=body if hint else body[:EVIDENCE_BYTES],
            )
        )
        if received.task_id is not None:
            self._woken()
        elif received.new and reply.verdict == "accepted" and hint and hint.event != TEST_EVENT:
            self._unclaimed()
        return reply

    def _judge(self, headers: dict[str, str], body: bytes, now: float, oversized: bool) -> tuple[Reply, Hint | None]:
        if oversized:
            return Reply(413, "oversized", f"the body is larger than {MOST_BYTES} bytes"), None
        genuine = self._provider.verify(headers, body, now)
        if isinstance(genuine, Forged):
            return Reply(401, "forged", genuine.reason), None
        if genuine.age > STALE_UNTIL or genuine.age < -TOLERANCE:
            return Reply(401, "expired", f"the timestamp is {genuine.age:.0f} s old"), None
        try:
            hint = self._provider.read_webhook(body)
        except MalformedWebhook as error:
            return Reply(400, "unparsable", str(error)), None
        if genuine.age > TOLERANCE:
            return Reply(202, "stale", f"the timestamp is {genuine.age:.0f} s old: it only wakes the poller"), hint
        return Reply(200, "accepted", ""), hint

    def _worth_keeping(self, now: float) -> bool:
        minute = int(now // 60)
        if minute != self._evidence_minute:
            self._evidence_minute, self._evidence = minute, 0
        self._evidence += 1
        return self._evidence <= EVIDENCE_PER_MINUTE
