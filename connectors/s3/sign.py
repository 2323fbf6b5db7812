"""AWS Signature Version 4, by AWS' own library (``awscrt``, the extra ``s3``): we only say what is signed."""

import importlib
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from connectors.base import Reject

from .settings import S3Connection

EMPTY_SHA256 = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
_UNSIGNED = "UNSIGNED-PAYLOAD"


class Signer:
    """Signs for one connection. Times are Unix seconds, given by the caller."""

    def __init__(self, connection: S3Connection) -> None:
        try:
            self._auth: Any = importlib.import_module("awscrt.auth")
            self._http: Any = importlib.import_module("awscrt.http")
        except ImportError as error:
            raise Reject(
                "the package awscrt is not installed; pip install 'beatrelay[s3]', then replay this"
            ) from error
        self._region = connection.region
        self._credentials: Any = self._auth.AwsCredentialsProvider.new_static(
            connection.access_key_id, connection.secret_access_key, connection.session_token or None
        )

    def headers(
        self, method: str, target: str, headers: Mapping[str, str], *, body_sha256: str, at: float
    ) -> dict[str, str]:
        """``headers`` (``host`` among them) and those that prove who sends them. The body's hash is signed too, so
        that the service refuses a body that changed on its way."""
        request = self._http.HttpRequest(method, target, self._http.HttpHeaders(list(headers.items())))
        signed = self._sign(
            request,
            at,
            signature_type=self._auth.AwsSignatureType.HTTP_REQUEST_HEADERS,
            signed_body_value=body_sha256,
            signed_body_header_type=self._auth.AwsSignedBodyHeaderType.X_AMZ_CONTENT_SHA_256,
        )
        return dict(signed.headers)

    def presigned(self, target: str, host: str, *, at: float, seconds: int) -> str:
        """``target`` (path and query) with a query that lets anybody GET it for ``seconds``."""
        request = self._http.HttpRequest("GET", target, self._http.HttpHeaders([("host", host)]))
        signed = self._sign(
            request,
            at,
            signature_type=self._auth.AwsSignatureType.HTTP_REQUEST_QUERY_PARAMS,
            signed_body_value=_UNSIGNED,
            expiration_in_seconds=seconds,
        )
        return signed.path

    def _sign(self, request: Any, at: float, **more: Any) -> Any:
        config = self._auth.AwsSigningConfig(
            algorithm=self._auth.AwsSigningAlgorithm.V4,
            credentials_provider=self._credentials,
            region=self._region,
            service="s3",
            date=datetime.fromtimestamp(int(at), UTC),
            use_double_uri_encode=False,
            should_normalize_uri_path=False,
            **more,
        )
        return self._auth.aws_sign_request(request, config).result(10)  # done at once: static credentials need no I/O
