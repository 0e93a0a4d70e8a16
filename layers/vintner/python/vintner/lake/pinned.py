"""A reader whose every read is of chosen revisions of the lake."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any

import pyarrow as pa

from vintner.lake.errors import RevisionNotNamedError
from vintner.lake.model import Dataset
from vintner.lake.pins import Revision
from vintner.lake.reader import FactReader


class PinnedReader:
    """Reads facts as they stood at revisions of the lake, for whatever takes a reader.

    Parameters
    ----------
    reader
        What reads.
    revisions
        One revision for all datasets (an instant, mostly: tags and snapshots belong to one table), or one by name of
        dataset. Reading a dataset that is not named is refused: half a pin reproduces nothing.

    Examples
    --------
    >>> pinned = PinnedReader(reader, {"macro_series": "rev-20240331T000000000000Z-1"})  # doctest: +SKIP
    >>> series_as_known(MACRO_SERIES, "uk.gdpkp", pinned, known_at=day)  # doctest: +SKIP
    """

    def __init__(self, reader: FactReader, revisions: Revision | Mapping[str, Revision]) -> None:
        self._reader = reader
        self._revisions = revisions

    def read(
        self,
        dataset: Dataset,
        *,
        entities: Collection[Any] | None = None,
        known_to: datetime | None = None,
        ingested_to: datetime | None = None,
        revision: Revision | None = None,
    ) -> pa.Table:
        """Return versions as :meth:`FactReader.read` does; a revision given here goes before the pinned one.

        Raises
        ------
        RevisionNotNamedError
            The dataset has no revision among those named.
        """
        at = revision if revision is not None else self._pinned(dataset)
        return self._reader.read(dataset, entities=entities, known_to=known_to, ingested_to=ingested_to, revision=at)

    def _pinned(self, dataset: Dataset) -> Revision:
        if not isinstance(self._revisions, Mapping):
            return self._revisions
        if dataset.name not in self._revisions:
            raise RevisionNotNamedError(dataset=dataset.name, named=", ".join(self._revisions) or "none")
        return self._revisions[dataset.name]
