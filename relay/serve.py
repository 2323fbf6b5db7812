"""``beatrelay serve``: checks that it is safe to start, says how to begin, and runs until told to stop."""

import asyncio
import logging
import socket
import sys
from pathlib import Path
from types import FrameType

import click
import msgspec
import uvicorn

from relay.app import Relay, create_app
from relay.journal import JournalError
from relay.log import configure
from relay.recipe import RecipeErrors, RecipeSet, load_folder
from relay.settings import Settings
from relay.vault import VaultError

WELCOME = """\
beatrelay needs to know whose videos to relay. {missing}

With a Beat API account:
  export BEATAPI_API_KEY=sk_...            # dashboard, API keys
  export BEATAPI_WEBHOOK_SECRET=whsec_...  # POST /v1/webhooks with {url}/webhooks/beatapi
  beatrelay serve

Without one, a local Beat API in a second terminal:
  beatrelay sandbox --webhook {url}/webhooks/beatapi --webhook-secret whsec_local_secret
  BEATAPI_BASE_URL=http://127.0.0.1:8788 BEATAPI_API_KEY=sk_sandbox_key \\
    BEATAPI_WEBHOOK_SECRET=whsec_local_secret beatrelay serve

Or watch the whole line work by itself:
  beatrelay demo
"""


def run(settings: Settings) -> int:
    """Serve until SIGTERM or Ctrl-C; returns the exit status."""
    missing = missing_keys(settings)
    if missing:
        click.echo(WELCOME.format(missing=missing, url=settings.url), err=True)
        return 2
    configure(settings.log_format)
    try:
        with listen(settings.host, settings.port) as listener:
            return _serve(bound(settings, listener), listener)
    except (JournalError, RecipeErrors, VaultError, OSError) as error:
        click.echo(f"beatrelay cannot start: {error}", err=True)
        return 1


def _serve(settings: Settings, listener: socket.socket) -> int:
    refuse_volatile(settings)
    relay = Relay(settings, recipes_of(settings))
    asyncio.run(relay.unlock())
    _greet(relay, asyncio.run(relay.people.first_link()))
    config = uvicorn.Config(
        create_app(relay),
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=int(settings.drain_seconds) or None,
    )
    Server(config, relay).run(sockets=[listener])
    return 0


def missing_keys(settings: Settings) -> str:
    """What is missing, in words, if nothing can work; empty if it can: without a webhook secret polling alone finds
    every finished video."""
    if settings.beatapi_api_key:
        return ""
    missing = [
        name
        for name, value in (
            ("BEATAPI_API_KEY", settings.beatapi_api_key),
            ("BEATAPI_WEBHOOK_SECRET", settings.beatapi_webhook_secret),
        )
        if not value
    ]
    return f"Missing: {' and '.join(missing)}."


def listen(host: str, port: int) -> socket.socket:
    """A listening socket. Raises :class:`OSError` with what to do if the port is taken."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen(2048)
    except OSError as error:
        listener.close()
        raise OSError(
            f"{host}:{port} cannot be listened on ({error.strerror}); set BEATRELAY_PORT, or 0 for any free port"
        ) from error
    return listener


def bound(settings: Settings, listener: socket.socket) -> Settings:
    """The settings with the port that was really given."""
    return msgspec.structs.replace(settings, port=listener.getsockname()[1])


def recipes_of(settings: Settings) -> RecipeSet:
    """The recipes to run with. A broken one stops the start: silence would lose deliveries."""
    recipes = load_folder(settings.recipes)
    if not len(recipes):
        logging.getLogger("beatrelay").warning(
            "there are no recipes in %s: finished videos are archived and go nowhere else", settings.recipes
        )
    return recipes


def refuse_volatile(settings: Settings) -> None:
    """A journal in memory would lose everything at the next restart."""
    if settings.volatile_journal:
        return
    kind = filesystem(settings.data)
    if kind in ("tmpfs", "ramfs"):
        raise JournalError(
            f"{settings.data} lies on {kind}, which is lost at a restart; set BEATRELAY_DATA to a folder on disk"
            " (or BEATRELAY_VOLATILE_JOURNAL=yes if losing everything is what you want)"
        )


def filesystem(path: Path) -> str:
    """The type of file system ``path`` lies on; empty where the machine does not tell."""
    mounts = Path("/proc/mounts")
    if not mounts.exists():
        return ""
    wanted = path.resolve()
    best, kind = Path("/"), ""
    for line in mounts.read_text(encoding="utf-8", errors="replace").splitlines():
        _, point, mounted, *_ = line.split()
        place = Path(point.replace("\\040", " "))
        if wanted.is_relative_to(place) and len(place.parts) >= len(best.parts):
            best, kind = place, mounted
    return kind


class Server(uvicorn.Server):
    """Ends the dashboard's streams at the first signal, or it would wait for them."""

    def __init__(self, config: uvicorn.Config, relay: Relay) -> None:
        super().__init__(config)
        self._relay = relay

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        self._relay.live.closing = True
        super().handle_exit(sig, frame)


def _greet(relay: Relay, first_link: str | None) -> None:
    settings = relay.settings
    webhooks = f"{settings.url}/webhooks/beatapi"
    if not settings.beatapi_webhook_secret:
        webhooks = "none: BEATAPI_WEBHOOK_SECRET is not set, so polling alone finds what is finished"
    sys.stdout.write(
        f"beatrelay: {settings.url}\n"
        f"  dashboard {first_link or settings.url + '/'}\n"
        f"  webhooks  {webhooks}\n"
        f"  API docs  {settings.url}/docs\n"
        f"  Beat API  {settings.beatapi_base_url}\n"
        f"  recipes   {len(relay.recipes)} from {settings.recipes}\n"
        f"  journal   {settings.data / 'journal.db'}\n"
    )
    sys.stdout.flush()
