"""Runs MiniStack for the ground. Started as a script, in a process of its own, with the path of its answer file.

Three things MiniStack does not do by itself:

1. It ends promptly. A client that keeps an idle TLS connection (every boto3 client does) does not answer the server's
   goodbye, and Python waits 30 seconds for that answer on each of them before the server may end.
2. It writes its state when asked by SIGUSR1, not only when it ends. Without that a ground killed before its first
   graceful stop would come back with objects in its buckets and no stack that knows them.
3. It keeps to its port. Started by root it would listen on 127.0.0.1:443 too, for tokens nobody here uses; and when
   that port is taken between its look and its bind, it cannot bind its own port a second time and ends.
"""

from __future__ import annotations

import asyncio.constants
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from ministack import app
from ministack.core.persistence import save_state

_GOODBYE_SECONDS: Final = 0.5
_ATTEMPTS: Final = 20


def write_state(answer: Path) -> None:
    """Write the state of every service, then put ``ok`` or what went wrong into the answer file."""
    try:
        for name, get_state in app._build_persistence_save_dict().items():  # noqa: SLF001 - it has no public form
            state = _settled(get_state)
            if state is not None:
                save_state(name, state)
        said = "ok"
    except RuntimeError as error:
        said = f"a service changed while its state was written: {error}"
    staging = answer.with_suffix(".new")
    staging.write_text(said, encoding="utf-8")
    staging.replace(answer)


def _settled(get_state: Callable[[], Any]) -> Any:
    """Return a service's state, asking again when another thread changed it meanwhile."""
    for _ in range(_ATTEMPTS - 1):
        try:
            return get_state()
        except RuntimeError:  # "dictionary changed size during iteration"
            continue
    return get_state()


def main() -> None:
    """Serve until SIGTERM."""
    asyncio.constants.SSL_SHUTDOWN_TIMEOUT = _GOODBYE_SECONDS
    answer = Path(sys.argv.pop(1))  # MiniStack reads the arguments too
    app._port_is_bindable = lambda *_: False  # noqa: SLF001 - asked about 443 alone
    signal.signal(signal.SIGUSR1, lambda *_: write_state(answer))
    app.main()


if __name__ == "__main__":
    main()
