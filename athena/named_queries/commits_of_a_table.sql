-- name: commits of a table
-- description: The snapshots of macro_series with what each brought, newest first; any of them can be read with FOR VERSION AS OF.
SELECT
    committed_at,
    snapshot_id,
    operation,
    CAST(element_at(summary, 'added-records') AS bigint) AS added_records,
    CAST(element_at(summary, 'total-records') AS bigint) AS total_records,
    CAST(element_at(summary, 'vintner.kept') AS bigint) AS kept_so_far,
    CAST(element_at(summary, 'vintner.duplicates') AS bigint) AS duplicates_so_far
FROM "macro_series$snapshots"
ORDER BY committed_at DESC
