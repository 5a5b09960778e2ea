/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The oracle on sessions with a guaranteed rate (docs/oracle.md), against a script: A - B - C in a line
 * (tests/lib/oracle_rig.h), controller at A. What a correct controller says at Ck passes; then each rule is broken
 * once, and the oracle must name it. A relayed key of 256 bit takes 1,488 bit of each link, one between neighbours
 * 640; the optics of both links say 10 kbit/s, of which 0.9 may be reserved: six relayed keys per second. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "tests/lib/oracle_rig.h"

#define CONTROLLER qkd_eid_make(QKD_ROLE_CONTROLLER, 0, 0)
#define KMC(node) qkd_eid_make(QKD_ROLE_KMC, 0, (node))

static struct rig *rig;

static void setup(void)
{
    rig = rig_new();
    for (uint32_t link = 0; link < 2; link++) {
        uint8_t key[32] = {1};
        struct wire_q_block block = {
            .key_length = 800, .form = 1, .key = {key, sizeof key}, .rate_bps = 10000};
        block.qkd_key_id.b[0] = (uint8_t)(link + 1);
        watch_oracle_block(rig->oracle, rig->now_ns, link, &block,
                           qkd_eid_make(QKD_ROLE_MODULE, link, link));
    }
}

static void teardown(void)
{
    rig_free(rig);
}

static void asked(uint32_t from, uint32_t to, uint64_t session)
{
    struct wire_reserve message = {.head = rig_head(rig, QKD_RP_CK, KMC(from)),
                                   .source_id = rig_kma(from),
                                   .destination_id = rig_kma(to),
                                   .session_id = session,
                                   .key_size = 256,
                                   .key_amount = 1,
                                   .batch = 1,
                                   .rate_bps = 256};
    uint8_t bytes[256];
    int len = wire_reserve_encode(&message, bytes, sizeof bytes);
    ck_assert_int_gt(len, 0);
    rig_message(rig, QKD_RP_CK, KMC(from), CONTROLLER, bytes, (size_t)len);
}

struct grant {
    uint32_t to;
    uint64_t session;
    uint64_t link_bps; /* 0: refused */
    uint32_t links[2];
    unsigned count;
};

static void answered(struct grant g)
{
    uint8_t links[8];
    wire_put_u32(links, g.links[0]);
    wire_put_u32(links + 4, g.links[1]);
    bool is_held = g.link_bps > 0;
    struct wire_reserve_rsp message = {.head = rig_head(rig, QKD_RP_CK, CONTROLLER),
                                       .session_id = g.session,
                                       .has_links = is_held,
                                       .links = {links, 4U * g.count},
                                       .has_link_bps = is_held,
                                       .link_bps = g.link_bps,
                                       .has_reason = !is_held,
                                       .reason = is_held ? 0 : WIRE_REASON_NO_CAPACITY,
                                       .code = is_held ? WIRE_SUCCESS : WIRE_FAILURE};
    uint8_t bytes[256];
    int len = wire_reserve_rsp_encode(&message, bytes, sizeof bytes);
    ck_assert_int_gt(len, 0);
    rig_message(rig, QKD_RP_CK, CONTROLLER, KMC(g.to), bytes, (size_t)len);
}

/* A holds session `session` to C. */
static void held(uint64_t session)
{
    asked(0, 2, session);
    answered((struct grant){0, session, 1488, {0, 1}, 2});
}

/* orig 0: the controller ends it by itself. */
static void released(uint32_t to, uint64_t session, uint64_t orig, uint8_t code)
{
    struct wire_release_rsp message = {.head = rig_head(rig, QKD_RP_CK, CONTROLLER),
                                       .session_id = session,
                                       .code = code};
    message.head.orig_message_id = orig;
    uint8_t bytes[256];
    int len = wire_release_rsp_encode(&message, bytes, sizeof bytes);
    ck_assert_int_gt(len, 0);
    rig_message(rig, QKD_RP_CK, CONTROLLER, KMC(to), bytes, (size_t)len);
}

static void controller_node(struct watch_oracle *oracle, int64_t now_ns)
{
    watch_oracle_crash(oracle, now_ns, 0);
}

START_TEST(what_is_right_passes)
{
    for (uint64_t i = 1; i <= 6; i++) {
        held(i);
        held(i); /* renewed */
    }
    asked(0, 2, 7);
    answered((struct grant){.to = 0, .session = 7});
    released(0, 1, 99, WIRE_SUCCESS);
    released(0, 1, 98, WIRE_FAILURE);
    held(8);
    released(0, 2, 0, WIRE_SUCCESS); /* lapsed */
    held(2);                         /* taken up again */
    asked(1, 2, 1);                  /* of another KM */
    ck_assert_str_eq(rig_first(rig), "");
    released(0, 3, 97, WIRE_SUCCESS);
    answered((struct grant){1, 1, 640, {1}, 1});
    /* the controller restarts: its table is empty, its optics' rate is not */
    if (_i == 0) {
        controller_node(rig->oracle, rig->now_ns);
    } else {
        watch_oracle_crash_controller(rig->oracle, rig->now_ns, 0);
    }
    for (uint64_t i = 11; i <= 16; i++) {
        held(i);
    }
    /* nine status periods later they have lapsed, although nobody could be told */
    rig->now_ns += INT64_C(10000000000);
    for (uint64_t i = 21; i <= 26; i++) {
        held(i);
    }
    ck_assert_str_eq(rig_first(rig), "");
}
END_TEST

static void too_much(void)
{
    for (uint64_t i = 1; i <= 7; i++) {
        held(i);
    }
}

static void for_nobody(void)
{
    answered((struct grant){0, 1, 1488, {0, 1}, 2});
}

static void on_no_way(void)
{
    asked(0, 2, 1);
    answered((struct grant){0, 1, 1488, {1, 0}, 2});
}

static void too_short(void)
{
    asked(0, 2, 1);
    answered((struct grant){0, 1, 640, {0}, 1});
}

static void too_little(void)
{
    asked(0, 2, 1);
    answered((struct grant){0, 1, 1487, {0, 1}, 2});
}

static void refused_while_held(void)
{
    held(1);
    answered((struct grant){.to = 0, .session = 1});
}

static void held_anew(void)
{
    held(1);
    released(0, 1, 9, WIRE_SUCCESS);
    held(1);
}

static void released_twice(void)
{
    held(1);
    released(0, 1, 9, WIRE_SUCCESS);
    released(0, 1, 9, WIRE_SUCCESS);
}

static void released_from_nothing(void)
{
    released(0, 1, 9, WIRE_SUCCESS);
}

static void not_given_back(void)
{
    held(1);
    released(0, 1, 9, WIRE_FAILURE);
}

static const struct {
    void (*make)(void);
    const char *found;
} mistakes[] = {
    {too_much,
     "sessions: more reserved on a link than it can give; controller A -> KMC A RESERVE_RSP, "
     "link AB"},
    {for_nobody, "sessions: reserved what nobody asked for"},
    {on_no_way, "sessions: reserved on no way"},
    {too_short, "sessions: reserved on no way"},
    {too_little, "sessions: reserved on no way, or not what the rate costs"},
    {refused_while_held, "sessions: refused while it is held"},
    {held_anew, "sessions: held again after its release"},
    {released_twice, "sessions: released what is not held"},
    {released_from_nothing, "sessions: released what is not held"},
    {not_given_back, "sessions: held after its release"},
};

START_TEST(mistake_is_found)
{
    mistakes[_i].make();
    const char *first = rig_first(rig);
    ck_assert_msg(strncmp(first, mistakes[_i].found, strlen(mistakes[_i].found)) == 0,
                  "expected \"%s\", got \"%s\"", mistakes[_i].found, first);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("oracle, sessions");
    TCase *tc = tcase_create("oracle, sessions");
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_loop_test(tc, what_is_right_passes, 0, 2);
    tcase_add_loop_test(tc, mistake_is_found, 0, (int)(sizeof mistakes / sizeof mistakes[0]));
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
