"""The API reference as a page. It shows nothing of a task, so it needs no key; it works offline and without script."""

from typing import Any

from litestar import Request
from litestar.openapi.plugins import JsonRenderPlugin, OpenAPIRenderPlugin

from relay.api.openapi import complete
from relay.contract import encode

from .render import page


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
