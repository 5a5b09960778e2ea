/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Any bytes as a scenario: the loader must end with a whole scenario or with at least one error,
 * and what it accepts must print, load again and print the same. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/err.h"
#include "scenarios/scenario.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

/* The leak sanitizer asks for this by name. libfyaml 0.7.12 loses 512 bytes after some syntax
 * errors; ours are still reported, as they are not allocated from inside that library. */
const char *__lsan_default_suppressions(void);

const char *__lsan_default_suppressions(void)
{
    return "leak:libfyaml";
}

static struct scn_scenario *load(const char *text, size_t len)
{
    struct scn_scenario *scenario = NULL;
    struct scn_errors errors;
    struct scn_text input = {.name = "fuzz", .text = text, .len = len};
    int err = scn_load_text(&input, NULL, &scenario, &errors);
    QKD_ASSERT((err == 0) == (scenario != NULL));
    QKD_ASSERT((err == 0) == (errors.count == 0));
    scn_errors_fini(&errors);
    return scenario;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    struct scn_scenario *first = load((const char *)bytes, len);
    if (first == NULL) {
        return 0;
    }
    char *printed = scn_print(first);
    QKD_ASSERT(printed != NULL);
    struct scn_scenario *second = load(printed, strlen(printed));
    QKD_ASSERT(second != NULL);
    char *again = scn_print(second);
    QKD_ASSERT(again != NULL && strcmp(printed, again) == 0);
    free(printed);
    free(again);
    scn_free(first);
    scn_free(second);
    return 0;
}
