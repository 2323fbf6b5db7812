"""How pages are made: one Jinja environment that escapes everything, and the few words that templates need."""

import hashlib
import re
from datetime import UTC, datetime
from functools import cache
from importlib.resources import files
from typing import Any

import msgspec
from jinja2 import Environment, PackageLoader, StrictUndefined
from litestar import Response
from litestar.plugins.jinja import JinjaTemplateEngine
from litestar.template import TemplateConfig
from markupsafe import Markup, escape

from relay import __version__
from relay.log import redact
from relay.recipe.filters import filesize

from .money import amount, duration, number

HEADERS = {
    "content-security-policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self';"
    " media-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "referrer-policy": "same-origin",
    "x-content-type-options": "nosniff",
    "cache-control": "no-store",
}
HTML = "text/html; charset=utf-8"

TONES = {
    "good": {"succeeded", "done", "active", "accepted", "completed", "enabled", "ok", "new", "set"},
    "busy": {"processing", "running", "queued", "due", "leased", "waiting", "sending", "started", "planned"},
    "ask": {
        "storyboard_ready",
        "requires_action",
        "unconfirmed",
        "parked",
        "paused",
        "held",
        "stale",
        "changed",
        "half_open",
        "doubtful",
    },
    "bad": {
        "failed",
        "dead",
        "refused",
        "test failed",
        "forged",
        "unparsable",
        "oversized",
        "invalid",
        "disabled",
        "open",
        "revoked",
    },
}
"""The colour of a state; what is in none is quiet. The word itself is always written too."""


def _code(text: str) -> Markup:
    """Text with `backticks` as code."""
    return Markup(re.sub(r"`([^`]+)`", r"<code>\1</code>", str(escape(text))))  # noqa: S704 (escaped first)


def _prose(text: str) -> Markup:
    """Text with `backticks` as code and *stars* as what stands on somebody's screen."""
    return Markup(re.sub(r"\*([^*]+)\*", r"<em>\1</em>", str(_code(text))))  # noqa: S704 (escaped first)


def _tone(state: str) -> str:
    return next((tone for tone, states in TONES.items() if state in states), "quiet")


def _when(at: float | None) -> Markup:
    """A time that reads well without JavaScript, and that the page's script turns into the reader's own."""
    if at is None:
        return Markup("&ndash;")
    moment = datetime.fromtimestamp(at, UTC)
    return Markup('<time datetime="{}">{}</time>').format(
        moment.isoformat(timespec="seconds"), moment.strftime("%Y-%m-%d %H:%M:%S UTC")
    )


def _words(state: str) -> str:
    return state.replace("_", " ")


def _pretty(value: Any) -> str:
    """JSON for people, secrets struck out."""
    if isinstance(value, str | bytes):
        try:
            value = msgspec.json.decode(value)
        except msgspec.DecodeError:
            return redact(value if isinstance(value, str) else value.decode("utf-8", "replace"))
    text = msgspec.json.format(_encoder.encode(value), indent=2)
    return redact(text.decode())


_encoder = msgspec.json.Encoder(decimal_format="number", enc_hook=str)


@cache
def asset(name: str) -> str:
    """The address of a file of ours; it changes when the file does, so that browsers may keep it."""
    content = files("relay.web").joinpath("assets", name).read_bytes()
    return f"/assets/{name}?v={hashlib.sha256(content).hexdigest()[:12]}"


environment = Environment(
    loader=PackageLoader("relay.web"), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
)
environment.filters |= {
    "code": _code,
    "prose": _prose,
    "amount": amount,
    "number": number,
    "duration": duration,
    "tone": _tone,
    "when": _when,
    "words": _words,
    "pretty": _pretty,
    "filesize": filesize,
    "redact": redact,
}
MENU = [
    ("/", "Home", "h"),
    ("/tasks", "Tasks", "t"),
    ("/batches", "Batches", "b"),
    ("/deliveries", "Deliveries", "d"),
    ("/recipes", "Recipes", "r"),
    ("/connections", "Connections", "c"),
    ("/endpoints", "Endpoints", "e"),
    ("/keys", "API keys", "k"),
    ("/people", "People", "p"),
    ("/settings", "Settings", "s"),
    ("/docs", "API", "a"),
]
"""Path, name and key of each page in the menu, in order."""
environment.globals.update(version=__version__, asset=asset, menu=MENU)  # pyright: ignore[reportCallIssue, reportArgumentType]


def templates() -> TemplateConfig[JinjaTemplateEngine]:
    """For the application: handlers answer with ``Template``."""
    return TemplateConfig(instance=JinjaTemplateEngine.from_environment(environment))


def page(name: str, /, **values: Any) -> bytes:
    """A rendered template, outside of a handler."""
    return environment.get_template(name).render(**values).encode()


def plain_page(name: str, code: int = 200, /, **values: Any) -> Response[bytes]:
    """A whole page for somebody who is not signed in, or after an error."""
    return Response(page(name, **values), status_code=code, media_type=HTML, headers=HEADERS)
