"""`beatrelay sandbox`: every option arrives, and a wrong one is said to be wrong, with what to do."""

import socket
from collections.abc import Callable
from typing import Any

import pytest
import uvicorn
from click.testing import CliRunner, Result

from relay.sandbox import command
from relay.sandbox.faults import TASK_FAULTS, Faults
from relay.sandbox.settings import SandboxSettings

Run = Callable[..., Result]


@pytest.fixture
def started() -> list[SandboxSettings]:
    """The settings of each sandbox that was started."""
    return []


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, started: list[SandboxSettings]) -> Run:
    """Run the command up to the point where it would serve."""

    def create(settings: SandboxSettings) -> str:
        started.append(settings)
        return "an app"

    def serve(_: uvicorn.Server, sockets: list[socket.socket]) -> None:
        for listener in sockets:
            listener.close()

    monkeypatch.setattr(command, "create_app", create)
    monkeypatch.setattr(uvicorn.Server, "run", serve)
    return lambda *arguments: CliRunner().invoke(command.sandbox, ["--port", "0", *arguments])


@pytest.mark.parametrize(
    ("option", "fault"),
    [
        ("--drop-webhooks=0.3", {"drop_webhooks": 0.3}),
        ("--duplicate-webhooks", {"duplicate_webhooks": True}),
        ("--reorder", {"reorder": True}),
        ("--stale-webhooks", {"stale_webhooks": True}),
        ("--fail-rate=0.1", {"fail_rate": 0.1}),
        ("--error-rate=0.05", {"error_rate": 0.05}),
        ("--error-status=429", {"error_status": "429"}),
        ("--lost-answers=0.1", {"lost_answers": 0.1}),
        ("--slow=2", {"slow": 2.0}),
    ],
)
def test_every_fault_arrives(run: Run, started: list[SandboxSettings], option: str, fault: dict[str, Any]) -> None:
    result = run(option)
    assert result.exit_code == 0, result.output
    assert started[0].faults == Faults(**fault)


@pytest.mark.parametrize(
    ("options", "setting"),
    [
        (["--contract=current"], {"contract": "current"}),
        (["--speed=20"], {"speed": 20.0}),
        (["--seed=7"], {"seed": 7}),
        (["--balance=80"], {"balance": 80}),
        (["--concurrency=1"], {"concurrency": 1}),
        (["--poll-limit=10"], {"poll_limit": 10}),
        (["--key=sk_first_one", "--key=sk_second_one"], {"keys": ["sk_first_one", "sk_second_one"]}),
        (["--honour-idempotency"], {"honour_idempotency": True}),
        (["--ignore-idempotency"], {"honour_idempotency": False}),
        (["--no-resign"], {"resign": False}),
        (["--public-webhooks-only"], {"allow_local_webhooks": False}),
        (["--host=0.0.0.0", "--allow-local-webhooks"], {"allow_local_webhooks": True}),
        (["--url=http://sandbox:8788/"], {"url": "http://sandbox:8788"}),
        (
            ["--webhook=http://relay:8787/x", "--webhook-secret=whsec_a"],
            {"webhook_url": "http://relay:8787/x", "webhook_secret": "whsec_a"},
        ),
    ],
)
def test_every_setting_arrives(
    run: Run, started: list[SandboxSettings], options: list[str], setting: dict[str, Any]
) -> None:
    result = run(*options)
    assert result.exit_code == 0, result.output
    assert {name: getattr(started[0], name) for name in setting} == setting


@pytest.mark.parametrize(("host", "allowed"), [("127.0.0.1", True), ("localhost", True), ("0.0.0.0", False)])
def test_endpoints_may_be_local_where_only_this_machine_can_ask(
    run: Run, started: list[SandboxSettings], host: str, allowed: bool
) -> None:
    assert run("--host", host).exit_code == 0
    assert started[0].allow_local_webhooks is allowed


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--webhook=http://127.0.0.1:1/x"], "need each other"),
        (["--webhook-secret=whsec_a"], "need each other"),
        (["--webhook=http://127.0.0.1:1/x", "--webhook-secret=a"], "must start with whsec_"),
        (["--webhook=http://127.0.0.1:1/x", "--webhook-secret=whsec_masked"], "masked"),
        (["--webhook=http://hooks.example.com/x", "--webhook-secret=whsec_a"], "neither public HTTPS nor a local URL"),
        (["--key=key"], "does not start with sk"),
        (["--error-status=200"], "neither 5xx nor a status"),
        (["--drop-webhooks=2"], "0<=x<=1"),
        (["--speed=0"], "--speed"),
        (["--contract=old"], "launch"),
    ],
)
def test_a_wrong_option_is_said_to_be_wrong(
    run: Run, started: list[SandboxSettings], options: list[str], words: str
) -> None:
    result = run(*options)
    assert result.exit_code == 2
    assert words in result.output
    assert started == []


def test_the_welcome_is_all_one_needs(run: Run, started: list[SandboxSettings]) -> None:
    output = run().output
    url = started[0].url
    assert f"sandbox: {url}" in output
    assert f"curl {url}/v1/music-video/tasks" in output
    assert f"BEATAPI_BASE_URL={url} BEATAPI_API_KEY=sk_sandbox_key" in output
    assert "--webhook http://127.0.0.1:8787/webhooks/beatapi --webhook-secret whsec_" in output
    told = run("--key=sk_of_mine", "--webhook=http://127.0.0.1:1/x", "--webhook-secret=whsec_of_mine").output
    assert "Bearer sk_of_mine" in told
    assert "BEATAPI_WEBHOOK_SECRET=whsec_of_mine" in told
    assert "Webhooks go to http://127.0.0.1:1/x" in told


def test_quiet_prints_one_line(run: Run, started: list[SandboxSettings]) -> None:
    assert run("--quiet").output == f"sandbox: {started[0].url}\n"


def test_a_port_in_use_is_said_with_the_next_step(run: Run, started: list[SandboxSettings]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        result = run("--port", str(port))
    assert result.exit_code == 1
    assert f"cannot listen on 127.0.0.1:{port}" in result.output
    assert "--port 0" in result.output
    assert started == []


def test_without_its_extra_it_says_what_to_install(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command, "available", lambda: False)
    result = run()
    assert result.exit_code == 1
    assert "pip install 'beatrelay[sandbox]'" in result.output


def test_help_explains_every_fault_of_one_task(run: Run) -> None:
    output = run("--help").output
    assert [name for name, what in TASK_FAULTS.items() if name not in output or what not in output] == []
