/* The life of the quote engine's memory: made, grown, saved, loaded, forgotten. */

#include "quotes_engine.h"

#include <stdlib.h>
#include <string.h>

static void *copied(const void *items, int64_t count, size_t size) {
    void *copy = malloc((size_t)(count ? count : 1) * size);
    if (copy && count) memcpy(copy, items, (size_t)count * size);
    return copy;
}

void *quotes_grown(void *items, int64_t count, int64_t *room, size_t size) {
    if (count < *room) return items;
    int64_t more = *room ? *room * 2 : 16;
    void *moved = realloc(items, (size_t)more * size);
    if (moved) *room = more;
    return moved;
}

QuoteEngine *vintner_quotes_new(const QuoteRules *rules, const QuoteSessions *sessions, int64_t calendars) {
    QuoteEngine *engine = calloc(1, sizeof(QuoteEngine));
    if (!engine) return NULL;
    engine->rules = *rules;
    engine->calendars = calendars;
    engine->sessions = copied(sessions, calendars, sizeof(QuoteSessions));
    if (engine->sessions) return engine;
    free(engine);
    return NULL;
}

static void free_lane(Lane *lane) {
    if (!lane) return;
    free(lane->instrument);
    free(lane->left);
    free(lane->slot_of);
    free(lane);
}

void vintner_quotes_free(QuoteEngine *engine) {
    for (int64_t number = 0; number < engine->lanes; number++) free_lane(engine->lane[number]);
    free(engine->lane);
    free(engine->sessions);
    free(engine->value);
    free(engine);
}

Lane *quotes_lane(QuoteEngine *engine, int64_t number) {
    if (number >= engine->lanes) {
        Lane **moved = realloc(engine->lane, (size_t)(number + 1) * sizeof(Lane *));
        if (!moved) return NULL;
        engine->lane = moved;
        while (engine->lanes <= number) engine->lane[engine->lanes++] = NULL;
    }
    if (!engine->lane[number]) {
        Lane *lane = calloc(1, sizeof(Lane));
        if (!lane) return NULL;
        lane->clock = lane->stamp = lane->next_tick = INT64_MIN;
        lane->due = INT64_MAX;
        engine->lane[number] = lane;
    }
    return engine->lane[number];
}

int64_t quotes_slot(Lane *lane, int64_t instrument, int *is_new) {
    if (instrument >= lane->known_ids) {
        int64_t room = (instrument + 64) * 2;
        int32_t *moved = realloc(lane->slot_of, (size_t)room * sizeof(int32_t));
        if (!moved) return -1;
        lane->slot_of = moved;
        while (lane->known_ids < room) lane->slot_of[lane->known_ids++] = -1;
    }
    int64_t slot = lane->slot_of[instrument];
    *is_new = slot < 0;
    if (slot >= 0) return slot;
    void *moved = quotes_grown(lane->instrument, lane->count, &lane->room, sizeof(QuoteInstrument));
    if (!moved) return -1;
    lane->instrument = moved;
    slot = lane->count++;
    lane->slot_of[instrument] = (int32_t)slot;
    lane->instrument[slot] = (QuoteInstrument){.instrument = instrument};
    return slot;
}

int64_t vintner_quotes_lanes(const QuoteEngine *engine) { return engine->lanes; }

int64_t vintner_quotes_save(const QuoteEngine *engine, int64_t number, QuoteLaneState *state) {
    const Lane *lane = number < engine->lanes ? engine->lane[number] : NULL;
    if (!lane) return 0;
    *state = (QuoteLaneState){
        .clock = lane->clock, .stamp = lane->stamp, .instruments = lane->count, .pending = lane->pending,
        .instrument = lane->instrument, .left = lane->left,
    };
    return 1;
}

int64_t vintner_quotes_forget(QuoteEngine *engine, int64_t number) {
    if (number >= engine->lanes || !engine->lane[number]) return 0;
    free_lane(engine->lane[number]);
    engine->lane[number] = NULL;
    return 1;
}

/* What is due is not saved: it follows from what is there. */
int64_t vintner_quotes_load(QuoteEngine *engine, int64_t number, const QuoteLaneState *state) {
    vintner_quotes_forget(engine, number);
    Lane *lane = quotes_lane(engine, number);
    if (!lane) return -1;
    lane->clock = state->clock;
    lane->stamp = state->stamp;
    /* The stamp may be of other rules: the next tick is the first of ours after the clock. */
    lane->next_tick = INT64_MIN;
    if (state->clock != INT64_MIN) {
        int64_t rest = state->clock % engine->rules.tick;
        lane->next_tick = state->clock - rest + (rest < 0 ? 0 : engine->rules.tick);
    }
    for (int64_t at = 0; at < state->instruments; at++) {
        int is_new;
        const QuoteInstrument *book = &state->instrument[at];
        int64_t slot = quotes_slot(lane, book->instrument, &is_new);
        if (slot < 0) return -1;
        lane->instrument[slot] = *book;
        if (book->changed) quotes_keep_due(lane, book->end + engine->rules.grace);
    }
    lane->left = copied(state->left, state->pending, sizeof(QuotePending));
    if (!lane->left) return -1;
    lane->pending = lane->pending_room = state->pending;
    for (int64_t at = 0; at < state->pending; at++) quotes_keep_due(lane, state->left[at].end + engine->rules.grace);
    return 0;
}
