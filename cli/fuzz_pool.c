/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Processes that judge fuzz seeds: seeds go in by one pipe, verdicts come back by another. */
#include "cli/fuzz_pool.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/child.h"

struct worker {
    pid_t pid; /* 0: none */
    int in, out;
    bool busy;
    uint64_t seed;
};

struct cli_fuzz_pool {
    struct worker *workers;
    struct pollfd *polls;
    uint32_t count;
};

/* ---- in the process ---- */

static bool read_all(int fd, void *to, size_t len)
{
    size_t got = 0;
    while (got < len) {
        ssize_t n = read(fd, (char *)to + got, len - got);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n <= 0) {
            return false;
        }
        got += (size_t)n;
    }
    return true;
}

static bool write_all(int fd, const void *from, size_t len)
{
    size_t put = 0;
    while (put < len) {
        ssize_t n = write(fd, (const char *)from + put, len - put);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n <= 0) {
            return false;
        }
        put += (size_t)n;
    }
    return true;
}

/* Ctrl-C is the parent's business; what an assertion prints is kept. */
static void child_signals(void)
{
    (void)signal(SIGINT, SIG_IGN);
    (void)signal(SIGTERM, SIG_DFL);
    (void)signal(SIGALRM, SIG_DFL);
}

static void work(int in, int out)
{
    static char text[SIM_FUZZ_TEXT];
    struct cli_fuzz_result result;
    child_signals();
    while (read_all(in, &result.seed, sizeof result.seed)) {
        struct sim_fuzz_plan plan;
        sim_fuzz_plan_make(&plan, result.seed);
        sim_fuzz_print(&plan, text);
        (void)alarm(CLI_FUZZ_PATIENCE_S);
        sim_fuzz_judge_text(text, NULL, &result.verdict);
        (void)alarm(0);
        if (!write_all(out, &result, sizeof result)) {
            break;
        }
    }
    _exit(0);
}

/* ---- in the parent ---- */

static void worker_close(struct worker *worker)
{
    if (worker->pid > 0) {
        (void)close(worker->in);
        (void)close(worker->out);
    }
    worker->pid = 0;
    worker->busy = false;
}

/* Starts worker `number`; it must not hold the pipes of the others open. */
static bool worker_start(struct cli_fuzz_pool *pool, uint32_t number)
{
    int to[2], from[2];
    if (pipe(to) != 0) {
        return false;
    }
    if (pipe(from) != 0) {
        (void)close(to[0]);
        (void)close(to[1]);
        return false;
    }
    (void)fflush(NULL);
    pid_t pid = cli_child_fork();
    if (pid == 0) {
        for (uint32_t i = 0; i < pool->count; i++) {
            if (pool->workers[i].pid > 0) {
                (void)close(pool->workers[i].in);
                (void)close(pool->workers[i].out);
            }
        }
        (void)close(to[1]);
        (void)close(from[0]);
        work(to[0], from[1]);
    }
    (void)close(to[0]);
    (void)close(from[1]);
    if (pid < 0) {
        (void)close(to[1]);
        (void)close(from[0]);
        return false;
    }
    pool->workers[number] = (struct worker){.pid = pid, .in = to[1], .out = from[0]};
    return true;
}

struct cli_fuzz_pool *cli_fuzz_pool_new(uint32_t jobs)
{
    struct cli_fuzz_pool *pool = calloc(1, sizeof *pool);
    if (pool == NULL) {
        return NULL;
    }
    pool->workers = calloc(jobs, sizeof *pool->workers);
    pool->polls = calloc(jobs, sizeof *pool->polls);
    while (pool->workers != NULL && pool->polls != NULL && pool->count < jobs &&
           worker_start(pool, pool->count)) {
        pool->count++;
    }
    if (pool->count == 0) {
        cli_fuzz_pool_free(pool);
        return NULL;
    }
    return pool;
}

void cli_fuzz_pool_free(struct cli_fuzz_pool *pool)
{
    if (pool == NULL) {
        return;
    }
    for (uint32_t i = 0; i < pool->count; i++) {
        pid_t pid = pool->workers[i].pid;
        if (pid > 0) {
            (void)kill(pid, SIGTERM);
            worker_close(&pool->workers[i]);
            (void)waitpid(pid, NULL, 0);
        }
    }
    free(pool->workers);
    free(pool->polls);
    free(pool);
}

bool cli_fuzz_pool_give(struct cli_fuzz_pool *pool, uint64_t seed)
{
    for (uint32_t i = 0; i < pool->count; i++) {
        struct worker *worker = &pool->workers[i];
        if (worker->pid == 0 && !worker_start(pool, i)) {
            continue;
        }
        if (!worker->busy && write_all(worker->in, &seed, sizeof seed)) {
            worker->busy = true;
            worker->seed = seed;
            return true;
        }
    }
    return false;
}

uint32_t cli_fuzz_pool_busy(const struct cli_fuzz_pool *pool)
{
    uint32_t busy = 0;
    for (uint32_t i = 0; i < pool->count; i++) {
        busy += pool->workers[i].busy;
    }
    return busy;
}

/* What the end of a process without a verdict says. */
static void verdict_of_death(int status, struct sim_fuzz_verdict *verdict)
{
    *verdict = (struct sim_fuzz_verdict){.phase = SIM_FUZZ_ERROR};
    if (WIFSIGNALED(status) && WTERMSIG(status) == SIGALRM) {
        (void)snprintf(verdict->why, sizeof verdict->why, "no end: nothing after %d s",
                       CLI_FUZZ_PATIENCE_S);
    } else if (WIFSIGNALED(status)) {
        (void)snprintf(verdict->why, sizeof verdict->why, "process died: signal %d",
                       WTERMSIG(status));
    } else {
        (void)snprintf(verdict->why, sizeof verdict->why, "process ended: status %d",
                       WIFEXITED(status) ? WEXITSTATUS(status) : -1);
    }
}

static void worker_result(struct worker *worker, struct cli_fuzz_result *result)
{
    if (read_all(worker->out, result, sizeof *result)) {
        worker->busy = false;
        return;
    }
    int status = 0;
    (void)waitpid(worker->pid, &status, 0);
    result->seed = worker->seed;
    verdict_of_death(status, &result->verdict);
    worker_close(worker);
}

bool cli_fuzz_pool_take(struct cli_fuzz_pool *pool, int wait_ms, struct cli_fuzz_result *result)
{
    for (uint32_t i = 0; i < pool->count; i++) {
        bool busy = pool->workers[i].busy;
        pool->polls[i] = (struct pollfd){.fd = busy ? pool->workers[i].out : -1, .events = POLLIN};
    }
    if (poll(pool->polls, pool->count, wait_ms) <= 0) {
        return false;
    }
    for (uint32_t i = 0; i < pool->count; i++) {
        if ((pool->polls[i].revents & (POLLIN | POLLHUP | POLLERR)) != 0) {
            worker_result(&pool->workers[i], result);
            return true;
        }
    }
    return false;
}

void cli_fuzz_alone(const char *text, struct sim_fuzz_verdict *verdict)
{
    int fds[2];
    *verdict = (struct sim_fuzz_verdict){.phase = SIM_FUZZ_ERROR, .why = "no process"};
    if (pipe(fds) != 0) {
        return;
    }
    (void)fflush(NULL);
    pid_t pid = cli_child_fork();
    if (pid == 0) {
        child_signals();
        (void)close(fds[0]);
        (void)alarm(CLI_FUZZ_PATIENCE_S);
        sim_fuzz_judge_text(text, NULL, verdict);
        (void)write_all(fds[1], verdict, sizeof *verdict);
        _exit(0);
    }
    (void)close(fds[1]);
    struct sim_fuzz_verdict got;
    bool whole = pid > 0 && read_all(fds[0], &got, sizeof got);
    (void)close(fds[0]);
    int status = 0;
    if (pid > 0 && waitpid(pid, &status, 0) == pid) {
        if (whole) {
            *verdict = got;
        } else {
            verdict_of_death(status, verdict);
        }
    }
}
