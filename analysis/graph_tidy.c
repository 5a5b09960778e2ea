/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Hill climbing: a picture costs something for all that hides something else; each node, and then
 * each text, takes in turn the place at which it costs least. The weights were found by looking. */
#include "analysis/graph_tidy.h"

#include <math.h>

#define TURN (2 * 3.14159265358979323846)
#define ROUNDS 40
#define GAP 14.0        /* points between nodes, */
#define LINE_GAP 9.0    /* between a node and a link of others, */
#define TEXT_GAP 3.0    /* around a text */
#define TEXT_AMID 24.0  /* in which, better, is nothing else, so that one sees whose it is */
#define NODES_MEET 60.0 /* what is worst */
#define NODE_ON_LINE 60.0
#define TEXT_HIDDEN 30.0
#define TEXT_ON_LINE 8.0
#define LINES_CROSS 3.0
#define LENGTH_WRONG 6.0
#define PER_POINT 1.5   /* more for each point that is missing, so that small steps help */
#define LEAST_GAIN 0.01 /* for which something moves */

struct point {
    double x, y;
};

static struct point end_of(const struct ana_drawing *d, size_t node)
{
    return (struct point){d->nodes[node].x, d->nodes[node].y};
}

/* How far two boxes lie in one another, with a gap between them; 0 or less if they do not. */
static double depth(const struct ana_box *a, const struct ana_box *b, double gap)
{
    double x = (a->wide + b->wide) / 2 + gap - fabs(a->x - b->x);
    double y = (a->high + b->high) / 2 + gap - fabs(a->y - b->y);
    return fmin(x, y);
}

static double boxes_cost(const struct ana_box *a, const struct ana_box *b, double gap,
                         double weight)
{
    double deep = depth(a, b, gap);
    return deep > 0 ? weight + PER_POINT * deep : 0;
}

/* Cuts the part of a line from `from` to `to` that lies between two limits of one coordinate. */
static void cut(double at, double way, double middle, double half, double part[2])
{
    if (fabs(way) < 1e-9) {
        part[1] = fabs(at - middle) > half ? -1 : part[1];
        return;
    }
    double one = (middle - half - at) / way, two = (middle + half - at) / way;
    part[0] = fmax(part[0], fmin(one, two));
    part[1] = fmin(part[1], fmax(one, two));
}

/* What a line costs that leads through a box with a gap around it: more the nearer to its middle. */
static double line_cost(struct point from, struct point to, const struct ana_box *box, double gap)
{
    double part[2] = {0, 1};
    double x = to.x - from.x, y = to.y - from.y;
    cut(from.x, x, box->x, box->wide / 2 + gap, part);
    cut(from.y, y, box->y, box->high / 2 + gap, part);
    double length = hypot(x, y);
    if (part[0] >= part[1] || length < 1e-9) {
        return 0;
    }
    double off = fabs((box->x - from.x) * y - (box->y - from.y) * x) / length;
    double reach = (fabs(y) * box->wide + fabs(x) * box->high) / 2 / length + gap;
    return 1 + fmax(0, reach - off) / reach;
}

static double side(struct point a, struct point b, struct point c)
{
    return (b.x - a.x) * (c.y - a.y) - (b.y - a.y) * (c.x - a.x);
}

static bool cross(const struct ana_drawing *d, const struct ana_line *one,
                  const struct ana_line *two)
{
    if (one->a == two->a || one->a == two->b || one->b == two->a || one->b == two->b) {
        return false;
    }
    struct point a = end_of(d, one->a), b = end_of(d, one->b);
    struct point e = end_of(d, two->a), f = end_of(d, two->b);
    return side(a, b, e) * side(a, b, f) < 0 && side(e, f, a) * side(e, f, b) < 0;
}

/* ---- nodes ---- */

/* While nodes move, texts are where they will be at best: on the middle of their line. */
static struct ana_box text_box(const struct ana_drawing *d, const struct ana_line *line)
{
    struct point a = end_of(d, line->a), b = end_of(d, line->b);
    return (struct ana_box){(a.x + b.x) / 2, (a.y + b.y) / 2, line->text.wide, line->text.high};
}

static double length_cost(const struct ana_drawing *d, const struct ana_line *line)
{
    const struct ana_box *a = &d->nodes[line->a], *b = &d->nodes[line->b];
    double length = hypot(a->x - b->x, a->y - b->y);
    double least = fmax(d->length, (fmin(a->wide, a->high) + fmin(b->wide, b->high)) / 2);
    double wrong = length / least - 1;
    return LENGTH_WRONG * wrong * wrong;
}

/* What one line costs with regard to nodes, other lines and their texts. */
static double whole_line_cost(const struct ana_drawing *d, const struct ana_line *line)
{
    struct point from = end_of(d, line->a), to = end_of(d, line->b);
    struct ana_box text = text_box(d, line);
    bool has_text = text.wide > 0;
    double cost = length_cost(d, line);
    for (size_t i = 0; i < d->node_count; i++) {
        if (i != line->a && i != line->b) {
            cost += NODE_ON_LINE * line_cost(from, to, &d->nodes[i], LINE_GAP);
        }
        if (has_text) {
            cost += boxes_cost(&text, &d->nodes[i], TEXT_GAP, TEXT_HIDDEN);
        }
    }
    for (size_t k = 0; k < d->line_count; k++) {
        const struct ana_line *other = &d->lines[k];
        if (other == line || other->loose) {
            continue;
        }
        cost += cross(d, line, other) ? LINES_CROSS : 0;
        if (other->text.wide > 0) {
            struct ana_box theirs = text_box(d, other);
            cost += TEXT_ON_LINE * line_cost(from, to, &theirs, 0);
            cost += has_text ? boxes_cost(&text, &theirs, TEXT_GAP, TEXT_HIDDEN) : 0;
        }
        if (has_text) {
            cost += TEXT_ON_LINE * line_cost(end_of(d, other->a), end_of(d, other->b), &text, 0);
        }
    }
    return cost;
}

/* What a node costs where it is; more than `most` is not counted any further. */
static double node_cost(const struct ana_drawing *d, size_t node, double most)
{
    const struct ana_box *box = &d->nodes[node];
    double cost = 0;
    for (size_t i = 0; i < d->node_count; i++) {
        cost += i != node ? boxes_cost(box, &d->nodes[i], GAP, NODES_MEET) : 0;
    }
    for (size_t k = 0; k < d->line_count && cost < most; k++) {
        const struct ana_line *line = &d->lines[k];
        if (line->loose) {
            continue;
        }
        if (line->a == node || line->b == node) {
            cost += whole_line_cost(d, line);
            continue;
        }
        cost += NODE_ON_LINE * line_cost(end_of(d, line->a), end_of(d, line->b), box, LINE_GAP);
        if (line->text.wide > 0) {
            struct ana_box text = text_box(d, line);
            cost += boxes_cost(box, &text, TEXT_GAP, TEXT_HIDDEN);
        }
    }
    return cost;
}

struct best {
    struct point at;
    double cost;
};

/* Tries places around a point, at this distance. */
static void try_around(struct ana_drawing *d, size_t node, struct point middle, double far,
                       struct best *best)
{
    const int directions = far < 40 ? 8 : 24;
    for (int i = 0; i < directions; i++) {
        struct ana_box *box = &d->nodes[node];
        box->x = middle.x + far * cos(TURN * i / directions);
        box->y = middle.y + far * sin(TURN * i / directions);
        double cost = node_cost(d, node, best->cost);
        if (cost < best->cost - LEAST_GAIN) {
            *best = (struct best){{box->x, box->y}, cost};
        }
    }
}

/* Tries places near by and all around its neighbours. True if it moved. */
static bool node_move(struct ana_drawing *d, size_t node)
{
    static const double steps[] = {3, 10, 30, 80, 170};
    struct point now = end_of(d, node);
    struct best best = {now, node_cost(d, node, INFINITY)};
    double before = best.cost;
    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
        try_around(d, node, now, steps[i], &best);
    }
    for (size_t k = 0; k < d->line_count; k++) {
        const struct ana_line *line = &d->lines[k];
        if (line->a == node || line->b == node) {
            struct point other = end_of(d, line->a == node ? line->b : line->a);
            try_around(d, node, other, d->length, &best);
            try_around(d, node, other, 1.5 * d->length, &best);
        }
    }
    d->nodes[node].x = best.at.x;
    d->nodes[node].y = best.at.y;
    return best.cost < before;
}

void ana_tidy_nodes(struct ana_drawing *d)
{
    bool moved = true;
    for (int round = 0; round < ROUNDS && moved; round++) {
        moved = false;
        for (size_t i = 0; i < d->node_count; i++) {
            moved = node_move(d, i) || moved;
        }
    }
}

/* ---- texts ---- */

/* A point of a line, bent as it is. */
static struct point point_at(const struct ana_drawing *d, const struct ana_line *line, double part)
{
    struct point a = end_of(d, line->a), b = end_of(d, line->b);
    double x = b.x - a.x, y = b.y - a.y;
    double off = line->bend * 4 * part * (1 - part) / fmax(hypot(x, y), 1e-9);
    return (struct point){a.x + part * x - off * y, a.y + part * y + off * x};
}

/* What it costs if another line leads through a text or close by. */
static double text_line_cost(const struct ana_drawing *d, const struct ana_line *line,
                             const struct ana_box *text)
{
    struct point a = end_of(d, line->a), b = end_of(d, line->b), middle = point_at(d, line, 0.5);
    double through = fmax(line_cost(a, middle, text, 1), line_cost(middle, b, text, 1));
    double near = fmax(line_cost(a, middle, text, TEXT_AMID),
                       line_cost(middle, b, text, TEXT_AMID));
    return TEXT_ON_LINE * through + near;
}

static double text_cost(const struct ana_drawing *d, const struct ana_line *line)
{
    const struct ana_box *text = &line->text;
    double cost = 0;
    for (size_t i = 0; i < d->node_count; i++) {
        cost += boxes_cost(text, &d->nodes[i], TEXT_GAP, TEXT_HIDDEN);
    }
    for (size_t k = 0; k < d->line_count; k++) {
        const struct ana_line *other = &d->lines[k];
        if (other == line) {
            continue;
        }
        if (other->text.wide > 0) {
            cost += boxes_cost(text, &other->text, TEXT_GAP, TEXT_HIDDEN);
            cost += boxes_cost(text, &other->text, TEXT_AMID, 0) / 10;
        }
        cost += text_line_cost(d, other, text);
    }
    if (d->room.wide > 0) {
        cost += fmax(0, fabs(text->x - d->room.x) + text->wide / 2 - d->room.wide / 2);
        cost += fmax(0, fabs(text->y - d->room.y) + text->high / 2 - d->room.high / 2);
    }
    return cost;
}

/* Puts a text at this part of its line, to the left (1), upon (0) or to the right (-1) of it. */
static void text_put(const struct ana_drawing *d, struct ana_line *line, double part, int beside)
{
    struct point a = end_of(d, line->a), b = end_of(d, line->b);
    double x = b.x - a.x, y = b.y - a.y;
    double length = fmax(hypot(x, y), 1e-9);
    double off = (fabs(y) * line->text.wide + fabs(x) * line->text.high) / 2 / length + TEXT_GAP;
    struct point at = point_at(d, line, part);
    line->text.x = at.x - beside * off * y / length;
    line->text.y = at.y + beside * off * x / length;
}

static bool text_move(const struct ana_drawing *d, struct ana_line *line)
{
    static const double parts[] = {0.5, 0.45, 0.55, 0.4, 0.6, 0.35, 0.65, 0.3, 0.7, 0.25, 0.75};
    static const int sides[] = {1, -1, 0};
    struct ana_box was = line->text, best = was;
    double least = INFINITY;
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        for (size_t k = 0; k < 3; k++) {
            text_put(d, line, parts[i], sides[k]);
            double cost = text_cost(d, line) + 10 * fabs(parts[i] - 0.5) + (sides[k] == 0 ? 4 : 0);
            if (cost < least - LEAST_GAIN) {
                least = cost;
                best = line->text;
            }
        }
    }
    line->text = best;
    return hypot(best.x - was.x, best.y - was.y) > LEAST_GAIN;
}

void ana_tidy_texts(struct ana_drawing *d)
{
    bool moved = true;
    for (size_t k = 0; k < d->line_count; k++) {
        text_put(d, &d->lines[k], 0.5, 1);
    }
    for (int round = 0; round < ROUNDS && moved; round++) {
        moved = false;
        for (size_t k = 0; k < d->line_count; k++) {
            moved = (d->lines[k].text.wide > 0 && text_move(d, &d->lines[k])) || moved;
        }
    }
}
