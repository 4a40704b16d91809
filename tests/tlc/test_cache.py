"""The cache directory, and writing to it without ever leaving half of anything."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from protocheck.toolchain.tlc.cache import cache_directory, exclusive, staged
from protocheck.toolchain.tlc.errors import CacheError


@pytest.mark.parametrize(
    ("env", "platform", "expected"),
    [
        ({"HOME": "/u"}, "linux", "/u/.cache/protocheck"),
        ({"HOME": "/u", "XDG_CACHE_HOME": "/x"}, "linux", "/x/protocheck"),
        ({"HOME": "/u", "XDG_CACHE_HOME": "relative"}, "linux", "/u/.cache/protocheck"),
        ({"HOME": "/u", "XDG_CACHE_HOME": ""}, "linux", "/u/.cache/protocheck"),
        ({"HOME": "/u", "XDG_CACHE_HOME": "/x"}, "darwin", "/u/Library/Caches/protocheck"),
        ({"LOCALAPPDATA": "/l"}, "win32", "/l/protocheck/Cache"),
        ({"USERPROFILE": "/u"}, "win32", "/u/AppData/Local/protocheck/Cache"),
        ({"HOME": "/u", "XDG_CACHE_HOME": "/x", "PROTOCHECK_CACHE": "/mine"}, "linux", "/mine"),
    ],
)
def test_where_it_is(env: dict[str, str], platform: str, expected: str) -> None:
    assert cache_directory(env, platform) == Path(expected)


def test_what_is_staged_takes_its_place_in_one_step(tmp_path: Path) -> None:
    target = tmp_path / "deep" / "file"
    with staged(target) as fresh:
        fresh.write_text("new", encoding="utf-8")
        assert not target.exists()
    assert target.read_text(encoding="utf-8") == "new"
    assert list(target.parent.iterdir()) == [target]


def test_a_failure_leaves_the_old_one_and_nothing_else(tmp_path: Path) -> None:
    target = tmp_path / "file"
    target.write_text("old", encoding="utf-8")

    def fail() -> None:
        with staged(target) as fresh:
            fresh.write_text("half", encoding="utf-8")
            (fresh.parent / "by-product").write_text("x", encoding="utf-8")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail()
    assert target.read_text(encoding="utf-8") == "old"
    assert list(tmp_path.iterdir()) == [target]


def test_nothing_written_changes_nothing(tmp_path: Path) -> None:
    with staged(tmp_path / "file"):
        pass
    assert list(tmp_path.iterdir()) == []


def test_a_cache_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way", encoding="utf-8")
    with pytest.raises(CacheError, match="PROTOCHECK_CACHE"), staged(tmp_path / "file" / "x"):
        pass
    with pytest.raises(CacheError, match="PROTOCHECK_CACHE"), exclusive(tmp_path / "file" / "x"):
        pass


def test_one_at_a_time(tmp_path: Path) -> None:
    inside: list[int] = []
    most = 0

    def enter() -> None:
        nonlocal most
        with exclusive(tmp_path / "x") as held:
            assert held
            inside.append(1)
            most = max(most, len(inside))
            threading.Event().wait(0.02)
            inside.pop()

    threads = [threading.Thread(target=enter) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == 1


def test_a_lock_that_is_not_had_in_time(tmp_path: Path) -> None:
    with exclusive(tmp_path / "x") as first, exclusive(tmp_path / "x", timeout=0.1) as second:
        assert (first, second) == (True, False)
    cancel = threading.Event()
    cancel.set()
    with exclusive(tmp_path / "x") as first, exclusive(tmp_path / "x", cancel=cancel) as second:
        assert (first, second) == (True, False)
