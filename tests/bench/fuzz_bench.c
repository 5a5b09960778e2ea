/* SPDX-License-Identifier: GPL-3.0-or-later */
/* How many seeds `qkdn fuzz` judges: CPU time of the first 300, one after the other. The aim is 50 a
 * second on two cores, processes side by side: 25 per second of CPU. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "sim/fuzz.h"
#include "tests/lib/bench.h"

enum { SEEDS = 300, AIM = 25 };

int main(void)
{
    static char text[SIM_FUZZ_TEXT];
    struct sim_fuzz_verdict sum = {.phase = SIM_FUZZ_GOOD};
    clock_t began = clock();
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        struct sim_fuzz_plan plan;
        struct sim_fuzz_verdict one;
        sim_fuzz_plan_make(&plan, seed);
        sim_fuzz_print(&plan, text);
        sim_fuzz_judge_text(text, NULL, &one);
        if (one.phase != SIM_FUZZ_GOOD) {
            (void)fprintf(stderr, "seed %" PRIu64 ": %s\n", seed, one.why);
            return EXIT_FAILURE;
        }
        sum.checks += one.checks;
        sum.messages += one.messages;
        sum.sim_s += one.sim_s;
    }
    double cpu_s = (double)(clock() - began) / CLOCKS_PER_SEC;
    double rate = SEEDS / cpu_s;
    printf("fuzz: %d seeds in %.2f s of CPU: %.1f per CPU second (aim %d, ratio %.2f)\n", SEEDS,
           cpu_s, rate, AIM, rate / AIM);
    printf("      per seed: %.1f s simulated, %.0f messages, %.0f checks\n", sum.sim_s / SEEDS,
           (double)sum.messages / SEEDS, (double)sum.checks / SEEDS);
    bench_row(&(struct bench_row){"fuzz seeds per CPU second", rate, "seeds/s", 0, NULL, 0,
                                  bench_goal(">=", AIM), rate >= AIM});
    return rate >= AIM ? EXIT_SUCCESS : EXIT_FAILURE;
}
