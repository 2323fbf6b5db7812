"""The servers that the ingest benchmark drives, each in a process of its own; prints its port."""

import gc
import sys
from pathlib import Path
from typing import Any

import uvicorn
from litestar import Litestar, Request, post

import relay.journal.writer
from relay.app import create_app
from relay.recipe import RecipeSet
from relay.relay import Relay
from relay.serve import listen
from relay.settings import Settings
from tests.bench.ingest import SECRET


@post("/nothing", status_code=200)
async def nothing(request: Request[Any, Any, Any]) -> dict[str, bool]:
    """The yardstick: takes the body in, does nothing with it and says so."""
    await request.body()
    return {"received": True}


def main(kind: str, data: str) -> None:
    if kind == "nothing":
        app = Litestar([nothing], openapi_config=None, logging_config=None)
    else:
        if kind == "one-commit-each":
            relay.journal.writer.MOST_PER_COMMIT = 1
        settings = Settings(data=Path(data), beatapi_api_key="sk_bench_key", beatapi_webhook_secret=[SECRET])
        app = create_app(Relay(settings, RecipeSet()))
    listener = listen("127.0.0.1", 0)
    print(listener.getsockname()[1], flush=True)
    gc.freeze()
    config = uvicorn.Config(app, log_config=None, access_log=False, server_header=False, proxy_headers=False)
    uvicorn.Server(config).run(sockets=[listener])


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
