/* A lane's state as bytes, and back: what is read is what was written, to the bit.
 *
 * 1. A version of the form, the lane's clock and stamp, then its instruments in their order.
 * 2. Of each its names, the trade ids seen, the rolling state, and per interval the bars that may still change; with
 *    the bars of a minute what was told of their features.
 * 3. Bytes that end early, go on too long, or count more than they hold are refused; the caller guards them against
 *    change by a checksum.
 *
 * Structures are written as they lie in memory. Their layout is the same wherever the library runs (64 bits, little
 * endian), and STATE_VERSION changes with it.
 */

#include "engine.h"

#include <string.h>

enum { STATE_VERSION = 1 };

_Static_assert(sizeof(Bar) == 160 && sizeof(Values) == 80 && sizeof(Rolling) == 216 && sizeof(Hole) == 16, "layout");
_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "layout");

typedef struct {
    const uint8_t *at, *end;
    int whole; /* nothing was missing yet */
} Reader;

static void write_bytes(Engine *engine, const void *bytes, int64_t size) {
    engine->blob = with_room(engine, engine->blob, &engine->blob_room, engine->blob_size + size, 1);
    if (size) memcpy(engine->blob + engine->blob_size, bytes, (size_t)size);
    engine->blob_size += size;
}

static void write_number(Engine *engine, int64_t value) { write_bytes(engine, &value, sizeof value); }

static void read_bytes(Reader *from, void *bytes, int64_t size) {
    if (size < 0 || size > from->end - from->at) {
        from->whole = 0;
        from->at = from->end;
        return;
    }
    if (size) memcpy(bytes, from->at, (size_t)size);
    from->at += size;
}

static int64_t read_number(Reader *from) {
    int64_t value = 0;
    read_bytes(from, &value, sizeof value);
    return value;
}

/* A number of items of some size; 0 when there are not as many. */
static int64_t read_count(Reader *from, int64_t size) {
    int64_t count = read_number(from);
    if (count >= 0 && count <= (from->end - from->at) / size) return count;
    from->whole = 0;
    return 0;
}

static void write_seen(Engine *engine, const Seen *seen) {
    write_number(engine, seen->dense);
    write_number(engine, seen->any);
    write_number(engine, seen->lowest);
    write_number(engine, seen->highest);
    write_number(engine, seen->holes);
    write_bytes(engine, seen->hole, seen->holes * (int64_t)sizeof *seen->hole);
    write_number(engine, seen->count);
    int64_t oldest = seen->count == engine->config.ids ? seen->next : 0;
    for (int64_t i = 0; i < seen->count; i++) write_number(engine, seen->ring[(oldest + i) % engine->config.ids]);
}

static void read_seen(Engine *engine, Reader *from, Seen *seen) {
    seen->dense = read_number(from);
    seen->any = read_number(from);
    seen->lowest = read_number(from);
    seen->highest = read_number(from);
    int64_t holes = read_count(from, sizeof *seen->hole);
    seen->hole = with_room(engine, seen->hole, &seen->room, holes, sizeof *seen->hole);
    read_bytes(from, seen->hole, holes * (int64_t)sizeof *seen->hole);
    seen->holes = holes;
    int64_t ids = read_count(from, sizeof *seen->ring);
    if (ids) prepare_ring(engine, seen);
    for (int64_t i = 0; i < ids; i++) remember(engine, seen, read_number(from));
}

static void write_instrument(Engine *engine, const Instrument *of) {
    write_number(engine, of->name_length);
    write_number(engine, of->venue_length);
    write_bytes(engine, of->text, of->name_length + of->venue_length);
    write_seen(engine, &of->seen);
    write_bytes(engine, &of->rolling, sizeof of->rolling);
    for (int interval = 0; interval < INTERVALS; interval++) {
        const Series *series = &of->series[interval];
        write_number(engine, series->count);
        write_bytes(engine, series->bar, series->count * (int64_t)sizeof *series->bar);
    }
    write_bytes(engine, of->told, of->series[MINUTES].count * (int64_t)sizeof *of->told);
}

static void read_series(Engine *engine, Reader *from, Series *series, int interval) {
    int64_t count = read_count(from, sizeof *series->bar);
    series->bar = with_room(engine, series->bar, &series->room, count, sizeof *series->bar);
    read_bytes(from, series->bar, count * (int64_t)sizeof *series->bar);
    series->count = count;
    refresh_due(engine, series, interval);
}

static void read_instrument(Engine *engine, Reader *from, Lane *lane) {
    int64_t length = read_count(from, 1), venue_length = read_count(from, 1);
    const char *name = (const char *)from->at;
    if (venue_length > from->end - from->at - length) from->whole = 0;
    if (!from->whole) return;
    from->at += length + venue_length;
    int64_t known = lane->count;
    Instrument *of = instrument_of(engine, lane, name, length, name + length, venue_length);
    if (lane->count == known) {
        from->whole = 0; /* twice the same name */
        return;
    }
    read_seen(engine, from, &of->seen);
    read_bytes(from, &of->rolling, sizeof of->rolling);
    for (int interval = 0; interval < INTERVALS; interval++) {
        read_series(engine, from, &of->series[interval], interval);
        of->due = least(of->due, of->series[interval].due);
    }
    int64_t minutes = of->series[MINUTES].count;
    of->told = with_room(engine, of->told, &of->told_room, minutes, sizeof *of->told);
    read_bytes(from, of->told, minutes * (int64_t)sizeof *of->told);
    lane->due = least(lane->due, of->due);
}

/* Write a lane out; `*bytes` is good until the next call. Returns the size, or -1 when memory is short or the lane is
 * not known. */
PUBLIC int64_t vintner_trades_dump(Engine *engine, int64_t number, const uint8_t **bytes) {
    if (number < 0 || number >= engine->lanes || !engine->lane[number]) return -1;
    const Lane *lane = engine->lane[number];
    if (setjmp(engine->out_of_memory)) return -1;
    engine->blob_size = 0;
    write_number(engine, STATE_VERSION);
    write_number(engine, lane->any);
    write_number(engine, lane->clock);
    write_number(engine, lane->stamp);
    write_number(engine, lane->count);
    for (int64_t i = 0; i < lane->count; i++) write_instrument(engine, lane->instrument[i]);
    *bytes = engine->blob;
    return engine->blob_size;
}

/* Take a lane's state over in place of what is there. Returns 0; -1 when memory is short, -2 for another version of the
 * form, -3 for bytes that are no state. In the last two cases the lane is not known afterwards. */
PUBLIC int64_t vintner_trades_load(Engine *engine, int64_t number, const uint8_t *bytes, int64_t size) {
    Reader from = {bytes, bytes + size, 1};
    if (setjmp(engine->out_of_memory)) return -1;
    forget_lane(engine, number);
    if (read_number(&from) != STATE_VERSION) return -2;
    Lane *lane = lane_of(engine, number);
    lane->any = read_number(&from) != 0;
    lane->clock = read_number(&from);
    lane->stamp = read_number(&from);
    int64_t count = read_count(&from, 1);
    for (int64_t i = 0; i < count && from.whole; i++) read_instrument(engine, &from, lane);
    if (from.whole && from.at == from.end) return 0;
    forget_lane(engine, number);
    return -3;
}
