"""A generated data set on disk: where it is, and its tables as Arrow."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from benchmarks.measure import BUILD
from benchmarks.pit.shapes import VENUES, Shape

DEFAULT_FOLDER: Final = BUILD / "pit"


@dataclass(frozen=True, slots=True)
class Data:
    """A data set: its shape and its folder.

    Parameters
    ----------
    shape
        What it was made as.
    folder
        Holds one folder of Parquet files per fact table, and ``spine``.
    """

    shape: Shape
    folder: Path

    @classmethod
    def below(cls, root: Path, shape: Shape) -> Data:
        """Return the data set of a shape below ``root``, whether it is there or not."""
        return cls(shape, root / shape.name)

    @property
    def is_generated(self) -> bool:
        """Whether it is there, whole, and of this very shape."""
        told = self.folder / "shape.json"
        return told.is_file() and told.read_text("utf-8") == self.shape.label

    def files(self, table: str) -> list[Path]:
        """Return the Parquet files of a fact table or of the spine, in the order they were written."""
        return sorted((self.folder / table).glob("*.parquet"))

    def facts(self, table: str) -> pa.Table:
        """Read a fact table."""
        return self._read(table, self.shape.fact_schema)

    def spine(self) -> pa.Table:
        """Read the spine."""
        return self._read("spine", self.shape.spine_schema)

    def entity(self, number: int) -> tuple[str | int, ...]:
        """Return the key of the entity with this number."""
        if self.shape.keys == "one":
            width = len(str(self.shape.entities * 2))
            return (f"E{number:0{width}}",)
        return (f"X{chr(ord('A') + number % VENUES)}", number // VENUES)

    def _read(self, table: str, schema: pa.Schema) -> pa.Table:
        return pa.concat_tables([pq.read_table(file) for file in self.files(table)]).cast(schema)


def key_text(table: pa.Table, names: tuple[str, ...]) -> pa.Array:
    """Return the key columns of each row as one text: for comparing, never for showing."""
    columns = [table[name].combine_chunks().cast(pa.string()) for name in names]
    return pc.binary_join_element_wise(*columns, "\x1f") if len(columns) > 1 else columns[0]
