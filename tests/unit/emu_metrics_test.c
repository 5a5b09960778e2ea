/* SPDX-License-Identifier: GPL-3.0-or-later */
/* emu/metrics against a text written by hand from the description of the format, and against an
 * independent reader in another language (tests/lib/prometheus.py) on random families. */
#include <check.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/base/err.h"
#include "emu/http/metrics.h"
#include "tests/lib/store_model.h"

static struct emu_metrics *metrics;

static void setup(void)
{
    metrics = emu_metrics_new();
    ck_assert_ptr_nonnull(metrics);
}

static void teardown(void)
{
    emu_metrics_free(metrics);
}

static struct emu_metric_family *add(const struct emu_metric_spec *spec)
{
    struct emu_metric_family *family;
    ck_assert_int_eq(emu_metrics_add(metrics, spec, &family), 0);
    return family;
}

static struct emu_metric *of(struct emu_metric_family *family, const char *a, const char *b)
{
    const char *values[] = {a, b};
    struct emu_metric *metric = emu_metric_of(family, values);
    ck_assert_ptr_nonnull(metric);
    return metric;
}

static void text_is(const char *wanted)
{
    char *text;
    size_t len;
    ck_assert_int_eq(emu_metrics_write(metrics, &text, &len), 0);
    ck_assert_str_eq(text, wanted);
    ck_assert_uint_eq(len, strlen(wanted));
    free(text);
}

/* The lines of the format's own example, as far as they are counters, gauges and histograms. */
START_TEST(by_hand)
{
    static const double bounds[] = {0.05, 0.1, 0.2, 0.5, 1};
    text_is("");
    struct emu_metric_family *requests = add(
        &(struct emu_metric_spec){.name = "http_requests_total",
                                  .help = "The total number of HTTP requests.",
                                  .type = EMU_METRIC_COUNTER,
                                  .labels = {"method", "code"}});
    struct emu_metric_family *disk = add(
        &(struct emu_metric_spec){.name = "msdos_file_access_time_seconds",
                                  .help = "Time \"of\" C:\\\nsecond line",
                                  .type = EMU_METRIC_GAUGE,
                                  .labels = {"path", "error"}});
    struct emu_metric_family *plain = add(
        &(struct emu_metric_spec){.name = "up", .help = "", .type = EMU_METRIC_GAUGE});
    struct emu_metric_family *latency = add(
        &(struct emu_metric_spec){.name = "http_request_duration_seconds",
                                  .help = "A histogram of the request duration.",
                                  .type = EMU_METRIC_HISTOGRAM,
                                  .labels = {"method"},
                                  .bounds = bounds,
                                  .bound_count = 5});
    emu_metric_count(of(requests, "post", "200"), 1000);
    emu_metric_count(of(requests, "post", "400"), 3);
    emu_metric_count(of(requests, "post", "200"), 27);
    emu_metric_set(of(disk, "C:\\DIR\\FILE.TXT", "Cannot find file:\n\"FILE.TXT\""), 1.458255915e9);
    emu_metric_set(emu_metric_of(plain, NULL), -INFINITY);
    struct emu_metric *get = of(latency, "get", NULL);
    emu_metric_observe(get, 0.05); /* a bound belongs to its bucket */
    emu_metric_observe(get, 0.06);
    emu_metric_observe(get, 0.75);
    emu_metric_observe(get, 2);
    text_is("# HELP http_requests_total The total number of HTTP requests.\n"
            "# TYPE http_requests_total counter\n"
            "http_requests_total{method=\"post\",code=\"200\"} 1027\n"
            "http_requests_total{method=\"post\",code=\"400\"} 3\n"
            "# HELP msdos_file_access_time_seconds Time \"of\" C:\\\\\\nsecond line\n"
            "# TYPE msdos_file_access_time_seconds gauge\n"
            "msdos_file_access_time_seconds{path=\"C:\\\\DIR\\\\FILE.TXT\",error=\"Cannot find "
            "file:\\n\\\"FILE.TXT\\\"\"} 1458255915\n"
            "# HELP up \n"
            "# TYPE up gauge\n"
            "up -Inf\n"
            "# HELP http_request_duration_seconds A histogram of the request duration.\n"
            "# TYPE http_request_duration_seconds histogram\n"
            "http_request_duration_seconds_bucket{method=\"get\",le=\"0.05\"} 1\n"
            "http_request_duration_seconds_bucket{method=\"get\",le=\"0.1\"} 2\n"
            "http_request_duration_seconds_bucket{method=\"get\",le=\"0.2\"} 2\n"
            "http_request_duration_seconds_bucket{method=\"get\",le=\"0.5\"} 2\n"
            "http_request_duration_seconds_bucket{method=\"get\",le=\"1\"} 3\n"
            "http_request_duration_seconds_bucket{method=\"get\",le=\"+Inf\"} 4\n"
            "http_request_duration_seconds_sum{method=\"get\"} 2.86\n"
            "http_request_duration_seconds_count{method=\"get\"} 4\n");
}
END_TEST

static int err_of(const struct emu_metric_spec *spec)
{
    struct emu_metric_family *family;
    int err = emu_metrics_add(metrics, spec, &family);
    ck_assert((err == 0) == (family != NULL));
    return err;
}

START_TEST(refused)
{
    static const double falling[] = {2, 1}, endless[] = {1, INFINITY};
    static const char *const bad_names[] = {"", "9a", "a b", "a-b", "\xc3\xa4"};
    static const char *const bad_labels[] = {"", "9a", "a:b", "__a", "le"};
    for (int i = 0; i < 5; i++) {
        ck_assert_int_eq(err_of(&(struct emu_metric_spec){.name = bad_names[i], .help = ""}),
                         QKD_ERR_INVALID);
        ck_assert_int_eq(err_of(&(struct emu_metric_spec){.name = "good",
                                                          .help = "",
                                                          .type = EMU_METRIC_HISTOGRAM,
                                                          .labels = {bad_labels[i]}}),
                         QKD_ERR_INVALID);
    }
    ck_assert_int_eq(
        err_of(&(struct emu_metric_spec){.name = "a", .help = "", .labels = {"x", "y", "x"}}),
        QKD_ERR_INVALID);
    struct emu_metric_spec h = {
        .name = "h", .help = "", .type = EMU_METRIC_HISTOGRAM, .bounds = falling, .bound_count = 2};
    ck_assert_int_eq(err_of(&h), QKD_ERR_INVALID);
    h.bounds = endless;
    ck_assert_int_eq(err_of(&h), QKD_ERR_INVALID);
    h.bound_count = 1;
    ck_assert_int_eq(err_of(&(struct emu_metric_spec){.name = "h_sum", .help = ""}), 0);
    ck_assert_int_eq(err_of(&h), QKD_ERR_EXISTS);
    h.name = "g";
    ck_assert_int_eq(err_of(&h), 0);
    ck_assert_int_eq(err_of(&h), QKD_ERR_EXISTS);
    ck_assert_int_eq(err_of(&(struct emu_metric_spec){.name = "g_count", .help = ""}),
                     QKD_ERR_EXISTS);
    struct emu_metric_family *many = add(
        &(struct emu_metric_spec){.name = "many", .help = "", .labels = {"n"}});
    for (int i = 0; i < EMU_METRICS_SERIES_MAX; i++) {
        char text[16];
        snprintf(text, sizeof text, "%d", i);
        (void)of(many, text, NULL);
    }
    const char *one_more[] = {"x"};
    ck_assert_ptr_null(emu_metric_of(many, one_more));
    emu_metric_count(NULL, 1); /* nothing happens */
    emu_metric_set(NULL, 1);
    emu_metric_observe(NULL, 1);
}
END_TEST

/* ---- against the reader ---- */

/* Label values of awkward bytes, all of them UTF-8. */
static void any_text(uint64_t *state, char text[64])
{
    static const char *const pieces[] = {
        "\\", "\"", "\n", "n",  " ", ",",        "}",
        "{",  "=",  "#",  "\t", "a", "\xc3\xa9", "\xf0\x9f\x94\x91"};
    text[0] = '\0';
    for (uint64_t n = store_model_next(state) % 12; n > 0; n--) {
        strcat(text, pieces[store_model_next(state) % 14]);
    }
}

static double any_double(uint64_t *state)
{
    double value = (double)(int64_t)store_model_next(state);
    return ldexp(value, (int)(store_model_next(state) % 200) - 160);
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Python's float.hex(): C's %a differs in small things, so the reader's value is parsed and compared
 * as a double instead. */
static void compare(char **wanted, size_t count, FILE *got)
{
    char line[1024];
    for (size_t i = 0; i < count; i++) {
        ck_assert_msg(fgets(line, sizeof line, got) != NULL, "too few samples");
        char *value = strrchr(line, ' ');
        char *wanted_value = strrchr(wanted[i], ' ');
        ck_assert_int_eq(value - line, wanted_value - wanted[i]);
        ck_assert_mem_eq(line, wanted[i], (size_t)(value - line));
        ck_assert(strtod(value, NULL) == strtod(wanted_value, NULL));
    }
    ck_assert_ptr_null(fgets(line, sizeof line, got));
}

struct wanted {
    char *lines[2000];
    size_t count;
};

static void want(struct wanted *wanted, const char *name, const char *labels, double value)
{
    char *line = malloc(512);
    ck_assert_ptr_nonnull(line);
    snprintf(line, 512, "%s %s %a", name, labels, value);
    wanted->lines[wanted->count++] = line;
}

static const double limits[] = {-1, 0.001, 5, 1e9};

/* Observes 40 values; what must be read is counted here apart. */
static void observe(struct emu_metric *metric, uint64_t *state, const char *name,
                    const char *labels, struct wanted *wanted)
{
    static const char *const le[] = {"2d31", "302e303031", "35", "31303030303030303030",
                                     "2b496e66"}; /* -1 0.001 5 1000000000 +Inf */
    char part[64], all[400];
    unsigned below[5] = {0};
    double sum = 0;
    for (int i = 0; i < 40; i++) {
        double value = any_double(state);
        sum += value;
        emu_metric_observe(metric, value);
        for (int k = 0; k < 5; k++) {
            below[k] += k == 4 || value <= limits[k];
        }
    }
    for (int k = 0; k < 5; k++) {
        snprintf(part, sizeof part, "%s_bucket", name);
        snprintf(all, sizeof all, "%s,le=%s", labels, le[k]);
        want(wanted, part, all, below[k]);
    }
    snprintf(part, sizeof part, "%s_sum", name);
    want(wanted, part, labels, sum);
    snprintf(part, sizeof part, "%s_count", name);
    want(wanted, part, labels, 40);
}

/* A family with five series of random label values and values. */
static void any_family(int number, uint64_t *state, struct wanted *wanted)
{
    char name[24], help[64], a[64], b[2] = "0";
    enum emu_metric_type type = (enum emu_metric_type)(number % 3);
    snprintf(name, sizeof name, "family_%d", number);
    any_text(state, help);
    struct emu_metric_spec spec = {.name = name, .help = help, .type = type, .labels = {"a", "b"}};
    if (type == EMU_METRIC_HISTOGRAM) {
        spec.bounds = limits;
        spec.bound_count = 4;
    }
    struct emu_metric_family *family = add(&spec);
    for (; b[0] < '5'; b[0]++) {
        char labels[300] = "a=";
        any_text(state, a);
        for (const char *at = a; *at != '\0'; at++) {
            snprintf(labels + strlen(labels), 4, "%02x", (unsigned char)*at);
        }
        snprintf(labels + strlen(labels), 8, ",b=%02x", (unsigned)b[0]);
        struct emu_metric *metric = of(family, a, b);
        uint64_t n = store_model_next(state) >> (12 + number % 50); /* exact as a double */
        double value = type == EMU_METRIC_COUNTER ? (double)n : any_double(state);
        if (type == EMU_METRIC_HISTOGRAM) {
            observe(metric, state, name, labels, wanted);
            continue;
        }
        if (type == EMU_METRIC_COUNTER) {
            emu_metric_count_to(metric, n);
        } else {
            emu_metric_set(metric, value);
        }
        want(wanted, name, labels, value);
    }
}

START_TEST(another_reader)
{
    static struct wanted wanted;
    char folder[] = "/tmp/qkdn_metrics_XXXXXX", path[64], command[128];
    uint64_t state = 20260301;
    ck_assert_ptr_nonnull(mkdtemp(folder));
    for (int number = 0; number < 60; number++) {
        any_family(number, &state, &wanted);
    }
    qsort(wanted.lines, wanted.count, sizeof wanted.lines[0], by_text);
    char *text;
    size_t len;
    ck_assert_int_eq(emu_metrics_write(metrics, &text, &len), 0);
    snprintf(path, sizeof path, "%s/metrics", folder);
    FILE *file = fopen(path, "wb");
    ck_assert_ptr_nonnull(file);
    ck_assert_uint_eq(fwrite(text, 1, len, file), len);
    fclose(file);
    snprintf(command, sizeof command, "python3 tests/lib/prometheus.py <%s", path);
    FILE *reader = popen(command, "r");
    ck_assert_ptr_nonnull(reader);
    compare(wanted.lines, wanted.count, reader);
    ck_assert_int_eq(pclose(reader), 0);
    for (size_t i = 0; i < wanted.count; i++) {
        free(wanted.lines[i]);
    }
    free(text);
    unlink(path);
    rmdir(folder);
}
END_TEST

/* The reader is no yes-man. */
START_TEST(the_reader_finds_faults)
{
    static const char *const faults[] = {
        "a 1\\n",                                                            /* no type */
        "# TYPE a counter\\na 1",                                            /* no final line end */
        "# TYPE a counter\\na{b=\"x} 1\\n",                                  /* no quote */
        "# TYPE a counter\\na{b=\"\\\\x\"} 1\\n",                            /* no such escape */
        "# TYPE a counter\\na 1\\na 1\\n",                                   /* twice */
        "# TYPE a counter\\n# TYPE b counter\\na 1\\nb 1\\na{c=\"d\"} 1\\n", /* two pieces */
        "# TYPE a histogram\\na_bucket{le=\"1\"} 1\\na_sum 1\\na_count 1\\n", /* no +Inf */
        "# TYPE a counter\\na one\\n",
    };
    for (size_t i = 0; i < sizeof faults / sizeof faults[0]; i++) {
        char command[256];
        snprintf(command, sizeof command,
                 "printf '%s' | python3 tests/lib/prometheus.py >/dev/null 2>&1", faults[i]);
        ck_assert_msg(system(command) != 0, "fault %zu passed", i);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("emu_metrics");
    TCase *tcase = tcase_create("emu_metrics");
    tcase_set_timeout(tcase, 60);
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, by_hand);
    tcase_add_test(tcase, refused);
    tcase_add_test(tcase, another_reader);
    tcase_add_test(tcase, the_reader_finds_faults);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
