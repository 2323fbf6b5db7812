"""LibreOffice, which opens and saves what people's spreadsheets are, without a window."""

import shutil
import subprocess
from pathlib import Path

import pytest

UTF8 = "csv:Text - txt - csv (StarCalc):44,34,76,1"
"""How a person saves as CSV who is asked: commas, quotation marks, UTF-8."""


class Office:
    """Saves files again in other forms; keeps a profile of its own in ``folder``."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def saved(self, content: bytes, kind: str, target: str) -> bytes:
        """``content``, a file of ``kind``, as it is when saved as ``target``: an extension, or one with a filter."""
        (self._folder / f"book.{kind}").write_bytes(content)
        profile = f"-env:UserInstallation=file://{self._folder}/profile"
        made = self._folder / "made"
        command = ["soffice", "--headless", profile, "--convert-to", target, "--outdir", str(made), f"book.{kind}"]
        subprocess.run(command, cwd=self._folder, check=True, timeout=120, capture_output=True)
        return (made / f"book.{target.partition(':')[0]}").read_bytes()


@pytest.fixture(scope="module")
def office(tmp_path_factory: pytest.TempPathFactory) -> Office:
    if shutil.which("soffice") is None:
        pytest.skip("needs the Debian package libreoffice-calc")
    return Office(tmp_path_factory.mktemp("office"))
