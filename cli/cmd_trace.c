/* SPDX-License-Identifier: GPL-3.0-or-later */
/* `qkdn trace`: the life of one key in the results of a run. */
#include <stdio.h>
#include <string.h>

#include "analysis/trace.h"
#include "cli/cli.h"
#include "cli/options.h"
#include "core/base/err.h"

enum { OPT_JSON };

static const struct cli_option options[] = {{"--json", false}, {NULL, false}};

/* 8-4-4-4-12 text, or 32 hexadecimal digits as SQL's hex() prints them. */
static bool key_id_parse(const char *text, struct qkd_id *id)
{
    char lower[37];
    size_t len = strlen(text);
    if (len != 32 && len != 36) {
        return false;
    }
    for (size_t i = 0; i < 36; i++) {
        bool dash = i == 8 || i == 13 || i == 18 || i == 23;
        char c = dash && len == 32 ? '-' : *text++;
        lower[i] = (char)(c >= 'A' && c <= 'F' ? c - 'A' + 'a' : c);
    }
    lower[36] = '\0';
    return qkd_id_parse(lower, id);
}

static int trace_key(const char *key, const char *path, bool json)
{
    struct qkd_id id;
    struct ana_error error;
    struct ana_results *results = NULL;
    if (!key_id_parse(key, &id)) {
        return cli_usage(&cli_trace_command,
                         "'%s' is no key ID: expected 8-4-4-4-12 or 32 hexadecimal digits", key);
    }
    int err = ana_results_open(path, &results, &error);
    if (err == QKD_OK) {
        err = json ? ana_trace_json(results, &id, stdout, &error)
                   : ana_trace_print(results, &id, stdout, &error);
    }
    ana_results_close(results);
    if (err != QKD_OK) {
        cli_complain(&cli_trace_command, "%s", error.text);
    }
    return cli_exit_of(err);
}

static int trace(int argc, char **argv)
{
    struct cli_walk walk = {&cli_trace_command, options, argc, argv, 0, false, NULL};
    const char *arguments[2] = {NULL, NULL};
    size_t count = 0;
    bool json = false;
    int got;
    while ((got = cli_next(&walk)) != CLI_END) {
        if (got == OPT_JSON) {
            json = true;
        } else if (got == CLI_ARGUMENT && count < 2) {
            arguments[count++] = walk.value;
        } else if (got == CLI_ARGUMENT) {
            return cli_usage(&cli_trace_command, "one key and one file, not also '%s'", walk.value);
        } else {
            return got == CLI_HELP ? CLI_DONE : CLI_BAD_INPUT;
        }
    }
    if (count < 2) {
        return cli_usage(&cli_trace_command, "which key, and in which results?");
    }
    return trace_key(arguments[0], arguments[1], json);
}

const struct cli_command cli_trace_command = {
    "trace", trace, "show the life of one key, back to its QKD-keys",
    "usage: qkdn trace KEY_ID RESULTS.db [--json]\n\n"
    "Prints the life of one key: the request that it answered, the hops and pads of the KMA-key "
    "that\n"
    "it was cut from, and the QKD-keys that it travelled under. KEY_ID is that of a KSA-key, a\n"
    "KMA-key or a QKD-key. Hops and life cycle are there if the run was recorded with\n"
    "--record full.\n\n"
    "  --json   one object {key, class, requests[], hops[], life[], parents[]}; parents are\n"
    "           objects of the same form\n"
    "  --help   this text\n\n"
    "examples:\n"
    "  qkdn run scenarios/line-3.yaml -o line-3.db --record full\n"
    "  qkdn trace $(sqlite3 line-3.db 'SELECT hex(ksa_key) FROM request_keys LIMIT 1') "
    "line-3.db\n\n"
    "exit codes: 0 done; 2 no such key, bad usage or input; 3 no memory\n"};
