# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Patch files from URLs, from a real https server on this machine. What has another digest is not used."""

from __future__ import annotations

import hashlib
import os
import threading
import typing as t
from dataclasses import replace
from pathlib import Path
from unittest.mock import MagicMock

import pytest
from ansible import constants
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.findings import FindingError
from ansible_collections.openeuler.livepatch.plugins.plugin_utils import _downloaded
from ansible_collections.openeuler.livepatch.plugins.plugin_utils._source_file import open_checked, open_source
from ansible_collections.openeuler.livepatch.tests.unit.plugins.plugin_utils.https_server import Server

CONTENT = b"\x7fELF a patch file"
CHECKSUM = "sha256:" + hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture(name="server")
def _server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> t.Iterator[Server]:
    server = Server(tmp_path)
    (tmp_path / "local").mkdir()
    monkeypatch.setattr(constants, "DEFAULT_LOCAL_TMP", str(tmp_path / "local"))
    monkeypatch.setenv("SSL_CERT_FILE", str(server.certificate))
    monkeypatch.setenv("no_proxy", "*")
    yield server
    server.close()


def read(src: str, checksum: str | None) -> tuple[str, bytes]:
    """The name and the content of what the option gives."""
    with open_checked(an_action(), src, checksum) as source:
        assert source.known_as == src.partition("?")[0]
        return os.path.basename(source.path), Path(source.path).read_bytes()


def an_action() -> MagicMock:
    action = MagicMock()
    action._find_needle = lambda _folder, name: name
    action._loader.get_real_file = lambda path: path
    return action


def refused(src: str, checksum: str | None) -> tuple[str, str]:
    with pytest.raises(FindingError) as error:
        read(src, checksum)
    finding = error.value.finding
    assert "\x1b" not in str(finding)
    return finding.reason, finding.cause


def test_a_file_is_downloaded_once(server: Server) -> None:
    url = server.document("/fixes/livepatch_x.ko?token=1", CONTENT)
    for _host in range(3):
        assert read(url, CHECKSUM) == ("livepatch_x.ko", CONTENT)
        assert read(url, CHECKSUM.upper().replace("SHA", "sha")) == ("livepatch_x.ko", CONTENT)
    assert server.asked == ["/fixes/livepatch_x.ko?token=1"]


def test_what_lies_there_with_another_content_is_not_used(server: Server) -> None:
    url = server.document("/livepatch_x.ko", CONTENT)
    read(url, CHECKSUM)
    (kept,) = Path(constants.DEFAULT_LOCAL_TMP).rglob("livepatch_x.ko")
    kept.write_bytes(b"other")
    assert read(url, CHECKSUM)[1] == CONTENT
    assert len(server.asked) == 2


def test_another_digest_is_refused_and_nothing_is_kept(server: Server) -> None:
    url = server.document("/livepatch_x.ko", CONTENT + b"!")
    reason, cause = refused(url, CHECKSUM)
    assert reason == "bad_checksum"
    assert CHECKSUM.partition(":")[2] in cause
    assert not list(Path(constants.DEFAULT_LOCAL_TMP).rglob("*.ko"))


@pytest.mark.parametrize(
    "checksum", [None, "", "sha256:", "md5:" + "0" * 32, "sha256:" + "g" * 64, CHECKSUM + "\n", "\x1b"]
)
def test_a_url_needs_a_checksum(server: Server, checksum: str | None) -> None:
    assert refused(server.document("/x.ko", CONTENT), checksum)[0] == "bad_argument"
    assert not server.asked


@pytest.mark.parametrize(
    "name", ["..", "%2e%2e%2fx.ko", "a%2Fb.ko", ".hidden.ko", "x.txt", "", "a%00.ko", "%1b.ko", "x" * 250 + ".ko"]
)
def test_a_name_in_the_url_is_no_path(server: Server, name: str) -> None:
    assert read(server.document(f"/{name}", CONTENT), CHECKSUM) == ("patch.ko", CONTENT)


def test_only_https_is_asked(server: Server) -> None:
    for url in ("http://localhost/x.ko", "file:///etc/passwd", "ftp://x/y.ko", "https://user:secret@localhost/x.ko"):
        assert refused(url, CHECKSUM)[0] == "bad_argument"
    assert refused(f"{server.url}/nothing.ko", CHECKSUM)[0] == "not_fetched"


@pytest.mark.parametrize("url", ["https://[::1/x.ko", "https://a]/x.ko", "https://\u2100/x.ko", "https:///x.ko"])
def test_what_is_no_url_is_refused_with_a_reason(server: Server, url: str) -> None:
    assert refused(url, CHECKSUM)[0] == "bad_argument"


def test_a_url_is_checked_also_where_the_file_is_there_already(server: Server) -> None:
    read(server.document("/x.ko", CONTENT), CHECKSUM)
    for url in ("https://bob:secret@localhost/x.ko", "http://localhost/x.ko", "file:///x.ko"):
        assert refused(url, CHECKSUM)[0] == "bad_argument"


def test_a_connection_that_ends_early_is_no_other_file(server: Server) -> None:
    head = f"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: {len(CONTENT) + 1}\r\n\r\n"
    server.answers["/x.ko"] = [head.encode(), CONTENT]
    assert refused(f"{server.url}/x.ko", CHECKSUM) == (
        "not_fetched",
        f"{server.url}/x.ko could not be fetched: the connection ended before the end of the file.",
    )


@pytest.mark.parametrize("content", [CONTENT, CONTENT + b"!"])
def test_processes_that_want_the_same_file_ask_once(server: Server, content: bytes) -> None:
    url = server.document("/x.ko", content)
    seen: list[bytes | str] = []
    server.pause = 0.5

    def want() -> None:
        try:
            seen.append(read(url, CHECKSUM)[1])
        except FindingError as error:
            seen.append(error.finding.reason)

    threads = [threading.Thread(target=want) for _host in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert seen == [CONTENT if content == CONTENT else "bad_checksum"] * 4
    assert server.asked == ["/x.ko"]
    # What has failed is tried again by who comes later.
    server.document("/x.ko", CONTENT)
    assert read(url, CHECKSUM)[1] == CONTENT


def test_a_query_is_in_no_name(server: Server) -> None:
    url = server.document("/x.ko?token=secret", CONTENT)
    with open_checked(an_action(), url, CHECKSUM) as source:
        assert "secret" not in source.known_as + source.path


def test_a_file_that_is_too_large(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_downloaded, "_LIMITS", replace(_downloaded._LIMITS, most_bytes=len(CONTENT) - 1))
    assert refused(server.document("/x.ko", CONTENT), CHECKSUM)[0] == "too_big"


def test_a_local_file_is_checked_as_well(tmp_path: Path, server: Server) -> None:
    (tmp_path / "x.ko").write_bytes(CONTENT)
    assert read(str(tmp_path / "x.ko"), CHECKSUM) == ("x.ko", CONTENT)
    assert read(str(tmp_path / "x.ko"), None) == ("x.ko", CONTENT)
    (tmp_path / "x.ko").write_bytes(CONTENT + b"!")
    assert refused(str(tmp_path / "x.ko"), CHECKSUM)[0] == "bad_checksum"
    assert refused(str(tmp_path / "x.ko"), "sha1:00")[0] == "bad_argument"
    assert refused(str(tmp_path), CHECKSUM)[0] == "unreadable_file"
    assert refused(str(tmp_path / "x.ko"), "")[0] == "bad_argument"


def test_a_local_file_that_is_exchanged_later_is_not_used(tmp_path: Path, server: Server) -> None:
    path = tmp_path / "x.ko"
    path.write_bytes(CONTENT)
    (tmp_path / "x.ko.json").write_text("{}", encoding="utf-8")
    with open_checked(an_action(), str(path), CHECKSUM) as source:
        path.write_bytes(b"of somebody else")
        assert Path(source.path).read_bytes() == CONTENT
        assert Path(f"{source.path}.json").read_text(encoding="utf-8") == "{}"


def test_a_module_that_takes_no_url_says_so() -> None:
    with pytest.raises(FindingError, match=r"takes no URL\. Download it"), open_source(an_action(), "https://x/y.ko"):
        pass
