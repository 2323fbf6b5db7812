"""Log lines: one per event, text for people or JSON for machines, secrets blanked."""

import json
import logging
import re
import sys
import time

_SECRET = re.compile(r"\b(sk[_-]|whsec_|whsk_|brk_|xox[a-z]-)[\w+/=-]{6,}|(?<=Bearer )\S+")


def redact(text: str) -> str:
    """``text`` with everything that looks like a secret blanked, its kind left to see."""
    return _SECRET.sub(lambda match: (match.group(1) or "") + "…", text)


class TextFormatter(logging.Formatter):
    """``12:00:00 warning  message``."""

    def format(self, record: logging.LogRecord) -> str:
        at = time.strftime("%H:%M:%S", time.localtime(record.created))
        trace = f"\n{self.formatException(record.exc_info)}" if record.exc_info else ""
        return redact(f"{at} {record.levelname.lower():8} {record.getMessage()}{trace}")


class JsonFormatter(logging.Formatter):
    """One JSON object a line: ``at``, ``level``, ``logger``, ``message``, ``error``."""

    def format(self, record: logging.LogRecord) -> str:
        line = {
            "at": round(record.created, 3),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if record.exc_info:
            line["error"] = self.formatException(record.exc_info)
        return redact(json.dumps(line, ensure_ascii=False))


def configure(form: str) -> None:
    """Send log lines to standard error; ``form`` is ``text`` or ``json``."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter() if form == "json" else TextFormatter())
    logging.basicConfig(handlers=[handler], level=logging.INFO, force=True)
    for noisy in ("httpx", "httpcore", "apscheduler", "uvicorn.error"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
