# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How the document of an advisory is read: from files and from https servers that do what they want."""

from __future__ import annotations

import itertools
import json
import os
import time
import typing as t
from pathlib import Path

import pytest
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.findings import FindingError
from ansible_collections.openeuler.livepatch.plugins.plugin_utils._advisory import source
from ansible_collections.openeuler.livepatch.plugins.plugin_utils._advisory.source import read_source
from ansible_collections.openeuler.livepatch.tests.unit.plugins.plugin_utils.https_server import Server

DATA = {"document": {"title": "\u00e9"}}
CONTENT = json.dumps(DATA).encode()


@pytest.fixture(name="server")
def _server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> t.Iterator[Server]:
    server = Server(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(server.certificate))
    monkeypatch.setenv("no_proxy", "*")
    yield server
    server.close()


def refused(what: str) -> tuple[str, str]:
    with pytest.raises(FindingError) as error:
        read_source(what)
    finding = error.value.finding
    assert finding.cause.endswith(".") and finding.remedy.endswith(".")
    assert not {"\n", "\x1b"} & set(str(finding)) and len(str(finding)) < 1500
    return finding.reason, finding.cause


def test_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.json").write_bytes(CONTENT)
    assert read_source(str(tmp_path / "a.json")) == DATA
    monkeypatch.chdir(tmp_path)
    assert read_source("a.json") == DATA
    (tmp_path / "a.json").write_bytes(b"\xef\xbb\xbf" + CONTENT)
    assert read_source("a.json") == DATA


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        CONTENT[:-1],
        b"\xff\xfe\xff",
        b"[" * 100_000,
        b'{"a":' * 100_000,
        b"1" * 10_000,
        b"<xml/>",
        b"{'a': 1}",
    ],
)
def test_what_is_no_json(tmp_path: Path, content: bytes) -> None:
    """Python reads no number of thousands of digits, or reads it where that is allowed: it is no document."""
    (tmp_path / "a.json").write_bytes(content)
    if content == b"1" * 10_000:
        try:
            assert isinstance(read_source(str(tmp_path / "a.json")), int)
        except FindingError as error:
            assert error.finding.reason == "bad_advisory"
        return
    assert refused(str(tmp_path / "a.json")) == ("bad_advisory", f"{tmp_path}/a.json is not a JSON document.")


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "folder").mkdir()
    for name, why in (("nosuch", "No such file or directory"), ("pipe", "regular file"), ("folder", "directory")):
        reason, cause = refused(str(tmp_path / name))
        assert reason == "no_such_advisory" and why in cause
    assert refused("a\0b")[0] == "no_such_advisory"


def test_a_file_that_is_too_large(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(source, "MOST_BYTES", len(CONTENT))
    (tmp_path / "a.json").write_bytes(CONTENT)
    assert read_source(str(tmp_path / "a.json")) == DATA
    (tmp_path / "a.json").write_bytes(CONTENT + b" ")
    assert refused(str(tmp_path / "a.json"))[0] == "advisory_too_big"
    monkeypatch.undo()
    with open(tmp_path / "sparse", "wb") as stream:
        stream.truncate(1 << 40)
    assert refused(str(tmp_path / "sparse"))[1].endswith("has more than 16 MiB.")


@pytest.mark.parametrize(
    "url",
    [
        "http://localhost/a.json",
        "HTTP://localhost/a.json",
        "ftp://localhost/a.json",
        "file:///etc/passwd",
        "https://",
        "https:///a.json",
        "https://[::1/a",
        "data://text/plain,x",
        "unix+https://x/y",
        "https://user@localhost/a.json",
        "https://user:secret@localhost/a.json",
    ],
)
def test_another_url_is_refused_unasked(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "ansible.module_utils.urls.open_url", lambda *_arguments, **_options: pytest.fail("it was asked")
    )
    reason, cause = refused(url)
    assert reason == "bad_argument" and "secret" not in cause


def test_a_document_of_a_server(server: Server) -> None:
    assert read_source(server.document("/a.json", CONTENT, f"Content-Length: {len(CONTENT)}")) == DATA
    assert read_source(server.document("/b.json", CONTENT)) == DATA
    assert server.asked == ["/a.json", "/b.json"]


def test_a_certificate_that_nobody_trusts(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SSL_CERT_FILE")
    reason, cause = refused(server.document("/a.json", CONTENT))
    assert reason == "not_fetched" and "certificate" in cause.lower()
    assert server.asked == []


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_followed(server: Server, status: int) -> None:
    server.document("/new/a.json", CONTENT)
    assert read_source(server.redirect("/a.json", "/new/a.json", status)) == DATA


@pytest.mark.parametrize(
    "place",
    [
        "http://localhost:1/a.json",
        "ftp://localhost/a.json",
        "file:///etc/passwd",
        "//user:x@localhost/a",
        "https://[/",
        "data:text/plain,{}",
        "javascript:x",
        "unix:///run/x",
    ],
)
def test_a_redirect_to_anything_else_is_not(server: Server, place: str) -> None:
    reason, cause = refused(server.redirect("/a.json", place))
    assert reason == "not_fetched", cause
    assert server.asked == ["/a.json"]


def test_five_redirects_are_followed_and_no_more(server: Server) -> None:
    for place in range(5):
        server.redirect(f"/{place}", f"/{place + 1}")
    server.document("/5", CONTENT)
    assert read_source(f"{server.url}/0") == DATA
    server.redirect("/-1", "/0")
    reason, cause = refused(f"{server.url}/-1")
    assert (reason, "more than 5 other URLs" in cause) == ("not_fetched", True)
    server.redirect("/loop", "/loop")
    server.asked.clear()
    assert refused(f"{server.url}/loop")[0] == "not_fetched"
    assert len(server.asked) == 6


@pytest.mark.parametrize("length", [None, "10", "99999999999", "-1", "x"])
def test_a_length_that_lies_does_not_matter(
    server: Server, length: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Half a document is damaged, and one that is too large is not read to its end."""
    monkeypatch.setattr(source, "MOST_BYTES", 1 << 20)
    headers = [f"Content-Length: {length}"] if length else []
    url = server.document("/a.json", b"", *headers)
    sent = 0

    def endless() -> t.Iterator[bytes]:
        nonlocal sent
        yield server_head
        while True:
            sent += 1 << 16
            yield b" " * (1 << 16)

    server_head = next(iter(server.answers["/a.json"]))
    server.answers["/a.json"] = endless()
    reason, cause = refused(url)
    assert reason in ("advisory_too_big", "bad_advisory", "not_fetched"), cause
    assert (reason == "advisory_too_big") == (length != "10")
    assert sent < 64 << 20


def test_what_is_compressed_is_not_unpacked(server: Server) -> None:
    """A small answer could be a large document."""
    url = server.document("/a.json", b"\x1f\x8b\x08", "Content-Encoding: gzip")
    assert refused(url)[0] == "bad_advisory"


@pytest.mark.parametrize("first", [0, 1], ids=["head", "body"])
def test_a_server_that_is_slow(server: Server, monkeypatch: pytest.MonkeyPatch, first: int) -> None:
    """It sends a byte now and then, so that no socket's timeout passes."""
    monkeypatch.setattr(source, "MOST_SECONDS", 1)
    server.pause = 0.05
    url = server.document("/a.json", CONTENT)
    head, _content = server.answers["/a.json"]
    drip = (bytes([byte]) for byte in itertools.chain(head[:-4], b"\r\nX: " + b"x" * 4000))
    server.answers["/a.json"] = drip if first == 0 else itertools.chain([head], itertools.repeat(b" "))
    began = time.monotonic()
    reason, cause = refused(url)
    assert (reason, "it took more than 1 seconds" in cause) == ("not_fetched", True)
    assert time.monotonic() - began < 10


def test_what_a_server_says_instead(server: Server) -> None:
    assert "answers with the status 404" in refused(f"{server.url}/nosuch")[1]
    server.answers["/odd"] = [b"\x1b[2J\n{{ x }}\r\n\r\n"]
    assert refused(f"{server.url}/odd")[0] == "not_fetched"
    server.answers["/none"] = []
    assert refused(f"{server.url}/none")[0] == "not_fetched"
    server.answers["/nowhere"] = [b"HTTP/1.1 302 Found\r\nConnection: close\r\n\r\n"]
    assert "status 302" in refused(f"{server.url}/nowhere")[1]
    assert refused(f"{server.url}/ blank\n")[0] in ("not_fetched", "bad_argument")
    server.close()


def test_nobody_answers(server: Server) -> None:
    server.close()
    assert refused(f"{server.url}/a.json")[0] == "not_fetched"
