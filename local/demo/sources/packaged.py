"""Finds data files inside installed packages without importing the packages."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import pyarrow as pa
from pyarrow import csv

from local.demo.errors import PackagedDataChangedError, PackagedDataMissingError


def packaged_file(package: str, path: str) -> Path:
    """Return the place of ``path`` inside ``package``.

    Raises
    ------
    PackagedDataMissingError
        The package is not installed or does not carry the file.

    Examples
    --------
    >>> packaged_file("pitindex", "data/sp500_seed.csv").name  # doctest: +SKIP
    'sp500_seed.csv'
    """
    spec = find_spec(package)  # a top-level name is located, never executed
    places = [Path(place) / path for place in (spec.submodule_search_locations or ())] if spec else []
    for place in places:
        if place.is_file():
            return place
    raise PackagedDataMissingError(package=package, path=path)


def read_packaged_csv(package: str, path: str, *, columns: dict[str, pa.DataType]) -> pa.Table:
    """Read a CSV file of a package (compression by its ending), taking only ``columns`` with their types.

    Raises
    ------
    PackagedDataChangedError
        A column is missing or does not parse.
    """
    file = packaged_file(package, path)
    options = csv.ConvertOptions(column_types=columns, include_columns=list(columns), strings_can_be_null=False)
    try:
        return csv.read_csv(file, convert_options=options)
    except (pa.ArrowInvalid, pa.ArrowKeyError) as error:
        raise PackagedDataChangedError(file=f"{package}/{path}", problem=str(error).splitlines()[0]) from error
