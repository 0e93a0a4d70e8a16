/* A trade counts in one bar of each interval.
 *
 * 1. The span that intervals are aligned in: a venue that never closes has the day from midnight UTC; an exchange has
 *    the session that holds the trade, found from where the last one was. An official closing print after the close
 *    belongs to the last instant of that session. Any other trade outside a session is in no bar.
 * 2. Within the span the interval starts at a whole multiple of its length and is cut at the end of the span.
 * 3. The bar is looked for from the newest on, and made where there is none. One that has left already (its end and
 *    horizon are behind the last stamp) is begun again as a partial: what is late, to be merged by whoever keeps it.
 * 4. What is first and last is decided by (event time, trade id), the rest is order-free: the order of arrival never
 *    matters.
 */

#include "engine.h"

#include <string.h>

static const int64_t SECOND = 1000000;
static const int64_t DAY = 86400 * (int64_t)1000000;

enum { OPEN_CLOSE = 1, HIGH_LOW = 2, VOLUME = 4 };

/* Where a trade belongs: the span its intervals are aligned in, and the instant that tells which interval. */
typedef struct {
    int64_t open, close, at;
} Span;

/* The last session that opens at or before an instant; -1: none. */
static int64_t session_by(Sessions *calendar, int64_t at) {
    const Calendar *of = &calendar->of;
    int64_t held = calendar->cursor;
    if (held < of->sessions && of->open[held] <= at && (held + 1 == of->sessions || at < of->open[held + 1])) return held;
    int64_t low = 0, high = of->sessions;
    while (low < high) {
        int64_t middle = low + (high - low) / 2;
        if (of->open[middle] <= at) low = middle + 1;
        else high = middle;
    }
    if (low > 0) calendar->cursor = low - 1;
    return low - 1;
}

static int span_of(Engine *engine, const Trade *trade, Span *span) {
    if (trade->calendar < 0) {
        int64_t midnight = floor_to(trade->at, DAY);
        *span = (Span){midnight, midnight + DAY, trade->at};
        return 1;
    }
    Sessions *calendar = &engine->calendar[trade->calendar];
    int64_t session = session_by(calendar, trade->at);
    if (session < 0) return 0;
    int64_t open = calendar->of.open[session], close = calendar->of.close[session];
    if (trade->at >= close && !trade->is_close) return 0;
    *span = (Span){open, close, least(trade->at, close - 1)};
    return 1;
}

static Bar *inserted(Engine *engine, Instrument *of, int interval, int64_t at, Bar bar) {
    Series *series = &of->series[interval];
    series->bar = with_room(engine, series->bar, &series->room, series->count + 1, sizeof bar);
    int64_t behind = series->count - at;
    memmove(series->bar + at + 1, series->bar + at, (size_t)behind * sizeof bar);
    series->bar[at] = bar;
    series->count++;
    if (interval == MINUTES) {
        of->told = with_room(engine, of->told, &of->told_room, series->count, sizeof *of->told);
        memmove(of->told + at + 1, of->told + at, (size_t)behind * sizeof *of->told);
        of->told[at] = (Values){.known = NEVER_TOLD};
    }
    return &series->bar[at];
}

static Bar *bar_of(Engine *engine, const Lane *lane, Instrument *of, int interval, int64_t start, int64_t end) {
    Series *series = &of->series[interval];
    int64_t at = series->count;
    while (at > 0 && series->bar[at - 1].end > end) at--;
    if (at > 0 && series->bar[at - 1].end == end) return &series->bar[at - 1];
    uint64_t late = end + engine->config.horizon[interval] <= lane->stamp ? PARTIAL : 0;
    return inserted(engine, of, interval, at, (Bar){.start = start, .end = end, .state = late});
}

/* Sums end at what a decimal of 38 digits holds: no real volume comes near, and no input overflows. */
static void add(Sum *to, Sum value) {
    const Sum e19 = (Sum)10000000000000000000u, limit = e19 * e19 - 1;
    Sum sum;
    if (__builtin_add_overflow(*to, value, &sum)) sum = value > 0 ? limit : -limit;
    *to = sum > limit ? limit : sum < -limit ? -limit : sum;
}

static void count_price(Bar *bar, const Trade *trade) {
    int none = !(bar->state & PRICED);
    if (none || trade->at < bar->first_at || (trade->at == bar->first_at && trade->id < bar->first_id)) {
        bar->first_at = trade->at;
        bar->first_id = trade->id;
        bar->open = trade->price;
    }
    if (none || trade->at > bar->last_at || (trade->at == bar->last_at && trade->id > bar->last_id)) {
        bar->last_at = trade->at;
        bar->last_id = trade->id;
        bar->close = trade->price;
    }
    bar->state |= PRICED;
}

static void count_range(Bar *bar, const Trade *trade) {
    int none = !(bar->state & RANGED);
    if (none || trade->price > bar->high) bar->high = trade->price;
    if (none || trade->price < bar->low) bar->low = trade->price;
    bar->state |= RANGED;
}

static void count_volume(Bar *bar, const Trade *trade) {
    add(&bar->volume, trade->size);
    add(&bar->notional, trade->notional);
    if (trade->side > 0) add(&bar->bought, trade->size);
    if (trade->side < 0) add(&bar->sold, trade->size);
    bar->trades++;
}

static inline __attribute__((always_inline)) void count_in(
    Engine *engine, Lane *lane, Instrument *of, const Trade *trade, const Span *span, int interval, int64_t length) {
    uint64_t offset = (uint64_t)(span->at - span->open);
    int64_t start = span->open + (int64_t)(offset - offset % (uint64_t)length);
    int64_t end = least(start + length, span->close);
    Bar *bar = bar_of(engine, lane, of, interval, start, end);
    if (trade->rules & OPEN_CLOSE) count_price(bar, trade);
    if (trade->rules & HIGH_LOW) count_range(bar, trade);
    if (trade->rules & VOLUME) count_volume(bar, trade);
    bar->state |= CHANGED;
    int64_t due = bar->state & TOLD ? INT64_MIN : end + engine->config.grace;
    if (due < of->series[interval].due) of->series[interval].due = due;
    if (due < of->due) of->due = due;
    if (due < lane->due) lane->due = due;
}

int count_trade(Engine *engine, Lane *lane, Instrument *of, const Trade *trade) {
    Span span;
    if (!(trade->rules & (OPEN_CLOSE | HIGH_LOW | VOLUME)) || !span_of(engine, trade, &span)) return 0;
    /* Written out one by one: lengths known to the compiler cost no division. */
    count_in(engine, lane, of, trade, &span, 0, SECOND);
    count_in(engine, lane, of, trade, &span, 1, 60 * SECOND);
    count_in(engine, lane, of, trade, &span, 2, 300 * SECOND);
    count_in(engine, lane, of, trade, &span, 3, 900 * SECOND);
    count_in(engine, lane, of, trade, &span, 4, 3600 * SECOND);
    count_in(engine, lane, of, trade, &span, 5, 14400 * SECOND);
    count_in(engine, lane, of, trade, &span, 6, span.close - span.open); /* the day, or the session */
    return 1;
}

/* The earliest stamp at which one of the bars is to be told or to leave. */
void refresh_due(const Engine *engine, Series *series, int interval) {
    int64_t due = INT64_MAX;
    for (int64_t i = 0; i < series->count; i++) {
        const Bar *bar = &series->bar[i];
        int64_t leaves = bar->end + engine->config.horizon[interval];
        int64_t told = bar->state & TOLD ? (bar->state & CHANGED ? INT64_MIN : INT64_MAX) : bar->end + engine->config.grace;
        due = least(due, least(leaves, told));
    }
    series->due = due;
}
