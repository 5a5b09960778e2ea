/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Threats as one page of HTML that needs nothing else: the matrix, the requirements, the checklist of reference
 * points, how often forgeries succeed, and each attack with its figures and the line that replays it. Verdicts
 * are words; colour only repeats them. */
#include <math.h>
#include <string.h>

#include "analysis/text.h"
#include "cli/threats.h"

static const char *const style =
    "<style>\n"
    ":root{color-scheme:light dark;--ink:#1a1a1a;--paper:#fff;--line:#c9c9c9;--soft:#f3f3f0;"
    "--good:#1b6e2f;--part:#7a5a00;--bad:#a3161f;--none:#666}\n"
    "@media(prefers-color-scheme:dark){:root{--ink:#e8e8e8;--paper:#16181b;--line:#444;"
    "--soft:#212429;--good:#7fd491;--part:#e6c25a;--bad:#ff8d8d;--none:#9a9a9a}}\n"
    "body{font:15px/1.45 system-ui,sans-serif;color:var(--ink);background:var(--paper);"
    "max-width:76rem;margin:2rem auto;padding:0 1rem}\n"
    "h1{font-size:1.6rem;margin:0}h2{font-size:1.2rem;margin:2.2rem 0 .6rem}"
    "h3{font-size:1rem;margin:1.6rem 0 .2rem}\n"
    "p{margin:.3rem 0;max-width:52rem}.wide{overflow-x:auto}\n"
    "table{border-collapse:collapse;font-variant-numeric:tabular-nums}"
    "th,td{border:1px solid var(--line);padding:.25rem .55rem;text-align:left;vertical-align:top}"
    "th{background:var(--soft);font-weight:600}td.n{text-align:right}\n"
    ".pass{color:var(--good);font-weight:600}.partly{color:var(--part);font-weight:600}"
    ".fail,.vacuous,.no{color:var(--bad);font-weight:600}.not{color:var(--none)}\n"
    "code{font:12px/1.4 ui-monospace,monospace;overflow-wrap:anywhere}"
    ".extra{font-style:italic}a{color:inherit}\n"
    "</style>\n";

static void cell(FILE *out, const char *text)
{
    fputs("<td>", out);
    ana_text_escaped(out, text);
    fputs("</td>", out);
}

static void number(FILE *out, bool there, double value)
{
    if (!there || isnan(value)) {
        fputs("<td class=n></td>", out);
    } else {
        fprintf(out, value == floor(value) ? "<td class=n>%.0f</td>" : "<td class=n>%.3g</td>",
                value);
    }
}

/* The first word of a verdict is its class. */
static void verdict(FILE *out, const char *text)
{
    fprintf(out, "<span class=\"%.*s\">%s</span>", (int)strcspn(text, " "), text, text);
}

/* ---- matrix ---- */

static void matrix(FILE *out, const struct cli_threats *threats)
{
    static const enum scn_threat columns[] = {SCN_THREAT_SPOOFING, SCN_THREAT_EAVESDROPPING,
                                              SCN_THREAT_CORRUPTION, SCN_THREAT_DESTRUCTION,
                                              SCN_THREAT_DENIAL};
    enum { COLUMNS = sizeof columns / sizeof columns[0] };
    fputs("<h2>Matrix</h2>\n<div class=wide><table><tr><th>surface<th>at", out);
    for (size_t c = 0; c < COLUMNS; c++) {
        fprintf(out, "<th>%s", scn_threat_name(columns[c]));
    }
    fputs("</tr>\n", out);
    for (int s = 0; s < SCN_SURFACES; s++) {
        fputs("<tr><th>T_", out);
        ana_text_escaped(out, scn_surface_name((enum scn_surface)s));
        cell(out, scn_surface_point((enum scn_surface)s));
        for (size_t c = 0; c < COLUMNS; c++) {
            for (size_t i = 0; i < SCN_CELLS; i++) {
                if ((int)scn_cells[i].surface != s || scn_cells[i].threat != columns[c]) {
                    continue;
                }
                fprintf(out, "<td%s><a href=\"#", scn_cells[i].extra ? " class=extra" : "");
                ana_text_escaped(out, scn_cells[i].id);
                fputs("\">", out);
                ana_text_escaped(out, scn_cells[i].id);
                fputs("</a> ", out);
                verdict(out, cli_threat_verdict_name(cli_threats_cell(threats, i)));
                fputs("</td>", out);
            }
        }
        fputs("</tr>\n", out);
    }
    fputs("</table></div>\n<p>In italics: extra cells, not in the text of X.1712. "
          "<em>partly</em>: what has been built passes, but not all attacks of the cell have been "
          "built.</p>\n",
          out);
}

/* ---- requirements and points ---- */

static void requirements(FILE *out, const struct cli_threats *threats)
{
    fputs("<h2>Requirements of X.1712, clause 9</h2>\n<div class=wide><table>"
          "<tr><th>id<th>level<th>requirement<th>cells<th>verdict</tr>\n",
          out);
    for (int id = 1; id <= CLI_REQUIREMENTS; id++) {
        fprintf(out, "<tr><td>SReq.%d<td>%s", id,
                cli_requirement_is_required(id) ? "required" : "recommended");
        cell(out, cli_requirement_text(id));
        fputs("<td>", out);
        for (size_t i = 0; i < SCN_CELLS; i++) {
            if (!scn_cells[i].extra && cli_requirement_has(id, i)) {
                fputs("<a href=\"#", out);
                ana_text_escaped(out, scn_cells[i].id);
                fputs("\">", out);
                ana_text_escaped(out, scn_cells[i].id);
                fputs("</a> ", out);
            }
        }
        fputs("<td>", out);
        verdict(out, cli_requirement_verdict(threats, id));
        fputs("</tr>\n", out);
    }
    fputs("</table></div>\n", out);
}

static void points(FILE *out, const struct cli_threats *threats)
{
    fputs("<h2>Reference points: D2.3, clause 10</h2>\n<div class=wide><table>"
          "<tr><th>point<th>between",
          out);
    for (int p = 0; p < CLI_PROPERTIES; p++) {
        fprintf(out, "<th>%s", cli_property_names[p]);
    }
    fputs("</tr>\n", out);
    for (size_t i = 0; i < CLI_POINTS; i++) {
        fprintf(out, "<tr><th>%s<td>%s", cli_points[i].name, cli_points[i].between);
        for (int p = 0; p < CLI_PROPERTIES; p++) {
            struct cli_point_verdict found = cli_point_judge(threats, &cli_points[i],
                                                             (enum cli_property)p);
            fputs("<td>", out);
            verdict(out, cli_point_text(threats, &cli_points[i], (enum cli_property)p));
            if (found.attacks > 0) {
                fprintf(out, " (%zu)", found.attacks);
            }
        }
        fputs("</tr>\n", out);
    }
    fputs(
        "</table></div>\n<p>In brackets: how many attacks speak for it. Accountability: who had no "
        "right was named to the manager.</p>\n",
        out);
}

/* ---- how often ---- */

static void tags(FILE *out, const struct cli_tags *found)
{
    if (!found->done) {
        return;
    }
    fputs("<h2>How often a forgery succeeds</h2>\n<div class=wide><table><tr><th>tag<th>tries"
          "<th>accepted<th>what theory says<th>verdict</tr>\n",
          out);
    fprintf(out,
            "<tr><td>8 bits<td class=n>%llu<td class=n>%llu<td>at most 2<sup>-8</sup> each, "
            "%.1f &plusmn; %.1f in all<td>",
            (unsigned long long)found->tries[0], (unsigned long long)found->accepted[0],
            found->expected, found->spread);
    verdict(out, found->short_good ? "pass" : "fail");
    fprintf(out,
            "</tr>\n<tr><td>128 bits<td class=n>%llu<td class=n>%llu<td>with 95 %% certainty below "
            "%.2g each, by these tries; below %.2g by proof<td>",
            (unsigned long long)found->tries[1], (unsigned long long)found->accepted[1],
            found->most_95, found->bound);
    verdict(out, found->full_good ? "pass" : "fail");
    fputs("</tr>\n</table></div>\n", out);
}

/* ---- cells ---- */

static void attack(FILE *out, const struct cli_threat *threat)
{
    const struct scn_variant *v = &scn_variants[threat->variant];
    const struct cli_threat_run *on = &threat->run[CLI_THREAT_ON];
    fputs("<tr>", out);
    cell(out, v->name);
    cell(out, v->asset);
    cell(out, scn_proof_name(v->proof));
    for (int kind = 0; kind < CLI_THREAT_KINDS; kind++) {
        number(out, threat->run[kind].done, threat->run[kind].gain);
    }
    number(out, on->done, (double)on->attack.seen);
    number(out, on->done, (double)on->attack.forged);
    number(out, on->done, on->attack.detect_s);
    number(out, on->done, on->attack.alarm_s);
    number(out, on->done, (double)on->honest_lost);
    number(out, on->done, (double)on->waste_bits);
    number(out, on->done, on->attack.restore_s);
    fputs("<td>", out);
    verdict(out, cli_threat_verdict_name(threat->verdict));
    fputs("</tr>\n", out);
}

static void replay(FILE *out, const struct cli_threats *threats, const struct cli_threat *threat)
{
    struct cli_threat_sets sets;
    const char *const lines[] = {sets.attacks, sets.measures, sets.costs};
    cli_threat_sets(threats, &scn_variants[threat->variant], CLI_THREAT_OFF, &sets);
    fputs("<p><code>", out);
    ana_text_escaped(out, scn_variants[threat->variant].name);
    fputs(":", out);
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        fputs(" --set '", out);
        ana_text_escaped(out, lines[i]);
        fputs("'", out);
    }
    fputs("</code></p>\n", out);
}

static void one_cell(FILE *out, const struct cli_threats *threats, size_t at)
{
    const struct scn_cell *c = &scn_cells[at];
    bool any = false;
    fputs("<h3 id=\"", out);
    ana_text_escaped(out, c->id);
    fputs("\">", out);
    ana_text_escaped(out, c->id);
    fprintf(out, ": %s on T_", scn_threat_name(c->threat));
    ana_text_escaped(out, scn_surface_name(c->surface));
    fputs(c->extra ? " (extra), " : ", ", out);
    verdict(out, cli_threat_verdict_name(cli_threats_cell(threats, at)));
    fprintf(out, "</h3>\n<p>Attacker %s ", c->capability);
    ana_text_escaped(out, c->attack);
    fputs(". Must hold: ", out);
    ana_text_escaped(out, c->measure);
    fprintf(out, " (SReq %s).", c->requirements);
    if (c->missing[0] != '\0') {
        fputs(" Not built: ", out);
        ana_text_escaped(out, c->missing);
        fputs(".", out);
    }
    fputs("</p>\n", out);
    for (size_t i = 0; i < threats->count; i++) {
        if (strcmp(scn_variants[threats->all[i].variant].cell, c->id) != 0) {
            continue;
        }
        if (!any) {
            fputs("<div class=wide><table><tr><th>attack<th>asset<th>success is<th>off<th>on"
                  "<th>later off<th>inside<th>met<th>forged<th>noticed after, s<th>alarm after, s"
                  "<th>honest requests lost<th>bits wasted<th>restored after, s<th>verdict</tr>\n",
                  out);
            any = true;
        }
        attack(out, &threats->all[i]);
    }
    if (!any) {
        return;
    }
    fputs("</table></div>\n<details><summary>replay, with the measure off</summary>\n", out);
    for (size_t i = 0; i < threats->count; i++) {
        if (strcmp(scn_variants[threats->all[i].variant].cell, c->id) == 0) {
            replay(out, threats, &threats->all[i]);
        }
    }
    fputs("</details>\n", out);
}

void cli_threats_page(FILE *out, const struct cli_threats *threats)
{
    fputs("<!DOCTYPE html>\n<html lang=en><meta charset=utf-8>\n"
          "<meta name=viewport content=\"width=device-width,initial-scale=1\">\n"
          "<title>Threats of X.1712</title>\n",
          out);
    fputs(style, out);
    fputs("<h1>Threats of ITU-T X.1712 (10/2021)</h1>\n<p>On ", out);
    ana_text_escaped(out, threats->network);
    fprintf(out, ", seed %llu; without an attack %llu of %llu requests served. ",
            (unsigned long long)threats->seed, (unsigned long long)threats->base_served,
            (unsigned long long)threats->base_total);
    fputs(
        "Each attack runs with the measure off that stands against it, where it must succeed, and "
        "with all on, where it must not; where a later stage catches what the first let pass, "
        "without "
        "that stage too; where the place is inside a node, once more with the node within the "
        "demarcation boundary.</p>\n",
        out);
    matrix(out, threats);
    requirements(out, threats);
    points(out, threats);
    tags(out, &threats->tags);
    fputs("<h2>Cells</h2>\n<p>Columns off to inside: the figure that shows success. The others are "
          "of "
          "the run with all measures on.</p>\n",
          out);
    for (size_t i = 0; i < SCN_CELLS; i++) {
        if (threats->wanted[i]) {
            one_cell(out, threats, i);
        }
    }
    fputs("</html>\n", out);
}
