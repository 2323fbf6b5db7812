"""``make check-n8n``: a delivery reaches a Webhook node of a real n8n, and its refusals are understood.

Needs the production URL of an active workflow whose Webhook node takes POST and answers at once::

    BEATRELAY_N8N_URL=https://n8n.example.com/webhook/abc make check-n8n

With ``BEATRELAY_N8N_API_KEY`` (Settings → n8n API) the workflow's execution is looked up, too, and a second workflow,
made for the moment, runs the node that the how-to gives people to paste. The key needs the scopes to list and read
executions, to create, activate and delete workflows, and to create and delete credentials.
"""

import json
import os
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import pairwise
from typing import Any, Literal
from urllib.parse import urlsplit

import httpx
import pytest

from connectors.http import HttpConfig
from tests.integration.conftest import Line, wait_for
from tests.integration.conftest import start as start
from tests.integration.test_trigger_docs import ITEM, section
from tests.unit.connectors.test_http_requests import error_of

RECIPE = """\
name: To n8n
on: task.succeeded
steps:
  tell: { use: http, connection: n8n, with: { preset: n8n } }
"""


def test_a_delivery_reaches_n8n(start: Callable[..., Line]) -> None:
    url = production_url()
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


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("address", "method", "said"),
    [
        ("/webhook-test/beatrelay-check", "POST", "use the production URL"),
        ("/webhook/beatrelay-check-test", "POST", "no active workflow has this URL"),
        ("", "PATCH", "set its HTTP Method"),
    ],
)
async def test_what_n8n_refuses_is_explained(address: str, method: Literal["POST", "PATCH"], said: str) -> None:
    url = production_url()
    assert "/webhook/" in url, "an n8n with other endpoints than /webhook/ and /webhook-test/"
    asked = url.partition("/webhook/")[0] + address if address else url
    error = await error_of(HttpConfig(url=asked, method=method), {})
    print(f"\n{method} {asked}: {error}")
    assert said in str(error)


def test_the_node_of_the_how_to_makes_a_video(start: Callable[..., Line]) -> None:
    base, key = production_url().partition("/webhook/")[0], os.environ.get("BEATRELAY_N8N_API_KEY", "")
    if not key:
        pytest.skip("needs BEATRELAY_N8N_API_KEY")
    line = start()
    (node,) = json.loads(section("n8n", "json"))["nodes"]
    node["parameters"]["url"] = f"{line.url}/relay/v1/triggers/songs"
    with httpx.Client(base_url=f"{base}/api/v1", headers={"x-n8n-api-key": key}, trust_env=False, timeout=20) as client:
        secret = {"name": "Authorization", "value": line.client.headers["authorization"]}
        credential = asked(
            client, "POST", "/credentials", {"name": "beatrelay check", "type": "httpHeaderAuth", "data": secret}
        )
        try:
            node["credentials"] = {"httpHeaderAuth": {"id": credential["id"], "name": credential["name"]}}
            with workflow(client, node) as path:
                answer = httpx.post(f"{base}/webhook/{path}", json=ITEM, trust_env=False, timeout=30)
        finally:
            asked(client, "DELETE", f"/credentials/{credential['id']}")
    told = answer.json()
    print(f"\nn8n's node was answered: {told}")
    assert (told["state"], told["row"]["artist"], told["request"]["prompt"]) == ("new", "Ada", ITEM["prompt"])


def production_url() -> str:
    url = os.environ.get("BEATRELAY_N8N_URL", "")
    assert url.startswith("http"), "BEATRELAY_N8N_URL must be the production URL of an active workflow's Webhook node"
    return url


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


@contextmanager
def workflow(client: httpx.Client, make_a_video: dict[str, Any]) -> Iterator[str]:
    """An active workflow of three nodes: takes a request, keeps its body as the item, and runs the how-to's node. Gives
    its webhook's path; nothing of it is left over."""
    path = f"beatrelay-{uuid.uuid4().hex}"
    hook = {"httpMethod": "POST", "path": path, "responseMode": "lastNode", "options": {}}
    item = {"mode": "raw", "jsonOutput": "={{ JSON.stringify($json.body) }}", "options": {}}
    nodes = [
        {"name": "Webhook", "type": "n8n-nodes-base.webhook", "typeVersion": 2, "parameters": hook, "webhookId": path},
        {"name": "Item", "type": "n8n-nodes-base.set", "typeVersion": 3.4, "parameters": item},
        make_a_video,
    ]
    names = [node["name"] for node in nodes]
    arrows = {one: {"main": [[{"node": following, "type": "main", "index": 0}]]} for one, following in pairwise(names)}
    body = {"name": path, "settings": {}, "connections": arrows}
    made = asked(client, "POST", "/workflows", {**body, "nodes": [{"position": [0, 0], **node} for node in nodes]})
    try:
        asked(client, "POST", f"/workflows/{made['id']}/activate")
        yield path
    finally:
        asked(client, "DELETE", f"/workflows/{made['id']}")


def asked(client: httpx.Client, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
    answer = client.request(method, path, json=body)
    assert answer.is_success, answer.text
    return answer.json()
