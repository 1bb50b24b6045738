# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A server for https on this machine, whose answers a test writes byte by byte."""

from __future__ import annotations

import contextlib
import shutil
import socket
import ssl
import subprocess
import threading
import time
import typing as t
from pathlib import Path

import pytest

Pieces = t.Iterable[bytes]


class Server:
    """Answers each path with its pieces, one after the other with a pause. `asked` are the paths so far."""

    def __init__(self, folder: Path) -> None:
        if shutil.which("openssl") is None:
            pytest.skip("openssl is not installed")
        self.certificate = folder / "server.pem"
        key = folder / "server.key"
        command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
        command += ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost", "-days", "2"]
        subprocess.run([*command, "-keyout", key, "-out", self.certificate], check=True, capture_output=True)
        self.answers: dict[str, Pieces] = {}
        self.asked: list[str] = []
        self.pause = 0.0
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.certificate, key)
        self._context = context
        self._listening = socket.create_server(("localhost", 0))
        self.url = f"https://localhost:{self._listening.getsockname()[1]}"
        threading.Thread(target=self._serve, daemon=True).start()

    def document(self, path: str, content: bytes, *headers: str) -> str:
        """Answer with this content. Return its URL."""
        head = "\r\n".join(("HTTP/1.1 200 OK", "Connection: close", *headers))
        self.answers[path] = [f"{head}\r\n\r\n".encode(), content]
        return f"{self.url}{path}"

    def redirect(self, path: str, place: str, status: int = 302) -> str:
        head = f"HTTP/1.1 {status} Found\r\nLocation: {place}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
        self.answers[path] = [head.encode()]
        return f"{self.url}{path}"

    def close(self) -> None:
        self._listening.close()

    def _serve(self) -> None:
        while True:
            try:
                client, _address = self._listening.accept()
            except OSError:
                return
            threading.Thread(target=self._answer, args=(client,), daemon=True).start()

    def _answer(self, client: socket.socket) -> None:
        # A client that does not trust the certificate, or has enough, leaves.
        with contextlib.suppress(OSError), client, self._context.wrap_socket(client, server_side=True) as stream:
            path = stream.recv(65536).split()[1].decode()
            self.asked.append(path)
            missing = [b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"]
            for piece in self.answers.get(path, missing):
                stream.sendall(piece)
                time.sleep(self.pause)
