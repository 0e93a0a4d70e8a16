"""Runs MiniStack so that it ends promptly. Started as a script by the ground, in a process of its own.

A client that keeps an idle TLS connection (every boto3 client does) does not answer the server's goodbye, and Python
waits 30 seconds for that answer on each of them before the server may end.
"""

from __future__ import annotations

import asyncio.constants
from typing import Final

from ministack.app import main

_GOODBYE_SECONDS: Final = 0.5

if __name__ == "__main__":
    asyncio.constants.SSL_SHUTDOWN_TIMEOUT = _GOODBYE_SECONDS
    main()
