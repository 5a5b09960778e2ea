/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Runs attacks of X.1712 and judges them. */
#include "cli/threats.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "core/base/err.h"
#include "sim/run.h"

enum { TEXT_SIZE = 2048 };

/* ---- where ---- */

#define S_NS INT64_C(1000000000)
#define NO_COST "security={}"
enum { THIRDS = 3 }; /* of the run of a scenario file, an attacker has the second */

/* Where there is a flood, messages cost their receivers something: one that leads to anything takes a key
 * manager 5 ms, and an application may ask for keys 20 times a second. Where something is cut, applications ask
 * again. */
#define FLOODED "security={work: 5 ms, requests: 20}"
#define CUT "security={retry: 200 ms}"
#define PRESERVED                                                                                  \
    "key_management.retention=preserve" /* else a KSA stores no key that was supplied */

enum { SEEN_WITHIN_S = 5, LOSS_PERCENT = 5 }; /* an alarm about a cut, and what a flood may cost */

/* Attackers reach the inside of nodes, and KMA and KSA meet on a line. */
static const char *const line =
    "scenario: threats, line\nduration: 30 s\nengine: fast\n"
    "network:\n"
    "  nodes: [{id: A}, {id: B}, {id: C}]\n"
    "  links:\n"
    "    - {id: AB, ends: [A, B], length: 20 km, qkd: {rate: 100 kbit/s, block: 128 kbit}}\n"
    "    - {id: BC, ends: [B, C], length: 20 km, qkd: {rate: 100 kbit/s, block: 128 kbit}}\n"
    "applications:\n"
    "  - {id: v, from: A, to: C, key: 256 bit, arrivals: periodic, rate: 4 /s, offset: 5 s, "
    "timeout: 5 s}\n"
    "  - {id: w, from: A, to: B, key: 256 bit, arrivals: periodic, rate: 1 /s, offset: 5.1 s, "
    "timeout: 5 s}\n";

static const char *const chance =
    "scenario: threats, random network\nduration: 30 s\nengine: fast\n"
    "network:\n"
    "  generate: {kind: geometric, nodes: 12, side: 60 km, radius: 20 km, seed: %llu,\n"
    "    link: {qkd: {rate: 100 kbit/s, block: 128 kbit}}}\n"
    "control: {at: n0001}\n"
    "applications:\n"
    "  - {id: u, from: n0001, to: n0012, key: 256 bit, arrivals: periodic, rate: 2 /s, "
    "offset: 5 s, timeout: 5 s}\n"
    "  - {id: v, from: n0002, to: n0011, key: 256 bit, arrivals: periodic, rate: 2 /s, "
    "offset: 5 s, timeout: 5 s}\n"
    "  - {id: w, from: n0003, to: n0010, key: 256 bit, arrivals: periodic, rate: 2 /s, "
    "offset: 5 s, timeout: 5 s}\n"
    "  - {id: x, from: n0001, to: n0011, key: 256 bit, arrivals: periodic, rate: 1 /s, "
    "offset: 5.1 s, timeout: 5 s}\n";

static int scenario_load(struct cli_threats *threats, const struct scn_sets *sets,
                         struct scn_scenario **scenario)
{
    char text[TEXT_SIZE];
    bool random = strcmp(threats->network, "random") == 0;
    scn_errors_fini(&threats->errors);
    if (!random && strcmp(threats->network, "line") != 0) {
        return cli_scenario_load(threats->network, sets, scenario, &threats->errors);
    }
    if (random) {
        (void)snprintf(text, sizeof text, chance, (unsigned long long)threats->seed);
    } else {
        (void)snprintf(text, sizeof text, "%s", line);
    }
    struct scn_text input = {.name = threats->network, .text = text, .len = strlen(text)};
    return scn_load_text(&input, sets, scenario, &threats->errors);
}

static void reach_set(struct scn_scenario *scenario, enum scn_boundary boundary)
{
    scenario->key_management.deployment = SCN_DEPLOYMENT_TWO;
    for (size_t i = 0; i < scenario->node_count; i++) {
        scenario->nodes[i].boundary = boundary;
    }
}

/* ---- one run ---- */

static uint32_t off_of(const struct scn_variant *v, enum cli_threat_kind kind)
{
    switch (kind) {
    case CLI_THREAT_OFF:
    case CLI_THREAT_INSIDE:
        return v->off;
    case CLI_THREAT_LATER:
        return v->off | v->later;
    case CLI_THREAT_ON:
    case CLI_THREAT_KINDS:
        break;
    }
    return 0;
}

static void measures_write(uint32_t off, char measures[256])
{
#define KEY_OF(name, key, text) key,
    static const char *const keys[] = {QKD_MEASURES(KEY_OF)};
    size_t len = (size_t)snprintf(measures, 256, "measures={");
    const char *between = "";
    for (uint32_t m = 0; m < QKD_MEASURE_COUNT && len < 256; m++) {
        if (qkd_is_off(off, m)) {
            len += (size_t)snprintf(measures + len, 256 - len, "%s%s: off", between, keys[m]);
            between = ", ";
        }
    }
    if (len < 256) {
        (void)snprintf(measures + len, 256 - len, "}");
    }
}

void cli_threat_sets(const struct cli_threats *threats, const struct scn_variant *variant,
                     enum cli_threat_kind kind, struct cli_threat_sets *sets)
{
    long long at_ms = variant->from_start ? 0 : threats->at_ns / (S_NS / 1000);
    long long for_ms = variant->for_ms == 0 ? threats->for_ns / (S_NS / 1000) : variant->for_ms;
    bool floods = variant->what == SCN_ATTACK_FLOOD;
    bool at_disk = variant->what == SCN_ATTACK_IMAGE || variant->what == SCN_ATTACK_ROT;
    bool of_ksa = scn_cells[scn_cell_find(variant->cell)].surface == SCN_SURFACE_KSA;
    (void)snprintf(sets->attacks, sizeof sets->attacks,
                   "attacks=[{cell: %s, variant: %s, at: %lld ms, for: %lld ms}]", variant->cell,
                   variant->name, at_ms, for_ms);
    measures_write(off_of(variant, kind), sets->measures);
    (void)snprintf(sets->costs, sizeof sets->costs, "%s",
                   floods                             ? FLOODED
                   : variant->what == SCN_ATTACK_DROP ? CUT
                   : at_disk && of_ksa                ? PRESERVED
                                                      : NO_COST);
}

/* Runs the network with these overrides; `boundary` of all its nodes. */
static int run(struct cli_threats *threats, const struct cli_threat_sets *set,
               enum scn_boundary boundary, struct scn_summary *summary)
{
    char seed[40];
    (void)snprintf(seed, sizeof seed, "seed=%llu", (unsigned long long)threats->seed);
    const char *texts[] = {seed, set->attacks, set->measures, set->costs};
    struct scn_sets sets = {texts, sizeof texts / sizeof texts[0]};
    struct scn_scenario *scenario = NULL;
    memset(summary, 0, sizeof *summary);
    int err = scenario_load(threats, &sets, &scenario);
    if (err != QKD_OK) {
        return err;
    }
    reach_set(scenario, boundary);
    threats->flooder = scn_attack_flooder(scenario);
    struct sim_options options = {.has_engine = true,
                                  .engine = SCN_ENGINE_FAST,
                                  .why = threats->why,
                                  .why_size = sizeof threats->why};
    err = sim_run(scenario, &options, summary);
    scn_free(scenario);
    return err;
}

/* Whether it is a valid application that asks, and asks: no boundary keeps it out. */
static bool asks(const struct scn_variant *v)
{
    return v->what == SCN_ATTACK_FLOOD && v->flood == SCN_FLOOD_REQUESTS;
}

/* What honest applications were served: not the one that floods. */
static uint64_t honest_served(const struct cli_threats *threats, const struct scn_variant *v,
                              const struct scn_summary *summary)
{
    return summary->requests.served -
           (asks(v) ? summary->applications[threats->flooder].requests.served : 0);
}

static double gain_of(enum scn_proof proof, const struct scn_summary *summary, uint64_t served,
                      uint64_t benign)
{
    const struct scn_attack_summary *attack = &summary->attacks[0];
    double most = (double)benign * (100 - LOSS_PERCENT) / 100;
    switch (proof) {
    case SCN_PROOF_LEAKED_BITS:
        return (double)(attack->leaked_bits - attack->marked_bits);
    case SCN_PROOF_READ:
        return (double)attack->read;
    case SCN_PROOF_ACCEPTED:
        return (double)attack->accepted;
    case SCN_PROOF_MISMATCHED:
        return (double)summary->mismatched_pairs;
    case SCN_PROOF_LOST:
        return (double)benign - (double)served;
    case SCN_PROOF_LOST_MUCH:
        return (double)served < most ? most - (double)served : 0;
    case SCN_PROOF_UNSEEN:
        return attack->touched == 0 || attack->alarm_s <= SEEN_WITHIN_S ? 0 : 1; /* NAN: never */
    case SCN_PROOF_MISSED:
        return (double)attack->missed;
    case SCN_PROOF_UNTOLD:
        return (double)summary->reports < most ? most - (double)summary->reports : 0;
    case SCN_PROOF_BROKEN:
        return (double)(summary->oracle.violations + summary->security.violations);
    case SCN_PROOFS:
        break;
    }
    return 0;
}

/* Key that no application got. */
static uint64_t spent_bits(const struct scn_summary *summary)
{
    const struct scn_bits *bits = &summary->bits;
    return bits->pads + bits->tags + bits->hash_keys + bits->fallback_keys + bits->discarded;
}

/* What a benign run serves, and spends on it. */
struct benign {
    uint64_t served, spent;
};

/* With the same measures off: only then is what is missing the attacker's. */
static int benign_run(struct cli_threats *threats, const struct scn_variant *v,
                      const struct cli_threat_sets *sets, struct benign *found)
{
    struct scn_summary summary;
    struct cli_threat_sets benign = *sets;
    (void)snprintf(benign.attacks, sizeof benign.attacks, "attacks=[]");
    int err = run(threats, &benign, SCN_BOUNDARY_OUTSIDE, &summary);
    found->served = err != QKD_OK                  ? 0
                    : v->proof == SCN_PROOF_UNTOLD ? summary.reports
                                                   : honest_served(threats, v, &summary);
    found->spent = spent_bits(&summary);
    scn_summary_fini(&summary);
    return err;
}

/* What the attacker cost the others: requests, and key beyond what so many keys cost. */
static void costs_fill(struct cli_threat_run *to, const struct benign *benign, uint64_t served,
                       uint64_t spent)
{
    double fair = benign->served == 0
                      ? 0
                      : (double)benign->spent * (double)served / (double)benign->served;
    to->honest_lost = benign->served > served ? benign->served - served : 0;
    to->waste_bits = (double)spent > fair ? (uint64_t)((double)spent - fair) : 0;
}

static int variant_run(struct cli_threats *threats, struct cli_threat *threat,
                       enum cli_threat_kind kind)
{
    const struct scn_variant *v = &scn_variants[threat->variant];
    enum scn_proof proof = kind == CLI_THREAT_LATER ? v->later_proof : v->proof;
    bool compares = proof == SCN_PROOF_LOST || proof == SCN_PROOF_LOST_MUCH ||
                    proof == SCN_PROOF_UNTOLD;
    bool inside = kind == CLI_THREAT_INSIDE || v->inside;
    struct cli_threat_run *to = &threat->run[kind];
    struct cli_threat_sets sets;
    struct scn_summary summary;
    cli_threat_sets(threats, v, kind, &sets);
    bool as_base = !compares && kind == CLI_THREAT_ON && strcmp(sets.costs, NO_COST) == 0;
    struct benign benign = {as_base ? threats->base_served : 0, threats->base_spent_bits};
    int err = compares ? benign_run(threats, v, &sets, &benign) : 0;
    if (err != QKD_OK) {
        return err;
    }
    err = run(threats, &sets, inside ? SCN_BOUNDARY_INSIDE : SCN_BOUNDARY_OUTSIDE, &summary);
    if (err == QKD_OK) {
        uint64_t served = honest_served(threats, v, &summary);
        *to = (struct cli_threat_run){.done = true,
                                      .gain = gain_of(proof, &summary, served, benign.served),
                                      .served = summary.requests.served,
                                      .total = summary.requests.total,
                                      .mismatched = summary.mismatched_pairs,
                                      .violations = summary.oracle.violations,
                                      .excused = summary.security.violations,
                                      .attack = summary.attacks[0]};
        if (proof != SCN_PROOF_UNTOLD && benign.served > 0) {
            costs_fill(to, &benign, served, spent_bits(&summary));
        }
    }
    scn_summary_fini(&summary);
    return err;
}

/* ---- verdicts ---- */

static enum cli_threat_verdict judge(const struct cli_threat *threat)
{
    const struct cli_threat_run *r = threat->run;
    for (int kind = 0; kind < CLI_THREAT_KINDS; kind++) {
        if (r[kind].violations > 0) {
            return CLI_THREAT_FAIL;
        }
    }
    if (r[CLI_THREAT_ON].gain > 0 || (r[CLI_THREAT_INSIDE].done && r[CLI_THREAT_INSIDE].gain > 0)) {
        return CLI_THREAT_FAIL;
    }
    bool shown = r[CLI_THREAT_OFF].gain > 0 &&
                 (!r[CLI_THREAT_LATER].done || r[CLI_THREAT_LATER].gain > 0) &&
                 r[CLI_THREAT_ON].attack.seen > 0;
    if (!shown && r[CLI_THREAT_OFF].attack.seen == 0 && r[CLI_THREAT_ON].attack.seen == 0) {
        return CLI_THREAT_NO_TRAFFIC;
    }
    bool kept_out = !r[CLI_THREAT_INSIDE].done || r[CLI_THREAT_INSIDE].attack.shielded > 0;
    return shown && kept_out ? CLI_THREAT_PASS : CLI_THREAT_VACUOUS;
}

static bool is_within(enum scn_surface surface)
{
    return surface == SCN_SURFACE_K1 || surface == SCN_SURFACE_K3 || surface == SCN_SURFACE_A1 ||
           surface == SCN_SURFACE_CM;
}

static int threat_run(struct cli_threats *threats, struct cli_threat *threat)
{
    const struct scn_variant *v = &scn_variants[threat->variant];
    const struct scn_cell *cell = &scn_cells[scn_cell_find(v->cell)];
    bool wanted[CLI_THREAT_KINDS] = {[CLI_THREAT_OFF] = true,
                                     [CLI_THREAT_ON] = true,
                                     [CLI_THREAT_LATER] = v->later != 0,
                                     [CLI_THREAT_INSIDE] = is_within(cell->surface) && !asks(v)};
    for (int kind = 0; kind < CLI_THREAT_KINDS; kind++) {
        int err = wanted[kind] ? variant_run(threats, threat, (enum cli_threat_kind)kind) : 0;
        if (err != QKD_OK) {
            return err;
        }
    }
    threat->verdict = judge(threat);
    return QKD_OK;
}

static int base_run(struct cli_threats *threats)
{
    struct scn_summary summary;
    struct cli_threat_sets sets = {"attacks=[]", "measures={}", NO_COST};
    int err = run(threats, &sets, SCN_BOUNDARY_OUTSIDE, &summary);
    bool own = strcmp(threats->network, "line") == 0 || strcmp(threats->network, "random") == 0;
    threats->at_ns = own ? 10 * S_NS : (int64_t)(summary.sim_s * 1e9) / THIRDS;
    threats->for_ns = threats->at_ns;
    threats->base_spent_bits = spent_bits(&summary);
    threats->base_served = summary.requests.served;
    threats->base_total = summary.requests.total;
    if (err == QKD_OK && (summary.oracle.violations > 0 || summary.requests.served == 0)) {
        (void)snprintf(threats->why, sizeof threats->why,
                       "the benign run serves nothing or breaks a rule: %.160s",
                       summary.oracle.first);
        err = QKD_ERR_STATE;
    }
    scn_summary_fini(&summary);
    return err;
}

int cli_threats_run(struct cli_threats *threats, const bool wanted[SCN_CELLS])
{
    threats->all = calloc(scn_variant_count, sizeof *threats->all);
    if (threats->all == NULL) {
        return QKD_ERR_NOMEM;
    }
    memcpy(threats->wanted, wanted, sizeof threats->wanted);
    int err = base_run(threats);
    for (size_t i = 0; i < scn_variant_count && err == QKD_OK; i++) {
        if (wanted[scn_cell_find(scn_variants[i].cell)]) {
            struct cli_threat *threat = &threats->all[threats->count++];
            threat->variant = i;
            err = threat_run(threats, threat);
        }
    }
    return err;
}

void cli_threats_fini(struct cli_threats *threats)
{
    scn_errors_fini(&threats->errors);
    free(threats->all);
}

enum cli_threat_verdict cli_threats_cell(const struct cli_threats *threats, size_t cell)
{
    static const int rank[] = {
        [CLI_THREAT_NOT_RUN] = 0,    [CLI_THREAT_PASS] = 1,    [CLI_THREAT_PARTLY] = 1,
        [CLI_THREAT_NO_TRAFFIC] = 2, [CLI_THREAT_VACUOUS] = 3, [CLI_THREAT_FAIL] = 4};
    enum cli_threat_verdict worst = CLI_THREAT_NOT_RUN;
    for (size_t i = 0; i < threats->count; i++) {
        const struct cli_threat *threat = &threats->all[i];
        if (strcmp(scn_variants[threat->variant].cell, scn_cells[cell].id) == 0 &&
            rank[threat->verdict] > rank[worst]) {
            worst = threat->verdict;
        }
    }
    bool complete = scn_cells[cell].missing[0] == '\0';
    return worst == CLI_THREAT_PASS && !complete ? CLI_THREAT_PARTLY : worst;
}

const char *cli_threat_verdict_name(enum cli_threat_verdict verdict)
{
    static const char *const names[] = {"pass",    "partly",     "fail",
                                        "vacuous", "no traffic", "not run"};
    return names[verdict];
}

const char *cli_threat_kind_name(enum cli_threat_kind kind)
{
    static const char *const names[] = {"off", "on", "later", "inside"};
    return names[kind];
}

/* ---- requirements ---- */

static const struct {
    bool recommended;
    const char *text;
} requirements[CLI_REQUIREMENTS] = {
    {false, "key data on KMA links is confidential"},
    {true, "key data on KMA links is confidential whatever can be computed"},
    {false, "key data from module to KMA is confidential"},
    {false, "key data between KMA and KSA is confidential"},
    {false, "key data between KSA and application is confidential"},
    {false, "key data is confidential where it is processed and stored"},
    {false, "a KMA keeps key data unaltered"},
    {false, "a KSA keeps key data unaltered"},
    {false, "key data is taken from authenticated and authorized senders only"},
    {false, "key data is given to authorized receivers only"},
    {false, "a KMA can store key data"},
    {true, "a KMA supplies keys without a direct QKD link"},
    {false, "KMA and KSA trace keys"},
    {true, "a KMA tells controller or manager how keys were encrypted"},
    {true, "metadata on KMA and key supply links is confidential (KMA)"},
    {true, "metadata on KSA and key supply links is confidential (KSA)"},
    {true, "metadata is confidential where it is processed and stored"},
    {false, "a KMA keeps metadata unaltered"},
    {false, "a KSA keeps metadata unaltered"},
    {false, "metadata is taken from authenticated and authorized senders only"},
    {false, "metadata is given to authorized receivers only"},
    {true, "control and management information is confidential on its links"},
    {false, "control and management information is unaltered"},
    {false, "control and management information is taken from authorized senders only"},
    {false, "control and management information is given to authorized receivers only"},
};

bool cli_requirement_is_required(int number)
{
    return !requirements[number - 1].recommended;
}

const char *cli_requirement_text(int number)
{
    return requirements[number - 1].text;
}

bool cli_requirement_has(int number, size_t cell)
{
    const char *at = scn_cells[cell].requirements;
    while (*at != '\0') {
        char *end = NULL;
        long named = strtol(at, &end, 10);
        if (end == at) {
            return false;
        }
        if (named == number) {
            return true;
        }
        at = end;
    }
    return false;
}

/* A requirement: "pass" if all its cells of the text do, "partly" if some of them were not run. */
const char *cli_requirement_verdict(const struct cli_threats *threats, int number)
{
    bool run = false, missing = false, bad = false;
    for (size_t i = 0; i < SCN_CELLS; i++) {
        if (scn_cells[i].extra || !cli_requirement_has(number, i)) {
            continue;
        }
        enum cli_threat_verdict verdict = cli_threats_cell(threats, i);
        run = run || verdict != CLI_THREAT_NOT_RUN;
        missing = missing || verdict == CLI_THREAT_NOT_RUN || verdict == CLI_THREAT_PARTLY;
        bad = bad || verdict == CLI_THREAT_FAIL || verdict == CLI_THREAT_VACUOUS ||
              verdict == CLI_THREAT_NO_TRAFFIC;
    }
    return bad ? "fail" : !run ? "not run" : missing ? "partly" : "pass";
}
