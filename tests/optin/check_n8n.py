"""``make check-n8n``: a delivery reaches a Webhook node of a real n8n.

Needs the production URL of an active workflow whose Webhook node takes POST and answers at once::

    BEATRELAY_N8N_URL=https://n8n.example.com/webhook/abc make check-n8n

With ``BEATRELAY_N8N_API_KEY`` (Settings → n8n API) the workflow's execution is looked up, too, and what it was given.
"""

import json
import os
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import httpx

from tests.integration.conftest import Line, wait_for
from tests.integration.conftest import start as start

RECIPE = """\
name: To n8n
on: task.succeeded
steps:
  tell: { use: http, connection: n8n, with: { preset: n8n } }
"""


def test_a_delivery_reaches_n8n(start: Callable[..., Line]) -> None:
    url = os.environ.get("BEATRELAY_N8N_URL", "")
    assert url.startswith("http"), "BEATRELAY_N8N_URL must be the production URL of an active workflow's Webhook node"
    parts = urlsplit(url)
    line = start(recipe=RECIPE, allow_private=[f"{parts.hostname}"], connections={"n8n": {"url": url}})
    task_id = line.create(row={"title": "Neon"})
    done = [moment for moment in line.until(task_id, "delivery.done", 2, 60) if moment["use"] == "http"]
    status = done[0]["detail"]["status"]
    assert 200 <= status < 300
    print(f"\nn8n answered {status}: {done[0]['detail']['response'][:200]}")
    key = os.environ.get("BEATRELAY_N8N_API_KEY", "")
    if key:
        base = f"{parts.scheme}://{parts.netloc}"
        given = wait_for(lambda: executed(base, key, task_id), "an execution that was given the event", 30)
        print(f"execution {given['id']} of workflow {given['workflowId']}: {given['status']}")


def executed(base: str, key: str, task_id: str) -> dict[str, Any] | None:
    """The execution that saw the task."""
    answer = httpx.get(
        f"{base}/api/v1/executions",
        params={"includeData": "true", "limit": 20},
        headers={"x-n8n-api-key": key},
        trust_env=False,
    )
    answer.raise_for_status()
    found = [one for one in answer.json()["data"] if task_id in json.dumps(one)]
    return found[0] if found else None
