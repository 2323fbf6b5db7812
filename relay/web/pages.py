"""The front page and the API reference. Neither shows anything of a task: they need no key."""

import re
from importlib.resources import files
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from litestar import Request, Response, get
from litestar.openapi.plugins import JsonRenderPlugin, OpenAPIRenderPlugin
from markupsafe import Markup, escape

from relay import __version__
from relay.api.openapi import complete
from relay.contract import encode

HEADERS = {
    "content-security-policy": "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none';"
    " form-action 'none'; frame-ancestors 'none'",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "cache-control": "no-store",
}
_templates = Environment(
    loader=PackageLoader("relay.web"), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
)


def _code(text: str) -> Markup:
    """Text with `backticks` as code."""
    return Markup(re.sub(r"`([^`]+)`", r"<code>\1</code>", str(escape(text))))  # noqa: S704 (escaped first)


_templates.filters["code"] = _code


def page(name: str, **values: Any) -> bytes:
    """A rendered template."""
    return _templates.get_template(name).render(version=__version__, **values).encode()


@get("/", include_in_schema=False)
async def home() -> Response[bytes]:
    """What this is, and where to go on."""
    return Response(page("home.html"), media_type="text/html; charset=utf-8", headers=HEADERS)


@get("/assets/style.css", include_in_schema=False)
async def style() -> Response[bytes]:
    """The one style sheet."""
    css = files("relay.web").joinpath("assets/style.css").read_bytes()
    return Response(css, media_type="text/css; charset=utf-8", headers={**HEADERS, "cache-control": "max-age=300"})


class WholeJson(JsonRenderPlugin):
    """The document with the webhook's door in it."""

    def render(self, request: Request[Any, Any, Any], openapi_schema: dict[str, Any]) -> bytes:
        return encode(complete(openapi_schema, request.app))


class Reference(OpenAPIRenderPlugin):
    """The document as a page: works offline and without JavaScript."""

    def __init__(self) -> None:
        super().__init__(path="/")

    def render(self, request: Request[Any, Any, Any], openapi_schema: dict[str, Any]) -> bytes:
        document = complete(openapi_schema, request.app)
        return page("docs.html", document=document, groups=_by_tag(document))


def _by_tag(document: dict[str, Any]) -> dict[str, list[dict[str, Any]]]:
    groups: dict[str, list[dict[str, Any]]] = {tag["name"]: [] for tag in document["tags"]}
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            for tag in operation.get("tags", ["Other"]):
                groups.setdefault(tag, []).append({"path": path, "method": method.upper(), **operation})
    return {tag: operations for tag, operations in groups.items() if operations}
