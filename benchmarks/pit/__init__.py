"""The bitemporal point-in-time benchmark: data with three clocks, nine queries, their answers, and adapters."""
