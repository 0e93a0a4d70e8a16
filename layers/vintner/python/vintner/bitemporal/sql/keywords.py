"""Words that a name must be quoted to be: those of Trino, of Spark's ANSI mode, and of DuckDB, together."""

from __future__ import annotations

from typing import Final

_WORDS: Final = """
all alter analyse analyze and anti any array as asc asof asymmetric at auto between bigint bit blob boolean both
by call case cast char character check coalesce collate collation column columns commit concurrently constraint
create cross cube current date day deallocate dec decimal default deferrable delete desc describe distinct do drop
else end escape except execute exists extract false fetch filter float for foreign freeze from full function
generated glob grant group grouping grouping_id grouping_sets having hour ilike in initially inner inout insert
int integer intersect interval into is isnull join json_array json_exists json_object json_query json_table
json_value lambda lateral leading left like limit listagg local localtime localtimestamp map minus minute month
national natural nchar no none normalize not notnull null nullif numeric of offset on only or order out outer
overlaps overlay pivot pivot_longer pivot_wider placing position precision prepare primary qualify range real
recursive references returning revoke right rollback rollup row rows second select semi session_user set setof
show similar skip smallint some struct substring summarize symmetric table tablesample then time timestamp to
trailing treat trim true truncate try_cast uescape unbounded union unique unknown unnest unpack unpivot update
user using values varchar variadic verbose when where window with within xmlattributes xmlconcat xmlelement
xmlexists xmlforest xmlnamespaces xmlparse xmlpi xmlroot xmlserialize xmltable year
"""
_RESERVED: Final = frozenset(_WORDS.split())


def is_reserved(word: str) -> bool:
    """Return whether a word, in lower case, means something of its own to one of the dialects.

    Examples
    --------
    >>> is_reserved("value"), is_reserved("values"), is_reserved("current_user")
    (False, True, True)
    """
    return word in _RESERVED or word.startswith("current_")
