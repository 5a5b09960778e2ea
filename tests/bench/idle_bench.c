/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Memory of networks where nobody asks for key: square grids without applications, in processes of
 * their own. Peak of the process, less that of an empty process, over nodes + links. Once before any
 * QKD-key is there (channels are made, routes of status and reports run), once with five blocks in
 * each link's store. */
#include <stdio.h>
#include <stdlib.h>

#include "tests/lib/bench.h"

#define GOAL_KIB 4.0

static bool measure(unsigned side, const char *rate, const char *what)
{
    char text[512], name[80];
    (void)snprintf(text, sizeof(text),
                   "scenario: idle grid\nduration: 10 s\nengine: fast\nnetwork:\n"
                   "  generate: {kind: grid, rows: %u, columns: %u, spacing: 20 km,\n"
                   "             link: {qkd: {rate: %s, block: 200 kbit}}}\n",
                   side, side, rate);
    struct bench_run run;
    if (!bench_run(&(struct bench_job){.text = text}, &run)) {
        return false;
    }
    double kib = run.rss_kib / (double)(run.nodes + run.links);
    (void)snprintf(name, sizeof(name), "idle, %u nodes, %s", side * side, what);
    bench_row(&(struct bench_row){name, kib, "KiB/(n+l)", 0, NULL, 0,
                                  side == 100 ? bench_goal("<=", GOAL_KIB) : "", kib <= GOAL_KIB});
    (void)printf("    %.1f MiB, %.2f s of CPU, %llu messages\n", run.rss_kib / 1024, run.cpu_s,
                 (unsigned long long)run.messages);
    return true;
}

int main(void)
{
    (void)printf("memory per idle node and link, 10 s of simulated time, oracle on\n");
    bool good = measure(32, "1 kbit/s", "no key yet") &&
                measure(32, "100 kbit/s", "5 blocks per link") &&
                measure(100, "1 kbit/s", "no key yet") &&
                measure(100, "100 kbit/s", "5 blocks per link");
    return good ? EXIT_SUCCESS : EXIT_FAILURE;
}
