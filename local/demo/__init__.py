"""The demonstration: real data in, a point-in-time question out, on the laptop ground."""

from local.demo.model import Feed, MacroQuestion, Material

__all__ = ["Feed", "MacroQuestion", "Material"]
