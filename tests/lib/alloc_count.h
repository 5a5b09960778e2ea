/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Counts heap allocations between begin and end, and makes the n-th one fail. Works in tests whose
 * name contains "alloc": they are linked with --wrap for malloc, calloc and realloc. What shared
 * libraries allocate inside is not seen; Check's assertions do allocate, so none belongs between
 * begin and end. */
#ifndef QKD_TESTS_ALLOC_COUNT_H
#define QKD_TESTS_ALLOC_COUNT_H

#include <stdint.h>

/* Starts counting from zero; no allocation fails. */
void alloc_count_begin(void);

/* Starts counting, lets `n` allocations succeed and then fails exactly one. */
void alloc_count_begin_failing(int64_t n);

/* Stops; the calls of malloc, calloc and realloc since begin, the failed one included. */
uint64_t alloc_count_end(void);

#endif
