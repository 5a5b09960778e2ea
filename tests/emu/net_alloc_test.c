/* SPDX-License-Identifier: GPL-3.0-or-later */
/* In the steady state a frame costs no allocation (emu/net/net.h): none of ours, none of libuv's, and of
 * OpenSSL's only those few that it makes for each TLS record, which holds many frames. All three are
 * counted: ours by the linker (tests/lib/alloc_count.h), theirs by their hooks. */
#include <check.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include <openssl/crypto.h>

#include "core/base/err.h"
#include "tests/lib/alloc_count.h"
#include "tests/lib/emu_rig.h"

/* Theirs go past the count of ours, and never fail: libuv would abort, OpenSSL is not what is tested. */
void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *old, size_t size);

static uint64_t ssl_count, uv_count;

static void *ssl_malloc(size_t size, const char *file, int line)
{
    (void)file;
    (void)line;
    ssl_count++;
    return __real_malloc(size);
}

static void *ssl_realloc(void *at, size_t size, const char *file, int line)
{
    (void)file;
    (void)line;
    ssl_count++;
    return __real_realloc(at, size);
}

static void ssl_free(void *at, const char *file, int line)
{
    (void)file;
    (void)line;
    free(at);
}

static void *uv_malloc(size_t size)
{
    uv_count++;
    return __real_malloc(size);
}

static void *uv_calloc(size_t count, size_t size)
{
    uv_count++;
    return __real_calloc(count, size);
}

static void *uv_realloc(void *at, size_t size)
{
    uv_count++;
    return __real_realloc(at, size);
}

static struct rig rig;

/* What goes to net 1: three frames of different sizes a turn, in one record. */
static void turns(unsigned count)
{
    static const uint8_t bytes[3000];
    for (unsigned i = 0; i < count; i++) {
        size_t before = rig.nets[1].frames;
        for (size_t k = 0; k < 3; k++) {
            const struct emu_net_part parts[] = {{bytes, 17}, {bytes, 100 + 1100 * k}};
            QKD_ASSERT(emu_net_send(rig.nets[0].net, 1, parts, 2) == QKD_OK);
        }
        while (rig.nets[1].frames < before + 3) {
            (void)uv_run(&rig.loop, UV_RUN_ONCE);
        }
    }
}

START_TEST(no_allocation_per_frame)
{
    rig_init(&rig);
    rig_start(&rig, 2);
    turns(100); /* connects, and queues grow */
    uint64_t ssl_before = ssl_count;
    uint64_t uv_before = uv_count;
    alloc_count_begin();
    turns(1000);
    uint64_t ours = alloc_count_end();
    /* OpenSSL 3.0: three pieces of 40 bytes for a record sealed, one for a record opened. */
    ck_assert_uint_le(ssl_count - ssl_before,
                      4 * 1100); /* signs of life and split writes add some */
    ck_assert_uint_eq(uv_count - uv_before, 0);
    ck_assert_uint_eq(ours, 0);
    ck_assert_uint_gt(ssl_before, 100); /* the hooks do count */
    ck_assert_uint_gt(uv_before, 0);
    rig_fini(&rig);
}
END_TEST

/* A net that cannot be made for want of memory says so and leaves nothing behind. */
START_TEST(no_memory_to_begin)
{
    rig_init(&rig);
    const char *folder = rig_folder();
    char ca[128], certificate[128], key[128];
    snprintf(ca, sizeof ca, "%s/ca.crt", folder);
    snprintf(certificate, sizeof certificate, "%s/n0.crt", folder);
    snprintf(key, sizeof key, "%s/n0.key", folder);
    const struct emu_net_peer peers[] = {{"n1", NULL}};
    struct emu_net_config config = {.loop = &rig.loop,
                                    .name = "n0",
                                    .listen = "127.0.0.1:0",
                                    .files = {ca, certificate, key, false},
                                    .peers = peers,
                                    .peer_count = 1};
    struct emu_net *net = NULL;
    for (int64_t n = 0; n < 3; n++) { /* ours: the net, the peers, the context */
        alloc_count_begin_failing(n);
        int err = emu_net_new(&config, &net, NULL);
        (void)alloc_count_end();
        ck_assert_int_eq(err, QKD_ERR_NOMEM);
    }
    rig_fini(&rig);
}
END_TEST

static bool has_frame(void *ctx)
{
    (void)ctx;
    return rig.nets[1].frames > 0;
}

/* The n-th allocation of ours fails while two daemons find each other and talk: nothing
 * breaks, and as soon as there is memory again frames arrive. */
START_TEST(memory_comes_back)
{
    bool failed_late = false;
    for (int64_t n = 0; n < 24; n++) {
        static const uint8_t bytes[5000];
        const struct emu_net_part part = {bytes, sizeof bytes};
        rig_init(&rig);
        rig_start(&rig, 2);
        alloc_count_begin_failing(n);
        (void)emu_net_send(rig.nets[0].net, 1, &part, 1);
        for (int i = 0; i < 40; i++) {
            (void)uv_run(&rig.loop, UV_RUN_NOWAIT);
            uv_sleep(1);
        }
        uint64_t count = alloc_count_end();
        failed_late = failed_late || count > (uint64_t)n;
        for (int i = 0; i < 100 && rig.nets[1].frames == 0; i++) {
            (void)emu_net_send(rig.nets[0].net, 1, &part, 1);
            (void)rig_until(&rig, has_frame, NULL, 50);
        }
        ck_assert_msg(rig.nets[1].frames > 0, "allocation %d", (int)n);
        ck_assert_uint_eq(rig.nets[1].log[0].len, sizeof bytes);
        rig_fini(&rig);
    }
    ck_assert(failed_late);
}
END_TEST

int main(void)
{
    (void)signal(SIGPIPE, SIG_IGN);
    if (CRYPTO_set_mem_functions(ssl_malloc, ssl_realloc, ssl_free) != 1 ||
        uv_replace_allocator(uv_malloc, uv_realloc, uv_calloc, free) != 0) {
        return EXIT_FAILURE;
    }
    Suite *suite = suite_create("net_alloc");
    TCase *tcase = tcase_create("net_alloc");
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, no_allocation_per_frame);
    tcase_add_test(tcase, no_memory_to_begin);
    tcase_add_test(tcase, memory_comes_back);
    suite_add_tcase(suite, tcase);
    (void)rig_folder();
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    rig_folder_remove();
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
