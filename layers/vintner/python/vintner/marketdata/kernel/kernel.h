/* What the kernel shares with its callers (kernel/native.py mirrors these structures).
 *
 * Instants and spans are microseconds, int64. Prices and sizes are whole numbers of 1e-8, int64 within Arrow's
 * decimal128. Columns that come in and go out belong to the caller; the engine's state is the kernel's own, reached
 * only through the handle, by one thread at a time.
 */

#ifndef VINTNER_MARKETDATA_KERNEL_H
#define VINTNER_MARKETDATA_KERNEL_H

#include <stdint.h>

enum { INTERVALS = 7, MINUTES = 1 }; /* 1s 1m 5m 15m 1h 4h 1d; features are made of the second */
enum { FEATURES = 9 };

typedef struct {
    int64_t tick, grace;
    int64_t horizon[INTERVALS];
    int64_t ids;   /* how many trade ids are remembered where a venue does not count densely */
    int64_t holes; /* how many stretches of missing ids are remembered where it does */
} Config;

/* The sessions of one exchange: [open, close), in order, not overlapping. */
typedef struct {
    int64_t sessions;
    const int64_t *open, *close;
} Calendar;

/* An Arrow array. Of text, `values` are the int32 offsets and `text` the bytes. */
typedef struct {
    const void *values;
    const uint8_t *valid; /* bits; NULL: all are */
    const uint8_t *text;
    int64_t offset;
} Column;

enum {
    LANE, INSTRUMENT, VENUE, DENSE, CALENDAR, TRADE_ID, EVENT_TIME, KNOWLEDGE_TIME, PRICE, SIZE, SIDE, BAR_RULES,
    IS_CLOSE, COLUMNS
};

typedef struct {
    int64_t rows;
    Column column[COLUMNS];
} Rows;

/* What is wrong with a row: `column` and one of the rules. */
enum { GOOD = 0, IS_NULL = 1, OUT_OF_RANGE = 2, UNKNOWN_CALENDAR = 3 };
typedef struct {
    int64_t row, column, rule;
} Fault;

enum { APPLIED = 0, DUPLICATE = 1, IN_NO_BAR = 2, HEARTBEAT = 3 };

/* What the last call has to tell: rows, and bytes of text in them. */
typedef struct {
    int64_t bars, bar_text, bar_intervals, features, feature_text, feature_names, gaps, gap_text, gap_venues;
} Counts;

/* Text goes out as Arrow has it: offsets and bytes. Decimals are 16 bytes. */
typedef struct {
    int32_t *ends;
    char *bytes;
} Text;

typedef struct {
    int32_t *lane;
    Text instrument, interval;
    int64_t *event_time, *starts_at, *knowledge_time;
    uint8_t *partial; /* bits */
    __int128 *open, *high, *low, *close, *volume, *notional;
    int64_t *trades;
    __int128 *bought, *sold;
    int64_t *first_at, *first_id, *last_at, *last_id;
    uint8_t *priced, *ranged; /* bits: open, close and what is first and last; high and low */
} BarColumns;

typedef struct {
    int32_t *lane;
    Text instrument, feature;
    int64_t *event_time, *knowledge_time;
    double *value;
    uint8_t *known; /* bits */
} FeatureColumns;

typedef struct {
    int32_t *lane;
    Text instrument, venue;
    int64_t *first, *last, *known_at;
    uint8_t *filled; /* bytes: 0 opened, 1 filled */
} GapColumns;

#if defined(_WIN32)
#define PUBLIC __declspec(dllexport)
#else
#define PUBLIC __attribute__((visibility("default")))
#endif

#endif
