/* Best quotes of many instruments, as features of each minute.
 *
 * 1. Rows come in delivery order, each of a lane. A row that moves its lane's clock into a later tick has the lane
 *    flushed first, so what is told at a stamp is what was known before it.
 * 2. A quote whose update id is not above its instrument's last is stale: it says nothing. Any other becomes the book.
 *    It holds from its event time, or from the book's time if that is later: time does not run backwards.
 * 3. Sums of the open interval grow by what the old book was worth for as long as it stood (spread and imbalance,
 *    weighted by time), and by what the change from the old book to the new one says about order flow: Cont, Kukanov
 *    and Stoikov (2014), "The price impact of order book events", equation 4. A side that is not there has size 0.
 * 4. A quote of another interval closes the open one. If not all of it was told yet, it waits among the pending.
 * 5. A flush tells every interval with end + grace <= stamp that was not told yet, or changed since; of a changed one,
 *    only the values that differ. Pending intervals come first, then those still open, by instrument.
 */

#include "quotes_engine.h"

#include <stdlib.h>
#include <string.h>

typedef __int128 Wide;

static int64_t floored(int64_t instant, int64_t span) {
    int64_t rest = instant % span;
    return instant - (rest < 0 ? rest + span : rest);
}

static int is_valid(const QuoteDecimals *column, int64_t row) {
    int64_t at = column->offset + row;
    return !column->valid || (column->valid[at >> 3] >> (at & 7)) & 1;
}

/* The session or day that holds an instant, and the interval within; 0: none. */
static int find_interval(const QuoteEngine *engine, int calendar, int64_t at, int64_t *opens, int64_t *start,
                         int64_t *end) {
    int64_t span = engine->rules.interval;
    if (calendar < 0) {
        *opens = INT64_MIN;
        *start = floored(at, span);
        *end = *start + span;
        return 1;
    }
    const QuoteSessions *sessions = &engine->sessions[calendar];
    int64_t low = 0, high = sessions->count;
    while (low < high) { /* first session that opens later */
        int64_t middle = low + (high - low) / 2;
        if (sessions->opens[middle] <= at) low = middle + 1; else high = middle;
    }
    if (low == 0 || at >= sessions->closes[low - 1]) return 0;
    *opens = sessions->opens[low - 1];
    *start = *opens + floored(at - *opens, span);
    *end = *start + span < sessions->closes[low - 1] ? *start + span : sessions->closes[low - 1];
    return 1;
}

/* Add what the book was worth from one instant to another. */
static void add_stretch(const QuoteInstrument *book, int64_t from, int64_t to, int64_t *weight, double *spread,
                        double *imbalance) {
    const int64_t *price = book->price, *size = book->size;
    if (to <= from || !size[BID] || !size[ASK] || price[BID] > price[ASK] || price[BID] + price[ASK] <= 0) return;
    double span = (double)(to - from);
    *weight += to - from;
    *spread += span * (20000.0 * (double)(price[ASK] - price[BID]) / (double)(price[ASK] + price[BID]));
    *imbalance += span * ((double)(size[BID] - size[ASK]) / (double)(size[BID] + size[ASK]));
}

/* What a side gained: `better` is the sign of (new price - old price) that favours it. */
static Wide side_flow(int64_t old_price, int64_t old_size, int64_t price, int64_t size, int better) {
    if (!old_size || !size) return (Wide)size - old_size;
    int64_t gain = better > 0 ? price - old_price : old_price - price;
    return (gain >= 0 ? (Wide)size : 0) - (gain <= 0 ? (Wide)old_size : 0);
}

static Wide flow_of(const QuoteInstrument *book) {
    return (Wide)(((unsigned __int128)(uint64_t)book->flow_high << 64) | book->flow_low);
}

static void set_flow(QuoteInstrument *book, Wide flow) {
    book->flow_low = (uint64_t)flow;
    book->flow_high = (int64_t)(flow >> 64);
}

/* What the open interval is worth if the book stands until its end. */
static QuoteTold worth(const QuoteInstrument *book) {
    QuoteTold now = {.told = 1, .defined = 1 << FLOW | 1 << QUOTES | 1 << CROSSED};
    int64_t weight = book->weight;
    double spread = book->spread, imbalance = book->imbalance;
    add_stretch(book, book->time, book->end, &weight, &spread, &imbalance);
    if (weight) {
        now.defined |= 1 << SPREAD_BPS | 1 << IMBALANCE;
        now.value[SPREAD_BPS] = spread / (double)weight;
        now.value[IMBALANCE] = imbalance / (double)weight;
    }
    now.value[FLOW] = (double)flow_of(book) / 1e8;
    now.value[QUOTES] = (double)book->quotes;
    now.value[CROSSED] = (double)book->crossed;
    return now;
}

/* Queue the values that were not told, or told otherwise; -1: no memory. */
static int tell(QuoteEngine *engine, int32_t lane, int64_t instrument, int64_t end, int64_t known,
                const QuoteTold *told, const QuoteTold *now) {
    for (int feature = 0; feature < QUOTE_VALUES; feature++) {
        int defined = now->defined >> feature & 1;
        int was_defined = told->defined >> feature & 1;
        if (told->told && defined == was_defined && (!defined || told->value[feature] == now->value[feature])) continue;
        void *moved = quotes_grown(engine->value, engine->waiting, &engine->waiting_room, sizeof(Value));
        if (!moved) return -1;
        engine->value = moved;
        engine->value[engine->waiting++] = (Value){
            .lane = lane, .instrument = (int32_t)instrument, .feature = feature, .defined = defined,
            .event = end, .known = known, .value = defined ? now->value[feature] : 0.0,
        };
    }
    return 0;
}

static int flush_pending(QuoteEngine *engine, Lane *lane, int32_t number) {
    int64_t kept = 0;
    for (int64_t at = 0; at < lane->pending; at++) {
        QuotePending *left = &lane->left[at];
        int64_t due = left->end + engine->rules.grace;
        if (due > lane->stamp) {
            quotes_keep_due(lane, due);
            lane->left[kept++] = *left;
            continue;
        }
        int64_t instrument = lane->instrument[left->slot].instrument;
        if (tell(engine, number, instrument, left->end, lane->stamp, &left->told, &left->now)) return -1;
    }
    lane->pending = kept;
    return 0;
}

static int flush(QuoteEngine *engine, Lane *lane, int32_t number) {
    if (lane->due > lane->stamp) return 0;
    lane->due = INT64_MAX;
    if (flush_pending(engine, lane, number)) return -1;
    for (int64_t slot = 0; slot < lane->count; slot++) {
        QuoteInstrument *book = &lane->instrument[slot];
        if (!book->changed) continue;
        int64_t due = book->end + engine->rules.grace;
        if (due > lane->stamp) {
            quotes_keep_due(lane, due);
            continue;
        }
        QuoteTold now = worth(book);
        if (tell(engine, number, book->instrument, book->end, lane->stamp, &book->told, &now)) return -1;
        book->told = now;
        book->changed = 0;
    }
    return 0;
}

static int advance(QuoteEngine *engine, Lane *lane, int32_t number, int64_t known) {
    if (known <= lane->clock) return 0;
    lane->clock = known;
    if (known < lane->next_tick) return 0;
    lane->stamp = floored(known, engine->rules.tick);
    lane->next_tick = lane->stamp + engine->rules.tick;
    return flush(engine, lane, number);
}

/* Close the open interval; what is not told of it waits. */
static int leave(QuoteEngine *engine, Lane *lane, int64_t slot) {
    QuoteInstrument *book = &lane->instrument[slot];
    if (book->changed) {
        void *moved = quotes_grown(lane->left, lane->pending, &lane->pending_room, sizeof(QuotePending));
        if (!moved) return -1;
        lane->left = moved;
        lane->left[lane->pending++] =
            (QuotePending){.slot = slot, .end = book->end, .told = book->told, .now = worth(book)};
        quotes_keep_due(lane, book->end + engine->rules.grace);
    }
    book->start = book->end = book->changed = book->quotes = book->crossed = book->weight = 0;
    book->spread = book->imbalance = 0.0;
    book->told = (QuoteTold){0};
    set_flow(book, 0);
    return 0;
}

/* Count a new book in the open interval. `carried`: the old book stood within the same session. */
static void count(QuoteInstrument *book, const QuoteInstrument *next, int carried, int crossed) {
    if (carried) {
        int64_t from = book->time > book->start ? book->time : book->start;
        add_stretch(book, from, next->time, &book->weight, &book->spread, &book->imbalance);
        Wide bid = side_flow(book->price[BID], book->size[BID], next->price[BID], next->size[BID], 1);
        Wide ask = side_flow(book->price[ASK], book->size[ASK], next->price[ASK], next->size[ASK], -1);
        set_flow(book, flow_of(book) + bid - ask);
    }
    book->quotes++;
    book->crossed += crossed;
    book->changed = 1;
}

static void read_quote(const QuoteRows *rows, int64_t row, QuoteInstrument *next) {
    for (int side = BID; side <= ASK; side++) {
        const QuoteDecimals *price = &rows->price[side], *size = &rows->size[side];
        int there = is_valid(price, row) && is_valid(size, row) && size->values[2 * row] > 0;
        next->price[side] = there ? price->values[2 * row] : 0;
        next->size[side] = there ? size->values[2 * row] : 0;
    }
    next->update_id = rows->update_id[row];
    next->time = rows->event[row];
}

/* Apply one quote; its verdict, or -1: no memory. */
static int apply_quote(QuoteEngine *engine, Lane *lane, const QuoteRows *rows, int64_t row) {
    int is_new;
    int64_t slot = quotes_slot(lane, rows->instrument[row], &is_new);
    if (slot < 0) return -1;
    QuoteInstrument *book = &lane->instrument[slot], next;
    if (!is_new && rows->update_id[row] <= book->update_id) return STALE;
    read_quote(rows, row, &next);
    if (!is_new && book->time > next.time) next.time = book->time;
    int64_t opens = 0, start = 0, end = 0;
    int counts = find_interval(engine, rows->calendar[row], next.time, &opens, &start, &end);
    counts = counts && end + engine->rules.horizon > lane->stamp;
    if (book->start != book->end && (!counts || start != book->start || end != book->end)) {
        if (leave(engine, lane, slot)) return -1;
    }
    int crossed = next.size[BID] && next.size[ASK] && next.price[BID] >= next.price[ASK];
    if (counts) {
        book->start = start;
        book->end = end;
        count(book, &next, !is_new && book->time >= opens, crossed);
        quotes_keep_due(lane, end + engine->rules.grace);
    }
    book->update_id = next.update_id;
    book->time = next.time;
    memcpy(book->price, next.price, sizeof book->price);
    memcpy(book->size, next.size, sizeof book->size);
    if (!counts) return NO_INTERVAL;
    return crossed ? CROSSED_BOOK : APPLIED;
}

int64_t vintner_quotes_apply(QuoteEngine *engine, const QuoteRows *rows, uint8_t *verdicts) {
    for (int64_t row = 0; row < rows->rows; row++) {
        Lane *lane = quotes_lane(engine, rows->lane[row]);
        if (!lane) return -1;
        int is_quote = rows->instrument[row] >= 0;
        int64_t known = rows->known[row];
        if (is_quote && rows->event[row] > known) known = rows->event[row];
        if (advance(engine, lane, rows->lane[row], known)) return -1;
        int verdict = is_quote ? apply_quote(engine, lane, rows, row) : HEARTBEAT;
        if (verdict < 0) return -1;
        verdicts[row] = (uint8_t)verdict;
    }
    return engine->waiting;
}

int64_t vintner_quotes_take(QuoteEngine *engine, const QuoteColumns *columns) {
    int64_t count = engine->waiting;
    for (int64_t at = 0; at < count; at++) {
        const Value *value = &engine->value[at];
        columns->lane[at] = value->lane;
        columns->instrument[at] = value->instrument;
        columns->feature[at] = value->feature;
        columns->event[at] = value->event;
        columns->known[at] = value->known;
        columns->value[at] = value->value;
        columns->defined[at] = (uint8_t)value->defined;
    }
    engine->waiting = 0;
    return count;
}
