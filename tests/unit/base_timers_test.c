/* SPDX-License-Identifier: GPL-3.0-or-later */
/* core/base/timers against a naive model (a linear search for the earliest), with fixed seeds. */
#include <check.h>
#include <stdlib.h>

#include "core/base/rng.h"
#include "core/base/timers.h"

enum { LIMIT = 150, OPS = 30000 };

struct model {
    int64_t at;
    uint64_t order; /* of the last set or move */
    uint64_t tag;
    bool pending;
};

/* The handle that must fire next, or QKD_TIMER_NONE. */
static uint32_t model_next(const struct model *model)
{
    uint32_t best = QKD_TIMER_NONE;
    for (uint32_t h = 0; h < LIMIT; h++) {
        if (model[h].pending &&
            (best == QKD_TIMER_NONE || model[h].at < model[best].at ||
             (model[h].at == model[best].at && model[h].order < model[best].order))) {
            best = h;
        }
    }
    return best;
}

static uint32_t model_count(const struct model *model)
{
    uint32_t count = 0;
    for (uint32_t h = 0; h < LIMIT; h++) {
        count += model[h].pending;
    }
    return count;
}

static void check_pop(struct qkd_timers *timers, struct model *model, int64_t now)
{
    uint32_t next = model_next(model);
    uint64_t tag = 0;
    bool due = next != QKD_TIMER_NONE && model[next].at <= now;
    ck_assert_int_eq(qkd_timers_next(timers).ns,
                     next == QKD_TIMER_NONE ? QKD_NEVER.ns : model[next].at);
    ck_assert(qkd_timers_pop(timers, (struct qkd_time){now}, &tag) == due);
    if (due) {
        ck_assert_uint_eq(tag, model[next].tag);
        model[next].pending = false;
    }
}

static void check_set(struct qkd_timers *timers, struct model *model, struct model timer)
{
    bool full = model_count(model) == LIMIT;
    uint32_t h = qkd_timers_set(timers, (struct qkd_time){timer.at}, timer.tag);
    ck_assert((h == QKD_TIMER_NONE) == full);
    if (h != QKD_TIMER_NONE) {
        ck_assert_uint_lt(h, LIMIT);
        ck_assert(!model[h].pending);
        model[h] = timer;
    }
}

START_TEST(timers_follow_model)
{
    uint8_t seed[32] = "timers test";
    seed[31] = (uint8_t)_i;
    struct qkd_rng rng;
    qkd_rng_init(&rng, seed);
    struct qkd_timers timers;
    struct model model[LIMIT] = {{0}};
    int64_t now = 0;
    qkd_timers_init(&timers, LIMIT);
    ck_assert_int_eq(qkd_timers_next(&timers).ns, QKD_NEVER.ns);
    for (uint64_t op = 1; op <= OPS; op++) {
        /* Deadlines collide on purpose: 40 values for up to 150 timers. */
        int64_t at = now + (int64_t)qkd_rng_below(&rng, 40);
        uint32_t h = (uint32_t)qkd_rng_below(&rng, LIMIT);
        uint64_t dice = qkd_rng_below(&rng, 100);
        if (dice < 45) {
            check_set(&timers, model, (struct model){at, op, op * 3, true});
        } else if (dice < 60 && model[h].pending) {
            qkd_timers_move(&timers, h, (struct qkd_time){at});
            model[h].at = at;
            model[h].order = op;
        } else if (dice < 70 && model[h].pending) {
            uint32_t handle = h;
            qkd_timers_cancel(&timers, &handle);
            ck_assert_uint_eq(handle, QKD_TIMER_NONE);
            qkd_timers_cancel(&timers, &handle);
            model[h].pending = false;
        } else {
            now += (int64_t)qkd_rng_below(&rng, 3);
            check_pop(&timers, model, now);
        }
    }
    while (timers.count > 0) {
        check_pop(&timers, model, INT64_MAX - 1);
    }
    qkd_timers_fini(&timers);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("base_timers");
    TCase *tests = tcase_create("timers");
    tcase_add_loop_test(tests, timers_follow_model, 0, 6);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
