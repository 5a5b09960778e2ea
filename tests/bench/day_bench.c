/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A long run: scenarios/bench/metro-day.yaml (43 nodes, 50 requests/s). CPU and peak memory after 1,
 * 6 and 24 hours of simulated time, each in a process of its own: memory must not grow with time,
 * and a day take three minutes at most. QKDN_BENCH_HOURS=6 stops earlier. */
#include <stdio.h>
#include <stdlib.h>

#include "tests/lib/bench.h"

#define DAY_GOAL_S 180.0
#define GROWTH_GOAL 1.1

int main(void)
{
    static const unsigned hours[] = {1, 6, 24};
    const char *given = getenv("QKDN_BENCH_HOURS");
    unsigned most = given == NULL ? 24 : (unsigned)strtoul(given, NULL, 10);
    double first_kib = 0;
    (void)printf("a day of a metropolitan network, 50 requests/s, oracle on, nothing recorded\n");
    for (size_t i = 0; i < sizeof(hours) / sizeof(hours[0]) && hours[i] <= most; i++) {
        char name[64], duration[32];
        (void)snprintf(duration, sizeof(duration), "duration=%u h", hours[i]);
        const char *sets[] = {duration, "expect=[]", NULL};
        struct bench_run run;
        if (!bench_run(&(struct bench_job){.path = "scenarios/bench/metro-day.yaml", .sets = sets},
                       &run)) {
            return EXIT_FAILURE;
        }
        bool day = hours[i] == 24;
        (void)snprintf(name, sizeof(name), "metro, %u h, CPU", hours[i]);
        bench_row(&(struct bench_row){name, run.cpu_s, "s", 0, NULL, 0,
                                      day ? bench_goal("<=", DAY_GOAL_S) : "",
                                      run.cpu_s <= DAY_GOAL_S});
        first_kib = i == 0 ? run.rss_kib : first_kib;
        (void)snprintf(name, sizeof(name), "metro, %u h, peak memory", hours[i]);
        bench_row(&(struct bench_row){name, run.rss_kib / 1024, "MiB", first_kib / 1024, "1 h",
                                      run.rss_kib / first_kib,
                                      i > 0 ? bench_goal("<=", GROWTH_GOAL) : "",
                                      run.rss_kib <= GROWTH_GOAL * first_kib});
        (void)printf("    %llu requests, %.2f %% served, %.0f ns per message, %.1f us per key\n",
                     (unsigned long long)run.total, 100 * (double)run.served / (double)run.total,
                     run.cpu_s * 1e9 / (double)run.messages, run.cpu_s * 1e6 / (double)run.served);
    }
    return EXIT_SUCCESS;
}
