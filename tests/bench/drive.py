"""``google_drive``: how much memory a large file costs, to a strict fake in another process."""

from tests.bench import memory
from tests.fakes.google_drive import DriveFake
from tests.google import person
from tests.servers import running


def run(*, quick: bool) -> None:
    size = 256 if quick else 1024
    memory.show(f"google_drive: a file of {size} MiB to a fake Drive, in pieces", size, measure(size))


def measure(mebibytes: int) -> memory.Measured:
    """Upload a file of that size in a process of its own; it must be there, whole."""
    fake = DriveFake()
    fake.add_folder("shared_root", "Releases", drive="shared_root")
    with running(fake) as url:
        upload = memory.Upload(
            "connectors.google_drive:GoogleDrive", {"name": "{name}"}, person(url, folder="shared_root"), mebibytes
        )
        measured = memory.measure(upload)
    assert sorted(len(content) >> 20 for content in fake.contents.values()) == [1, mebibytes]
    return measured
