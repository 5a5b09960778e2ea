/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Walk over a command line. */
#include "cli/options.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "scenarios/context.h"

#define MOST_OPTIONS 32

static int unknown(struct cli_walk *walk, const char *text)
{
    const char *names[MOST_OPTIONS];
    size_t count = 0;
    for (const struct cli_option *o = walk->options; o->name != NULL && count < MOST_OPTIONS; o++) {
        names[count++] = o->name;
    }
    const char *near = scn_nearest(text, names, count);
    if (near == NULL) {
        cli_usage(walk->command, "unknown option '%s'", text);
    } else {
        cli_usage(walk->command, "unknown option '%s'; did you mean '%s'?", text, near);
    }
    return CLI_BAD;
}

/* Length of the name in "--name=value" or "--name". */
static size_t name_length(const char *text)
{
    const char *equal = strncmp(text, "--", 2) == 0 ? strchr(text, '=') : NULL;
    return equal == NULL ? strlen(text) : (size_t)(equal - text);
}

/* "-j4": a short option with its value. */
static bool is_attached(const struct cli_option *option, const char *text)
{
    return option->has_value && strlen(option->name) == 2 && text[1] == option->name[1] &&
           text[2] != '\0';
}

static int option(struct cli_walk *walk, char *text)
{
    size_t len = name_length(text);
    for (int i = 0; walk->options[i].name != NULL; i++) {
        const struct cli_option *o = &walk->options[i];
        if (is_attached(o, text)) {
            walk->value = text + 2;
            return i;
        }
        if (strlen(o->name) != len || strncmp(o->name, text, len) != 0) {
            continue;
        }
        if (!o->has_value && text[len] == '=') {
            cli_usage(walk->command, "%s takes no value", o->name);
            return CLI_BAD;
        }
        if (o->has_value && text[len] == '=') {
            walk->value = text + len + 1;
        } else if (o->has_value && walk->next == walk->argc) {
            cli_usage(walk->command, "%s needs a value", o->name);
            return CLI_BAD;
        } else if (o->has_value) {
            walk->value = walk->argv[walk->next++];
        }
        return i;
    }
    return unknown(walk, text);
}

int cli_next(struct cli_walk *walk)
{
    if (walk->next == 0) {
        walk->next = 1;
    }
    walk->value = NULL;
    if (walk->next >= walk->argc) {
        return CLI_END;
    }
    char *text = walk->argv[walk->next++];
    if (!walk->literal && strcmp(text, "--") == 0) {
        walk->literal = true;
        return cli_next(walk);
    }
    if (!walk->literal && (strcmp(text, "--help") == 0 || strcmp(text, "-h") == 0)) {
        fputs(walk->command->help, stdout);
        return CLI_HELP;
    }
    if (!walk->literal && text[0] == '-' && text[1] != '\0') {
        return option(walk, text);
    }
    walk->value = text;
    return CLI_ARGUMENT;
}

bool cli_take_all(struct cli_walk *walk, cli_take *take, void *ctx, int *exit_code)
{
    *exit_code = CLI_BAD_INPUT;
    for (int got = cli_next(walk); got != CLI_END; got = cli_next(walk)) {
        if (got == CLI_HELP) {
            *exit_code = CLI_DONE;
        }
        if (got == CLI_HELP || got == CLI_BAD || !take(ctx, got, walk->value)) {
            return false;
        }
    }
    return true;
}

bool cli_uint(const char *text, uint64_t *value)
{
    char *end = NULL;
    errno = 0;
    unsigned long long number = strtoull(text, &end, 10);
    *value = number;
    return text[0] >= '0' && text[0] <= '9' && *end == '\0' && errno == 0;
}
