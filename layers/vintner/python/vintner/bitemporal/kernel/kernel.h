/* What the kernel shares with its callers (kernel/native.py mirrors these structures).
 *
 * Instants and spans are microseconds, int64. Rows are positions in the fact table, int32. Every array belongs to the
 * caller, who says how long it is; the kernel keeps nothing between calls and touches no global.
 */

#ifndef VINTNER_KERNEL_H
#define VINTNER_KERNEL_H

#include <stdint.h>

#define EVENTS_PER_BLOCK 64
#define LEVELS 4 /* of bounds on knowledge: per 8, 64, 512 and 4096 events */

/* A fact table, column by column. */
typedef struct {
    int64_t rows;
    int64_t keys;
    const int32_t *key;      /* number of the row's entity, [0, keys) */
    const int64_t *event;    /* event_time */
    const int64_t *known;    /* knowledge_time */
    const int64_t *seq;      /* revision_seq */
    const int64_t *system;   /* ingested_at */
    const uint8_t *dead;     /* bits: the row is a tombstone */
    int64_t dead_offset;     /* first bit */
    const uint8_t *surplus;  /* bits: leave the row out; NULL: none */
    int64_t known_to;        /* leave out rows known later than this */
    int64_t system_to;       /* leave out rows written later than this */
} Facts;

/* An event of an entity, with its newest version: half a cache line, and mostly all that a read looks at. Its versions
 * are those from `first` to below the next event's. */
typedef struct {
    int64_t time;
    int64_t known;       /* earliest knowledge of any version */
    int64_t last_known;  /* knowledge of the newest version */
    int32_t first;
    int32_t last_row;    /* row of the newest version, or the complement of its row when it is a tombstone */
} Event;

/* A version of an event: when it became known, and its row as above. */
typedef struct {
    int64_t known;
    int64_t row;
} Version;

/* The versions of a fact table in order: entity, event, knowledge, revision. */
typedef struct {
    int64_t keys;
    int64_t events;
    int64_t versions;
    int32_t *key_first;            /* keys + 1: first event of each entity */
    Event *event;                  /* events + 1 */
    Version *version;
    int64_t *system;               /* per version: when it was written; NULL unless asked for */
    int64_t *known_after[LEVELS];  /* per 8, 64, ... events: none of them is known before */
    int64_t *block_end;            /* per block of events: from here on each is known to be deleted for good */
} Index;

/* Rows that ask. */
typedef struct {
    int64_t rows;
    const int32_t *code;     /* entity, as the spine numbers them; negative: none */
    const int32_t *key_of;   /* from there to the entity of the index; negative: not there; NULL: the same */
    const int64_t *time;     /* event cut */
    const int64_t *known;    /* knowledge cut before the delay; NULL: known_at */
    int64_t known_at;
    const int64_t *system;   /* system cut; NULL: none */
    int64_t delay;
    int64_t ttl;             /* INT64_MAX: none */
} Spine;

enum { ANSWERED = 0, NEVER_KNOWN = 1, DELETED = 2, EXPIRED = 3 };

#if defined(_WIN32)
#define PUBLIC __declspec(dllexport)
#else
#define PUBLIC __attribute__((visibility("default")))
#endif

#endif
