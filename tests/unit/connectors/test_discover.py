"""Connectors of other packages."""

from importlib.metadata import EntryPoint

import pytest

import connectors
from connectors.base import Connector, ConnectorConfig, Delivery, Outcome


class Theirs(Connector):
    name = "theirs"
    Config = ConnectorConfig

    async def deliver(self, config: ConnectorConfig, delivery: Delivery) -> Outcome:
        return Outcome()


def test_ours_are_there() -> None:
    found, problems = connectors.discover()
    assert found.keys() >= {"http", "folder", "s3"}
    assert problems == []


def test_theirs_are_found_and_a_broken_one_is_named_and_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    here = "tests.unit.connectors.test_discover"
    points = [
        EntryPoint("theirs", f"{here}:Theirs", connectors.GROUP),
        EntryPoint("broken", "no_such_package:Nope", connectors.GROUP),
        EntryPoint("odd", f"{here}:pytest", connectors.GROUP),
    ]
    monkeypatch.setattr("connectors.entry_points", lambda group: points)
    found, problems = connectors.discover()
    assert found.keys() >= {"http", "folder", "s3", "theirs"}
    assert ["broken" in problems[0], "odd" in problems[1], len(problems)] == [True, True, 2]
