"""The relay's HTTP face: one Litestar application shows a :class:`relay.relay.Relay` to the world."""

import asyncio
import tempfile
from pathlib import Path
from typing import Any

from litestar import Litestar, Router, asgi
from litestar.di import Provide

from relay.api import openapi
from relay.api.account import get_usage, list_workflows
from relay.api.auth import require_scope
from relay.api.batches import BatchesController
from relay.api.catalogue import CatalogueController
from relay.api.connections import ConnectionsController
from relay.api.deliveries import DeliveriesController
from relay.api.endpoints import EndpointsController, list_notices, who_am_i
from relay.api.errors import HANDLERS
from relay.api.events import list_events
from relay.api.exact import ExactResponse
from relay.api.files import upload_file
from relay.api.health import health, metrics, ready
from relay.api.hooks import HooksController
from relay.api.keys import KeysController
from relay.api.manage import ManageController
from relay.api.media import get_media, head_media
from relay.api.money import MoneyController
from relay.api.other_tasks import OtherTasksController
from relay.api.people import PeopleController
from relay.api.queue import QueueController
from relay.api.realtime import RealtimeController
from relay.api.receive import PATH, webhook_route
from relay.api.recipes import RecipesController
from relay.api.records import RecordsController
from relay.api.sheets import SheetsController, push_hint
from relay.api.slack import slack_interactions
from relay.api.storyboard import StoryboardController
from relay.api.tasks import TasksController
from relay.api.triggers import TriggersController
from relay.api.webhooks import WebhooksController
from relay.recipe import RecipeSet
from relay.relay import Relay
from relay.settings import Settings
from relay.web.reference import Reference, WholeJson
from relay.web.render import templates
from relay.web.site import assets, pages

_PARTS = (
    "account approvals batches callback canceller clock connections deliverer endpoints events governor inputs intake"
    " journal keys metrics people poller provider quotes recipe_files reconciler replayer settler sheets shelf shots"
    " slack_buttons store storyboards trials triggers watches workbench sheet_files"
)
"""What handlers may ask for by these names (:mod:`relay.api.parts`, :mod:`relay.web.parts`)."""


def create_app(relay: Relay) -> Litestar:
    """The relay's HTTP face."""
    guarded = Router(
        path="/",
        route_handlers=[
            TasksController,
            OtherTasksController,
            StoryboardController,
            RealtimeController,
            upload_file,
            get_usage,
            KeysController,
            PeopleController,
            ManageController,
            DeliveriesController,
            QueueController,
            RecordsController,
            MoneyController,
            BatchesController,
            TriggersController,
            SheetsController,
            RecipesController,
            ConnectionsController,
            EndpointsController,
            HooksController,
            WebhooksController,
            list_events,
            list_notices,
            who_am_i,
        ],
        guards=[require_scope(relay.keys, relay.signatures)],
    )
    parts = {name: getattr(relay, name) for name in _PARTS.split()} | {"spool_folder": relay.settings.data / "uploads"}
    return Litestar(
        route_handlers=[
            asgi(PATH, is_mount=True, copy_scope=False)(webhook_route(relay.inbox)),
            guarded,
            push_hint,
            get_media,
            head_media,
            list_workflows,
            CatalogueController,
            slack_interactions,
            pages(relay.people, relay.settings, relay.live),
            assets(),
            health,
            ready,
            metrics,
        ],
        dependencies={name: _provide(part) for name, part in parts.items()},
        exception_handlers=HANDLERS,
        response_class=ExactResponse,
        template_config=templates(),
        openapi_config=openapi.openapi_config([WholeJson(), Reference()]),
        lifespan=[relay.lifespan],
        plugins=[openapi.ExactNumbers()],
        logging_config=None,
    )


def openapi_text() -> bytes:
    """The OpenAPI document as it is committed; needs no settings and leaves nothing behind."""
    with tempfile.TemporaryDirectory() as folder:
        relay = Relay(Settings(data=Path(folder)), RecipeSet())
        try:
            return openapi.text(create_app(relay))
        finally:
            asyncio.run(relay.journal.close())


def _provide(part: Any) -> Provide:
    return Provide(lambda: part, sync_to_thread=False)
