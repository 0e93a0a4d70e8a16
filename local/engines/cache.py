"""Folders of engines that every clone of the project shares, each whole or not there at all.

1. A folder is made in a staging folder beside it and renamed when it is complete, so a killed installation leaves
   nothing that looks finished.
2. A lock lets one process install at a time; the others wait and then find it done.
3. A folder holds a stamp of what it was made from; with another stamp it is made anew.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

_STAMP: Final = ".vintner-stamp"
_STAGING: Final = "staging-"


def cache_root() -> Path:
    """Return the folder of the engines: ``VINTNER_CACHE``, or where this system keeps a user's caches."""
    chosen = os.environ.get("VINTNER_CACHE")
    if chosen:
        return Path(chosen).expanduser().absolute()
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "vintner"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache").absolute() / "vintner"


class Cache:
    """The folders under one root.

    Parameters
    ----------
    root
        Folder of folders; made when needed.
    """

    def __init__(self, root: Path | None = None) -> None:
        self.root = root or cache_root()
        self._holds_lock = False

    def find(self, name: str, stamp: str) -> Path | None:
        """Return a folder if it is complete and was made from ``stamp``, else None."""
        folder = self.root / name
        try:
            made_from = (folder / _STAMP).read_text(encoding="utf-8")
        except OSError:
            return None
        return folder if made_from == stamp else None

    def ensure(self, name: str, stamp: str, make: Callable[[Path], None]) -> Path:
        """Return a folder, made by ``make`` when it is not there.

        Parameters
        ----------
        name
            Name of the folder.
        stamp
            What it is made from, as one line.
        make
            Fills an empty folder that it is given; what it raises leaves nothing behind.
        """
        found = self.find(name, stamp)
        if found is not None:
            return found
        with self._locked():
            found = self.find(name, stamp)
            if found is not None:
                return found
            staging = Path(tempfile.mkdtemp(prefix=_STAGING, dir=self.root))
            try:
                make(staging)
                (staging / _STAMP).write_text(stamp, encoding="utf-8")
                folder = self.root / name
                shutil.rmtree(folder, ignore_errors=True)
                staging.chmod(0o755)
                staging.rename(folder)
            finally:
                shutil.rmtree(staging, ignore_errors=True)
        return folder

    @contextmanager
    def _locked(self) -> Iterator[None]:
        if self._holds_lock:  # one folder is made with the help of another
            yield
            return
        self.root.mkdir(parents=True, exist_ok=True)
        with (self.root / ".lock").open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            # Left by an installation that was killed: nobody else is at work.
            for left in (*self.root.glob(f"{_STAGING}*"), *self.root.glob("files/tmp*")):
                shutil.rmtree(left, ignore_errors=True)
            self._holds_lock = True
            try:
                yield
            finally:
                self._holds_lock = False
