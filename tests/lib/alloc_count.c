/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The __wrap_ side of --wrap: count, maybe fail, pass on. Test programs have one thread. */
#include "tests/lib/alloc_count.h"

#include <stdbool.h>
#include <stddef.h>

/* The linker makes these names; the real ones are the C library's or the sanitizer's. */
void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *old, size_t size);
void __real_free(void *old);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *old, size_t size);
void __wrap_free(void *old);

static bool counting;
static uint64_t calls;
static int64_t fail_after = -1;

void alloc_count_begin(void)
{
    alloc_count_begin_failing(-1);
}

void alloc_count_begin_failing(int64_t n)
{
    calls = 0;
    fail_after = n;
    counting = true;
}

uint64_t alloc_count_end(void)
{
    counting = false;
    return calls;
}

/* Counts one call; true if it is the one to fail. */
static bool fails_now(void)
{
    if (!counting) {
        return false;
    }
    calls++;
    return fail_after >= 0 && fail_after-- == 0;
}

void *__wrap_malloc(size_t size)
{
    return fails_now() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size)
{
    return fails_now() ? NULL : __real_calloc(count, size);
}

void *__wrap_realloc(void *old, size_t size)
{
    return fails_now() ? NULL : __real_realloc(old, size);
}

void __wrap_free(void *old)
{
    __real_free(old);
}
