"""What Google's APIs share: tokens, the rules of the discovery documents, error bodies, and faults on demand."""

import asyncio
import json
import re
from collections import defaultdict, deque
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, unquote

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from google.auth import jwt
from googleapiclient.discovery_cache import get_static_doc

KEY = rsa.generate_private_key(65537, 2048)
PEM = KEY.private_bytes(
    serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
).decode()
PUBLIC = KEY.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
ROBOT = "relay@project.iam.gserviceaccount.example"
KEY_FILE = json.dumps({"type": "service_account", "private_key_id": "k1", "private_key": PEM, "client_email": ROBOT})


@dataclass
class Fault:
    """What goes wrong with one call; the work is done unless it says otherwise."""

    status: int = 0
    """Answer this and do nothing."""
    reason: str = "backendError"
    headers: dict[str, str] = field(default_factory=dict[str, str])
    cut: int | None = None
    """Hang up after so many bytes of the body; what came is kept."""
    keep: int | None = None
    """Store only so many bytes of a piece."""
    lost: bool = False
    """Do it, and hang up in place of the answer."""
    damage: bool = False
    """Store other bytes than were sent."""


class Refused(Exception):
    """An error answer."""

    def __init__(self, status: int, reason: str, message: str = "", headers: dict[str, str] | None = None) -> None:
        super().__init__(message or reason)
        self.status, self.reason, self.headers = status, reason, headers or {}

    def body(self) -> dict[str, Any]:
        errors = [{"domain": "global", "reason": self.reason, "message": str(self)}]
        return {"error": {"code": self.status, "message": str(self), "errors": errors}}


@dataclass
class Call:
    """One request, as the fake sees it."""

    operation: str
    method: str
    path: str
    names: dict[str, str]
    query: dict[str, str]
    lists: dict[str, list[str]]
    headers: dict[str, str]
    raw: bytes
    fault: Fault
    broken: bool = False
    """The connection went before the whole body came."""

    @property
    def body(self) -> Any:
        return json.loads(self.raw) if self.raw else None


@dataclass
class Reply:
    status: int = 200
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict[str, str])


class Discovery:
    """The rules of one API: which paths, parameters and fields there are."""

    def __init__(self, name: str, version: str) -> None:
        text = get_static_doc(name, version)
        assert text is not None
        self.document: dict[str, Any] = json.loads(text)
        self._methods = list(self._all(self.document))

    def _all(self, node: dict[str, Any]) -> Any:
        yield from node.get("methods", {}).values()
        for child in node.get("resources", {}).values():
            yield from self._all(child)

    def find(self, verb: str, path: str) -> tuple[dict[str, Any], dict[str, str]] | None:
        """The method of a raw path; the one with the fewest placeholders wins."""
        found: list[tuple[int, dict[str, Any], dict[str, str]]] = []
        for method in self._methods:
            template = "/" + self.document["servicePath"] + method["path"]
            pattern = re.sub(r"\\{\+?(\w+)\\}", r"(?P<\1>[^/:]+)", re.escape(template))
            match = re.fullmatch(pattern, path)
            if match and method["httpMethod"] == verb:
                names = {name: unquote(value) for name, value in match.groupdict().items()}
                found.append((len(names), method, names))
        return min(found, key=lambda entry: entry[0])[1:] if found else None

    def check(self, method: dict[str, Any], query: dict[str, str], body: Any) -> None:
        """Raises :class:`Refused` for what the document does not know."""
        known = {**self.document["parameters"], **method.get("parameters", {})}
        for name, value in query.items():
            if name not in known:
                raise Refused(400, "invalidParameter", f"Unknown parameter: {name}")
            if value not in known[name].get("enum", [value]):
                raise Refused(400, "invalidParameter", f"Invalid value for {name}: {value}")
            if known[name].get("type") == "boolean" and value not in ("true", "false"):
                raise Refused(400, "invalidParameter", f"Invalid boolean for {name}: {value}")
        if body is not None and "request" in method:
            self.fits(body, self.document["schemas"][method["request"]["$ref"]], "body")
        elif body is not None:
            raise Refused(400, "badRequest", f"{method['id']} takes no body")

    def fits(self, value: Any, schema: dict[str, Any], where: str) -> None:
        """Whether JSON fits a schema, unknown names refused."""
        schema = self.document["schemas"][schema["$ref"]] if "$ref" in schema else schema
        kinds: dict[str, type | tuple[type, ...]] = {
            "object": dict, "array": list, "string": str, "boolean": bool, "integer": int, "number": (int, float),
        }  # fmt: skip
        kind = schema.get("type", "any")
        if kind in kinds and not isinstance(value, kinds[kind]):
            raise Refused(400, "invalid", f"Invalid value at {where}: {value!r} is no {kind}")
        if value not in schema.get("enum", [value]):
            raise Refused(400, "invalid", f"Invalid value at {where}: {value!r}")
        for name, inner in value.items() if kind == "object" else ():
            properties = schema.get("properties", {})
            if name not in properties and "additionalProperties" not in schema:
                raise Refused(400, "badRequest", f'Unknown name "{name}" at {where}: Cannot find field.')
            self.fits(inner, properties.get(name) or schema["additionalProperties"], f"{where}.{name}")
        for number, inner in enumerate(value if kind == "array" else ()):
            self.fits(inner, schema["items"], f"{where}[{number}]")


class GoogleFake:
    """Tokens and the way in; a subclass has a method per operation: ``drive.files.get`` is ``on_files_get``."""

    api: tuple[str, str]

    def __init__(self) -> None:
        self.discovery = Discovery(*self.api)
        self.faults: dict[str, deque[Fault]] = defaultdict(deque)
        self.calls: list[str] = []
        self.tokens: set[str] = {"test-token"}
        self.grants: list[dict[str, Any]] = []
        self.refresh_token = "1//refresh"
        self.robot = True
        """Whether the caller is a service account as itself."""
        self._count = 0

    def fail(self, operation: str, *faults: Fault) -> None:
        """The next calls of ``operation`` go wrong like this, one after another."""
        self.faults[operation].extend(faults)

    def count(self) -> int:
        self._count += 1
        return self._count

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            return
        try:
            call, method = await self._read(scope, receive)
            self.calls.append(call.operation)
            reply = self._token(call) if call.operation == "token" else self._do(call, method)
            if call.broken or call.fault.lost:
                send.__self__.transport.abort()
                return
        except Refused as refused:
            reply = Reply(refused.status, refused.body(), refused.headers)
        content = b"" if reply.body is None else json.dumps(reply.body).encode()
        headers = {"content-type": "application/json", "content-length": str(len(content)), **reply.headers}
        pairs = [(name.encode(), value.encode()) for name, value in headers.items()]
        await send({"type": "http.response.start", "status": reply.status, "headers": pairs})
        await send({"type": "http.response.body", "body": content})

    async def _read(self, scope: Any, receive: Any) -> tuple[Call, dict[str, Any] | None]:
        path = scope["raw_path"].decode().partition("?")[0]
        pairs = parse_qsl(scope["query_string"].decode(), keep_blank_values=True)
        lists: dict[str, list[str]] = defaultdict(list)
        for name, value in pairs:
            lists[name].append(value)
        headers = {name.decode(): value.decode() for name, value in scope["headers"]}
        found = self.discovery.find(scope["method"], path.removeprefix("/upload"))
        operation = self.name(scope["method"], path, headers, found[0] if found else None)
        fault = self.faults[operation].popleft() if self.faults[operation] else Fault()
        raw, more = bytearray(), True
        while more and (fault.cut is None or len(raw) < fault.cut):
            message = await receive()
            if message["type"] == "http.disconnect":
                raise asyncio.CancelledError
            raw += message.get("body", b"")
            more = message.get("more_body", False)
        data = bytes(raw) if fault.cut is None else bytes(raw[: fault.cut])
        names = found[1] if found else {}
        call = Call(operation, scope["method"], path, names, dict(pairs), dict(lists), headers, data, fault)
        call.broken = fault.cut is not None
        return call, found[0] if found else None

    def name(self, verb: str, path: str, headers: dict[str, str], method: dict[str, Any] | None) -> str:
        if path == "/token":
            return "token"
        return method["id"].partition(".")[2] if method else "unknown"

    def _do(self, call: Call, method: dict[str, Any] | None) -> Reply:
        self._planned(call)
        if method is None:
            raise Refused(404, "notFound", f"no such method: {call.method} {call.path}")
        if call.headers.get("authorization", "").removeprefix("Bearer ") not in self.tokens:
            raise Refused(401, "authError", "Invalid Credentials")
        self.discovery.check(method, call.query, call.body)
        name = re.sub(r"(?=[A-Z])", "_", call.operation).lower().replace(".", "_")
        handler = getattr(self, f"on_{name}", None)
        if handler is None:
            raise Refused(501, "notImplemented", f"the fake has no {call.operation}")
        return handler(call)

    def _planned(self, call: Call) -> None:
        if call.fault.status:
            raise Refused(call.fault.status, call.fault.reason, headers=call.fault.headers)

    def _token(self, call: Call) -> Reply:
        self._planned(call)
        form = dict(parse_qsl(call.raw.decode()))
        self.grants.append(form)
        if form.get("grant_type") == "refresh_token":
            if (form.get("client_id"), form.get("client_secret")) != ("client", "client-secret"):
                return Reply(401, {"error": "invalid_client", "error_description": "Unauthorized"})
            if form.get("refresh_token") != self.refresh_token:
                says = "Token has been expired or revoked."
                return Reply(400, {"error": "invalid_grant", "error_description": says})
        elif form.get("grant_type") == "urn:ietf:params:oauth:grant-type:jwt-bearer":
            try:
                host = call.headers["host"]
                form["claims"] = jwt.decode(form["assertion"], certs={"k1": PUBLIC}, audience=f"http://{host}/token")
            except ValueError:
                return Reply(400, {"error": "invalid_grant", "error_description": "Invalid JWT Signature."})
        else:
            return Reply(400, {"error": "unsupported_grant_type"})
        token = f"ya29.{self.count()}"
        self.tokens.add(token)
        return Reply(200, {"access_token": token, "expires_in": 3599, "token_type": "Bearer"})
