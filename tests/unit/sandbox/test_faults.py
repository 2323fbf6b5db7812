"""Faults on demand: what may be asked for, and that a misspelt one is never silently none."""

from pathlib import Path
from typing import Any

import msgspec
import pytest

from relay.sandbox.errors import Refusal
from relay.sandbox.faults import SECONDS, TASK_FAULTS, Faults, task_faults

REFERENCE = Path(__file__).parents[3] / "docs/reference/sandbox.md"


def test_several_faults_of_one_task_are_read() -> None:
    assert task_faults("fail, late-webhook = 60.5,slow-create") == {"fail": 0, "late-webhook": 60.5, "slow-create": 5}


@pytest.mark.parametrize("header", [None, "", " , "])
def test_none_asked_for_is_none(header: str | None) -> None:
    assert task_faults(header) == {}


@pytest.mark.parametrize("header", ["fial", "fail;stuck", "Fail", "fail=3", "late-webhook=soon", "late-webhook=-1"])
def test_what_is_no_fault_is_refused(header: str) -> None:
    with pytest.raises(Refusal, match="x-sandbox-fault is wrong") as caught:
        task_faults(header)
    assert caught.value.status == 400


@pytest.mark.parametrize(
    "change",
    [
        {"drop_webhooks": 1.1},
        {"fail_rate": -0.1},
        {"error_status": "abc"},
        {"error_status": "200"},
        {"slow": -1},
        {"slwo": 1},
        {"error_paths": "/v1"},
    ],
)
def test_wrong_faults_are_refused_when_they_are_set_at_run_time(change: dict[str, Any]) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.json.decode(msgspec.json.encode(change), type=Faults)


def test_the_reference_names_every_fault() -> None:
    text = REFERENCE.read_text()
    assert [name for name in TASK_FAULTS if f"`{name}`" not in text and f"`{name}=" not in text] == []
    options = [name.replace("_", "-") for name in Faults.__struct_fields__ if name != "error_paths"]
    assert [name for name in options if f"--{name}" not in text] == []
    assert "`error_paths`" in text
    assert SECONDS.keys() <= TASK_FAULTS.keys()
