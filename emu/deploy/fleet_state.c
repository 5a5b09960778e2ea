/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Who runs a deployment: a lock on up.lock (POSIX, it dies with its process), and up.json. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <jansson.h>

#include "core/base/err.h"
#include "emu/deploy/fleet_internal.h"

#define LOCK_FILE "up.lock"
#define STATE_FILE "up.json"
#define PARTIAL_FILE "up.json.partial"

int64_t emu_fleet_now_ns(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

int emu_fleet_lock(struct emu_fleet *fleet, struct emu_why *why)
{
    char path[EMU_PATH_SIZE];
    struct flock whole = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    int err = emu_path_join(path, fleet->folder, LOCK_FILE, why);
    if (err != QKD_OK) {
        return err;
    }
    fleet->lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fleet->lock < 0) {
        return emu_fail(why, QKD_ERR_IO, "%s: cannot be made: %s", path, strerror(errno));
    }
    if (fcntl(fleet->lock, F_SETLK, &whole) == 0) {
        return QKD_OK;
    }
    struct flock other = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    bool known = fcntl(fleet->lock, F_GETLK, &other) == 0 && other.l_type != F_UNLCK;
    (void)close(fleet->lock);
    fleet->lock = -1;
    return emu_fail(why, QKD_ERR_EXISTS, "%s is up already (process %ld)", fleet->folder,
                    known ? (long)other.l_pid : 0L);
}

static json_t *daemons_json(const struct emu_fleet *fleet)
{
    json_t *list = json_array();
    for (size_t i = 0; i < fleet->deployment->count; i++) {
        const struct emu_fleet_daemon *daemon = &fleet->children[i].seen;
        json_t *item = json_pack("{s:s, s:I, s:I, s:I}", "name", fleet->deployment->daemons[i].name,
                                 "pid", (json_int_t)daemon->pid, "since_ns",
                                 (json_int_t)daemon->since_ns, "restarts",
                                 (json_int_t)daemon->restarts);
        if (json_array_append_new(list, item) != 0) {
            json_decref(list);
            return NULL;
        }
    }
    return list;
}

void emu_fleet_state_write(const struct emu_fleet *fleet)
{
    char path[EMU_PATH_SIZE];
    char partial[EMU_PATH_SIZE];
    json_t *all = json_pack("{s:I, s:I, s:o}", "pid", (json_int_t)getpid(), "since_ns",
                            (json_int_t)fleet->since_ns, "daemons", daemons_json(fleet));
    if (all != NULL && emu_path_join(path, fleet->folder, STATE_FILE, NULL) == QKD_OK &&
        emu_path_join(partial, fleet->folder, PARTIAL_FILE, NULL) == QKD_OK &&
        json_dump_file(all, partial, JSON_COMPACT) == 0) {
        (void)rename(partial, path);
    }
    json_decref(all);
}

/* ---- from outside ---- */

/* The process that holds the lock; 0: nobody. */
static pid_t lock_look(const char *folder)
{
    char path[EMU_PATH_SIZE];
    struct flock other = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    if (emu_path_join(path, folder, LOCK_FILE, NULL) != QKD_OK) {
        return 0;
    }
    int fd = open(path, O_RDWR | O_CLOEXEC);
    bool held = fd >= 0 && fcntl(fd, F_GETLK, &other) == 0 && other.l_type != F_UNLCK;
    if (fd >= 0) {
        (void)close(fd);
    }
    return held ? other.l_pid : 0;
}

/* Takes the daemons of the file; false: it is not as we write it. */
static bool daemons_take(struct emu_fleet_state *state, const json_t *list)
{
    state->count = json_array_size(list);
    if (state->count > EMU_MAX_DAEMONS) {
        return false;
    }
    state->daemons = calloc(state->count + 1, sizeof *state->daemons);
    for (size_t i = 0; i < state->count && state->daemons != NULL; i++) {
        const json_t *item = json_array_get(list, i);
        state->daemons[i].pid = (pid_t)json_integer_value(json_object_get(item, "pid"));
        state->daemons[i].since_ns = json_integer_value(json_object_get(item, "since_ns"));
        state->daemons[i].restarts = (uint32_t)json_integer_value(
            json_object_get(item, "restarts"));
    }
    return state->daemons != NULL;
}

void emu_fleet_state_fini(struct emu_fleet_state *state)
{
    free(state->daemons);
    *state = (struct emu_fleet_state){0};
}

int emu_fleet_look(const char *folder, struct emu_fleet_state *state, struct emu_why *why)
{
    char path[EMU_PATH_SIZE];
    json_error_t error;
    *state = (struct emu_fleet_state){.pid = lock_look(folder)};
    int err = emu_path_join(path, folder, STATE_FILE, why);
    if (err != QKD_OK || state->pid == 0) {
        return err;
    }
    json_t *all = json_load_file(path, 0, &error);
    if (all == NULL && json_error_code(&error) == json_error_cannot_open_file) {
        return QKD_OK; /* it has only just begun */
    }
    if (all == NULL) {
        return emu_fail(why, QKD_ERR_FORMAT, "%s:%d: %s", path, error.line, error.text);
    }
    state->since_ns = json_integer_value(json_object_get(all, "since_ns"));
    bool good = daemons_take(state, json_object_get(all, "daemons"));
    json_decref(all);
    if (!good) {
        emu_fleet_state_fini(state);
        return emu_fail(why, QKD_ERR_FORMAT, "%s: not as qkdn up writes it", path);
    }
    return QKD_OK;
}
