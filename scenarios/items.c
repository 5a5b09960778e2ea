/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Items by their ids: the index of a decoded list, ids used twice, references with hints. */
#include <stdio.h>
#include <string.h>

#include "scenarios/field.h"

const char *scn_hint(char hint[SCN_NAME_SIZE], const char *near)
{
    hint[0] = '\0';
    if (near != NULL) {
        (void)snprintf(hint, SCN_NAME_SIZE, ": did you mean '%s'?", near);
    }
    return hint;
}

static int item_compare(const char *ids, size_t stride, uint32_t a, uint32_t b)
{
    int order = strcmp(ids + a * stride, ids + b * stride);
    return order != 0 ? order : (a < b ? -1 : 1);
}

/* Heap sort of item numbers by id: in place, without recursion, and with the context that qsort
 * cannot pass. */
static void heap_down(const struct scn_items *items, size_t root, size_t count)
{
    uint32_t *heap = items->by_id;
    for (size_t child; (child = 2 * root + 1) < count; root = child) {
        if (child + 1 < count &&
            item_compare(items->ids, items->stride, heap[child], heap[child + 1]) < 0) {
            child++;
        }
        if (item_compare(items->ids, items->stride, heap[root], heap[child]) >= 0) {
            return;
        }
        uint32_t swap = heap[root];
        heap[root] = heap[child];
        heap[child] = swap;
    }
}

static void items_sort(const struct scn_items *items)
{
    for (size_t i = items->by_id_count / 2; i-- > 0;) {
        heap_down(items, i, items->by_id_count);
    }
    for (size_t end = items->by_id_count; end > 1;) {
        end--;
        uint32_t swap = items->by_id[0];
        items->by_id[0] = items->by_id[end];
        items->by_id[end] = swap;
        heap_down(items, 0, end);
    }
}

/* Where the id of an item is written: an item without keys is its id. */
static const struct scn_tree *id_of(const struct scn_tree *item)
{
    const struct scn_tree *id = scn_tree_find(item, "id");
    return id == NULL ? item : id;
}

void scn_items_index(struct scn_ctx *ctx, const struct scn_table *table, const char *ids)
{
    struct scn_items *items = &ctx->items[table->kind];
    items->by_id = scn_ctx_new(ctx, (items->count + 1) * sizeof *items->by_id);
    if (items->by_id == NULL) {
        items->by_id_count = 0;
        return;
    }
    items->ids = ids;
    items->stride = table->item_bytes;
    for (uint32_t i = 0; i < items->count; i++) {
        if (ids[i * items->stride] != '\0') {
            items->by_id[items->by_id_count++] = i;
        }
    }
    items_sort(items);
    for (size_t i = 1; i < items->by_id_count; i++) {
        uint32_t first = items->by_id[i - 1];
        uint32_t again = items->by_id[i];
        const char *id = ids + again * items->stride;
        if (strcmp(ids + first * items->stride, id) == 0) {
            const struct scn_tree *here = id_of(items->trees[again]);
            const struct scn_tree *there = id_of(items->trees[first]);
            scn_mistake(ctx, here->place, "the %s id '%s' is used twice: first on line %u",
                        table->name, id, there->place.line);
        }
    }
}

static uint32_t index_find(const struct scn_items *items, const char *id)
{
    size_t low = 0;
    size_t high = items->by_id_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = strcmp(items->ids + items->by_id[middle] * items->stride, id);
        if (order == 0) {
            return items->by_id[middle];
        }
        if (order < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return UINT32_MAX;
}

bool scn_link_was_cut(const struct scn_ctx *ctx, const char *id)
{
    char span[SCN_NAME_SIZE];
    (void)snprintf(span, sizeof span, "%.*s.1", SCN_ID_SIZE, id);
    return index_find(&ctx->items[SCN_KIND_LINK], span) != UINT32_MAX;
}

uint32_t scn_ref_look(const struct scn_ctx *ctx, enum scn_kind kind, const char *id)
{
    return index_find(&ctx->items[kind], id);
}

uint32_t scn_ref_find(struct scn_ctx *ctx, enum scn_kind kind, const char *id, struct scn_place at)
{
    const struct scn_items *items = &ctx->items[kind];
    uint32_t found = index_find(items, id);
    if (found != UINT32_MAX || ctx->incomplete) {
        return found;
    }
    if (kind == SCN_KIND_LINK && scn_link_was_cut(ctx, id)) {
        scn_mistake(ctx, at,
                    "link '%.64s' was cut into spans by max_span: expected '%.64s.1' or one of the "
                    "following",
                    id, id);
        return UINT32_MAX;
    }
    const char *near[256];
    size_t count = 0;
    for (size_t i = 0; i < items->by_id_count && count < sizeof near / sizeof near[0]; i++) {
        near[count++] = items->ids + items->by_id[i] * items->stride;
    }
    static const char *const names[SCN_KIND_COUNT] = {[SCN_KIND_NODE] = "node",
                                                      [SCN_KIND_LINK] = "link",
                                                      [SCN_KIND_APPLICATION] = "application",
                                                      [SCN_KIND_CLASSICAL] = "classical link",
                                                      [SCN_KIND_RISK] = "risk group",
                                                      [SCN_KIND_CLASS] = "class"};
    char hint[SCN_NAME_SIZE];
    scn_mistake(ctx, at, "unknown %s '%.64s'%s", names[kind], id,
                scn_hint(hint, scn_nearest(id, near, count)));
    return UINT32_MAX;
}
