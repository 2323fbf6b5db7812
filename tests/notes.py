"""Notes that survive what a test does to a connector."""


class MemoryNotes:
    """See :class:`connectors.base.Notes`."""

    def __init__(self) -> None:
        self.kept: dict[str, str] = {}

    async def get(self, name: str) -> str | None:
        return self.kept.get(name)

    async def put(self, name: str, value: str) -> None:
        self.kept[name] = value
