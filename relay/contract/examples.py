"""One example of each body, as documentation shows it and tests check it."""

from typing import Any

_AT = 1_790_000_000
_QUEUED: dict[str, Any] = {
    "id": "task_01k7neon",
    "object": "task",
    "workflow": "music-video",
    "status": "queued",
    "stage": "queued",
    "storyboard": {"shots": []},
    "created_at": _AT,
    "updated_at": _AT,
    "completed_at": None,
    "output": None,
    "usage": {
        "credits_reserved": 100,
        "credits_charged": 100,
        "credits_settled": 0,
        "credits_refunded": 0,
        "billable_duration_seconds": 20,
    },
    "request_id": "req_01k7a",
    "error_code": None,
    "error_message": None,
}
_SHOT = {"id": "shot_01k7a", "index": 0, "status": "succeeded", "created_at": _AT, "updated_at": _AT + 60}
_FILM = {"type": "video", "url": "https://media.example.com/task_01k7neon.mp4", "mime_type": "video/mp4"}
_DONE = {
    **_QUEUED,
    "status": "succeeded",
    "stage": "succeeded",
    "storyboard": {"shots": [{**_SHOT, "duration_seconds": 5, "prompt": "Rain on a window"}]},
    "updated_at": _AT + 90,
    "completed_at": _AT + 90,
    "output": {"media": [_FILM], "r2_url": _FILM["url"]},
    "usage": {**_QUEUED["usage"], "credits_settled": 100},
}
_ENDPOINT = {
    "id": "wh_01k7a",
    "object": "webhook_endpoint",
    "url": "https://hooks.example.com/beatapi",
    "description": "Where finished videos are told of",
    "events": ["task.succeeded", "task.failed"],
    "status": "active",
    "secret": "whsec_ab12_masked",
    "created_at": _AT,
    "updated_at": _AT,
}
_SESSION = {
    "id": "rts_01k7a",
    "object": "realtime.session",
    "status": "ready",
    "expires_at": "2026-09-21T12:55:20Z",
    "max_duration_seconds": 60,
    "allowed_origins": ["https://app.example.com"],
    "credits": {"reserved": 60, "settled": 0, "refunded": 0},
    "request_id": "req_01k7b",
    "created_at": "2026-09-21T12:53:20Z",
    "connected_at": None,
    "closed_at": None,
}

REQUESTS: dict[str, dict[str, Any]] = {
    "createMusicVideoTask": {
        "audio_url": "https://media.example.com/song.mp3",
        "images": ["https://media.example.com/cover.png"],
        "prompt": "A singer on a rain-wet rooftop",
        "resolution": "720p",
        "aspect_ratio": "16:9",
    },
    "createEcommerceVideoTask": {
        "images": ["https://media.example.com/bottle.png"],
        "duration": 20,
        "prompt": "A bottle that keeps cold",
        "aspect_ratio": "9:16",
    },
    "editMusicVideoShot": {"prompt": "The same window, by night"},
    "composeMusicVideoTask": {"shot_ids": ["shot_01k7b", "shot_01k7a"]},
    "createRealtimeSession": {
        "max_duration_seconds": 60,
        "allowed_origins": ["https://app.example.com"],
        "metadata": {"customer": "c-42"},
    },
    "createWebhookEndpoint": {"url": "https://hooks.example.com/beatapi", "events": ["task.succeeded"]},
    "updateWebhookEndpoint": {"status": "disabled"},
    "createImageTask": {"model": "nano-banana-pro", "prompt": "A record sleeve"},
    "createVideoTask": {"model": "veo-3.1", "prompt": "A lighthouse at dusk"},
    "createEffectTask": {"effect_id": "neon-portrait", "images": ["https://media.example.com/face.png"]},
    "createVideoAnalysisTask": {"video_url": "https://media.example.com/clip.mp4", "prompt": "What happens in it?"},
}
"""Bodies of requests, by operation id."""

ANSWERS: dict[str, Any] = {
    "listWorkflows": {
        "object": "list",
        "data": [{"id": "music-video", "object": "workflow", "name": "Music video", "description": "From a song."}],
    },
    "createMusicVideoTask": _QUEUED,
    "createEcommerceVideoTask": {
        **{name: value for name, value in _QUEUED.items() if name != "storyboard"},
        "workflow": "ecommerce-video",
    },
    "editMusicVideoShot": {**_DONE, "status": "editing", "stage": "editing"},
    "composeMusicVideoTask": {**_DONE, "status": "composing", "stage": "composing"},
    "getMusicVideoShotMedia": {
        **{name: value for name, value in _SHOT.items() if name != "id"},
        "object": "shot_media",
        "task_id": "task_01k7neon",
        "shot_id": "shot_01k7a",
        "media": _FILM,
        "request_id": "req_01k7a",
    },
    "getTask": _DONE,
    "getUsage": {
        "object": "usage",
        "credit_balance": 4900,
        "total_tasks": 1,
        "credits_settled": 100,
        "credits_refunded": 0,
        "concurrency": {"limit": 5, "active": 0},
        "by_workflow": [{"workflow": "music-video", "tasks": 1, "credits_settled": 100}],
    },
    "uploadFile": {
        "id": "file_01k7a",
        "object": "file",
        "url": "https://media.example.com/inputs/file_01k7a.mp3",
        "key": "inputs/file_01k7a.mp3",
        "mime_type": "audio/mpeg",
        "size_bytes": 2_400_000,
        "audio_duration_seconds": 60.02,
        "audio_duration_source": "mp3_frame_scan",
        "purpose": "input",
        "created_at": _AT,
    },
    "listWebhookEndpoints": {"object": "list", "data": [_ENDPOINT]},
    "createWebhookEndpoint": {**_ENDPOINT, "secret": "whsec_shown_in_full_this_once"},
    "getWebhookEndpoint": _ENDPOINT,
    "updateWebhookEndpoint": {**_ENDPOINT, "status": "disabled"},
    "deleteWebhookEndpoint": {"id": "wh_01k7a", "deleted": True},
    "createRealtimeSession": {**_SESSION, "client_secret": "brt_live_shown_in_full_this_once"},
    "getRealtimeSession": _SESSION,
    "closeRealtimeSession": {
        **_SESSION,
        "status": "closed",
        "credits": {"reserved": 60, "settled": 0, "refunded": 60},
        "closed_at": "2026-09-21T12:54:00Z",
    },
}
"""What stands in ``data`` of a successful answer, by operation id."""

ERROR: dict[str, Any] = {
    "error": {
        "code": "bad_request",
        "message": "images must be a list of 1 to 7 public HTTPS URLs.",
        "request_id": "req_01k7c",
        "retryable": False,
        "details": [{"field": "images", "value": [], "rule": "must be a list of 1 to 7 public HTTPS URLs"}],
    }
}
EVENT: dict[str, Any] = {"id": "evt_01k7a", "event": "task.succeeded", "created_at": _AT + 90, "data": _DONE}
