/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Mutation check (docs/oracle.md): core built with QKDN_MUTANTS, one deliberate fault in force at a
 * time. Each must be noticed by the oracle or by the judgement of liveness.
 *
 *   mutants known FILE        every mutant at the seed that FILE names for it (lines: NAME SEED), or
 *                             at a scenario of tests/sim/regressions (lines: NAME NAME.yaml)
 *   mutants search N [NAME [FIRST]]
 *                             seeds 1 (or FIRST) to N of every mutant, or of one, until one is
 *                             noticed; prints such lines, with what was said
 *
 * A seed that hits an assertion of core counts as noticed: each run is a process of its own. */
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/base/mutant.h"
#include "sim/fuzz.h"

enum qkd_mutant qkd_mutant;

#define NAME(name, text) #name,
#define TEXT(name, text) text,
static const char *const names[] = {"NONE", QKD_MUTANTS(NAME)};
static const char *const texts[] = {"none", QKD_MUTANTS(TEXT)};

enum { PATIENCE_S = 60 };

/* A seed, or a scenario file beside the list (see known()), as a text. */
static void scenario_text(const char *what, char text[SIM_FUZZ_TEXT])
{
    if (strchr(what, '.') == NULL) {
        struct sim_fuzz_plan plan;
        sim_fuzz_plan_make(&plan, strtoull(what, NULL, 10));
        sim_fuzz_print(&plan, text);
        return;
    }
    FILE *file = fopen(what, "r");
    size_t len = file == NULL ? 0 : fread(text, 1, SIM_FUZZ_TEXT - 1, file);
    text[len] = '\0'; /* not there: it does not load, with the fault or without */
    if (file != NULL) {
        (void)fclose(file);
    }
}

/* Judges it in a process of its own; true if something is wrong, and what. */
static bool noticed(const char *what, char why[SIM_FUZZ_WHY])
{
    int fds[2];
    if (pipe(fds) != 0) {
        abort();
    }
    (void)fflush(NULL);
    pid_t pid = fork();
    if (pid == 0) {
        static char text[SIM_FUZZ_TEXT];
        struct sim_fuzz_verdict verdict;
        (void)close(STDERR_FILENO);
        (void)alarm(PATIENCE_S);
        scenario_text(what, text);
        sim_fuzz_judge_text(text, NULL, &verdict);
        _exit(write(fds[1], verdict.why, sizeof verdict.why) == (ssize_t)sizeof verdict.why ? 0
                                                                                            : 1);
    }
    (void)close(fds[1]);
    bool whole = read(fds[0], why, SIM_FUZZ_WHY) == SIM_FUZZ_WHY;
    (void)close(fds[0]);
    int status = 0;
    (void)waitpid(pid, &status, 0);
    if (!whole) {
        (void)snprintf(why, SIM_FUZZ_WHY, "process died: signal %d",
                       WIFSIGNALED(status) ? WTERMSIG(status) : 0);
    }
    return why[0] != '\0';
}

static int mutant_find(const char *name)
{
    for (int i = 1; i < QKD_MUTANT_COUNT; i++) {
        if (strcmp(names[i], name) == 0) {
            return i;
        }
    }
    return 0;
}

/* ---- known seeds ---- */

static int known(const char *path)
{
    FILE *file = fopen(path, "r");
    char line[1024], name[64], at[64], what[1024], why[SIM_FUZZ_WHY];
    const char *slash = strrchr(path, '/');
    int folder = slash == NULL ? 0 : (int)(slash - path) + 1;
    bool seen[QKD_MUTANT_COUNT] = {false};
    int failed = 0;
    if (file == NULL) {
        fprintf(stderr, "%s: not there\n", path);
        return 2;
    }
    while (fgets(line, sizeof line, file) != NULL) {
        if (line[0] == '#' || line[0] == '\n') {
            continue;
        }
        int number = sscanf(line, "%63s %63s", name, at) == 2 ? mutant_find(name) : 0;
        if (number == 0) {
            fprintf(stderr, "%s: no such mutant: %s", path, line);
            failed++;
            continue;
        }
        seen[number] = true;
        bool is_file = strchr(at, '.') != NULL;
        (void)snprintf(what, sizeof what, "%.*s%s%s", is_file ? folder : 0, path,
                       is_file ? "../sim/regressions/" : "", at);
        qkd_mutant = QKD_MUTANT_NONE;
        bool fair = !noticed(what, why); /* without the fault all is well */
        qkd_mutant = (enum qkd_mutant)number;
        bool good = fair && noticed(what, why);
        printf("%-4s %-14s %s: %s\n", good ? "ok" : "FAIL", name, at,
               fair ? why : "wrong without the fault, too");
        failed += !good;
    }
    (void)fclose(file);
    for (int i = 1; i < QKD_MUTANT_COUNT; i++) {
        if (!seen[i]) {
            printf("FAIL %s: no seed is known\n", names[i]);
            failed++;
        }
    }
    return failed == 0 ? 0 : 1;
}

/* ---- search ---- */

static bool search_one(int number, uint64_t first, uint64_t most)
{
    char what[32], why[SIM_FUZZ_WHY];
    for (uint64_t seed = first; seed <= most; seed++) {
        (void)snprintf(what, sizeof what, "%" PRIu64, seed);
        qkd_mutant = (enum qkd_mutant)number;
        if (!noticed(what, why)) {
            continue;
        }
        qkd_mutant = QKD_MUTANT_NONE;
        char without[SIM_FUZZ_WHY];
        if (!noticed(what, without)) {
            printf("%-14s %-5" PRIu64 " # %s: %s\n", names[number], seed, texts[number], why);
            return true;
        }
    }
    printf("# %s: %s: NOT NOTICED up to seed %" PRIu64 "\n", names[number], texts[number], most);
    return false;
}

static int search(const char *most, const char *name, const char *first)
{
    int failed = 0;
    uint64_t seeds = strtoull(most, NULL, 10);
    for (int i = 1; i < QKD_MUTANT_COUNT; i++) {
        if (name == NULL || strcmp(name, names[i]) == 0) {
            failed += !search_one(i, first == NULL ? 1 : strtoull(first, NULL, 10), seeds);
        }
    }
    return failed == 0 ? 0 : 1;
}

int main(int argc, char **argv)
{
    if (argc == 3 && strcmp(argv[1], "known") == 0) {
        return known(argv[2]);
    }
    if (argc >= 3 && argc <= 5 && strcmp(argv[1], "search") == 0) {
        return search(argv[2], argc > 3 ? argv[3] : NULL, argc > 4 ? argv[4] : NULL);
    }
    fputs("usage: mutants known FILE | mutants search N [NAME [FIRST]]\n", stderr);
    return 2;
}
