/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A resolved scenario made smaller while it still fails: items of its lists are left out. */
#ifndef CLI_FUZZ_TEXT_H
#define CLI_FUZZ_TEXT_H

#include <stdbool.h>
#include <stdint.h>

struct cli_fuzz_text_shrink {
    bool (*fails)(void *ctx, const char *text); /* as the first text did */
    bool (*stop)(void *ctx);                    /* no time left */
    void *ctx;
};

/* Leaves out of `text`, in place, what can go: faults, rules, applications, links and nodes, with what
 * speaks of them. It is as scn_print() writes it: one item in a line. How many candidates were
 * tried; 0 also without memory. */
uint32_t cli_fuzz_text_shrink(char *text, const struct cli_fuzz_text_shrink *how);

#endif
