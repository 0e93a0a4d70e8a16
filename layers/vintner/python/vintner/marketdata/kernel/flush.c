/* What a lane has to tell at a stamp, told before the record that moved its clock there is counted.
 *
 * 1. Instruments speak in the order they came, intervals from short to long, bars in the order of their ends.
 * 2. A bar is told when its end and the grace are over, again when a trade changed it since, and once for all when it
 *    is a partial.
 * 3. When a bar of a minute was told, the features of all minutes that may still change are rolled forward from the
 *    state behind them, and each value that differs from what was told is told.
 * 4. Bars whose horizon is over leave; minutes enter the rolling state on their way out.
 *
 * Each series knows from which stamp on it has anything to do, so that most of them are passed over.
 */

#include "engine.h"

#include <string.h>

static void tell_bar(Engine *engine, const Lane *lane, const Instrument *of, const Bar *bar, int interval, int64_t stamp) {
    engine->bar = with_room(engine, engine->bar, &engine->bar_room, engine->bars + 1, sizeof *engine->bar);
    engine->bar[engine->bars++] = (ToldBar){*bar, of, stamp, lane->number, interval};
}

static void tell_feature(Engine *engine, ToldFeature told) {
    engine->feature = with_room(engine, engine->feature, &engine->feature_room, engine->features + 1, sizeof told);
    engine->feature[engine->features++] = told;
}

static int tell_bars(Engine *engine, const Lane *lane, const Instrument *of, Series *series, int interval, int64_t stamp) {
    int told = 0;
    for (int64_t i = 0; i < series->count; i++) {
        Bar *bar = &series->bar[i];
        int ready = bar->state & TOLD ? (bar->state & CHANGED) != 0 : bar->end + engine->config.grace <= stamp;
        if (!ready) continue;
        tell_bar(engine, lane, of, bar, interval, stamp);
        bar->state = (bar->state | TOLD) & ~(uint64_t)CHANGED;
        told = 1;
    }
    return told;
}

static int differs(const Values *a, const Values *b, int feature) {
    uint64_t one = a->known >> feature & 1, other = b->known >> feature & 1;
    return one != other || (one && memcmp(&a->value[feature], &b->value[feature], sizeof a->value[feature]) != 0);
}

static void tell_features(Engine *engine, const Lane *lane, const Instrument *of, int64_t stamp) {
    const Series *minutes = &of->series[MINUTES];
    Rolling state = of->rolling;
    for (int64_t i = 0; i < minutes->count; i++) {
        const Bar *bar = &minutes->bar[i];
        Values now, *told = &of->told[i];
        if (bar->state & PARTIAL) continue;
        if (!(bar->state & TOLD)) break;
        roll(&state, bar, &now);
        for (int feature = 0; feature < FEATURES; feature++) {
            if (!(told->known & NEVER_TOLD) && !differs(told, &now, feature)) continue;
            int16_t defined = now.known >> feature & 1;
            tell_feature(engine, (ToldFeature){of, now.value[feature], bar->end, stamp, lane->number, (int16_t)feature, defined});
        }
        *told = now;
    }
}

static void let_go(const Engine *engine, Instrument *of, Series *series, int interval, int64_t stamp) {
    int64_t gone = 0;
    for (; gone < series->count && series->bar[gone].end + engine->config.horizon[interval] <= stamp; gone++) {
        Values unused;
        const Bar *bar = &series->bar[gone];
        if (interval == MINUTES && !(bar->state & PARTIAL)) roll(&of->rolling, bar, &unused);
    }
    if (!gone) return;
    series->count -= gone;
    memmove(series->bar, series->bar + gone, (size_t)series->count * sizeof *series->bar);
    if (interval == MINUTES) memmove(of->told, of->told + gone, (size_t)series->count * sizeof *of->told);
}

static void flush_instrument(Engine *engine, const Lane *lane, Instrument *of, int64_t stamp) {
    of->due = INT64_MAX;
    for (int interval = 0; interval < INTERVALS; interval++) {
        Series *series = &of->series[interval];
        if (series->due <= stamp) {
            int told = tell_bars(engine, lane, of, series, interval, stamp);
            if (told && interval == MINUTES) tell_features(engine, lane, of, stamp);
            let_go(engine, of, series, interval, stamp);
            refresh_due(engine, series, interval);
        }
        of->due = least(of->due, series->due);
    }
}

void flush(Engine *engine, Lane *lane, int64_t stamp) {
    if (lane->due > stamp) return;
    lane->due = INT64_MAX;
    for (int64_t i = 0; i < lane->count; i++) {
        Instrument *of = lane->instrument[i];
        if (of->due <= stamp) flush_instrument(engine, lane, of, stamp);
        lane->due = least(lane->due, of->due);
    }
}
