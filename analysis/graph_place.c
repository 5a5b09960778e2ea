/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Map positions of nodes. */
#include "analysis/graph_place.h"

#include <math.h>

#define DEGREE (3.14159265358979323846 / 180)
#define WIDTH 9.0          /* inches of a picture with room to spare */
#define MOST_WIDTH 13.0    /* and of one whose nodes stand close, ... */
#define WIDTH_PER_ROOT 1.6 /* ... or this for each root of the number of nodes, if that is more */
#define BARE 0.4           /* of the room is enough without texts */
#define ROOM_X 2.1         /* inches that two nodes side by side need, with a label between them */
#define ROOM_Y 1.4         /* and one above the other */
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

/* Distance of two nodes in units of the room that they need. */
static double closeness(const struct ana_point *a, const struct ana_point *b)
{
    return hypot((a->x - b->x) / ROOM_X, (a->y - b->y) / ROOM_Y);
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

/* Moves two nodes that stand too close away from each other, half of what is missing each; nodes at
 * one place part in a direction that depends on their numbers. True if they moved. */
static bool push_apart(struct ana_point *points, size_t i, size_t j)
{
    double distance = closeness(&points[i], &points[j]);
    if (distance >= 0.999) {
        return false;
    }
    double dx = (points[j].x - points[i].x) / ROOM_X;
    double dy = (points[j].y - points[i].y) / ROOM_Y;
    if (distance < 1e-9) {
        dx = cos((double)(i + 7 * j));
        dy = sin((double)(i + 7 * j));
        distance = 1e-9;
    }
    double norm = hypot(dx, dy);
    double step = (1 - distance) / 2 / norm;
    points[i].x -= dx * step * ROOM_X;
    points[i].y -= dy * step * ROOM_Y;
    points[j].x += dx * step * ROOM_X;
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

bool ana_map_points(const struct scn_scenario *scenario, bool texts, struct ana_point *points)
{
    size_t count = scenario->node_count;
    for (size_t i = 0; i < count; i++) {
        if (!scenario->nodes[i].has_geo) {
            return false;
        }
    }
    struct box box = box_of(scenario);
    double shrink = cos((box.south + box.north) / 2 * DEGREE);
    double wide = fmax((box.east - box.west) * shrink, box.north - box.south);
    if (count < 2 || !(wide > 0)) {
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        points[i].x = (scenario->nodes[i].lon - box.west) * shrink;
        points[i].y = scenario->nodes[i].lat - box.south;
    }
    /* In units in which the room of a node is ROOM_X by ROOM_Y. */
    double unit = texts ? 1 : BARE;
    double most = fmax(MOST_WIDTH, WIDTH_PER_ROOT * sqrt((double)count)) / unit;
    double scale = fmin(fmax(WIDTH / unit / wide, roomy_scale(points, count)), most / wide);
    for (size_t i = 0; i < count; i++) {
        points[i].x *= scale;
        points[i].y *= scale;
    }
    make_room(points, count);
    for (size_t i = 0; i < count; i++) {
        points[i].x *= unit;
        points[i].y *= unit;
    }
    return true;
}
