"""Execution: orders and fills, each settled once."""

from vintner.execution.claims import ClaimStore, IdClaim, MemoryClaimStore, claims_of, subject_of
from vintner.execution.datasets import DATASETS, FILLS, ORDERS
from vintner.execution.ledger import LedgerLander, restore_claims

__all__ = [
    "DATASETS", "FILLS", "ORDERS", "ClaimStore", "IdClaim", "LedgerLander", "MemoryClaimStore", "claims_of",
    "restore_claims", "subject_of",
]  # fmt: skip
