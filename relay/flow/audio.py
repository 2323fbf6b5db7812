"""How long audio plays, told from a file's own headers and frames; nothing is decoded."""

from pathlib import Path
from typing import BinaryIO

from tinytag import TinyTag, TinyTagException

_RATES = (96000, 88200, 64000, 48000, 44100, 32000, 24000, 22050, 16000, 12000, 11025, 8000, 7350)
_SAMPLES = 1024
"""Samples of each channel in one AAC frame."""


def seconds_of(path: Path, mime: str) -> float | None:
    """Seconds that the audio plays; ``None`` if the file does not tell."""
    if mime == "audio/aac":
        with path.open("rb") as file:
            return _adts(file)
    suffix = {"audio/mpeg": ".mp3", "audio/wav": ".wav", "audio/mp4": ".m4a"}[mime]
    try:
        with path.open("rb") as file:
            tag = TinyTag.get(filename=f"audio{suffix}", file_obj=file, tags=False, duration=True)
    except (TinyTagException, OSError, ValueError, ArithmeticError):  # a broken file has no length that we can tell
        return None
    return tag.duration if tag.duration and tag.duration > 0 else None


def _adts(file: BinaryIO) -> float | None:
    """ADTS has no header for the whole: its frames are counted, each by the length that its own header gives."""
    seconds, position = 0.0, 0
    while len(header := file.read(7)) == 7 and header[0] == 0xFF and header[1] & 0xF6 == 0xF0:
        rate, length = header[2] >> 2 & 0xF, (header[3] & 3) << 11 | header[4] << 3 | header[5] >> 5
        if rate >= len(_RATES) or length < 7:
            break
        seconds += _SAMPLES * (1 + (header[6] & 3)) / _RATES[rate]
        position += length
        file.seek(position)
    return seconds or None
