/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Threats as JUnit XML, by the writer of `qkdn check`: each cell is a suite, each of its attacks a case; what
 * has not been built is skipped. */
#include <stdlib.h>
#include <string.h>

#include "analysis/check.h"
#include "cli/threats.h"

static enum ana_verdict verdict_of(enum cli_threat_verdict verdict)
{
    switch (verdict) {
    case CLI_THREAT_PASS:
    case CLI_THREAT_PARTLY:
        return ANA_PASS;
    case CLI_THREAT_NOT_RUN:
    case CLI_THREAT_NO_TRAFFIC:
        return ANA_SKIP;
    case CLI_THREAT_FAIL:
    case CLI_THREAT_VACUOUS:
        break;
    }
    return ANA_FAIL;
}

static void attack_add(struct ana_check *check, const struct cli_threat *threat)
{
    const struct scn_variant *v = &scn_variants[threat->variant];
    char text[256];
    (void)snprintf(text, sizeof text, "%s: %s is %.0f with the measure off, %.0f with all on",
                   cli_threat_verdict_name(threat->verdict), scn_proof_name(v->proof),
                   threat->run[CLI_THREAT_OFF].gain, threat->run[CLI_THREAT_ON].gain);
    bool good = threat->verdict == CLI_THREAT_PASS;
    struct ana_point *point = ana_check_add(check, v->name, verdict_of(threat->verdict),
                                            good ? "" : text);
    if (point != NULL) {
        point->has_value = true;
        point->value = threat->run[CLI_THREAT_ON].gain;
    }
}

static void cell_add(struct ana_check *check, const struct cli_threats *threats, size_t number)
{
    const struct scn_cell *cell = &scn_cells[number];
    ana_check_init(check, cell->id, "");
    free(check->scenario);
    check->scenario = strdup(cell->attack);
    check->seed = threats->seed;
    check->failed = check->failed || check->scenario == NULL;
    for (size_t i = 0; i < threats->count; i++) {
        if (strcmp(scn_variants[threats->all[i].variant].cell, cell->id) == 0) {
            attack_add(check, &threats->all[i]);
        }
    }
    if (check->point_count == 0) {
        (void)ana_check_add(check, "no attack has been built", ANA_SKIP, "");
    } else if (cell->missing[0] != '\0') {
        (void)ana_check_add(check, "attacks that have not been built", ANA_SKIP, cell->missing);
    }
}

bool cli_threats_junit(FILE *out, const struct cli_threats *threats, const char *started)
{
    struct ana_check *checks = calloc(SCN_CELLS, sizeof *checks);
    size_t count = 0;
    bool good = checks != NULL;
    for (size_t i = 0; i < SCN_CELLS && good; i++) {
        if (threats->wanted[i]) {
            cell_add(&checks[count], threats, i);
            good = !checks[count].failed;
            count++;
        }
    }
    if (good) {
        ana_junit_write(out, checks, count, started);
    }
    for (size_t i = 0; i < count; i++) {
        ana_check_fini(&checks[i]);
    }
    free(checks);
    return good;
}
