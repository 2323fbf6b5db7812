"""What a client asks for: the body of a create."""

from msgspec import UNSET, Struct, UnsetType


class VideoRequest(Struct):
    """What every create shares."""

    images: list[str]
    """1 to 7 public HTTPS URLs; png, jpg, jpeg or webp; at most 50 MB each; aspect ratio 1:4 to 4:1."""


class MusicVideoRequest(VideoRequest):
    """``POST /v1/music-video/tasks``. Fields left out are the provider's defaults, not ours."""

    audio_url: str
    """Public HTTPS URL of an mp3, wav, aac or m4a of 10 to 180 s, at most 50 MB."""
    prompt: str | UnsetType = UNSET
    """At most 3000 characters."""
    style: str | UnsetType = UNSET
    """At most 200 characters."""
    language: str | UnsetType = UNSET
    """``en`` or ``zh``."""
    quality: str | UnsetType = UNSET
    """``standard`` (default) or ``high``; ``high`` is refused with 540p."""
    resolution: str | UnsetType = UNSET
    """``540p``, ``720p`` (default) or ``1080p``."""
    aspect_ratio: str | UnsetType = UNSET
    """``1:1``, ``16:9``, ``9:16``, ``4:3`` or ``3:4``."""
    lip_sync: bool | UnsetType = UNSET
    """Refused with 540p; current also requires ``lip_ref_url``."""
    lip_ref_url: str | UnsetType = UNSET
    """Public HTTPS URL of an image."""
    add_subtitle: bool | UnsetType = UNSET
    subtitle_color: str | UnsetType = UNSET
    """``#RRGGBB``."""
    srt_url: str | UnsetType = UNSET
    """Public HTTPS URL ending in ``.srt``."""
    duration: int | UnsetType = UNSET
    """10 to 180 s. A fallback for billing only; a detected length wins."""
    compose_mode: str | UnsetType = UNSET
    """``auto`` (default) or ``manual``: stop at the storyboard and wait for a person."""


class EcommerceVideoRequest(VideoRequest):
    """``POST /v1/ecommerce-video/tasks``."""

    duration: int
    """10 to 60 s."""
    prompt: str | UnsetType = UNSET
    """At most 2000 characters."""
    aspect_ratio: str | UnsetType = UNSET
    """``16:9``, ``9:16`` or ``1:1``."""
    language: str | UnsetType = UNSET
    """``en`` or ``zh``."""


class ShotEditRequest(Struct):
    """``POST …/shots/{shot_id}/edit``. The current contract inherits all but the prompt from the task."""

    prompt: str
    """1 to 3000 characters."""
    duration: int | UnsetType = UNSET
    """1 to 180 s (launch; default 5)."""
    quality: str | UnsetType = UNSET
    resolution: str | UnsetType = UNSET


class ComposeRequest(Struct):
    """``POST …/compose``: a fixed charge."""

    shot_ids: list[str]
    """At least one, in the wanted order."""
