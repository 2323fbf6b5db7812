"""What a storage service's refusal means, and what to do about it."""

import xml.etree.ElementTree as ElementTree
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

import httpx

from connectors.answers import retry_after
from connectors.base import DeliveryError, Reject, Retry

_MENDABLE = {
    "AccessDenied": "the credentials may not do this; allow them s3:PutObject and s3:GetObject on the bucket's objects"
    " (and s3:AbortMultipartUpload, s3:ListMultipartUploadParts for files over 64 MiB)",
    "AccountProblem": "the account has a problem; see the service's console",
    "AuthorizationHeaderMalformed": "the connection's `region` is wrong",
    "ExpiredToken": "the temporary credentials have ended; renew them in the connection",
    "EntityTooLarge": "the service takes no file of this size",
    "InvalidAccessKeyId": "the service does not know the connection's `access_key_id`",
    "InvalidBucketName": "the connection's `bucket` is no name that the service knows",
    "InvalidToken": "the connection's `session_token` is not one of the service's",
    "NoSuchBucket": "there is no such bucket; make it, or correct the connection's `bucket` (and `path_style`)",
    "PermanentRedirect": "the bucket is in another region; correct the connection's `region` and `endpoint`",
    "QuotaExceeded": "the account's storage is full",
    "SignatureDoesNotMatch": "the connection's `secret_access_key` is wrong (or its `region`)",
}
_MAY_PASS = {
    "BadDigest",
    "ConditionalRequestConflict",
    "IncompleteBody",
    "InternalError",
    "OperationAborted",
    "RequestTimeTooSkewed",
    "RequestTimeout",
    "ServiceUnavailable",
    "SlowDown",
    "Throttling",
    "TooManyRequests",
    "XAmzContentSHA256Mismatch",
}
_REDIRECTS = (HTTPStatus.MOVED_PERMANENTLY, HTTPStatus.FOUND, HTTPStatus.TEMPORARY_REDIRECT)


@dataclass(frozen=True, slots=True)
class Answer:
    """A service's answer, read to its limit."""

    status: int
    headers: httpx.Headers
    text: str

    @property
    def ok(self) -> bool:
        return 200 <= self.status < 300

    def all(self, name: str) -> list[str]:
        """The text of every element ``name``; empty if the body is no XML."""
        if "<!" in self.text[:4096]:  # a DTD: no service sends one, and it could unfold without end
            return []
        try:
            root = ElementTree.fromstring(self.text)  # noqa: S314 - limited in size, and without a DTD
        except ElementTree.ParseError:
            return []
        return [element.text or "" for element in root.iter() if element.tag.rpartition("}")[2] == name]

    def one(self, name: str) -> str:
        return next(iter(self.all(name)), "")

    @property
    def code(self) -> str:
        return self.one("Code")


def refusal(answer: Answer, doing: str, at: float) -> DeliveryError:
    """The error for an answer that is no success. A service's words are kept; nothing in them is secret."""
    code = answer.code or {403: "AccessDenied"}.get(answer.status, "")
    detail: dict[str, Any] = {"status": answer.status, "code": code, "message": answer.one("Message")[:500]}
    said = f"{doing}: the service answered {answer.status} {code}".rstrip()
    after = retry_after(answer.headers, at)
    if code == "RequestTimeTooSkewed":
        return Retry(f"{said}; this machine's clock and the service's differ too much: set it", detail=detail)
    if code in _MAY_PASS or answer.status >= 500 or answer.status in (408, 409, 425, 429):
        return Retry(said, after=after, detail=detail)
    region = answer.headers.get("x-amz-bucket-region") or answer.one("Region")
    if code in _MENDABLE or answer.status in _REDIRECTS:
        hint = _MENDABLE.get(code, _MENDABLE["PermanentRedirect"])
        return Reject(f"{said}: {hint}{f'; the bucket is in {region}' if region else ''}", detail=detail)
    return Reject(f"{said}: {detail['message'] or 'it gave no reason'}", detail=detail)
