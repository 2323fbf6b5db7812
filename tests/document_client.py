"""A client made from any OpenAPI document of the contract: one method for each operation id.

It knows nothing but what the document says; what it sends and what it gets is checked against it.
"""

import re
from collections.abc import Callable
from typing import Any

import httpx
from jsonschema import Draft202012Validator


class DocumentClient:
    """``client.getTask(task_id=…)``; keywords are path parameters and headers, ``body`` is the JSON body."""

    def __init__(self, document: dict[str, Any], base_url: str, key: str) -> None:
        self._document = document
        self._http = httpx.Client(base_url=base_url, headers={"authorization": f"Bearer {key}"}, trust_env=False)
        self._operations = {
            operation["operationId"]: (path, method, operation)
            for path, item in document["paths"].items()
            for method, operation in item.items()
            if method != "parameters"
        }

    def __getattr__(self, name: str) -> Callable[..., Any]:
        return lambda body=None, **given: self._call(name, body, given)

    def close(self) -> None:
        self._http.close()

    def _call(self, name: str, body: Any, given: dict[str, str]) -> Any:
        path, method, operation = self._operations[name]
        for parameter in re.findall(r"\{(\w+)\}", path):
            path = path.replace(f"{{{parameter}}}", given.pop(parameter))
        if body is not None:
            self._check(operation["requestBody"]["content"]["application/json"]["schema"], body)
        headers = {header.replace("_", "-"): value for header, value in given.items()}
        answer = self._http.request(method, path, json=body, headers=headers)
        expected = operation["responses"][str(answer.status_code)]
        if "$ref" in expected:
            expected = self._document["components"]["responses"][expected["$ref"].rpartition("/")[2]]
        self._check(expected["content"]["application/json"]["schema"], answer.json())
        return answer.json()["data"] if answer.is_success else answer.json()["error"]

    def _check(self, schema: dict[str, Any], value: Any) -> None:
        found = Draft202012Validator({**schema, "components": self._document["components"]}).iter_errors(value)
        assert [error.message for error in found] == []
