/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Frames between daemons (emu/net/net.h): kept whole and in order, both ways, over restarts. */
#include <check.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/err.h"
#include "emu/net/net_internal.h"
#include "tests/lib/emu_rig.h"

static struct rig rig;

static void setup(void)
{
    (void)signal(SIGPIPE, SIG_IGN); /* as every daemon does */
    rig_init(&rig);
}

static void teardown(void)
{
    rig_fini(&rig);
}

static bool all_up(void *ctx)
{
    (void)ctx;
    for (size_t i = 0; i < rig.count; i++) {
        for (size_t j = 0; j < rig.count; j++) {
            if (i != j && rig.nets[i].net != NULL && rig.nets[j].net != NULL &&
                !(emu_net_is_up(rig.nets[i].net, j) && emu_net_is_heard(rig.nets[i].net, j))) {
                return false;
            }
        }
    }
    return true;
}

/* How many frames net `net` shall have got. */
struct wanted {
    size_t net, frames;
};

static bool has_frames(void *ctx)
{
    const struct wanted *wanted = ctx;
    return rig.nets[wanted->net].frames >= wanted->frames;
}

static bool arrived(size_t net, size_t frames, unsigned ms)
{
    struct wanted wanted = {net, frames};
    return rig_until(&rig, has_frames, &wanted, ms);
}

/* The frames that `to` got from `from` are those of seeds first, first + 1 .. in this order. */
struct sent {
    size_t len[RIG_LOG];
    uint64_t seed[RIG_LOG];
    size_t count;
};
static struct sent sents[RIG_NETS][RIG_NETS];

static void send_some(size_t from, size_t to, size_t len)
{
    static uint64_t seed = 1;
    struct sent *sent = &sents[from][to];
    sent->len[sent->count] = len;
    sent->seed[sent->count++] = seed;
    ck_assert_int_eq(rig_send(&rig, from, to, (struct rig_frame){to, len, seed++}), QKD_OK);
}

static void check_order(size_t from, size_t to)
{
    const struct sent *sent = &sents[from][to];
    size_t at = 0;
    for (size_t i = 0; i < rig.nets[to].frames; i++) {
        const struct rig_frame *frame = &rig.nets[to].log[i];
        if (frame->peer == from) {
            ck_assert_uint_lt(at, sent->count);
            ck_assert_uint_eq(frame->len, sent->len[at]);
            ck_assert_uint_eq(frame->hash, rig_frame_hash(sent->seed[at], sent->len[at]));
            at++;
        }
    }
    ck_assert_uint_eq(at, sent->count);
}

/* Three daemons, each to each, frames of 1 byte to 1 MiB, several a turn: all arrive, in order. */
START_TEST(random_frames)
{
    unsigned state = 12345;
    size_t expected[3] = {0};
    rig_start(&rig, 3);
    for (int round = 0; round < 40; round++) {
        for (size_t from = 0; from < 3; from++) {
            size_t to = (from + 1 + (size_t)round % 2) % 3;
            for (int k = 0; k < 6; k++) {
                state = state * 1103515245 + 12345;
                unsigned bits = state >> 16 & 31;
                size_t len = 1 + (state >> 8) % (bits == 0 ? 1048576 : bits < 8 ? 70000 : 700);
                send_some(from, to, len);
                expected[to]++;
            }
        }
        rig_for(&rig, 1);
    }
    send_some(0, 1, 1048576);
    expected[1]++;
    for (size_t i = 0; i < 3; i++) {
        ck_assert(arrived(i, expected[i], 20000));
    }
    for (size_t from = 0; from < 3; from++) {
        for (size_t to = 0; to < 3; to++) {
            check_order(from, to);
            if (from != to) {
                const struct emu_net_counters *out = emu_net_counters(rig.nets[from].net, to);
                const struct emu_net_counters *in = emu_net_counters(rig.nets[to].net, from);
                ck_assert_uint_eq(out->frames_out, sents[from][to].count);
                ck_assert_uint_eq(in->frames_in, out->frames_out);
                ck_assert_uint_eq(in->bytes_in, out->bytes_out);
                ck_assert_uint_eq(out->frames_dropped, 0);
                ck_assert_uint_eq(out->ups_out, 1);
            }
        }
    }
}
END_TEST

/* Nobody is dialled before the first frame; that frame waits for the connection. */
START_TEST(dials_at_the_first_frame)
{
    rig.count = 2;
    rig_net_start(&rig, 0, rig_folder(), "n0");
    rig_net_start(&rig, 1, rig_folder(), "n1");
    ck_assert_int_eq(rig_send(&rig, 0, 1, (struct rig_frame){1, 10, 1}), QKD_ERR_UNKNOWN);
    ck_assert_int_eq(emu_net_dial(rig.nets[0].net, 1, "127.0.0.1"), QKD_ERR_INVALID);
    ck_assert_int_eq(emu_net_dial(rig.nets[0].net, 1, NULL), QKD_ERR_UNKNOWN);
    /* A name, too: it is looked up. */
    char by_name[64];
    snprintf(by_name, sizeof by_name, "localhost:%u", emu_net_port(rig.nets[1].net));
    ck_assert_int_eq(emu_net_dial(rig.nets[0].net, 1, by_name), QKD_OK);
    ck_assert_int_eq(rig_send(&rig, 0, 1, (struct rig_frame){1, 10, 7}), QKD_OK);
    ck_assert(arrived(1, 1, 5000));
    ck_assert_uint_eq(rig.nets[1].log[0].hash, rig_frame_hash(7, 10));
    ck_assert_uint_eq(rig.nets[0].ups, 1);
    ck_assert(!emu_net_is_up(rig.nets[1].net, 0)); /* it sends nothing, so it has not dialled */
    ck_assert_uint_eq(emu_net_counters(rig.nets[1].net, 0)->dials, 0);
}
END_TEST

/* A daemon that goes and comes back is dialled again, and told and counted as down and up. */
START_TEST(comes_back_after_a_restart)
{
    rig_start(&rig, 2);
    ck_assert(rig_until(&rig, all_up, NULL, 5000));
    for (unsigned round = 1; round <= 3; round++) {
        rig_net_stop(&rig, 1);
        rig_for(&rig, 60);
        ck_assert(!emu_net_is_up(rig.nets[0].net, 1));
        ck_assert_uint_eq(rig.nets[0].downs, round);
        rig_net_start(&rig, 1, rig_folder(), "n1");
        ck_assert_int_eq(emu_net_dial(rig.nets[1].net, 0, rig.nets[0].address), QKD_OK);
        ck_assert(rig_until(&rig, all_up, NULL, 5000));
        size_t before = rig.nets[1].frames;
        ck_assert_int_eq(rig_send(&rig, 0, 1, (struct rig_frame){1, 100, round}), QKD_OK);
        ck_assert(arrived(1, before + 1, 5000));
        ck_assert_uint_eq(rig.nets[1].log[before].hash, rig_frame_hash(round, 100));
    }
    const struct emu_net_counters *counters = emu_net_counters(rig.nets[0].net, 1);
    ck_assert_uint_eq(counters->ups_out, 4);
    ck_assert_uint_ge(counters->faults[EMU_NET_FAULT_CONNECT], 1);
    /* Pauses grow: in 3 x 60 ms fewer tries than without any. */
    ck_assert_uint_le(counters->dials, 40);
}
END_TEST

/* What waits beyond the limit is dropped and counted; the rest arrives whole. */
START_TEST(queue_is_limited)
{
    rig.queue_bytes = 10000;
    rig_start(&rig, 2);
    ck_assert(rig_until(&rig, all_up, NULL, 5000));
    unsigned taken = 0;
    for (unsigned i = 0; i < 20; i++) { /* 20 x 1004 bytes in one turn: 9 fit */
        int err = rig_send(&rig, 0, 1, (struct rig_frame){1, 1000, i});
        ck_assert(err == QKD_OK || err == QKD_ERR_LIMIT);
        taken += err == QKD_OK;
    }
    ck_assert_uint_eq(taken, 9);
    ck_assert_uint_eq(emu_net_waiting(rig.nets[0].net, 1), 9 * 1004);
    ck_assert(arrived(1, 9, 5000));
    ck_assert_int_eq(rig_send(&rig, 0, 1, (struct rig_frame){1, 9996, 99}), QKD_OK);
    ck_assert(arrived(1, 10, 5000));
    const struct emu_net_counters *counters = emu_net_counters(rig.nets[0].net, 1);
    ck_assert_uint_eq(counters->frames_dropped, 11);
    ck_assert_uint_eq(counters->bytes_dropped, 11000);
    ck_assert_uint_eq(counters->frames_out, 10);
    ck_assert_int_eq(rig_send(&rig, 0, 1, (struct rig_frame){1, 0, 1}), QKD_ERR_RANGE);
    ck_assert_int_eq(rig_send(&rig, 0, 1, (struct rig_frame){1, EMU_NET_FRAME_MAX + 1, 1}),
                     QKD_ERR_RANGE);
}
END_TEST

/* Frames to a peer that is away wait once to twice hold_ms, no longer. */
START_TEST(old_frames_are_dropped)
{
    rig.times.hold_ms = 100;
    rig_start(&rig, 2);
    ck_assert(rig_until(&rig, all_up, NULL, 5000));
    rig_net_stop(&rig, 1);
    for (unsigned i = 0; i < 5; i++) {
        ck_assert_int_eq(rig_send(&rig, 0, 1, (struct rig_frame){1, 50, i}), QKD_OK);
    }
    rig_for(&rig, 400);
    ck_assert_uint_eq(emu_net_waiting(rig.nets[0].net, 1), 0);
    ck_assert_uint_eq(emu_net_counters(rig.nets[0].net, 1)->frames_dropped, 5);
    ck_assert_uint_eq(emu_net_counters(rig.nets[0].net, 1)->bytes_dropped, 250);
}
END_TEST

/* Frames of one turn leave in few pieces; a flush after each makes a piece each. */
START_TEST(a_turn_leaves_together)
{
    rig_start(&rig, 2);
    ck_assert(rig_until(&rig, all_up, NULL, 5000));
    const struct emu_net_counters *counters = emu_net_counters(rig.nets[0].net, 1);
    uint64_t before = counters->writes;
    for (unsigned i = 0; i < 300; i++) {
        ck_assert_int_eq(rig_send(&rig, 0, 1, (struct rig_frame){1, 200, i}), QKD_OK);
    }
    emu_net_flush(rig.nets[0].net);
    ck_assert_uint_eq(counters->writes, before + 1);
    ck_assert(arrived(1, 300, 5000));
    before = counters->writes;
    for (unsigned i = 0; i < 30; i++) {
        ck_assert_int_eq(rig_send(&rig, 0, 1, (struct rig_frame){1, 200, i}), QKD_OK);
        emu_net_flush(rig.nets[0].net);
    }
    ck_assert_uint_ge(counters->writes, before + 30);
    ck_assert(arrived(1, 330, 5000));
}
END_TEST

/* The second daemon at an address is told which address it is. */
START_TEST(port_clash_is_named)
{
    struct emu_why why = {""};
    struct emu_net *second = NULL;
    rig_start(&rig, 1);
    char ca[128], certificate[128], key[128];
    snprintf(ca, sizeof ca, "%s/ca.crt", rig_folder());
    snprintf(certificate, sizeof certificate, "%s/n1.crt", rig_folder());
    snprintf(key, sizeof key, "%s/n1.key", rig_folder());
    struct emu_net_config config = {.loop = &rig.loop,
                                    .name = "n1",
                                    .listen = rig.nets[0].address,
                                    .files = {ca, certificate, key, false}};
    ck_assert_int_eq(emu_net_new(&config, &second, &why), QKD_ERR_EXISTS);
    ck_assert_ptr_nonnull(strstr(why.text, rig.nets[0].address));
    ck_assert_ptr_nonnull(strstr(why.text, "in use"));
    config.listen = "127.0.0.1";
    ck_assert_int_eq(emu_net_new(&config, &second, &why), QKD_ERR_INVALID);
    config.listen = "";
    config.name = "n2";
    ck_assert_int_eq(emu_net_new(&config, &second, &why), QKD_ERR_INVALID);
    ck_assert_ptr_nonnull(strstr(why.text, "is the certificate of 'n1'"));
    config.files.key = certificate; /* anybody may read it */
    ck_assert_int_eq(emu_net_new(&config, &second, &why), QKD_ERR_DENIED);
    ck_assert_ptr_nonnull(strstr(why.text, "n1.crt"));
    config.files.key = "/nowhere";
    ck_assert_int_eq(emu_net_new(&config, &second, &why), QKD_ERR_INVALID);
    ck_assert_ptr_nonnull(strstr(why.text, "/nowhere"));
}
END_TEST

/* A peer that is stopped without a word (no FIN: the process hangs) is found dead by both sides. */
START_TEST(silence_is_found)
{
    rig_start(&rig, 2);
    ck_assert(rig_until(&rig, all_up, NULL, 5000));
    /* Net 1 hangs: what it reads is not looked at, its times stand still. */
    struct emu_net *hung = rig.nets[1].net;
    for (struct emu_conn *conn = hung->conns; conn != NULL; conn = conn->next) {
        (void)uv_read_stop((uv_stream_t *)&conn->tcp);
    }
    (void)uv_timer_stop(&hung->tick);
    rig_for(&rig, 1000);
    ck_assert_uint_ge(emu_net_counters(rig.nets[0].net, 1)->faults[EMU_NET_FAULT_DEAD], 2);
    ck_assert_uint_ge(rig.nets[0].downs, 1);
}
END_TEST

/* Times pass with nothing to send: signs of life keep all up. */
START_TEST(idle_connections_stay)
{
    rig_start(&rig, 3);
    ck_assert(rig_until(&rig, all_up, NULL, 5000));
    rig_for(&rig, 1500);
    ck_assert(all_up(NULL));
    for (size_t i = 0; i < 3; i++) {
        ck_assert_uint_eq(rig.nets[i].downs, 0);
        ck_assert_uint_eq(rig.nets[i].faults, 0);
    }
}
END_TEST

static bool has_stopped(void *ctx)
{
    return ((struct rig_net *)ctx)->stopped;
}

/* A daemon may stop from within a call; what comes after in the same piece is not given to it. */
START_TEST(stops_within_a_call)
{
    rig_start(&rig, 2);
    ck_assert(rig_until(&rig, all_up, NULL, 5000));
    rig.nets[1].stop_after = 3;
    for (unsigned i = 0; i < 10; i++) {
        ck_assert_int_eq(rig_send(&rig, 0, 1, (struct rig_frame){1, 100, i}), QKD_OK);
    }
    ck_assert(rig_until(&rig, has_stopped, &rig.nets[1], 5000));
    ck_assert_uint_eq(rig.nets[1].frames, 3);
    ck_assert_int_eq(rig_send(&rig, 1, 0, (struct rig_frame){0, 100, 1}), QKD_ERR_STATE);
    rig_for(&rig, 20);
    ck_assert_uint_eq(emu_net_counters(rig.nets[0].net, 1)->faults[EMU_NET_FAULT_CLOSED] +
                          emu_net_counters(rig.nets[0].net, 1)->faults[EMU_NET_FAULT_LOST],
                      2); /* both directions ended */
}
END_TEST

/* A daemon that was busy longer than dead_ms finds its peers alive: what they said waits in the sockets. */
START_TEST(a_long_step_costs_no_connection)
{
    rig_start(&rig, 2);
    ck_assert(rig_until(&rig, all_up, NULL, 5000));
    for (int i = 0; i < 3; i++) {
        rig_for(&rig, 150);
        uv_sleep(900);
    }
    rig_for(&rig, 300);
    ck_assert(all_up(NULL));
    ck_assert_uint_eq(rig.nets[0].faults + rig.nets[1].faults, 0);
}
END_TEST

/* A peer that moves is found as soon as we are told, whatever pause was running. */
START_TEST(moves)
{
    rig.times.pause_ms = 60000;
    rig.times.pause_max_ms = 60000;
    rig_start(&rig, 2);
    ck_assert(rig_until(&rig, all_up, NULL, 5000));
    rig_net_stop(&rig, 1);
    rig_for(&rig, 20);
    rig.nets[1].address[0] = '\0'; /* another port */
    rig_net_start(&rig, 1, rig_folder(), "n1");
    rig_for(&rig, 100);
    ck_assert(!emu_net_is_up(rig.nets[0].net, 1));
    ck_assert_int_eq(emu_net_dial(rig.nets[0].net, 1, NULL), QKD_OK); /* the pause goes on */
    ck_assert_int_eq(emu_net_dial(rig.nets[0].net, 1, rig.nets[1].address), QKD_OK);
    ck_assert_int_eq(rig_send(&rig, 0, 1, (struct rig_frame){1, 10, 3}), QKD_OK);
    ck_assert(arrived(1, 1, 5000));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("net");
    TCase *tcase = tcase_create("net");
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, random_frames);
    tcase_add_test(tcase, dials_at_the_first_frame);
    tcase_add_test(tcase, comes_back_after_a_restart);
    tcase_add_test(tcase, queue_is_limited);
    tcase_add_test(tcase, old_frames_are_dropped);
    tcase_add_test(tcase, a_turn_leaves_together);
    tcase_add_test(tcase, port_clash_is_named);
    tcase_add_test(tcase, silence_is_found);
    tcase_add_test(tcase, idle_connections_stay);
    tcase_add_test(tcase, stops_within_a_call);
    tcase_add_test(tcase, moves);
    tcase_add_test(tcase, a_long_step_costs_no_connection);
    suite_add_tcase(suite, tcase);
    (void)rig_folder();
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    rig_folder_remove();
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
