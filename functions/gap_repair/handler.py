"""Repairs gaps: looks each minute at what should have come and did not, and has it again where it can be had."""

from vintner.aws.gaps import gap_repair_handler

handler = gap_repair_handler()
