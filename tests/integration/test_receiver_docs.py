"""The receiver in the docs, run as it stands there, against what the relay really sends."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.integration.conftest import Line, wait_for
from tests.receivers import Strict
from tests.servers import running

PAGE = Path("docs/how-to/receive-webhooks.md")


def test_the_snippet_accepts_our_deliveries_and_nothing_else(start: Callable[..., Line]) -> None:
    (snippet,) = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
    namespace: dict[str, Any] = {}
    exec(compile(snippet, str(PAGE), "exec"), namespace)
    is_genuine = namespace["is_genuine"]
    receiver = Strict()
    with running(receiver) as url:
        line = start(recipe="", allow_private=[url.removeprefix("http://")])
        secret = line.client.post("/v1/webhooks", json={"url": url}).json()["data"]["secret"]
        receiver.check = lambda headers, body: is_genuine(secret, headers, body)
        line.create()
        wait_for(lambda: receiver.taken, "a delivery that the snippet accepts")
    headers, body, _ = receiver.seen[0]
    assert not is_genuine(secret, headers, body + b" ")
    assert not is_genuine(secret + "x", headers, body)
    assert not is_genuine(secret, {**headers, "x-beatapi-timestamp": "1"}, body)
    assert not is_genuine(secret, {}, body)
