/* Which trades came before, and which did not come: by trade id, per instrument.
 *
 * A venue that counts densely (every trade one more than the one before):
 * 1. The lowest and the highest id seen are kept, and the holes between them, in order.
 * 2. An id above the highest, or below the lowest, is new; what lies between is a new hole, told as an opened gap.
 * 3. An id in a hole is new and fills it (the hole is split around it), told as a filled gap. Any other is a duplicate.
 * 4. Of more holes than are kept the lowest is given up: its ids count as seen.
 *
 * Any other venue: the last ids are kept in a ring, and found through chains by hash. An id in it is a duplicate.
 */

#include "engine.h"

#include <stdlib.h>
#include <string.h>

static void tell_gap(Engine *engine, const Lane *lane, const Instrument *of, int64_t first, int64_t last, int filled) {
    engine->gap = with_room(engine, engine->gap, &engine->gap_room, engine->gaps + 1, sizeof *engine->gap);
    engine->gap[engine->gaps++] = (ToldGap){of, first, last, lane->clock, lane->number, filled};
}

static void insert_hole(Engine *engine, Seen *seen, int64_t at, int64_t first, int64_t last) {
    seen->hole = with_room(engine, seen->hole, &seen->room, seen->holes + 1, sizeof *seen->hole);
    memmove(seen->hole + at + 1, seen->hole + at, (size_t)(seen->holes - at) * sizeof *seen->hole);
    seen->hole[at] = (Hole){first, last};
    seen->holes++;
}

static void remove_hole(Seen *seen, int64_t at) {
    seen->holes--;
    memmove(seen->hole + at, seen->hole + at + 1, (size_t)(seen->holes - at) * sizeof *seen->hole);
}

static void bound_holes(const Engine *engine, Seen *seen) {
    while (seen->holes > engine->config.holes) remove_hole(seen, 0);
}

/* The first hole that ends at or behind an id. */
static int64_t hole_of(const Seen *seen, int64_t id) {
    int64_t low = 0, high = seen->holes;
    while (low < high) {
        int64_t middle = low + (high - low) / 2;
        if (seen->hole[middle].last < id) low = middle + 1;
        else high = middle;
    }
    return low;
}

static int fills(Engine *engine, Seen *seen, int64_t id) {
    int64_t at = hole_of(seen, id);
    if (at == seen->holes || seen->hole[at].first > id) return 0;
    Hole hole = seen->hole[at];
    if (hole.first == hole.last) {
        remove_hole(seen, at);
    } else if (id == hole.first) {
        seen->hole[at].first = id + 1;
    } else if (id == hole.last) {
        seen->hole[at].last = id - 1;
    } else {
        seen->hole[at].last = id - 1;
        insert_hole(engine, seen, at + 1, id + 1, hole.last);
        bound_holes(engine, seen);
    }
    return 1;
}

static int is_new_dense(Engine *engine, const Lane *lane, const Instrument *of, Seen *seen, int64_t id) {
    if (!seen->any) {
        seen->any = 1;
        seen->lowest = seen->highest = id;
        return 1;
    }
    if (id > seen->highest || id < seen->lowest) {
        int above = id > seen->highest;
        int64_t first = above ? seen->highest + 1 : id + 1, last = above ? id - 1 : seen->lowest - 1;
        if (first <= last) {
            insert_hole(engine, seen, above ? seen->holes : 0, first, last);
            bound_holes(engine, seen);
            tell_gap(engine, lane, of, first, last, 0);
        }
        *(above ? &seen->highest : &seen->lowest) = id;
        return 1;
    }
    if (!fills(engine, seen, id)) return 0;
    tell_gap(engine, lane, of, id, id, 1);
    return 1;
}

enum { BUCKETS = 1024 };

static int32_t *bucket_of(const Seen *seen, int64_t id) {
    return &seen->bucket[((uint64_t)id * 0x9E3779B97F4A7C15u) >> 54];
}

void prepare_ring(Engine *engine, Seen *seen) {
    if (seen->ring) return;
    int64_t ids = engine->config.ids;
    seen->ring = cleared(engine, ids * (int64_t)sizeof *seen->ring);
    seen->bucket = cleared(engine, (BUCKETS + ids) * (int64_t)sizeof *seen->bucket);
    seen->link = seen->bucket + BUCKETS;
}

static int is_held(const Seen *seen, int64_t id) {
    for (int32_t at = *bucket_of(seen, id); at; at = seen->link[at - 1]) {
        if (seen->ring[at - 1] == id) return 1;
    }
    return 0;
}

static void unchain(Seen *seen, int32_t place) {
    int32_t *from = bucket_of(seen, seen->ring[place - 1]);
    while (*from != place) from = &seen->link[*from - 1];
    *from = seen->link[place - 1];
}

/* Put an id into the ring, in the place of the oldest where it is full. */
void remember(Engine *engine, Seen *seen, int64_t id) {
    int32_t place = (int32_t)seen->next + 1;
    if (seen->count == engine->config.ids) unchain(seen, place);
    else seen->count++;
    seen->ring[place - 1] = id;
    int32_t *bucket = bucket_of(seen, id);
    seen->link[place - 1] = *bucket;
    *bucket = place;
    seen->next = place == engine->config.ids ? 0 : place;
}

static void start_anew(Seen *seen, int dense) {
    free(seen->hole);
    free(seen->ring);
    free(seen->bucket);
    memset(seen, 0, sizeof *seen);
    seen->dense = dense;
}

int is_new(Engine *engine, Lane *lane, Instrument *of, int64_t id, int dense) {
    Seen *seen = &of->seen;
    if (seen->dense != dense) start_anew(seen, dense); /* the first trade, or the venue is declared otherwise now */
    if (dense) return is_new_dense(engine, lane, of, seen, id);
    prepare_ring(engine, seen);
    if (is_held(seen, id)) return 0;
    remember(engine, seen, id);
    return 1;
}
