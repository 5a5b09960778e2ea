/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Changes to documents: see scenario_mutate.h. */
#include "tests/lib/scenario_mutate.h"

#include <stdlib.h>
#include <string.h>

/* splitmix64 (Steele, Lea, Flood 2014). */
static uint64_t next_random(uint64_t *state)
{
    uint64_t z = (*state += 0x9e3779b97f4a7c15u);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

uint64_t mutate_below(uint64_t *state, uint64_t bound)
{
    return next_random(state) % bound;
}

/* Scalars of all sorts that a scenario may have, and such as it may not. */
static const char *const scalars[] = {"A",
                                      "B",
                                      "C",
                                      "AB",
                                      "BC",
                                      "nobody",
                                      "",
                                      "null",
                                      "~",
                                      "true",
                                      "false",
                                      "True",
                                      "0",
                                      "1",
                                      "-1",
                                      "2",
                                      "0.5",
                                      "1.0",
                                      "1e3",
                                      "0x10",
                                      ".5",
                                      "5.",
                                      "+5",
                                      "1e400",
                                      ".inf",
                                      ".nan",
                                      "128",
                                      "99999",
                                      "5 s",
                                      "0 s",
                                      "10 min",
                                      "-1 s",
                                      "0.1 ns",
                                      "5s",
                                      "5  s",
                                      "1e3 ms",
                                      "+1 h",
                                      "4000 d",
                                      "1 /s",
                                      "2 /h",
                                      "0 /s",
                                      "3 /y",
                                      "9 kbit/s",
                                      "0 bit/s",
                                      "0.5 bit/s",
                                      "1 Gbit/s",
                                      "256 bit",
                                      "100 bit",
                                      "8 kbit",
                                      "64 Mbit",
                                      "1 MiB",
                                      "5 B",
                                      "12 km",
                                      "-3 m",
                                      "3.2 dB",
                                      "2 %",
                                      "50 %",
                                      "20 ppm",
                                      "auto",
                                      "forever",
                                      "fast",
                                      "simgrid",
                                      "widest",
                                      "key-aware",
                                      "k-shortest",
                                      "disjoint",
                                      "fewest-hops",
                                      "poisson",
                                      "periodic",
                                      "trace",
                                      "on-off",
                                      "diurnal",
                                      "fixed",
                                      "exponential",
                                      "any",
                                      "otp-only",
                                      "user",
                                      "relay",
                                      "border",
                                      "both",
                                      "quantum",
                                      "crash",
                                      "down",
                                      "torn-commit",
                                      "all",
                                      "once",
                                      "allow",
                                      "deny",
                                      "ring",
                                      "grid",
                                      "two",
                                      "bits",
                                      "separate",
                                      "in-band",
                                      "preserve",
                                      "rate",
                                      "regular",
                                      "inside",
                                      "outside",
                                      "02:00:00:00:00:01",
                                      "x y",
                                      "a.csv",
                                      "none.yaml",
                                      "served_fraction >= 0.5",
                                      "link[AB].pool_min_bits > 0",
                                      "link[*].x",
                                      "9223372036854774784"};

static const char *const keys[] = {
    "id",        "ends",      "length",    "loss",     "qkd",         "rate",          "qber",
    "model",     "trace",     "block",     "blocks",   "key_form",    "store",         "initial",
    "classical", "latency",   "bandwidth", "queue",    "nodes",       "links",         "generate",
    "scale",     "max_span",  "name",      "lat",      "lon",         "role",          "operator",
    "address",   "mac",       "clock",     "offset",   "drift",       "unit",          "batch",
    "lease",     "bootstrap", "expiry",    "routing",  "at",          "from",          "to",
    "key",       "count",     "arrivals",  "times",    "on_time",     "off_time",      "periods",
    "trough",    "peak",      "day",       "profile",  "key_rate",    "volume",        "level",
    "timeout",   "wait",      "start",     "stop",     "seed",        "seeds",         "links",
    "losses",    "warmup",    "engine",    "control",  "management",  "demands",       "pairs",
    "gravity",   "weights",   "table",     "matrix",   "application", "access",        "rule",
    "node",      "faults",    "link",      "what",     "for",         "output",        "expect",
    "attacks",   "measures",  "include",   "extends",  "remove",      "kind",          "spacing",
    "rows",      "columns",   "prefix",    "switches", "xyzzy",       "user_networks", "boundary"};

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

static struct js_value *value_make(uint64_t *state)
{
    uint64_t kind = mutate_below(state, 12);
    const char *text = scalars[mutate_below(state, COUNT_OF(scalars))];
    if (kind > 1) {
        return js_scalar(text, mutate_below(state, 8) > 0);
    }
    struct js_value *made = js_parse(kind == 0 ? "{}" : "[]", 2);
    for (uint64_t i = mutate_below(state, 3); i > 0; i--) {
        text = scalars[mutate_below(state, COUNT_OF(scalars))];
        js_append(made, kind == 0 ? keys[mutate_below(state, COUNT_OF(keys))] : NULL,
                  js_scalar(text, true));
    }
    return made;
}

/* Walks down from the document, stopping by chance: the place of a child in its parent. */
static struct js_value *place_choose(struct js_value *document, uint64_t *state, size_t *child)
{
    struct js_value *at = document;
    for (;;) {
        *child = (size_t)mutate_below(state, at->count);
        struct js_value *next = at->items[*child];
        if (next->count == 0 || mutate_below(state, 4) == 0) {
            return at;
        }
        at = next;
    }
}

static void child_replace(struct js_value *parent, size_t child, struct js_value *with)
{
    struct js_value *old = parent->items[child];
    char *key = old->key;
    old->key = NULL;
    js_free(old);
    free(with->key);
    with->key = key;
    parent->items[child] = with;
}

static void child_drop(struct js_value *parent, size_t child)
{
    js_free(parent->items[child]);
    memmove(parent->items + child, parent->items + child + 1,
            (parent->count - child - 1) * sizeof *parent->items);
    parent->count--;
}

void mutate_once(struct js_value *document, uint64_t *state)
{
    if (document->count == 0) {
        js_append(document, keys[mutate_below(state, COUNT_OF(keys))], value_make(state));
        return;
    }
    size_t child = 0;
    struct js_value *parent = place_choose(document, state, &child);
    struct js_value *here = parent->items[child];
    bool object = parent->kind == JS_OBJECT;
    switch (mutate_below(state, 10)) {
    case 0:
        child_drop(parent, child);
        break;
    case 1: /* doubled, also keys */
        js_append(parent, here->key, js_copy(here));
        break;
    case 2:
        js_append(parent, object ? keys[mutate_below(state, COUNT_OF(keys))] : NULL,
                  value_make(state));
        break;
    case 3: /* another child's value here */
        child_replace(parent, child, js_copy(parent->items[mutate_below(state, parent->count)]));
        break;
    case 4: /* text or not */
        if (here->text != NULL) {
            child_replace(parent, child, js_scalar(here->text, here->kind == JS_STRING));
        }
        break;
    default:
        child_replace(parent, child, value_make(state));
        break;
    }
}
