/* SPDX-License-Identifier: GPL-3.0-or-later */
/* `qkdn threats`: the matrix of X.1712, run. */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "analysis/outfile.h"
#include "cli/cli.h"
#include "cli/options.h"
#include "cli/threats.h"
#include "core/base/err.h"
#include "scenarios/context.h"

enum { OPT_JSON, OPT_NETWORK, OPT_SEED, OPT_JUNIT, OPT_HTML, OPT_FORCE };

static const struct cli_option options[] = {{"--json", false}, {"--network", true},
                                            {"--seed", true},  {"--junit", true},
                                            {"--html", true},  {"--force", false},
                                            {NULL, false}};

struct settings {
    bool json;
    size_t named; /* cells on the command line */
    size_t last;  /* of them */
    bool wanted[SCN_CELLS];
    const char *network, *junit, *html;
    bool force;
    uint64_t seed;
};

static bool cell_take(struct settings *settings, const char *id)
{
    size_t cell = scn_cell_find(id);
    if (cell == SCN_CELLS) {
        const char *ids[SCN_CELLS];
        for (size_t i = 0; i < SCN_CELLS; i++) {
            ids[i] = scn_cells[i].id;
        }
        const char *near = scn_nearest(id, ids, SCN_CELLS);
        (void)cli_usage(&cli_threats_command, "unknown cell '%s'%s%s%s", id,
                        near == NULL ? "" : "; did you mean '", near == NULL ? "" : near,
                        near == NULL ? "" : "'?");
        return false;
    }
    settings->named += !settings->wanted[cell];
    settings->wanted[cell] = true;
    settings->last = cell;
    return true;
}

static bool option_take(void *ctx, int option, const char *value)
{
    struct settings *settings = ctx;
    switch (option) {
    case OPT_JSON:
        settings->json = true;
        return true;
    case OPT_NETWORK:
        settings->network = value;
        return true;
    case OPT_JUNIT:
        settings->junit = value;
        return true;
    case OPT_HTML:
        settings->html = value;
        return true;
    case OPT_FORCE:
        settings->force = true;
        return true;
    case OPT_SEED:
        if (!cli_uint(value, &settings->seed) || settings->seed > INT64_MAX) {
            (void)cli_usage(&cli_threats_command, "--seed %s: expected a whole number", value);
            return false;
        }
        return true;
    default: /* CLI_ARGUMENT */
        return cell_take(settings, value);
    }
}

/* ---- totals ---- */

/* Cells of the text, or extra ones, that ended so. */
static size_t cells_count(const struct cli_threats *threats, enum cli_threat_verdict verdict,
                          bool extra)
{
    size_t count = 0;
    for (size_t i = 0; i < SCN_CELLS; i++) {
        count += scn_cells[i].extra == extra && cli_threats_cell(threats, i) == verdict;
    }
    return count;
}

/* ---- text ---- */

static void matrix_print(const struct cli_threats *threats)
{
    static const enum scn_threat columns[] = {SCN_THREAT_SPOOFING, SCN_THREAT_EAVESDROPPING,
                                              SCN_THREAT_CORRUPTION, SCN_THREAT_DESTRUCTION,
                                              SCN_THREAT_DENIAL};
    printf("%-8s %-14s %-10s %-14s %-12s %-12s %-10s\n", "surface", "at", "spoofing",
           "eavesdropping", "corruption", "destruction", "denial");
    for (int s = 0; s < SCN_SURFACES; s++) {
        printf("T_%-6s %-14s", scn_surface_name((enum scn_surface)s),
               scn_surface_point((enum scn_surface)s));
        for (size_t c = 0; c < sizeof columns / sizeof columns[0]; c++) {
            static const int widths[] = {10, 14, 12, 12, 10};
            for (size_t i = 0; i < SCN_CELLS; i++) {
                if ((int)scn_cells[i].surface == s && scn_cells[i].threat == columns[c]) {
                    char text[24];
                    enum cli_threat_verdict verdict = cli_threats_cell(threats, i);
                    (void)snprintf(text, sizeof text, "%s%s%s", scn_cells[i].extra ? "(" : "",
                                   verdict == CLI_THREAT_NOT_RUN ? "-"
                                                                 : cli_threat_verdict_name(verdict),
                                   scn_cells[i].extra ? ")" : "");
                    printf(" %-*s", widths[c], text);
                }
            }
        }
        puts("");
    }
    puts("-: no attack of this cell has been built; partly: some have been, and these pass; in "
         "brackets: "
         "extra,\nnot in the text of X.1712");
}

static void requirements_print(const struct cli_threats *threats)
{
    puts("\nRequirements");
    for (int number = 1; number <= CLI_REQUIREMENTS; number++) {
        printf("  SReq.%-2d %-11s %-8s %s\n", number,
               cli_requirement_is_required(number) ? "required" : "recommended",
               cli_requirement_verdict(threats, number), cli_requirement_text(number));
    }
}

static void variants_print(const struct cli_threats *threats)
{
    puts("\nAttacks");
    printf("  %-8s %-20s %-17s %12s %12s %12s %12s  %s\n", "cell", "variant", "success is", "off",
           "on", "later off", "inside", "verdict");
    for (size_t i = 0; i < threats->count; i++) {
        const struct cli_threat *threat = &threats->all[i];
        const struct scn_variant *v = &scn_variants[threat->variant];
        printf("  %-8s %-20s %-17s", v->cell, v->name, scn_proof_name(v->proof));
        for (int kind = 0; kind < CLI_THREAT_KINDS; kind++) {
            const struct cli_threat_run *run = &threat->run[kind];
            char text[32] = "";
            if (run->done) {
                (void)snprintf(text, sizeof text, "%.0f", run->gain);
            }
            printf(" %12s", text);
        }
        printf("  %s\n", cli_threat_verdict_name(threat->verdict));
    }
}

/* One cell, at length. */
static void cell_print(const struct cli_threats *threats, size_t number)
{
    const struct scn_cell *cell = &scn_cells[number];
    printf("%s: %s on T_%s (%s)%s\n", cell->id, scn_threat_name(cell->threat),
           scn_surface_name(cell->surface), scn_surface_point(cell->surface),
           cell->extra ? ", extra: not in the text of X.1712" : "");
    printf("  attacker %s: %s\n  must hold: %s (SReq %s)\n  verdict: %s\n", cell->capability,
           cell->attack, cell->measure, cell->requirements,
           cli_threat_verdict_name(cli_threats_cell(threats, number)));
    if (cell->missing[0] != '\0') {
        printf("  not built: %s\n", cell->missing);
    }
    for (size_t i = 0; i < threats->count; i++) {
        const struct cli_threat *threat = &threats->all[i];
        const struct scn_variant *v = &scn_variants[threat->variant];
        printf("\n  %s (%s): %s\n", v->name, v->asset, cli_threat_verdict_name(threat->verdict));
        for (int kind = 0; kind < CLI_THREAT_KINDS; kind++) {
            const struct cli_threat_run *run = &threat->run[kind];
            struct cli_threat_sets sets;
            if (!run->done) {
                continue;
            }
            cli_threat_sets(threats, v, (enum cli_threat_kind)kind, &sets);
            printf("    %-6s %s %.0f; met %llu, shielded %llu, read %llu, forged %llu, accepted "
                   "%llu; served %llu of %llu\n",
                   cli_threat_kind_name((enum cli_threat_kind)kind),
                   scn_proof_name(kind == CLI_THREAT_LATER ? v->later_proof : v->proof), run->gain,
                   (unsigned long long)run->attack.seen, (unsigned long long)run->attack.shielded,
                   (unsigned long long)run->attack.read, (unsigned long long)run->attack.forged,
                   (unsigned long long)run->attack.accepted, (unsigned long long)run->served,
                   (unsigned long long)run->total);
            printf("           --set '%s' --set '%s' --set '%s'\n", sets.attacks, sets.measures,
                   sets.costs);
        }
    }
}

static void tags_print(const struct cli_tags *tags)
{
    if (!tags->done) {
        return;
    }
    printf(
        "\nForged frames: with tags of 8 bits %llu of %llu accepted (%.1f +- %.1f by theory), with "
        "full ones %llu of %llu\n  (below %.2g each with 95 %% certainty, by these tries; below "
        "%.2g "
        "by proof)\n",
        (unsigned long long)tags->accepted[0], (unsigned long long)tags->tries[0], tags->expected,
        tags->spread, (unsigned long long)tags->accepted[1], (unsigned long long)tags->tries[1],
        tags->most_95, tags->bound);
}

static void print_all(const struct cli_threats *threats, const struct settings *settings)
{
    if (settings->named == 1) {
        cell_print(threats, settings->last);
        return;
    }
    printf("X.1712 on %s, seed %llu; benign: %llu of %llu requests served\n\n", threats->network,
           (unsigned long long)threats->seed, (unsigned long long)threats->base_served,
           (unsigned long long)threats->base_total);
    matrix_print(threats);
    variants_print(threats);
    requirements_print(threats);
    tags_print(&threats->tags);
    printf("\nOf the 32 cells of X.1712 %zu pass, %zu pass in part, %zu fail, %zu are vacuous, %zu "
           "were "
           "not run\n",
           cells_count(threats, CLI_THREAT_PASS, false),
           cells_count(threats, CLI_THREAT_PARTLY, false),
           cells_count(threats, CLI_THREAT_FAIL, false),
           cells_count(threats, CLI_THREAT_VACUOUS, false),
           cells_count(threats, CLI_THREAT_NOT_RUN, false));
}

/* ---- the command ---- */

/* Whether the files can be written, before anything runs. */
static bool files_good(const struct settings *settings)
{
    const char *const files[] = {settings->junit, settings->html};
    const struct ana_files all = {&settings->network, 1, files, 2};
    struct ana_error error;
    int err = ana_outfile_apart(&all, &error);
    for (size_t i = 0; i < 2 && err == QKD_OK; i++) {
        err = files[i] == NULL ? QKD_OK : ana_outfile_check(files[i], settings->force, &error);
    }
    if (err != QKD_OK) {
        (void)cli_usage(&cli_threats_command, "%s", error.text);
    }
    return err == QKD_OK;
}

static int file_write(const struct cli_threats *threats, const struct settings *settings, bool html)
{
    char now_text[32] = "1970-01-01T00:00:00";
    time_t now = time(NULL);
    struct tm utc;
    struct ana_error error;
    struct ana_outfile out;
    bool good = true;
    int err = ana_outfile_begin(&out, html ? settings->html : settings->junit, settings->force,
                                &error);
    if (err == QKD_OK && html) {
        cli_threats_page(out.file, threats);
    } else if (err == QKD_OK) {
        if (gmtime_r(&now, &utc) != NULL) {
            (void)strftime(now_text, sizeof now_text, "%Y-%m-%dT%H:%M:%S", &utc);
        }
        good = cli_threats_junit(out.file, threats, now_text);
    }
    err = err == QKD_OK ? ana_outfile_end(&out, good, &error) : err;
    if (err != QKD_OK || !good) {
        cli_complain(&cli_threats_command, "%s", good ? error.text : "no memory");
    }
    return err == QKD_OK && good ? CLI_DONE : CLI_BROKEN;
}

static int files_write(const struct cli_threats *threats, const struct settings *settings)
{
    int code = settings->junit == NULL ? CLI_DONE : file_write(threats, settings, false);
    return code != CLI_DONE || settings->html == NULL ? code : file_write(threats, settings, true);
}

static int threats_done(const struct cli_threats *threats, const struct settings *settings, int err)
{
    if (err != QKD_OK) {
        cli_errors_print(&threats->errors);
        if (threats->errors.count > 0) {
            return CLI_BAD_INPUT;
        }
        cli_complain(&cli_threats_command, "%s",
                     threats->why[0] != '\0' ? threats->why : qkd_err_text(err));
        return cli_exit_of(err);
    }
    int code = CLI_DONE;
    if (!settings->json) {
        print_all(threats, settings);
    } else if (!cli_threats_json(stdout, threats)) {
        code = CLI_BROKEN;
    }
    code = code == CLI_DONE ? files_write(threats, settings) : code;
    bool bad_tags = threats->tags.done && !(threats->tags.short_good && threats->tags.full_good);
    code = code == CLI_DONE && bad_tags ? CLI_FAILED : code;
    for (size_t i = 0; i < threats->count && code == CLI_DONE; i++) {
        bool bad = threats->all[i].verdict != CLI_THREAT_PASS;
        code = bad ? CLI_FAILED : code;
    }
    for (size_t i = 0; i < SCN_CELLS && settings->named > 0 && code == CLI_DONE; i++) {
        bool missing = settings->wanted[i] && cli_threats_cell(threats, i) == CLI_THREAT_NOT_RUN;
        code = missing ? CLI_FAILED : code;
    }
    return code;
}

static int threats_command(int argc, char **argv)
{
    struct settings settings = {.network = "line", .seed = 1};
    struct cli_walk walk = {&cli_threats_command, options, argc, argv, 0, false, NULL};
    int code = CLI_DONE;
    if (!cli_take_all(&walk, option_take, &settings, &code)) {
        return code;
    }
    if (!files_good(&settings)) {
        return CLI_BAD_INPUT;
    }
    for (size_t i = 0; i < SCN_CELLS && settings.named == 0; i++) {
        settings.wanted[i] = true;
    }
    struct cli_threats threats = {.network = settings.network, .seed = settings.seed};
    int err = cli_threats_run(&threats, settings.wanted);
    err = err == QKD_OK && settings.named == 0 ? cli_threats_tags(&threats) : err;
    code = threats_done(&threats, &settings, err);
    cli_threats_fini(&threats);
    return code;
}

const struct cli_command cli_threats_command = {
    "threats", threats_command, "run the threats of X.1712 and judge what stands against them",
    "usage: qkdn threats [CELL ...] [OPTIONS]\n\n"
    "Runs each attack of the cells named, or of all, on a network: with the measure off that "
    "stands\n"
    "against it, where it must succeed (else the cell is vacuous), and with all measures on, where "
    "it\n"
    "must not. One cell alone is explained. Cells whose attacks have not been built are not "
    "judged.\n\n"
    "  --network N   line (default), random, or a scenario file, whose attacks and measures are\n"
    "                replaced; attackers have the second third of its run\n"
    "  --seed N      of the run, and of the random network; default 1\n"
    "  --json        one JSON object\n"
    "  --junit FILE  also JUnit XML: a suite for each cell, a case for each attack\n"
    "  --html FILE   also one page: matrix, requirements, reference points, figures\n"
    "  --force       replace files that exist\n\n"
    "Exit code 1: an attack that was run succeeds, or shows nothing; or a cell that was named has "
    "no\n"
    "attack yet.\n\n"
    "examples:\n"
    "  qkdn threats\n"
    "  qkdn threats D-K2-1\n"
    "  qkdn threats --network random --seed 7 --json\n"
    "  qkdn threats --html threats.html --junit threats.xml\n"};
