"""``success_when``: an answer counts as done when the recipe's own expression says so."""

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import httpx
import pytest

from connectors import discover
from connectors.base import Delivery, DeliveryError, Gone, Outcome, Reject, Retry
from connectors.http import Http, HttpConfig
from relay.recipe import RecipeErrors, Renderer, check, parse
from relay.recipe.reach import sample
from tests.notes import MemoryNotes
from tests.servers import running

pytestmark = pytest.mark.anyio
CONFIGS = {name: connector.Config for name, connector in discover()[0].items()}
JSON = {"content-type": "application/json"}


def text(expression: Any, **more: Any) -> str:
    step = {"use": "http", "with": {"url": "https://x.example", "success_when": expression, **more}}
    return json.dumps({"name": "x", "on": "task.succeeded", "steps": {"a": step}})


def why_not(expression: str) -> Callable[[str, Mapping[str, Any]], str]:
    recipe = parse(text(expression), "r.yaml")
    return lambda setting, names: Renderer().why_not(recipe, recipe.steps["a"], setting, {**sample(), **names})


class Server:
    """Answers what it is told to."""

    def __init__(self) -> None:
        self.status, self.headers, self.body = 200, dict(JSON), b"{}"

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            return
        headers = [(name.encode(), value.encode()) for name, value in self.headers.items()]
        await send({"type": "http.response.start", "status": self.status, "headers": headers})
        await send({"type": "http.response.body", "body": self.body})


@pytest.fixture(scope="module")
def somebody() -> Iterator[tuple[Server, str]]:
    server = Server()
    with running(server) as url:
        yield server, url


@pytest.fixture
def server(somebody: tuple[Server, str]) -> tuple[Server, str]:
    somebody[0].status, somebody[0].headers, somebody[0].body = 200, dict(JSON), b"{}"
    return somebody


async def deliver(url: str, expression: str, **more: Any) -> Outcome:
    async with httpx.AsyncClient(trust_env=False) as client:
        known = {"key": "dlv_1", "attempt": 1, "at": 1_784_188_800, "event": {"id": "evt_1"}, "connection": {}}
        notes = {"notes": MemoryNotes(), "task_notes": MemoryNotes()}
        delivery = Delivery(**known, **notes, http=client, why_not=why_not(expression))
        return await Http().deliver(HttpConfig(url=url, success_when=expression, **more), delivery)


async def refused(url: str, expression: str, **more: Any) -> DeliveryError:
    with pytest.raises(DeliveryError) as caught:
        await deliver(url, expression, **more)
    return caught.value


@pytest.mark.parametrize(
    "expression",
    [
        "{{ answer.status == 200 and answer.json.ok }}",
        "{{ answer.json.ok and answer.json.id == task.id }}",
        "{{ 'task_' in answer.text and not answer.truncated }}",
        "{{ answer.headers['x-result'] == 'fine' }}",
        "{{ answer.json.price < 1.2 }}",
        "{% if answer.json.ok %}yes{% endif %}",
    ],
)
async def test_one_that_holds_is_done_and_keeps_the_answer(server: tuple[Server, str], expression: str) -> None:
    server[0].headers["x-result"] = "fine"
    server[0].body = json.dumps({"ok": True, "id": sample()["task"]["id"], "price": 1.1}).encode()  # type: ignore[index]
    outcome = await deliver(server[1], expression)
    assert outcome.detail["json"]["ok"] is True


async def test_it_alone_decides_whatever_the_status(server: tuple[Server, str]) -> None:
    server[0].status, server[0].body = 409, b'{"error": "exists"}'
    outcome = await deliver(server[1], "{{ answer.status == 200 or answer.json.error == 'exists' }}")
    assert outcome.detail["status"] == 409


async def test_a_2xx_for_which_it_does_not_hold_is_tried_again_and_quotes_both(server: tuple[Server, str]) -> None:
    server[0].headers["retry-after"] = "40"
    server[0].body = b'{"ok": false, "error": "rate_limited"}' + b" " * 5_000
    error = await refused(server[1], "{{ answer.json.ok }}")
    assert isinstance(error, Retry)
    assert error.after == 40
    assert error.reason == (
        'the receiver answered 200, and said: {"ok": false, "error": "rate_limited"};'
        " `success_when` does not hold: {{ answer.json.ok }}"
    )
    assert error.detail["status"] == 200


@pytest.mark.parametrize(("status", "kind"), [(503, Retry), (401, Retry), (400, Reject), (302, Reject), (410, Gone)])
async def test_any_other_status_means_what_it_always_means(
    server: tuple[Server, str], status: int, kind: type[DeliveryError]
) -> None:
    server[0].status = status
    error = await refused(server[1], "{{ answer.json.ok | default(false) }}")
    assert type(error) is kind
    assert "`success_when` does not hold" in error.reason


async def test_one_that_cannot_be_told_does_not_hold_and_says_why(server: tuple[Server, str]) -> None:
    server[0].body, server[0].headers = b"<h1>We will be back soon</h1>", {"content-type": "text/html"}
    error = await refused(server[1], "{{ answer.json.ok }}")
    assert isinstance(error, Retry)
    assert "`success_when` cannot be told: r.yaml:1: steps.a.with.success_when ('{{ answer.json.ok }}')" in error.reason
    server[0].body, server[0].headers = b'{"okay": true}', dict(JSON)
    assert "'ok' is not there; did you mean 'okay'?" in (await refused(server[1], "{{ answer.json.ok }}")).reason


async def test_an_answer_that_is_too_long_is_seen_in_part(server: tuple[Server, str]) -> None:
    server[0].body = b'{"ok": true, "x": "' + b"x" * 20_000 + b'"}'
    assert (await deliver(server[1], "{{ answer.truncated and '\"ok\": true' in answer.text }}")).detail["truncated"]
    assert "cannot be told" in (await refused(server[1], "{{ answer.json.ok }}")).reason


async def test_the_limits_of_a_template_hold(server: tuple[Server, str]) -> None:
    server[0].body = json.dumps({"ok": True, "x": "x" * 15_000}).encode()
    bombs = {
        "{{ (answer.json.x ~ answer.json.x) * 100 }}": "more than 262144 characters",
        "{% for a in range(999) %}{% for b in range(999) %}{% endfor %}{% endfor %}": "20000 turns",
        "{{ answer.__class__ }}": "'__class__' is not there",
        "{{ answer.text.__class__ }}": "'__class__' is",
    }
    for bomb, says in bombs.items():
        reason = (await refused(server[1], bomb)).reason
        assert says in reason
        assert len(reason) < 2_000


async def test_two_ways_to_say_it_are_one_too_many(server: tuple[Server, str]) -> None:
    error = await refused(server[1], "{{ answer.json.ok }}", success=[200])
    assert isinstance(error, Reject)
    assert "success and success_when: choose one" in error.reason


class TestCheck:
    @pytest.mark.parametrize(
        ("expression", "says", "hint"),
        [
            ("{{ answr.json.ok }}", "'answr' is not in reach here", "did you mean 'answer'?"),
            ("{{ answer.jsn.ok }}", "`answer.jsn` is not there", "did you mean 'json'?"),
            ("{{ answer.json.ok and task.stats }}", "`task.stats` is not there", "did you mean 'status'?"),
        ],
    )
    def test_names_are_checked(self, expression: str, says: str, hint: str) -> None:
        (problem,) = check(parse(text(expression), "r.yaml"), CONFIGS)
        assert says in problem.message
        assert problem.hint == hint

    def test_one_that_is_fine_is_fine(self) -> None:
        assert check(parse(text("{{ answer.status == 200 and answer.json.ok }}"), "r.yaml"), CONFIGS) == []

    def test_the_answer_is_in_reach_nowhere_else(self) -> None:
        (problem,) = check(parse(text("{{ answer.json }}", body={"a": "{{ answer.json }}"}), "r.yaml"), CONFIGS)
        assert "'answer' is not in reach here" in problem.message

    def test_no_other_connector_has_it(self) -> None:
        source = text("{{ true }}").replace('"http"', '"folder"').replace('"url"', '"path"')
        (problem,) = check(parse(source, "r.yaml"), CONFIGS)
        assert "folder has no setting 'success_when'" in problem.message

    @pytest.mark.parametrize("setting", ["when", "success_when"])
    def test_text_without_an_expression_would_always_hold(self, setting: str) -> None:
        source = text("task.id == 1")
        if setting == "when":
            source = json.dumps({**json.loads(text("{{ true }}")), "when": "task.id == 1"})
        with pytest.raises(RecipeErrors, match="is only text, which always holds") as caught:
            parse(source, "r.yaml")
        assert caught.value.problems[0].hint == 'write "{{ task.id == 1 }}"'

    def test_it_is_shown_as_it_is_written_before_there_is_an_answer(self) -> None:
        recipe = parse(text("{{ answer.json.ok }}"), "r.yaml")
        assert Renderer().render(recipe, recipe.steps["a"], sample())["success_when"] == "{{ answer.json.ok }}"
