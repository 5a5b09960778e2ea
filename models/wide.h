/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Unsigned 128-bit integers, as much as exact key accounting needs: rate times nanoseconds. C17 has
 * no such type. */
#ifndef MDL_WIDE_H
#define MDL_WIDE_H

#include <stdbool.h>
#include <stdint.h>

struct mdl_wide {
    uint64_t hi, lo;
};

/* a * b. */
static inline struct mdl_wide mdl_wide_mul(uint64_t a, uint64_t b)
{
    uint64_t a0 = a & 0xffffffffU;
    uint64_t a1 = a >> 32;
    uint64_t b0 = b & 0xffffffffU;
    uint64_t b1 = b >> 32;
    uint64_t middle = (a0 * b0 >> 32) + (a1 * b0 & 0xffffffffU) + (a0 * b1 & 0xffffffffU);
    return (struct mdl_wide){.hi = a1 * b1 + (a1 * b0 >> 32) + (a0 * b1 >> 32) + (middle >> 32),
                             .lo = a * b};
}

/* a + b; the sum must fit. */
static inline struct mdl_wide mdl_wide_add(struct mdl_wide a, struct mdl_wide b)
{
    uint64_t lo = a.lo + b.lo;
    return (struct mdl_wide){.hi = a.hi + b.hi + (lo < a.lo ? 1 : 0), .lo = lo};
}

/* a - b, for a >= b. */
static inline struct mdl_wide mdl_wide_sub(struct mdl_wide a, struct mdl_wide b)
{
    return (struct mdl_wide){.hi = a.hi - b.hi - (a.lo < b.lo ? 1 : 0), .lo = a.lo - b.lo};
}

static inline bool mdl_wide_less(struct mdl_wide a, struct mdl_wide b)
{
    return a.hi != b.hi ? a.hi < b.hi : a.lo < b.lo;
}

/* The rest of a / by, by > 0. */
static inline struct mdl_wide mdl_wide_rest(struct mdl_wide a, struct mdl_wide by)
{
    struct mdl_wide rest = {0, 0};
    for (int bit = 127; bit >= 0 && !mdl_wide_less(a, by); bit--) {
        uint64_t word = bit >= 64 ? a.hi : a.lo;
        bool carry = rest.hi >> 63 != 0;
        rest.hi = (rest.hi << 1) | (rest.lo >> 63);
        rest.lo = (rest.lo << 1) | ((word >> (bit & 63)) & 1);
        if (carry || !mdl_wide_less(rest, by)) {
            rest = mdl_wide_sub(rest, by);
        }
    }
    return mdl_wide_less(a, by) ? a : rest;
}

/* A real number of at least 0 and below 2^128, rounded down. */
static inline struct mdl_wide mdl_wide_of(double real)
{
    double hi = real / 18446744073709551616.0;
    uint64_t high = (uint64_t)hi;
    return (struct mdl_wide){.hi = high,
                             .lo = (uint64_t)(real - (double)high * 18446744073709551616.0)};
}

static inline double mdl_wide_real(struct mdl_wide a)
{
    return (double)a.hi * 18446744073709551616.0 + (double)a.lo;
}

/* The least integer >= a / by, by > 0; UINT64_MAX if it is larger than that. */
static inline uint64_t mdl_wide_div_up(struct mdl_wide a, uint64_t by)
{
    if (a.hi == 0) {
        return a.lo / by + (a.lo % by != 0 ? 1 : 0);
    }
    if (a.hi >= by) {
        return UINT64_MAX;
    }
    uint64_t rest = a.hi; /* < by */
    uint64_t quotient = 0;
    for (int bit = 63; bit >= 0; bit--) {
        bool carry = rest >> 63 != 0;
        rest = (rest << 1) | ((a.lo >> bit) & 1);
        if (carry || rest >= by) {
            rest -= by;
            quotient |= (uint64_t)1 << bit;
        }
    }
    if (rest == 0) {
        return quotient;
    }
    return quotient == UINT64_MAX ? UINT64_MAX : quotient + 1;
}

#endif
