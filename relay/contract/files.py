"""Which files may be inputs: what they are by their bytes, how large they may be, how long they may play.

Pure: it looks at the first bytes that it is handed, and reads nothing by itself.
"""

from pathlib import PurePosixPath

from msgspec import Struct

MEBIBYTE = 1024 * 1024
HEAD_BYTES = 16
"""As many first bytes as :func:`sniff` needs."""


class FileRules(Struct, frozen=True):
    """What one contract takes. ``most_bytes`` by MIME type; ``audio_seconds`` is the shortest and the longest."""

    most_bytes: dict[str, int]
    audio_seconds: tuple[int, int]

    @property
    def largest(self) -> int:
        """Bytes that no file may exceed, whatever it is."""
        return max(self.most_bytes.values())


IMAGES = ("image/png", "image/jpeg", "image/webp")
AUDIO = ("audio/mpeg", "audio/wav", "audio/aac", "audio/mp4")
SUBTITLES = "application/x-subrip"
LAUNCH = FileRules(dict.fromkeys((*IMAGES, *AUDIO, SUBTITLES), 50 * MEBIBYTE), (10, 180))
CURRENT = FileRules({**LAUNCH.most_bytes, **dict.fromkeys(("video/mp4", "video/quicktime"), 100 * MEBIBYTE)}, (10, 300))

_ENDINGS = {
    ".png": "image/png",
    ".jpg": "image/jpeg",
    ".jpeg": "image/jpeg",
    ".webp": "image/webp",
    ".mp3": "audio/mpeg",
    ".wav": "audio/wav",
    ".aac": "audio/aac",
    ".m4a": "audio/mp4",
    ".srt": SUBTITLES,
    ".mp4": "video/mp4",
    ".mov": "video/quicktime",
}
_OTHER_NAMES = {
    "audio/mp3": "audio/mpeg",
    "audio/x-wav": "audio/wav",
    "audio/wave": "audio/wav",
    "audio/vnd.wave": "audio/wav",
    "audio/x-aac": "audio/aac",
    "audio/aacp": "audio/aac",
    "audio/x-m4a": "audio/mp4",
    "image/jpg": "image/jpeg",
}
_STARTS = {
    b"\x89PNG\r\n\x1a\n": "image/png",
    b"\xff\xd8\xff": "image/jpeg",
    b"ID3": "audio/mpeg",
    b"%PDF": "application/pdf",
    b"PK\x03\x04": "application/zip",
    b"GIF8": "image/gif",
    b"\x1aE\xdf\xa3": "video/x-matroska",
    b"OggS": "audio/ogg",
    b"fLaC": "audio/flac",
    b"\x7fELF": "application/x-executable",
}


def sniff(head: bytes) -> str | None:
    """The MIME type that the first bytes tell; ``None`` if they tell nothing."""
    for start, mime in _STARTS.items():
        if head.startswith(start):
            return mime
    if head[:4] == b"RIFF":
        return {b"WEBP": "image/webp", b"WAVE": "audio/wav"}.get(head[8:12], "application/x-riff")
    if head[4:8] == b"ftyp":
        brands = {b"M4A ": "audio/mp4", b"M4B ": "audio/mp4", b"qt  ": "video/quicktime"}
        return brands.get(head[8:12], "video/mp4")
    if len(head) > 1 and head[0] == 0xFF and head[1] & 0xE0 == 0xE0:  # a frame of MPEG audio; layer 0 is ADTS
        return "audio/aac" if head[1] & 0x06 == 0 else "audio/mpeg"
    return None


def type_of(head: bytes, name: str = "", declared: str = "") -> str:
    """What a file is: by its bytes first, by its name second, and last by what it was declared to be. Many clients
    declare nothing better than ``application/octet-stream``. Empty if nothing tells."""
    seen, named = sniff(head), _ENDINGS.get(PurePosixPath(name).suffix.lower())
    said = declared.partition(";")[0].strip().lower()
    said = _OTHER_NAMES.get(said, said)
    if seen == "video/mp4" and "audio/mp4" in (named, said):
        return "audio/mp4"  # one container for both, and many writers of .m4a do not sign it as such
    return seen or named or said


def ending_of(mime: str) -> str:
    """``audio/mpeg`` → ``.mp3``; empty for what cannot be an input."""
    return next((ending for ending, known in _ENDINGS.items() if known == mime), "")
