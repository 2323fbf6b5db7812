"""A strict Slack: the methods that we use, as docs.slack.dev describes them, errors with HTTP 200 included.

Kept honest by ``slack_sdk``, which drives it in a test. Faults are scripted per method: ``fake.faults["chat.update"] =
["lost", "500", "429"]`` takes one at each call; ``lost`` does the work and cuts the connection instead of answering.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs

SCOPES = {
    "auth.test": "",
    "chat.postMessage": "chat:write",
    "chat.update": "chat:write",
    "chat.getPermalink": "",
    "conversations.list": "channels:read",
    "conversations.history": "channels:history",
    "conversations.replies": "channels:history",
    "conversations.join": "channels:join",
    "files.getUploadURLExternal": "files:write",
    "files.completeUploadExternal": "files:write",
    "files.info": "files:read",
    "files.delete": "files:write",
}
BLOCK_TYPES = {"actions", "context", "divider", "header", "image", "rich_text", "section", "video", "markdown", "file"}

BURST = 2.0
"""Messages that a channel takes at once before it wants them one a second."""


class Error(Exception):
    """``ok: false`` with this ``error``."""

    def __init__(self, error: str, **more: Any) -> None:
        super().__init__(error)
        self.answer = {"ok": False, "error": error, **more}


@dataclass
class File:
    name: str
    length: int
    content: bytes | None = None
    complete: bool = False
    message: str | None = None
    """``ts`` of the message that it was put into by an update."""
    shared: list[tuple[str, str | None]] = field(default_factory=list)


@dataclass
class FakeSlack:
    token: str = "xoxb-test"
    scopes: set[str] = field(default_factory=lambda: {scope for scope in SCOPES.values() if scope})
    channels: dict[str, dict[str, Any]] = field(
        default_factory=lambda: {
            "C0RELEASES": {"name": "releases", "member": True},
            "C0OUTSIDE": {"name": "outside", "member": False},
            "C0OLD": {"name": "old", "member": True, "archived": True},
        }
    )
    messages: list[dict[str, Any]] = field(default_factory=list)
    files: dict[str, File] = field(default_factory=dict)
    webhooks: list[dict[str, Any]] = field(default_factory=list)
    responses: list[dict[str, Any]] = field(default_factory=list)
    """What came to the ``response_url`` of an interaction (``/actions/…``)."""
    dead_hooks: dict[str, tuple[int, str]] = field(default_factory=dict)
    """What is answered where a webhook was removed, by its path (``services/…``)."""
    calls: list[str] = field(default_factory=list)
    faults: dict[str, list[str]] = field(default_factory=dict)
    shows_updates: bool = True
    """Whether ``file_ids`` of ``chat.update`` shows anything: Slack has been seen to answer ``ok`` and show nothing."""
    clock: Callable[[], float] | None = None
    """If given, a channel takes a message a second, after a short burst, and answers 429 to more."""
    room: dict[str, tuple[float, float]] = field(default_factory=dict)
    """Per channel: how many messages it takes now, and when that was counted."""
    uploads: int = 0
    slow_shares: int = 0
    """So many looks at a file show no shares yet, as Slack's do right after the upload."""

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            return None
        body, more = b"", True
        while more:
            message = await receive()
            body, more = body + message.get("body", b""), message.get("more_body", False)
        headers = {name.decode(): value.decode() for name, value in scope["headers"]}
        host = headers["host"]
        what = scope["path"].removeprefix("/api/").strip("/")
        self.calls.append(what)
        fault = (self.faults.get(what.split("/")[0]) or [""]).pop(0)
        if fault in ("429", "500"):
            return await _answer(send, int(fault), "slow down", [(b"retry-after", b"7")] if fault == "429" else [])
        if what == "chat.postMessage" and self._full(self._fields(headers, body, "").get("channel", "")):
            self.calls.append("429")
            return await _answer(send, 429, '{"ok": false, "error": "ratelimited"}', [(b"retry-after", b"1")])
        status, text = self._work(what, headers, body, scope["query_string"].decode(), host)
        if fault == "lost":
            raise ConnectionAbortedError("the script says that this answer is lost")
        told = [(b"x-oauth-scopes", ",".join(sorted(self.scopes)).encode())] if what in SCOPES else []
        return await _answer(send, status, text, told)

    def _full(self, channel: str) -> bool:
        if self.clock is None:
            return False
        now = self.clock()
        room, counted = self.room.get(channel, (BURST, now))
        room = min(BURST, room + now - counted)
        self.room[channel] = (max(room - 1, 0.0) if room >= 1 else room, now)
        return room < 1

    def _work(self, what: str, headers: dict[str, str], body: bytes, query: str, host: str) -> tuple[int, str]:
        if what.startswith("services/"):
            return self.dead_hooks.get(what) or self._webhook(json.loads(body))
        if what.startswith("actions/"):
            return self._response(json.loads(body))
        if what.startswith("upload/"):
            file = self.files[what.removeprefix("upload/")]
            file.content = body
            return (200, f"OK - {len(body)}") if len(body) == file.length else (400, "wrong length")
        fields = self._fields(headers, body, query)
        try:
            answer = {"ok": True, **self._method(what, headers, fields, host)}
        except Error as error:
            answer = error.answer
        return 200, json.dumps(answer)

    def _fields(self, headers: dict[str, str], body: bytes, query: str) -> dict[str, Any]:
        if "json" in headers.get("content-type", ""):
            return json.loads(body)
        pairs = parse_qs(body.decode(), keep_blank_values=True) | parse_qs(query)
        fields: dict[str, Any] = {name: values[-1] for name, values in pairs.items()}
        for name in ("blocks", "metadata", "files"):
            if name in fields:
                fields[name] = json.loads(fields[name])
        return fields

    def _method(self, method: str, headers: dict[str, str], fields: dict[str, Any], host: str) -> dict[str, Any]:
        if method not in SCOPES:
            raise Error("unknown_method")
        given = headers.get("authorization", "")
        if not given:
            raise Error("not_authed")
        if given != f"Bearer {self.token}":
            raise Error("invalid_auth")
        if SCOPES[method] and SCOPES[method] not in self.scopes:
            raise Error("missing_scope", needed=SCOPES[method], provided=",".join(sorted(self.scopes)))
        return getattr(self, "_" + method.replace(".", "_"))(fields, host)

    def _channel(self, fields: dict[str, Any], *, by_name: bool = False, name: str = "channel") -> str:
        wanted = fields.get(name, "")
        for known, channel in self.channels.items():
            if wanted == known or (by_name and wanted == f"#{channel['name']}"):
                if channel.get("archived"):
                    raise Error("is_archived")
                return known
        raise Error("channel_not_found")

    def _member(self, channel: str) -> None:
        if not self.channels[channel]["member"]:
            raise Error("not_in_channel")

    def _content(self, fields: dict[str, Any]) -> dict[str, Any]:
        blocks = fields.get("blocks") or []
        if not fields.get("text") and not blocks:
            raise Error("no_text")
        if len(fields.get("text", "")) > 40_000:
            raise Error("msg_too_long")
        problems = _problems(blocks)
        if problems:
            raise Error("invalid_blocks", response_metadata={"messages": problems})
        return {"text": fields.get("text", ""), "blocks": blocks}

    def _auth_test(self, fields: dict[str, Any], host: str) -> dict[str, Any]:
        return {"team": "Beat", "user": "relay", "team_id": "T1", "user_id": "U1", "url": f"http://{host}/"}

    def _chat_postMessage(self, fields: dict[str, Any], host: str) -> dict[str, Any]:
        channel = self._channel(fields, by_name=True)
        if "chat:write.public" not in self.scopes:
            self._member(channel)
        thread = fields.get("thread_ts")
        if thread and not any(message["ts"] == thread for message in self.messages):
            raise Error("thread_not_found")
        metadata = fields.get("metadata")
        if metadata is not None and not {"event_type", "event_payload"} <= metadata.keys():
            raise Error("invalid_metadata_format")
        content = self._content(fields)
        ts = f"18000000{len(self.messages):02}.000100"
        message = {"type": "message", "ts": ts, **content, "channel": channel, "metadata": metadata}
        self.messages.append(message | ({"thread_ts": thread} if thread else {}))
        return {"channel": channel, "ts": ts, "message": {"type": "message", "ts": ts, **content}}

    def _chat_update(self, fields: dict[str, Any], host: str) -> dict[str, Any]:
        channel = self._channel(fields)
        for message in self.messages:
            if (message["channel"], message["ts"]) == (channel, fields.get("ts")):
                message |= self._content(fields)
                for file in self._file_ids(fields):
                    if file.complete and self.shows_updates and (channel, None) not in file.shared:
                        file.shared.append((channel, None))
                        file.message = message["ts"]
                return {"channel": channel, "ts": message["ts"], "text": message["text"]}
        raise Error("message_not_found")

    def _file_ids(self, fields: dict[str, Any]) -> list[File]:
        """As Slack's own client sends them: with commas between; one that is not there does nothing."""
        return [self.files[one] for one in str(fields.get("file_ids") or "").split(",") if one in self.files]

    def _chat_getPermalink(self, fields: dict[str, Any], host: str) -> dict[str, Any]:
        channel, ts = self._channel(fields), fields.get("message_ts", "")
        return {"channel": channel, "permalink": f"https://beat.slack.com/archives/{channel}/p{ts.replace('.', '')}"}

    def _conversations_list(self, fields: dict[str, Any], host: str) -> dict[str, Any]:
        listed = [{"id": known, "name": channel["name"]} for known, channel in self.channels.items()]
        start, most = int(fields.get("cursor") or 0), 2
        end = start + most
        cursor = str(end) if end < len(listed) else ""
        return {"channels": listed[start:end], "response_metadata": {"next_cursor": cursor}}

    def _conversations_history(self, fields: dict[str, Any], host: str) -> dict[str, Any]:
        channel = self._channel(fields)
        self._member(channel)
        top = [message for message in self.messages if message["channel"] == channel and "thread_ts" not in message]
        return self._page(top[::-1], fields)

    def _conversations_replies(self, fields: dict[str, Any], host: str) -> dict[str, Any]:
        channel = self._channel(fields)
        self._member(channel)
        ts = fields.get("ts")
        thread = [one for one in self.messages if one["channel"] == channel and ts in (one["ts"], one.get("thread_ts"))]
        if not thread:
            raise Error("thread_not_found")
        return self._page(thread, fields)

    def _page(self, messages: list[dict[str, Any]], fields: dict[str, Any]) -> dict[str, Any]:
        found = [one for one in messages if float(one["ts"]) >= float(fields.get("oldest") or 0)]
        hidden = set() if fields.get("include_all_metadata") in ("true", "1", True) else {"metadata"}
        start = int(fields.get("cursor") or 0)
        end = start + min(int(fields.get("limit") or 100), 3)
        shown = [{name: value for name, value in one.items() if name not in hidden} for one in found[start:end]]
        more = end < len(found)
        return {"messages": shown, "has_more": more, "response_metadata": {"next_cursor": str(end) if more else ""}}

    def _conversations_join(self, fields: dict[str, Any], host: str) -> dict[str, Any]:
        channel = self._channel(fields)
        self.channels[channel]["member"] = True
        return {"channel": {"id": channel}}

    def _files_getUploadURLExternal(self, fields: dict[str, Any], host: str) -> dict[str, Any]:
        if not fields.get("filename") or not str(fields.get("length", "")).isdigit() or int(fields["length"]) < 1:
            raise Error("invalid_arguments")
        self.uploads += 1
        file = f"F{self.uploads - 1:03}"
        self.files[file] = File(fields["filename"], int(fields["length"]))
        return {"file_id": file, "upload_url": f"http://{host}/upload/{file}"}

    def _files_completeUploadExternal(self, fields: dict[str, Any], host: str) -> dict[str, Any]:
        done = [self.files.get(one.get("id", "")) for one in fields.get("files") or []]
        if not done or any(file is None or file.content is None for file in done):
            raise Error("file_not_found")
        for file in done:
            assert file is not None
            file.complete = True
        if "channel_id" in fields:
            self._member(self._channel(fields, name="channel_id"))
            for file in done:
                assert file is not None
                file.shared.append((fields["channel_id"], fields.get("thread_ts")))
        return {"files": [{"id": one["id"], "title": one.get("title", "")} for one in fields["files"]]}

    def _files_info(self, fields: dict[str, Any], host: str) -> dict[str, Any]:
        file = self.files.get(fields.get("file", ""))
        if file is None:
            raise Error("file_not_found")
        self.slow_shares -= 1
        shown = [] if self.slow_shares >= 0 else file.shared
        ts = file.message or "1800000099.000100"
        shares = {channel: [{"ts": ts, "thread_ts": thread}] for channel, thread in shown}
        return {"file": {"id": fields["file"], "name": file.name, "shares": {"public": shares} if shares else {}}}

    def _files_delete(self, fields: dict[str, Any], host: str) -> dict[str, Any]:
        if self.files.pop(fields.get("file", ""), None) is None:
            raise Error("file_not_found")
        return {}

    def _response(self, message: dict[str, Any]) -> tuple[int, str]:
        if not message.get("replace_original") and message.get("response_type") != "ephemeral":
            return 400, "invalid_request"
        try:
            self._content(message)
        except Error as error:
            return 400, str(error)
        self.responses.append(message)
        return 200, "ok"

    def _webhook(self, message: dict[str, Any]) -> tuple[int, str]:
        try:
            self._content(message)
        except Error as error:
            return 400, str(error)
        self.webhooks.append(message)
        return 200, "ok"


def _problems(blocks: list[dict[str, Any]]) -> list[str]:
    if len(blocks) > 50:
        return ["[ERROR] no more than 50 items allowed [json-pointer:/blocks]"]
    problems: list[str] = []
    for position, block in enumerate(blocks):
        text: Any = block.get("text") or {}
        most = 150 if block.get("type") == "header" else 3000
        if block.get("type") not in BLOCK_TYPES:
            problems.append(f"[ERROR] unsupported type: {block.get('type')} [json-pointer:/blocks/{position}/type]")
        elif block["type"] in ("section", "header") and not (text or block.get("fields")):
            problems.append(f"[ERROR] missing required field: text [json-pointer:/blocks/{position}]")
        elif isinstance(text, dict) and len(text.get("text", "")) > most:
            where = f"[json-pointer:/blocks/{position}/text/text]"
            problems.append(f"[ERROR] must be less than {most + 1} characters {where}")
    return problems


async def _answer(send: Any, status: int, text: str, headers: list[tuple[bytes, bytes]]) -> None:
    kind = (b"content-type", b"application/json" if text.startswith("{") else b"text/plain")
    await send({"type": "http.response.start", "status": status, "headers": [kind, *headers]})
    await send({"type": "http.response.body", "body": text.encode()})
