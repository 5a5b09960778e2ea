/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The scenario's access list as the configuration of key supply agents: rules of CFG_ACCESS, and
 * what CFG_APP says of an application for them. The KSAs decide; here names become numbers. */
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/err.h"
#include "core/wire/codec.h"
#include "host/plan.h"

enum {
    RULE_BYTES = 64, /* of one encoded rule, at most */
    HEAD_BYTES = 64  /* of CFG_ACCESS without its rules */
};

/* A name of a node, to be sorted. */
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

static const char *name_of(const struct host_plan *plan, size_t node, size_t member)
{
    return (const char *)&plan->scenario->nodes[node] + member;
}

/* Numbers the names from 1 in their order; member: offset of the name in struct scn_node. By node; NULL
 * without memory. */
static uint32_t *numbers_new(const struct host_plan *plan, size_t member)
{
    const struct scn_scenario *scenario = plan->scenario;
    uint32_t *numbers = calloc(scenario->node_count, sizeof(*numbers));
    struct named *names = calloc(scenario->node_count, sizeof(*names));
    if (numbers == NULL || names == NULL) {
        free(numbers);
        free(names);
        return NULL;
    }
    for (uint32_t i = 0; i < scenario->node_count; i++) {
        names[i] = (struct named){name_of(plan, i, member), i};
    }
    qsort(names, scenario->node_count, sizeof(*names), named_compare);
    uint32_t number = 0;
    for (size_t i = 0; i < scenario->node_count; i++) {
        if (i == 0 || named_compare(&names[i - 1], &names[i]) != 0) {
            number++;
        }
        numbers[names[i].node] = number;
    }
    free(names);
    return numbers;
}

/* 0: no node has it, which the loader refuses; or "", for any. */
static uint32_t number_of(const struct host_plan *plan, const uint32_t *numbers, size_t member,
                          const char *name)
{
    for (size_t i = 0; i < plan->scenario->node_count; i++) {
        if (strcmp(name_of(plan, i, member), name) == 0) {
            return numbers[i];
        }
    }
    return 0;
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
        .has_source_community = from->community[0] != '\0',
        .has_target_community = to->community[0] != '\0',
        .has_level = given->level >= 0,
        .level = given->level >= 0 ? host_level_number((enum scn_level)given->level) : 0,
    };
    size_t operators = offsetof(struct scn_node, operator_id);
    size_t communities = offsetof(struct scn_node, community);
    rule.source_operator = number_of(plan, plan->operators, operators, from->operator_id);
    rule.target_operator = number_of(plan, plan->operators, operators, to->operator_id);
    rule.source_community = number_of(plan, plan->communities, communities, from->community);
    rule.target_community = number_of(plan, plan->communities, communities, to->community);
    if (rule.has_source_id) {
        const struct scn_application *app = &plan->scenario->applications[given->application];
        uint32_t asks = app->of > 0 ? app->of - 1 : given->application;
        rule.source_id = qkd_eid_make(QKD_ROLE_APP, 2 * asks, app->from);
        rule.has_target_id = app->of > 0; /* of a multicast, this one who is to have the key, too */
        rule.target_id = host_agent_eid(plan, 2 * given->application + 1);
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
    plan->operators = numbers_new(plan, offsetof(struct scn_node, operator_id));
    plan->communities = numbers_new(plan, offsetof(struct scn_node, community));
    if (rules == NULL || plan->access == NULL || plan->operators == NULL ||
        plan->communities == NULL) {
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

static bool names_community(const struct scn_scenario *scenario)
{
    for (size_t i = 0; i < scenario->access_count; i++) {
        const struct scn_access *rule = &scenario->access[i];
        if (rule->from.community[0] != '\0' || rule->to.community[0] != '\0') {
            return true;
        }
    }
    return false;
}

void host_access_describe(const struct host_plan *plan, struct wire_cfg_app *app)
{
    if (plan->access_len > 0) {
        uint32_t node = qkd_eid_node(app->app);
        app->has_operator_id = true;
        app->operator_id = plan->operators[node];
        app->has_community = names_community(plan->scenario);
        app->community = app->has_community ? plan->communities[node] : 0;
        app->has_role = true;
        app->role = role_number(plan->scenario->nodes[node].role);
    }
}
