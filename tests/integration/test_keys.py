"""API keys over the API and from the command line, on a running relay and on its journal."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from click.testing import CliRunner
from litestar.routes import HTTPRoute

from relay.api.auth import scope_of
from relay.api.openapi import is_public
from relay.api.slack import PATH as SLACK
from relay.app import create_app
from relay.cli import main
from tests.integration.conftest import KEY, REQUEST, Line

Start = Callable[..., Line]


@pytest.fixture
def line(start: Start) -> Line:
    return start(recipe="")


def make(line: Line, *scopes: str, **limits: Any) -> httpx.Client:
    """A client with a new key."""
    answer = line.client.post("/relay/v1/keys", json={"name": "test", "scopes": list(scopes), **limits})
    assert answer.status_code == 201, answer.text
    key = answer.json()["data"]["key"]
    return httpx.Client(base_url=line.url, headers={"authorization": f"Bearer {key}"}, trust_env=False)


def test_a_key_does_what_its_scopes_say_and_nothing_else(line: Line) -> None:
    with make(line, "submit") as submit, make(line, "read") as read, make(line, "operate") as operate:
        created = submit.post("/v1/music-video/tasks", json=REQUEST)
        assert created.status_code == 201
        task = created.json()["data"]["id"]
        paths = [f"/v1/tasks/{task}", "/v1/usage", "/relay/v1/tasks", "/relay/v1/keys"]
        assert [submit.get(path).status_code for path in paths] == [403, 403, 403, 403]
        assert [read.get(path).status_code for path in paths[1:]] == [200, 403, 403]
        assert [operate.get(path).status_code for path in paths] == [403, 403, 200, 403]
        refused = read.post("/v1/music-video/tasks", json=REQUEST)
        error = refused.json()["error"]
        assert (refused.status_code, error["code"]) == (403, "forbidden")
        assert error["message"].startswith("This API key has the scopes read; this needs `submit`.")


def test_an_admin_key_makes_keys_and_ends_them(line: Line) -> None:
    with make(line, "admin") as admin:
        made = admin.post("/relay/v1/keys", json={"name": "shop", "scopes": ["read"], "share": 2}).json()["data"]
        listed = admin.get("/relay/v1/keys").json()["data"]["data"]
        shop = next(key for key in listed if key["id"] == made["id"])
        assert (shop["name"], shop["share"], shop["hint"], "key" in shop) == ("shop", 2, made["key"][:8], False)
        ended = admin.delete(f"/relay/v1/keys/{made['id']}")
        assert ended.status_code == 200
        assert ended.json()["data"]["revoked_at"] is not None
        assert admin.delete("/relay/v1/keys/key_none").status_code == 404
        headers = {"authorization": f"Bearer {made['key']}"}
        refused = httpx.get(f"{line.url}/v1/usage", headers=headers, trust_env=False)
        assert refused.status_code == 401
        assert "was revoked" in refused.json()["error"]["message"]


def test_only_a_key_with_a_limit_sees_429_in_the_contracts_envelope(line: Line) -> None:
    with make(line, "read", per_minute=3) as limited, make(line, "read") as free:
        answers = [limited.get("/v1/tasks/task_none") for _ in range(4)]
        assert [answer.status_code for answer in answers] == [404, 404, 404, 429]
        error = answers[-1].json()["error"]
        assert (error["code"], error["retryable"]) == ("rate_limit_exceeded", True)
        assert answers[-1].headers["retry-after"] == str(error["retry_after_seconds"])
        assert {free.get("/v1/tasks/task_none").status_code for _ in range(50)} == {404}


def test_without_a_key_nobody_passes(line: Line) -> None:
    for headers in ({}, {"authorization": KEY}, {"authorization": "Bearer"}, {"authorization": "Basic abc"}):
        answer = httpx.get(f"{line.url}/v1/usage", headers=headers, trust_env=False)
        assert answer.status_code == 401
        assert answer.json()["error"]["message"].startswith("Missing API key")


def test_two_clients_with_the_same_idempotency_key_get_a_task_each(line: Line) -> None:
    with make(line, "submit") as one, make(line, "submit") as other:
        headers = {"idempotency-key": "row-1"}
        made = [
            client.post("/v1/music-video/tasks", json=REQUEST, headers=headers).json()["data"]["id"]
            for client in (one, one, other, line.client)
        ]
        assert made[0] == made[1]
        assert len(set(made)) == 3


def test_a_customer_sees_its_own_tasks_only(line: Line) -> None:
    with (
        make(line, "submit", "read") as one,
        make(line, "submit", "read") as other,
        make(line, "read", "operate") as op,
    ):
        task_id = one.post("/v1/music-video/tasks", json=REQUEST).json()["data"]["id"]
        path = f"/v1/tasks/{task_id}"
        assert [client.get(path).status_code for client in (one, other, op, line.client)] == [200, 404, 200, 200]
        compose = f"/v1/music-video/tasks/{task_id}/compose"
        assert other.post(compose, json={"shot_ids": ["shot_1"]}).status_code == 404
        assert other.get(path).json()["error"]["message"] == f"There is no task {task_id}."


def test_every_door_behind_a_key_asks_for_a_scope(line: Line) -> None:
    document = line.client.get("/docs/openapi.json").json()
    for route in create_app(line.relay).routes:
        if not isinstance(route, HTTPRoute) or not route.path_format.startswith(("/v1", "/relay")):
            continue
        if route.path_format == SLACK:  # Slack's own signature is its key
            continue
        for handler in route.route_handlers:
            for method in handler.http_methods - {"OPTIONS", "HEAD"}:
                operation = document["paths"][route.path_format][method.lower()]
                if is_public(route.path_format):
                    continue
                scope = scope_of(route.path_format, method, handler.opt)
                ways = [{"BearerAuth": [scope]}] + ([{"Signature": []}] if "/triggers/" in route.path_format else [])
                assert operation["security"] == ways
                assert {"401", "403", "429"} <= operation["responses"].keys()


def command(line_or_data: Line | Path, *arguments: str) -> str:
    data = line_or_data.data / "data" if isinstance(line_or_data, Line) else line_or_data
    environment = {"BEATRELAY_DATA": str(data), "BEATAPI_API_KEY": KEY}
    if isinstance(line_or_data, Line):
        environment["BEATRELAY_PUBLIC_URL"] = line_or_data.url
    done = CliRunner().invoke(main, ["keys", *arguments], env=environment, catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.stdout


def test_the_command_asks_the_relay_that_runs(line: Line) -> None:
    token = command(line, "create", "shop", "--scopes", "read", "--expires", "30d").strip()
    headers = {"authorization": f"Bearer {token}"}
    assert httpx.get(f"{line.url}/v1/usage", headers=headers, trust_env=False).status_code == 200
    listed = command(line, "list")
    assert "  shop  read  ends " in listed
    assert token not in listed
    key_id = listed.split()[0]
    assert command(line, "revoke", key_id) == f"{key_id} (shop) is revoked\n"
    assert httpx.get(f"{line.url}/v1/usage", headers=headers, trust_env=False).status_code == 401


def test_the_command_works_on_the_journal_when_no_relay_runs(tmp_path: Path, start: Start) -> None:
    token = command(tmp_path / "data", "create", "shop", "--per-minute", "60", "--share", "2").strip()
    listed = command(tmp_path / "data", "list")
    assert "  shop  submit,read  60/min  2 at once  active  never used" in listed
    line = start(recipe="")
    with httpx.Client(base_url=line.url, headers={"authorization": f"Bearer {token}"}, trust_env=False) as client:
        assert client.post("/v1/music-video/tasks", json=REQUEST).status_code == 201


def test_the_command_refuses_in_words(tmp_path: Path) -> None:
    environment = {"BEATRELAY_DATA": str(tmp_path)}
    for arguments, words in (
        (["--scopes", "reed"], "`scopes` is reed; it must name some of submit, read, operate, admin"),
        (["--expires", "soon"], "--expires is 'soon'; it must be a number and m, h, d or w"),
    ):
        done = CliRunner().invoke(main, ["keys", "create", "shop", *arguments], env=environment)
        assert done.exit_code != 0
        assert words in done.output
