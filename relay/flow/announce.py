"""Whom an observation is told to: the endpoints that asked for such events, in the same transaction as the news."""

from relay.clock import Clock
from relay.journal import Change, DeliveryRow, EndpointRow, Finish, Journal

from .endpoints import UPDATED, endpoint_delivery
from .plan import ARCHIVE


class Announcer:
    """Adds to a change the deliveries that it causes at customers' endpoints."""

    def __init__(self, journal: Journal, clock: Clock) -> None:
        self._journal = journal
        self._clock = clock

    async def announce(self, change: Change) -> None:
        """Plan for every active endpoint that may hear of the task and asked for the event."""
        told = [one for one in await self._journal.endpoints.active() if one.owner in (None, change.task.client)]
        if any(UPDATED in one.events.split() for one in told):
            change.update = self._update(change)
        archive = [row for row in change.deliveries if row.recipe == ARCHIVE]
        for event in filter(None, (change.update, change.finish)):
            for endpoint in told:
                if event.event in endpoint.events.split():
                    # an endpoint that hears of the finish is a route, too
                    change.deliveries = [
                        row for row in change.deliveries if row.event_id != event.event_id or row.state != "unrouted"
                    ]
                    change.deliveries.append(self._delivery(event, endpoint, archive))

    def _update(self, change: Change) -> Finish:
        task = change.task
        assert task.observed is not None, "a change is made of what was observed"
        assert task.told_by is not None
        return Finish(
            task_id=task.id,
            revision=task.revision,
            event_id=self._clock.new_id("evt"),
            event=UPDATED,
            at=task.updated_at,
            observed=task.observed,
            told_by=task.told_by,
        )

    def _delivery(self, event: Finish, endpoint: EndpointRow, archive: list[DeliveryRow]) -> DeliveryRow:
        """A hook is told of our own copy of the video, so it waits for that. A webhook gets the provider's word as it
        is, at once: it must not depend on our disk."""
        row = endpoint_delivery(event, endpoint.id, self._clock.new_id, event.at)
        if endpoint.kind == "hook" and archive:
            row.waits_for, row.blockers, row.state, row.due_at = [archive[0].id], 1, "waiting", None
        return row
