"""Both applications are asked whatever their documents allow, and much that they do not: never a 5xx, never a status or
a body that the document does not name."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from relay.app import create_app
from relay.contract.document import document
from relay.contract.examples import REQUESTS
from relay.recipe import RecipeSet
from relay.relay import Relay
from relay.sandbox.app import create_app as create_sandbox
from relay.sandbox.settings import SandboxSettings
from relay.settings import Settings
from tests.servers import free_port, running

KEY = "sk_schemathesis_key"
HEADERS = {"authorization": f"Bearer {KEY}"}
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
EXAMPLES = 8
"""Requests that each operation gets, valid and invalid ones alike; the same at every run."""
bounded = settings(
    max_examples=EXAMPLES,
    derandomize=True,
    deadline=None,
    database=None,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)


def operations(text: dict[str, Any]) -> dict[str, Any]:
    """Each operation of a document by its id."""
    schema = schemathesis.openapi.from_dict(text)
    schema.config.generation.update(modes=[GenerationMode.POSITIVE, GenerationMode.NEGATIVE])
    found = [result.ok() for result in schema.get_all_operations()]
    return {operation.definition.raw["operationId"]: operation for operation in found}


RELAY = operations(json.loads(Path("openapi/beatrelay.json").read_bytes()))
SANDBOX = operations(document("Sandbox", "1", ""))


@pytest.fixture(scope="module", params=["launch", "current"])
def sandbox(request: Any) -> Iterator[str]:
    port = free_port()
    options = {"contract": request.param, "poll_limit": 100_000, "concurrency": 1000, "balance": 10**9}
    with running(create_sandbox(SandboxSettings(url=f"http://127.0.0.1:{port}", **options)), port=port) as url:
        yield url


@pytest.fixture(scope="module")
def relay(sandbox: str, tmp_path_factory: Any) -> Iterator[str]:
    data = tmp_path_factory.mktemp("relay")
    known = Settings(data=data, beatapi_base_url=sandbox, beatapi_api_key=KEY, polls_per_minute=100_000)
    with running(create_app(Relay(known, RecipeSet()))) as url:
        yield url


def ask(operation: Any, url: str) -> None:
    """What the example says, then what chance brings."""

    def check(case: Any) -> None:
        response = case.call(base_url=url, headers={**(case.headers or {}), **HEADERS}, timeout=20)
        case.validate_response(response, checks=CHECKS, headers=HEADERS)

    name = operation.definition.raw["operationId"]
    if name in REQUESTS and "{" not in operation.path:
        check(
            operation.Case(body=REQUESTS[name], media_type="application/json", headers={"Idempotency-Key": "example"})
        )

    @bounded
    @given(case=operation.as_strategy())
    def anything(case: Any) -> None:
        check(case)

    anything()


@pytest.mark.parametrize("name", SANDBOX)
def test_the_sandbox_answers_as_its_document_says(name: str, sandbox: str) -> None:
    ask(SANDBOX[name], sandbox)


@pytest.mark.parametrize("name", RELAY)
def test_the_relay_answers_as_its_document_says(name: str, relay: str) -> None:
    ask(RELAY[name], relay)
