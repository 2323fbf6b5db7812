"""They speak to a generator of videos."""

from .base import (
    Busy,
    CreateAnswer,
    FetchAnswer,
    Forged,
    Genuine,
    Hint,
    MalformedWebhook,
    Missing,
    Passed,
    Provider,
    Refused,
    Told,
    Unclear,
)
from .beatapi import BeatApi

__all__ = [
    "BeatApi",
    "Busy",
    "CreateAnswer",
    "FetchAnswer",
    "Forged",
    "Genuine",
    "Hint",
    "MalformedWebhook",
    "Missing",
    "Passed",
    "Provider",
    "Refused",
    "Told",
    "Unclear",
]
