"""``beatrelay serve``: checks that it is safe to start, says how to begin, and runs until told to stop."""

import asyncio
import gc
import logging
import socket
import sys
from pathlib import Path
from types import FrameType

import click
import msgspec
import uvicorn

from relay.app import create_app
from relay.flow.watches import wrong_sheets
from relay.journal import JournalError
from relay.log import configure
from relay.recipe import RecipeErrors, RecipeSet, load_folder
from relay.relay import Relay
from relay.settings import Settings
from relay.vault import VaultError

log = logging.getLogger("beatrelay")

NO_KEY = """\
Beat API is not connected yet: there is no key. Open the dashboard above and give it one, or set BEATAPI_API_KEY.
Without an account, a local Beat API in a second terminal:
  beatrelay sandbox
  BEATAPI_BASE_URL=http://127.0.0.1:8788 BEATAPI_API_KEY=sk_sandbox_key beatrelay serve
Or watch the whole line work by itself:
  beatrelay demo
"""


def run(settings: Settings) -> int:
    """Serve until SIGTERM or Ctrl-C; returns the exit status."""
    wrong = wrong_sheets(settings.sheets)
    if wrong:
        click.echo("the settings are wrong:\n" + "\n".join(wrong), err=True)
        return 2
    configure(settings.log_format)
    try:
        with listen(settings.host, settings.port) as listener:
            return _serve(bound(settings, listener), listener)
    except (JournalError, RecipeErrors, VaultError, OSError) as error:
        why = f"beatrelay cannot start: {error}"
        if settings.log_format == "json":
            log.critical("%s", why)
        else:
            click.echo(why, err=True)
        return 1


def _serve(settings: Settings, listener: socket.socket) -> int:
    refuse_volatile(settings)
    relay = Relay(settings, recipes_of(settings))
    asyncio.run(_open(relay))
    _greet(relay, asyncio.run(relay.people.first_link()))
    config = uvicorn.Config(
        create_app(relay),
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=bool(settings.trusted_proxies),
        forwarded_allow_ips=settings.trusted_proxies,
        timeout_graceful_shutdown=int(settings.drain_seconds) or None,
    )
    settle_memory()
    Server(config, relay).run(sockets=[listener])
    return 0


async def _open(relay: Relay) -> None:
    await relay.unlock()
    await relay.account.start()


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
        log.warning("there are no recipes in %s: finished videos are archived and go nowhere else", settings.recipes)
    return recipes


def settle_memory() -> None:
    """Have the collector look less often, and never again at what is there now: a relay makes thousands of small things
    a second that live for a moment and hardly any that hold each other in a circle."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000, 20, 20)


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
    """Lets the relay know of the first signal at once: the server waits for open requests before it says so."""

    def __init__(self, config: uvicorn.Config, relay: Relay) -> None:
        super().__init__(config)
        self._relay = relay

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        self._relay.leave()
        super().handle_exit(sig, frame)


def _greet(relay: Relay, first_link: str | None) -> None:
    settings, account = relay.settings, relay.account.view()
    webhooks = account.url
    if not account.webhook:
        webhooks = "none yet: polling alone finds what is finished; the dashboard's set-up page registers one"
    greeting = (
        f"beatrelay: {settings.url}\n"
        f"  dashboard {first_link or settings.url + '/'}\n"
        f"  webhooks  {webhooks}\n"
        f"  API docs  {settings.url}/docs\n"
        f"  Beat API  {settings.beatapi_base_url}{'' if account.key else ', without a key'}\n"
        f"  recipes   {len(relay.recipes)} from {settings.recipes}\n"
        f"  sheets    {', '.join(sorted(settings.sheets)) or 'none is watched'}\n"
        f"  journal   {settings.data / 'journal.db'}\n"
        f"{'' if account.key else NO_KEY}"
    )
    if settings.log_format == "json":
        log.info("%s", greeting)
        return
    sys.stdout.write(greeting)
    sys.stdout.flush()
