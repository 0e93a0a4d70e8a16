/* What the two files of the quote engine share: its lanes, and how they grow. */

#ifndef VINTNER_QUOTES_ENGINE_H
#define VINTNER_QUOTES_ENGINE_H

#include "quotes.h"

#include <stddef.h>

typedef struct {
    int32_t lane, instrument, feature, defined;
    int64_t event, known;
    double value;
} Value;

typedef struct {
    int64_t clock, stamp, next_tick;
    int64_t due; /* earliest end + grace of anything that is yet to be told */
    int64_t count, room;
    QuoteInstrument *instrument;
    int64_t pending, pending_room;
    QuotePending *left;
    int64_t known_ids;
    int32_t *slot_of; /* per instrument number: its place, or -1 */
} Lane;

struct QuoteEngine {
    QuoteRules rules;
    int64_t calendars;
    QuoteSessions *sessions;
    int64_t lanes;
    Lane **lane;
    int64_t waiting, waiting_room;
    Value *value;
};

/* Make room for one more; the address may move. NULL: no memory. */
void *quotes_grown(void *items, int64_t count, int64_t *room, size_t size);
/* The lane of a number, made if it is new. NULL: no memory. */
Lane *quotes_lane(QuoteEngine *engine, int64_t number);
/* The place of an instrument in its lane, made if it is new. Negative: no memory. */
int64_t quotes_slot(Lane *lane, int64_t instrument, int *is_new);

static inline void quotes_keep_due(Lane *lane, int64_t due) {
    if (due < lane->due) lane->due = due;
}

#endif
