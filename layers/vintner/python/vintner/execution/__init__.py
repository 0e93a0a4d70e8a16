"""Execution: orders and fills."""

from vintner.execution.datasets import DATASETS, FILLS, ORDERS

__all__ = ["DATASETS", "FILLS", "ORDERS"]
