"""Pages that stay true by themselves: a stream that says when the journal has news, and nothing else.

What a page shows then is asked for again by the page, so that there is one way to render it.
"""

from collections.abc import AsyncGenerator, Callable

from litestar import get
from litestar.di import NamedDependency
from litestar.params import SkipValidation
from litestar.response import ServerSentEvent, ServerSentEventMessage

from relay.clock import Clock

EVERY = 1.0
"""Seconds between two looks at the journal."""
BEAT = 20
"""Looks without news after which a comment goes out, so that proxies and dead peers are noticed."""


class Live:
    """Tells open pages when to look again. ``last_commit`` tells when the journal last changed."""

    def __init__(self, clock: Clock, last_commit: Callable[[], float]) -> None:
        self._clock = clock
        self._last_commit = last_commit
        self.closing = False
        """The server is about to end: streams end first, or it would wait for them."""

    async def news(self) -> AsyncGenerator[ServerSentEventMessage]:
        """One message for every second in which something was written."""
        seen, quiet = self._last_commit(), 0
        yield ServerSentEventMessage(comment="listening", retry=3000)
        while not self.closing:
            await self._clock.sleep(EVERY)
            at = self._last_commit()
            quiet = 0 if at != seen else quiet + 1
            if at != seen:
                yield ServerSentEventMessage(event="news", data=f"{at:.3f}")
            elif quiet % BEAT == 0:
                yield ServerSentEventMessage(comment="still here")
            seen = at


@get("/live")
async def live_stream(live: NamedDependency[SkipValidation[Live]]) -> ServerSentEvent:
    """The stream."""
    return ServerSentEvent(live.news())
