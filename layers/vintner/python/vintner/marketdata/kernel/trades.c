/* The engine of trades, as its callers reach it. Each row is one record of a lane, in the order delivered:
 *
 * 1. The lane's clock is the latest knowledge time it has met. When a row moves it into a later tick, the lane tells
 *    first what is due at the start of that tick (flush.c); nothing of the row is in it.
 * 2. A row without an instrument is a heartbeat: it moves the clock, and that is all.
 * 3. A trade id that came before is a duplicate (seen.c).
 * 4. Any other trade counts in its bars (bars.c).
 *
 * What comes out depends on the rows of each lane and their order, on nothing else: not on how they are cut into
 * batches, not on the other lanes.
 */

#include "engine.h"

#include <stdlib.h>
#include <string.h>

/* The years 1 to 9999, in which no sum of an instant and a span overflows. */
static const int64_t EARLIEST = -62135596800000000, LATEST = 253402300799999999;
static const int64_t LARGEST = 999999999999999999; /* a decimal of 18 digits */

enum { MOST_LANES = 65536 };

static int is_valid(const Column *column, int64_t row) {
    return !column->valid || bit(column->valid, column->offset + row);
}

static int64_t integer(const Rows *rows, int column, int64_t row) {
    const Column *of = &rows->column[column];
    int64_t at = of->offset + row;
    switch (column) {
    case LANE: return ((const int32_t *)of->values)[at];
    case CALENDAR: return ((const int16_t *)of->values)[at];
    case SIDE: return ((const int8_t *)of->values)[at];
    case BAR_RULES: return ((const uint8_t *)of->values)[at];
    case DENSE:
    case IS_CLOSE: return bit(of->values, at);
    case PRICE:
    case SIZE: return ((const int64_t *)of->values)[2 * at]; /* the low half */
    default: return ((const int64_t *)of->values)[at];
    }
}

static const char *text(const Rows *rows, int column, int64_t row, int64_t *length) {
    const Column *of = &rows->column[column];
    const int32_t *ends = (const int32_t *)of->values + of->offset + row;
    *length = ends[1] - ends[0];
    return (const char *)of->text + ends[0];
}

static int is_outside(const Rows *rows, int column, int64_t row) {
    int64_t value = integer(rows, column, row);
    switch (column) {
    case LANE: return value < 0 || value >= MOST_LANES;
    case EVENT_TIME:
    case KNOWLEDGE_TIME: return value < EARLIEST || value > LATEST;
    case PRICE:
    case SIZE: return value < -LARGEST || value > LARGEST;
    default: return 0;
    }
}

static int fault_in(const Engine *engine, const Rows *rows, int column, int64_t row) {
    if (!is_valid(&rows->column[column], row)) return IS_NULL;
    if (column == INSTRUMENT || column == VENUE) return GOOD;
    if (column == CALENDAR) {
        int64_t calendar = integer(rows, column, row);
        return calendar < -1 || calendar >= engine->calendars ? UNKNOWN_CALENDAR : GOOD;
    }
    return is_outside(rows, column, row) ? OUT_OF_RANGE : GOOD;
}

/* Look for a row that cannot be taken, before anything is changed. Returns 1 and says which, or 0. */
PUBLIC int64_t vintner_trades_check(const Engine *engine, const Rows *rows, Fault *fault) {
    for (int column = 0; column < COLUMNS; column++) {
        int always = column == LANE || column == KNOWLEDGE_TIME;
        if (column == INSTRUMENT) continue;
        for (int64_t row = 0; row < rows->rows; row++) {
            if (!always && !is_valid(&rows->column[INSTRUMENT], row)) continue;
            int rule = fault_in(engine, rows, column, row);
            if (rule == GOOD) continue;
            *fault = (Fault){row, column, rule};
            return 1;
        }
    }
    return 0;
}

static void advance(Engine *engine, Lane *lane, int64_t known) {
    if (lane->any && known <= lane->clock) return;
    int64_t stamp = floor_to(known, engine->config.tick);
    if (!lane->any) {
        lane->any = 1;
        lane->stamp = stamp;
    } else if (stamp > lane->stamp) {
        flush(engine, lane, stamp);
        lane->stamp = stamp;
    }
    lane->clock = known;
}

static Trade trade_of(const Rows *rows, int64_t row) {
    Trade trade = {
        .id = integer(rows, TRADE_ID, row),
        .at = integer(rows, EVENT_TIME, row),
        .price = integer(rows, PRICE, row),
        .size = integer(rows, SIZE, row),
        .side = (int)integer(rows, SIDE, row),
        .rules = (unsigned)integer(rows, BAR_RULES, row),
        .is_close = (int)integer(rows, IS_CLOSE, row),
        .calendar = (int)integer(rows, CALENDAR, row),
    };
    trade.notional = (Sum)trade.price * trade.size;
    return trade;
}

static uint8_t take(Engine *engine, const Rows *rows, int64_t row) {
    Lane *lane = lane_of(engine, integer(rows, LANE, row));
    advance(engine, lane, integer(rows, KNOWLEDGE_TIME, row));
    if (!is_valid(&rows->column[INSTRUMENT], row)) return HEARTBEAT;
    int64_t length, venue_length;
    const char *name = text(rows, INSTRUMENT, row, &length), *venue = text(rows, VENUE, row, &venue_length);
    Instrument *of = instrument_of(engine, lane, name, length, venue, venue_length);
    Trade trade = trade_of(rows, row);
    if (!is_new(engine, lane, of, trade.id, (int)integer(rows, DENSE, row))) return DUPLICATE;
    return count_trade(engine, lane, of, &trade) ? APPLIED : IN_NO_BAR;
}

/* Take rows that were checked; say per row what became of it, and how much there is to tell. Returns -1 when memory is
 * short: the engine is of no use then. */
PUBLIC int64_t vintner_trades_apply(Engine *engine, const Rows *rows, uint8_t *verdict) {
    if (setjmp(engine->out_of_memory)) return -1;
    engine->bars = engine->features = engine->gaps = 0;
    for (int64_t row = 0; row < rows->rows; row++) verdict[row] = take(engine, rows, row);
    return 0;
}

/* Return an engine, or NULL when memory is short. The sessions have to live as long as it does. */
PUBLIC Engine *vintner_trades_new(const Config *config, const Calendar *calendars, int64_t count) {
    Engine *engine = calloc(1, sizeof *engine);
    if (!engine) return NULL;
    engine->config = *config;
    engine->calendars = count;
    engine->calendar = calloc((size_t)count + 1, sizeof *engine->calendar);
    if (!engine->calendar) {
        free(engine);
        return NULL;
    }
    for (int64_t i = 0; i < count; i++) engine->calendar[i].of = calendars[i];
    return engine;
}

/* Let go of a lane, or of all where its number is negative. */
PUBLIC void vintner_trades_forget(Engine *engine, int64_t lane) {
    for (int64_t at = 0; at < engine->lanes; at++) {
        if (lane < 0 || at == lane) forget_lane(engine, at);
    }
}

PUBLIC void vintner_trades_free(Engine *engine) {
    vintner_trades_forget(engine, -1);
    free(engine->calendar);
    free(engine->lane);
    free(engine->bar);
    free(engine->feature);
    free(engine->gap);
    free(engine->blob);
    free(engine);
}

/* Write the numbers of the lanes that have a clock, at most `room` of them; returns how many there are. */
PUBLIC int64_t vintner_trades_lanes(const Engine *engine, int32_t *number, int64_t room) {
    int64_t found = 0;
    for (int64_t at = 0; at < engine->lanes; at++) {
        if (!engine->lane[at]) continue;
        if (found < room) number[found] = (int32_t)at;
        found++;
    }
    return found;
}
