/* Lanes, instruments, and where they live. Tables grow by doubling; nothing here happens once per row.
 *
 * 1. Lanes are found by number.
 * 2. The instruments of a lane are found by name: a hash of the bytes leads to a place in the lane's table, and from
 *    there on to the next until the name is met or a place is empty. The lane also lists them in the order they came,
 *    which is the order in which it speaks about them.
 */

#include "engine.h"

#include <stdlib.h>
#include <string.h>

static void *held(Engine *engine, void *memory) {
    if (!memory) longjmp(engine->out_of_memory, 1);
    return memory;
}

void *cleared(Engine *engine, int64_t size) { return held(engine, calloc(1, size > 0 ? (size_t)size : 1)); }

/* Items moved to where there is room for `wanted` of them; what is new is not cleared. */
void *with_room(Engine *engine, void *items, int64_t *room, int64_t wanted, size_t size) {
    if (wanted <= *room) return items;
    int64_t larger = *room ? *room : 4;
    while (larger < wanted) larger *= 2;
    items = held(engine, realloc(items, (size_t)larger * size));
    *room = larger;
    return items;
}

static uint64_t hash_of(const char *text, int64_t length) {
    const uint64_t odd = 0x9E3779B97F4A7C15u;
    uint64_t hash = (uint64_t)length * odd, word;
    for (; length >= 8; text += 8, length -= 8) {
        memcpy(&word, text, 8);
        hash = (hash ^ word) * odd;
        hash ^= hash >> 29;
    }
    word = 0;
    for (int64_t at = 0; at < length; at++) word = word << 8 | (uint8_t)text[at];
    hash = (hash ^ word) * odd;
    return hash ^ hash >> 32;
}

Lane *lane_of(Engine *engine, int64_t number) {
    if (number < engine->lanes && engine->lane[number]) return engine->lane[number];
    int64_t known = engine->lanes;
    if (number >= known) {
        engine->lane = with_room(engine, engine->lane, &engine->lanes, number + 1, sizeof *engine->lane);
        memset(engine->lane + known, 0, (size_t)(engine->lanes - known) * sizeof *engine->lane);
    }
    Lane *lane = cleared(engine, sizeof *lane);
    lane->number = (int32_t)number;
    lane->due = INT64_MAX;
    return engine->lane[number] = lane;
}

/* The place of a name in the lane's table: where it is, or the empty place where it belongs. */
static int64_t place_of(const Lane *lane, uint64_t hash, const char *name, int64_t length) {
    int64_t at = (int64_t)(hash & (uint64_t)(lane->slots - 1));
    for (;; at = (at + 1) & (lane->slots - 1)) {
        const Instrument *other = lane->table[at];
        if (!other) return at;
        if (other->hash == hash && other->name_length == length && !memcmp(other->text, name, (size_t)length)) return at;
    }
}

static void widen_table(Engine *engine, Lane *lane) {
    int64_t slots = lane->slots ? 2 * lane->slots : 16;
    Instrument **table = cleared(engine, slots * (int64_t)sizeof *table);
    free(lane->table);
    lane->table = table;
    lane->slots = slots;
    for (int64_t i = 0; i < lane->count; i++) {
        Instrument *of = lane->instrument[i];
        table[place_of(lane, of->hash, of->text, of->name_length)] = of;
    }
}

static Instrument *new_instrument(Engine *engine, const char *name, int64_t length, const char *venue, int64_t venue_length) {
    Instrument *of = cleared(engine, sizeof *of);
    of->text = malloc((size_t)(length + venue_length) + 1);
    if (!of->text) {
        free(of);
        longjmp(engine->out_of_memory, 1);
    }
    memcpy(of->text, name, (size_t)length);
    memcpy(of->text + length, venue, (size_t)venue_length);
    of->name_length = length;
    of->venue_length = venue_length;
    of->due = INT64_MAX;
    of->seen.dense = -1;
    for (int at = 0; at < INTERVALS; at++) of->series[at].due = INT64_MAX;
    return of;
}

/* The instrument of a name, made when the lane meets it for the first time. */
Instrument *instrument_of(Engine *engine, Lane *lane, const char *name, int64_t length, const char *venue, int64_t venue_length) {
    uint64_t hash = hash_of(name, length);
    if (lane->slots) {
        Instrument *known = lane->table[place_of(lane, hash, name, length)];
        if (known) return known;
    }
    if (4 * (lane->count + 1) > 3 * lane->slots) widen_table(engine, lane);
    lane->instrument = with_room(engine, lane->instrument, &lane->room, lane->count + 1, sizeof *lane->instrument);
    Instrument *of = new_instrument(engine, name, length, venue, venue_length);
    of->hash = hash;
    lane->table[place_of(lane, hash, name, length)] = of;
    return lane->instrument[lane->count++] = of;
}

static void free_instrument(Instrument *of) {
    for (int at = 0; at < INTERVALS; at++) free(of->series[at].bar);
    free(of->told);
    free(of->seen.hole);
    free(of->seen.ring);
    free(of->seen.bucket);
    free(of->text);
    free(of);
}

void forget_lane(Engine *engine, int64_t number) {
    if (number < 0 || number >= engine->lanes || !engine->lane[number]) return;
    Lane *lane = engine->lane[number];
    for (int64_t i = 0; i < lane->count; i++) free_instrument(lane->instrument[i]);
    free(lane->instrument);
    free(lane->table);
    free(lane);
    engine->lane[number] = NULL;
}
