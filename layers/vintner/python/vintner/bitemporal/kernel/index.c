/* The index of a fact table: its versions, sorted once, so that every read is a short walk.
 *
 * 1. Count the rows of each entity that pass the cuts, and deal the rows out to the entities (a counting sort).
 * 2. Sort each entity's rows by (event, knowledge, revision). Tables are mostly in order, so the sort first looks
 *    whether there is anything to do, and merges only what is out of order.
 * 3. Write events and versions out as arrays of their own, and per block of events two bounds that let a walk skip
 *    the whole block: the earliest knowledge in it, and the instant from which all of it is deleted for good.
 * 4. Rows with one version key (twins) stand next to each other then; they are reported, in pairs, to the caller,
 *    who can compare what they state.
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

static void insertion_sort(Statement *a, int64_t length) {
    for (int64_t i = 1; i < length; i++) {
        Statement moving = a[i];
        int64_t j = i;
        for (; j > 0 && order(&a[j - 1], &moving) > 0; j--) a[j] = a[j - 1];
        a[j] = moving;
    }
}

/* Merge the sorted halves [0, middle) and [middle, length); the left one goes through scratch. */
static void merge(Statement *a, int64_t middle, int64_t length, Statement *scratch) {
    if (order(&a[middle - 1], &a[middle]) <= 0) return;
    memcpy(scratch, a, (size_t)middle * sizeof *a);
    int64_t left = 0, right = middle, to = 0;
    while (left < middle && right < length) {
        a[to++] = order(&scratch[left], &a[right]) <= 0 ? scratch[left++] : a[right++];
    }
    memcpy(a + to, scratch + left, (size_t)(middle - left) * sizeof *a);
}

enum { RUN = 24 };

static void sort_versions(Statement *a, int64_t length, Statement *scratch) {
    for (int64_t at = 0; at < length; at += RUN) insertion_sort(a + at, length - at < RUN ? length - at : RUN);
    for (int64_t width = RUN; width < length; width *= 2) {
        for (int64_t at = 0; at + width < length; at += 2 * width) {
            int64_t span = length - at < 2 * width ? length - at : 2 * width;
            merge(a + at, width, span, scratch);
        }
    }
}

static int sorted(const Statement *a, int64_t length) {
    for (int64_t i = 1; i < length; i++) {
        if (order(&a[i - 1], &a[i]) > 0) return 0;
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

static void write_block_bounds(Index *index) {
    for (int64_t event = 0; event < index->events; event++) {
        int64_t block = event / EVENTS_PER_BLOCK;
        const Version *first = &index->version[index->event[event].first];
        const Version *last = &index->version[index->event[event + 1].first - 1];
        int64_t end = last->row < 0 ? last->known : INT64_MAX;
        int starts = event % EVENTS_PER_BLOCK == 0;
        if (starts || first->known < index->block_known[block]) index->block_known[block] = first->known;
        if (starts || end > index->block_end[block]) index->block_end[block] = end;
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
        if (i == 0 || versions[head].event != version->event) {
            index->event[index->events++] = (Event){version->event, index->versions};
        }
        head = i;
        index->version[index->versions++] = (Version){version->known, version->dead ? ~version->row : version->row};
    }
    return found;
}

/* Fill `index`, whose arrays have room for every row of `facts`. Returns the number of twins, of which the first
 * `room` are in `pairs` as (row, row); an index with twins is not for reading. Returns -1 when memory is short. */
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
        if (!sorted(versions + first[key], length)) {
            if (!scratch && !(scratch = malloc((size_t)rows * sizeof *scratch))) goto done;
            sort_versions(versions + first[key], length, scratch);
        }
        twins += emit(versions + first[key], length, index, twins, room, pairs);
    }
    index->key_first[facts->keys] = (int32_t)index->events;
    index->event[index->events] = (Event){INT64_MAX, index->versions};
    write_block_bounds(index);
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
