/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Rows of a life-cycle record: see wire/life.h. */
#include "core/wire/life.h"

#include <string.h>

/* What a sender can come to; a peer that says more is not let to fill our books by one record. */
enum { ID_LEN = 16, KEYS_MOST = 256, ACTIONS_MOST = 4 };

static size_t actions_of(const struct wire_life *record)
{
    return 1 + (record->has_then ? record->then.len : 0);
}

size_t wire_life_rows(const struct wire_life *record)
{
    size_t more = record->has_more_ids ? record->more_ids.len : 0;
    size_t actions = actions_of(record);
    bool good = more % ID_LEN == 0 && more / ID_LEN < KEYS_MOST && actions <= ACTIONS_MOST;
    return good ? (1 + more / ID_LEN) * actions : 0;
}

struct wire_life wire_life_row(const struct wire_life *record, size_t number)
{
    size_t actions = actions_of(record);
    size_t key = number / actions;
    size_t action = number % actions;
    struct wire_life row = {.when = record->when,
                            .at = record->at,
                            .action = record->action,
                            .key_class = record->key_class,
                            .id = record->id};
    if (action == 0) {
        row = *record;
        row.has_more_ids = row.has_then = false;
        row.more_ids = row.then = (struct wire_bytes){0};
    } else {
        row.action = record->then.at[action - 1];
    }
    if (key > 0) {
        memcpy(row.id.b, record->more_ids.at + (key - 1) * ID_LEN, ID_LEN);
    }
    return row;
}
