"""Write, audit, publish: drafts on branches, revisions that reproduce, and the way back."""

from vintner.lake.revisions.audit import Audit, ColumnMoves, Move, audit_draft
from vintner.lake.revisions.content import content_at, rows_hash
from vintner.lake.revisions.draft import (
    Drafted,
    abandon_draft,
    draft_rows,
    drafts_of,
    find_publication,
    rebase_draft,
)
from vintner.lake.revisions.model import Kind, RevisionRecord, revision_tag, revisions_of
from vintner.lake.revisions.publish import find_revision, publish_draft, record_missing, reproduce, roll_back
from vintner.lake.revisions.records import record_revision, revision_records, verify_chain

__all__ = [
    "Audit", "ColumnMoves", "Drafted", "Kind", "Move", "RevisionRecord", "abandon_draft", "audit_draft", "content_at",
    "draft_rows", "drafts_of", "find_publication", "find_revision", "publish_draft", "rebase_draft", "record_missing",
    "record_revision", "reproduce", "revision_records", "revision_tag", "revisions_of", "roll_back", "rows_hash",
    "verify_chain",
]  # fmt: skip
