"""The lake: Iceberg tables of facts, written exactly once."""

from vintner.lake.commit import Change, append, commit_once
from vintner.lake.errors import (
    CommitRefusedError,
    CommitUnknownError,
    DeclarationError,
    ExpiredRevisionError,
    FactError,
    NoMetadataError,
    RevisionNotNamedError,
    SchemaChangeError,
    TableMissingError,
    UnknownRevisionError,
)
from vintner.lake.facts import Clock, land_facts, restore_facts
from vintner.lake.judging import Judgement, judge
from vintner.lake.ledger import Ledger
from vintner.lake.migrate import TableChange, declarations, ensure_database, migrate
from vintner.lake.model import Column, Dataset, Layout
from vintner.lake.pinned import PinnedReader
from vintner.lake.pins import Revision
from vintner.lake.quarantine import Refusal, land_refusals
from vintner.lake.reader import FactReader, LakeReader, load_table
from vintner.lake.register import Registered, register_table
from vintner.lake.store import FactStore
from vintner.lake.validate import parse_fact

__all__ = [
    "Change", "Clock", "Column", "CommitRefusedError", "CommitUnknownError", "Dataset", "DeclarationError",
    "ExpiredRevisionError", "FactError", "FactReader", "FactStore", "Judgement", "LakeReader", "Layout", "Ledger",
    "NoMetadataError", "PinnedReader", "Refusal", "Registered", "Revision", "RevisionNotNamedError",
    "SchemaChangeError", "TableChange", "TableMissingError", "UnknownRevisionError",
    "append", "commit_once", "declarations", "ensure_database", "judge", "land_facts",
    "land_refusals", "load_table", "migrate", "parse_fact", "register_table", "restore_facts",
]  # fmt: skip
