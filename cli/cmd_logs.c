/* SPDX-License-Identifier: GPL-3.0-or-later */
/* `qkdn logs`: the log lines of the daemons of a deployment, in order of their times. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cli/deploy.h"
#include "cli/options.h"
#include "core/base/err.h"

#define TIME_MARK "{\"time\":\""
#define TIME_ROOM 40
#define PAUSE_NS 200000000L /* between two looks for new lines */

enum { OPT_DIR, OPT_FOLLOW };

static const struct cli_option options[] = {{"--dir", true}, {"-f", false}, {NULL, false}};

static const struct cli_command *const self = &cli_logs_command;

static volatile sig_atomic_t interrupted;

static void on_signal(int number)
{
    (void)number;
    interrupted = 1;
}

struct source {
    const char *name; /* NULL: not wanted */
    FILE *file;       /* NULL: not there (yet) */
    char *line;       /* the next one, if full */
    size_t room;
    bool full;
    char time[TIME_ROOM]; /* of the line, or of the one before it */
};

/* Reads the next line, unless there is one; of a file that grows only whole lines. */
static void fill(struct source *source, bool follow)
{
    if (source->full || source->file == NULL) {
        return;
    }
    off_t at = ftello(source->file);
    ssize_t len = getline(&source->line, &source->room, source->file);
    if (len <= 0 || (follow && source->line[len - 1] != '\n')) {
        clearerr(source->file);
        (void)fseeko(source->file, at, SEEK_SET);
        return;
    }
    source->full = true;
    if (strncmp(source->line, TIME_MARK, sizeof TIME_MARK - 1) == 0) {
        const char *time = source->line + sizeof TIME_MARK - 1;
        (void)snprintf(source->time, sizeof source->time, "%.*s", (int)strcspn(time, "\""), time);
    }
}

/* Prints what is there, oldest first. */
static void print_all(struct source *sources, size_t count, bool follow)
{
    for (;;) {
        struct source *next = NULL;
        for (size_t i = 0; i < count; i++) {
            fill(&sources[i], follow);
            if (sources[i].full && (next == NULL || strcmp(sources[i].time, next->time) < 0)) {
                next = &sources[i];
            }
        }
        if (next == NULL || interrupted) {
            return;
        }
        bool json = next->line[0] == '{';
        printf("%s%s%s", json ? "" : next->name, json ? "" : ": ", next->line);
        if (strchr(next->line, '\n') == NULL) {
            puts("");
        }
        next->full = false;
    }
}

static void sources_open(struct source *sources, const struct emu_deployment *deployment,
                         const char *folder)
{
    for (size_t i = 0; i < deployment->count; i++) {
        char in[EMU_PATH_SIZE];
        char path[EMU_PATH_SIZE];
        if (sources[i].name != NULL && sources[i].file == NULL &&
            emu_path_join(in, folder, deployment->daemons[i].folder, NULL) == QKD_OK &&
            emu_path_join(path, in, "log", NULL) == QKD_OK) {
            sources[i].file = fopen(path, "re");
        }
    }
}

static int show(const struct emu_deployment *deployment, const char *folder, struct source *sources,
                bool follow)
{
    struct sigaction action = {.sa_handler = on_signal};
    if (follow) {
        (void)sigaction(SIGINT, &action, NULL);
        (void)sigaction(SIGTERM, &action, NULL);
    }
    do {
        sources_open(sources, deployment, folder);
        print_all(sources, deployment->count, follow);
        if (fflush(stdout) != 0) {
            return CLI_BROKEN;
        }
        if (follow && !interrupted) {
            (void)nanosleep(&(struct timespec){.tv_nsec = PAUSE_NS}, NULL);
        }
    } while (follow && !interrupted);
    return CLI_DONE;
}

/* Which daemons are meant: all if none is named. */
static bool wanted(struct source *sources, const struct emu_deployment *deployment,
                   const char **names, size_t name_count)
{
    bool good = true;
    for (size_t i = 0; i < deployment->count && name_count == 0; i++) {
        sources[i].name = deployment->daemons[i].name;
    }
    for (size_t i = 0; i < name_count; i++) {
        const char *near = NULL;
        uint32_t number = emu_deployment_find(deployment, names[i], &near);
        if (number != EMU_NOWHERE) {
            sources[number].name = deployment->daemons[number].name;
            continue;
        }
        cli_complain(self, "there is no daemon '%s'%s%s%s", names[i],
                     near == NULL ? "" : "; did you mean '", near == NULL ? "" : near,
                     near == NULL ? "" : "'?");
        good = false;
    }
    return good;
}

static int logs(const char *folder, const char **names, size_t name_count, bool follow)
{
    struct emu_deployment *deployment = NULL;
    struct emu_why why;
    int err = emu_deployment_read(folder, &deployment, &why);
    if (err != QKD_OK) {
        cli_complain(self, "%s", why.text);
        return cli_exit_of(err);
    }
    int code = CLI_BROKEN;
    struct source *sources = calloc(deployment->count + 1, sizeof *sources);
    if (sources == NULL) {
        cli_complain(self, "no memory");
    } else if (!wanted(sources, deployment, names, name_count)) {
        code = CLI_BAD_INPUT;
    } else {
        code = show(deployment, folder, sources, follow);
    }
    for (size_t i = 0; i < deployment->count && sources != NULL; i++) {
        free(sources[i].line);
        if (sources[i].file != NULL) {
            (void)fclose(sources[i].file);
        }
    }
    free(sources);
    emu_deployment_free(deployment);
    return code;
}

struct settings {
    const char *given; /* folder */
    bool follow;
    const char **names;
    size_t count;
};

static bool option_take(void *ctx, int option, const char *value)
{
    struct settings *settings = ctx;
    if (option == CLI_ARGUMENT) {
        settings->names[settings->count++] = value;
    }
    settings->follow = settings->follow || option == OPT_FOLLOW;
    settings->given = option == OPT_DIR ? value : settings->given;
    return true;
}

static int run(int argc, char **argv)
{
    struct cli_walk walk = {self, options, argc, argv, 0, false, NULL};
    struct settings settings = {.names = calloc((size_t)argc, sizeof *settings.names)};
    char folder[EMU_PATH_SIZE];
    int code = CLI_BROKEN;
    if (settings.names != NULL && cli_take_all(&walk, option_take, &settings, &code)) {
        code = cli_deploy_find(self, settings.given, folder);
        code = code == CLI_DONE ? logs(folder, settings.names, settings.count, settings.follow)
                                : code;
    }
    free(settings.names);
    return code;
}

const struct cli_command cli_logs_command = {
    "logs", run, "log lines of the daemons of a network",
    "usage: qkdn logs [DAEMON]... [-f] [--dir DIR]\n\n"
    "Prints the log lines of all daemons of a deployment, or of those named, in order of their\n"
    "times. Lines are JSON objects; other lines have the daemon's name before them.\n\n"
    "  -f         go on with new lines until Ctrl-C\n"
    "  --dir DIR  the deployment; default: the only one that is up in the usual place\n"
    "             ($XDG_RUNTIME_DIR/qkdn or /tmp/qkdn-UID)\n"
    "  --help     this text\n\n"
    "examples:\n"
    "  qkdn logs kmd.A linkd.AB\n"
    "  qkdn logs -f | jq -c 'select(.level == \"warn\")'\n\n"
    "exit codes: 0 done; 2 bad usage, no such daemon, nothing is up; 3 output cannot be written\n"};
