/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Writes a deployment: first beside its place, then renamed. Texts are made in memory (open_memstream);
 * secrets never pass through a buffer of the C library. */
#include "emu/deploy/render.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <openssl/rand.h>

#include "core/base/err.h"
#include "core/crypto/crypto.h"
#include "emu/deploy/render_text.h"
#include "emu/deploy/secrets.h"
#include "emu/net/pki.h"

#define PKI "pki"
#define UNLOCK_LEN 32 /* random bytes of an unlock secret */

/* A deployment under way. */
struct render {
    const struct scn_scenario *scenario;
    const struct emu_render *how;
    const struct emu_deployment *deployment;
    char folder[EMU_PATH_SIZE]; /* where it grows */
    char pki[EMU_PATH_SIZE];
    struct emu_why *why;
};

static int no_memory(struct emu_why *why)
{
    return emu_fail(why, QKD_ERR_NOMEM, "no memory");
}

/* The path of something in the deployment: two parts. */
static int place(const struct render *render, const char *folder, const char *name,
                 char path[EMU_PATH_SIZE])
{
    char in[EMU_PATH_SIZE];
    int err = emu_path_join(in, folder, name, render->why);
    return err == QKD_OK ? emu_path_join(path, render->folder, in, render->why) : err;
}

/* Writes a text, which is freed; NULL: it could not be made. */
static int text_write(const struct render *render, const char *folder, const char *name, char *text)
{
    char path[EMU_PATH_SIZE];
    if (text == NULL) {
        return no_memory(render->why);
    }
    size_t dot = strlen(name) < 3 ? 0 : strlen(name) - 3;
    mode_t mode = strcmp(name + dot, ".sh") == 0 ? 0755 : 0644;
    int err = place(render, folder, name, path);
    if (err == QKD_OK) {
        err = emu_file_write(path, mode, text, strlen(text), render->why);
    }
    free(text);
    return err;
}

static int folder_make(const struct render *render, const char *name)
{
    char path[EMU_PATH_SIZE];
    int err = place(render, name, "", path);
    return err == QKD_OK ? emu_folder_make(path, 0700, render->why) : err;
}

/* ---- secrets ---- */

/* Lower-case hexadecimal digits of random bytes: 2 * len of them, no final zero. */
static int random_hex(char *to, size_t len, struct emu_why *why)
{
    static const char digits[] = "0123456789abcdef";
    uint8_t bytes[EMU_SECRET_LEN];
    QKD_ASSERT(len <= sizeof bytes);
    if (RAND_bytes(bytes, (int)len) != 1) {
        return emu_fail(why, QKD_ERR_CRYPTO, "no random bytes");
    }
    for (size_t i = 0; i < len; i++) {
        to[2 * i] = digits[bytes[i] >> 4];
        to[2 * i + 1] = digits[bytes[i] & 15];
    }
    crypto_wipe(bytes, sizeof bytes);
    return QKD_OK;
}

#define HEX ((size_t)2 * EMU_SECRET_LEN)

/* Where the secret of two daemons stands among those of all. */
static size_t pair_at(size_t one, size_t other)
{
    size_t high = one > other ? one : other;
    size_t low = one > other ? other : one;
    return (high * (high + 1) / 2 + low) * HEX;
}

static int secrets_draw(char *all, size_t count, struct emu_why *why)
{
    int err = QKD_OK;
    for (size_t i = 0; i < count * (count + 1) / 2 && err == QKD_OK; i++) {
        err = random_hex(all + i * HEX, EMU_SECRET_LEN, why);
    }
    return err;
}

/* The file of one daemon: itself and those to whom it talks. */
static int secrets_write(const struct render *render, uint32_t number, const char *all)
{
    const struct emu_deployment *deployment = render->deployment;
    size_t room = deployment->count * (EMU_PLACE_NAME_SIZE + HEX + 2) + 128;
    char path[EMU_PATH_SIZE];
    char *text = malloc(room);
    if (text == NULL) {
        return no_memory(render->why);
    }
    size_t len = (size_t)snprintf(text, room, "# Pairwise secrets of %s: keep closed to others.\n",
                                  deployment->daemons[number].name);
    for (uint32_t i = 0; i < deployment->count; i++) {
        if (i == number || emu_place_talk(render->scenario, number, i)) {
            len += (size_t)snprintf(text + len, room - len, "%s ", deployment->daemons[i].name);
            memcpy(text + len, all + pair_at(number, i), HEX);
            len += HEX;
            text[len++] = '\n';
        }
    }
    int err = place(render, deployment->daemons[number].folder, "secrets", path);
    if (err == QKD_OK) {
        err = emu_file_write(path, 0600, text, len, render->why);
    }
    crypto_wipe(text, room);
    free(text);
    return err;
}

static int unlock_write(const struct render *render, const char *folder)
{
    char path[EMU_PATH_SIZE];
    char text[2 * UNLOCK_LEN + 1];
    int err = place(render, folder, "unlock", path);
    if (err == QKD_OK) {
        err = random_hex(text, UNLOCK_LEN, render->why);
    }
    if (err == QKD_OK) {
        text[2 * UNLOCK_LEN] = '\n';
        err = emu_file_write(path, 0600, text, sizeof text, render->why);
    }
    crypto_wipe(text, sizeof text);
    return err;
}

/* All secrets of all daemons. */
static int secrets_all(const struct render *render)
{
    size_t count = render->deployment->count;
    size_t room = count * (count + 1) / 2 * HEX;
    char *all = room > 0 ? malloc(room) : NULL; /* every deployment has daemons */
    if (all == NULL) {
        return no_memory(render->why);
    }
    int err = secrets_draw(all, count, render->why);
    for (uint32_t i = 0; i < count && err == QKD_OK; i++) {
        err = secrets_write(render, i, all);
        if (err == QKD_OK) {
            err = unlock_write(render, render->deployment->daemons[i].folder);
        }
    }
    crypto_wipe(all, room);
    free(all);
    return err;
}

/* ---- certificates ---- */

/* Makes a daemon's certificate and puts it, with the authority's, into its folder. */
static int daemon_certify(const struct render *render, const struct emu_deployed *daemon)
{
    const char *hosts[] = {render->deployment->hosts[daemon->host].name, "localhost", "127.0.0.1",
                           "::1"};
    struct emu_pki pki = {.folder = render->pki};
    struct emu_pki_subject subject = {EMU_PKI_DAEMON, daemon->name, hosts, 4};
    struct emu_pki_files made;
    char paths[3][EMU_PATH_SIZE];
    char authority[EMU_PATH_SIZE];
    int err = emu_pki_make(&pki, &subject, render->why);
    if (err == QKD_OK) {
        err = emu_pki_files(render->pki, &subject, &made, render->why);
    }
    static const char *const names[] = {"ca.crt", "daemon.crt", "daemon.key"};
    for (size_t i = 0; i < 3 && err == QKD_OK; i++) {
        err = place(render, daemon->folder, names[i], paths[i]);
    }
    if (err == QKD_OK) {
        err = emu_path_join(authority, render->pki, "ca.crt", render->why);
    }
    if (err == QKD_OK) {
        err = emu_file_copy(authority, paths[0], 0644, render->why);
    }
    if (err == QKD_OK &&
        (rename(made.certificate, paths[1]) != 0 || rename(made.key, paths[2]) != 0)) {
        err = emu_fail(render->why, QKD_ERR_IO, "%s: cannot be made: %s", paths[1],
                       strerror(errno));
    }
    return err;
}

/* The certificate of an application at one of its ends: the SAE application.node. */
static int sae_certify(const struct render *render, const struct scn_application *application,
                       uint32_t node)
{
    char id[2 * SCN_ID_SIZE];
    (void)snprintf(id, sizeof id, "%s.%s", application->id, render->scenario->nodes[node].id);
    struct emu_pki pki = {.folder = render->pki};
    struct emu_pki_subject subject = {.kind = EMU_PKI_SAE, .name = id};
    return emu_pki_make(&pki, &subject, render->why);
}

static int certify_all(const struct render *render)
{
    struct emu_pki pki = {.folder = render->pki};
    struct emu_pki_subject authority = {.kind = EMU_PKI_CA};
    int err = emu_pki_make(&pki, &authority, render->why);
    for (size_t i = 0; i < render->deployment->count && err == QKD_OK; i++) {
        err = daemon_certify(render, &render->deployment->daemons[i]);
    }
    for (size_t i = 0; i < render->scenario->application_count && err == QKD_OK; i++) {
        const struct scn_application *application = &render->scenario->applications[i];
        err = sae_certify(render, application, application->from);
        if (err == QKD_OK) {
            err = sae_certify(render, application, application->to);
        }
    }
    return err;
}

/* ---- texts ---- */

static int roots_write(const struct render *render)
{
    int err = QKD_OK;
    if (render->deployment->host_count > 1) {
        err = folder_make(render, "hosts");
    }
    for (uint32_t h = 0; h < render->deployment->host_count && err == QKD_OK; h++) {
        const char *root = render->deployment->hosts[h].root;
        if (root[0] != '\0') {
            err = folder_make(render, root);
        }
        if (err == QKD_OK) {
            err = text_write(render, root, "scenario.yaml", scn_print(render->scenario));
        }
        if (err == QKD_OK) {
            err = text_write(render, root, "start.sh", emu_render_start(render->deployment, h));
        }
    }
    return err;
}

static int daemons_write(const struct render *render)
{
    int err = QKD_OK;
    for (uint32_t i = 0; i < render->deployment->count && err == QKD_OK; i++) {
        const char *folder = render->deployment->daemons[i].folder;
        err = folder_make(render, folder);
        if (err == QKD_OK) {
            err = text_write(render, folder, "daemon.yaml",
                             emu_render_config(render->scenario, render->deployment, render->how,
                                               i));
        }
    }
    return err;
}

static int all_write(const struct render *render)
{
    int err = folder_make(render, PKI);
    if (err == QKD_OK) {
        err = text_write(render, "", EMU_DEPLOYMENT_FILE, emu_deployment_print(render->deployment));
    }
    if (err == QKD_OK) {
        err = text_write(render, "", "README",
                         emu_render_readme(render->scenario, render->deployment));
    }
    if (err == QKD_OK) {
        err = roots_write(render);
    }
    if (err == QKD_OK) {
        err = daemons_write(render);
    }
    if (err == QKD_OK) {
        err = secrets_all(render);
    }
    return err == QKD_OK ? certify_all(render) : err;
}

/* ---- the folder ---- */

/* Whether the place is free, or may be made so. */
static int place_check(const struct emu_render *how, bool *there, struct emu_why *why)
{
    struct stat about;
    char path[EMU_PATH_SIZE];
    *there = lstat(how->folder, &about) == 0;
    if (!*there) {
        return errno == ENOENT ? QKD_OK
                               : emu_fail(why, QKD_ERR_IO, "%s: cannot be made: %s", how->folder,
                                          strerror(errno));
    }
    if (!how->force) {
        return emu_fail(why, QKD_ERR_EXISTS, "%s: exists already; --force replaces a deployment",
                        how->folder);
    }
    int err = emu_path_join(path, how->folder, EMU_DEPLOYMENT_FILE, why);
    if (err == QKD_OK && (!S_ISDIR(about.st_mode) || access(path, F_OK) != 0)) {
        err = emu_fail(why, QKD_ERR_INVALID, "%s: is no deployment, and is not replaced",
                       how->folder);
    }
    return err;
}

/* Names that nobody else has, beside the folder. */
static int beside(const char *folder, char to[EMU_PATH_SIZE], struct emu_why *why)
{
    size_t len = strlen(folder);
    while (len > 1 && folder[len - 1] == '/') {
        len--;
    }
    int n = snprintf(to, EMU_PATH_SIZE, "%.*s.XXXXXX", (int)len, folder);
    if (n < 0 || n >= EMU_PATH_SIZE - 300) { /* names in it are long, too */
        return emu_fail(why, QKD_ERR_RANGE, "%.80s...: the path is too long", folder);
    }
    if (mkdtemp(to) == NULL) {
        return emu_fail(why, QKD_ERR_IO, "%s: cannot be made: %s", folder, strerror(errno));
    }
    return QKD_OK;
}

/* Puts what has grown in its place, and takes away what was there. */
static int put_in_place(const struct render *render, bool there)
{
    const char *folder = render->how->folder;
    char old[EMU_PATH_SIZE] = "";
    if (there) {
        int err = beside(folder, old, render->why);
        if (err != QKD_OK) {
            return err;
        }
        if (rename(folder, old) != 0) {
            (void)rmdir(old);
            return emu_fail(render->why, QKD_ERR_IO, "%s: cannot be replaced: %s", folder,
                            strerror(errno));
        }
    }
    if (rename(render->folder, folder) != 0) {
        int saved = errno;
        if (there) {
            (void)rename(old, folder);
        }
        return emu_fail(render->why,
                        saved == ENOTEMPTY || saved == EEXIST ? QKD_ERR_EXISTS : QKD_ERR_IO,
                        "%s: cannot be made: %s", folder, strerror(saved));
    }
    return there ? emu_folder_remove(old, render->why) : QKD_OK;
}

static int render_whole(const struct scn_scenario *scenario, const struct emu_render *how,
                        struct emu_deployment **deployment, struct emu_why *why)
{
    struct emu_deployment *plan = NULL;
    struct render render = {.scenario = scenario, .how = how, .why = why};
    bool there = false;
    int err = place_check(how, &there, why);
    if (err == QKD_OK) {
        err = emu_deployment_plan(scenario, &how->hosts, &plan, why);
    }
    if (err == QKD_OK) {
        err = beside(how->folder, render.folder, why);
    }
    if (err == QKD_OK) {
        render.deployment = plan;
        err = emu_path_join(render.pki, render.folder, PKI, why);
        err = err == QKD_OK ? all_write(&render) : err;
        err = err == QKD_OK ? put_in_place(&render, there) : err;
        if (err != QKD_OK) {
            (void)emu_folder_remove(render.folder, NULL);
        }
    }
    if (err == QKD_OK && deployment != NULL) {
        *deployment = plan;
        return QKD_OK;
    }
    emu_deployment_free(plan);
    return err;
}

/* Whoever asks for the end meanwhile waits a moment: half a deployment would be left beside its place, with
 * private keys in it. */
int emu_render(const struct scn_scenario *scenario, const struct emu_render *how,
               struct emu_deployment **deployment, struct emu_why *why)
{
    sigset_t ends;
    sigset_t before;
    (void)sigemptyset(&ends);
    (void)sigaddset(&ends, SIGINT);
    (void)sigaddset(&ends, SIGTERM);
    (void)sigaddset(&ends, SIGHUP);
    (void)sigprocmask(SIG_BLOCK, &ends, &before);
    int err = render_whole(scenario, how, deployment, why);
    (void)sigprocmask(SIG_SETMASK, &before, NULL);
    return err;
}
