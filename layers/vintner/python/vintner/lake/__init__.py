"""The lake: Iceberg tables of facts, written exactly once."""

from vintner.lake.commit import Append, append_once
from vintner.lake.errors import (
    CommitRefusedError,
    CommitUnknownError,
    FactError,
    NoMetadataError,
    SchemaChangeError,
    TableMissingError,
)
from vintner.lake.facts import Judgement, judge, land_facts
from vintner.lake.ledger import Ledger
from vintner.lake.migrate import Change, declarations, ensure_database, migrate
from vintner.lake.model import Column, Dataset, Layout
from vintner.lake.quarantine import Refusal, land_refusals
from vintner.lake.reader import FactReader, LakeReader, load_table
from vintner.lake.register import Registered, register_table
from vintner.lake.store import FactStore
from vintner.lake.validate import parse_fact

__all__ = [
    "Append", "Change", "Column", "CommitRefusedError", "CommitUnknownError", "Dataset", "FactError", "FactReader",
    "FactStore", "Judgement", "LakeReader", "Layout", "Ledger", "NoMetadataError", "Refusal", "Registered",
    "SchemaChangeError", "TableMissingError", "append_once", "declarations", "ensure_database", "judge",
    "land_facts", "land_refusals", "load_table", "migrate", "parse_fact", "register_table",
]  # fmt: skip
