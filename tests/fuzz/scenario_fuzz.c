/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Any bytes as a scenario: the loader must end with a whole scenario or with at least one error, and
 * what it accepts must print, load again and print the same. What it accepts is also changed by its
 * structure (values, keys, items), by chance from the bytes, and tried again.
 *
 * Input that begins with '@' and a letter is the content of a file that a scenario names: a table
 * of nodes, links, applications, a matrix, a trace, a scenario below this one ... (see `roles`). Input that
 * begins with "@=" is an override as on the command line, PATH=VALUE. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/base/err.h"
#include "scenarios/scenario.h"
#include "tests/lib/json_schema.h"
#include "tests/lib/scenario_mutate.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

/* The leak sanitizer asks for this by name. libfyaml 0.7.12 loses 512 bytes after some syntax
 * errors; ours are still reported, as they are not allocated from inside that library. */
const char *__lsan_default_suppressions(void);

const char *__lsan_default_suppressions(void)
{
    return "leak:libfyaml";
}

enum { CHANGES = 3, LARGEST_PRINTED = 3000 };

static struct scn_scenario *load(const char *text, size_t len, const char *folder)
{
    struct scn_scenario *scenario = NULL;
    struct scn_errors errors;
    struct scn_text input = {.name = "fuzz", .text = text, .len = len, .folder = folder};
    int err = scn_load_text(&input, NULL, &scenario, &errors);
    QKD_ASSERT((err == 0) == (scenario != NULL));
    QKD_ASSERT((err == 0) == (errors.count == 0));
    scn_errors_fini(&errors);
    return scenario;
}

/* Whether the text is accepted; if so, it prints to what loads to the same. */
static bool accepted(const char *text, size_t len, const char *folder)
{
    struct scn_scenario *first = load(text, len, folder);
    if (first == NULL) {
        return false;
    }
    if (first->node_count + first->application_count <= LARGEST_PRINTED) {
        char *printed = scn_print(first);
        QKD_ASSERT(printed != NULL);
        struct scn_scenario *second = load(printed, strlen(printed), NULL);
        QKD_ASSERT(second != NULL);
        char *again = scn_print(second);
        QKD_ASSERT(again != NULL && strcmp(printed, again) == 0);
        free(printed);
        free(again);
        scn_free(second);
    }
    scn_free(first);
    return true;
}

/* An override of a scenario in which there is one of each of the usual things. */
static void override_try(const uint8_t *bytes, size_t len)
{
    static const char text[] =
        "scenario: f\nduration: 1 h\nengine: fast\nnetwork:\n  nodes: [{id: A}, {id: B}]\n"
        "  links: [{id: AB, ends: [A, B], qkd: {rate: 1 kbit/s}}]\napplications:\n"
        "  - {id: v, from: A, to: B, rate: 1 /s}\nfaults: [{at: 1 s, link: AB, what: both}]\n"
        "attacks: [{surface: C, what: flip}]\nexpect: [\"served_fraction > 0.5\"]\n";
    char *set = malloc(len + 1);
    QKD_ASSERT(set != NULL);
    memcpy(set, bytes, len);
    set[len] = '\0';
    const char *const list[] = {set};
    struct scn_scenario *scenario = NULL;
    struct scn_errors errors;
    struct scn_text input = {.name = "fuzz", .text = text, .len = sizeof text - 1};
    struct scn_sets sets = {list, 1};
    int err = scn_load_text(&input, &sets, &scenario, &errors);
    QKD_ASSERT((err == 0) == (scenario != NULL) && (err == 0) == (errors.count == 0));
    scn_errors_fini(&errors);
    scn_free(scenario);
    free(set);
}

/* FNV-1a (Fowler, Noll, Vo): only to make chance of bytes. */
static uint64_t hash_of(const uint8_t *bytes, size_t len)
{
    uint64_t hash = 0xcbf29ce484222325u;
    for (size_t i = 0; i < len; i++) {
        hash = (hash ^ bytes[i]) * 0x100000001b3u;
    }
    return hash;
}

static void change_and_try(const char *text, size_t len, uint64_t state)
{
    struct js_value *document = js_parse(text, len);
    if (document != NULL && document->kind == JS_OBJECT) {
        for (int i = 0; i < CHANGES; i++) {
            mutate_once(document, &state);
            char *changed = js_print(document);
            (void)accepted(changed, strlen(changed), NULL);
            free(changed);
        }
    }
    js_free(document);
}

#define HEAD "scenario: f\nduration: 1 h\nengine: fast\n"
#define NODES "nodes: [{id: A}, {id: B}, {id: C}]"
#define LINKS                                                                                      \
    "links: [{id: AB, ends: [A, B], qkd: {rate: 1 kbit/s}}, {id: BC, ends: [B, C], qkd: {rate: 1 " \
    "kbit/s}}]"
#define NETWORK "network: {" NODES ", " LINKS "}\n"
#define APP "applications:\n  - {id: v, from: A, to: C, "

static const struct {
    char letter;
    const char *scenario; /* names the file f */
} roles[] = {
    {'n', HEAD "network: {nodes: f}\n"},
    {'l', HEAD "network: {" NODES ", links: f}\n"},
    {'a', HEAD NETWORK "applications: f\n"},
    {'d', HEAD NETWORK "demands: [{id: d, table: f, application: {level: any}}]\n"},
    {'m', HEAD NETWORK "demands: [{id: d, matrix: f}]\n"},
    {'w', HEAD NETWORK "demands: [{id: d, gravity: 1 Mbit/s, weights: f}]\n"},
    {'t', HEAD "network: {" NODES ", links: [{id: AB, ends: [A, B], qkd: {model: trace, trace: "
               "f}}]}\n"},
    {'i', HEAD NETWORK APP "arrivals: trace, times: f}\n"},
    {'p', HEAD NETWORK APP "arrivals: diurnal, profile: f}\n"},
    {'c', HEAD "network: {" NODES ", " LINKS ", classical: {switches: [S], links: f}}\n"},
    {'x', "extends: f\nseed: 7\n"},
    {'y', "include: [f]\nscenario: over\ncontrol: {routing: fewest-hops}\n"},
};

static char folder[] = "/tmp/qkdn-fuzz-XXXXXX";
static char path[sizeof folder + 2];

static void folder_drop(void)
{
    (void)unlink(path); /* not there if no input named it */
    (void)rmdir(folder);
}

static void file_try(const char *scenario, const uint8_t *bytes, size_t len)
{
    if (path[0] == '\0') {
        QKD_ASSERT(mkdtemp(folder) != NULL);
        (void)snprintf(path, sizeof path, "%s/f", folder);
        QKD_ASSERT(atexit(folder_drop) == 0);
    }
    FILE *file = fopen(path, "wb");
    QKD_ASSERT(file != NULL);
    QKD_ASSERT(fwrite(bytes, 1, len, file) == len);
    QKD_ASSERT(fclose(file) == 0);
    (void)accepted(scenario, strlen(scenario), folder);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    if (len >= 2 && bytes[0] == '@' && bytes[1] == '=') {
        override_try(bytes + 2, len - 2);
        return 0;
    }
    for (size_t i = 0; len >= 2 && bytes[0] == '@' && i < sizeof roles / sizeof roles[0]; i++) {
        if (bytes[1] == (uint8_t)roles[i].letter) {
            file_try(roles[i].scenario, bytes + 2, len - 2);
            return 0;
        }
    }
    if (accepted((const char *)bytes, len, NULL)) {
        change_and_try((const char *)bytes, len, hash_of(bytes, len));
    }
    return 0;
}
