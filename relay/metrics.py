"""What is counted, in Prometheus' form. Names start with ``beatrelay_``."""

from prometheus_client import CollectorRegistry, Counter, Gauge, generate_latest

from relay.journal import Pulse


class Metrics:
    """The relay's own registry: nothing global, so that two relays in one process do not mix."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.webhooks = Counter(
            "beatrelay_webhooks", "Webhooks received, by verdict.", ["verdict"], registry=self.registry
        )
        self._verdicts: dict[str, Counter] = {}
        self._gauges = {
            name: Gauge(f"beatrelay_{name}", text, registry=self.registry)
            for name, text in {
                "open_tasks": "Tasks that are still polled.",
                "unconfirmed": "Operations that a person must settle.",
                "waiting": "Requests in the submission queue.",
                "journal_failing": "1 if the journal could not be used when it was last tried.",
                "media_store_failing": "1 if the disk took no finished file when one was last stored.",
                "books_differ": "1 if the provider's totals differ lastingly from the ledger.",
                "pending_deliveries": "Deliveries not yet done.",
                "dead_deliveries": "Dead letters.",
                "oldest_due_poll_seconds": "How long the oldest due poll is overdue.",
                "oldest_due_delivery_seconds": "How long the oldest due delivery is overdue.",
                "oldest_due_operation_seconds": "How long the oldest due submission is overdue.",
                "last_commit_seconds": "Seconds since the journal's last commit.",
            }.items()
        }

    def count_webhook(self, verdict: str) -> None:
        """One more webhook with this verdict."""
        if verdict not in self._verdicts:
            self._verdicts[verdict] = self.webhooks.labels(verdict)
        self._verdicts[verdict].inc()

    def compare(self, differs: bool) -> None:
        """Whether the ledger and the provider's totals differ."""
        self._gauges["books_differ"].set(differs)

    def disk(self, journal: bool, media: bool) -> None:
        """Whether the journal, and the store of media, fail."""
        self._gauges["journal_failing"].set(journal)
        self._gauges["media_store_failing"].set(media)

    def render(self, pulse: Pulse, now: float, last_commit_at: float) -> bytes:
        """The text that Prometheus scrapes."""
        overdue = {
            "oldest_due_poll_seconds": pulse.oldest_due_poll,
            "oldest_due_delivery_seconds": pulse.oldest_due_delivery,
            "oldest_due_operation_seconds": pulse.oldest_due_operation,
        }
        for name, due in overdue.items():
            self._gauges[name].set(max(0.0, now - due) if due is not None else 0.0)
        for name in ("open_tasks", "unconfirmed", "waiting", "pending_deliveries", "dead_deliveries"):
            self._gauges[name].set(getattr(pulse, name))
        self._gauges["last_commit_seconds"].set(max(0.0, now - last_commit_at))
        return generate_latest(self.registry)
