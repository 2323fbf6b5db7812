"""All pages, behind one gate; and their assets."""

from pathlib import Path
from typing import Any

from litestar import Router
from litestar.di import Provide
from litestar.plugins.htmx import HTMXRequest
from litestar.static_files import create_static_files_router  # pyright: ignore[reportUnknownVariableType]
from litestar.types import ASGIApp

from relay.flow.people import People
from relay.settings import Settings

from .batches import BatchPages
from .connections import ConnectionPages
from .deliveries import DeliveryPages
from .endpoints import EndpointPages
from .gallery import GalleryPages
from .gate import PAGES, Gate, Session, allow
from .home import home
from .keys import KeyPages
from .live import Live, live_stream
from .once import Once
from .people import PeoplePages
from .recipes import RecipePages
from .render import HEADERS
from .settings import settings_page
from .setup import SetupPages
from .sign_in import SignInController
from .storyboard import ApprovalPages, StoryboardPages
from .tasks import TaskPages

HANDLERS: list[Any] = [
    SignInController,
    home,
    TaskPages,
    StoryboardPages,
    ApprovalPages,
    RecipePages,
    GalleryPages,
    BatchPages,
    DeliveryPages,
    ConnectionPages,
    EndpointPages,
    KeyPages,
    PeoplePages,
    SetupPages,
    settings_page,
    live_stream,
]
ASSETS = Path(__file__).with_name("assets")


def pages(people: People, settings: Settings, live: Live) -> Router:
    """Everything that a person sees."""
    gate = Gate(people, settings.url)

    def through(app: ASGIApp) -> ASGIApp:  # the framework copies whatever is no function
        return gate(app)

    own: dict[str, Any] = {"settings": settings, "live": live, "once": Once(), "session": Session(settings.url)}
    return Router(
        path="/",
        route_handlers=HANDLERS,
        middleware=[through],
        guards=[allow(settings.url)],
        exception_handlers=PAGES,
        request_class=HTMXRequest,
        dependencies={name: _provide(part) for name, part in own.items()},
        include_in_schema=False,
    )


def assets() -> Router:
    """Style, scripts and icons; their addresses change with their content."""
    return create_static_files_router(
        path="/assets",
        directories=[ASSETS],
        include_in_schema=False,
        cache_control=None,
        after_request=_kept,
    )


def _kept(response: Any) -> Any:
    response.headers.update({**HEADERS, "cache-control": "public, max-age=31536000, immutable"})
    return response


def _provide(part: Any) -> Provide:
    return Provide(lambda: part, sync_to_thread=False)
