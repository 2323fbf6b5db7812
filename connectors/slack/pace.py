"""Slack takes about one message a second in a channel: each delivery gets its turn, and comes back for it."""

from connectors.base import Wait

LATE = 5
"""Seconds that a turn is kept; who comes later gets a new one."""


class Pace:
    """The turns of all channels, one a second, first come first served. Lives as long as the process."""

    def __init__(self) -> None:
        self._turns: dict[tuple[str, ...], dict[str, int]] = {}
        self._last: dict[tuple[str, ...], int] = {}
        self._seen = 0

    def take(self, channel: tuple[str, ...], key: str, at: int) -> None:
        """Returns if it is the turn of the delivery ``key`` at ``at`` (seconds); until then raises :class:`Wait`."""
        if at < self._seen - LATE:  # the clock was set back: turns of a time to come would hold everybody up
            self._turns.clear()
            self._last.clear()
        self._seen = at
        turns = self._turns.setdefault(channel, {})
        while turns and at - next(iter(turns.values())) > LATE:  # turns stand in the order of their time
            del turns[next(iter(turns))]
        turn = turns.get(key)
        if turn is None:
            turn = self._last[channel] = turns[key] = max(at, self._last.get(channel, 0) + 1)
        if turn > at:
            raise Wait("others post to this channel first: Slack takes one message a second", after=float(turn - at))
        del turns[key]
