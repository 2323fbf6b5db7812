"""The contract's endpoints, and the sandbox's own."""

from collections.abc import Callable
from typing import Any

import msgspec
from litestar import HttpMethod, Request, Response, delete, get, patch, post, route
from litestar.datastructures import UploadFile
from litestar.di import NamedDependency
from litestar.params import FromPath, SkipValidation

from relay import __version__
from relay.contract import (
    Data,
    Listing,
    WebhookEndpoint,
    WebhookEndpointChange,
    WebhookEndpointRequest,
    Workflow,
    encode,
)
from relay.contract.document import document

from . import rules
from .account import PERIODS, SandboxAccount
from .errors import Cut, Refusal
from .faults import HEADER, Faults, task_faults
from .files import MOST_BYTES, store
from .pricing import price
from .serving import HTML, serve, truncated
from .task import SandboxTask
from .world import World

Asked = Request[Any, Any, Any]
TheWorld = NamedDependency[SkipValidation[World]]
WORKFLOWS = [
    Workflow("music-video", "Music Video API", "A song, images and a prompt become a music video."),
    Workflow("ecommerce-video", "Ecommerce Video API", "Product images become a short video."),
]


def json(value: Any, status: int = 200) -> Response[bytes]:
    """``{"data": value}`` with exact decimals."""
    return Response(encode(Data(value)), status_code=status, media_type="application/json")


def shown(world: World, task: SandboxTask, status: int = 200) -> Response[bytes]:
    """A task in the contract that is spoken."""
    return json(task.show(current=world.settings.contract == "current"), status)


async def read_json(request: Asked, kind: Any = Any) -> Any:
    """The body, or a refusal that says where it is not JSON."""
    try:
        return msgspec.json.decode(await request.body(), type=kind)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise Refusal(400, "bad_request", f"The request body is invalid: {error}.") from error


@get("/v1/workflows")
async def list_workflows() -> Response[bytes]:
    return json(Listing(WORKFLOWS))


@post("/v1/music-video/tasks")
async def create_music_video(request: Asked, world: TheWorld) -> Response[bytes]:
    current = world.settings.contract == "current"
    own, uploads = world.settings.url, world.uploads()
    return await create(
        request,
        world,
        "music-video",
        lambda body: rules.check_music_video(body, own, current=current, uploads=uploads),
    )


@post("/v1/ecommerce-video/tasks")
async def create_ecommerce_video(request: Asked, world: TheWorld) -> Response[bytes]:
    own, uploads = world.settings.url, world.uploads()
    return await create(
        request, world, "ecommerce-video", lambda body: rules.check_ecommerce(body, own, uploads=uploads)
    )


async def create(
    request: Asked, world: World, workflow: str, check: Callable[[Any], dict[str, Any]]
) -> Response[bytes]:
    """Accept a task, or refuse it; once for each idempotency key."""
    account = world.account(request.headers.get("authorization"))
    raw = await request.body()
    key = request.headers.get("idempotency-key")
    replayed = world.replayed(account, key, request.url.path.encode() + raw)
    if replayed is not None:
        return shown(world, replayed, 201)
    with world.accepting(account, key) as accepted:
        wanted = check(await read_json(request))
        faults = task_faults(request.headers.get(HEADER))
        if "slow-create" in faults:
            await world.clock.sleep(faults["slow-create"] / world.settings.speed)
        task = world.create(account, workflow, wanted, faults, request.state.request_id)
        accepted(task)
    if "lost-answer" in task.faults or world.dice.hits("lost", world.settings.faults.lost_answers):
        raise Cut
    return shown(world, task, 201)


@get("/v1/tasks/{task_id:str}")
async def get_task(request: Asked, task_id: FromPath[str], world: TheWorld) -> Response[bytes]:
    account = world.account(request.headers.get("authorization"))
    account.count_poll()
    return shown(world, world.task(account, task_id))


@post("/v1/music-video/tasks/{task_id:str}/shots/{shot_id:str}/edit")
async def edit_shot(request: Asked, task_id: FromPath[str], shot_id: FromPath[str], world: TheWorld) -> Response[bytes]:
    account, task, key = await _operated(request, world, task_id)
    if key is None:
        return shown(world, task, 202)
    with world.accepting(account, key) as accepted:
        wanted = rules.check_edit(await read_json(request), current=world.settings.contract == "current")
        shot = task.shot(shot_id)
        if shot is None:
            raise Refusal(404, "not_found", f"There is no shot {shot_id[:80]} in this task.")
        world.lives.edit(account, task, shot, wanted)
        accepted(task)
    return shown(world, task, 202)


@post("/v1/music-video/tasks/{task_id:str}/compose")
async def compose(request: Asked, task_id: FromPath[str], world: TheWorld) -> Response[bytes]:
    account, task, key = await _operated(request, world, task_id)
    if key is None:
        return shown(world, task, 202)
    with world.accepting(account, key) as accepted:
        ids = rules.check_compose(await read_json(request))
        if any(task.shot(shot_id) is None for shot_id in ids):
            raise Refusal(404, "not_found", "One of shot_ids is not a shot of this task.")
        world.lives.compose(account, task)
        accepted(task)
    return shown(world, task, 202)


async def _operated(request: Asked, world: World, task_id: str) -> tuple[SandboxAccount, SandboxTask, str | None]:
    """The task to operate on; no key if this very operation was accepted before."""
    account = world.account(request.headers.get("authorization"))
    task = world.task(account, task_id)
    key = request.headers.get("idempotency-key", "")
    before = world.replayed(account, key, request.url.path.encode() + await request.body())
    return account, task, key if before is None else None


@post("/v1/music-video/tasks/{task_id:str}/shots/{shot_id:str}/media", status_code=200)
async def shot_media(
    request: Asked, task_id: FromPath[str], shot_id: FromPath[str], world: TheWorld
) -> Response[bytes]:
    task = world.task(world.account(request.headers.get("authorization")), task_id)
    shot = task.shot(shot_id)
    if shot is None:
        raise Refusal(404, "not_found", f"There is no shot {shot_id[:80]} in this task.")
    media = world.lives.materialise(task, shot)
    return json(
        {
            "object": "shot_media",
            "task_id": task.id,
            "shot_id": shot.id,
            "index": shot.index,
            "status": shot.status,
            "media": media,
            "created_at": shot.created_at,
            "updated_at": shot.updated_at,
            "request_id": request.state.request_id,
        }
    )


@get("/v1/usage")
async def get_usage(request: Asked, world: TheWorld) -> Response[bytes]:
    account = world.account(request.headers.get("authorization"))
    odd = set(request.query_params) - {"period"} or request.query_params.get("period", "all") not in PERIODS
    if odd and world.settings.contract == "current":
        raise Refusal(400, "bad_request", f"The only query is period, one of {', '.join(PERIODS)}.")
    return json(account.usage())


@post("/v1/files", request_max_body_size=MOST_BYTES + 1024 * 1024)
async def upload_file(request: Asked, world: TheWorld) -> Response[bytes]:
    world.account(request.headers.get("authorization"))
    if world.settings.contract == "current" and "content-length" not in request.headers:
        raise Refusal(400, "bad_request", "Content-Length is required.")
    declared = request.headers.get("content-type", "")
    content, name = b"", ""
    if declared.startswith("multipart/form-data"):
        form = await request.form()
        file = form.get("file")
        if form.get("purpose", "input") != "input":
            raise Refusal(400, "bad_request", "purpose must be input; leave it out or send that.")
        if not isinstance(file, UploadFile):
            raise Refusal(400, "bad_request", "The form has no file named `file`.")
        content, name, declared = await file.read(), file.filename, file.content_type
    else:
        content = await request.body()
    stored = store(
        content,
        name,
        declared,
        id=world.clock.new_id("file"),
        base_url=world.settings.url,
        contract=world.settings.contract,
        now=int(world.clock.now()),
    )
    world.files[stored.file.key] = stored
    return json(stored.file, 201)


@get("/v1/webhooks")
async def list_endpoints(request: Asked, world: TheWorld) -> Response[bytes]:
    account = world.account(request.headers.get("authorization"))
    return json(Listing([masked(endpoint) for endpoint in account.endpoints.values()]))


@post("/v1/webhooks")
async def create_endpoint(request: Asked, world: TheWorld) -> Response[bytes]:
    account = world.account(request.headers.get("authorization"))
    wanted: WebhookEndpointRequest = await read_json(request, WebhookEndpointRequest)
    rules.check_webhook_url(wanted.url, allow_local=world.settings.allow_local_webhooks)
    endpoint = account.add_endpoint(wanted.url, wanted.description)
    endpoint.events = wanted.events
    return json(endpoint, 201)


@get("/v1/webhooks/{endpoint_id:str}")
async def get_endpoint(request: Asked, endpoint_id: FromPath[str], world: TheWorld) -> Response[bytes]:
    return json(masked(_endpoint(world.account(request.headers.get("authorization")), endpoint_id)))


@patch("/v1/webhooks/{endpoint_id:str}")
async def change_endpoint(request: Asked, endpoint_id: FromPath[str], world: TheWorld) -> Response[bytes]:
    endpoint = _endpoint(world.account(request.headers.get("authorization")), endpoint_id)
    wanted: WebhookEndpointChange = await read_json(request, WebhookEndpointChange)
    if wanted.url is not msgspec.UNSET:
        rules.check_webhook_url(str(wanted.url), allow_local=world.settings.allow_local_webhooks)
    for name, value in msgspec.structs.asdict(wanted).items():
        if value is not msgspec.UNSET:
            setattr(endpoint, name, value)
    endpoint.updated_at = int(world.clock.now())
    return json(masked(endpoint))


@delete("/v1/webhooks/{endpoint_id:str}", status_code=200)
async def delete_endpoint(request: Asked, endpoint_id: FromPath[str], world: TheWorld) -> Response[bytes]:
    account = world.account(request.headers.get("authorization"))
    _endpoint(account, endpoint_id)
    del account.endpoints[endpoint_id]
    return json({"id": endpoint_id, "deleted": True})


def masked(endpoint: WebhookEndpoint) -> WebhookEndpoint:
    """As it is shown after its creation."""
    return msgspec.structs.replace(endpoint, secret=f"whsec_{endpoint.secret[-4:]}_masked")


def _endpoint(account: SandboxAccount, endpoint_id: str) -> WebhookEndpoint:
    if endpoint_id not in account.endpoints:
        raise Refusal(404, "not_found", f"There is no webhook endpoint {endpoint_id[:80]}.")
    return account.endpoints[endpoint_id]


@route("/outputs/{task_id:str}/0.mp4", http_method=[HttpMethod.GET, HttpMethod.HEAD])
async def output(request: Asked, task_id: FromPath[str], world: TheWorld) -> Response[Any]:
    task = world.any_task(task_id)
    if not task.output_url or "output-404" in task.faults:
        raise Refusal(404, "not_found", "There is no such file.")
    if "html-output" in task.faults:
        return Response(HTML, media_type="text/html")
    content = await world.video(task)
    return truncated(content) if "truncated-output" in task.faults else serve(request, content, "video/mp4")


@route("/outputs/{task_id:str}/shots/{shot_id:str}/current.mp4", http_method=[HttpMethod.GET, HttpMethod.HEAD])
async def shot_output(request: Asked, task_id: FromPath[str], shot_id: FromPath[str], world: TheWorld) -> Response[Any]:
    task = world.any_task(task_id)
    if task.shot(shot_id) is None:
        raise Refusal(404, "not_found", "There is no such file.")
    return serve(request, await world.video(task, shot_id), "video/mp4")


@route("/inputs/{name:str}", http_method=[HttpMethod.GET, HttpMethod.HEAD])
async def uploaded(request: Asked, name: FromPath[str], world: TheWorld) -> Response[Any]:
    stored = world.files.get(f"inputs/{name}")
    if stored is None:
        raise Refusal(404, "not_found", "There is no such file.")
    return serve(request, stored.content, stored.file.mime_type)


@get("/docs/openapi.json")
async def openapi() -> Response[bytes]:
    body = encode(document("Beat API sandbox", __version__, "A local Beat API: the launch contract."))
    return Response(body, media_type="application/json")


@get("/sandbox/ledger")
async def ledger(request: Asked, world: TheWorld) -> Response[bytes]:
    key = request.headers.get("authorization")
    return json(world.ledger(world.account(key) if key else None))


@post("/sandbox/faults", status_code=200)
async def change_faults(request: Asked, world: TheWorld) -> Response[bytes]:
    world.settings.faults = await read_json(request, Faults)
    return json(world.settings.faults)


class TopUp(msgspec.Struct):
    """Launch credits that every account gets on top, also one that is made later."""

    balance: int


@post("/sandbox/top-up", status_code=200)
async def top_up(request: Asked, world: TheWorld) -> Response[bytes]:
    wanted: TopUp = await read_json(request, TopUp)
    more = price(wanted.balance, world.settings.contract)
    world.settings.balance += wanted.balance
    for account in world.accounts.values():
        account.balance += more
    return json({"balances": [account.balance for account in world.accounts.values()]})


ROUTES = [
    list_workflows,
    create_music_video,
    create_ecommerce_video,
    get_task,
    edit_shot,
    shot_media,
    compose,
    get_usage,
    upload_file,
    list_endpoints,
    create_endpoint,
    get_endpoint,
    change_endpoint,
    delete_endpoint,
    output,
    shot_output,
    uploaded,
    openapi,
    ledger,
    change_faults,
    top_up,
]
