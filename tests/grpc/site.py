"""An HTTP application for the second port, as demanding as Django's: it waits in `receive` for the disconnect."""

import asyncio
import json
from typing import Any


async def application(scope: Any, receive: Any, send: Any) -> None:
    """Answers with the body, the path and the event loop it runs on; `/hold` waits until its caller hangs up."""
    body = b""
    while True:
        event = await receive()
        body += event.get("body", b"")
        if not event.get("more_body"):
            break
    if scope["path"] == "/hold":
        print("holding", flush=True)
        event = await receive()
        print(event["type"], flush=True)
        return
    from orchestrator.grpc.embedded import application as embedded

    answer = {
        "path": scope["path"],
        "body": body.decode(),
        "client": scope["client"][0],
        "same_loop": embedded.loop is asyncio.get_running_loop(),
    }
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"application/json")]})
    await send({"type": "http.response.body", "body": json.dumps(answer).encode()})
