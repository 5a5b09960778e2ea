/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Statistics of fault events: when each was detected.
 *
 * What elements notice are signs: of a kind (a neighbour is silent, no key comes ...) and at a place (a
 * link; a node that hears no controller or manager). A sign appears when the first element tells of it,
 * stands until the last one has taken it back, and is the sign of one fault: of those under way, or
 * hardly over, that show so at this place, one that must before one that may, one that lasts before one
 * that is over, the first before the next. A sign that stood already when a fault began, or that is
 * another's, says nothing of it; so an event may end without having been detected. Maintenance is
 * nothing to detect: what it causes is its own all the same. */
#include <stdlib.h>

#include "core/base/err.h"
#include "watch/stats_state.h"

enum {
    END_ALARM = 1,         /* of the KMC or module at the link's first end; << 1: second */
    OTHER_ALARM = 4,       /* of the controller */
    END_SILENT = 16,       /* the KMA at the link's first end hears no neighbour; << 1: second */
    ALARM_BITS = 15,       /* what a manager that starts anew knows no more */
    QUIET_PERIODS = 5,     /* of the status: elements are sure of a silence after three */
    REPORT_NS = 2000000000 /* a report is repeated once on its way to the manager */
};

/* A fault that may show. */
struct suspect {
    uint32_t fault;
    int64_t end_ns; /* SCN_FOREVER: not yet */
};

struct watch_detect {
    uint8_t (*links)[WATCH_SIGHT_OF_LINKS];                     /* bits as above: who says so */
    uint8_t (*nodes)[WATCH_SIGHT_COUNT - WATCH_SIGHT_OF_LINKS]; /* 1: it says so */
    int64_t *damaged_ns;                                        /* by link: last wrong tag */
    struct suspect *suspects;                                   /* as they began */
    uint32_t suspect_count;
    int64_t quiet_ns; /* that a fault is still looked at when it is over */
};

int watch_detect_new(struct watch_stats *stats)
{
    const struct scn_scenario *scenario = stats->scenario;
    if (scenario->fault_count == 0) {
        return 0;
    }
    struct watch_detect *detect = calloc(1, sizeof *detect);
    stats->detect = detect;
    if (detect == NULL) {
        return QKD_ERR_NOMEM;
    }
    detect->links = calloc(scenario->link_count + 1, sizeof *detect->links);
    detect->nodes = calloc(scenario->node_count + 1, sizeof *detect->nodes);
    detect->damaged_ns = calloc(scenario->link_count + 1, sizeof *detect->damaged_ns);
    detect->suspects = calloc(scenario->fault_count, sizeof *detect->suspects);
    if (detect->links == NULL || detect->nodes == NULL || detect->damaged_ns == NULL ||
        detect->suspects == NULL) {
        return QKD_ERR_NOMEM;
    }
    detect->quiet_ns = QUIET_PERIODS * scenario->control.status_period_ns + REPORT_NS;
    for (size_t i = 0; i < scenario->link_count; i++) {
        detect->damaged_ns[i] = -detect->quiet_ns;
    }
    return 0;
}

void watch_detect_free(struct watch_stats *stats)
{
    struct watch_detect *detect = stats->detect;
    if (detect != NULL) {
        free(detect->links);
        free(detect->nodes);
        free(detect->damaged_ns);
        free(detect->suspects);
        free(detect);
        stats->detect = NULL;
    }
}

/* ---- what a fault touches ---- */

bool watch_fault_touches(const struct scn_scenario *scenario, const struct scn_fault *fault,
                         uint32_t a, uint32_t b)
{
    switch (fault->target) {
    case SCN_TARGET_NODE:
        return fault->what != SCN_FAULT_PARTITION && (fault->index == a || fault->index == b);
    case SCN_TARGET_CLASSICAL: {
        /* Who is silent is not always at its ends; between switches it can be anybody. */
        const struct scn_classical_link *cable = &scenario->classical.links[fault->index];
        bool backbone = cable->a >= scenario->node_count && cable->b >= scenario->node_count;
        return backbone || cable->a == a || cable->a == b || cable->b == a || cable->b == b;
    }
    case SCN_TARGET_LINK: {
        const struct scn_link *link = &scenario->links[fault->index];
        return (link->a == a && link->b == b) || (link->a == b && link->b == a);
    }
    case SCN_TARGET_ELEMENT:
        break;
    }
    return false;
}

/* Whether the same event cuts this node off on the management network. */
static bool cut_off_too(const struct scn_scenario *scenario, const struct scn_fault *fault,
                        uint32_t node)
{
    for (size_t i = scenario->event_firsts[fault->event_number]; i < scenario->fault_count; i++) {
        const struct scn_fault *other = &scenario->faults[i];
        if (other->event_number == fault->event_number && other->what == SCN_FAULT_PARTITION &&
            other->index == node) {
            return true;
        }
    }
    return false;
}

bool watch_fault_parts(const struct scn_scenario *scenario, const struct scn_fault *fault,
                       uint32_t at, uint32_t node)
{
    return fault->what == SCN_FAULT_PARTITION &&
           ((fault->index == node && !cut_off_too(scenario, fault, at)) ||
            (fault->index == at && !cut_off_too(scenario, fault, node)));
}

/* ---- what a fault shows by ---- */

/* How surely: a fault that must show so is behind a sign rather than one that may. */
enum proof { PROOF_NONE, PROOF_MAY, PROOF_MUST };

#define MAY(name) (1U << (2 * WATCH_SIGHT_##name))
#define MUST(name) (2U << (2 * WATCH_SIGHT_##name))

/* By two bits for each kind of sign of a link. */
static const uint32_t shows[SCN_FAULT_WHATS] = {
    [SCN_FAULT_BOTH] = MUST(LINK) | MUST(NO_KEY) | MAY(LOW),
    [SCN_FAULT_QUANTUM] = MUST(NO_KEY) | MAY(LOW),
    [SCN_FAULT_CLASSICAL] = MUST(LINK) | MAY(LOW),
    [SCN_FAULT_CRASH] = MUST(LINK) | MAY(MODULE) | MAY(NO_KEY) | MAY(LOW),
    [SCN_FAULT_DOWN] = MUST(LINK) | MAY(MODULE) | MAY(NO_KEY) | MAY(LOW),
    [SCN_FAULT_TORN] = MUST(LINK) | MAY(MODULE) | MAY(NO_KEY) | MAY(LOW),
    [SCN_FAULT_STORE_LOST] = MUST(LINK) | MAY(MODULE) | MAY(NO_KEY) | MAY(LOW),
    [SCN_FAULT_DISK_FULL] = MUST(LINK) | MAY(MODULE) | MAY(NO_KEY) | MAY(LOW),
    [SCN_FAULT_DEGRADED] = MUST(NOISE) | MAY(NO_KEY) | MAY(LOW),
    [SCN_FAULT_MODULE] = MUST(MODULE) | MUST(NO_KEY) | MAY(LOW),
    [SCN_FAULT_IMPAIRED] = MUST(DAMAGE) | MAY(LINK) | MAY(LOW),
    [SCN_FAULT_PARTITION] = MAY(LINK), /* the controller hears nobody at one end */
    [SCN_FAULT_SWITCH] = MUST(OPTICAL) | MAY(NO_KEY) | MAY(LOW),
    [SCN_FAULT_POINT] = MUST(OPTICAL) | MAY(NO_KEY) | MAY(LOW),
    [SCN_FAULT_MAINTENANCE] = MUST(NO_KEY) | MAY(LOW),
};

bool watch_fault_silences(const struct scn_fault *fault)
{
    return fault->what == SCN_FAULT_IMPAIRED || (shows[fault->what] & MUST(LINK)) != 0;
}

/* A sign: its kind, and the ends of its link; or the node that hears nobody, as both. */
struct sign {
    enum watch_sight sight;
    uint32_t a, b, link;
};

static enum proof proof_of_link(const struct scn_scenario *scenario, const struct scn_fault *fault,
                                const struct sign *sign)
{
    bool touches = watch_fault_touches(scenario, fault, sign->a, sign->b);
    if (fault->what == SCN_FAULT_PARTITION) {
        touches = fault->index == sign->a || fault->index == sign->b;
    } else if (sign->sight == WATCH_SIGHT_OPTICAL && fault->target == SCN_TARGET_LINK) {
        bool is_switch = fault->what == SCN_FAULT_SWITCH; /* of all links that share it */
        touches = scn_optical_of(scenario, fault->index, is_switch) ==
                  scn_optical_of(scenario, sign->link, is_switch);
    }
    bool cannot = (sign->sight == WATCH_SIGHT_NOISE && !(fault->qber > 0)) ||
                  (sign->sight == WATCH_SIGHT_DAMAGE && !(fault->frame_corruption > 0));
    if (!touches || cannot || fault->target == SCN_TARGET_ELEMENT) {
        return PROOF_NONE;
    }
    return (enum proof)(shows[fault->what] >> (2 * sign->sight) & 3U);
}

/* That node a hears no controller, or no manager. */
static enum proof proof_of_silence(const struct scn_scenario *scenario,
                                   const struct scn_fault *fault, const struct sign *sign)
{
    bool of_controller = sign->sight == WATCH_SIGHT_CONTROLLER;
    uint32_t at = of_controller ? scenario->control.at : scenario->management.at;
    uint32_t standby = of_controller ? scenario->control.standby : SCN_NO_NODE;
    if (fault->target == SCN_TARGET_ELEMENT) {
        int element = of_controller ? SCN_ELEMENT_CONTROLLER : SCN_ELEMENT_MANAGER;
        bool may = of_controller && fault->element == SCN_ELEMENT_STANDBY; /* if it is in charge */
        return fault->element == element ? PROOF_MUST : may ? PROOF_MAY : PROOF_NONE;
    }
    if (fault->target != SCN_TARGET_NODE) {
        return PROOF_NONE;
    }
    if (fault->what == SCN_FAULT_PARTITION) {
        bool other = standby != SCN_NO_NODE && watch_fault_parts(scenario, fault, standby, sign->a);
        return watch_fault_parts(scenario, fault, at, sign->a) ? PROOF_MUST
               : other                                         ? PROOF_MAY
                                                               : PROOF_NONE;
    }
    if (fault->index == at || fault->index == standby) { /* what stands there is silent too */
        return PROOF_MUST;
    }
    return fault->index == sign->a ? PROOF_MAY : PROOF_NONE;
}

/* ---- whose sign it is ---- */

static void suspects_prune(struct watch_detect *detect, int64_t now_ns)
{
    uint32_t left = 0;
    for (uint32_t i = 0; i < detect->suspect_count; i++) {
        const struct suspect *suspect = &detect->suspects[i];
        if (suspect->end_ns == SCN_FOREVER || now_ns - suspect->end_ns <= detect->quiet_ns) {
            detect->suspects[left++] = *suspect;
        }
    }
    detect->suspect_count = left;
}

/* The fault behind a sign that appears now; NULL: none that the scenario made. */
static const struct scn_fault *culprit(const struct watch_stats *stats, int64_t now_ns,
                                       const struct sign *sign)
{
    const struct watch_detect *detect = stats->detect;
    const struct scn_fault *best = NULL;
    unsigned best_rank = 0;
    for (uint32_t i = 0; i < detect->suspect_count; i++) {
        const struct suspect *suspect = &detect->suspects[i];
        const struct scn_fault *fault = &stats->scenario->faults[suspect->fault];
        enum proof proof = sign->sight < WATCH_SIGHT_OF_LINKS
                               ? proof_of_link(stats->scenario, fault, sign)
                               : proof_of_silence(stats->scenario, fault, sign);
        unsigned rank = 2 * (unsigned)proof + (suspect->end_ns > now_ns ? 1 : 0);
        if (proof != PROOF_NONE && rank > best_rank) {
            best = fault;
            best_rank = rank;
        }
    }
    return best;
}

static void appears(struct watch_stats *stats, int64_t now_ns, const struct sign *sign)
{
    suspects_prune(stats->detect, now_ns);
    const struct scn_fault *fault = culprit(stats, now_ns, sign);
    if (fault == NULL || fault->what == SCN_FAULT_MAINTENANCE) {
        return;
    }
    struct watch_event_stats *event = &stats->events[fault->event_number];
    if (event->detect_ns == SCN_NO_TIME) {
        event->detect_ns = now_ns;
    }
}

static struct sign sign_of(const struct watch_stats *stats, enum watch_sight sight, uint32_t link)
{
    const struct scn_link *at = &stats->scenario->links[link];
    return (struct sign){.sight = sight, .a = at->a, .b = at->b, .link = link};
}

/* Somebody (bit) says so, or takes it back. */
static void link_says(struct watch_stats *stats, int64_t now_ns, const struct sign *sign,
                      unsigned bit, bool says)
{
    uint8_t *stands = &stats->detect->links[sign->link][sign->sight];
    bool stood = *stands != 0;
    *stands = (uint8_t)(says ? *stands | bit : *stands & ~bit);
    if (!stood && says) {
        appears(stats, now_ns, sign);
    }
}

static void node_says(struct watch_stats *stats, int64_t now_ns, enum watch_sight sight,
                      uint32_t node, bool says)
{
    if (node >= stats->scenario->node_count) {
        return;
    }
    uint8_t *stands = &stats->detect->nodes[node][sight - WATCH_SIGHT_OF_LINKS];
    bool stood = *stands != 0;
    *stands = says;
    if (!stood && says) {
        appears(stats, now_ns, &(struct sign){.sight = sight, .a = node, .b = node});
    }
}

void watch_detect_begin(struct watch_stats *stats, int64_t now_ns, const struct scn_fault *fault)
{
    struct watch_detect *detect = stats->detect;
    suspects_prune(detect, now_ns);
    bool strikes = fault->what == SCN_FAULT_TORN || fault->output > 0; /* nobody tells of its end */
    bool ends = strikes && fault->for_ns < SCN_FOREVER - now_ns;
    if (detect->suspect_count < stats->scenario->fault_count) {
        detect->suspects[detect->suspect_count++] =
            (struct suspect){(uint32_t)(fault - stats->scenario->faults),
                             ends ? now_ns + fault->for_ns : SCN_FOREVER};
    }
    bool memory = fault->what != SCN_FAULT_DOWN && fault->what != SCN_FAULT_DISK_FULL &&
                  fault->what != SCN_FAULT_PARTITION;
    bool manager = (fault->target == SCN_TARGET_ELEMENT && fault->element == SCN_ELEMENT_MANAGER) ||
                   (fault->target == SCN_TARGET_NODE && memory &&
                    fault->index == stats->scenario->management.at);
    if (!manager) {
        return;
    }
    for (size_t i = 0; i < stats->scenario->link_count; i++) { /* nor does it tell when they end */
        for (size_t sight = 0; sight < WATCH_SIGHT_OF_LINKS; sight++) {
            detect->links[i][sight] &= (uint8_t)~ALARM_BITS;
        }
    }
    for (size_t i = 0; i < stats->scenario->node_count; i++) {
        for (size_t sight = WATCH_SIGHT_OF_LINKS; sight < WATCH_SIGHT_COUNT; sight++) {
            detect->nodes[i][sight - WATCH_SIGHT_OF_LINKS] = 0;
        }
    }
}

void watch_detect_end(struct watch_stats *stats, int64_t now_ns, const struct scn_fault *fault)
{
    struct watch_detect *detect = stats->detect;
    for (uint32_t i = 0; i < detect->suspect_count; i++) {
        struct suspect *suspect = &detect->suspects[i];
        if (&stats->scenario->faults[suspect->fault] == fault && suspect->end_ns == SCN_FOREVER) {
            suspect->end_ns = now_ns;
        }
    }
}

/* ---- what elements tell ---- */

void watch_detect_neighbour(struct watch_stats *stats, int64_t now_ns, uint32_t link, uint32_t node,
                            bool up)
{
    if (stats->detect != NULL) {
        struct sign sign = sign_of(stats, WATCH_SIGHT_LINK, link);
        link_says(stats, now_ns, &sign, node == sign.a ? END_SILENT : END_SILENT << 1, !up);
    }
}

static void link_alarm(struct watch_stats *stats, int64_t now_ns, enum watch_sight sight,
                       const struct qkd_report *report)
{
    if (report->c >= stats->scenario->link_count) {
        return;
    }
    struct sign sign = sign_of(stats, sight, (uint32_t)report->c);
    uint32_t node = qkd_eid_node(report->peer);
    unsigned bit = qkd_eid_role(report->peer) == QKD_ROLE_CONTROLLER ? OTHER_ALARM
                   : node == sign.a                                  ? END_ALARM
                                                                     : END_ALARM << 1;
    link_says(stats, now_ns, &sign, bit, report->b != 0);
}

void watch_detect_alarm(struct watch_stats *stats, int64_t now_ns, const struct qkd_report *report)
{
    if (stats->detect == NULL) {
        return;
    }
    uint32_t node = qkd_eid_node(report->peer);
    switch (report->a) {
    case WIRE_FAULT_LINK_DOWN:
        link_alarm(stats, now_ns, WATCH_SIGHT_LINK, report);
        break;
    case WIRE_FAULT_MODULE_DOWN:
        link_alarm(stats, now_ns, WATCH_SIGHT_MODULE, report);
        break;
    case WIRE_FAULT_NO_KEY:
        link_alarm(stats, now_ns, WATCH_SIGHT_NO_KEY, report);
        break;
    case WIRE_FAULT_QBER_HIGH:
        link_alarm(stats, now_ns, WATCH_SIGHT_NOISE, report);
        break;
    case WIRE_FAULT_OPTICAL_DOWN:
        link_alarm(stats, now_ns, WATCH_SIGHT_OPTICAL, report);
        break;
    case WIRE_FAULT_CONTROLLER_LOST:
        node_says(stats, now_ns, WATCH_SIGHT_CONTROLLER, node, report->b != 0);
        break;
    case WIRE_FAULT_MANAGER_LOST:
        node_says(stats, now_ns, WATCH_SIGHT_MANAGER, node, report->b != 0);
        break;
    default:
        break;
    }
}

void watch_detect_peer_down(struct watch_stats *stats, int64_t now_ns,
                            const struct qkd_report *report)
{
    enum qkd_role role = qkd_eid_role(report->peer);
    uint32_t node = qkd_eid_node(report->who);
    bool is_one = role == QKD_ROLE_CONTROLLER || role == QKD_ROLE_MANAGER;
    if (stats->detect == NULL || !is_one || node >= stats->scenario->node_count) {
        return;
    }
    enum watch_sight sight = role == QKD_ROLE_CONTROLLER ? WATCH_SIGHT_CONTROLLER
                                                         : WATCH_SIGHT_MANAGER;
    if (stats->detect->nodes[node][sight - WATCH_SIGHT_OF_LINKS] ==
        0) { /* it is there again at once */
        appears(stats, now_ns, &(struct sign){.sight = sight, .a = node, .b = node});
    }
}

void watch_detect_wrong_tag(struct watch_stats *stats, int64_t now_ns, uint32_t link)
{
    struct watch_detect *detect = stats->detect;
    if (detect == NULL) {
        return;
    }
    bool stood = now_ns - detect->damaged_ns[link] <= detect->quiet_ns;
    detect->damaged_ns[link] = now_ns;
    if (!stood) {
        struct sign sign = sign_of(stats, WATCH_SIGHT_DAMAGE, link);
        appears(stats, now_ns, &sign);
    }
}

void watch_detect_reroute(struct watch_stats *stats, int64_t now_ns,
                          const struct qkd_report *report)
{
    static const enum watch_sight sights[] = {[QKD_WORSE_DOWN] = WATCH_SIGHT_LINK,
                                              [QKD_WORSE_LOW] = WATCH_SIGHT_LOW,
                                              [QKD_WORSE_NOISE] = WATCH_SIGHT_NOISE,
                                              [QKD_WORSE_TAGS] = WATCH_SIGHT_DAMAGE};
    if (stats->detect == NULL || report->d >= sizeof sights / sizeof sights[0]) {
        return;
    }
    struct sign sign = sign_of(stats, sights[report->d], (uint32_t)report->a);
    bool stands = sign.sight == WATCH_SIGHT_DAMAGE ||
                  stats->detect->links[sign.link][sign.sight] != 0;
    if (!stands) {
        appears(stats, now_ns, &sign);
    }
}
