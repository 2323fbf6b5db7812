"""What can go wrong on demand: at random for all, from a seed, or for one task by a header."""

import random

from msgspec import Struct, field

HEADER = "x-sandbox-fault"


class Faults(Struct, forbid_unknown_fields=True):
    """Rates are shares from 0 to 1; times are seconds."""

    drop_webhooks: float = 0.0
    duplicate_webhooks: bool = False
    """Each webhook is sent twice."""
    reorder: bool = False
    """A webhook waits until a later one has overtaken it."""
    stale_webhooks: bool = False
    """Signed with a timestamp of ten minutes ago."""
    fail_rate: float = 0.0
    """Tasks that fail."""
    error_rate: float = 0.0
    """Requests that are answered with an error before anything is done."""
    error_status: str = "5xx"
    """``5xx`` (500 or 503, drawn), or one status such as ``429``."""
    error_paths: list[str] = field(default_factory=list[str])
    """Only requests whose path starts with one of these; empty: all of ``/v1``."""
    lost_answers: float = 0.0
    """Creates that are accepted and charged, and whose answer never arrives."""
    slow: float = 0.0
    """How long each answer is held back once its work is done."""


class Dice:
    """Chance from a seed. Each kind of fault has its own row of throws, so that one does not disturb another."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._rows: dict[str, random.Random] = {}

    def of(self, kind: str) -> random.Random:
        """The row of throws for ``kind``."""
        if kind not in self._rows:
            self._rows[kind] = random.Random(f"{self._seed}:{kind}")  # noqa: S311 (repeatable on purpose)
        return self._rows[kind]

    def hits(self, kind: str, rate: float) -> bool:
        """Whether the next throw of ``kind`` falls within ``rate``."""
        return rate > 0 and self.of(kind).random() < rate


def task_faults(header: str | None) -> dict[str, str]:
    """``fail, late-webhook=30`` → ``{"fail": "", "late-webhook": "30"}``."""
    parts = [part.strip() for part in (header or "").split(",") if part.strip()]
    return {name.strip(): value.strip() for name, _, value in (part.partition("=") for part in parts)}
