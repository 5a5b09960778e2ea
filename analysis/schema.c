/* SPDX-License-Identifier: GPL-3.0-or-later */
/* SQL of the results schema. */
#include "analysis/schema.h"

#include <string.h>

/* Times are ns of simulated time; IDs are 16-byte blobs; nodes, links and applications are referred
 * to by their index (idx). */
const char ana_schema_sql[] =
    "CREATE TABLE nodes(idx INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, name TEXT NOT NULL,"
    " role TEXT NOT NULL, operator TEXT NOT NULL, lat REAL, lon REAL);"
    "CREATE TABLE reasons(reason TEXT PRIMARY KEY, requests INTEGER NOT NULL) WITHOUT ROWID;"
    "CREATE TABLE application_reasons(application INTEGER NOT NULL REFERENCES applications(idx),"
    " reason TEXT NOT NULL, requests INTEGER NOT NULL, PRIMARY KEY(application, reason))"
    " WITHOUT ROWID;"
    "CREATE TABLE routes(application INTEGER NOT NULL REFERENCES applications(idx),"
    " route TEXT NOT NULL, served INTEGER NOT NULL, periods INTEGER NOT NULL, first_s REAL,"
    " last_s REAL, span_s REAL, PRIMARY KEY(application, route)) WITHOUT ROWID;"
    "CREATE TABLE expectations(idx INTEGER PRIMARY KEY, text TEXT NOT NULL, value REAL,"
    " pass INTEGER NOT NULL);"
    "CREATE TABLE requests(number INTEGER PRIMARY KEY,"
    " application INTEGER NOT NULL REFERENCES applications(idx), start_ns INTEGER NOT NULL,"
    " end_ns INTEGER, fetched_ns INTEGER, outcome TEXT NOT NULL, reason TEXT NOT NULL,"
    " grade TEXT NOT NULL, key_bits INTEGER NOT NULL, keys_asked INTEGER NOT NULL,"
    " keys_supplied INTEGER NOT NULL, hops INTEGER NOT NULL, reroutes INTEGER NOT NULL,"
    " counted INTEGER NOT NULL, route TEXT);"
    "CREATE TABLE request_keys(request INTEGER NOT NULL REFERENCES requests(number),"
    " ksa_key BLOB NOT NULL, kma_key BLOB);"
    "CREATE TABLE sessions(number INTEGER PRIMARY KEY,"
    " application INTEGER NOT NULL REFERENCES applications(idx), start_ns INTEGER NOT NULL,"
    " admitted_ns INTEGER, end_ns INTEGER, rate_bps INTEGER NOT NULL, outcome TEXT NOT NULL,"
    " reason TEXT NOT NULL, counted INTEGER NOT NULL);"
    "CREATE TABLE hops(kma_key BLOB NOT NULL, link INTEGER NOT NULL REFERENCES links(idx),"
    " from_node INTEGER NOT NULL REFERENCES nodes(idx),"
    " to_node INTEGER NOT NULL REFERENCES nodes(idx), sent_ns INTEGER NOT NULL,"
    " hop INTEGER NOT NULL, attempt INTEGER NOT NULL, block INTEGER NOT NULL,"
    " offset INTEGER NOT NULL, pad_bits INTEGER NOT NULL, tag_bits INTEGER NOT NULL,"
    " method TEXT NOT NULL);"
    "CREATE TABLE pool_samples(time_ns INTEGER NOT NULL,"
    " link INTEGER NOT NULL REFERENCES links(idx), node INTEGER NOT NULL REFERENCES nodes(idx),"
    " own_bits INTEGER NOT NULL, peer_bits INTEGER NOT NULL, stored_bits INTEGER NOT NULL,"
    " up INTEGER NOT NULL);"
    "CREATE TABLE events(time_ns INTEGER NOT NULL, kind TEXT NOT NULL, entity TEXT NOT NULL,"
    " detail TEXT NOT NULL);"
    "CREATE TABLE faults(time_ns INTEGER NOT NULL, role TEXT NOT NULL,"
    " node INTEGER NOT NULL, fault TEXT NOT NULL, object INTEGER NOT NULL,"
    " raised INTEGER NOT NULL, count INTEGER NOT NULL);"
    "CREATE TABLE life(time_ns INTEGER NOT NULL, role TEXT NOT NULL, node INTEGER NOT NULL,"
    " action TEXT NOT NULL, key_class TEXT NOT NULL, id BLOB NOT NULL, parent BLOB,"
    " key_bits INTEGER, source_node INTEGER, destination_node INTEGER, source_app INTEGER,"
    " target_app INTEGER, method TEXT, link INTEGER, hop INTEGER, reason TEXT);"
    "CREATE TABLE messages(request INTEGER NOT NULL REFERENCES requests(number),"
    " number INTEGER NOT NULL, sent_ns INTEGER NOT NULL, arrived_ns INTEGER,"
    " from_role TEXT NOT NULL, from_node INTEGER NOT NULL, to_role TEXT NOT NULL,"
    " to_node INTEGER NOT NULL, point TEXT NOT NULL, name TEXT NOT NULL, bytes INTEGER NOT NULL,"
    " link INTEGER, hop INTEGER, attempt INTEGER, sending INTEGER NOT NULL,"
    " shared INTEGER NOT NULL, reason TEXT, fate TEXT NOT NULL);"
    "CREATE VIEW request_list AS SELECT r.number, a.id AS application, f.id AS from_node,"
    " t.id AS to_node, r.start_ns / 1e9 AS start_s, r.outcome, r.reason, r.grade,"
    " (r.end_ns - r.start_ns) / 1e9 AS latency_s,"
    " (r.fetched_ns - r.start_ns) / 1e9 AS fetch_latency_s, r.keys_supplied, r.hops, r.route,"
    " r.counted FROM requests r JOIN applications a ON a.idx = r.application"
    " JOIN nodes f ON f.idx = a.from_node JOIN nodes t ON t.idx = a.to_node;"
    "CREATE VIEW life_list AS SELECT l.time_ns / 1e9 AS time_s, l.role, n.id AS node, l.action,"
    " l.key_class, lower(hex(l.id)) AS id, lower(hex(l.parent)) AS parent, l.key_bits,"
    " k.id AS link, l.reason FROM life l LEFT JOIN nodes n ON n.idx = l.node"
    " LEFT JOIN links k ON k.idx = l.link;";

const char ana_index_sql[] =
    "CREATE INDEX requests_by_application ON requests(application, start_ns);"
    "CREATE INDEX request_keys_by_request ON request_keys(request);"
    "CREATE INDEX hops_by_kma_key ON hops(kma_key);"
    "CREATE INDEX pool_samples_by_link ON pool_samples(link, time_ns);"
    "CREATE INDEX messages_by_request ON messages(request);"
    "CREATE INDEX life_by_id ON life(id);"
    "CREATE INDEX life_by_parent ON life(parent);";

const char ana_index_full_sql[] = "CREATE INDEX request_keys_by_ksa_key ON request_keys(ksa_key);"
                                  "CREATE INDEX request_keys_by_kma_key ON request_keys(kma_key);";

bool ana_field_in_ledger(const struct ana_field *field)
{
    return strncmp(field->name, ANA_BITS_PREFIX, sizeof ANA_BITS_PREFIX - 1) == 0;
}

void ana_column_add(struct ana_text *sql, const struct ana_field *field)
{
    char name[64];
    size_t len = 0;
    for (const char *c = field->name; *c != '\0' && len + 1 < sizeof name; c++) {
        name[len++] = *c == '.' ? '_' : *c;
    }
    name[len] = '\0';
    ana_text_add(sql, "%s", name);
}

static void add_columns(struct ana_text *sql, const struct ana_field *table, bool ledger_too)
{
    for (const struct ana_field *f = table; f->name != NULL; f++) {
        if (!ana_field_in_ledger(f) || ledger_too) {
            bool real = f->kind == ANA_KIND_REAL || f->kind == ANA_KIND_FRACTION;
            ana_text_add(sql, ", ");
            ana_column_add(sql, f);
            ana_text_add(sql, real ? " REAL" : " INTEGER");
        }
    }
}

void ana_figure_tables(struct ana_text *sql)
{
    ana_text_add(sql, "CREATE TABLE run(id INTEGER PRIMARY KEY CHECK(id = 1), schema INTEGER NOT "
                      "NULL, version TEXT NOT NULL, scenario TEXT NOT NULL, scenario_yaml TEXT NOT "
                      "NULL, scenario_hash TEXT NOT NULL, engine TEXT NOT NULL, seed TEXT NOT "
                      "NULL, record TEXT NOT NULL, options TEXT NOT NULL, started TEXT NOT NULL, "
                      "ended TEXT, trace_digest TEXT, summary TEXT");
    add_columns(sql, ana_head_fields, true);
    add_columns(sql, ana_run_fields, true);
    ana_text_add(sql, ");CREATE TABLE links(idx INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, a "
                      "INTEGER NOT NULL REFERENCES nodes(idx), b INTEGER NOT NULL REFERENCES "
                      "nodes(idx), length_m INTEGER NOT NULL, loss_db REAL NOT NULL, store_bits "
                      "INTEGER NOT NULL");
    add_columns(sql, ana_link_fields, false);
    ana_text_add(sql, ");CREATE TABLE applications(idx INTEGER PRIMARY KEY, id TEXT NOT NULL "
                      "UNIQUE, from_node INTEGER NOT NULL REFERENCES nodes(idx), to_node INTEGER "
                      "NOT NULL REFERENCES nodes(idx), key_bits INTEGER NOT NULL, keys_per_request "
                      "INTEGER NOT NULL, level TEXT NOT NULL");
    add_columns(sql, ana_application_fields, true);
    ana_text_add(sql, ");CREATE TABLE ledger(link INTEGER PRIMARY KEY REFERENCES links(idx)");
    for (const struct ana_field *f = ana_link_fields; f->name != NULL; f++) {
        if (ana_field_in_ledger(f)) {
            ana_text_add(sql, ", %s INTEGER NOT NULL", f->name + sizeof ANA_BITS_PREFIX - 1);
        }
    }
    ana_text_add(sql, ");CREATE TABLE fault_events(idx INTEGER PRIMARY KEY, event TEXT NOT NULL, "
                      "what TEXT NOT NULL, entity TEXT NOT NULL, faults INTEGER NOT NULL");
    add_columns(sql, ana_event_fields, true);
    ana_text_add(sql, ");CREATE TABLE attacks(idx INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, "
                      "cell TEXT NOT NULL, variant TEXT NOT NULL, surface TEXT NOT NULL");
    add_columns(sql, ana_attack_fields, true);
    ana_text_add(sql, ");CREATE TABLE fault_event_reasons(event INTEGER NOT NULL REFERENCES "
                      "fault_events(idx), reason TEXT NOT NULL, requests INTEGER NOT NULL, PRIMARY "
                      "KEY(event, reason)) WITHOUT ROWID;");
}
