"""Starts relays fast: imports everything once, then forks one process for each line of settings it reads.

``{"data": …}\n`` on standard input gives ``<pid>\n`` on standard output. The children are ordinary relays, to be
killed at will.
"""

import json
import os
import signal
import sys
from pathlib import Path
from typing import Any

import msgspec

import relay.serve
from relay.settings import Settings


def main() -> None:
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # the kernel buries the dead
    for line in sys.stdin:
        pid = os.fork()
        if pid == 0:
            _serve(json.loads(line))
        print(pid, flush=True)


def _serve(wanted: dict[str, Any]) -> None:
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    with Path(wanted.pop("log")).open("ab") as log:
        os.dup2(log.fileno(), 1)
        os.dup2(log.fileno(), 2)
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    settings = msgspec.convert(wanted, Settings, dec_hook=lambda kind, value: kind(value))
    status = 1
    try:
        status = relay.serve.run(settings)
    finally:
        os._exit(status)


if __name__ == "__main__":
    main()
