/* The natural logarithm, rounded correctly: the same bits on every machine, whatever its library of mathematics does.
 *
 * 1. x = m * 2^k with m from 0.71 to 1.41.
 * 2. log m = 2 (s + s^3/3 + s^5/5 + ...) with s = (m - 1) / (m + 1), where |s| < 0.18.
 * 3. k * log 2 is added.
 *
 * All in pairs of doubles, high and low part (T. J. Dekker, A floating-point technique for extending the available
 * precision, Numerische Mathematik 18, 1971): a little over a hundred bits, of which 53 are kept.
 */

#include "engine.h"

#include <math.h>

typedef struct {
    double high, low;
} Pair;

static Pair sum_of(double a, double b) {
    double sum = a + b, part = sum - a;
    return (Pair){sum, (a - (sum - part)) + (b - part)};
}

static Pair product_of(double a, double b) {
    const double splitter = 134217729.0; /* 2^27 + 1 */
    double c = splitter * a, d = splitter * b, product = a * b;
    double a1 = c - (c - a), b1 = d - (d - b), a2 = a - a1, b2 = b - b1;
    return (Pair){product, ((a1 * b1 - product) + a1 * b2 + a2 * b1) + a2 * b2};
}

static Pair plus(Pair a, Pair b) {
    Pair sum = sum_of(a.high, b.high), low = sum_of(a.low, b.low);
    sum = sum_of(sum.high, sum.low + low.high);
    return sum_of(sum.high, sum.low + low.low);
}

static Pair times(Pair a, Pair b) {
    Pair product = product_of(a.high, b.high);
    return sum_of(product.high, product.low + (a.high * b.low + a.low * b.high));
}

static Pair minus(Pair a, Pair b) { return plus(a, (Pair){-b.high, -b.low}); }

static Pair quotient(Pair a, Pair b) {
    double first = a.high / b.high;
    Pair rest = minus(a, times(b, (Pair){first, 0.0}));
    double second = rest.high / b.high;
    rest = minus(rest, times(b, (Pair){second, 0.0}));
    return plus(sum_of(first, second), (Pair){rest.high / b.high, 0.0});
}

/* The logarithm of a positive, normal number. */
double logarithm(double x) {
    const Pair two = {0x1.62e42fefa39efp-1, 0x1.abc9e3b39803fp-56}; /* log 2 */
    int exponent;
    double mantissa = frexp(x, &exponent);
    if (mantissa < 0x1.6a09e667f3bcdp-1) {
        mantissa *= 2.0;
        exponent--;
    }
    Pair s = quotient((Pair){mantissa - 1.0, 0.0}, sum_of(mantissa, 1.0));
    Pair square = times(s, s), power = s, total = s;
    for (int odd = 3; odd < 64 && fabs(power.high) > fabs(total.high) * 0x1p-110; odd += 2) {
        power = times(power, square);
        total = plus(total, quotient(power, (Pair){odd, 0.0}));
    }
    total = plus(total, total);
    total = plus(times(two, (Pair){exponent, 0.0}), total);
    return total.high + total.low;
}
