/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The scenario's access list as the configuration of key supply agents: rules of CFG_ACCESS, and
 * what CFG_APP says of an application for them. The KSAs decide; here names become numbers. */
#include <stdlib.h>
#include <string.h>

#include "core/base/err.h"
#include "core/wire/codec.h"
#include "host/plan.h"

enum {
    RULE_BYTES = 64, /* of one encoded rule, at most */
    HEAD_BYTES = 64  /* of CFG_ACCESS without its rules */
};

/* An operator's name at a node, to be sorted. */
struct named {
    const char *name;
    uint32_t node;
};

static int named_compare(const void *a, const void *b)
{
    const struct named *x = a;
    const struct named *y = b;
    return strcmp(x->name, y->name);
}

/* Numbers the operators from 1 in the order of their names. */
static int operators_fill(struct host_plan *plan)
{
    const struct scn_scenario *scenario = plan->scenario;
    plan->operators = calloc(scenario->node_count, sizeof(*plan->operators));
    struct named *names = calloc(scenario->node_count, sizeof(*names));
    if (plan->operators == NULL || names == NULL) {
        free(names);
        return QKD_ERR_NOMEM;
    }
    for (uint32_t i = 0; i < scenario->node_count; i++) {
        names[i] = (struct named){scenario->nodes[i].operator_id, i};
    }
    qsort(names, scenario->node_count, sizeof(*names), named_compare);
    uint32_t number = 0;
    for (size_t i = 0; i < scenario->node_count; i++) {
        if (i == 0 || named_compare(&names[i - 1], &names[i]) != 0) {
            number++;
        }
        plan->operators[names[i].node] = number;
    }
    free(names);
    return 0;
}

static uint32_t operator_number(const struct host_plan *plan, const char *name)
{
    for (size_t i = 0; i < plan->scenario->node_count; i++) {
        if (strcmp(plan->scenario->nodes[i].operator_id, name) == 0) {
            return plan->operators[i];
        }
    }
    return 0; /* the loader refuses unknown operators */
}

uint8_t host_level_number(enum scn_level level)
{
    static const uint8_t levels[] = {[SCN_LEVEL_ANY] = WIRE_LEVEL_ANY,
                                     [SCN_LEVEL_OTP_PREFERRED] = WIRE_LEVEL_OTP_PREFERRED,
                                     [SCN_LEVEL_OTP_ONLY] = WIRE_LEVEL_OTP_ONLY};
    return levels[level];
}

static uint8_t role_number(enum scn_node_role role)
{
    switch (role) {
    case SCN_ROLE_USER:
        return WIRE_NODE_USER;
    case SCN_ROLE_RELAY:
        return WIRE_NODE_RELAY;
    case SCN_ROLE_BORDER:
        return WIRE_NODE_BORDER;
    }
    return 0; /* any */
}

static struct wire_access_rule rule_make(const struct host_plan *plan,
                                         const struct scn_access *given)
{
    const struct scn_access_side *from = &given->from;
    const struct scn_access_side *to = &given->to;
    struct wire_access_rule rule = {
        .allow = given->verb == SCN_ALLOW ? 1 : 0,
        .has_source_node = from->node != UINT32_MAX,
        .source_node = from->node,
        .has_source_operator = from->operator_id[0] != '\0',
        .has_source_role = role_number(from->role) != 0,
        .source_role = role_number(from->role),
        .has_target_node = to->node != UINT32_MAX,
        .target_node = to->node,
        .has_target_operator = to->operator_id[0] != '\0',
        .has_target_role = role_number(to->role) != 0,
        .target_role = role_number(to->role),
        .has_source_id = given->application != UINT32_MAX,
        .has_level = given->level >= 0,
        .level = given->level >= 0 ? host_level_number((enum scn_level)given->level) : 0,
    };
    if (rule.has_source_operator) {
        rule.source_operator = operator_number(plan, from->operator_id);
    }
    if (rule.has_target_operator) {
        rule.target_operator = operator_number(plan, to->operator_id);
    }
    if (rule.has_source_id) {
        uint32_t node = plan->scenario->applications[given->application].from;
        rule.source_id = qkd_eid_make(QKD_ROLE_APP, 2 * given->application, node);
    }
    return rule;
}

int host_access_new(struct host_plan *plan)
{
    const struct scn_scenario *scenario = plan->scenario;
    if (scenario->access_count == 0) {
        return 0;
    }
    size_t cap = scenario->access_count * RULE_BYTES;
    uint8_t *rules = malloc(cap);
    plan->access = malloc(cap + HEAD_BYTES);
    int rc = operators_fill(plan);
    if (rules == NULL || plan->access == NULL || rc != 0) {
        free(rules);
        return QKD_ERR_NOMEM;
    }
    size_t used = 0;
    for (size_t i = 0; i < scenario->access_count; i++) {
        struct wire_access_rule rule = rule_make(plan, &scenario->access[i]);
        int len = wire_access_rule_encode(&rule, rules + used, cap - used);
        QKD_ASSERT(len > 0);
        used += (size_t)len;
    }
    struct wire_cfg_access config = {.head = {.message_id = 1}, .rules = {rules, used}};
    int len = wire_cfg_access_encode(&config, plan->access, cap + HEAD_BYTES);
    QKD_ASSERT(len > 0);
    plan->access_len = (size_t)len;
    free(rules);
    return 0;
}

void host_access_describe(const struct host_plan *plan, struct wire_cfg_app *app)
{
    if (plan->access_len > 0) {
        uint32_t node = qkd_eid_node(app->app);
        app->has_operator_id = true;
        app->operator_id = plan->operators[node];
        app->has_role = true;
        app->role = role_number(plan->scenario->nodes[node].role);
    }
}
