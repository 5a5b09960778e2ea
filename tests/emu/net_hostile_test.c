/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Who must not get in (emu/net/net.h): wrong certificates, other protocols, slow and loud strangers. Each is
 * cut off and counted under its name, nothing of it reaches the daemon, and honest peers go on. */
#include <check.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/base/err.h"
#include "emu/net/net.h"
#include "tests/lib/emu_rig.h"

static struct rig rig;
static struct rig_client client;

static bool is_up(void *ctx)
{
    (void)ctx;
    return emu_net_is_up(rig.nets[0].net, 1) && emu_net_is_up(rig.nets[1].net, 0);
}

/* n0 and n1 know each other and talk all along. */
static void setup(void)
{
    (void)signal(SIGPIPE, SIG_IGN);
    rig_init(&rig);
    rig_start(&rig, 2);
    ck_assert(rig_until(&rig, is_up, NULL, 5000));
}

static void teardown(void)
{
    rig_fini(&rig);
}

static uint64_t stranger_faults(enum emu_net_fault fault)
{
    return emu_net_counters(rig.nets[0].net, EMU_NET_NOBODY)->faults[fault];
}

/* n1 sends to n0; it arrives, and the connection is the first one still. */
static void honest_go_on(void)
{
    static uint64_t seed = 100;
    size_t before = rig.nets[0].frames;
    ck_assert_int_eq(rig_send(&rig, 1, 0, (struct rig_frame){0, 500, ++seed}), QKD_OK);
    for (int i = 0; i < 200 && rig.nets[0].frames == before; i++) {
        rig_for(&rig, 5);
    }
    ck_assert_uint_eq(rig.nets[0].frames, before + 1);
    ck_assert_uint_eq(rig.nets[0].log[before].hash, rig_frame_hash(seed, 500));
    ck_assert_uint_eq(emu_net_counters(rig.nets[1].net, 0)->ups_out, 1);
}

static bool client_done(void *ctx)
{
    (void)ctx;
    rig_client_turn(&client);
    return client.over;
}

static bool client_ends(unsigned ms)
{
    for (unsigned t = 0; t < ms && !client_done(NULL); t += 5) {
        rig_for(&rig, 5);
    }
    return client.over;
}

/* A TLS client with these papers is cut off for this reason. */
static void refused(const char *who, int version, enum emu_net_fault fault)
{
    uint64_t before = stranger_faults(fault);
    rig_client_init(&rig, &client, 0);
    rig_client_tls(&client, who, version);
    ck_assert_msg(client_ends(3000), "%s is still there", who == NULL ? "nobody" : who);
    ck_assert_msg(stranger_faults(fault) == before + 1, "%s: %s", who == NULL ? "nobody" : who,
                  rig.nets[0].fault);
    rig_client_fini(&client);
    honest_go_on();
}

START_TEST(wrong_papers)
{
    refused("x", TLS1_3_VERSION, EMU_NET_FAULT_NAME);      /* a daemon of ours, but no peer */
    refused("sae.n1", TLS1_3_VERSION, EMU_NET_FAULT_NAME); /* an SAE whose ID is a peer's name */
    refused("other.n1", TLS1_3_VERSION, EMU_NET_FAULT_CERTIFICATE); /* of another CA */
    refused("old.n1", TLS1_3_VERSION, EMU_NET_FAULT_CERTIFICATE);   /* expired */
    refused(NULL, TLS1_3_VERSION, EMU_NET_FAULT_CERTIFICATE);       /* none */
    refused("n1", TLS1_2_VERSION, EMU_NET_FAULT_TLS);               /* good, but TLS 1.2 */
    ck_assert_uint_eq(emu_net_counters(rig.nets[0].net, 1)->ups_in, 1);
}
END_TEST

START_TEST(no_tls_at_all)
{
    static const char *const texts[] = {"GET / HTTP/1.1\r\nHost: a\r\n\r\n",
                                        "\x16\x03\x01\xff\xff\x01\xff\xff\xff\xff\xff\xff",
                                        "\0\0\0\1a"};
    static const size_t lens[] = {28, 12, 5};
    for (int i = 0; i < 3; i++) {
        uint64_t before = stranger_faults(EMU_NET_FAULT_TLS);
        rig_client_init(&rig, &client, 0);
        ck_assert_int_eq(send(client.fd, texts[i], lens[i], 0), (ssize_t)lens[i]);
        ck_assert(client_ends(3000));
        ck_assert_uint_eq(stranger_faults(EMU_NET_FAULT_TLS), before + 1);
        rig_client_fini(&client);
        honest_go_on();
    }
}
END_TEST

/* One byte at a time of a handshake that would be good: the time counts from the beginning. */
START_TEST(slow_loris)
{
    static const uint8_t hello[] = {0x16, 0x03, 0x01, 0x02, 0x00, 0x01, 0x00, 0x01, 0xfc, 0x03};
    rig_client_init(&rig, &client, 0);
    for (unsigned i = 0; i < 200 && !client.over; i++) {
        if (i % 20 == 0 && i / 20 < sizeof hello) {
            (void)send(client.fd, hello + i / 20, 1, MSG_NOSIGNAL);
        }
        (void)client_ends(5);
    }
    ck_assert(client.over); /* 0.8 s, while the bytes would have lasted for 1 s */
    ck_assert_uint_eq(stranger_faults(EMU_NET_FAULT_SLOW), 1);
    rig_client_fini(&client);
    honest_go_on();
}
END_TEST

/* More strangers than may shake hands at once: the oldest goes, an honest daemon gets in. */
START_TEST(crowd)
{
    enum { CROWD = 100 };
    static struct rig_client many[CROWD];
    for (int i = 0; i < CROWD; i++) {
        rig_client_init(&rig, &many[i], 0);
    }
    for (int i = 0; i < 100 && stranger_faults(EMU_NET_FAULT_CROWD) < CROWD - (64 + 2 * RIG_NETS);
         i++) {
        rig_for(&rig, 50);
    }
    ck_assert_uint_eq(stranger_faults(EMU_NET_FAULT_CROWD), CROWD - (64 + 2 * RIG_NETS));
    rig_client_init(&rig, &client, 0);
    rig_client_tls(&client, "n1", TLS1_3_VERSION);
    for (int i = 0; i < 200 && emu_net_counters(rig.nets[0].net, 1)->ups_in < 2; i++) {
        (void)client_ends(5);
    }
    ck_assert_uint_eq(emu_net_counters(rig.nets[0].net, 1)->ups_in, 2);
    rig_client_fini(&client);
    for (int i = 0; i < CROWD; i++) {
        rig_client_fini(&many[i]);
    }
    rig_for(&rig, 100);
    ck_assert_uint_eq(stranger_faults(EMU_NET_FAULT_LOST), 64 + 2 * RIG_NETS - 1);
}
END_TEST

/* Strangers who come again and again wait for themselves: handshakes begin at 25/s, after four quiet seconds' worth
 * and four for each peer, and those we talk to do not notice. */
START_TEST(handshakes_have_a_rate)
{
    enum { FLOOD = 250, PER_S = 25, AT_ONCE = 4 * (PER_S + RIG_NETS) };
    static struct rig_client many[FLOOD];
    uint64_t begin_ns = uv_hrtime();
    for (int i = 0; i < FLOOD; i++) {
        rig_client_init(&rig, &many[i], 0);
        ck_assert_int_eq(send(many[i].fd, "GET / HTTP/1.1\r\n\r\n", 18, MSG_NOSIGNAL), 18);
    }
    rig_for(&rig, 1500);
    uint64_t begun = stranger_faults(EMU_NET_FAULT_TLS);
    uint64_t seconds = (uv_hrtime() - begin_ns) / 1000000000 + 1;
    ck_assert_uint_ge(begun, 4 * PER_S);
    ck_assert_uint_le(begun, AT_ONCE + PER_S * seconds);
    honest_go_on();
    for (int i = 0; i < FLOOD; i++) {
        rig_client_fini(&many[i]);
    }
}
END_TEST

static void client_sends(const void *bytes, int len)
{
    for (int i = 0; i < 200 && !client.up; i++) {
        (void)client_ends(5);
    }
    ck_assert(client.up);
    ck_assert_int_eq(SSL_write(client.ssl, bytes, len), len);
}

/* A good certificate does not help: too long a frame ends the connection before it is there. */
START_TEST(oversized_frame)
{
    const uint32_t len = EMU_NET_FRAME_MAX + 1;
    const uint8_t head[] = {(uint8_t)(len >> 24), (uint8_t)(len >> 16), (uint8_t)(len >> 8),
                            (uint8_t)len, 'a'};
    const struct emu_net_counters *n1 = emu_net_counters(rig.nets[0].net, 1);
    rig_client_init(&rig, &client, 0);
    rig_client_tls(&client, "n1", TLS1_3_VERSION);
    client_sends(head, sizeof head);
    ck_assert(client_ends(3000));
    ck_assert_uint_eq(n1->faults[EMU_NET_FAULT_OVERSIZE], 1);
    ck_assert_uint_eq(n1->faults[EMU_NET_FAULT_REPLACED], 1); /* the newest of a name counts */
    ck_assert_uint_eq(n1->frames_in, 0);
    rig_client_fini(&client);
    /* The true n1 was replaced, and comes back by itself. */
    for (int i = 0; i < 400 && n1->ups_in < 3; i++) {
        rig_for(&rig, 5);
    }
    ck_assert_uint_eq(n1->ups_in, 3);
}
END_TEST

static size_t allocated(void)
{
    struct mallinfo2 info = mallinfo2();
    return info.uordblks + info.hblkhd; /* large ones are mapped apart */
}

/* A peer that makes us answer and does not read: what it did not take does not pile up. */
START_TEST(signs_never_read)
{
    static const uint8_t signs[16000]; /* 4,000 of length 0 */
    size_t sent = 0;
    rig_net_stop(&rig, 1);
    rig_client_init(&rig, &client, 0);
    rig_client_tls(&client, "n1", TLS1_3_VERSION);
    for (int i = 0; i < 200 && !client.up; i++) {
        (void)client_ends(5);
    }
    ck_assert(client.up);
    size_t before = allocated();
    for (uint64_t end_ms = uv_now(&rig.loop) + 20000; sent < 1000 && uv_now(&rig.loop) < end_ms;) {
        sent += SSL_write(client.ssl, signs, sizeof signs) == (int)sizeof signs;
        (void)uv_run(&rig.loop, UV_RUN_NOWAIT);
    }
    size_t after = allocated();
    ck_assert_uint_eq(sent, 1000); /* all were read: four million signs, 26 bytes of answer each */
    ck_assert_msg(after < before + 1000000, "%zu bytes more", after - before);
    ck_assert_uint_eq(emu_net_counters(rig.nets[0].net, 1)->ups_in, 2);
    rig_client_fini(&client);
}
END_TEST

/* Cut off in the middle of a frame: what came of it is not given to anybody. */
START_TEST(half_a_frame)
{
    static const uint8_t half[] = {0, 0, 0, 10, 'a', 'b', 'c'};
    rig_net_stop(&rig, 1); /* it would come back and replace us */
    rig_client_init(&rig, &client, 0);
    rig_client_tls(&client, "n1", TLS1_3_VERSION);
    client_sends(half, sizeof half);
    rig_for(&rig, 50);
    rig_client_fini(&client);
    rig_for(&rig, 50);
    ck_assert_uint_eq(rig.nets[0].frames, 0);
    ck_assert_uint_eq(emu_net_counters(rig.nets[0].net, 1)->faults[EMU_NET_FAULT_LOST], 1);
}
END_TEST

/* The dialled side, too: who answers must be the very peer, by our CA, and in time. */
static void dial_refused(const char *folder, const char *who, enum emu_net_fault fault)
{
    const struct emu_net_counters *n1 = emu_net_counters(rig.nets[0].net, 1);
    rig_net_stop(&rig, 1);
    rig_for(&rig, 30);
    rig.nets[1].frames = 0;
    uint64_t before = n1->faults[fault];
    uint64_t ups = n1->ups_out;
    rig_net_start(&rig, 1, folder, who);
    for (int i = 0; i < 400 && n1->faults[fault] == before; i++) {
        (void)rig_send(&rig, 0, 1, (struct rig_frame){1, 100, 5});
        rig_for(&rig, 5);
    }
    ck_assert_msg(n1->faults[fault] > before, "%s: %s", who, rig.nets[0].fault);
    ck_assert_uint_eq(n1->ups_out, ups);
    ck_assert_uint_eq(rig.nets[1].frames, 0);
}

START_TEST(wrong_daemon_answers)
{
    char other[128];
    snprintf(other, sizeof other, "%s/other", rig_folder());
    dial_refused(rig_folder(), "x", EMU_NET_FAULT_NAME);
    dial_refused(rig_folder(), "old.n1", EMU_NET_FAULT_CERTIFICATE);
    dial_refused(rig_folder(), "other.n1", EMU_NET_FAULT_CERTIFICATE);
    rig_net_stop(&rig, 1);
    rig_net_start(&rig, 1, rig_folder(), "n1");
    ck_assert_int_eq(emu_net_dial(rig.nets[1].net, 0, rig.nets[0].address), QKD_OK);
    ck_assert(rig_until(&rig, is_up, NULL, 5000));
}
END_TEST

/* Random bytes inside a handshake and inside a session, many times: no crash, nobody gets in. */
START_TEST(noise)
{
    unsigned state = 99;
    uint8_t bytes[300];
    for (int round = 0; round < 40; round++) {
        rig_client_init(&rig, &client, 0);
        for (size_t i = 0; i < sizeof bytes; i++) {
            state = state * 1103515245 + 12345;
            bytes[i] = (uint8_t)(state >> 16);
        }
        if (round % 2 == 0) { /* in a record with a right head */
            bytes[0] = (uint8_t)(20 + state % 5);
            bytes[1] = 3;
            bytes[2] = 1;
            bytes[3] = 0;
            bytes[4] = (uint8_t)(state >> 8);
        } else {
            rig_client_tls(&client, "n2", TLS1_3_VERSION);
            for (int i = 0; i < 100 && !client.up; i++) {
                (void)client_ends(5);
            }
            ck_assert(client.up);
        }
        (void)send(client.fd, bytes, sizeof bytes, MSG_NOSIGNAL);
        (void)client_ends(100);
        rig_client_fini(&client);
    }
    rig_for(&rig, 50);
    ck_assert_uint_eq(rig.nets[0].frames, 0);
    ck_assert_uint_ge(stranger_faults(EMU_NET_FAULT_TLS), 10);
    honest_go_on();
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("net_hostile");
    TCase *tcase = tcase_create("net_hostile");
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, wrong_papers);
    tcase_add_test(tcase, no_tls_at_all);
    tcase_add_test(tcase, slow_loris);
    tcase_add_test(tcase, crowd);
    tcase_add_test(tcase, handshakes_have_a_rate);
    tcase_add_test(tcase, oversized_frame);
    tcase_add_test(tcase, signs_never_read);
    tcase_add_test(tcase, half_a_frame);
    tcase_add_test(tcase, wrong_daemon_answers);
    tcase_add_test(tcase, noise);
    suite_add_tcase(suite, tcase);
    (void)rig_folder();
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    rig_folder_remove();
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
