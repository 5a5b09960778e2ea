/* SPDX-License-Identifier: GPL-3.0-or-later */
/* core/base/slab against a naive model with fixed seeds: stable pointers, zeroed and wiped items,
 * live marks, limit. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/rng.h"
#include "core/base/slab.h"

enum { LIMIT = 100, ITEM = 21, OPS = 20000 };

struct model {
    uint8_t *at;   /* where the item was when it was taken */
    uint8_t value; /* what it was filled with; 0: not in use */
};

static void check_item(const struct qkd_slab *slab, const struct model *model, uint32_t slot)
{
    ck_assert(qkd_slab_live(slab, slot) == (model[slot].value != 0));
    if (model[slot].value == 0) {
        return;
    }
    uint8_t *item = qkd_slab_at(slab, slot);
    ck_assert_ptr_eq(item, model[slot].at);
    uint8_t want[ITEM];
    memset(want, model[slot].value, ITEM);
    ck_assert_mem_eq(item, want, ITEM);
}

static void take_one(struct qkd_slab *slab, struct model *model, struct qkd_rng *rng)
{
    static const uint8_t zero[24];
    uint32_t before = slab->live;
    uint32_t slot = qkd_slab_take(slab);
    ck_assert((slot == QKD_SLAB_NONE) == (before == LIMIT));
    if (slot == QKD_SLAB_NONE) {
        return;
    }
    ck_assert_uint_lt(slot, LIMIT);
    ck_assert_uint_eq(model[slot].value, 0);
    model[slot].at = qkd_slab_at(slab, slot);
    model[slot].value = (uint8_t)(1 + qkd_rng_below(rng, 255));
    ck_assert_mem_eq(model[slot].at, zero, slab->item_size);
    ck_assert_uint_eq((uintptr_t)model[slot].at % 8, 0);
    memset(model[slot].at, model[slot].value, ITEM);
}

START_TEST(slab_follows_model)
{
    uint8_t seed[32] = "slab test";
    seed[31] = (uint8_t)_i;
    struct qkd_rng rng;
    qkd_rng_init(&rng, seed);
    struct qkd_slab slab;
    struct model model[LIMIT] = {{0}};
    qkd_slab_init(&slab, ITEM, 1U << _i, LIMIT);
    ck_assert_uint_eq(slab.item_size, 24);
    for (int op = 0; op < OPS; op++) {
        uint32_t slot = (uint32_t)qkd_rng_below(&rng, LIMIT);
        uint64_t takes = (op / 1000) % 2 == 0 ? 70 : 30;
        if (qkd_rng_below(&rng, 100) < takes) {
            take_one(&slab, model, &rng);
        } else if (model[slot].value != 0) {
            qkd_slab_give(&slab, slot);
            model[slot].value = 0;
        }
        check_item(&slab, model, slot);
    }
    uint32_t live = 0;
    for (uint32_t slot = 0; slot < LIMIT; slot++) {
        check_item(&slab, model, slot);
        live += model[slot].value != 0;
    }
    ck_assert_uint_eq(slab.live, live);
    ck_assert(!qkd_slab_live(&slab, LIMIT));
    ck_assert(!qkd_slab_live(&slab, QKD_SLAB_NONE));
    qkd_slab_fini(&slab);
    ck_assert_uint_eq(slab.live, 0);
}
END_TEST

/* A freed item is wiped at once, not when it is taken again. */
START_TEST(slab_wipes)
{
    struct qkd_slab slab;
    qkd_slab_init(&slab, 16, 4, 4);
    uint32_t slot = qkd_slab_take(&slab);
    uint8_t *item = qkd_slab_at(&slab, slot);
    memset(item, 0x5a, 16);
    qkd_slab_give(&slab, slot);
    for (unsigned i = 0; i < 16; i++) {
        ck_assert_uint_eq(item[i], 0);
    }
    qkd_slab_fini(&slab);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("base_slab");
    TCase *tests = tcase_create("slab");
    tcase_add_loop_test(tests, slab_follows_model, 0, 8);
    tcase_add_test(tests, slab_wipes);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
