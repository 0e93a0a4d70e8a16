"""One behaviour for every engine: the reads of the library, as each engine answers them."""
