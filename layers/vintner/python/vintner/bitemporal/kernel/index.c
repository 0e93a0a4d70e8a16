/* The index of a fact table: its versions, sorted once, so that every read is a short walk.
 *
 * 1. Count the rows of each entity that pass the cuts, and deal the rows out to the entities (a counting sort).
 * 2. Sort each entity's rows by (event, knowledge, revision). Tables are mostly in order, so the sort first looks
 *    whether there is anything to do, and merges only what is out of order.
 * 3. Write events and versions out as arrays of their own, and bounds that let a walk pass over many events at once:
 *    per 8, 64, 512 and 4096 events the earliest knowledge of any of them, and per block of 64 the instant from which
 *    all are deleted for good.
 * 4. Rows with one version key (twins) stand next to each other then, the one written first in front. It is the one
 *    that is kept; the pairs are reported to the caller, who can compare what they state.
 */

#include "kernel.h"

#include <stdlib.h>
#include <string.h>

typedef struct {
    int64_t event, known, seq;
    int32_t row;
    int32_t dead;
} Statement;

static int bit(const uint8_t *bits, int64_t at) { return (bits[at >> 3] >> (at & 7)) & 1; }

static int visible(const Facts *facts, int64_t row) {
    return facts->known[row] <= facts->known_to && facts->system[row] <= facts->system_to &&
           !(facts->surplus && bit(facts->surplus, row));
}

static int order(const Statement *a, const Statement *b) {
    if (a->event != b->event) return a->event < b->event ? -1 : 1;
    if (a->known != b->known) return a->known < b->known ? -1 : 1;
    if (a->seq != b->seq) return a->seq < b->seq ? -1 : 1;
    return 0;
}

/* Whether `a` belongs behind `b`; of twins the one written later does. */
static int behind(const Facts *facts, const Statement *a, const Statement *b) {
    int known = order(a, b);
    return known ? known > 0 : facts->system[a->row] > facts->system[b->row];
}

static void insertion_sort(const Facts *facts, Statement *a, int64_t length) {
    for (int64_t i = 1; i < length; i++) {
        Statement moving = a[i];
        int64_t j = i;
        for (; j > 0 && behind(facts, &a[j - 1], &moving); j--) a[j] = a[j - 1];
        a[j] = moving;
    }
}

/* Merge the sorted halves [0, middle) and [middle, length); the left one goes through scratch. */
static void merge(const Facts *facts, Statement *a, int64_t middle, int64_t length, Statement *scratch) {
    if (!behind(facts, &a[middle - 1], &a[middle])) return;
    memcpy(scratch, a, (size_t)middle * sizeof *a);
    int64_t left = 0, right = middle, to = 0;
    while (left < middle && right < length) {
        a[to++] = behind(facts, &scratch[left], &a[right]) ? a[right++] : scratch[left++];
    }
    memcpy(a + to, scratch + left, (size_t)(middle - left) * sizeof *a);
}

enum { RUN = 24 };

static void sort_versions(const Facts *facts, Statement *a, int64_t length, Statement *scratch) {
    for (int64_t at = 0; at < length; at += RUN) insertion_sort(facts, a + at, length - at < RUN ? length - at : RUN);
    for (int64_t width = RUN; width < length; width *= 2) {
        for (int64_t at = 0; at + width < length; at += 2 * width) {
            int64_t span = length - at < 2 * width ? length - at : 2 * width;
            merge(facts, a + at, width, span, scratch);
        }
    }
}

static int sorted(const Facts *facts, const Statement *a, int64_t length) {
    for (int64_t i = 1; i < length; i++) {
        if (behind(facts, &a[i - 1], &a[i])) return 0;
    }
    return 1;
}

/* Deal the rows out: the versions of entity k are at [first[k], first[k + 1]). Returns how many there are. */
static int64_t deal(const Facts *facts, Statement *versions, int64_t *first) {
    memset(first, 0, (size_t)(facts->keys + 1) * sizeof *first);
    for (int64_t row = 0; row < facts->rows; row++) {
        if (visible(facts, row)) first[facts->key[row] + 1]++;
    }
    for (int64_t key = 0; key < facts->keys; key++) first[key + 1] += first[key];
    for (int64_t row = 0; row < facts->rows; row++) {
        if (!visible(facts, row)) continue;
        Statement *to = &versions[first[facts->key[row]]++];
        to->event = facts->event[row];
        to->known = facts->known[row];
        to->seq = facts->seq[row];
        to->row = (int32_t)row;
        to->dead = bit(facts->dead, facts->dead_offset + row);
    }
    memmove(first + 1, first, (size_t)facts->keys * sizeof *first);
    first[0] = 0;
    return first[facts->keys];
}

static void lower(int64_t *bound, int64_t value, int starts) {
    if (starts || value < *bound) *bound = value;
}

static void write_bounds(Index *index) {
    for (int64_t at = 0; at < index->events; at++) {
        const Event *event = &index->event[at];
        int64_t end = event->last_row < 0 ? event->last_known : INT64_MAX, block = at / EVENTS_PER_BLOCK;
        if (at % EVENTS_PER_BLOCK == 0 || end > index->block_end[block]) index->block_end[block] = end;
        for (int level = 0; level < LEVELS; level++) {
            int shift = 3 * (level + 1);
            lower(&index->known_after[level][at >> shift], event->known, (at & ((1 << shift) - 1)) == 0);
        }
    }
}

/* Write the sorted versions of one entity; returns how many twins it has, noting each with the first of its kind. */
static int64_t emit(const Statement *versions, int64_t length, Index *index, int64_t twins, int64_t room, int32_t *pairs) {
    int64_t found = 0, head = 0;
    for (int64_t i = 0; i < length; i++) {
        const Statement *version = &versions[i];
        if (i > 0 && order(&versions[head], version) == 0) {
            if (twins + found < room) {
                pairs[2 * (twins + found)] = versions[head].row;
                pairs[2 * (twins + found) + 1] = version->row;
            }
            found++;
            continue;
        }
        int32_t row = version->dead ? ~version->row : version->row;
        if (i == 0 || versions[head].event != version->event) {
            index->event[index->events++] = (Event){
                .time = version->event, .known = version->known, .first = (int32_t)index->versions};
        }
        head = i;
        index->event[index->events - 1].last_known = version->known;
        index->event[index->events - 1].last_row = row;
        index->version[index->versions++] = (Version){version->known, row};
    }
    return found;
}

/* Fill `index`, whose arrays have room for every row of `facts`. Returns the number of twins, of which the first
 * `room` are in `pairs` as (row kept, row left out). Returns -1 when memory is short. */
PUBLIC int64_t vintner_index(const Facts *facts, Index *index, int32_t *pairs, int64_t room) {
    int64_t rows = facts->rows > 0 ? facts->rows : 1, twins = 0;
    Statement *versions = malloc((size_t)rows * sizeof *versions);
    int64_t *first = malloc((size_t)(facts->keys + 1) * sizeof *first);
    Statement *scratch = NULL;
    int64_t answer = -1;
    if (!versions || !first) goto done;
    deal(facts, versions, first);
    index->keys = facts->keys;
    index->events = index->versions = 0;
    for (int64_t key = 0; key < facts->keys; key++) {
        int64_t length = first[key + 1] - first[key];
        index->key_first[key] = (int32_t)index->events;
        if (!sorted(facts, versions + first[key], length)) {
            if (!scratch && !(scratch = malloc((size_t)rows * sizeof *scratch))) goto done;
            sort_versions(facts, versions + first[key], length, scratch);
        }
        twins += emit(versions + first[key], length, index, twins, room, pairs);
    }
    index->key_first[facts->keys] = (int32_t)index->events;
    index->event[index->events] = (Event){.time = INT64_MAX, .first = (int32_t)index->versions};
    write_bounds(index);
    for (int64_t at = 0; index->system && at < index->versions; at++) {
        int64_t row = index->version[at].row;
        index->system[at] = facts->system[row < 0 ? ~row : row];
    }
    answer = twins;
done:
    free(scratch);
    free(first);
    free(versions);
    return answer;
}
