"""The server of `zonemelt serve` in a thread, as the command starts it."""

from __future__ import annotations

import socket
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from waiting import until

from zonemelt.workflows.serve.published import published

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@contextmanager
def serving(place: Path, **options: Any) -> Iterator[str]:
    """Its address."""
    import uvicorn

    from zonemelt.workflows.serve.optimade import make_app

    listening = socket.create_server(("127.0.0.1", 0))
    made = make_app(published(place), name=place.name, **options)
    server = uvicorn.Server(uvicorn.Config(made, log_level="error", lifespan="off"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
    thread.start()
    until(lambda: server.started or not thread.is_alive(), "the server answers", step=0.02)
    try:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(20)
