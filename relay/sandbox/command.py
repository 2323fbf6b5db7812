"""``beatrelay sandbox``."""

import logging
import socket
import sys
from typing import Any

import click
import uvicorn

from .app import create_app
from .faults import Faults
from .settings import SandboxSettings
from .video import MISSING, available

WELCOME = """\
sandbox: {url}   (a local Beat API: contract {contract}, speed {speed:g}, any key that starts with sk)

Ask it for a video:
  curl {url}/v1/music-video/tasks -H "Authorization: Bearer sk_sandbox_key" -H "Content-Type: application/json" \\
    -d '{{"audio_url": "https://example.com/song.mp3", "images": ["https://example.com/cover.png"], "prompt": "Neon"}}'

Point the relay at it, in a second terminal:
  BEATAPI_BASE_URL={url} BEATAPI_API_KEY=sk_sandbox_key BEATAPI_WEBHOOK_SECRET=whsec_... beatrelay serve
"""


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", default=8788, show_default=True, type=click.IntRange(0, 65535), help="0 picks a free one.")
@click.option("--url", help="Its origin as others reach it; default: from host and port.")
@click.option("--contract", type=click.Choice(["launch", "current"]), default="launch", show_default=True)
@click.option("--speed", default=1.0, show_default=True, type=click.FloatRange(0.01, 10_000), help="Times faster.")
@click.option("--seed", default=0, show_default=True, help="Repeats all chance.")
@click.option("--key", "keys", multiple=True, help="A valid key; default: any that starts with sk.")
@click.option("--balance", default=5000, show_default=True, help="Launch credits of each account.")
@click.option("--concurrency", default=5, show_default=True, type=click.IntRange(1), help="Tasks at once.")
@click.option("--poll-limit", default=120, show_default=True, type=click.IntRange(1), help="Polls a minute per key.")
@click.option("--honour-idempotency/--ignore-idempotency", default=None, help="Default: as the contract says.")
@click.option("--allow-local-webhooks/--public-webhooks-only", default=True, show_default=True)
@click.option("--resign/--no-resign", default=True, show_default=True, help="Sign a retried webhook afresh.")
@click.option("--webhook", default="", help="An endpoint that every account has from the start.")
@click.option("--webhook-secret", default="", help="Its secret, whsec_…")
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

    Works with every client of Beat API: only the base URL differs. One task alone can be made to misbehave with the
    header `x-sandbox-fault` on its create: fail, timeout, stuck, drop-webhook, duplicate-webhook, late-webhook=30,
    stale-webhook, lost-answer, html-output, truncated-output, output-404, unknown-status, backwards.

    GET /sandbox/ledger tells who was charged; POST /sandbox/faults changes the faults while it runs.
    """
    if not available():
        raise click.ClickException(MISSING)
    status: str = options["error_status"]
    if status != "5xx" and not (status.isdigit() and 400 <= int(status) <= 599):
        raise click.BadParameter("must be 5xx or a status from 400 to 599", param_hint="--error-status")
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
        text = WELCOME.format(url=settings.url, contract=settings.contract, speed=settings.speed)
    sys.stdout.write(text)
    sys.stdout.flush()
    logging.basicConfig(level=logging.WARNING, format="sandbox %(levelname)s %(message)s")
    logging.getLogger("uvicorn.error").addFilter(_quiet_cut)
    config = uvicorn.Config(
        create_app(settings), log_config=None, access_log=False, server_header=False, timeout_graceful_shutdown=2
    )
    uvicorn.Server(config).run(sockets=[listener])


def _listen(host: str, port: int) -> socket.socket:
    listener = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen(512)
    except OSError as error:
        listener.close()
        message = (
            f"{host}:{port} cannot be listened on ({error.strerror}); choose another with --port, 0 for any free one"
        )
        raise click.ClickException(message) from error
    return listener


def _quiet_cut(record: logging.LogRecord) -> bool:
    """A connection that is cut on purpose is no error worth a trace."""
    return record.exc_info is None or type(record.exc_info[1]).__name__ != "Cut"
