"""A journal that was put back from an older copy: what it has forgotten, and why something is held because of that.

What the relay did between the copy and the restore is not in the journal any more, but it has happened: videos were
paid for, deliveries arrived. So whatever was begun before the restore and would cost or reach somebody now is not done
by itself; a person decides.
"""

from datetime import UTC, datetime

from msgspec import Struct


class Restored(Struct, frozen=True):
    """The last restore. Times are Unix seconds."""

    at: float
    """When the copy was put back."""
    taken_at: float
    """When the copy was taken."""

    @property
    def reason(self) -> str:
        """Whence the journal is, in words that all that is held because of it has in common."""
        moment = datetime.fromtimestamp(self.taken_at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        return f"restored from a copy taken at {moment}"

    @property
    def may_be_paid(self) -> str:
        """Why an operation is held."""
        return f"{self.reason}: it may have been sent since"

    @property
    def may_have_arrived(self) -> str:
        """Why a delivery is held."""
        return f"{self.reason}: it may have arrived since; replay it if it has not"


class Held(Struct, kw_only=True):
    """What a restore holds back, and what may still turn out to be held."""

    operations: int
    """Queued or under way in the copy; unconfirmed now."""
    unconfirmed: int
    """Unconfirmed in the copy already."""
    deliveries: int
    """On their way in the copy; dead letters now, with those that wait behind them."""
    open_tasks: int
    """Not over in the copy: what they have told since may have been delivered already."""
    rows: int
    """Rows of running batches that are no task in the copy; they become unconfirmed ones."""
