"""What a client asks for: the body of a create.

These shapes are for documents: :mod:`relay.contract.rules` checks bodies, for it tells all violations at once, and they
travel on as they came.
"""

from typing import Annotated, Literal

from msgspec import UNSET, Meta, Struct, UnsetType

Images = Annotated[list[str], Meta(min_length=1, max_length=7)]
Language = Literal["en", "zh"]
Quality = Literal["standard", "high"]
Resolution = Literal["540p", "720p", "1080p"]
Colour = Annotated[str, Meta(pattern="^#[0-9A-Fa-f]{6}$")]


class VideoRequest(Struct):
    """What every create shares."""

    images: Images
    """1 to 7 public HTTPS URLs; png, jpg, jpeg or webp; at most 50 MB each; aspect ratio 1:4 to 4:1."""


class MusicVideoRequest(VideoRequest):
    """``POST /v1/music-video/tasks``. Fields left out are the provider's defaults, not ours."""

    audio_url: str
    """Public HTTPS URL of an mp3, wav, aac or m4a of 10 to 180 s, at most 50 MB."""
    prompt: Annotated[str, Meta(max_length=3000)] | UnsetType = UNSET
    """At most 3000 characters."""
    style: Annotated[str, Meta(max_length=200)] | UnsetType = UNSET
    """At most 200 characters."""
    language: Language | UnsetType = UNSET
    """``en`` or ``zh``."""
    quality: Quality | UnsetType = UNSET
    """``standard`` (default) or ``high``; ``high`` is refused with 540p."""
    resolution: Resolution | UnsetType = UNSET
    """``540p``, ``720p`` (default) or ``1080p``."""
    aspect_ratio: Literal["1:1", "16:9", "9:16", "4:3", "3:4"] | UnsetType = UNSET
    """``1:1``, ``16:9``, ``9:16``, ``4:3`` or ``3:4``."""
    lip_sync: bool | UnsetType = UNSET
    """Refused with 540p; current also requires ``lip_ref_url``."""
    lip_ref_url: str | UnsetType = UNSET
    """Public HTTPS URL of an image."""
    add_subtitle: bool | UnsetType = UNSET
    subtitle_color: Colour | UnsetType = UNSET
    """``#RRGGBB``."""
    srt_url: str | UnsetType = UNSET
    """Public HTTPS URL ending in ``.srt``."""
    duration: Annotated[int, Meta(ge=10, le=180)] | UnsetType = UNSET
    """10 to 180 s. A fallback for billing only; a detected length wins."""
    compose_mode: Literal["auto", "manual"] | UnsetType = UNSET
    """``auto`` (default) or ``manual``: stop at the storyboard and wait for a person."""


class EcommerceVideoRequest(VideoRequest):
    """``POST /v1/ecommerce-video/tasks``."""

    duration: Annotated[int, Meta(ge=10, le=60)]
    """10 to 60 s."""
    prompt: Annotated[str, Meta(max_length=2000)] | UnsetType = UNSET
    """At most 2000 characters."""
    aspect_ratio: Literal["16:9", "9:16", "1:1"] | UnsetType = UNSET
    """``16:9``, ``9:16`` or ``1:1``."""
    language: Language | UnsetType = UNSET
    """``en`` or ``zh``."""


class ShotEditRequest(Struct):
    """``POST …/shots/{shot_id}/edit``. The current contract inherits all but the prompt from the task."""

    prompt: Annotated[str, Meta(min_length=1, max_length=3000)]
    """1 to 3000 characters."""
    duration: Annotated[int, Meta(ge=1, le=180)] | UnsetType = UNSET
    """1 to 180 s (launch; default 5)."""
    quality: Quality | UnsetType = UNSET
    resolution: Resolution | UnsetType = UNSET


class ComposeRequest(Struct):
    """``POST …/compose``: a fixed charge."""

    shot_ids: Annotated[list[str], Meta(min_length=1)]
    """At least one, in the wanted order."""
