"""What can be asked for besides the workflows: read-only lists, passed on unread."""

from typing import Any
from urllib.parse import quote

from litestar import Controller, Request, Response, get
from litestar.params import FromPath

from .answers import BAD_REQUEST, UNAVAILABLE, refusal
from .parts import TheProvider
from .passing import passed_on

Anything = Response[dict[str, Any]]
NOTHING = refusal("The provider has no such thing, or its contract has no such list.")
REFUSALS = {400: BAD_REQUEST, 404: NOTHING, 503: UNAVAILABLE}


class CatalogueController(Controller):
    """Only the current contract has these. They need no key, as there."""

    path = "/v1"
    tags = ("Catalogue",)

    @get("/media/models", operation_id="listMediaModels", summary="List image and video models", responses=REFUSALS)
    async def list_models(self, request: Request[Any, Any, Any], provider: TheProvider) -> Anything:
        """For `POST /v1/images/tasks` and `POST /v1/videos/tasks`."""
        return await _list(request, provider)

    @get("/effects", operation_id="listEffects", summary="List effects", responses=REFUSALS)
    async def list_effects(self, request: Request[Any, Any, Any], provider: TheProvider) -> Anything:
        """For `POST /v1/effects/tasks`."""
        return await _list(request, provider)

    @get("/effects/{effect_id:str}", operation_id="getEffect", summary="Read an effect", responses=REFUSALS)
    async def get_effect(self, effect_id: FromPath[str], provider: TheProvider) -> Anything:
        """What it takes, and what it may be told."""
        return passed_on(await provider.pass_on("GET", f"/v1/effects/{quote(effect_id, safe='')}"))

    @get(
        "/capabilities/search",
        operation_id="searchCapabilities",
        summary="Search all that can be asked for",
        responses=REFUSALS,
    )
    async def search_capabilities(self, request: Request[Any, Any, Any], provider: TheProvider) -> Anything:
        """The query is the provider's."""
        return await _list(request, provider)

    @get(
        "/capabilities/inspect",
        operation_id="inspectCapability",
        summary="Read what a capability takes",
        responses=REFUSALS,
    )
    async def inspect_capability(self, request: Request[Any, Any, Any], provider: TheProvider) -> Anything:
        """The query is the provider's."""
        return await _list(request, provider)


async def _list(request: Request[Any, Any, Any], provider: TheProvider) -> Anything:
    query = request.scope["query_string"].decode("latin-1")
    return passed_on(await provider.pass_on("GET", request.url.path, query=query))
