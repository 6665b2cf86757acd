"""A server on this machine that answers the Materials Project's own client: heartbeat, thermo documents."""

from __future__ import annotations

import json
import threading
import urllib.parse
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pymatgen.entries.computed_entries import ComputedStructureEntry

KEY = "k" * 32


@contextmanager
def materials_project(
    entries: Sequence[ComputedStructureEntry],
) -> Iterator[tuple[str, list[dict[str, str]]]]:
    """Its address, and what it was asked for so far: the parameters of each question.

    Args:
        entries: that it knows, all of GGA.
    """
    documents = [
        {
            "material_id": str(one.entry_id).rpartition("-")[0],
            "chemsys": "-".join(sorted(str(element) for element in one.composition.elements)),
            "thermo_type": "GGA_GGA+U",
            "entries": {"GGA": one.as_dict()},
        }
        for one in entries
    ]
    asked: list[dict[str, str]] = []

    class Server(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            address = urllib.parse.urlsplit(self.path)
            if address.path == "/heartbeat":
                self._answer(
                    200, {"version": "1.0.0", "db_version": "2026.11.30", "access_controlled_batch_ids": []}
                )
            elif self.headers["x-api-key"] != KEY:
                self._answer(403, {"detail": "no such key"})
            elif address.path.rstrip("/") == "/materials/thermo":
                given = dict(urllib.parse.parse_qsl(address.query))
                asked.append(given)
                wanted = set(given["chemsys"].split(","))
                found = [one for one in documents if one["chemsys"] in wanted]
                first, most = int(given.get("_skip", 0)), int(given.get("_limit", 100))
                self._answer(200, {"data": found[first : first + most], "meta": {"total_doc": len(found)}})
            else:
                self._answer(404, {"detail": "not here"})

        def _answer(self, code: int, document: Any) -> None:
            body = json.dumps(document).encode()
            self.send_response(code)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Server) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}", asked
        finally:
            server.shutdown()
            thread.join()
