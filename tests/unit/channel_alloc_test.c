/* SPDX-License-Identifier: GPL-3.0-or-later */
/* core/channel allocates nothing per message once it is warm, and survives every single failure of
 * the heap: nothing leaks (the sanitizer sees that), nothing comes up half, and the channel works
 * when memory is back. Topology: two KMAs at Kx-1, no network between them. */
#include <check.h>
#include <stdlib.h>

#include "core/base/err.h"
#include "core/channel/channel.h"
#include "core/crypto/crypto.h"
#include "tests/lib/alloc_count.h"

struct end {
    struct qkd_eid eid;
    struct chan_set *set;
    struct qkd_rng rng;
    struct qkd_out out;
    unsigned data;
};

static const uint8_t text[4000];

static int end_init(struct end *end, uint32_t node)
{
    uint8_t seed[32] = {(uint8_t)node};
    *end = (struct end){.eid = qkd_eid_make(QKD_ROLE_KMA, 0, node)};
    qkd_out_init(&end->out, 1 << 20);
    qkd_rng_init(&end->rng, seed);
    struct chan_config config = {.self = end->eid, .limit = 4, .retransmit = qkd_span_ms(10)};
    int err = chan_set_new(&config, &end->set);
    if (err == QKD_OK) {
        chan_set_start(end->set, 1, &end->rng);
    }
    return err;
}

static void end_fini(struct end *end)
{
    chan_set_free(end->set);
    qkd_out_fini(&end->out);
}

/* Hands everything `from` has sent to `to`; a failed batch is dropped, as a world does. */
static bool carry(struct end *from, struct end *to)
{
    struct chan_message message;
    bool any = false;
    size_t count = from->out.failed ? 0 : from->out.send_count;
    for (size_t i = 0; i < count; i++) {
        struct qkd_event event = {.type = QKD_EV_RECV, .now = {QKD_NS_PER_S}};
        event.u.recv.rp = from->out.send[i].rp;
        event.u.recv.from = from->eid;
        event.u.recv.to = to->eid;
        event.u.recv.bytes = qkd_out_at(&from->out, from->out.send[i].bytes);
        event.u.recv.len = from->out.send[i].bytes.len;
        to->data += chan_receive(to->set, &event, &to->out, &message) == CHAN_DATA;
        any = true;
    }
    qkd_out_reset(&from->out);
    return any;
}

static void settle(struct end *a, struct end *b)
{
    bool more = true;
    while (more) {
        bool there = carry(a, b);
        bool back = carry(b, a);
        more = there || back;
    }
}

/* Provisions both; sends one message each way and lets it arrive. */
static void talk(struct end *a, struct end *b, int64_t now_ns)
{
    static const uint8_t secret[32] = {9};
    struct qkd_event event = {.type = QKD_EV_TIMEOUT, .now = {now_ns}};
    struct chan_send there = {.rp = QKD_RP_KX1, .peer = b->eid, .message = text, .len = 100};
    struct chan_send back = {.rp = QKD_RP_KX1, .peer = a->eid, .message = text, .len = 100};
    chan_provision(a->set, &event, QKD_RP_KX1, b->eid, secret, &a->out);
    chan_provision(b->set, &event, QKD_RP_KX1, a->eid, secret, &b->out);
    chan_timeout(a->set, &event, &a->out);
    chan_timeout(b->set, &event, &b->out);
    settle(a, b);
    chan_send(a->set, &event, &there, &a->out);
    settle(a, b);
    chan_send(b->set, &event, &back, &b->out);
    settle(a, b);
}

START_TEST(warm_messages)
{
    struct end a, b;
    struct qkd_event event = {.type = QKD_EV_TIMEOUT, .now = {QKD_NS_PER_S}};
    ck_assert_int_eq(end_init(&a, 1), 0);
    ck_assert_int_eq(end_init(&b, 2), 0);
    talk(&a, &b, QKD_NS_PER_S);
    struct chan_send big = {.rp = QKD_RP_KX1, .peer = b.eid, .message = text, .len = sizeof text};
    ck_assert_int_eq(chan_send(a.set, &event, &big, &a.out), QKD_OK);
    settle(&a, &b);
    unsigned before = b.data;
    bool good = true;
    alloc_count_begin();
    for (unsigned i = 0; i < 1000; i++) {
        struct chan_send send = {.rp = QKD_RP_KX1, .peer = b.eid, .message = text};
        send.len = i * 4;
        good = good && chan_send(a.set, &event, &send, &a.out) == QKD_OK;
        settle(&a, &b);
    }
    ck_assert_uint_eq(alloc_count_end(), 0);
    ck_assert(good);
    ck_assert_uint_eq(b.data, before + 1000);
    end_fini(&a);
    end_fini(&b);
}
END_TEST

/* The n-th allocation of the whole story fails, for every n the story has. */
START_TEST(every_failure)
{
    int64_t allocations = 1;
    for (int64_t n = -1; n < allocations; n++) {
        struct end a, b;
        alloc_count_begin_failing(n);
        bool started = end_init(&a, 1) == QKD_OK;
        started = end_init(&b, 2) == QKD_OK && started;
        if (started) {
            talk(&a, &b, QKD_NS_PER_S);
        }
        int64_t calls = (int64_t)alloc_count_end();
        allocations = n < 0 ? calls : allocations;
        for (int64_t again = 1; started && again <= 20; again++) {
            talk(&a, &b, QKD_NS_PER_S + again * 10 * QKD_NS_PER_MS);
        }
        ck_assert(!started ||
                  (chan_is_up(a.set, QKD_RP_KX1, b.eid) && chan_is_up(b.set, QKD_RP_KX1, a.eid)));
        ck_assert(!started || (a.data >= 2 && b.data >= 2));
        end_fini(&a);
        end_fini(&b);
    }
    ck_assert_int_gt(allocations, 15); /* the story did take place */
}
END_TEST

int main(void)
{
    if (crypto_init() != 0) {
        return 1;
    }
    Suite *suite = suite_create("channel_alloc");
    TCase *tests = tcase_create("alloc");
    tcase_add_test(tests, warm_messages);
    tcase_add_test(tests, every_failure);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
