"""Calls a function in a process of its own that may be killed: forked, in milliseconds, from one that is warm.

``forks().call("module:function", …)`` gives how it ended and what it printed. A module may have a ``warm()``, which is
run once before the first fork of a function of its.
"""

import atexit
import functools
import importlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import traceback
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType
from typing import Any


@dataclass
class Ended:
    """How a call ended: 0, or minus the signal that killed it; and the lines that it printed."""

    code: int
    lines: list[str]


class Forks:
    """One warm process, which forks for each call, one at a time."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.forks"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        atexit.register(self.close)

    def call(self, function: str, *, imports: str = "", **arguments: Any) -> Ended:
        """Call ``module:function`` with JSON arguments; returns when it has ended. ``imports`` names a module that is
        imported before, once for all calls."""
        order = {"function": function, "arguments": arguments, "imports": imports}
        with self._lock:
            assert self._process.stdin is not None
            assert self._process.stdout is not None
            self._process.stdin.write(json.dumps(order) + "\n")
            self._process.stdin.flush()
            answer = self._process.stdout.readline()
        ended = Ended(**json.loads(answer))
        assert ended.code <= 0, f"{function} failed: {ended.lines}"
        return ended

    def close(self) -> None:
        """End the warm process."""
        self._process.communicate()


@contextmanager
def dying(moment: int) -> Generator[None]:
    """In a forked call: die at the ``moment``-th call that leaves Python (a statement, a write, a flush, a rename …);
    who lives on, as with 0, prints how many there were."""
    seen = 0

    def count(_frame: FrameType, event: str, what: Any) -> None:
        nonlocal seen
        if event == "c_call" and getattr(what, "__module__", None) != "builtins":
            seen += 1
            if seen == moment:
                os.kill(os.getpid(), signal.SIGKILL)

    threading.setprofile(count)
    sys.setprofile(count)
    yield
    sys.setprofile(None)
    print(seen)


@functools.cache
def forks() -> Forks:
    """The one of this test run."""
    return Forks()


def _main() -> None:
    warm: set[str] = set()
    for line in sys.stdin:
        order = json.loads(line)
        module, _, name = order["function"].partition(":")
        function = getattr(importlib.import_module(module), name)
        if module not in warm:
            warm.add(module)
            getattr(sys.modules[module], "warm", lambda: None)()
        if order["imports"]:
            importlib.import_module(order["imports"])
        with tempfile.TemporaryFile("w+") as said:
            pid = os.fork()
            if pid == 0:
                _child(function, order["arguments"], said.fileno())
            _, status = os.waitpid(pid, 0)
            said.seek(0)
            answer = {"code": os.waitstatus_to_exitcode(status), "lines": said.read().splitlines()}
        print(json.dumps(answer), flush=True)


def _child(function: Any, arguments: dict[str, Any], output: int) -> None:
    code = 1
    try:
        os.dup2(output, 1)
        os.dup2(output, 2)
        function(**arguments)
        code = 0
    except BaseException:  # whatever it was, its parent shows it
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


if __name__ == "__main__":
    _main()
