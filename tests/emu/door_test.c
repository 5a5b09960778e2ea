/* SPDX-License-Identifier: GPL-3.0-or-later */
/* emu/base/door: real connections from several addresses of the loopback network. Who comes in at which
 * rate, that hosts take turns, who is turned away; expected values follow from the rules in door.h. */
#include <arpa/inet.h>
#include <check.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/base/err.h"
#include "emu/base/address.h"
#include "emu/base/door.h"

enum { MOST = 400, PER_S = 50 };

static uv_loop_t loop;
static struct emu_door *door;
static unsigned port;
static int clients[MOST];
static unsigned client_count;
static uint8_t entered[MOST]; /* last byte of each address, in order */
static unsigned entered_count;

static void on_enter(void *ctx, int fd, const struct sockaddr *from, socklen_t len)
{
    struct sockaddr_in in;
    ck_assert_ptr_eq(ctx, &loop);
    ck_assert_uint_eq(len, sizeof in);
    memcpy(&in, from, sizeof in);
    ck_assert_uint_lt(entered_count, MOST);
    entered[entered_count++] = (uint8_t)(ntohl(in.sin_addr.s_addr) & 0xff);
    (void)close(fd);
}

static void setup_with(unsigned per_s, unsigned queue, unsigned wait_ms)
{
    int fd = -1;
    struct emu_why why;
    ck_assert_int_eq(uv_loop_init(&loop), 0);
    ck_assert_int_eq(emu_listen("127.0.0.1:0", &fd, &why), 0);
    port = emu_port_of(fd);
    struct emu_door_config config = {.loop = &loop,
                                     .fd = fd,
                                     .per_s = per_s,
                                     .queue = queue,
                                     .wait_ms = wait_ms,
                                     .enter = on_enter,
                                     .ctx = &loop};
    ck_assert_int_eq(emu_door_open(&config, &door), 0);
}

static void teardown(void)
{
    emu_door_close(door);
    while (uv_run(&loop, UV_RUN_DEFAULT) != 0) {
    }
    ck_assert_int_eq(uv_loop_close(&loop), 0);
    for (unsigned i = 0; i < client_count; i++) {
        (void)close(clients[i]);
    }
    client_count = entered_count = 0;
}

/* Connects from 127.0.0.HOST. */
static void come(uint8_t host, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        struct sockaddr_in from = {.sin_family = AF_INET};
        struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
        from.sin_addr.s_addr = htonl(INADDR_LOOPBACK - 1 + host);
        to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        int fd = socket(AF_INET, SOCK_STREAM, 0);
        ck_assert_int_ge(fd, 0);
        ck_assert_int_eq(bind(fd, (struct sockaddr *)&from, sizeof from), 0);
        ck_assert_int_eq(connect(fd, (struct sockaddr *)&to, sizeof to), 0);
        clients[client_count++] = fd;
    }
}

static void on_time(uv_timer_t *timer)
{
    uv_stop(timer->loop);
}

static void run_ms(unsigned ms)
{
    uv_timer_t timer;
    ck_assert_int_eq(uv_timer_init(&loop, &timer), 0);
    uv_update_time(&loop);
    (void)uv_timer_start(&timer, on_time, ms, 0);
    (void)uv_run(&loop, UV_RUN_DEFAULT);
    uv_close((uv_handle_t *)&timer, NULL);
    (void)uv_run(&loop, UV_RUN_NOWAIT);
}

/* A second's worth at once, then the rate. */
START_TEST(rate)
{
    setup_with(PER_S, 200, 60000);
    come(1, 150);
    run_ms(300);
    ck_assert_uint_ge(entered_count, PER_S);
    ck_assert_uint_le(entered_count, PER_S + PER_S / 2);
    unsigned before = entered_count;
    run_ms(1000);
    ck_assert_uint_ge(entered_count, before + PER_S / 2); /* a busy machine may be late */
    ck_assert_uint_le(entered_count, before + PER_S + 10);
    ck_assert_uint_eq(emu_door_waiting(door), 150 - entered_count);
    ck_assert_uint_eq(emu_door_turned_away(door), 0);
}
END_TEST

/* Who comes later from elsewhere is not behind a hundred of one host. */
START_TEST(turns)
{
    setup_with(PER_S, 200, 60000);
    come(1, 150);
    run_ms(200);
    unsigned before = entered_count;
    come(2, 2);
    come(3, 1);
    run_ms(1000);
    unsigned place[2] = {0, 0};
    for (unsigned i = before; i < entered_count; i++) {
        if (entered[i] == 2 || entered[i] == 3) {
            place[entered[i] - 2] = i - before;
        }
    }
    ck_assert_uint_ge(entered_count, before + 10);
    ck_assert_uint_le(place[0],
                      6); /* its second: two turns of three hosts, and who was in between */
    ck_assert_uint_le(place[1], 4);
}
END_TEST

/* A queue full of one host makes room for others, not for more of it. */
START_TEST(full)
{
    setup_with(PER_S, 20, 60000);
    come(1, 100);
    run_ms(50);
    ck_assert_uint_le(emu_door_waiting(door), 20);
    ck_assert_uint_ge(emu_door_turned_away(door), 20);
    unsigned before = entered_count;
    come(2, 1);
    run_ms(300);
    bool came = false;
    for (unsigned i = before; i < entered_count; i++) {
        came = came || entered[i] == 2;
    }
    ck_assert(came);
}
END_TEST

START_TEST(patience)
{
    setup_with(PER_S, 200, 200);
    come(1, 150);
    run_ms(1000);
    ck_assert_uint_eq(emu_door_waiting(door), 0);
    ck_assert_uint_eq(emu_door_turned_away(door), 150 - entered_count);
    ck_assert_uint_le(entered_count, 2 * PER_S);
}
END_TEST

START_TEST(no_limit)
{
    setup_with(0, 0, 0);
    come(1, 100);
    run_ms(100);
    ck_assert_uint_eq(entered_count, 100);
    ck_assert_uint_eq(emu_door_entered(door), 100);
}
END_TEST

static struct sockaddr_storage address(const char *text)
{
    struct emu_address parsed = {"", "1"};
    struct sockaddr_storage to = {0};
    (void)snprintf(parsed.host, sizeof parsed.host, "%s", text);
    ck_assert(emu_address_numeric(&parsed, &to));
    return to;
}

START_TEST(hosts)
{
    static const struct {
        const char *a, *b;
        bool same;
    } rows[] = {{"10.0.0.1", "10.0.0.1", true},
                {"10.0.0.1", "10.0.0.2", false},
                {"2001:db8::1", "2001:db8::ffff:2", true}, /* one /64 */
                {"2001:db8::1", "2001:db8:0:1::1", false},
                {"::1", "0.0.0.1", false}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct sockaddr_storage a = address(rows[i].a);
        struct sockaddr_storage b = address(rows[i].b);
        ck_assert_int_eq(emu_same_host(&a, &b), rows[i].same);
    }
}
END_TEST

static unsigned loops;

static void on_turn(uv_prepare_t *prepare)
{
    (void)prepare;
    loops++;
}

/* Without a descriptor for who knocks the loop does not turn for him without a pause; with one he comes in. */
START_TEST(no_descriptor_left)
{
    struct rlimit before;
    struct rlimit none;
    static uv_prepare_t prepare;
    setup_with(PER_S, 200, 60000);
    come(1, 3);
    ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &before), 0);
    none = before;
    none.rlim_cur = (rlim_t)clients[2] + 1;
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &none), 0);
    ck_assert_int_eq(uv_prepare_init(&loop, &prepare), 0);
    (void)uv_prepare_start(&prepare, on_turn);
    loops = 0;
    run_ms(500);
    ck_assert_uint_eq(entered_count, 0);
    ck_assert_uint_le(loops, 50);
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &before), 0);
    run_ms(500);
    ck_assert_uint_eq(entered_count, 3);
    uv_close((uv_handle_t *)&prepare, NULL);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("door");
    TCase *tcase = tcase_create("door");
    tcase_set_timeout(tcase, 30);
    tcase_add_checked_fixture(tcase, NULL, teardown);
    tcase_add_test(tcase, rate);
    tcase_add_test(tcase, turns);
    tcase_add_test(tcase, full);
    tcase_add_test(tcase, patience);
    tcase_add_test(tcase, no_limit);
    tcase_add_test(tcase, no_descriptor_left);
    suite_add_tcase(suite, tcase);
    TCase *plain = tcase_create("hosts");
    tcase_add_test(plain, hosts);
    suite_add_tcase(suite, plain);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
