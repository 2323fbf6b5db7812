"""The reference document itself, where it lies beside the checkout: every example of it against our structs and rules,
and every example of ours against it. Elsewhere ``test_reference.py`` holds the same facts as a table."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator

from relay.contract import Data, ErrorEnvelope, Task, WebhookEvent, decode, encode
from relay.contract.examples import ANSWERS, ERROR, EVENT, REQUESTS
from relay.contract.operations import OPERATIONS
from tests.unit.contract.test_reference import CHECKS, FACTS

FOLDER = Path("../shared/contract")
OURS = {one.id: one for one in OPERATIONS}


def _holds(more: Any, less: Any) -> bool:
    """Whether everything in ``less`` is in ``more`` unchanged."""
    if isinstance(less, dict):
        return isinstance(more, dict) and all(name in more and _holds(more[name], less[name]) for name in less)
    if isinstance(less, list):
        return len(more) == len(less) and all(_holds(one, other) for one, other in zip(more, less, strict=True))
    return more == less


def _examples(content: dict[str, Any]) -> Iterator[Any]:
    if "example" in content:
        yield content["example"]
    for example in content.get("examples", {}).values():
        yield example["value"]


class Yaml12(yaml.SafeLoader):
    """``9:16`` is a text, not 556 as YAML 1.1 has it."""

    yaml_implicit_resolvers = {  # noqa: RUF012 (the base's own way)
        first: [(tag, pattern) for tag, pattern in resolvers if not tag.endswith(":int")]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }


Yaml12.add_implicit_resolver("tag:yaml.org,2002:int", re.compile(r"-?[0-9]+$"), list("-0123456789"))


class Reference:
    """The document, read once."""

    def __init__(self, file: Path) -> None:
        self.whole: dict[str, Any] = yaml.load(file.read_text(encoding="utf-8"), Loader=Yaml12)
        self.operations = {
            operation["operationId"]: (path, method, operation)
            for path, item in self.whole["paths"].items()
            for method, operation in item.items()
            if method != "parameters"
        }

    def response(self, name: str, status: str) -> dict[str, Any]:
        found = self.operations[name][2]["responses"][status]
        if "$ref" in found:
            found = self.whole["components"]["responses"][found["$ref"].rpartition("/")[2]]
        return found["content"]["application/json"]

    def statuses(self, name: str) -> list[str]:
        return list(self.operations[name][2]["responses"])

    def wrong(self, schema: dict[str, Any], value: Any) -> list[str]:
        """What breaks a schema of the document."""
        validator = Draft202012Validator({**schema, "components": self.whole["components"]})
        return [error.message for error in validator.iter_errors(value)]


if (FOLDER / "launch.openapi.yaml").exists():
    REFERENCE = Reference(FOLDER / "launch.openapi.yaml")

    def test_the_table_of_facts_is_the_documents() -> None:
        assert set(FACTS["operations"]) == set(REFERENCE.operations) == set(OURS)
        for name, (path, method, operation) in REFERENCE.operations.items():
            fact = FACTS["operations"][name]
            assert (fact["path"], fact["method"]) == (path, method) == (OURS[name].path, OURS[name].method)
            assert fact["statuses"] == sorted(map(int, operation["responses"]))
        assert (
            FACTS["error_codes"]
            == (REFERENCE.whole["components"]["schemas"]["Error"]["properties"]["error"]["properties"]["code"]["enum"])
        )

    @pytest.mark.parametrize("name", REFERENCE.operations)
    def test_its_answers_are_read_and_written_without_loss(name: str) -> None:
        for status in REFERENCE.statuses(name):
            content = REFERENCE.response(name, status)
            kind: Any = Data[OURS[name].data] if status < "300" else ErrorEnvelope
            for example in _examples(content):
                written = json.loads(encode(decode(json.dumps(example), kind)))
                assert _holds(written, example)
                assert REFERENCE.wrong(content["schema"], written) == []

    @pytest.mark.parametrize("name", REFERENCE.operations)
    def test_our_answers_are_what_it_asks_for(name: str) -> None:
        schema = REFERENCE.response(name, str(OURS[name].status))["schema"]
        assert REFERENCE.wrong(schema, {"data": ANSWERS[name]}) == []

    @pytest.mark.parametrize("name", [name for name in REFERENCE.operations if OURS[name].body is not None])
    def test_requests_fit_both_ways(name: str) -> None:
        content = REFERENCE.operations[name][2]["requestBody"]["content"]["application/json"]
        for example in _examples(content):
            assert _holds(json.loads(encode(decode(json.dumps(example), OURS[name].body))), example)
            if name in CHECKS:
                relay, sandbox = CHECKS[name]
                assert relay(example) == []
                sandbox(example)
        assert REFERENCE.wrong(content["schema"], REQUESTS[name]) == []

    def test_errors_and_events_fit_too() -> None:
        shapes = REFERENCE.whole["components"]["schemas"]
        assert REFERENCE.wrong(shapes["Error"], ERROR) == []
        assert REFERENCE.wrong(shapes["WebhookEvent"], EVENT) == []

    @pytest.mark.parametrize("file", sorted(FOLDER.glob("fixtures/*.json")), ids=lambda file: file.stem)
    def test_each_fixture_is_read_and_written_without_loss(file: Path) -> None:
        kinds: dict[str, Any] = {"api-error": ErrorEnvelope, "webhook-task-succeeded": WebhookEvent}
        fixture = json.loads(file.read_bytes())
        written = json.loads(encode(decode(file.read_bytes(), kinds.get(file.stem, Data[Task]))))
        assert _holds(written, fixture)
