/* What the last call told, written into columns that the caller made as large as `vintner_trades_counts` says. */

#include "engine.h"

#include <string.h>

static const char *const INTERVAL[INTERVALS] = {"1s", "1m", "5m", "15m", "1h", "4h", "1d"};
static const char *const FEATURE[FEATURES] = {
    "return_1m", "log_return_1m", "volatility_20_1m", "ema_12_1m",     "ema_26_1m",
    "rsi_14_1m", "atr_14_1m",     "vwap_1m",          "trade_imbalance_1m",
};

PUBLIC void vintner_trades_counts(const Engine *engine, Counts *counts) {
    *counts = (Counts){.bars = engine->bars, .features = engine->features, .gaps = engine->gaps};
    for (int64_t i = 0; i < engine->bars; i++) {
        counts->bar_text += engine->bar[i].of->name_length;
        counts->bar_intervals += (int64_t)strlen(INTERVAL[engine->bar[i].interval]);
    }
    for (int64_t i = 0; i < engine->features; i++) {
        counts->feature_text += engine->feature[i].of->name_length;
        counts->feature_names += (int64_t)strlen(FEATURE[engine->feature[i].feature]);
    }
    for (int64_t i = 0; i < engine->gaps; i++) {
        counts->gap_text += engine->gap[i].of->name_length;
        counts->gap_venues += engine->gap[i].of->venue_length;
    }
}

/* Text is written row by row; the first end is written with the first row. */
static void put(Text *to, int64_t row, const char *bytes, int64_t length) {
    if (row == 0) to->ends[0] = 0;
    memcpy(to->bytes + to->ends[row], bytes, (size_t)length);
    to->ends[row + 1] = to->ends[row] + (int32_t)length;
}

static void put_bit(uint8_t *bits, int64_t row, int value) {
    if (row % 8 == 0) bits[row / 8] = 0;
    bits[row / 8] |= (uint8_t)((value != 0) << (row % 8));
}

static void put_prices(const BarColumns *to, int64_t row, const Bar *bar) {
    put_bit(to->priced, row, (bar->state & PRICED) != 0);
    put_bit(to->ranged, row, (bar->state & RANGED) != 0);
    to->open[row] = bar->open;
    to->high[row] = bar->high;
    to->low[row] = bar->low;
    to->close[row] = bar->close;
    to->first_at[row] = bar->first_at;
    to->first_id[row] = bar->first_id;
    to->last_at[row] = bar->last_at;
    to->last_id[row] = bar->last_id;
}

PUBLIC void vintner_trades_bars(const Engine *engine, BarColumns *to) {
    for (int64_t row = 0; row < engine->bars; row++) {
        const ToldBar *told = &engine->bar[row];
        const Bar *bar = &told->bar;
        to->lane[row] = told->lane;
        put(&to->instrument, row, told->of->text, told->of->name_length);
        put(&to->interval, row, INTERVAL[told->interval], (int64_t)strlen(INTERVAL[told->interval]));
        to->event_time[row] = bar->end;
        to->starts_at[row] = bar->start;
        to->knowledge_time[row] = told->known;
        put_bit(to->partial, row, (bar->state & PARTIAL) != 0);
        put_prices(to, row, bar);
        to->volume[row] = bar->volume;
        to->notional[row] = bar->notional;
        to->trades[row] = bar->trades;
        to->bought[row] = bar->bought;
        to->sold[row] = bar->sold;
    }
}

PUBLIC void vintner_trades_features(const Engine *engine, FeatureColumns *to) {
    for (int64_t row = 0; row < engine->features; row++) {
        const ToldFeature *told = &engine->feature[row];
        to->lane[row] = told->lane;
        put(&to->instrument, row, told->of->text, told->of->name_length);
        put(&to->feature, row, FEATURE[told->feature], (int64_t)strlen(FEATURE[told->feature]));
        to->event_time[row] = told->end;
        to->knowledge_time[row] = told->known;
        to->value[row] = told->value;
        put_bit(to->known, row, told->defined);
    }
}

PUBLIC void vintner_trades_gaps(const Engine *engine, GapColumns *to) {
    for (int64_t row = 0; row < engine->gaps; row++) {
        const ToldGap *told = &engine->gap[row];
        const Instrument *of = told->of;
        to->lane[row] = told->lane;
        put(&to->instrument, row, of->text, of->name_length);
        put(&to->venue, row, of->text + of->name_length, of->venue_length);
        to->first[row] = told->first;
        to->last[row] = told->last;
        to->known_at[row] = told->known_at;
        to->filled[row] = (uint8_t)told->filled;
    }
}
