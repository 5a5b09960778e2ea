/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Key supply agents, module and application agents under a heap that is counted: in the steady
 * state a supply, a fetch and a deletion allocate nothing; when memory ends at the start, new() says
 * so and leaks nothing (the sanitizer looks). */
#include <check.h>
#include <stdlib.h>

#include "core/app/app.h"
#include "core/base/err.h"
#include "core/crypto/crypto.h"
#include "core/module/module.h"
#include "tests/lib/alloc_count.h"
#include "tests/lib/ksa_net.h"

static struct ksa_net net;
static uint64_t allocations;

static int counted_step(void *ksa, const struct qkd_event *event, struct qkd_out *out)
{
    alloc_count_begin();
    int err = ksa_step(ksa, event, out);
    allocations += alloc_count_end();
    return err;
}

static void supply_fetch_delete(uint64_t session, uint32_t count)
{
    struct qkd_id ids[16];
    ksn_supply(&net, (uint8_t)session, count, session, ids);
    for (uint32_t i = 0; i < count; i++) {
        (void)ksn_fetch(&net, net.slave, &ids[i], session);
    }
    struct wire_key_delete command = {.source_id = NET_MASTER,
                                      .target_id = NET_SLAVE,
                                      .session_id = session,
                                      .application_code = WIRE_FOR_ENCRYPTION};
    PUPPET_SEND(net.master, key_delete, QKD_RP_AK, NET_KSA(NET_A), &command);
    ksn_run(&net, 10);
    puppet_forget(net.kma[0]);
    puppet_forget(net.kma[1]);
    puppet_forget(net.kmc[0]);
    puppet_forget(net.kmc[1]);
    puppet_forget(net.master);
    puppet_forget(net.slave);
}

START_TEST(nothing_in_the_steady_state)
{
    ksn_init(&net, 1);
    net.step = counted_step;
    for (int i = 0; i < 2; i++) {
        net.config[i].fetch_within = qkd_span_ms(500);
        net.config[i].request_limit = 16;
    }
    ksn_start(&net);
    for (uint64_t i = 0; i < 150; i++) {
        supply_fetch_delete(i, 1 + (uint32_t)(i % 4));
    }
    ck_assert_uint_gt(allocations, 0);
    allocations = 0;
    for (uint64_t i = 1000; i < 1100; i++) {
        supply_fetch_delete(i, 1 + (uint32_t)(i % 4));
    }
    ck_assert_uint_eq(allocations, 0);
    ksn_free(&net);
}
END_TEST

/* Each allocation of new() fails once. */
START_TEST(new_without_memory)
{
    struct km_config km;
    ksn_init(&net, 1);
    km = net.config[0];
    pump_free(net.p);
    struct mod_config module = {.self = qkd_eid_make(QKD_ROLE_MODULE, 0, 1),
                                .retransmit = qkd_span_ms(1),
                                .status_period = qkd_span_s(1),
                                .queue_limit = 4};
    struct app_config application = {.self = NET_MASTER,
                                     .partner = NET_SLAVE,
                                     .key_bits = 256,
                                     .timeout = qkd_span_s(1),
                                     .retransmit = qkd_span_ms(1),
                                     .limit = 4};
    int failures = 0;
    for (int64_t n = 0; n < 20; n++) {
        struct ksa *ksa;
        struct mod *mod;
        struct app *app;
        alloc_count_begin_failing(n);
        int err_ksa = ksa_new(&km, &ksa);
        (void)alloc_count_end();
        alloc_count_begin_failing(n);
        int err_mod = mod_new(&module, &mod);
        (void)alloc_count_end();
        alloc_count_begin_failing(n);
        int err_app = app_new(&application, &app);
        (void)alloc_count_end();
        ck_assert(err_ksa == (ksa == NULL ? QKD_ERR_NOMEM : QKD_OK));
        ck_assert(err_mod == (mod == NULL ? QKD_ERR_NOMEM : QKD_OK));
        ck_assert(err_app == (app == NULL ? QKD_ERR_NOMEM : QKD_OK));
        failures += (ksa == NULL) + (mod == NULL) + (app == NULL);
        ksa_free(ksa);
        mod_free(mod);
        app_free(app);
    }
    ck_assert_int_ge(failures, 6); /* the element and its channels, of each */
    ck_assert_int_lt(failures, 60);
}
END_TEST

int main(void)
{
    if (crypto_init() != 0) {
        return EXIT_FAILURE;
    }
    Suite *suite = suite_create("ksa_alloc");
    TCase *c = tcase_create("alloc");
    tcase_set_timeout(c, 60);
    tcase_add_test(c, nothing_in_the_steady_state);
    tcase_add_test(c, new_without_memory);
    suite_add_tcase(suite, c);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
