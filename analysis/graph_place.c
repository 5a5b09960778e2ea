/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Map positions of nodes. */
#include "analysis/graph_place.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define DEGREE (3.14159265358979323846 / 180)
#define WIDTH 9.0          /* inches of a picture with room to spare */
#define MOST_WIDTH 13.0    /* and of one whose nodes stand close, ... */
#define WIDTH_PER_ROOT 1.6 /* ... or this for each root of the number of nodes, if that is more */
#define BARE 0.6           /* of the room is enough without texts */
#define ROOM_X 2.1         /* inches that two nodes side by side need, with a label between them */
#define ROOM_Y 1.4         /* and one above the other */
#define LABEL 1.3          /* inches of a link's text between them */
#define GAP 0.2            /* and between their nodes if it has none */
#define CHAR 0.1           /* of a letter of a node's bold name, */
#define SMALL_CHAR 0.075   /* of one below it, */
#define FRAME 0.5          /* and of what is around them */
#define ROUNDS 300         /* of pushing nodes apart */
#define MOST_PUSHED 500    /* nodes; more are drawn where they are */

struct box {
    double west, east, south, north;
};

static struct box box_of(const struct scn_scenario *scenario)
{
    struct box box = {180, -180, 90, -90};
    for (size_t i = 0; i < scenario->node_count; i++) {
        const struct scn_node *n = &scenario->nodes[i];
        box.west = fmin(box.west, n->lon);
        box.east = fmax(box.east, n->lon);
        box.south = fmin(box.south, n->lat);
        box.north = fmax(box.north, n->lat);
    }
    return box;
}

/* What two nodes side by side need: more than usual if their texts are long. */
static double room_x(const struct ana_point *a, const struct ana_point *b)
{
    return fmax(ROOM_X, (a->wide + b->wide) / 2 + LABEL);
}

/* Distance of two nodes in units of the room that they need. */
static double closeness(const struct ana_point *a, const struct ana_point *b)
{
    return hypot((a->x - b->x) / room_x(a, b), (a->y - b->y) / ROOM_Y);
}

/* Scale at which the closest pair has its room; 1 if all stand at one place. */
static double roomy_scale(const struct ana_point *points, size_t count)
{
    double least = INFINITY;
    for (size_t i = 0; i < count && count <= MOST_PUSHED; i++) {
        for (size_t j = i + 1; j < count; j++) {
            double distance = closeness(&points[i], &points[j]);
            least = distance > 0 ? fmin(least, distance) : least;
        }
    }
    return 1 / least;
}

/* Moves two nodes that stand too close away from each other, a quarter of what is missing each (with half, one
 * node jumps over another where many stand close); nodes at
 * one place part in a direction that depends on their numbers. True if they moved. */
static bool push_apart(struct ana_point *points, size_t i, size_t j)
{
    double distance = closeness(&points[i], &points[j]);
    if (distance >= 0.999) {
        return false;
    }
    double wide = room_x(&points[i], &points[j]);
    double dx = (points[j].x - points[i].x) / wide;
    double dy = (points[j].y - points[i].y) / ROOM_Y;
    if (distance < 1e-9) {
        dx = cos((double)(i + 7 * j));
        dy = sin((double)(i + 7 * j));
        distance = 1e-9;
    }
    double norm = hypot(dx, dy);
    double step = (1 - distance) / 4 / norm;
    points[i].x -= dx * step * wide;
    points[i].y -= dy * step * ROOM_Y;
    points[j].x += dx * step * wide;
    points[j].y += dy * step * ROOM_Y;
    return true;
}

static void make_room(struct ana_point *points, size_t count)
{
    bool moved = count <= MOST_PUSHED;
    for (int round = 0; round < ROUNDS && moved; round++) {
        moved = false;
        for (size_t i = 0; i < count; i++) {
            for (size_t j = i + 1; j < count; j++) {
                moved = push_apart(points, i, j) || moved;
            }
        }
    }
}

/* ---- relays on the way ---- */

void ana_graph_dots(const struct scn_scenario *scenario, bool *dot)
{
    size_t count = scenario->node_count;
    uint32_t *degree = calloc(count + 1, sizeof *degree);
    for (size_t i = 0; degree != NULL && i < scenario->link_count; i++) {
        degree[scenario->links[i].a]++;
        degree[scenario->links[i].b]++;
    }
    for (size_t i = 0; i < count; i++) {
        dot[i] = degree != NULL && count > ANA_GRAPH_FULL && degree[i] == 2 &&
                 strcmp(scenario->nodes[i].name, scenario->nodes[i].id) == 0 &&
                 scenario->nodes[i].role == SCN_ROLE_RELAY && i != scenario->control.at &&
                 i != scenario->management.at;
    }
    for (size_t i = 0; i < scenario->application_count; i++) {
        dot[scenario->applications[i].from] = false;
        dot[scenario->applications[i].to] = false;
    }
    free(degree);
}

/* The two neighbours of each dot. */
struct ways {
    const bool *dot;
    uint32_t (*next)[2];
};

static void ways_fill(const struct scn_scenario *scenario, struct ways *ways)
{
    for (size_t i = 0; i < scenario->link_count; i++) {
        uint32_t ends[2] = {scenario->links[i].a, scenario->links[i].b};
        for (int k = 0; k < 2; k++) {
            uint32_t *next = ways->next[ends[k]];
            next[next[0] == UINT32_MAX ? 0 : 1] = ends[1 - k];
        }
    }
}

/* Where a way leads: the node, and the last dot before it. */
struct way_end {
    uint32_t node, last;
};

static struct way_end way_end(const struct ways *ways, uint32_t from, uint32_t first)
{
    struct way_end end = {first, from};
    while (ways->dot[end.node]) {
        uint32_t onward = ways->next[end.node][ways->next[end.node][0] == end.last ? 1 : 0];
        end = (struct way_end){onward, end.node};
    }
    return end;
}

/* Moves the dots from one node, by way of its neighbour, to the next node as far as these two were
 * pushed, in proportion; `pushed` is that of all nodes. */
static void way_place(const struct ways *ways, uint32_t from, uint32_t first,
                      const struct ana_point *pushed, struct ana_point *points)
{
    uint32_t before = from, at = first;
    size_t count = 0;
    while (ways->dot[at]) {
        uint32_t onward = ways->next[at][ways->next[at][0] == before ? 1 : 0];
        before = at;
        at = onward;
        count++;
    }
    struct ana_point a = pushed[from], b = pushed[at];
    before = from;
    at = first;
    for (size_t i = 1; i <= count; i++) {
        double part = (double)i / (double)(count + 1);
        points[at].x += a.x + part * (b.x - a.x);
        points[at].y += a.y + part * (b.y - a.y);
        uint32_t onward = ways->next[at][ways->next[at][0] == before ? 1 : 0];
        before = at;
        at = onward;
    }
}

/* Each way is gone once, from the end with the lower number; one that comes back to its beginning from
 * the neighbour with the lower number. */
static void ways_place(const struct scn_scenario *scenario, struct ways *ways,
                       const struct ana_point *pushed, struct ana_point *points)
{
    for (size_t i = 0; i < scenario->node_count; i++) {
        ways->next[i][0] = ways->next[i][1] = UINT32_MAX;
    }
    ways_fill(scenario, ways);
    for (size_t i = 0; i < scenario->link_count; i++) {
        uint32_t ends[2] = {scenario->links[i].a, scenario->links[i].b};
        for (int k = 0; k < 2; k++) {
            uint32_t from = ends[k], first = ends[1 - k];
            if (ways->dot[from] || !ways->dot[first]) {
                continue;
            }
            struct way_end end = way_end(ways, from, first);
            if (from < end.node || (from == end.node && first <= end.last)) {
                way_place(ways, from, first, pushed, points);
            }
        }
    }
}

/* ---- the map ---- */

/* Inches from west to east of a node with its texts. */
static double node_width(const struct scn_scenario *scenario, size_t i)
{
    const struct scn_node *n = &scenario->nodes[i];
    bool controls = i == scenario->control.at, manages = i == scenario->management.at;
    double below = strcmp(n->id, n->name) != 0 ? (double)strlen(n->name) : 0;
    below = fmax(below, controls && manages ? 19 : controls ? 10 : manages ? 7 : 0);
    return FRAME + fmax(CHAR * (double)strlen(n->id), SMALL_CHAR * below);
}

/* Scales all points and pushes apart those that are no dots. places and pushed: room for them. */
static void spread(const struct scn_scenario *scenario, const struct ways *ways, double unit,
                   struct ana_point *places, struct ana_point *points, struct ana_point *pushed)
{
    size_t count = 0;
    double wide = 0;
    for (size_t i = 0; i < scenario->node_count; i++) {
        wide = fmax(wide, fmax(points[i].x, points[i].y));
        if (!ways->dot[i]) {
            places[count] = points[i];
            places[count++].wide = (node_width(scenario, i) + (unit < 1 ? GAP : LABEL)) / unit -
                                   LABEL;
        }
    }
    double most = fmax(MOST_WIDTH, WIDTH_PER_ROOT * sqrt((double)count)) / unit;
    double scale = fmin(fmax(WIDTH / unit / wide, roomy_scale(places, count)), most / wide);
    for (size_t i = 0; i < count; i++) {
        places[i].x *= scale;
        places[i].y *= scale;
    }
    make_room(places, count);
    for (size_t i = 0, k = 0; i < scenario->node_count; i++) {
        struct ana_point from = {points[i].x * scale * unit, points[i].y * scale * unit, 0};
        points[i] = from;
        if (!ways->dot[i]) {
            points[i] = (struct ana_point){places[k].x * unit, places[k].y * unit, 0};
            pushed[i] = (struct ana_point){points[i].x - from.x, points[i].y - from.y, 0};
            k++;
        }
    }
}

/* West to east and south to north from 0, in degrees of latitude; false if all are at one place. */
static bool project(const struct scn_scenario *scenario, struct ana_point *points)
{
    struct box box = box_of(scenario);
    double shrink = cos((box.south + box.north) / 2 * DEGREE);
    for (size_t i = 0; i < scenario->node_count; i++) {
        if (!scenario->nodes[i].has_geo) {
            return false;
        }
        points[i].x = (scenario->nodes[i].lon - box.west) * shrink;
        points[i].y = scenario->nodes[i].lat - box.south;
    }
    return scenario->node_count >= 2 && (box.east > box.west || box.north > box.south);
}

bool ana_map_points(const struct scn_scenario *scenario, bool texts, const bool *dot,
                    struct ana_point *points)
{
    size_t count = scenario->node_count;
    if (!project(scenario, points)) {
        return false;
    }
    bool *none = calloc(count + 1, sizeof *none);
    struct ways ways = {dot != NULL ? dot : none, calloc(count + 1, sizeof *ways.next)};
    struct ana_point *places = calloc(count + 1, sizeof *places);
    struct ana_point *pushed = calloc(count + 1, sizeof *pushed);
    bool placed = none != NULL && ways.next != NULL && places != NULL && pushed != NULL;
    if (placed) {
        /* In units in which the room of a node is ROOM_X by ROOM_Y. */
        spread(scenario, &ways, texts ? 1 : BARE, places, points, pushed);
        ways_place(scenario, &ways, pushed, points);
    }
    free(none);
    free(ways.next);
    free(places);
    free(pushed);
    return placed;
}
