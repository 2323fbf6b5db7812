"""Where a request goes in the queue: its priority, batch and tags, read from headers that change nothing upstream."""

from collections.abc import Sequence
from typing import Annotated, Any

from litestar import Request
from litestar.params import HeaderParameter, QueryParameter

from relay.flow.intake import Origin
from relay.flow.shelf import Shelf
from relay.recipe import UnknownRecipe

from .answers import client_of
from .errors import ApiError

MOST_TAGS, TAG_LENGTH = 20, 64

Priority = Annotated[
    int,
    HeaderParameter(
        name="X-Beatrelay-Priority",
        ge=-9,
        le=9,
        description="-9 to 9; of what waits in the queue, higher goes first.",
    ),
]
Batch = Annotated[
    str,
    HeaderParameter(
        name="X-Beatrelay-Batch",
        max_length=128,
        description="A name for requests that belong together; batches are sent in turn, and counted apart.",
    ),
]
Tags = Annotated[
    str,
    HeaderParameter(
        name="X-Beatrelay-Tags",
        max_length=2048,
        description="Words of your own, separated by commas (at most 20 of 64 characters); recipes can ask for them.",
    ),
]


Recipes = Annotated[
    list[str] | None,
    QueryParameter(
        description="Only this recipe hears of it, whatever it matches. Its name or its file's; may be repeated."
    ),
]


def origin_of(
    request: Request[Any, Any, Any], priority: int = 0, batch: str = "", tags: str = "", recipes: Sequence[str] = ()
) -> Origin:
    """Who asks, and how it is to be queued. ``recipes`` are names that :func:`chosen` has checked."""
    words = tuple(dict.fromkeys(word.strip() for word in tags.split(",") if word.strip()))
    if len(words) > MOST_TAGS or any(len(word) > TAG_LENGTH for word in words):
        raise ApiError(
            400, f"X-Beatrelay-Tags may have {MOST_TAGS} tags of {TAG_LENGTH} characters; it has {len(words)}."
        )
    return Origin(client_of(request), batch.strip(), words, priority, recipes=recipes)


def chosen(shelf: Shelf, recipes: Sequence[str] | None) -> tuple[str, ...]:
    """The recipes that a request names for itself, or a refusal."""
    try:
        return shelf.choose(recipes or ())
    except UnknownRecipe as error:
        details = [{"field": "recipe", "value": ", ".join(recipes or ())[:200], "rule": str(error)}]
        raise ApiError(400, f"recipe: {error}.", details=details) from error
