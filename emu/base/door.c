/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The queue at a listening socket: see emu/base/door.h. It is short, so that looking through all of it at
 * each step costs less than anything clever. */
#include "emu/base/door.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/base/err.h"

enum { KNOCKS = 64, PER_TURN = 4, TOKEN = 1000, HANDLES = 2, REST_MS = 100 };

struct guest {
    int fd;
    uint64_t turn, since_ms;
    struct sockaddr_storage from;
    socklen_t len;
};

struct emu_door {
    struct emu_door_config config;
    uv_poll_t knock;
    uv_timer_t next;
    unsigned open_handles;
    struct guest *guests;
    unsigned count;
    uint64_t turn;               /* of who was let in last */
    uint64_t tokens, counted_ms; /* in thousandths, and until when */
    uint64_t entered, turned_away;
    bool deaf; /* does not look at the socket for a moment */
};

bool emu_same_host(const struct sockaddr_storage *a, const struct sockaddr_storage *b)
{
    enum { NETWORK = 8 }; /* bytes of an IPv6 address */
    if (a->ss_family != b->ss_family) {
        return false;
    }
    if (a->ss_family == AF_INET) {
        struct sockaddr_in in[2];
        memcpy(&in[0], a, sizeof in[0]);
        memcpy(&in[1], b, sizeof in[1]);
        return in[0].sin_addr.s_addr == in[1].sin_addr.s_addr;
    }
    struct sockaddr_in6 in[2];
    memcpy(&in[0], a, sizeof in[0]);
    memcpy(&in[1], b, sizeof in[1]);
    return a->ss_family == AF_INET6 && memcmp(&in[0].sin6_addr, &in[1].sin6_addr, NETWORK) == 0;
}

/* ---- the queue ---- */

static void guest_drop(struct emu_door *door, unsigned number)
{
    (void)close(door->guests[number].fd);
    door->guests[number] = door->guests[--door->count];
    door->turned_away++;
}

static unsigned guest_last(const struct emu_door *door)
{
    unsigned last = 0;
    for (unsigned i = 1; i < door->count; i++) {
        last = door->guests[i].turn >= door->guests[last].turn ? i : last;
    }
    return last;
}

static unsigned guest_first(const struct emu_door *door)
{
    unsigned first = 0;
    for (unsigned i = 1; i < door->count; i++) {
        const struct guest *a = &door->guests[i];
        const struct guest *b = &door->guests[first];
        first = a->turn < b->turn || (a->turn == b->turn && a->since_ms < b->since_ms) ? i : first;
    }
    return first;
}

static void guest_add(struct emu_door *door, struct guest guest)
{
    guest.turn = door->turn;
    guest.since_ms = uv_now(door->config.loop);
    for (unsigned i = 0; i < door->count; i++) {
        if (door->guests[i].turn > guest.turn &&
            emu_same_host(&door->guests[i].from, &guest.from)) {
            guest.turn = door->guests[i].turn;
        }
    }
    guest.turn++;
    if (door->count == door->config.queue) {
        unsigned last = guest_last(door);
        if (door->guests[last].turn <= guest.turn) {
            (void)close(guest.fd);
            door->turned_away++;
            return;
        }
        guest_drop(door, last);
    }
    door->guests[door->count++] = guest;
}

/* ---- tokens ---- */

static void on_next(uv_timer_t *timer);

static void tokens_count(struct emu_door *door)
{
    uint64_t now_ms = uv_now(door->config.loop);
    uint64_t most = (uint64_t)TOKEN * door->config.burst;
    uint64_t more = (now_ms - door->counted_ms) * door->config.per_s;
    door->tokens = more >= most - door->tokens ? most : door->tokens + more;
    door->counted_ms = now_ms;
}

static void enter(struct emu_door *door, const struct guest *guest)
{
    door->entered++;
    door->config.enter(door->config.ctx, guest->fd, (const struct sockaddr *)&guest->from,
                       guest->len);
}

/* Lets in who may, and sets the clock for who may later. */
static void admit(struct emu_door *door)
{
    uint64_t now_ms = uv_now(door->config.loop);
    tokens_count(door);
    for (unsigned i = door->count; i-- > 0;) {
        if (now_ms - door->guests[i].since_ms > door->config.wait_ms) {
            guest_drop(door, i);
        }
    }
    for (unsigned n = 0; n < door->config.per_turn && door->count > 0 && door->tokens >= TOKEN;
         n++) {
        unsigned first = guest_first(door);
        struct guest guest = door->guests[first];
        door->guests[first] = door->guests[--door->count];
        door->turn = guest.turn > door->turn ? guest.turn : door->turn;
        door->tokens -= TOKEN;
        enter(door, &guest);
    }
    if (door->count > 0) {
        uint64_t lacking = door->tokens >= TOKEN ? 0 : TOKEN - door->tokens;
        uint64_t wait_ms = (lacking + door->config.per_s - 1) / door->config.per_s;
        (void)uv_timer_start(&door->next, on_next, wait_ms > 0 ? wait_ms : 1, 0);
    }
}

static void on_knock(uv_poll_t *poll, int status, int events);

static void on_next(uv_timer_t *timer)
{
    struct emu_door *door = timer->data;
    if (door->deaf) {
        door->deaf = false;
        (void)uv_poll_start(&door->knock, UV_READABLE, on_knock);
    }
    admit(door);
}

/* Somebody knocks, and there is no descriptor or memory for him: he would knock without a pause. */
static void rest(struct emu_door *door)
{
    if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
        door->deaf = true;
        (void)uv_poll_stop(&door->knock);
        (void)uv_timer_start(&door->next, on_next, REST_MS, 0);
    }
}

/* ---- the socket ---- */

static void on_knock(uv_poll_t *poll, int status, int events)
{
    struct emu_door *door = poll->data;
    (void)events;
    for (int i = 0; i < KNOCKS && status == 0; i++) {
        struct guest guest = {.len = sizeof guest.from};
        guest.fd = accept(door->config.fd, (struct sockaddr *)&guest.from, &guest.len);
        if (guest.fd < 0) {
            rest(door);
            break;
        }
        (void)fcntl(guest.fd, F_SETFD, FD_CLOEXEC);
        (void)fcntl(guest.fd, F_SETFL, O_NONBLOCK);
        if (door->config.per_s == 0) {
            enter(door, &guest);
        } else {
            guest_add(door, guest);
        }
    }
    if (door->config.per_s > 0 && !door->deaf) {
        admit(door);
    }
}

int emu_door_open(const struct emu_door_config *config, struct emu_door **door)
{
    struct emu_door *made = calloc(1, sizeof *made);
    struct guest *guests = calloc(config->queue + 1, sizeof *guests);
    *door = NULL;
    if (made == NULL || guests == NULL) {
        free(made);
        free(guests);
        return QKD_ERR_NOMEM;
    }
    made->config = *config;
    made->config.per_turn = config->per_turn == 0 ? PER_TURN : config->per_turn;
    made->guests = guests;
    made->config.burst = config->burst == 0 ? config->per_s : config->burst;
    made->tokens = (uint64_t)TOKEN * made->config.burst;
    made->counted_ms = uv_now(config->loop);
    if (uv_poll_init(config->loop, &made->knock, config->fd) != 0) {
        free(made);
        free(guests);
        return QKD_ERR_IO;
    }
    (void)uv_timer_init(config->loop, &made->next);
    made->knock.data = made->next.data = made;
    made->open_handles = HANDLES;
    (void)uv_poll_start(&made->knock, UV_READABLE, on_knock);
    *door = made;
    return QKD_OK;
}

static void on_closed(uv_handle_t *handle)
{
    struct emu_door *door = handle->data;
    if (--door->open_handles == 0) {
        free(door->guests);
        free(door);
    }
}

void emu_door_close(struct emu_door *door)
{
    if (door == NULL) {
        return;
    }
    (void)uv_poll_stop(&door->knock);
    (void)close(door->config.fd);
    while (door->count > 0) {
        guest_drop(door, door->count - 1);
    }
    uv_close((uv_handle_t *)&door->knock, on_closed);
    uv_close((uv_handle_t *)&door->next, on_closed);
}

uint64_t emu_door_entered(const struct emu_door *door)
{
    return door->entered;
}

uint64_t emu_door_turned_away(const struct emu_door *door)
{
    return door->turned_away;
}

unsigned emu_door_waiting(const struct emu_door *door)
{
    return door->count;
}
