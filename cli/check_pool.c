/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Checks in processes of their own: each writes its result into a pipe, and what it says on standard
 * error into a file without a name, which is shown if it does not come to its end. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/select.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/check.h"
#include "cli/child.h"
#include "cli/progress.h"
#include "core/base/err.h"

#define MOST_PARALLEL 64 /* a set of descriptors has room for 1,024 */
#define TAIL 1500        /* bytes of standard error that are shown */

/* A check that is running, or has its result and waits for its turn. */
struct slot {
    pid_t pid; /* 0: it has ended */
    int fd;
    FILE *said; /* its standard error; NULL: ours */
    char *bytes;
    size_t len, room;
    int status;
    size_t item;
};

struct state {
    const struct cli_pool *pool;
    struct slot *slots; /* by item: begun and not yet handed out */
    size_t next;        /* item to begin */
    size_t turn;        /* item to hand out */
    size_t running;
    bool stopped; /* children were told to stop */
};

/* ---- the child ---- */

static void child_run(const struct cli_pool *pool, size_t item, int fd, FILE *said)
{
    struct ana_check check;
    (void)setpgid(0, 0); /* Ctrl-C goes to our parent, who tells us */
    if (said != NULL) {
        (void)dup2(fileno(said), STDERR_FILENO);
    }
    /* What is printed here belongs to nobody. */
    if (freopen("/dev/null", "w", stdout) == NULL) {
        _exit(CLI_BROKEN);
    }
    cli_check_run(pool->plan, &pool->items->items[item], &check);
    FILE *out = fdopen(fd, "wb");
    bool written = out != NULL && ana_check_pack(&check, out) && fclose(out) == 0;
    ana_check_fini(&check);
    _exit(written ? CLI_DONE : CLI_BROKEN);
}

static int child_start(struct state *state)
{
    struct slot *slot = &state->slots[state->next];
    int ends[2];
    *slot = (struct slot){.item = state->next, .fd = -1, .said = tmpfile()};
    if (pipe(ends) != 0) {
        return QKD_ERR_IO;
    }
    fflush(stdout);
    fflush(stderr);
    pid_t pid = cli_child_fork();
    if (pid < 0) {
        close(ends[0]);
        close(ends[1]);
        return QKD_ERR_IO;
    }
    if (pid == 0) {
        close(ends[0]);
        child_run(state->pool, state->next, ends[1], slot->said);
    }
    close(ends[1]);
    slot->pid = pid;
    slot->fd = ends[0];
    state->next++;
    state->running++;
    return QKD_OK;
}

/* ---- results ---- */

/* Reads what is there; true at the end of the pipe. */
static bool slot_read(struct slot *slot)
{
    if (slot->room - slot->len < 4096) {
        size_t room = slot->room == 0 ? 16384 : 2 * slot->room;
        char *grown = realloc(slot->bytes, room);
        if (grown == NULL) {
            return true; /* not complete: reported as broken */
        }
        slot->bytes = grown;
        slot->room = room;
    }
    ssize_t got = read(slot->fd, slot->bytes + slot->len, slot->room - slot->len);
    if (got < 0) {
        return errno != EINTR && errno != EAGAIN;
    }
    slot->len += (size_t)got;
    return got == 0;
}

static void slot_end(struct state *state, struct slot *slot)
{
    close(slot->fd);
    slot->fd = -1;
    while (waitpid(slot->pid, &slot->status, 0) < 0 && errno == EINTR) {
    }
    slot->pid = 0;
    state->running--;
}

/* The end of what the process said, under a line of our own. */
static void broken(struct slot *slot, struct ana_check *check)
{
    char text[TAIL + 256];
    size_t len;
    if (WIFSIGNALED(slot->status)) {
        len = (size_t)snprintf(text, 200, "the process ended by signal %d (%s)",
                               WTERMSIG(slot->status), strsignal(WTERMSIG(slot->status)));
    } else {
        len = (size_t)snprintf(text, 200, "the process ended with exit code %d and no result",
                               WEXITSTATUS(slot->status));
    }
    if (slot->said != NULL && fseek(slot->said, 0, SEEK_END) == 0) {
        long size = ftell(slot->said);
        (void)fseek(slot->said, size > TAIL ? size - TAIL : 0, SEEK_SET);
        size_t got = fread(text + len + 1, 1, TAIL, slot->said);
        if (got > 0) {
            text[len] = '\n';
            len += got + 1;
        }
    }
    while (len > 0 && text[len - 1] == '\n') {
        len--;
    }
    text[len] = '\0';
    (void)ana_check_add(check, "runs to its end", ANA_ERROR, text);
}

/* What a process that came to its end said is passed on. */
static void said_pass(struct slot *slot)
{
    char bytes[4096];
    size_t got;
    if (slot->said == NULL || fseek(slot->said, 0, SEEK_SET) != 0) {
        return;
    }
    while ((got = fread(bytes, 1, sizeof bytes, slot->said)) > 0) {
        (void)fwrite(bytes, 1, got, stderr);
    }
}

static void slot_hand_out(struct state *state, struct slot *slot)
{
    const struct cli_check_item *item = &state->pool->items->items[slot->item];
    struct ana_check check;
    const char *topology = item->topology == NULL ? "" : item->topology;
    ana_check_init(&check, item->file, topology);
    if (ana_check_unpack(&check, slot->bytes, slot->len)) {
        said_pass(slot);
    } else {
        ana_check_fini(&check);
        ana_check_init(&check, item->file, topology);
        broken(slot, &check);
    }
    if (slot->said != NULL) {
        fclose(slot->said);
    }
    free(slot->bytes);
    *slot = (struct slot){.fd = -1};
    state->pool->done(state->pool->ctx, &check);
}

/* Those whose turn it is. */
static void hand_out(struct state *state)
{
    while (state->turn < state->next && state->slots[state->turn].pid == 0) {
        slot_hand_out(state, &state->slots[state->turn++]);
    }
}

/* ---- the loop ---- */

static void children_stop(struct state *state)
{
    for (size_t i = state->turn; i < state->next && !state->stopped; i++) {
        if (state->slots[i].pid > 0) {
            (void)kill(state->slots[i].pid, SIGTERM);
        }
    }
    state->stopped = true;
}

/* Waits until some process has written or ended. */
static void wait_and_read(struct state *state)
{
    fd_set set;
    int most = -1;
    FD_ZERO(&set);
    for (size_t i = state->turn; i < state->next; i++) {
        int fd = state->slots[i].fd;
        if (fd >= 0) {
            FD_SET(fd, &set);
            most = fd > most ? fd : most;
        }
    }
    struct timeval patience = {.tv_usec = 200000}; /* then look whether Ctrl-C came */
    if (select(most + 1, &set, NULL, NULL, &patience) <= 0) {
        return;
    }
    for (size_t i = state->turn; i < state->next; i++) {
        struct slot *slot = &state->slots[i];
        if (slot->fd >= 0 && FD_ISSET(slot->fd, &set) && slot_read(slot)) {
            slot_end(state, slot);
        }
    }
}

int cli_pool_run(const struct cli_pool *pool)
{
    struct state state = {.pool = pool};
    size_t parallel = pool->parallel < MOST_PARALLEL ? pool->parallel : MOST_PARALLEL;
    int err = QKD_OK;
    state.slots = calloc(pool->items->count + 1, sizeof *state.slots);
    if (state.slots == NULL) {
        return QKD_ERR_NOMEM;
    }
    cli_signals_catch();
    while (state.running > 0 ||
           (state.next < pool->items->count && err == QKD_OK && !cli_interrupted)) {
        /* Few are begun far ahead of the one whose turn it is: their results wait in memory. */
        while (err == QKD_OK && !cli_interrupted && state.running < parallel &&
               state.next < pool->items->count && state.next - state.turn < 4 * parallel) {
            err = child_start(&state);
        }
        if (cli_interrupted || err != QKD_OK) {
            children_stop(&state);
        }
        if (state.running > 0) {
            wait_and_read(&state);
        }
        hand_out(&state);
    }
    free(state.slots);
    return err;
}
