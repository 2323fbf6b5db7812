"""Uploads: typed by their bytes first, their name second, and what the client declares last."""

import io
import wave
from pathlib import PurePosixPath
from typing import NamedTuple

from relay.contract import UploadedFile

from .errors import Refusal
from .video import audio_seconds, available

MOST_BYTES = 50 * 1024 * 1024
LEAST_SECONDS = 10
MOST_SECONDS = {"launch": 180, "current": 300}

_SUFFIXES = {
    ".png": "image/png",
    ".jpg": "image/jpeg",
    ".jpeg": "image/jpeg",
    ".webp": "image/webp",
    ".mp3": "audio/mpeg",
    ".wav": "audio/wav",
    ".aac": "audio/aac",
    ".m4a": "audio/mp4",
    ".srt": "application/x-subrip",
}
_ALIASES = {
    "audio/mp3": "audio/mpeg",
    "audio/x-wav": "audio/wav",
    "audio/wave": "audio/wav",
    "audio/x-aac": "audio/aac",
    "audio/x-m4a": "audio/mp4",
    "image/jpg": "image/jpeg",
}
_NEVER = {
    b"%PDF": "application/pdf",
    b"PK\x03\x04": "application/zip",
    b"GIF8": "image/gif",
    b"\x1aE\xdf\xa3": "video/x-matroska",
    b"OggS": "audio/ogg",
    b"fLaC": "audio/flac",
}
"""What is known by its first bytes and refused, whatever its name says."""
_KEPT_SUFFIX = {mime: suffix for suffix, mime in reversed(_SUFFIXES.items())}


class Stored(NamedTuple):
    """An uploaded file and its bytes."""

    file: UploadedFile
    content: bytes


def store(content: bytes, name: str, declared: str, *, id: str, base_url: str, contract: str, now: int) -> Stored:
    """Take an upload in, or refuse it with the reason."""
    if not content:
        raise Refusal(400, "bad_request", "The file is empty.")
    if len(content) > MOST_BYTES:
        raise Refusal(400, "bad_request", f"The file has {len(content)} bytes; at most {MOST_BYTES} are allowed.")
    mime = _type_of(content, name, declared.partition(";")[0].strip().lower())
    if mime not in _KEPT_SUFFIX:
        raise Refusal(400, "bad_request", f"A file of type {mime or 'unknown'} cannot be used as input.")
    key = f"inputs/{id}{_KEPT_SUFFIX[mime]}"
    file = UploadedFile(
        id=id, url=f"{base_url}/{key}", key=key, mime_type=mime, size_bytes=len(content), created_at=now
    )
    if mime.startswith("audio/"):
        _measure(file, content, MOST_SECONDS[contract])
    return Stored(file, content)


def sniff(content: bytes) -> str | None:
    """What the first bytes say."""
    head = content[:16]
    if head.startswith(b"\x89PNG\r\n\x1a\n"):
        return "image/png"
    if head.startswith(b"\xff\xd8\xff"):
        return "image/jpeg"
    if head[:4] == b"RIFF":
        return {b"WEBP": "image/webp", b"WAVE": "audio/wav"}.get(head[8:12], "application/x-riff")
    if head[4:8] == b"ftyp":
        return "audio/mp4" if head[8:11] in (b"M4A", b"M4B") else "video/mp4"
    if head[:3] == b"ID3":
        return "audio/mpeg"
    if len(head) > 1 and head[0] == 0xFF and head[1] & 0xF6 == 0xF0:
        return "audio/aac"
    if len(head) > 1 and head[0] == 0xFF and head[1] & 0xE0 == 0xE0:
        return "audio/mpeg"
    return next((mime for start, mime in _NEVER.items() if head.startswith(start)), None)


def _type_of(content: bytes, name: str, declared: str) -> str:
    sniffed, named = sniff(content), _by_name(name)
    if sniffed == "video/mp4" and "audio/mp4" in (named, _ALIASES.get(declared, declared)):
        return "audio/mp4"  # one container for both, and many writers of .m4a do not sign it as such
    return sniffed or named or _ALIASES.get(declared, declared)


def _by_name(name: str) -> str | None:
    return _SUFFIXES.get(PurePosixPath(name).suffix.lower())


def _measure(file: UploadedFile, content: bytes, most: int) -> None:
    seconds, source = _seconds(content, file.mime_type)
    if seconds is None:
        return
    if not LEAST_SECONDS <= seconds <= most:
        raise Refusal(400, "bad_request", f"The audio plays {seconds:.1f} s; {LEAST_SECONDS} to {most} s are allowed.")
    file.audio_duration_seconds, file.audio_duration_source = round(seconds, 2), source


def _seconds(content: bytes, mime: str) -> tuple[float | None, str]:
    if mime == "audio/wav":
        try:
            with wave.open(io.BytesIO(content)) as audio:
                return audio.getnframes() / audio.getframerate(), "wav_header"
        except (wave.Error, EOFError, ZeroDivisionError):
            raise Refusal(400, "bad_request", "The WAV file cannot be read.") from None
    return (audio_seconds(content), "container_scan") if available() else (None, "")
