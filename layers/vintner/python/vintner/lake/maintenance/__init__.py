"""Maintenance: small files become large ones, old snapshots and orphaned files go, nothing that is pinned changes."""

from vintner.lake.maintenance.compact import Compacted, compact
from vintner.lake.maintenance.expire import Expired, expire
from vintner.lake.maintenance.maintain import Upkeep, maintain
from vintner.lake.maintenance.orphans import Orphans, StoredFile, find_orphans, remove_orphans

__all__ = [
    "Compacted", "Expired", "Orphans", "StoredFile", "Upkeep", "compact", "expire", "find_orphans", "maintain",
    "remove_orphans",
]  # fmt: skip
