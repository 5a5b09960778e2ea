/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What one end-to-end key costs, message by message: on a line of four (three hops), 256-bit keys,
 * routes cached. Counts every message as it is executed in a run with applications, less those of
 * the same run without (status, key files, reports of the idle network), per served key. `sealed` is
 * the time that AES-256-GCM takes to seal and open that message here and now; frames of Kx-1 are not
 * sealed but padded and tagged. docs/performance.md explains the rows. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/crypto/crypto.h"
#include "core/wire/codec.h"
#include "core/wire/frame.h"
#include "sim/world.h"
#include "tests/lib/bench.h"

enum { KINDS = 96, ROUNDS = 20000, MOST = 65536 };

struct kind {
    enum qkd_rp rp;
    unsigned code;
    const char *name;
    bool bare; /* pad and tag instead of the record layer */
    double count, bytes;
};

struct tally {
    struct kind kinds[KINDS];
    size_t count;
    uint64_t served, messages;
};

static void observe(void *ctx, int64_t now_ns, const struct qkd_send *send, const uint8_t *observed)
{
    struct tally *tally = ctx;
    (void)now_ns;
    struct kind kind = {.rp = send->rp, .name = "handshake"};
    struct wire_head head;
    if (observed != NULL && send->observed.len > WIRE_FRAME_HEAD_LEN &&
        observed[0] == WIRE_FRAME_MAGIC) {
        static const struct {
            unsigned code;
            const char *name;
        } frames[] = {{WIRE_FRAME_RELAY, "RELAY frame"},
                      {WIRE_FRAME_CONFIRM, "CONFIRM frame"},
                      {WIRE_FRAME_GRANT, "GRANT frame"},
                      {WIRE_FRAME_SKIP, "SKIP frame"},
                      {WIRE_FRAME_TAKE, "TAKE frame"}};
        kind.code = observed[1];
        kind.bare = true;
        for (size_t i = 0; i < sizeof(frames) / sizeof(frames[0]); i++) {
            kind.name = frames[i].code == kind.code ? frames[i].name : kind.name;
        }
    } else if (observed != NULL && wire_head_decode(&head, observed, send->observed.len) == 0) {
        kind.code = head.command;
        kind.name = wire_command_name(head.command);
    }
    size_t i = 0;
    while (i < tally->count &&
           (tally->kinds[i].rp != kind.rp || tally->kinds[i].code != kind.code ||
            tally->kinds[i].bare != kind.bare)) {
        i++;
    }
    if (i == tally->count && tally->count++ == KINDS) {
        (void)fprintf(stderr, "message_bench: too many kinds of messages\n");
        exit(EXIT_FAILURE);
    }
    if (tally->kinds[i].count == 0) {
        tally->kinds[i] = kind;
    }
    tally->kinds[i].count += 1;
    tally->kinds[i].bytes += send->bytes.len;
}

static const char line[] =
    "scenario: line of four\nduration: 62 s\nengine: fast\nnetwork:\n"
    "  generate: {kind: line, nodes: 4, spacing: 10 km,\n"
    "             link: {qkd: {rate: 20 Mbit/s, block: 4 Mbit}, store: 200 Mbit}}\n"
    "control: {route_validity: 1 h}\napplications:\n"
    "  - {id: a, from: n0001, to: n0004, arrivals: periodic, rate: 1000 /s, start: %s}\n";

static bool run(const char *start, struct tally *tally)
{
    char text[1024], why[200] = "";
    struct scn_scenario *scenario = NULL;
    struct scn_errors errors;
    struct scn_summary summary;
    struct sim_world *world = NULL;
    *tally = (struct tally){0};
    (void)snprintf(text, sizeof(text), line, start);
    struct scn_text in = {"bench", text, strlen(text), NULL};
    int rc = scn_load_text(&in, NULL, &scenario, &errors);
    scn_errors_fini(&errors);
    if (rc != 0 || scn_summary_init(&summary, scenario) != 0) {
        return false;
    }
    struct sim_options options = {.why = why, .why_size = sizeof(why)};
    rc = sim_world_new(scenario, &options, &summary, &world);
    if (rc == 0) {
        sim_world_hook(world, &(struct sim_hooks){.observe = observe, .observe_ctx = tally});
        rc = sim_world_run(world);
    }
    sim_world_free(world);
    tally->served = summary.requests.served;
    tally->messages = summary.messages;
    bool good = rc == 0 && summary.oracle.violations == 0;
    scn_summary_fini(&summary);
    scn_free(scenario);
    return good;
}

/* Nanoseconds to seal and open so many bytes. */
static double seal_ns(size_t len)
{
    static uint8_t plain[MOST], cipher[MOST + CRYPTO_GCM_TAG_LEN], aad[48];
    uint8_t key[CRYPTO_GCM_KEY_LEN] = {1}, nonce[12] = {0};
    len = len < MOST ? len : MOST;
    struct crypto_gcm_text seal = {aad, sizeof(aad), plain, len};
    struct crypto_gcm_text open = {aad, sizeof(aad), cipher, len + CRYPTO_GCM_TAG_LEN};
    double start_s = bench_cpu_s();
    for (uint64_t i = 0; i < ROUNDS; i++) {
        memcpy(nonce, &i, sizeof(i));
        (void)crypto_gcm_seal(key, nonce, &seal, cipher);
        (void)crypto_gcm_open(key, nonce, &open, plain);
    }
    return (bench_cpu_s() - start_s) / ROUNDS * 1e9;
}

static double idle_of(const struct tally *idle, const struct kind *kind, bool bytes)
{
    for (size_t i = 0; i < idle->count; i++) {
        const struct kind *other = &idle->kinds[i];
        if (other->rp == kind->rp && other->code == kind->code && other->bare == kind->bare) {
            return bytes ? other->bytes : other->count;
        }
    }
    return 0;
}

int main(void)
{
    static struct tally busy, idle;
    if (crypto_init() != 0 || !run("2 s", &busy) || !run("61.9999 s", &idle) || busy.served == 0) {
        (void)fprintf(stderr, "message_bench: a run failed\n");
        return EXIT_FAILURE;
    }
    double keys = (double)busy.served, messages = 0, bytes = 0, sealing_ns = 0;
    (void)printf("one 256-bit key over three hops, message by message\n"
                 "  %-6s %-22s %9s %9s %12s\n",
                 "point", "message", "per key", "bytes", "sealed ns");
    for (size_t i = 0; i < busy.count; i++) {
        const struct kind *kind = &busy.kinds[i];
        double count = (kind->count - idle_of(&idle, kind, false)) / keys;
        double each = (kind->bytes - idle_of(&idle, kind, true)) / keys / (count != 0 ? count : 1);
        if (count < 0.001) {
            continue;
        }
        bool sealed = !kind->bare && kind->rp != QKD_RP_APP && kind->rp != QKD_RP_LOAD &&
                      kind->rp != QKD_RP_Q;
        double ns = sealed ? seal_ns((size_t)each) : 0;
        (void)printf("  %-6s %-22s %9.3f %9.0f %12.0f\n", qkd_rp_name(kind->rp), kind->name, count,
                     each, ns);
        messages += count;
        bytes += count * each;
        sealing_ns += count * ns;
    }
    (void)printf("  %-6s %-22s %9.3f %9.0f %12.0f\n", "all", "", messages, bytes, sealing_ns);
    (void)printf("  beside keys: %.1f messages per simulated second in the idle line\n",
                 (double)idle.messages / 62);
    bench_row(&(struct bench_row){"messages per key, line of 4", messages, "messages", 0, NULL, 0,
                                  "", true});
    return EXIT_SUCCESS;
}
