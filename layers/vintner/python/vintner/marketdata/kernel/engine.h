/* The state of a trade engine, and the functions its files share. */

#ifndef VINTNER_MARKETDATA_ENGINE_H
#define VINTNER_MARKETDATA_ENGINE_H

#include "kernel.h"

#include <setjmp.h>
#include <stddef.h>

typedef __int128 Sum;

/* A bar is a mergeable summary: what is first, last, highest, lowest, and sums. */
typedef struct {
    Sum volume, notional, bought, sold;
    int64_t start, end;
    int64_t first_at, first_id, last_at, last_id;
    int64_t open, high, low, close;
    int64_t trades;
    uint64_t state;
} Bar;

enum { TOLD = 1, CHANGED = 2, PARTIAL = 4, PRICED = 8, RANGED = 16 };

/* The bars of one instrument and interval that are still open to change, in order of their ends. */
typedef struct {
    Bar *bar;
    int64_t count, room;
    int64_t due; /* the stamp from which there is something to tell or to let go */
} Series;

/* Values of the features of one bar. */
typedef struct {
    double value[FEATURES];
    uint64_t known; /* bit: the value is defined; NEVER_TOLD: nothing was said about this bar yet */
} Values;

enum { NEVER_TOLD = 1 << FEATURES };
enum { RETURNS = 20, WILDER = 14 };

/* The rolling state behind the bars that may still change. */
typedef struct {
    int64_t bars; /* with prices, so far */
    double close, fast, slow, gain, loss, range;
    double returns[RETURNS]; /* ring of logarithms; NAN where there is none */
} Rolling;

/* A stretch of trade ids that did not come. */
typedef struct {
    int64_t first, last;
} Hole;

/* The trade ids of one instrument that were seen. */
typedef struct {
    int64_t dense;             /* whether the venue counts without holes; -1 before the first trade */
    int64_t any, lowest, highest;
    Hole *hole;                /* dense: in order */
    int64_t holes, room;
    int64_t *ring;             /* otherwise: the last ids, oldest at `next` once it is full */
    int32_t *bucket, *link;    /* chains of places in the ring, from 1; 0 ends a chain */
    int64_t count, next;
} Seen;

typedef struct {
    char *text; /* name, then venue */
    int64_t name_length, venue_length;
    uint64_t hash;
    int64_t due; /* earliest of its series */
    Series series[INTERVALS];
    Values *told; /* one for each bar of the series of minutes */
    int64_t told_room;
    Rolling rolling;
    Seen seen;
} Instrument;

typedef struct {
    int32_t number;
    int32_t any; /* whether it has a clock yet */
    int64_t clock, stamp, due;
    Instrument **instrument; /* in the order they came */
    int64_t count, room;
    Instrument **table; /* by hash, open addressing; `slots` is a power of two */
    int64_t slots;
} Lane;

typedef struct {
    Bar bar;
    const Instrument *of;
    int64_t known;
    int32_t lane, interval;
} ToldBar;

typedef struct {
    const Instrument *of;
    double value;
    int64_t end, known;
    int32_t lane;
    int16_t feature, defined;
} ToldFeature;

typedef struct {
    const Instrument *of;
    int64_t first, last, known_at;
    int32_t lane, filled;
} ToldGap;

typedef struct {
    Calendar of;
    int64_t cursor; /* the session found last */
} Sessions;

typedef struct {
    Config config;
    Sessions *calendar;
    int64_t calendars;
    Lane **lane; /* by number; NULL: unknown */
    int64_t lanes;
    ToldBar *bar;
    int64_t bars, bar_room;
    ToldFeature *feature;
    int64_t features, feature_room;
    ToldGap *gap;
    int64_t gaps, gap_room;
    uint8_t *blob; /* a lane's state, written out */
    int64_t blob_size, blob_room;
    jmp_buf out_of_memory;
} Engine;

/* One trade, read from its row. */
typedef struct {
    int64_t id, at, price, size;
    Sum notional;
    int side;
    unsigned rules;
    int is_close;
    int calendar;
} Trade;

static inline int bit(const uint8_t *bits, int64_t at) { return (bits[at >> 3] >> (at & 7)) & 1; }

static inline int64_t least(int64_t a, int64_t b) { return a < b ? a : b; }

static inline int64_t floor_to(int64_t value, int64_t step) {
    int64_t rest = value % step;
    return value - (rest < 0 ? rest + step : rest);
}

/* memory.c: each leaves through engine->out_of_memory when there is none. */
void *cleared(Engine *engine, int64_t size);
void *with_room(Engine *engine, void *items, int64_t *room, int64_t wanted, size_t size);
Lane *lane_of(Engine *engine, int64_t number);
Instrument *instrument_of(Engine *engine, Lane *lane, const char *name, int64_t length, const char *venue, int64_t venue_length);
void forget_lane(Engine *engine, int64_t number);

/* seen.c: whether a trade id is new; what it opens or fills is told. */
int is_new(Engine *engine, Lane *lane, Instrument *of, int64_t id, int dense);
void remember(Engine *engine, Seen *seen, int64_t id);
void prepare_ring(Engine *engine, Seen *seen);

/* bars.c: count a trade in its bars; returns 0 when it is in none. */
int count_trade(Engine *engine, Lane *lane, Instrument *of, const Trade *trade);
void refresh_due(const Engine *engine, Series *series, int interval);

/* flush.c */
void flush(Engine *engine, Lane *lane, int64_t stamp);

/* rolling.c: the features of a bar, and the state after it. */
void roll(Rolling *state, const Bar *bar, Values *values);
double logarithm(double x);

#endif
