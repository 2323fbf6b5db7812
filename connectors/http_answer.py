"""What a receiver's answer means: done, try again, never again, or go one door further."""

from collections.abc import Collection, Mapping
from http import HTTPStatus
from typing import Any
from urllib.parse import urljoin, urlsplit

import httpx

from .answers import retry_after
from .base import DeliveryError, Gone, Reject, Retry

SUCCESS = range(200, 300)
HOPS_MOST = 3
UNMENDABLE = frozenset({400, 405, 406, 411, 413, 414, 415, 422, 431, 501, 505})
"""Answers about the request itself, which will be the same next time."""
SAID_MOST = 200
"""Characters of an answer that an error quotes; more is kept with the attempt."""
N8N_WAIT = 600.0
"""Seconds between two tries while somebody has to switch a workflow on."""


def judge(
    status: int,
    headers: httpx.Headers,
    text: str,
    at: int,
    detail: Mapping[str, Any],
    *,
    success: Collection[int] = (),
    doubt: str | None = None,
) -> None:
    """Nothing for a success; else raises what the answer means, with a sentence that says what to do. ``doubt`` is why
    the step's own expression does not hold; it alone decides, unless it is ``None``."""
    if not doubt if doubt is not None else status in (success or SUCCESS):
        return
    error = _meaning(status, headers, text, at, detail)
    if doubt:
        error.reason += f"; {doubt}"
    raise error


def _meaning(status: int, headers: httpx.Headers, text: str, at: int, detail: Mapping[str, Any]) -> DeliveryError:
    """What an answer that is no success means, by its status."""
    after = retry_after(headers, at)
    if status == HTTPStatus.GONE:
        return Gone("the receiver answered 410: it is gone for good", detail=detail)
    if 300 <= status < 400:
        return Reject(
            f"the receiver answered {status}, a redirect, which is not followed; put the final URL in its place",
            detail=detail,
        )
    asleep = _asleep(status, text)
    if asleep:
        return Retry(asleep, after=max(after or 0.0, N8N_WAIT), detail=detail)
    if status == HTTPStatus.BAD_REQUEST and "queue is full" in text.lower():
        return Retry("Make answered 400, its queue is full; it is tried again", after=after, detail=detail)
    said = f", and said: {text[:SAID_MOST].strip()}" if text.strip() else ""
    if status in UNMENDABLE:
        return Reject(f"the receiver answered {status}: it does not take this request{said}", detail=detail)
    if status in SUCCESS:
        return Retry(f"the receiver answered {status}{said}", after=after, detail=detail)
    return Retry(f"the receiver answered {status}{_why(status)}", after=after, detail=detail)


def next_hop(url: str, status: int, headers: httpx.Headers) -> str | None:
    """Where a redirect leads that may be followed: 307 and 308 on the same host, never from https to http. They
    keep method and body; 301 to 303 would lose them."""
    if status not in (307, 308) or "location" not in headers:
        return None
    target = urljoin(url, headers["location"])
    here, there = urlsplit(url), urlsplit(target)
    if here.hostname != there.hostname or there.scheme not in ("https", here.scheme):
        return None
    return target


def _asleep(status: int, text: str) -> str | None:
    """n8n's 404 says what is wrong only to those who know it: nothing listens here now. The names in a URL stand in its
    words too, so only whole phrases tell."""
    if status != HTTPStatus.NOT_FOUND or "not registered" not in text:
        return None
    if "Did you mean to make a" in text:
        return "n8n answered 404: its Webhook node listens for another method; set its HTTP Method to the one you send"
    if "in test mode" in text.lower():
        return (
            "n8n answered 404: its test URL listens only for a moment after `Execute workflow`;"
            " use the production URL (/webhook/, not /webhook-test/)"
        )
    return (
        "n8n answered 404: no active workflow has this URL; switch yours on (Active, or Publish) and the delivery goes"
        " through, or correct the URL"
    )


def _why(status: int) -> str:
    if status in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
        return ": it does not accept who we are; look at the connection's credentials"
    if status == HTTPStatus.NOT_FOUND:
        return ": there is nothing at this URL now"
    return ""
