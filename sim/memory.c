/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Large pages for the heap of a large network. A message touches some twenty places all over the heap;
 * with pages of 4 KiB the processor must look up where most of them are, and in a virtual machine each
 * look-up is two. So the heap is told to grow in one stride that is large enough for the whole network,
 * and the system to back that stretch by pages of 2 MiB. What is not used costs nothing. */
#define _DEFAULT_SOURCE /* sbrk, madvise */
#include "sim/memory.h"

#include <stdint.h>
#include <stdlib.h>

#if defined(__GLIBC__) && defined(__linux__)
#include <malloc.h>
#include <sys/mman.h>
#include <unistd.h>

enum {
    LEAST = 64,              /* nodes and links: below, the caches hold nearly all */
    EACH_BYTES = 256 * 1024, /* per node and link at work, generously */
    MOST_BYTES = 1 << 30,
    APART_BYTES = 8 << 20, /* from here on a piece of memory is not of the heap */
    PAGE_BYTES = 2 << 20,
    STEP_BYTES = 64 * 1024
};

/* Makes the heap grow by its next stride; its old end, or NULL. */
static uint8_t *heap_grow(void)
{
    uint8_t *end = sbrk(0);
    void *taken[64];
    size_t count = 0;
    while (count < sizeof(taken) / sizeof(taken[0]) && sbrk(0) == end) {
        taken[count++] = malloc(STEP_BYTES);
    }
    bool grown = sbrk(0) != end;
    while (count > 0) {
        free(taken[--count]);
    }
    return grown ? end : NULL;
}

void sim_memory_expect(const struct scn_scenario *scenario)
{
    size_t elements = scenario->node_count + scenario->link_count;
    if (elements < LEAST) {
        return;
    }
    size_t bytes = elements < MOST_BYTES / EACH_BYTES ? elements * EACH_BYTES : MOST_BYTES;
    if (mallopt(M_TOP_PAD, (int)bytes) == 1 && mallopt(M_MMAP_THRESHOLD, APART_BYTES) == 1 &&
        mallopt(M_TRIM_THRESHOLD, (int)bytes) == 1) {
        uint8_t *from = heap_grow();
        if (from != NULL) {
            uintptr_t skip = (uintptr_t) - (intptr_t)from % PAGE_BYTES;
            (void)madvise(from + skip, (size_t)((uint8_t *)sbrk(0) - from) - skip, MADV_HUGEPAGE);
        }
    }
}
#else
void sim_memory_expect(const struct scn_scenario *scenario)
{
    (void)scenario;
}
#endif
