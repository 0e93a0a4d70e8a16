"""The files of ``athena/`` that are point-in-time reads, written by the library's generator of SQL."""

from local.saved_reads.files import saved_reads, write_saved_reads
from local.saved_reads.read import SavedRead

__all__ = ["SavedRead", "saved_reads", "write_saved_reads"]
