"""Audio and pictures for tests, made by real encoders."""

import io
import wave
from typing import Any

import av
from PIL import Image


def wav(seconds: float, rate: int = 8000) -> bytes:
    """Silence as a WAV file."""
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(1)
        file.setframerate(rate)
        file.writeframes(b"\x80" * int(seconds * rate))
    return buffer.getvalue()


def silence(container: str, codec: str, seconds: int) -> bytes:
    """Some seconds of nothing, as ``codec`` in ``container``."""
    buffer = io.BytesIO()
    with av.open(buffer, "w", format=container) as output:
        stream: Any = output.add_stream(codec, rate=16000, layout="mono")
        for start in range(0, seconds * 16000, 1000):
            frame = av.AudioFrame(format="s16", layout="mono", samples=1000)
            frame.sample_rate, frame.pts = 16000, start
            frame.planes[0].update(bytes(2000))
            output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
    return buffer.getvalue()


def picture(kind: str = "png", size: tuple[int, int] = (64, 64)) -> bytes:
    """A plain picture."""
    buffer = io.BytesIO()
    Image.new("RGB", size, "navy").save(buffer, kind)
    return buffer.getvalue()
