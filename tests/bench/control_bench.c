/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the controller does per served key in each mode: its steps, the messages that it sends and receives, and
 * its CPU time, and the messages of all elements beside it, in a grid of 64 key managers (112 links) whose pairs ask for one key of 256 bit at a time; less what
 * the same network costs it without any request. ctl_step() is wrapped by the linker: the time is that of the
 * controller's code alone, sealing and opening of its messages included. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "core/controller/controller.h"
#include "sim/world.h"
#include "tests/lib/bench.h"

enum { TRIALS = 100000, DURATION_S = 120 };

struct tally {
    double steps, sent, received, cpu_s, served;
    double messages; /* of all elements */
};

static struct tally tally;
static double clock_s; /* what reading the clock twice takes */

static double cpu_s(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

int __real_ctl_step(struct ctl *ctl, const struct qkd_event *event, struct qkd_out *out);
int __wrap_ctl_step(struct ctl *ctl, const struct qkd_event *event, struct qkd_out *out);

int __wrap_ctl_step(struct ctl *ctl, const struct qkd_event *event, struct qkd_out *out)
{
    size_t before = out->send_count;
    double begin = cpu_s();
    int rc = __real_ctl_step(ctl, event, out);
    tally.cpu_s += cpu_s() - begin - clock_s;
    tally.steps += 1;
    tally.received += event->type == QKD_EV_RECV;
    tally.sent += (double)(out->send_count - before);
    return rc;
}

static const char grid[] =
    "scenario: grid of 64\nduration: %d s\nengine: fast\nnetwork:\n"
    "  generate: {kind: grid, rows: 8, columns: 8, spacing: 10 km,\n"
    "             link: {qkd: {rate: 400 kbit/s, block: 200 kbit}, initial: 2 Mbit}}\n"
    "control: {%s}\n%s";
static const char load[] = "demands:\n  - {id: all, pairs: once, nodes: [n0001, n0008, n0028, "
                           "n0037, n0057, n0064, n0012, n0053],\n"
                           "     application: {rate: 20 /s, start: 10 s}}\n";

static bool run(const char *control, bool asks, struct tally *to)
{
    char text[2048];
    (void)snprintf(text, sizeof text, grid, DURATION_S, control, asks ? load : "");
    struct scn_text input = {.name = "grid", .text = text, .len = strlen(text)};
    struct scn_scenario *scenario = NULL;
    struct scn_errors errors;
    struct scn_summary summary;
    int rc = scn_load_text(&input, NULL, &scenario, &errors);
    if (rc != 0) {
        (void)fprintf(stderr, "%s\n", errors.count > 0 ? errors.lines[0] : "no memory");
        return false;
    }
    tally = (struct tally){0};
    struct sim_options options = {.oracle_off = true};
    rc = sim_run(scenario, &options, &summary);
    *to = tally;
    to->served = (double)summary.requests.served;
    to->messages = (double)summary.messages;
    scn_summary_fini(&summary);
    scn_errors_fini(&errors);
    scn_free(scenario);
    return rc == 0;
}

int main(void)
{
    static const struct {
        const char *name, *control;
    } kinds[] = {{"on request, valid for 10 s", "route_validity: 10 s"},
                 {"on request, each key asks", "route_validity: 0 s"},
                 {"proactive", "mode: proactive"},
                 {"distributed", "mode: distributed"},
                 {"no controller", "controller: false, mode: distributed"}};
    double begin = cpu_s();
    for (int i = 0; i < TRIALS; i++) {
        clock_s = cpu_s();
    }
    clock_s = (cpu_s() - begin) / TRIALS;
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        struct tally idle, busy;
        if (!run(kinds[i].control, false, &idle) || !run(kinds[i].control, true, &busy) ||
            busy.served < 1000) {
            return EXIT_FAILURE;
        }
        printf("  idle: %.0f steps/s, %.2f ms/s of CPU, %.0f messages/s of all elements; %.0f keys "
               "served\n",
               idle.steps / DURATION_S, 1e3 * idle.cpu_s / DURATION_S, idle.messages / DURATION_S,
               busy.served);
        char name[80];
        const char *unit[] = {"steps", "messages", "us", "messages of all"};
        double value[] = {(busy.steps - idle.steps) / busy.served,
                          (busy.sent + busy.received - idle.sent - idle.received) / busy.served,
                          1e6 * (busy.cpu_s - idle.cpu_s) / busy.served,
                          (busy.messages - idle.messages) / busy.served};
        for (size_t k = 0; k < sizeof value / sizeof value[0]; k++) {
            (void)snprintf(name, sizeof name, "controller per key, %s", kinds[i].name);
            bench_row(&(struct bench_row){
                .name = name, .value = value[k], .unit = unit[k], .goal = "", .met = true});
        }
    }
    return EXIT_SUCCESS;
}
