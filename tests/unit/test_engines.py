"""Engines are fetched once, whole, and only as pinned; what runs on a tether ends with its owner."""

from __future__ import annotations

import hashlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import pkcs12

from local.engines import EngineMissingError, Installer, tether
from local.engines.cache import Cache
from local.engines.errors import ChecksumError, FetchFailedError
from local.engines.jars import fetch
from local.engines.java import find_java
from local.engines.pins import Artifact, JavaNeed
from local.engines.trust import write_trust_store
from local.ground.certificate import ensure_certificate

CONTENT = b"a jar"
JAR = Artifact(
    group="org.example",
    name="thing",
    version="1",
    packaging="jar",
    sha256=hashlib.sha256(CONTENT).hexdigest(),
    size=len(CONTENT),
)
NO_IVY = [sys.executable, "-c", "print('Server access error'); raise SystemExit(1)"]


def program(path: Path, body: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!{sys.executable}\nimport re, sys, pathlib\n{body}\n", encoding="utf-8")
    path.chmod(0o755)
    return path


def maven(folder: Path, content: bytes) -> None:
    """Put a Maven onto the path that copies `content` to where it is told."""
    body = (
        "(to,) = (w.split('=')[1] for w in sys.argv if w.startswith('-DoutputDirectory='))\n"
        "print('Progress (1): 1.5/2 MB\\rProgress (1): 2/2 MB')\n"
        f"pathlib.Path(to, 'thing-1.jar').write_bytes({content!r})"
    )
    program(folder / "mvn", body)


def test_maven_is_asked_first_and_tells_how_far_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    maven(tmp_path / "bin", CONTENT)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    told: list[int] = []
    assert fetch(JAR, tmp_path, lambda: pytest.fail("Ivy was asked"), told.append).read_bytes() == CONTENT
    assert told == [1_500_000, 2_000_000]


def test_ivy_is_asked_where_maven_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program(tmp_path / "bin" / "mvn", "print('[ERROR] no route'); sys.exit(1)")
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    body = (
        "to = sys.argv[sys.argv.index('-retrieve') + 1].split('[')[0]\n"
        "assert 'transitive=\"false\"' in pathlib.Path('ivy.xml').read_text()\n"
        f"pathlib.Path(to, 'thing-1.jar').write_bytes({CONTENT!r})"
    )
    ivy = program(tmp_path / "ivy", body)
    assert fetch(JAR, tmp_path, lambda: [str(ivy)], lambda _: None).read_bytes() == CONTENT


def test_every_way_that_failed_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program(tmp_path / "bin" / "mvn", "print('[ERROR] no route'); sys.exit(1)")
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    with pytest.raises(FetchFailedError, match=r"org\.example:thing.*no route.*Server access error"):
        fetch(JAR, tmp_path, lambda: NO_IVY, lambda _: None)


def test_what_is_not_as_pinned_is_thrown_away(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    maven(tmp_path / "bin", b"another jar")
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    with pytest.raises(ChecksumError):
        fetch(JAR, tmp_path, lambda: NO_IVY, lambda _: None)
    assert not (tmp_path / "thing-1.jar").exists()


def test_an_engine_that_cannot_be_had_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program(tmp_path / "bin" / "mvn", "print('[ERROR] no route'); sys.exit(1)")
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    installer = Installer(Cache(tmp_path / "cache"))
    monkeypatch.setattr(installer, "_ivy", lambda: NO_IVY)
    monkeypatch.setattr(installer, "_java", lambda _: tmp_path)
    with pytest.raises(EngineMissingError) as caught:
        installer.trino()
    assert str(caught.value).startswith("Trino 476 cannot be had on this machine: io.trino:trino-server-core:476")
    assert "\n" not in str(caught.value)


def test_a_folder_is_made_once_and_anew_for_another_stamp(tmp_path: Path) -> None:
    cache, made = Cache(tmp_path), []

    def make(folder: Path) -> None:
        made.append(folder)
        (folder / "file").write_text(str(len(made)))

    for stamp in ("one", "one", "two"):
        assert (cache.ensure("thing", stamp, make) / "file").read_text() == str(len(made))
    assert len(made) == 2


def test_a_folder_that_was_half_made_is_not_there(tmp_path: Path) -> None:
    cache = Cache(tmp_path)

    def fail(folder: Path) -> None:
        (folder / "half").touch()
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        cache.ensure("thing", "one", fail)
    assert cache.find("thing", "one") is None
    (tmp_path / "staging-killed").mkdir()

    def make_with_another(folder: Path) -> None:
        cache.ensure("thing", "one", lambda _: None).rename(folder / "inside")

    cache.ensure("other", "one", make_with_another)
    assert sorted(path.name for path in tmp_path.iterdir()) == [".lock", "other"]


@pytest.mark.parametrize(("release", "fits"), [("17.0.15", True), ("25.0.2", False), ("1.8.0_402", False)])
def test_a_java_is_taken_when_its_release_fits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, release: str, fits: bool
) -> None:
    program(tmp_path / "bin" / "java", f"sys.stderr.write('openjdk version \"{release}\"')")
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))
    monkeypatch.setenv("PATH", "")
    monkeypatch.setattr("local.engines.java._HOMES", ())
    assert find_java(JavaNeed(oldest=17, newest=17, lock="none")) == (tmp_path if fits else None)


def test_a_trust_store_holds_each_certificate_once(tmp_path: Path) -> None:
    bundle = ensure_certificate(tmp_path).certificate
    store = write_trust_store(tmp_path / "trust.p12", [bundle, bundle])
    assert len(pkcs12.load_pkcs12(store.read_bytes(), None).additional_certs) == 1


def gone(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    # A zombie whose parent is gone waits for init; it runs nothing.
    stat = Path(f"/proc/{pid}/stat")
    return stat.exists() and stat.read_text().rpartition(")")[2].split()[0] == "Z"


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


OWNER = f"""
import subprocess, sys, time
tethered = subprocess.Popen(
    [sys.executable, "-P", {str(Path(tether.__file__))!r}, sys.executable, "-c",
     "import os, time; print(os.getpid(), flush=True); time.sleep(600)"],
    stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
print(tethered.pid, tethered.stdout.readline(), flush=True)
time.sleep(600)
"""


@pytest.mark.parametrize("victim", ["owner", "tether"])
def test_what_is_tethered_ends_with_a_killed_owner(victim: str) -> None:
    owner = subprocess.Popen([sys.executable, "-c", OWNER], stdout=subprocess.PIPE, text=True)
    assert owner.stdout is not None
    try:
        script, child = (int(word) for word in owner.stdout.readline().split())
        if victim == "tether" and sys.platform != "linux":
            pytest.skip("only Linux ends a program whose parent was killed")
        os.kill(owner.pid if victim == "owner" else script, signal.SIGKILL)
        wait_until(lambda: gone(child))
    finally:
        owner.kill()
        owner.communicate()
