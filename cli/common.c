/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What subcommands share: complaints, exit codes, loading a scenario. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/expect.h"
#include "cli/cli.h"
#include "core/base/err.h"
#include "core/wire/messages.h"

static void complain(const struct cli_command *command, const char *format, va_list args)
{
    fprintf(stderr, "qkdn %s: ", command->name);
    vfprintf(stderr, format, args);
    fputs("\n", stderr);
}

void cli_complain(const struct cli_command *command, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    complain(command, format, args);
    va_end(args);
}

int cli_usage(const struct cli_command *command, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    complain(command, format, args);
    va_end(args);
    fprintf(stderr, "try 'qkdn %s --help'\n", command->name);
    return CLI_BAD_INPUT;
}

int cli_exit_of(int err)
{
    switch (err) {
    case QKD_OK:
        return CLI_DONE;
    case QKD_ERR_INVALID:
    case QKD_ERR_EXISTS:
    case QKD_ERR_UNKNOWN:
    case QKD_ERR_FORMAT:
    case QKD_ERR_RANGE:
        return CLI_BAD_INPUT;
    default:
        return CLI_BROKEN;
    }
}

/* Adds a line to the list of what is wrong; without memory the line counts as omitted. */
static void errors_add(struct scn_errors *errors, const char *where, const char *text)
{
    size_t size = strlen(where) + strlen(text) + sizeof ": expect ";
    char *line = malloc(size);
    char **lines = realloc(errors->lines, (errors->count + 1) * sizeof *lines);
    if (lines != NULL) {
        errors->lines = lines;
    }
    if (line == NULL || lines == NULL) {
        free(line);
        errors->omitted++;
        return;
    }
    snprintf(line, size, "%s: expect %s", where, text);
    errors->lines[errors->count++] = line;
}

/* The reasons a request may end with, for paths such as reasons.no_route. */
static int expects_check(const struct scn_scenario *scenario, struct scn_errors *errors)
{
    const char *texts[WIRE_REASON_COUNT];
    for (unsigned i = 0; i < WIRE_REASON_COUNT; i++) {
        texts[i] = wire_reason_text(i);
    }
    struct ana_reasons reasons = {texts, WIRE_REASON_COUNT};
    int result = QKD_OK;
    for (size_t i = 0; i < scenario->expect_count; i++) {
        struct ana_error error;
        int err = ana_expect_check(scenario, &scenario->expects[i], &reasons, &error);
        if (err != QKD_OK) {
            errors_add(errors, scenario->expects[i].where, error.text);
            result = err;
        }
    }
    return result;
}

int cli_scenario_load(const char *path, const struct scn_sets *sets, struct scn_scenario **out,
                      struct scn_errors *errors)
{
    return cli_scenario_load_on(path, NULL, sets, out, errors);
}

int cli_scenario_load_on(const char *path, const char *network, const struct scn_sets *sets,
                         struct scn_scenario **out, struct scn_errors *errors)
{
    int err = scn_load_on(path, network, sets, out, errors);
    if (err != QKD_OK) {
        return err;
    }
    err = expects_check(*out, errors);
    if (err != QKD_OK) {
        scn_free(*out);
        *out = NULL;
    }
    return err;
}

void cli_errors_print(const struct scn_errors *errors)
{
    for (size_t i = 0; i < errors->count; i++) {
        fprintf(stderr, "%s\n", errors->lines[i]);
    }
    if (errors->omitted > 0) {
        fprintf(stderr, "... and %zu more\n", errors->omitted);
    }
    if (errors->count == 0 && errors->omitted == 0) {
        fputs("no memory\n", stderr);
    }
}
