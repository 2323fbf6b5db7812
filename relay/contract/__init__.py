"""The public task contract: what Beat API says on the wire, and what the relay says to its own clients.

Every struct reads tolerantly (unknown fields are ignored, missing optional ones have a default, an unknown
status stays the string it is) and writes what the launch contract requires. Fields that only the *current*
contract has are ``UNSET`` unless given, so that they are left out rather than sent as null.

This package imports nothing of ours.
"""

from .account import Account, Concurrency, UploadedFile, Workflow, WorkflowUsage
from .envelopes import Data, ErrorBody, ErrorEnvelope, Listing, decode, encode
from .requests import ComposeRequest, EcommerceVideoRequest, MusicVideoRequest, ShotEditRequest, VideoRequest
from .tasks import (
    ACTIONABLE,
    OPEN,
    OTHER_KINDS,
    TERMINAL,
    Credits,
    Media,
    Output,
    Shot,
    ShotMedia,
    Status,
    Storyboard,
    Task,
    TaskUsage,
    Unit,
    asked_as,
)
from .webhooks import WebhookEndpoint, WebhookEndpointChange, WebhookEndpointRequest, WebhookEvent

__all__ = [
    "ACTIONABLE",
    "OPEN",
    "OTHER_KINDS",
    "TERMINAL",
    "Account",
    "ComposeRequest",
    "Concurrency",
    "Credits",
    "Data",
    "EcommerceVideoRequest",
    "ErrorBody",
    "ErrorEnvelope",
    "Listing",
    "Media",
    "MusicVideoRequest",
    "Output",
    "Shot",
    "ShotEditRequest",
    "ShotMedia",
    "Status",
    "Storyboard",
    "Task",
    "TaskUsage",
    "Unit",
    "UploadedFile",
    "VideoRequest",
    "WebhookEndpoint",
    "WebhookEndpointChange",
    "WebhookEndpointRequest",
    "WebhookEvent",
    "Workflow",
    "WorkflowUsage",
    "asked_as",
    "decode",
    "encode",
]
