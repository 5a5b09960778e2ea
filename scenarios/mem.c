/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Memory of the loader: the C library's. */
#include "scenarios/mem.h"

#include <stdint.h>
#include <stdlib.h>

void *scn_mem_new(size_t count, size_t item_bytes)
{
    return calloc(count == 0 ? 1 : count, item_bytes);
}

void *scn_mem_resize(void *old, size_t count, size_t item_bytes)
{
    if (count == 0 || item_bytes == 0 || count > SIZE_MAX / item_bytes) {
        return NULL;
    }
    return realloc(old, count * item_bytes);
}

void scn_mem_free(void *old)
{
    free(old);
}
