/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Large pages for the heap of a large network. A message touches some twenty places all over the heap;
 * with pages of 4 KiB the processor must look up where most of them are, and in a virtual machine each
 * look-up is two. So the heap takes one stretch that is large enough for the whole network, and the
 * system is asked to back it by pages of 2 MiB. What is not used costs nothing. */
#define _DEFAULT_SOURCE /* madvise */
#include "sim/memory.h"

#include <limits.h>
#include <stdint.h>
#include <stdlib.h>

#if defined(__GLIBC__) && defined(__linux__)
#include <malloc.h>
#include <sys/mman.h>

#define BASE_BYTES ((size_t)128 << 20) /* room, not use */
#define EACH_BYTES ((size_t)64 << 10)  /* per node and link */
#define MOST_BYTES ((size_t)INT_MAX)
#define PAGE_BYTES ((size_t)2 << 20)

enum {
    LEAST = 64,            /* nodes and links: below, the caches hold nearly all */
    APART_BYTES = 8 << 20, /* a larger piece of memory is not of the heap */
    APART_PIECES = 65536   /* the C library's default */
};

void sim_memory_expect(const struct scn_scenario *scenario)
{
    size_t elements = scenario->node_count + scenario->link_count;
    if (elements < LEAST || mallopt(M_TRIM_THRESHOLD, INT_MAX) != 1 ||
        mallopt(M_MMAP_THRESHOLD, APART_BYTES) != 1 || mallopt(M_MMAP_MAX, 0) != 1) {
        return;
    }
    size_t bytes = elements < (MOST_BYTES - BASE_BYTES) / EACH_BYTES
                       ? BASE_BYTES + elements * EACH_BYTES
                       : MOST_BYTES;
    uint8_t *stretch = malloc(bytes);
    if (stretch != NULL) {
        size_t skip = PAGE_BYTES - (uintptr_t)stretch % PAGE_BYTES;
        (void)madvise(stretch + skip, bytes - skip, MADV_HUGEPAGE);
        free(stretch); /* it stays the heap's: it was not given back */
    }
    (void)mallopt(M_MMAP_MAX, APART_PIECES);
}
#else
void sim_memory_expect(const struct scn_scenario *scenario)
{
    (void)scenario;
}
#endif
