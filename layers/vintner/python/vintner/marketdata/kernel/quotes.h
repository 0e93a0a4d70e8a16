/* What the quote engine shares with its caller (marketdata/quotes/native.py mirrors these structures).
 *
 * Instants and spans are microseconds, int64; prices and sizes whole multiples of 1e-8, int64. All persistent fields are
 * eight bytes wide, so a lane's state is the same bytes on every machine we build for.
 */

#ifndef VINTNER_QUOTES_H
#define VINTNER_QUOTES_H

#include <stdint.h>

#define QUOTE_VALUES 5

enum { SPREAD_BPS = 0, IMBALANCE = 1, FLOW = 2, QUOTES = 3, CROSSED = 4 };
enum { APPLIED = 0, STALE = 1, NO_INTERVAL = 2, HEARTBEAT = 3, CROSSED_BOOK = 4 };
enum { BID = 0, ASK = 1 };

typedef struct {
    int64_t tick, grace, horizon, interval;
} QuoteRules;

/* The sessions of one calendar, in order. */
typedef struct {
    int64_t count;
    const int64_t *opens;
    const int64_t *closes;
} QuoteSessions;

/* A decimal128 column as Arrow has it: the low half of each value is the number. */
typedef struct {
    const int64_t *values; /* two words each, low first */
    const uint8_t *valid;  /* bits, or NULL: all */
    int64_t offset;        /* first bit */
} QuoteDecimals;

typedef struct {
    int64_t rows;
    const int32_t *lane;
    const int32_t *instrument; /* negative: a heartbeat */
    const int64_t *update_id;
    const int64_t *event;
    const int64_t *known;
    const int16_t *calendar;   /* negative: round the clock */
    QuoteDecimals price[2];
    QuoteDecimals size[2];
} QuoteRows;

/* What an interval is worth: values, which of them are defined (bits), and whether any was ever told. */
typedef struct {
    int64_t told;
    int64_t defined;
    double value[QUOTE_VALUES];
} QuoteTold;

/* One instrument: the book after its last applied quote, and the sums of the interval that is open. */
typedef struct {
    int64_t instrument;
    int64_t update_id;
    int64_t time;       /* since when the book is so */
    int64_t price[2];
    int64_t size[2];    /* 0: there is no such side */
    int64_t start, end; /* the open interval; equal: none */
    int64_t changed;    /* since its values were told */
    int64_t quotes, crossed;
    int64_t weight;     /* microseconds with two sides, not crossed */
    double spread;      /* sums over them */
    double imbalance;
    uint64_t flow_low;  /* order flow imbalance, 128 bits */
    int64_t flow_high;
    QuoteTold told;
} QuoteInstrument;

/* An interval that was left before all of it was told. */
typedef struct {
    int64_t slot;
    int64_t end;
    QuoteTold told;
    QuoteTold now;
} QuotePending;

/* A lane as it is saved: buffers belong to the engine when it answers, to the caller when it asks. */
typedef struct {
    int64_t clock, stamp;
    int64_t instruments, pending;
    const QuoteInstrument *instrument;
    const QuotePending *left;
} QuoteLaneState;

/* Feature values, column by column, in the caller's memory. */
typedef struct {
    int32_t *lane;
    int32_t *instrument;
    int32_t *feature;
    int64_t *event;
    int64_t *known;
    double *value;
    uint8_t *defined; /* one byte each */
} QuoteColumns;

typedef struct QuoteEngine QuoteEngine;

#ifndef PUBLIC
#if defined(_WIN32)
#define PUBLIC __declspec(dllexport)
#else
#define PUBLIC __attribute__((visibility("default")))
#endif
#endif

PUBLIC QuoteEngine *vintner_quotes_new(const QuoteRules *rules, const QuoteSessions *sessions, int64_t calendars);
PUBLIC void vintner_quotes_free(QuoteEngine *engine);
/* Apply rows in order, write a verdict for each; return the number of feature values that wait, or -1: no memory. */
PUBLIC int64_t vintner_quotes_apply(QuoteEngine *engine, const QuoteRows *rows, uint8_t *verdicts);
/* Hand over the values that wait. */
PUBLIC int64_t vintner_quotes_take(QuoteEngine *engine, const QuoteColumns *columns);
/* Number of lanes there can be: one more than the highest seen. */
PUBLIC int64_t vintner_quotes_lanes(const QuoteEngine *engine);
/* Tell a lane; 0: there is none of that number. */
PUBLIC int64_t vintner_quotes_save(const QuoteEngine *engine, int64_t lane, QuoteLaneState *state);
/* Replace a lane; -1: no memory. */
PUBLIC int64_t vintner_quotes_load(QuoteEngine *engine, int64_t lane, const QuoteLaneState *state);
PUBLIC int64_t vintner_quotes_forget(QuoteEngine *engine, int64_t lane);

#endif
