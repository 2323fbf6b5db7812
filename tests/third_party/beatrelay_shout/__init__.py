"""The smallest connector that is worth having: appends a line to a file, once."""

from pathlib import Path
from typing import Annotated

from connectors.base import SECRET, ConnectionSettings, Connector, ConnectorConfig, Delivery, Outcome


class ShoutConfig(ConnectorConfig):
    text: str


class ShoutConnection(ConnectionSettings):
    file: str
    password: Annotated[str, SECRET] = ""


class Shout(Connector):
    """Once: a line that is there already is not written again."""

    name = "shout"
    Config = ShoutConfig
    Connection = ShoutConnection

    async def deliver(self, config: ShoutConfig, delivery: Delivery) -> Outcome:
        file = Path(delivery.connection["file"])
        line = f"{delivery.key} {config.text.upper()}\n"
        before = file.read_text() if file.exists() else ""
        if line not in before:
            file.write_text(before + line)
        return Outcome(url=file.as_uri())
