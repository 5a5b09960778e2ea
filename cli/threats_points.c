/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The checklist of FG QIT4N D2.3, clause 10: at each reference point confidentiality, integrity,
 * authentication, authorization, availability and accountability, judged by the attacks of X.1712 there.
 * Which attacks speak for a property is data: the threat, and whether the measure that they need off is
 * authorization. Accountability is judged by what was told: who was kept out, or changed something, is known
 * to the manager. */
#include <math.h>
#include <string.h>

#include "cli/threats.h"
#include "core/base/measure.h"

const char *const cli_property_names[CLI_PROPERTIES] = {"confidentiality", "integrity",
                                                        "authentication",  "authorization",
                                                        "availability",    "accountability"};

/* Points where a key manager has no part are out of the scope of X.1712: no attack is there. */
const struct cli_point cli_points[CLI_POINTS] = {
    {"Ak", SCN_SURFACE_A1, "KSA and application"},
    {"Kq-1", SCN_SURFACE_K1, "module and KMA"},
    {"Kq-2", SCN_SURFACE_CM, "module and control function"},
    {"Kx-1", SCN_SURFACE_K2_1, "KMA and KMA"},
    {"Kx-2", SCN_SURFACE_K2_2, "KSA and KSA"},
    {"KMI", SCN_SURFACE_K3, "KMA and KSA"},
    {"Ck", SCN_SURFACE_C, "key manager and controller"},
    {"Mk", SCN_SURFACE_M, "key manager and manager"},
    {"Cq", SCN_SURFACES, "controller and module"},
    {"Cqrp", SCN_SURFACES, "controller and relay point"},
    {"Cops", SCN_SURFACES, "controller and optical switch"},
    {"Cx", SCN_SURFACES, "controller and controller"},
    {"Mc", SCN_SURFACES, "manager and controller"},
    {"Mq", SCN_SURFACES, "manager and module"},
};

static bool speaks_for(const struct scn_cell *cell, const struct scn_variant *v,
                       enum cli_property property)
{
    bool right = (v->off & QKD_OFF(AUTHORIZATION)) != 0;
    switch (property) {
    case CLI_CONFIDENTIALITY:
        return cell->threat == SCN_THREAT_EAVESDROPPING && !right;
    case CLI_INTEGRITY:
        return cell->threat == SCN_THREAT_CORRUPTION && !right;
    case CLI_AUTHENTICATION:
        return cell->threat == SCN_THREAT_SPOOFING && !right;
    case CLI_AUTHORIZATION:
        return right;
    case CLI_AVAILABILITY:
        return cell->threat == SCN_THREAT_DENIAL || cell->threat == SCN_THREAT_DESTRUCTION;
    case CLI_ACCOUNTABILITY:
        return cell->threat == SCN_THREAT_SPOOFING && right;
    case CLI_PROPERTIES:
        break;
    }
    return false;
}

struct cli_point_verdict cli_point_judge(const struct cli_threats *threats,
                                         const struct cli_point *point, enum cli_property property)
{
    static const int rank[] = {
        [CLI_THREAT_NOT_RUN] = 0,    [CLI_THREAT_PASS] = 1,    [CLI_THREAT_PARTLY] = 1,
        [CLI_THREAT_NO_TRAFFIC] = 2, [CLI_THREAT_VACUOUS] = 3, [CLI_THREAT_FAIL] = 4};
    struct cli_point_verdict found = {.verdict = CLI_THREAT_NOT_RUN};
    for (size_t i = 0; i < threats->count; i++) {
        const struct cli_threat *threat = &threats->all[i];
        const struct scn_variant *v = &scn_variants[threat->variant];
        const struct scn_cell *cell = &scn_cells[scn_cell_find(v->cell)];
        if (cell->surface != point->surface || !speaks_for(cell, v, property)) {
            continue;
        }
        enum cli_threat_verdict verdict = threat->verdict;
        bool told = !isnan(threat->run[CLI_THREAT_ON].attack.alarm_s);
        if (property == CLI_ACCOUNTABILITY && verdict == CLI_THREAT_PASS && !told) {
            verdict = CLI_THREAT_FAIL;
        }
        found.attacks++;
        found.verdict = rank[verdict] > rank[found.verdict] ? verdict : found.verdict;
    }
    return found;
}

const char *cli_point_text(const struct cli_threats *threats, const struct cli_point *point,
                           enum cli_property property)
{
    struct cli_point_verdict found = cli_point_judge(threats, point, property);
    return found.attacks > 0                ? cli_threat_verdict_name(found.verdict)
           : point->surface == SCN_SURFACES ? "not in X.1712"
                                            : "not run";
}
