/* Features of closed one-minute bars, each a function of the bars up to it.
 *
 * 1. Of a bar by itself: the volume-weighted price, and the imbalance of what buyers and sellers took.
 * 2. Of the chain of bars that have both a last price and a range: return and its logarithm; the sample deviation of the
 *    last twenty logarithms, in two passes in the order of time; two exponential averages, seeded with the first close;
 *    and Wilder's relative strength and average true range (J. W. Wilder, New Concepts in Technical Trading Systems,
 *    1978): the first is the plain mean of fourteen, from there on (13 * average + new) / 14. Both need the close before,
 *    so both begin at the fifteenth bar.
 * 3. What is not defined has no value: a bar without volume, a price of zero below the line, too few bars, a chain that
 *    did not move for as long as the average remembers.
 *
 * Every operation is one IEEE operation in the order written (no contraction, no reassociation), and the logarithm is
 * our own, so that the same trades give the same bits on every machine.
 */

#include "engine.h"

#include <math.h>
#include <string.h>

enum { RETURN, LOG_RETURN, VOLATILITY, FAST_AVERAGE, SLOW_AVERAGE, STRENGTH, TRUE_RANGE, MEAN_PRICE, IMBALANCE };

static const double UNIT = 1e8;

static void set(Values *values, int feature, double value) {
    values->value[feature] = value;
    values->known |= (uint64_t)1 << feature;
}

static void roll_volume(const Bar *bar, Values *values) {
    Sum taken = bar->bought + bar->sold;
    if (bar->volume) set(values, MEAN_PRICE, (double)bar->notional / (double)bar->volume / UNIT);
    if (taken) set(values, IMBALANCE, (double)(bar->bought - bar->sold) / (double)taken);
}

/* The deviation of the logarithms in the ring, oldest first; `next` is the place of the oldest. */
static int deviation(const double *ring, int64_t next, double *answer) {
    double sum = 0.0, squares = 0.0;
    for (int64_t i = 0; i < RETURNS; i++) sum += ring[(next + i) % RETURNS];
    double mean = sum / RETURNS;
    for (int64_t i = 0; i < RETURNS; i++) {
        double off = ring[(next + i) % RETURNS] - mean;
        squares += off * off;
    }
    *answer = sqrt(squares / (RETURNS - 1));
    return !isnan(*answer); /* where one of them is not defined */
}

static void roll_return(Rolling *state, double close, Values *values) {
    double logarithm_of = NAN, volatility;
    if (state->close != 0.0) {
        double ratio = close / state->close;
        set(values, RETURN, ratio - 1.0);
        if (ratio > 0.0) {
            logarithm_of = logarithm(ratio);
            set(values, LOG_RETURN, logarithm_of);
        }
    }
    state->returns[(state->bars - 1) % RETURNS] = logarithm_of;
    if (state->bars >= RETURNS && deviation(state->returns, state->bars % RETURNS, &volatility)) {
        set(values, VOLATILITY, volatility);
    }
}

/* Wilder's average after one more value, the `seen`th: a sum until there are fourteen. */
static double wilder(double average, double value, int64_t seen) {
    if (seen > WILDER) return (average * (WILDER - 1) + value) / WILDER;
    return seen == WILDER ? (average + value) / WILDER : average + value;
}

static double largest(double a, double b) { return a > b ? a : b; }

static void roll_wilder(Rolling *state, double close, double high, double low, Values *values) {
    double change = close - state->close;
    double range = largest(high - low, largest(fabs(high - state->close), fabs(low - state->close)));
    state->gain = wilder(state->gain, change > 0.0 ? change : 0.0, state->bars);
    state->loss = wilder(state->loss, change < 0.0 ? -change : 0.0, state->bars);
    state->range = wilder(state->range, range, state->bars);
    if (state->bars < WILDER) return;
    double moved = state->gain + state->loss;
    if (moved > 0.0) set(values, STRENGTH, 100.0 * state->gain / moved);
    set(values, TRUE_RANGE, state->range);
}

/* Bars whose prices count are those with both a close and a range. */
void roll(Rolling *state, const Bar *bar, Values *values) {
    memset(values, 0, sizeof *values);
    roll_volume(bar, values);
    if (!(bar->state & PRICED) || !(bar->state & RANGED)) return;
    double close = (double)bar->close / UNIT, high = (double)bar->high / UNIT, low = (double)bar->low / UNIT;
    if (state->bars) {
        roll_return(state, close, values);
        roll_wilder(state, close, high, low, values);
        state->fast += 2.0 / 13.0 * (close - state->fast);
        state->slow += 2.0 / 27.0 * (close - state->slow);
    } else {
        state->fast = state->slow = close;
    }
    set(values, FAST_AVERAGE, state->fast);
    set(values, SLOW_AVERAGE, state->slow);
    state->close = close;
    state->bars++;
}
