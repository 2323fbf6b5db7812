"""Lanes: the road to one destination, shared by all deliveries that go there.

A lane has its own room (so many at once), rate, pauses and circuit breaker, so that a destination that is slow, full or
gone delays nobody else.
"""

from collections.abc import Sequence
from typing import Literal, Protocol

from msgspec import Struct

BREAK_AFTER = 5
"""So many different deliveries failed, with no success in between: the lane is opened, and only probes go."""
COOL_FIRST, COOL_MOST = 30.0, 600.0
"""Seconds before the first probe; doubled after each that fails, up to the second number."""
GIVE_UP = 76 * 3600.0
"""A breaker that has been open for so long holds no longer: each old delivery gets one last try."""


class LanePolicy(Struct, frozen=True):
    """What a connection's owner allows."""

    max_concurrency: int = 8
    interval: float = 0.0
    """Least seconds between two deliveries; 0: no limit."""


class LanePolicies(Struct, frozen=True):
    """How lanes are served: those with a policy of their own, all others, and how many places of the workers go only to
    lanes that have nothing under way."""

    own: dict[str, LanePolicy]
    default: LanePolicy = LanePolicy()
    reserve: int = 0

    def of(self, lane: str) -> LanePolicy:
        """The policy of a lane."""
        return self.own.get(lane, self.default)


class LaneNews(Struct, frozen=True):
    """What one attempt tells of its destination."""

    ok: bool | None = None
    """True: it works. False: it does not. None: it says nothing of that (a refusal of this very delivery)."""
    until: float | None = None
    """Unix seconds: it asked to be left alone until then."""
    pause: str | None = None
    """Why nothing more is to be sent before a person says so."""
    error: str | None = None


class LaneRow(Struct, kw_only=True):
    """A lane as it is."""

    name: str
    paused_at: float | None = None
    reason: str | None = None
    """Why it is paused."""
    held_until: float | None = None
    """Nothing is sent before: it asked for that, or its breaker waits for the next probe."""
    opened_at: float | None = None
    """Since when its breaker is open; ``None``: it is closed."""
    probes: int = 0
    """Probes that failed since then."""
    failing: str = "[]"
    """Ids of the deliveries that failed since the last success (JSON, the first few)."""
    error: str | None = None
    """What was last wrong."""
    next_at: float | None = None
    """By its rate: nothing is sent before."""
    claimed_at: float | None = None
    due: int = 0
    leased: int = 0
    parked: int = 0

    def standing(self, now: float) -> Literal["ok", "held", "open", "paused"]:
        """What keeps deliveries from going there: nothing, its own wish to be left alone, its breaker, or a person."""
        if self.paused_at is not None:
            return "paused"
        if self.opened_at is not None:
            return "open"
        return "held" if (self.held_until or 0.0) > now else "ok"


class LaneUse(Struct, kw_only=True):
    """How a lane was used lately. Times are Unix seconds."""

    name: str
    used_at: float | None
    """The last attempt."""
    done_at: float | None
    """The last that landed."""
    dead: int
    """Deliveries that were given up."""


class Lanes(Protocol):
    """The roads to the destinations."""

    async def all(self) -> list[LaneRow]:
        """Every lane that has work, or whose state is not ordinary, by name."""
        ...

    async def uses(self, names: Sequence[str], newest: int) -> list[LaneUse]:
        """How each of these lanes was used, by the ``newest`` deliveries planned on it; those without any are left
        out."""
        ...

    async def pause(self, lane: str, now: float, reason: str) -> int:
        """Send nothing more there; what is due is parked, and so is all that comes. Returns how many are parked."""
        ...

    async def resume(self, lane: str, now: float) -> int:
        """Go on, with a closed breaker; what was parked, or waited for its next try, is due. Returns how many that
        are."""
        ...

    async def mended(self, lane: str, now: float) -> int:
        """Somebody changed what may have been wrong: as :meth:`resume`, but a pause stays. Returns how many are due."""
        ...
