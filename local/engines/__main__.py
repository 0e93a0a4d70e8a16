"""`make engines`: fetch the real engines, or say why they cannot be had."""

from __future__ import annotations

import sys

from local.console import Console
from local.engines import EngineMissingError, Installer


def main() -> int:
    """Fetch both; return 1 when one is missing."""
    console = Console()
    installer = Installer(progress=console)
    facts: dict[str, object] = {}
    try:
        trino = installer.trino()
        facts |= {"trino": trino.home, "java_of_trino": trino.java}
    except EngineMissingError as error:
        console.error(str(error))
    try:
        spark = installer.spark()
        facts |= {"spark": spark.packages, "java_of_spark": spark.java}
    except EngineMissingError as error:
        console.error(str(error))
    console.result(facts)
    return 0 if len(facts) == 4 else 1


if __name__ == "__main__":
    sys.exit(main())
