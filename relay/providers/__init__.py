"""They speak to a generator of videos."""

from .base import (
    Busy,
    CreateAnswer,
    FetchAnswer,
    Forged,
    Genuine,
    Hint,
    Lack,
    MalformedWebhook,
    Missing,
    Passed,
    Provider,
    Refused,
    Standing,
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
    "Lack",
    "MalformedWebhook",
    "Missing",
    "Passed",
    "Provider",
    "Refused",
    "Standing",
    "Told",
    "Unclear",
]
