"""Delivery workers: lease what is due, render it, call the connector, write down what became of it."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import httpx
import msgspec

from connectors.base import Connector, Delivery, DeliveryError, MediaFile, Outcome, Reject, Retry, Wait
from relay.clock import Clock
from relay.contract import ACTIONABLE, encode
from relay.journal import (
    GIVE_UP,
    Briefing,
    DeliveryRow,
    Entry,
    Journal,
    LanePolicies,
    MediaRow,
    Settlement,
    TaskRow,
    Unavailable,
)
from relay.log import blanked_by_name
from relay.recipe import Recipe, RecipeSet, Renderer, RenderError, Step, parse
from relay.settings import Settings
from relay.vault import Vault

from .approvals import Approvals
from .archive import DISK_AGAIN, MediaStore
from .connections import Connections
from .context import context_of, occasion_event
from .groups import read_name
from .lanes import news_of
from .loop import Loop, log
from .notes import JournalNotes
from .occasions import plan_dead
from .plan import Labels, failed_step, labels_of, plan_failure, step_of
from .retry import RETRY_AFTER_MOST, next_try
from .scrub import scrub
from .view import event, media_link

SOON = 0.05
"""Seconds until the next look after one that found something."""


@dataclass(frozen=True, slots=True)
class Job:
    """A delivery with everything that its attempt needs."""

    row: DeliveryRow
    task: TaskRow | None
    event: dict[str, Any]
    """What its receiver gets, and its templates see."""
    media: list[MediaRow]
    siblings: list[DeliveryRow]
    """All deliveries of the same task."""
    recipe: Recipe | None
    """``None`` for the built-in archive."""
    step: Step


class Deliverer(Loop):
    """Hands due deliveries to their connectors, so many at once. A new finish calls :meth:`nudge`."""

    def __init__(
        self,
        journal: Journal,
        clock: Clock,
        recipes: Callable[[], RecipeSet],
        renderer: Renderer,
        connectors: Mapping[str, Connector],
        store: MediaStore,
        http: httpx.AsyncClient,
        settings: Settings,
        vault: Vault,
        connections: Connections,
        approvals: Approvals | None = None,
    ) -> None:
        super().__init__("deliverer", clock)
        self._journal = journal
        self._recipes = recipes
        self._renderer = renderer
        self._connectors = connectors
        self._store = store
        self._http = http
        self._settings = settings
        self._vault = vault
        self._connections = connections
        self._approvals = approvals
        self._running: set[asyncio.Task[None]] = set()
        self._held: dict[str, DeliveryRow] = {}
        """What is under way, by id."""
        self._trying: set[str] = set()
        """Those of them that take a worker. What is only to be written down takes none."""
        self._claiming = asyncio.Lock()
        self._beating: asyncio.Task[None] | None = None

    async def step(self) -> float:
        deliveries = self._journal.deliveries
        policies = LanePolicies(self._connections.policies, reserve=self._settings.workers // 2)
        if self._free() <= 0:
            return 1.0
        async with self._claiming:
            claimed = await deliveries.claim(self._clock.now(), self._free, self._settings.lease_seconds, policies)
            for briefing in claimed:
                if not self._at_it(briefing.delivery):
                    self._held[briefing.delivery.id] = briefing.delivery
                    self._trying.add(briefing.delivery.id)
                    self.spawn(self._running, self.work(briefing), nudges=False)  # it nudges when it is to be settled
        if claimed:
            self._keep_leases()
            return SOON
        return self.until(await deliveries.next_due(self._clock.now(), self._free(), policies))

    def _free(self) -> int:
        """How many more attempts may be made at once; asked by the journal's writer too, in its own thread."""
        return self._settings.workers - len(self._trying)

    async def drain(self) -> None:
        try:
            async with self._claiming:  # what is handed out in this moment begins yet
                pass
            await self.finish(self._running)
        finally:
            if self._beating is not None:
                self._beating.cancel()

    def _at_it(self, row: DeliveryRow) -> bool:
        """Whether what was claimed is under way here already: its lease ran out while the journal could not be used, or
        because the clock was set. Then it goes on, under the new fence."""
        known = self._held.get(row.id)
        if known is not None:
            known.fence = row.fence
        return known is not None

    def _keep_leases(self) -> None:
        """Have somebody lengthen the leases of what is under way, for as long as anything is."""

        async def renew() -> int:
            fences = {row.id: row.fence for row in self._held.values()}
            return await self._journal.deliveries.renew(fences, self._clock.now() + self._settings.lease_seconds)

        async def beat() -> None:
            while self._held:
                await self._clock.sleep(self._settings.lease_seconds / 3)
                await self.insist(renew)

        if self._beating is None or self._beating.done():
            self._beating = asyncio.create_task(beat())

    async def work(self, briefing: Briefing) -> None:
        """One attempt at a leased delivery, from its lease to its settlement."""
        try:
            await self._work(briefing.delivery, await self._job(briefing))
        finally:
            self._held.pop(briefing.delivery.id, None)
            if briefing.delivery.id in self._trying:  # it did not say when its worker was free
                self._trying.remove(briefing.delivery.id)
                self.nudge()

    async def _work(self, row: DeliveryRow, job: Job) -> None:
        started = self._clock.now()
        request: dict[str, Any] = {}
        try:
            config, delivery = self._config(job, request), await self._delivery(job)
        except DeliveryError as error:
            settlement = self._failed(job, error)
        else:
            settlement = await self._tried(job, config, delivery)
        seconds = round(settlement.delivery.updated_at - started, 3)
        settlement.history[0].data |= {"request": request, "seconds": seconds}
        if not await self._settle(row, scrub(settlement)):
            log.warning("delivery %s took longer than its lease; another worker's result counts", row.id)

    async def _settle(self, row: DeliveryRow, settlement: Settlement) -> bool:
        """False: the lease went to another worker. What comes next is claimed at once, in the same commit."""

        async def settle() -> bool:
            self.nudge()
            try:
                return await self._journal.deliveries.settle(settlement)
            except Unavailable:  # it keeps a worker until it ends: what is done and not written down must not grow
                self._trying.add(row.id)
                raise

        self._trying.discard(row.id)
        while True:
            settlement.delivery.fence = row.fence
            if await self.insist(settle):
                return True
            if settlement.delivery.fence == row.fence:
                return False

    async def _job(self, briefing: Briefing) -> Job:
        row = briefing.delivery
        recipe = await self._recipe(row)
        return Job(
            row=row,
            task=briefing.task,
            event=self._event(briefing),
            media=briefing.media,
            siblings=briefing.siblings,
            recipe=recipe,
            step=step_of(recipe, row.step) if recipe else Step(use=row.use),
        )

    def _event(self, briefing: Briefing) -> dict[str, Any]:
        links = [media_link(media, self._settings.url) for media in briefing.media]
        if briefing.occasion is not None:
            return occasion_event(briefing.occasion, links)
        assert briefing.task is not None, "a delivery is written together with its task, or with its occasion"
        assert briefing.finish is not None, "a delivery is written together with its event"
        return event(briefing.finish, briefing.task, links)

    async def _recipe(self, row: DeliveryRow) -> Recipe | None:
        """The recipe as it was when the delivery was planned, even if it has been edited since."""
        if not row.recipe_hash:
            return None
        known = self._recipes().by_hash(row.recipe_hash)
        if known is not None:
            return known
        kept = await self._journal.deliveries.recipe(row.recipe_hash)
        if kept is None:
            raise LookupError(f"recipe {row.recipe} ({row.recipe_hash[:12]}) is not in the journal")
        return parse(kept[1], kept[0])

    def _config(self, job: Job, request: dict[str, Any]) -> Any:
        """Render the step's ``with:`` and check it. Nobody can mend these errors by waiting."""
        connector = self._connectors.get(job.row.use)
        if connector is None:
            raise Reject(
                f"there is no connector named {job.row.use!r}; there are {', '.join(sorted(self._connectors))}"
            )
        try:
            seen = self._seen(job)
            rendered = self._renderer.render(job.recipe, job.step, seen) if job.recipe else {}
            request.update(blanked_by_name(msgspec.json.decode(encode(rendered))))
            return msgspec.convert(rendered, connector.Config)
        except RenderError as error:
            raise Reject(str(error)) from error
        except msgspec.ValidationError as error:
            raise Reject(f"the step's `with:` does not fit {job.row.use}: {error}") from error

    def _seen(self, job: Job) -> dict[str, Any]:
        """What the templates see: besides the event, the link that a decision is asked by. Receivers do not get it."""
        seen = context_of(job.event, job.row, job.siblings, job.recipe)
        task = seen.get("task")
        if self._approvals is not None and task and task["status"] in ACTIONABLE and task.get("storyboard"):
            link = self._approvals.link(task["id"], job.event["revision"], job.event["created_at"])
            seen["task"] = {**task, "approval_url": link}
        return seen

    async def _tried(self, job: Job, config: Any, delivery: Delivery) -> Settlement:
        """The attempt itself; only one that was made tells anything of its lane."""
        try:
            result = await self._attempt(job, config, delivery)
            settlement = self._done(job, result)
        except DeliveryError as error:
            result, settlement = error, self._failed(job, error)
        settlement.lane = news_of(job.row, result, self._clock.now(), RETRY_AFTER_MOST)
        return settlement

    async def _attempt(self, job: Job, config: Any, delivery: Delivery) -> Outcome:
        connector = self._connectors[job.row.use]
        settings = self._settings
        limit = settings.media_timeout_seconds if connector.moves_media else settings.timeout_seconds
        limit = job.step.timeout or limit
        try:
            async with asyncio.timeout(limit):
                return await connector.deliver(config, delivery)
        except DeliveryError:
            raise
        except TimeoutError as error:
            raise Retry(f"it took longer than {limit:g} s") from error
        except Unavailable as error:  # a connector's notes, or the archive's: the destination has no part in it
            raise Wait(str(error), after=DISK_AGAIN) from error
        except httpx.HTTPError as error:
            raise Retry(f"the connection failed: {str(error) or type(error).__name__}") from error
        except Exception as error:  # a connector's bug must not lose the delivery: it is retried and recorded
            log.exception("connector %s failed on delivery %s", job.row.use, job.row.id)
            raise Retry(f"the connector {job.row.use} failed: {type(error).__name__}") from error

    async def _delivery(self, job: Job) -> Delivery:
        connection: Mapping[str, str] = {}
        if job.row.connection is not None:
            connection = await self._connections.use(job.row.connection, job.row.use)
        position = read_name(job.row.step).item or 0
        media: MediaFile | None = self._store.open(job.media[position]) if position < len(job.media) else None
        return Delivery(
            key=job.row.id,
            attempt=max(1, job.row.attempts),
            at=int(self._clock.wall()),
            event=job.event,
            connection=connection,
            http=self._http,
            notes=self._notes(job.row.id),
            task_notes=self._notes(f"{job.row.task_id}/{job.row.connection or ''}"),
            media=media,
            why_not=partial(self._why_not, job),
        )

    def _why_not(self, job: Job, setting: str, names: Mapping[str, Any]) -> str:
        assert job.recipe is not None, "only a step of a recipe has settings"
        seen = context_of(job.event, job.row, job.siblings, job.recipe)
        return self._renderer.why_not(job.recipe, job.step, setting, {**seen, **names})

    def _notes(self, scope: str) -> JournalNotes:
        return JournalNotes(self._journal, self._clock, self._vault, scope)

    def _done(self, job: Job, outcome: Outcome) -> Settlement:
        row = self._settled(job.row, "done")
        row.probe = 0
        known = {"url": outcome.url, "detail": dict(outcome.detail)}
        row.outcome, row.error = encode(known).decode(), None
        return Settlement(delivery=row, history=[self._entry(row, "delivery.done", known)])

    def _failed(self, job: Job, error: DeliveryError) -> Settlement:
        row = self._settled(job.row, "dead")
        data: dict[str, Any] = {"error": error.reason, "detail": dict(error.detail)}
        if isinstance(error, Retry) and row.probe == 1:  # its lane is down: that is not held against it
            row.state, row.due_at, row.error = "due", row.updated_at, error.reason
            return Settlement(delivery=row, history=[self._entry(row, "delivery.probed", data)])
        if isinstance(error, Wait) and row.updated_at - row.created_at < GIVE_UP:
            return self._waiting(row, error)
        row.failures, row.error = row.failures + 1, error.reason
        last = row.probe == 2 and row.updated_at - row.created_at > GIVE_UP
        again = next_try(row, job.step.retry, error.after, self._clock) if isinstance(error, (Retry, Wait)) else None
        if again is not None and not last:
            row.state, row.due_at = "due", again
            data["next_at"] = row.due_at
            return Settlement(delivery=row, history=[self._entry(row, "delivery.failed", data)])
        told = job.recipe is not None and failed_step(row.step) is None
        planned = plan_failure(row, job.recipe, row.updated_at, self._clock.new_id) if job.recipe and told else []
        settlement = Settlement(delivery=row, history=[self._entry(row, "delivery.dead", data)], deliveries=planned)
        self._tell_others(job, settlement)
        return settlement

    def _waiting(self, row: DeliveryRow, error: Wait) -> Settlement:
        """Nothing went wrong, so nothing is counted."""
        row.attempts -= row.probe != 1  # a probe's claim has not counted it
        row.state, row.due_at = "due", row.updated_at + min(error.after, RETRY_AFTER_MOST)
        data = {"reason": error.reason, "detail": dict(error.detail), "next_at": row.due_at}
        return Settlement(delivery=row, history=[self._entry(row, "delivery.waiting", data)])

    def _tell_others(self, job: Job, settlement: Settlement) -> None:
        """A dead letter is an occasion for the recipes that are ``on: delivery.dead``."""
        seen = context_of(job.event, job.row, job.siblings, job.recipe)
        labels = labels_of(job.task) if job.task else Labels()
        told = plan_dead(settlement.delivery, seen, self._recipes(), self._renderer, self._clock.new_id, labels)
        if told is not None:
            settlement.occasions.append(told[0])
            settlement.deliveries += told[1]

    def _settled(self, row: DeliveryRow, state: Any) -> DeliveryRow:
        return msgspec.structs.replace(row, state=state, due_at=None, updated_at=self._clock.now())

    def _entry(self, row: DeliveryRow, kind: str, data: dict[str, Any]) -> Entry:
        about = {"delivery": row.id, "recipe": row.recipe, "step": row.step, "use": row.use}
        return Entry(task_id=row.task_id, at=row.updated_at, kind=kind, data={**about, "attempt": row.attempts, **data})
