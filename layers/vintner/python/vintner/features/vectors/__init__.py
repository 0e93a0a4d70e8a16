"""Vectors of streamed features: the latest known value of each feature of a view, minute by minute."""

from vintner.features.vectors.assembler import Outcome, VectorAssembler, VectorOutput
from vintner.features.vectors.model import INPUT, INTRADAY, VECTOR_VIEWS, VectorRules, VectorView
from vintner.features.vectors.work import VectorsWork

__all__ = [
    "INPUT", "INTRADAY", "VECTOR_VIEWS", "Outcome", "VectorAssembler", "VectorOutput", "VectorRules", "VectorView",
    "VectorsWork",
]  # fmt: skip
