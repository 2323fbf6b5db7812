"""Every operation of the launch contract as one table, with what the current contract adds to the refusals."""

from typing import Any, Literal

from msgspec import Struct

from .account import Account, UploadedFile, Workflow
from .envelopes import Listing
from .realtime import RealtimeSession, RealtimeSessionRequest
from .requests import ComposeRequest, EcommerceVideoRequest, MusicVideoRequest, ShotEditRequest
from .tasks import ShotMedia, Task
from .webhooks import WebhookDeleted, WebhookEndpoint, WebhookEndpointChange, WebhookEndpointRequest


class Operation(Struct, frozen=True):
    """One call. ``data`` is the type inside the answer's envelope, ``key`` what the Idempotency-Key is to it."""

    id: str
    method: Literal["get", "post", "patch", "delete"]
    path: str
    summary: str
    data: Any
    status: int = 200
    body: Any = None
    refusals: tuple[int, ...] = (401,)
    key: Literal["", "optional", "required"] = ""
    tag: str = "Tasks"
    public: bool = False


_MUSIC, _TASK = "/v1/music-video/tasks", "/v1/music-video/tasks/{task_id}"
_CREATE = (400, 401, 402, 403, 409, 429)
_OPERATE = (400, 401, 402, 404, 409, 429)
_HOOK, _SESSION = "/v1/webhooks/{id}", "/v1/realtime/sessions/{session_id}"

OPERATIONS: tuple[Operation, ...] = (
    Operation(
        "listWorkflows",
        "get",
        "/v1/workflows",
        "List the kinds of video",
        Listing[Workflow],
        refusals=(429,),
        tag="Account",
        public=True,
    ),
    Operation(
        "createMusicVideoTask",
        "post",
        _MUSIC,
        "Create a music video task",
        Task,
        201,
        MusicVideoRequest,
        _CREATE,
        "optional",
    ),
    Operation(
        "createEcommerceVideoTask",
        "post",
        "/v1/ecommerce-video/tasks",
        "Create an e-commerce video task",
        Task,
        201,
        EcommerceVideoRequest,
        _CREATE,
        "optional",
    ),
    Operation(
        "editMusicVideoShot",
        "post",
        f"{_TASK}/shots/{{shot_id}}/edit",
        "Edit a shot",
        Task,
        202,
        ShotEditRequest,
        _OPERATE,
        "optional",
        "Storyboard",
    ),
    Operation(
        "getMusicVideoShotMedia",
        "post",
        f"{_TASK}/shots/{{shot_id}}/media",
        "Get a shot's video",
        ShotMedia,
        refusals=(400, 401, 404),
        tag="Storyboard",
    ),
    Operation(
        "composeMusicVideoTask",
        "post",
        f"{_TASK}/compose",
        "Compose the final video",
        Task,
        202,
        ComposeRequest,
        _OPERATE,
        "optional",
        "Storyboard",
    ),
    Operation("getTask", "get", "/v1/tasks/{task_id}", "Ask how a task stands", Task, refusals=(401, 404, 429)),
    Operation("getUsage", "get", "/v1/usage", "Read the account's usage", Account, refusals=(400, 401), tag="Account"),
    Operation(
        "uploadFile",
        "post",
        "/v1/files",
        "Upload an input file",
        UploadedFile,
        201,
        refusals=(400, 401, 429),
        tag="Files",
    ),
    Operation(
        "listWebhookEndpoints",
        "get",
        "/v1/webhooks",
        "List webhook endpoints",
        Listing[WebhookEndpoint],
        tag="Webhooks",
    ),
    Operation(
        "createWebhookEndpoint",
        "post",
        "/v1/webhooks",
        "Create a webhook endpoint",
        WebhookEndpoint,
        201,
        WebhookEndpointRequest,
        (400, 401),
        tag="Webhooks",
    ),
    Operation(
        "getWebhookEndpoint",
        "get",
        _HOOK,
        "Read a webhook endpoint",
        WebhookEndpoint,
        refusals=(401, 404),
        tag="Webhooks",
    ),
    Operation(
        "updateWebhookEndpoint",
        "patch",
        _HOOK,
        "Change a webhook endpoint",
        WebhookEndpoint,
        body=WebhookEndpointChange,
        refusals=(400, 401, 404),
        tag="Webhooks",
    ),
    Operation(
        "deleteWebhookEndpoint",
        "delete",
        _HOOK,
        "Delete a webhook endpoint",
        WebhookDeleted,
        refusals=(401, 404),
        tag="Webhooks",
    ),
    Operation(
        "createRealtimeSession",
        "post",
        "/v1/realtime/sessions",
        "Create a realtime session",
        RealtimeSession,
        201,
        RealtimeSessionRequest,
        (400, 401, 402, 409, 429),
        "required",
        "Realtime",
    ),
    Operation(
        "getRealtimeSession",
        "get",
        _SESSION,
        "Ask how a session stands",
        RealtimeSession,
        refusals=(401, 404),
        tag="Realtime",
    ),
    Operation(
        "closeRealtimeSession",
        "delete",
        _SESSION,
        "Close a session",
        RealtimeSession,
        refusals=(401, 404),
        tag="Realtime",
    ),
)
