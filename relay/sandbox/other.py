"""What only the current contract has: images, videos, effects and video analyses, as far as a client needs to see a
task of each kind live and end; and the lists of what can be asked for."""

import asyncio
from typing import Any, cast

from litestar import HttpMethod, Response, get, post, route
from litestar.params import FromPath

from relay.contract import Listing

from .errors import Refusal
from .routes import Asked, TheWorld, create, json
from .serving import serve
from .video import make_picture
from .world import World

MODELS = [{"id": "nano-banana-pro", "media_type": "image"}, {"id": "veo-3.1", "media_type": "video"}]
EFFECTS = [
    {
        "id": "neon-portrait",
        "object": "effect",
        "name": "Neon portrait",
        "description": "A portrait under neon lights.",
        "output_type": "video",
        "category": "portrait",
        "tags": ["neon"],
        "input": {"images_min": 1, "images_max": 1, "accepted_types": ["image/png", "image/jpeg"]},
        "options": {"aspect_ratio": ["16:9", "9:16"]},
        "preview": None,
        "version": 1,
        "status": "active",
    }
]
_NEEDED = {
    "images": ("model", "prompt"),
    "videos": ("model", "prompt"),
    "effects": ("effect_id", "images"),
    "video-analysis": ("video_url", "prompt"),
}


@post("/v1/images/tasks")
async def create_image(request: Asked, world: TheWorld) -> Response[bytes]:
    return await _create(request, world, "images")


@post("/v1/videos/tasks")
async def create_video(request: Asked, world: TheWorld) -> Response[bytes]:
    return await _create(request, world, "videos")


@post("/v1/effects/tasks")
async def create_effect(request: Asked, world: TheWorld) -> Response[bytes]:
    return await _create(request, world, "effects")


@post("/v1/video-analysis/tasks")
async def create_analysis(request: Asked, world: TheWorld) -> Response[bytes]:
    return await _create(request, world, "video-analysis")


@get("/v1/media/models")
async def list_models(request: Asked, world: TheWorld) -> Response[bytes]:
    _current(world)
    wanted = request.query_params.get("media_type")
    return json(Listing([model for model in MODELS if wanted in (None, model["media_type"])]))


@get("/v1/effects")
async def list_effects(world: TheWorld) -> Response[bytes]:
    _current(world)
    return json(Listing(EFFECTS))


@get("/v1/effects/{effect_id:str}")
async def get_effect(effect_id: FromPath[str], world: TheWorld) -> Response[bytes]:
    _current(world)
    if effect_id != EFFECTS[0]["id"]:
        raise Refusal(404, "not_found", f"There is no effect {effect_id[:80]}.")
    return json(EFFECTS[0])


@route("/outputs/{task_id:str}/0.png", http_method=[HttpMethod.GET, HttpMethod.HEAD])
async def picture(request: Asked, task_id: FromPath[str], world: TheWorld) -> Response[Any]:
    task = world.any_task(task_id)
    if not task.output_url.endswith(".png"):
        raise Refusal(404, "not_found", "There is no such file.")
    return serve(request, await asyncio.to_thread(make_picture, task.caption, task.aspect_ratio), "image/png")


async def _create(request: Asked, world: World, asked: str) -> Response[bytes]:
    _current(world)

    def check(body: Any) -> dict[str, Any]:
        given = cast("dict[str, Any]", body) if isinstance(body, dict) else {}
        missing = [name for name in _NEEDED[asked] if not given.get(name)]
        if missing:
            details = [{"field": name, "value": None, "rule": "is required"} for name in missing]
            raise Refusal(400, "bad_request", f"{', '.join(missing)}: required.", details=details)
        return given

    return await create(request, world, asked, check)


def _current(world: World) -> None:
    if world.settings.contract != "current":
        raise Refusal(404, "not_found", "Only the current contract has this: --contract current.")


OTHER = [
    create_image,
    create_video,
    create_effect,
    create_analysis,
    list_models,
    list_effects,
    get_effect,
    picture,
]
