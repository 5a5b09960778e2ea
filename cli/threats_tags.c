/* SPDX-License-Identifier: GPL-3.0-or-later */
/* How often a forgery of a frame succeeds: counted with tags of 8 bits, where it can be counted, and with full
 * ones, where it cannot. What is said of the latter is what the tries allow to be said, and the proof's bound;
 * never 2^-128 from no hit in some thousand tries (docs/security.md). */
#include <math.h>
#include <string.h>

#include "cli/threats.h"
#include "core/base/err.h"
#include "sim/run.h"

enum { FRAME_BLOCKS = 1024 / 16 /* no frame of this network is longer than 1 KiB */ };

/* 90 keys a second over two hops: each frame is followed by a forged one. */
static const char *const scenario_text =
    "scenario: forged frames\nduration: 60 s\nengine: fast\n"
    "network:\n"
    "  nodes: [{id: A}, {id: B}, {id: C}]\n"
    "  links:\n"
    "    - {id: AB, ends: [A, B], length: 20 km, qkd: {rate: 1 Mbit/s, block: 256 kbit}}\n"
    "    - {id: BC, ends: [B, C], length: 20 km, qkd: {rate: 1 Mbit/s, block: 256 kbit}}\n"
    "applications:\n"
    "  - {id: v, from: A, to: C, key: 256 bit, arrivals: periodic, rate: 90 /s, offset: 5 s, "
    "timeout: 5 s}\n"
    "attacks: [{surface: K2-1, what: forge, message: relay, at: 6 s}]\n";

static int run(struct cli_threats *threats, const char *measures, int at)
{
    char seed[40];
    (void)snprintf(seed, sizeof seed, "seed=%llu", (unsigned long long)threats->seed);
    const char *texts[] = {seed, measures};
    struct scn_sets sets = {texts, 2};
    struct scn_text input = {
        .name = "forged frames", .text = scenario_text, .len = strlen(scenario_text)};
    struct scn_scenario *scenario = NULL;
    struct scn_summary summary;
    memset(&summary, 0, sizeof summary);
    scn_errors_fini(&threats->errors);
    int err = scn_load_text(&input, &sets, &scenario, &threats->errors);
    if (err == QKD_OK) {
        struct sim_options options = {.has_engine = true,
                                      .engine = SCN_ENGINE_FAST,
                                      .why = threats->why,
                                      .why_size = sizeof threats->why};
        err = sim_run(scenario, &options, &summary);
        scn_free(scenario);
    }
    if (err == QKD_OK) {
        threats->tags.tries[at] = summary.attacks[0].forged;
        threats->tags.accepted[at] = summary.attacks[0].accepted;
    }
    scn_summary_fini(&summary);
    return err;
}

int cli_threats_tags(struct cli_threats *threats)
{
    struct cli_tags *tags = &threats->tags;
    int err = run(threats, "measures={full_tags: off}", 0);
    err = err == QKD_OK ? run(threats, "measures={}", 1) : err;
    if (err != QKD_OK) {
        return err;
    }
    double tries = (double)tags->tries[0];
    tags->done = true;
    tags->expected = tries / 256;
    tags->spread = 4 * sqrt(tries / 256 * (1 - 1.0 / 256)); /* one in 16,000 runs is further off */
    tags->short_good = fabs((double)tags->accepted[0] - tags->expected) <= tags->spread &&
                       tags->accepted[0] > 0;
    tags->most_95 = tags->tries[1] > 0 ? 3 / (double)tags->tries[1] : 1;
    tags->bound = 8.0 * FRAME_BLOCKS * ldexp(1, -106);
    tags->full_good = tags->tries[1] > 0 && tags->accepted[1] == 0;
    return QKD_OK;
}
