"""What can go wrong on demand: at random for all, from a seed, or for one task by a header."""

import random
import re
from typing import Annotated

from msgspec import Meta, Struct, field

from .errors import Refusal

HEADER = "x-sandbox-fault"
TASK_FAULTS = {
    "fail": "it fails and is refunded",
    "timeout": "it fails after ten minutes of processing and is refunded",
    "stuck": "it never leaves processing",
    "unknown-status": "it shows a status that no contract names, for as long as it is processed",
    "backwards": "it goes back to queued once, before it finishes",
    "slow-create": "it is accepted only after so many seconds (default 5); its idempotency key is in flight until then",
    "lost-answer": "it is accepted and charged, and the connection is closed without an answer",
    "drop-webhook": "its webhooks are never sent",
    "duplicate-webhook": "each of its webhooks is sent twice",
    "late-webhook": "its webhooks are sent so many seconds later (default 30)",
    "stale-webhook": "its webhooks are signed ten minutes in the past",
    "html-output": "its MP4 address answers 200 with a web page",
    "truncated-output": "its MP4 declares its whole length and breaks off half way",
    "output-404": "its MP4 address answers 404",
}
"""What the header may ask for. Names are joined by commas; seconds follow an equals sign."""
SECONDS = {"slow-create": 5.0, "late-webhook": 30.0}
"""Those that take seconds, divided by the speed like every other time, and their defaults."""

Share = Annotated[float, Meta(ge=0, le=1)]


class Faults(Struct, forbid_unknown_fields=True):
    """Rates are shares from 0 to 1; times are seconds."""

    drop_webhooks: Share = 0.0
    """Webhooks that are never sent."""
    duplicate_webhooks: bool = False
    """Each webhook is sent twice."""
    reorder: bool = False
    """A webhook waits until a later one has overtaken it."""
    stale_webhooks: bool = False
    """Signed with a timestamp of ten minutes ago."""
    fail_rate: Share = 0.0
    """Tasks that fail."""
    error_rate: Share = 0.0
    """Requests that are answered with an error before anything is done."""
    error_status: Annotated[str, Meta(pattern="^(5xx|[45][0-9][0-9])$")] = "5xx"
    """``5xx`` (500 or 503, drawn), or one status such as ``429``."""
    error_paths: list[str] = field(default_factory=list[str])
    """Only requests whose path starts with one of these; empty: all of ``/v1``."""
    lost_answers: Share = 0.0
    """Creates that are accepted and charged, and whose answer never arrives."""
    slow: Annotated[float, Meta(ge=0)] = 0.0
    """How long each answer is held back once its work is done. Not divided by the speed."""


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


def task_faults(header: str | None) -> dict[str, float]:
    """``fail, late-webhook=60`` → ``{"fail": 0.0, "late-webhook": 60.0}``.

    Raises :class:`Refusal` for a name that is none of :data:`TASK_FAULTS`: a misspelt fault would let a test pass
    that never met it.
    """
    parts = [part.strip() for part in (header or "").split(",") if part.strip()]
    return dict(_task_fault(part) for part in parts)


def _task_fault(part: str) -> tuple[str, float]:
    name, equals, seconds = (piece.strip() for piece in part.partition("="))
    if name not in TASK_FAULTS:
        raise _bad(f"{name!r} is no fault; there are {', '.join(TASK_FAULTS)}")
    if not equals:
        return name, SECONDS.get(name, 0.0)
    if name not in SECONDS or not re.fullmatch(r"\d{1,6}(\.\d{1,3})?", seconds, re.ASCII):
        raise _bad(f"{part!r}: seconds can be given to {' and '.join(SECONDS)}, as in {name}=30")
    return name, float(seconds)


def _bad(message: str) -> Refusal:
    return Refusal(400, "bad_request", f"The header {HEADER} is wrong: {message}.")
