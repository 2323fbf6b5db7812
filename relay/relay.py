"""The whole relay as one object: every part, built in the order in which they depend on each other."""

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncGenerator
from functools import partial
from urllib.parse import urlsplit

from connectors import discover
from relay.clock import Clock, SystemClock
from relay.flow.account import Account
from relay.flow.approvals import Approvals
from relay.flow.archive import Archive, MediaStore
from relay.flow.batches import Batches, Summary
from relay.flow.callback import Callback
from relay.flow.cancel import Canceller
from relay.flow.connections import Connections
from relay.flow.deliver import Deliverer
from relay.flow.endpoints import Endpoints
from relay.flow.estimate import Prices, Quotes
from relay.flow.events import Events
from relay.flow.govern import Governor
from relay.flow.housekeeping import Housekeeping
from relay.flow.inbox import Inbox
from relay.flow.inputs import DeepCheck, Inputs
from relay.flow.intake import Intake
from relay.flow.keys import Keys
from relay.flow.look import Look
from relay.flow.observe import Observer, Pace
from relay.flow.occasions import Batch as BatchDone
from relay.flow.occasions import Herald
from relay.flow.people import People
from relay.flow.plan import labels
from relay.flow.poll import Budget, Poller
from relay.flow.recipe_files import RecipeFiles
from relay.flow.reconcile import Reconciler
from relay.flow.replay import Replayer
from relay.flow.schedule import Hours
from relay.flow.settle import Settler
from relay.flow.sheet_files import SheetFiles
from relay.flow.sheets import Sheets
from relay.flow.shelf import Shelf
from relay.flow.shots import Shots
from relay.flow.signatures import Signatures
from relay.flow.slack_buttons import SlackButtons
from relay.flow.storyboard import Storyboards
from relay.flow.targets import Targets
from relay.flow.trial import Trials
from relay.flow.triggers import Triggers
from relay.flow.watches import Watches
from relay.flow.workbench import Workbench
from relay.journal import BatchRow, SqliteJournal
from relay.log import hide
from relay.metrics import Metrics
from relay.net import Egress, GuardedClient, guarded_client, resolve
from relay.providers import BeatApi
from relay.recipe import RecipeSet, Renderer
from relay.settings import Settings
from relay.vault import open_vault
from relay.web.live import Live

log = logging.getLogger("beatrelay")


class Relay:
    """A whole relay: its parts in the order in which they depend on each other."""

    def __init__(self, settings: Settings, recipes: RecipeSet, clock: Clock | None = None) -> None:
        self.settings = settings
        self.clock = clock or SystemClock()
        self.metrics = Metrics()
        self._leave_by: float | None = None
        self.journal = SqliteJournal.open(settings.data / "journal.db")
        self.vault = open_vault(settings.vault_key, settings.vault_path, make=not self.journal.sealed.at_start)
        own, allowed = _origin(settings.beatapi_base_url), settings.allow_private
        client = partial(
            guarded_client, timeout=settings.timeout_seconds, connect_timeout=settings.connect_timeout_seconds
        )
        self._clients = {
            # the provider's own host is configured by the operator; its media may live there too
            "provider": client(Egress([*allowed, own])),
            "media": client(Egress([*allowed, own])),
            "deliveries": client(Egress(allowed)),
            "self": client(Egress([*allowed, _origin(settings.url)])),
        }
        self.provider = BeatApi(
            self._clients["provider"],
            settings.beatapi_base_url,
            settings.beatapi_api_key,
            settings.beatapi_webhook_secret,
            contract=settings.beatapi_contract,
            polls_per_minute=settings.polls_per_minute,
            timeout=settings.timeout_seconds,
            upload_timeout=settings.media_timeout_seconds,
        )
        self.store = MediaStore(settings.data / "media")
        self.keys = Keys(self.journal, self.clock, settings.client_keys)
        self.signatures = Signatures(self.clock, settings.trigger_secrets)
        self.people = People(self.journal, self.clock, self.keys, settings.url)
        self.live = Live(self.clock, self.journal.last_commit_at)
        targets = Targets(Egress(allowed), resolve)
        self.endpoints = Endpoints(self.journal, self.clock, self.vault, targets, self._news)
        self.events = Events(self.journal, settings.url)
        self.inputs = Inputs(settings.beatapi_base_url, resolve, self._deep_check(client(Egress(allowed))))
        hide([settings.beatapi_api_key, *settings.beatapi_webhook_secret, *settings.api_keys])
        hide([secret for some in settings.trigger_secrets.values() for secret in some])
        self._build_line(recipes)

    @property
    def recipes(self) -> RecipeSet:
        """Those in use now."""
        return self.shelf.recipes

    def _build_line(self, recipes: RecipeSet) -> None:
        settings, journal, clock = self.settings, self.journal, self.clock
        renderer, pace = Renderer(), Pace(settings.poll_min_seconds, settings.poll_max_seconds)
        connectors, problems = discover()
        for problem in problems:
            log.warning("%s", problem)
        configs = {name: connector.Config for name, connector in connectors.items()}
        self.shelf = Shelf(journal, clock, settings.recipes, recipes)
        archive = Archive(self.store, journal, clock, self._clients["media"], settings.media_max_bytes)
        self.callback = Callback(
            journal, clock, self.endpoints, settings.timeout_seconds, self._clients["deliveries"], settings.url
        )
        self.observer = Observer(journal, clock, lambda: self.recipes, renderer, pace, self._news)
        self.governor = Governor(journal, clock, self.provider)
        prices = Prices(settings.rates, self.governor)
        self.account = Account(
            journal,
            clock,
            self.vault,
            self.provider,
            self.keys,
            self.governor,
            settings,
            self._clients["self"],
            self._news,
        )
        self.reconciler = Reconciler(journal, clock, self.provider, self.governor)
        self.quotes = Quotes(journal, self.governor, prices)
        self.intake = Intake(
            journal, clock, self.provider, self.observer, self.governor, prices, lease=settings.lease_seconds
        )
        self.sheets = Sheets(journal, clock, self.quotes, settings.data / "batches")
        self.sheet_files = SheetFiles(journal, self.provider, settings.data / "uploads")
        self.batches = Batches(journal, clock, self.intake, self.governor, settings.url, self._batch_completed)
        self.triggers = Triggers(journal, self.intake, self.inputs, self.quotes, settings.url)
        self.canceller = Canceller(journal, clock, self.observer)
        self.poller = Poller(
            journal,
            clock,
            self.provider,
            self.observer,
            pace,
            budget=Budget(self.provider.polls_per_minute, clock),
            grace=settings.webhook_grace_seconds,
            lease=settings.lease_seconds,
        )
        self.connections = Connections(
            journal, clock, self.vault, connectors, settings.connections, self._clients["deliveries"], self._news
        )
        self.workbench = Workbench(journal, self.connections, configs, settings.url)
        self.recipe_files = RecipeFiles(journal, clock, settings.recipes, self.shelf, self.workbench)
        self.approvals = Approvals(journal, clock, self.vault, settings.url)
        self.storyboards = Storyboards(journal, self.intake, prices)
        self.shots = Shots(self.provider, clock, self._clients["media"])
        deliveries = self._clients["deliveries"]
        self.slack_buttons = SlackButtons(self.connections, self.approvals, self.storyboards, clock, deliveries)
        self.watches = Watches(settings, journal, clock, self.intake, self.quotes, self.connections, deliveries)
        self.deliverer = Deliverer(
            journal,
            clock,
            lambda: self.recipes,
            renderer,
            {**connectors, archive.name: archive, self.callback.name: self.callback},
            self.store,
            self._clients["deliveries"],
            settings,
            self.vault,
            self.connections,
            self.approvals,
        )
        self.trials = Trials(journal, clock, self._news)
        self.replayer = Replayer(journal, clock, lambda: self.recipes, renderer, self._news)
        self.settler = Settler(journal, clock, self.provider, self.observer, timeout=settings.timeout_seconds)
        self.inbox = Inbox(
            journal, clock, self.provider, self.poller.nudge, self.settler.nudge, self.metrics.count_webhook
        )
        self.herald = Herald(journal, clock, lambda: self.recipes, renderer, self._news)
        self.hours = Hours(journal, clock, lambda: self.recipes, self.herald)
        self.housekeeping = Housekeeping(journal, clock, settings.retention_days, self.reconciler)
        line = (self.intake, self.poller, self.settler, self.deliverer, self.batches)
        self.loops = (*line, self.hours, self.shelf, *self.watches.loops)

    def _deep_check(self, client: GuardedClient) -> DeepCheck | None:
        self._clients["inputs"] = client
        mode = self.settings.input_check
        if mode == "off":
            return None
        look = Look(client, self.settings.data / "uploads", seconds=self.settings.input_check_seconds)
        return DeepCheck(look, self.provider.file_rules, refuse=mode == "refuse")

    def _news(self) -> None:
        self.intake.nudge()  # a slot may be free
        self.poller.nudge()
        self.deliverer.nudge()
        self.batches.nudge()
        self.watches.news()

    async def _batch_completed(self, batch: BatchRow, summary: Summary, ended_at: float) -> None:
        carried = labels(batch.tags, "", batch.client, batch.recipes)
        done = BatchDone(summary.id, summary.name, summary.done, summary.failed, summary.credits, carried)
        await self.herald.batch_completed(done, ended_at)

    async def unlock(self) -> None:
        """See that what is sealed in the journal can be opened. Raises :class:`relay.vault.VaultError`."""
        for sealed, place in await self.journal.sealed.sample():
            self.vault.open(sealed, place)

    async def start(self) -> None:
        """Begin to work."""
        await self.account.start()
        await self.shelf.start()
        await self.approvals.start()
        for problem in await self.connections.start():
            log.warning("%s", problem)
        await self.connections.heed_the_file()
        self.housekeeping.start()
        self._working = [asyncio.create_task(loop.run(), name=loop.name) for loop in self.loops]

    def leave(self) -> None:
        """The signal to stop came: nothing new is taken, and the time to finish runs from now, not from when the last
        request has been answered."""
        self.live.closing = True
        self._leave_by = time.monotonic() + self.settings.drain_seconds
        for loop in self.loops:
            loop.rest()

    async def stop(self) -> None:
        """Drain: take nothing new, finish what is under way, write it down. What does not finish in time
        stays leased and is due again at the next start, under the same key."""
        self.housekeeping.stop()
        now = time.monotonic()
        try:
            async with asyncio.timeout((self._leave_by or now + self.settings.drain_seconds) - now):
                await asyncio.gather(self.slack_buttons.drain(), *(loop.stop() for loop in self.loops))
        except TimeoutError:
            log.warning(
                "work under way did not finish in %g s; it goes on at the next start",
                self.settings.drain_seconds,
            )
        for task in self._working:
            task.cancel()
        await asyncio.gather(*self._working, *(loop.abandon() for loop in self.loops), return_exceptions=True)
        for client in self._clients.values():
            await client.aclose()
        await self.journal.close()

    @contextlib.asynccontextmanager
    async def lifespan(self, _: object) -> AsyncGenerator[None]:
        """The relay works as long as the application runs."""
        await self.start()
        try:
            yield
        finally:
            await self.stop()


def _origin(url: str) -> str:
    parts = urlsplit(url)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    return f"{parts.hostname}:{port}"
