"""Make .venv hold exactly one pinned set of packages, and beatrelay itself from this folder.

    python3 requirements/install.py demo      # or: dev

Every package is checked against the hashes in requirements/SET.txt. uv does it when there is one, pip otherwise.
A stamp in .venv, written last, remembers what was installed: an interrupted install is repeated, a finished one
costs nothing. Of two installs at once, the second waits and then finds nothing to do.

Only the standard library, and nothing newer than Python 3.6 before the version is checked: this is the first of
our files that a machine runs.
"""

import sys

if sys.version_info < (3, 11):  # noqa: UP036 - this file is what tells people that theirs is too old
    sys.exit(
        "beatrelay needs Python 3.11 or newer, and {} is {}.{}.\n"
        "Install a newer one, or name it: make PYTHON=/path/to/python3.12 ...".format(
            sys.executable, *sys.version_info[:2]
        )
    )

import fcntl
import hashlib
import os
import shutil
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
STAMP = VENV / "beatrelay-installed"
SETS = {"demo": ("demo", "dev"), "dev": ("dev",)}
"""Each set, and the sets that hold it: whoever has ``dev`` needs no ``demo``."""


def main(wanted: str) -> None:
    with (ROOT / "pyproject.toml").open() as lock:  # any file that is always there can carry the lock
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not any(is_installed(larger) for larger in SETS[wanted]):
            install(wanted)


def is_installed(name: str) -> bool:
    """Whether the set is there, made from today's pins and in this very folder."""
    try:
        return os.access(PYTHON, os.X_OK) and STAMP.read_text() == stamp(name)
    except FileNotFoundError:
        return False


def stamp(name: str) -> str:
    digest = hashlib.sha256()
    for file in (requirements(name), ROOT / "pyproject.toml", Path(__file__)):
        digest.update(file.read_bytes())
    return f"{name} {digest.hexdigest()} {ROOT}\n"


def requirements(name: str) -> Path:
    return ROOT / "requirements" / f"{name}.txt"


def install(name: str) -> None:
    finished_before = was_finished() and works()
    STAMP.unlink(missing_ok=True)
    say(f"Installing {name} packages into .venv; once, and only what is pinned.")
    uv = find_uv()
    if not (uv and try_uv(uv, name, reuse=finished_before)):
        use_pip(name, reuse=finished_before and not uv)
    half_written = STAMP.with_suffix(".part")
    half_written.write_text(stamp(name))
    half_written.replace(STAMP)


def was_finished() -> bool:
    """Whether .venv was left whole, and here: without a stamp it is half-made, and its scripts name their folder."""
    return STAMP.exists() and STAMP.read_text().endswith(f" {ROOT}\n")


def works() -> bool:
    """Whether the Python in .venv runs and is new enough; its own Python may have been removed since."""
    code = "import sys, pip; assert sys.version_info >= (3, 11)"
    if not os.access(PYTHON, os.X_OK):
        return False
    return subprocess.run([str(PYTHON), "-c", code], capture_output=True, check=False).returncode == 0  # noqa: S603 - ours


def find_uv() -> str | None:
    """A uv that works here; a name on the PATH may be an empty shim."""
    uv = shutil.which("uv")
    if uv is None:
        return None
    answer = subprocess.run([uv, "--version"], capture_output=True, check=False)  # noqa: S603 - found on the PATH above
    return uv if answer.returncode == 0 else None


def try_uv(uv: str, name: str, *, reuse: bool) -> bool:
    os.environ.setdefault("UV_SYSTEM_CERTS", "1")  # trust what the machine trusts, as pip does
    into = ("--quiet", "--python", str(PYTHON))
    try:
        if not reuse:
            run(uv, "venv", "--quiet", "--clear", "--python", sys.executable, str(VENV))
        run(uv, "pip", "sync", *into, "--require-hashes", str(requirements(name)))
        run(uv, "pip", "install", *into, "--no-deps", "--no-build-isolation", "--editable", str(ROOT))
    except subprocess.CalledProcessError:
        say("uv could not do it (see above); trying again with pip.")
        return False
    return True


def use_pip(name: str, *, reuse: bool) -> None:
    pip = (str(PYTHON), "-m", "pip", "--disable-pip-version-check", "install", "--quiet")
    try:
        if not reuse:
            run(sys.executable, "-m", "venv", "--clear", str(VENV))
        run(*pip, "--require-hashes", "--requirement", str(requirements(name)))
        run(*pip, "--no-deps", "--no-build-isolation", "--editable", str(ROOT))
    except subprocess.CalledProcessError as error:
        sys.exit(
            f"{' '.join(error.cmd[:4])} ... failed (see above), so nothing is ready yet. Once its reason is gone,"
            " run the same command again. If it says that venv or ensurepip is missing, install your system's"
            " package for it (Debian, Ubuntu: python3-venv)."
        )


def run(*command: str) -> None:
    subprocess.run(command, check=True, cwd=ROOT)  # noqa: S603 - commands are spelt out above, no shell


def say(message: str) -> None:
    sys.stderr.write(message + "\n")


if __name__ == "__main__":
    if sys.argv[1:] not in [[name] for name in SETS]:
        sys.exit(f"usage: install.py {'|'.join(SETS)}")
    try:
        main(sys.argv[1])
    except KeyboardInterrupt:
        sys.exit("stopped; the same command takes it up again")
