"""Makes a real video: H.264 and AAC in an MP4, the prompt as moving text over a drifting gradient, with a chord."""

import array
import hashlib
import io
import math
import tempfile
import textwrap
from collections.abc import Iterator
from fractions import Fraction
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

SECONDS, FRAMES_PER_SECOND, SAMPLE_RATE, LONG_SIDE = 4, 24, 44100, 640

MISSING = (
    "the sandbox makes real videos with PyAV and Pillow, which are not installed;"
    " install them with: pip install 'beatrelay[sandbox]'"
)


def available() -> bool:
    """Whether the extra that makes videos is installed."""
    return find_spec("av") is not None and find_spec("PIL") is not None


def size_of(aspect_ratio: str) -> tuple[int, int]:
    """Width and height in pixels of exactly this ratio, both even, the longer side about 640."""
    across, _, down = aspect_ratio.partition(":")
    width, height = int(across), int(down)
    scale = LONG_SIDE // max(width, height) // 2 * 2
    return width * scale, height * scale


def make_video(text: str, aspect_ratio: str, *, seconds: float = SECONDS) -> bytes:
    """The MP4 as bytes. The same arguments give the same picture. Takes about a second of processor time."""
    with tempfile.TemporaryDirectory(prefix="beatrelay-") as folder:
        file = Path(folder) / "video.mp4"  # by name, because moving the index to the front reads it back
        _write(file, text, aspect_ratio, seconds)
        return file.read_bytes()


def _write(file: Path, text: str, aspect_ratio: str, seconds: float) -> None:
    av = _extra("av")

    width, height = size_of(aspect_ratio)
    with av.open(str(file), "w", format="mp4", options={"movflags": "faststart"}) as container:
        video: Any = container.add_stream("libx264", rate=FRAMES_PER_SECOND)
        video.width, video.height, video.pix_fmt = width, height, "yuv420p"
        video.options = {"preset": "ultrafast", "crf": "30"}
        audio: Any = container.add_stream("aac", rate=SAMPLE_RATE, layout="mono")
        for picture in _pictures(text, width, height, int(seconds * FRAMES_PER_SECOND)):
            container.mux(video.encode(av.VideoFrame.from_image(picture)))
        container.mux(video.encode(None))
        for frame in _chord(text, int(seconds * SAMPLE_RATE)):
            container.mux(audio.encode(frame))
        container.mux(audio.encode(None))


def make_picture(text: str, aspect_ratio: str) -> bytes:
    """A PNG of the video's first moment."""
    buffer = io.BytesIO()
    next(_pictures(text, *size_of(aspect_ratio), 1)).save(buffer, format="PNG")
    return buffer.getvalue()


def audio_seconds(content: bytes) -> float | None:
    """How long an audio file plays; ``None`` if it cannot be told."""
    av = _extra("av")

    try:
        with av.open(io.BytesIO(content)) as container:
            if not container.streams.audio or container.duration is None:
                return None
            return container.duration / 1_000_000
    except (av.error.FFmpegError, ValueError):
        return None


def _pictures(text: str, width: int, height: int, count: int) -> Iterator[Any]:
    image, draw, fonts = (_extra(f"PIL.{name}") for name in ("Image", "ImageDraw", "ImageFont"))

    colour = hashlib.sha256(text.encode()).digest()
    font = fonts.load_default(size=max(18, min(width, height) // 14))
    lines = textwrap.fill(text or "beatrelay sandbox", width=max(12, width // 22))
    # one small gradient, stretched and shifted: drawing it anew for every frame would cost more than the encoding
    seed = image.new("RGB", (2, 3))
    seed.putdata([(colour[i] // 3 + 20 * (i % 3), colour[i + 8] // 3 + 30, colour[i + 16] // 2 + 60) for i in range(6)])
    wide = seed.resize((width * 2, height), image.Resampling.BICUBIC)
    for number in range(count):
        part = number / max(1, count - 1)
        left = int(part * width)
        picture = wide.crop((left, 0, left + width, height))
        drawing = draw.Draw(picture)
        y = height * (0.8 - 0.6 * part)
        x = width / 2 + math.sin(part * math.tau) * width / 24
        drawing.multiline_text((x, y), lines, font=font, fill="white", anchor="mm", align="center")
        yield picture


def _chord(text: str, samples: int) -> Iterator[Any]:
    av = _extra("av")

    root = 196.0 * 2 ** ((hashlib.sha256(text.encode()).digest()[31] % 12) / 12)
    period = SAMPLE_RATE  # one second of sound, repeated: three sines need not be computed four times
    second = array.array(
        "h",
        (
            int(6000 * sum(math.sin(math.tau * round(root * ratio) * at / SAMPLE_RATE) for ratio in (1, 1.25, 1.5)) / 3)
            for at in range(period)
        ),
    )
    for start in range(0, samples, 1024):
        at = start % period
        chunk = (second + second)[at : at + 1024]
        frame: Any = av.AudioFrame(format="s16", layout="mono", samples=1024)
        frame.sample_rate, frame.pts, frame.time_base = SAMPLE_RATE, start, Fraction(1, SAMPLE_RATE)
        frame.planes[0].update(chunk.tobytes())
        yield frame


def _extra(name: str) -> Any:
    """A module of the extra, loaded only when it is needed."""
    return import_module(name)
