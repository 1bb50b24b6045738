# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A web server for one folder on the loopback interface, which ends the first transfer of a large file halfway."""

from __future__ import annotations

import contextlib
import http.server
import re
import threading
import typing as t
from pathlib import Path

LARGE = 1024 * 1024


class Handler(http.server.BaseHTTPRequestHandler):
    """Answers GET with ranges. Sends only half of a large file to a client that requests it from the beginning."""

    folder: Path

    def do_GET(self) -> None:
        """Send a file, or its rest from the requested offset on."""
        file = self.folder / Path(self.path).name
        if not file.is_file():
            self.send_error(404)
            return
        size = file.stat().st_size
        wanted = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        start = int(wanted.group(1)) if wanted else 0
        if start >= size:
            self.send_error(416)
            return
        self.send_response(206 if wanted else 200)
        self.send_header("Content-Length", str(size - start))
        self.end_headers()
        end = size // 2 if start == 0 and size > LARGE else size
        with file.open("rb") as stream:
            stream.seek(start)
            while start < end:
                block = stream.read(min(LARGE, end - start))
                self.wfile.write(block)
                start += len(block)

    def log_message(self, format: str, *args: object) -> None:
        """Print nothing: the client prints its progress."""


@contextlib.contextmanager
def serve(folder: Path) -> t.Iterator[str]:
    """Yield the URL of the folder."""
    handler = type("FolderHandler", (Handler,), {"folder": folder})
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
