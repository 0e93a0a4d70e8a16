/* Reads over the index: from the newest event at the cut, walk back to the first that exists as known.
 *
 * 1. Per row, find the newest event at or before the event cut. Each entity has a cursor: where the spine is in order
 *    of time the cursor moves a step or two, otherwise it gallops or halves the distance.
 * 2. The version of that event that wins is the last one known by the knowledge cut (and written by the system cut).
 *    None, or a tombstone, and the walk goes on to the event before: nothing is known of the former, the latter is
 *    gone. Bounds over 8, 64, ... events let it pass over many of either kind at once.
 * 3. What is found older than the ttl is no answer.
 *
 * Future-dated facts lie behind the cursor, late restatements of old periods are never met, and a tombstone costs one
 * step: nothing has to be settled beforehand.
 */

#include "kernel.h"

#include <stdlib.h>
#include <string.h>

static int64_t minus(int64_t a, int64_t b) {
    int64_t answer;
    return __builtin_sub_overflow(a, b, &answer) ? (b > 0 ? INT64_MIN : INT64_MAX) : answer;
}

/* The last event in [low, high) at or before `at`; every event before `low` is, so low - 1 when none in it is. */
static int64_t last_by(const Event *event, int64_t low, int64_t high, int64_t at) {
    while (low < high) {
        int64_t middle = low + (high - low) / 2;
        if (event[middle].time <= at) low = middle + 1;
        else high = middle;
    }
    return low - 1;
}

/* The newest event of [first, end) at or before `at`, or first - 1, looked for from where the cursor stood. */
static int64_t newest_by(const Event *event, int64_t first, int64_t end, int64_t from, int64_t at) {
    if (from >= first && event[from].time > at) return last_by(event, first, from, at);
    int64_t step = 1;
    while (from + step < end && event[from + step].time <= at) {
        from += step;
        step *= 2;
    }
    return last_by(event, from + 1, from + step < end ? from + step : end, at);
}

/* The last event in [first, at] of which something is known by then, or one before `first`. */
static int64_t last_known_by(const Index *index, int64_t first, int64_t at, int64_t known_to) {
    while (at >= first && index->event[at].known > known_to) {
        int64_t step = 1;
        for (int level = 0; level < LEVELS; level++) {
            int64_t size = step * 8;
            if (at % size != size - 1 || index->known_after[level][at / size] <= known_to) break;
            step = size;
        }
        at -= step;
    }
    return at;
}

enum { FEW_VERSIONS = 16 };

/* The row of the version of an event that wins at the cuts (the complement for a tombstone); 0 when there is none, as
 * `*any` says. */
static int64_t winner(const Index *index, int64_t event, int64_t known_to, int64_t system_to, int *any) {
    const Event *of = &index->event[event];
    const Version *version = index->version;
    *any = 1;
    if (!index->system && of->last_known <= known_to) return of->last_row;
    int64_t low = of->first, at = of[1].first - 1;
    while (!index->system && at - low > FEW_VERSIONS) {
        int64_t middle = low + (at - low) / 2;
        if (version[middle].known <= known_to) low = middle;
        else at = middle - 1;
    }
    while (at >= low && (version[at].known > known_to || (index->system && index->system[at] > system_to))) at--;
    *any = at >= low;
    return *any ? version[at].row : 0;
}

/* What one row asks. */
typedef struct {
    int64_t first;      /* first event of its entity */
    int64_t newest;     /* newest event at or before its time; first - 1: none */
    int64_t known_to, system_to;
} Cut;

static int32_t key_at(const Spine *spine, int64_t at) {
    int32_t code = spine->code[at];
    return code < 0 || !spine->key_of ? code : spine->key_of[code];
}

/* Per entity one after the newest event it was last asked for; at first, its first event. */
static int32_t *new_cursors(const Index *index) {
    int32_t *cursors = malloc((size_t)(index->keys + 1) * sizeof *cursors);
    if (cursors) memcpy(cursors, index->key_first, (size_t)(index->keys + 1) * sizeof *cursors);
    return cursors;
}

enum { SOON = 8, LATER = 16 };

/* Have the memory fetched that rows a little further on will need: a spine in order of time jumps between entities. */
static void look_ahead(const Index *index, const Spine *spine, int64_t at, const int32_t *cursors) {
    if (at + LATER >= spine->rows) return;
    int32_t later = key_at(spine, at + LATER), soon = key_at(spine, at + SOON);
    if (later >= 0) __builtin_prefetch(&cursors[later]);
    if (soon >= 0) __builtin_prefetch(&index->event[cursors[soon]]);
}

/* Place row `at` of the spine; returns 0 when its entity has no facts. */
static int place(const Index *index, const Spine *spine, int64_t at, int32_t *cursors, Cut *cut) {
    int32_t key = key_at(spine, at);
    if (key < 0) return 0;
    int64_t known = spine->known ? spine->known[at] : spine->known_at;
    cut->first = index->key_first[key];
    cut->newest = newest_by(index->event, cut->first, index->key_first[key + 1], cursors[key] - 1, spine->time[at]);
    cut->known_to = minus(known, spine->delay);
    cut->system_to = spine->system ? spine->system[at] : INT64_MAX;
    cursors[key] = (int32_t)(cut->newest + 1);
    return 1;
}

/* The newest event in [first, at], not before `oldest`, that exists at the cut, with its row; or -1. */
static int64_t newest_live(const Index *index, const Cut *cut, int64_t at, int64_t oldest, int32_t *row, int *deleted) {
    for (;; at--) {
        at = last_known_by(index, cut->first, at, cut->known_to);
        if (at < cut->first || index->event[at].time < oldest) return -1;
        int any;
        int64_t found = winner(index, at, cut->known_to, cut->system_to, &any);
        if (any && found >= 0) {
            *row = (int32_t)found;
            return at;
        }
        if (!any) continue;
        *deleted = 1;
        int ends = at % EVENTS_PER_BLOCK == EVENTS_PER_BLOCK - 1;
        if (ends && !index->system && cut->known_to >= index->block_end[at / EVENTS_PER_BLOCK]) at -= EVENTS_PER_BLOCK - 1;
    }
}

static int64_t oldest_valid(const Spine *spine, int64_t at) {
    return spine->ttl == INT64_MAX ? INT64_MIN : minus(spine->time[at], spine->ttl);
}

/* Fill, per row of the spine, `row` and its bit in `valid`, and `reason` unless that is NULL. Returns how many have no
 * answer, or -1 when memory is short. */
PUBLIC int64_t vintner_look_up(const Index *index, const Spine *spine, int32_t *row, uint8_t *valid, uint8_t *reason) {
    int32_t *cursors = new_cursors(index);
    int64_t nulls = 0;
    if (!cursors) return -1;
    for (int64_t at = 0; at < spine->rows; at++) {
        Cut cut;
        int64_t oldest = oldest_valid(spine, at), found = -1;
        int deleted = 0, code = NEVER_KNOWN;
        row[at] = 0;
        look_ahead(index, spine, at, cursors);
        if (place(index, spine, at, cursors, &cut)) {
            found = newest_live(index, &cut, cut.newest, reason ? INT64_MIN : oldest, &row[at], &deleted);
            if (found >= 0) code = index->event[found].time >= oldest ? ANSWERED : EXPIRED;
            else if (deleted) code = DELETED;
        }
        if (at % 8 == 0) valid[at / 8] = 0;
        valid[at / 8] |= (uint8_t)((code == ANSWERED) << (at % 8));
        nulls += code != ANSWERED;
        if (reason) reason[at] = (uint8_t)code;
    }
    free(cursors);
    return nulls;
}

/* Windows: per row of the spine the newest `last` events at its cut that are less than `span` old, oldest first. With
 * `members` NULL only `offsets` (rows + 1) is filled; the second call fills `members` too. Returns the number of
 * members, or -1 when memory is short. */
PUBLIC int64_t vintner_windows(const Index *index, const Spine *spine, int64_t last, int64_t span, int64_t *offsets,
                               int32_t *members) {
    int32_t *cursors = new_cursors(index);
    int64_t total = 0;
    if (!cursors) return -1;
    for (int64_t at = 0; at < spine->rows; at++) {
        Cut cut;
        int64_t oldest = oldest_valid(spine, at), count = 0, event;
        int32_t row;
        int deleted;
        if (span != INT64_MAX && minus(spine->time[at], span) >= oldest) oldest = minus(spine->time[at], span) + 1;
        offsets[at] = total;
        if (!place(index, spine, at, cursors, &cut)) continue;
        event = cut.newest;
        while (count < last && (event = newest_live(index, &cut, event, oldest, &row, &deleted)) >= 0) {
            count++;
            event--;
            if (members) members[offsets[at + 1] - count] = row;
        }
        total += count;
    }
    offsets[spine->rows] = total;
    free(cursors);
    return total;
}

/* The row of every fact that exists by all versions of the index. Returns how many there are. */
PUBLIC int64_t vintner_vintage(const Index *index, int32_t *rows) {
    int64_t count = 0;
    for (int64_t event = 0; event < index->events; event++) {
        int32_t row = index->event[event].last_row;
        if (row >= 0) rows[count++] = row;
    }
    return count;
}

/* Per entity the row of its first event after an instant that exists by all versions. Returns how many there are. */
PUBLIC int64_t vintner_next(const Index *index, int64_t after, int32_t *rows) {
    int64_t count = 0;
    for (int64_t key = 0; key < index->keys; key++) {
        int64_t end = index->key_first[key + 1];
        for (int64_t event = last_by(index->event, index->key_first[key], end, after) + 1; event < end; event++) {
            int32_t row = index->event[event].last_row;
            if (row < 0) continue;
            rows[count++] = row;
            break;
        }
    }
    return count;
}
