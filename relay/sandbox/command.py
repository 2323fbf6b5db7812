"""``beatrelay sandbox``."""

import logging
import re
import socket
import sys
from typing import Any

import click
import uvicorn

from .addresses import is_local, is_public_https
from .app import create_app
from .faults import HEADER, TASK_FAULTS, Faults
from .settings import SandboxSettings
from .video import MISSING, available

WELCOME = """\
sandbox: {url}   (a local Beat API: contract {contract}, speed {speed:g}, {whose})

Ask it for a video:
  curl {url}/v1/music-video/tasks -H "Authorization: Bearer {key}" -H "Content-Type: application/json" \\
    -d '{{"audio_url": "https://example.com/song.mp3", "images": ["https://example.com/cover.png"], "prompt": "Neon"}}'

Point the relay at it, in a second terminal:
  BEATAPI_BASE_URL={url} BEATAPI_API_KEY={key} BEATAPI_WEBHOOK_SECRET={secret} beatrelay serve
{hears}
Ctrl+C ends it, and forgets everything.
"""
HEARS = "Webhooks go to {webhook}, for every account.\n"
DEAF = """\
Polling alone finds every video. For webhooks as well, start this sandbox again with
  --webhook http://127.0.0.1:8787/webhooks/beatapi --webhook-secret {secret}
"""
EXAMPLE_KEY, EXAMPLE_SECRET = "sk_sandbox_key", "whsec_sandbox_secret"


TASK_HELP = f"""\
Faults of one task are asked for with the header {HEADER} on its create, joined by commas
("slow-create=5, late-webhook=60"):

\b
""" + "\n".join(f"{name:<18} {what}" for name, what in TASK_FAULTS.items())
LOOPBACK = ("127.0.0.1", "localhost", "::1")


@click.command(epilog=TASK_HELP)
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", default=8788, show_default=True, type=click.IntRange(0, 65535), help="0: any free one.")
@click.option("--url", help="Its origin as others reach it; default: from host and port.")
@click.option(
    "--contract",
    type=click.Choice(["launch", "current"]),
    default="launch",
    show_default=True,
    help="launch: whole credits, idempotency keys ignored. current: dollars, keys honoured, more fields.",
)
@click.option(
    "--speed",
    default=1.0,
    show_default=True,
    type=click.FloatRange(0.01, 10_000),
    help="Times faster than the real thing.",
)
@click.option("--seed", default=0, show_default=True, help="Repeats all chance.")
@click.option(
    "--key",
    "keys",
    multiple=True,
    help="A valid key, sk_…; may be repeated. Default: any that starts with sk and has 8 characters.",
)
@click.option("--balance", default=5000, show_default=True, help="Launch credits of each account.")
@click.option("--concurrency", default=5, show_default=True, type=click.IntRange(1), help="Tasks at once.")
@click.option("--poll-limit", default=120, show_default=True, type=click.IntRange(1), help="Polls a minute per key.")
@click.option("--honour-idempotency/--ignore-idempotency", default=None, help="Default: as the contract says.")
@click.option(
    "--allow-local-webhooks/--public-webhooks-only",
    default=None,
    help="Whether endpoints may be http and local. Default: yes where it listens on loopback only.",
)
@click.option("--resign/--no-resign", default=True, show_default=True, help="Sign a retried webhook afresh.")
@click.option("--webhook", default="", help="An endpoint that every account has from the start.")
@click.option("--webhook-secret", default="", help="Its secret, whsec_…; what it signs with.")
@click.option("--drop-webhooks", default=0.0, type=click.FloatRange(0, 1), help="Fault: share never sent.")
@click.option("--duplicate-webhooks", is_flag=True, help="Fault: each is sent twice.")
@click.option("--reorder", is_flag=True, help="Fault: webhooks overtake each other.")
@click.option("--stale-webhooks", is_flag=True, help="Fault: signed ten minutes ago.")
@click.option("--fail-rate", default=0.0, type=click.FloatRange(0, 1), help="Fault: share of tasks that fail.")
@click.option("--error-rate", default=0.0, type=click.FloatRange(0, 1), help="Fault: share of requests refused.")
@click.option("--error-status", default="5xx", show_default=True, help="5xx, or one status such as 429.")
@click.option("--lost-answers", default=0.0, type=click.FloatRange(0, 1), help="Fault: creates without an answer.")
@click.option("--slow", default=0.0, type=click.FloatRange(0), help="Fault: seconds added to each answer.")
@click.option("--quiet", is_flag=True, help="Print one line only.")
def sandbox(
    host: str, port: int, url: str | None, webhook: str, quiet: bool, keys: tuple[str, ...], **options: Any
) -> None:
    """Run a local Beat API: the whole contract, real MP4s, faults on demand.

    Works with every client of Beat API: only the base URL differs. Everything is in memory. GET /sandbox/ledger tells
    who was charged for what; POST /sandbox/faults changes the faults while it runs.
    """
    if not available():
        raise click.ClickException(MISSING)
    _check(webhook, keys, options)
    if options["allow_local_webhooks"] is None:
        options["allow_local_webhooks"] = host in LOOPBACK
    listener = _listen(host, port)
    shown = "127.0.0.1" if host in ("0.0.0.0", "::") else host  # noqa: S104 (only compared)
    faults = Faults(**{name: options.pop(name) for name in Faults.__struct_fields__ if name in options})
    settings = SandboxSettings(
        url=(url or f"http://{shown}:{listener.getsockname()[1]}").rstrip("/"),
        keys=list(keys),
        webhook_url=webhook,
        faults=faults,
        **options,
    )
    text = f"sandbox: {settings.url}\n"
    if not quiet:
        text = _welcome(settings)
    sys.stdout.write(text)
    sys.stdout.flush()
    logging.basicConfig(level=logging.WARNING, format="sandbox %(levelname)s %(message)s")
    config = uvicorn.Config(
        create_app(settings), log_config=None, access_log=False, server_header=False, timeout_graceful_shutdown=2
    )
    uvicorn.Server(config).run(sockets=[listener])


def _check(webhook: str, keys: tuple[str, ...], options: dict[str, Any]) -> None:
    """What click's own types cannot say."""
    status, secret = options["error_status"], options["webhook_secret"]
    if not re.fullmatch("5xx|[45][0-9][0-9]", status):
        raise click.BadParameter(f"{status!r} is neither 5xx nor a status from 400 to 599", param_hint="--error-status")
    short = [key for key in keys if not (key.startswith("sk") and len(key) >= 8)]
    if short:
        raise click.BadParameter(f"{short[0]!r} does not start with sk and have 8 characters", param_hint="--key")
    if bool(webhook) != bool(secret):
        raise click.UsageError("--webhook and --webhook-secret need each other: who hears has to know the secret")
    if webhook and not (is_public_https(webhook) or is_local(webhook)):
        raise click.BadParameter(f"{webhook!r} is neither public HTTPS nor a local URL", param_hint="--webhook")
    if secret and (not secret.startswith("whsec_") or "masked" in secret):
        raise click.BadParameter("must start with whsec_, and not contain 'masked'", param_hint="--webhook-secret")


def _welcome(settings: SandboxSettings) -> str:
    secret = settings.webhook_secret or EXAMPLE_SECRET
    return WELCOME.format(
        url=settings.url,
        contract=settings.contract,
        speed=settings.speed,
        key=settings.keys[0] if settings.keys else EXAMPLE_KEY,
        whose="its own keys only" if settings.keys else "any key that starts with sk",
        secret=secret,
        hears=HEARS.format(webhook=settings.webhook_url) if settings.webhook_url else DEAF.format(secret=secret),
    )


def _listen(host: str, port: int) -> socket.socket:
    listener = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen(512)
    except OSError as error:
        listener.close()
        message = (
            f"the sandbox cannot listen on {host}:{port} ({error.strerror});"
            f" choose another port with --port, or --port 0 for any free one"
        )
        raise click.ClickException(message) from error
    return listener
