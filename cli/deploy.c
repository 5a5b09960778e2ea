/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the commands of the live world share. */
/* For realpath(). NOLINTNEXTLINE(bugprone-reserved-identifier,cert-dcl37-c,cert-dcl51-cpp) */
#define _XOPEN_SOURCE 700
#include "cli/deploy.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "cli/options.h"
#include "core/base/err.h"
#include "emu/base/file.h"
#include "emu/deploy/folder.h"

bool cli_port_read(const struct cli_command *command, const char *text, uint16_t *port)
{
    uint64_t number = 0;
    if (!cli_uint(text, &number) || number < 1 || number > 65533) {
        (void)cli_usage(command, "--base-port '%s': expected a number from 1 to 65533", text);
        return false;
    }
    *port = (uint16_t)number;
    return true;
}

void cli_daemon_json(struct ana_json *json, const struct emu_deployed *daemon)
{
    ana_json_string(json, "name", daemon->name);
    ana_json_string(json, "listen", daemon->listen);
    ana_json_string(json, "status", daemon->status);
    ana_json_string(json, "etsi014", daemon->etsi014[0] == '\0' ? NULL : daemon->etsi014);
}

void cli_instant_text(int64_t ns, char text[32])
{
    struct tm parts;
    time_t s = (time_t)(ns / 1000000000);
    (void)gmtime_r(&s, &parts);
    text[strftime(text, 31, "%Y-%m-%dT%H:%M:%SZ", &parts)] = '\0';
}

/* ---- places ---- */

/* The usual folder of deployments; false: its name is too long. */
static bool root_name(char root[EMU_PATH_SIZE])
{
    const char *runtime = getenv("XDG_RUNTIME_DIR");
    int len = runtime != NULL && runtime[0] == '/'
                  ? snprintf(root, EMU_PATH_SIZE, "%s/qkdn", runtime)
                  : snprintf(root, EMU_PATH_SIZE, "/tmp/qkdn-%lu", (unsigned long)getuid());
    return len > 0 && len < EMU_PATH_SIZE;
}

/* Whether it is a folder of ours that nobody else may write to. */
static bool root_is_ours(const char *root)
{
    struct stat about;
    return lstat(root, &about) == 0 && S_ISDIR(about.st_mode) && about.st_uid == getuid() &&
           (about.st_mode & (S_IWGRP | S_IWOTH)) == 0;
}

int cli_deploy_place(const struct cli_command *command, const char *scenario,
                     char folder[EMU_PATH_SIZE])
{
    char root[EMU_PATH_SIZE];
    const char *slash = strrchr(scenario, '/');
    const char *name = slash == NULL ? scenario : slash + 1;
    const char *dot = strrchr(name, '.');
    int len = dot == NULL || dot == name ? (int)strlen(name) : (int)(dot - name);
    if (!root_name(root) || (mkdir(root, 0700) != 0 && errno != EEXIST)) {
        cli_complain(command, "%s: cannot be made: %s; choose another place with --dir", root,
                     strerror(errno));
        return CLI_BROKEN;
    }
    if (!root_is_ours(root)) {
        cli_complain(command, "%s is not ours alone; choose another place with --dir", root);
        return CLI_BROKEN;
    }
    char own[256];
    (void)snprintf(own, sizeof own, "%.*s", len < 200 ? len : 200, name);
    struct emu_why why;
    if (emu_path_join(folder, root, own, &why) != QKD_OK) {
        cli_complain(command, "%s", why.text);
        return CLI_BAD_INPUT;
    }
    return CLI_DONE;
}

/* FOLDER/source: the scenario file that it was made of. */
static bool source_path(char path[EMU_PATH_SIZE], const char *folder)
{
    return emu_path_join(path, folder, "source", NULL) == QKD_OK;
}

int cli_deploy_claim(const struct cli_command *command, const char *scenario, const char *folder)
{
    char path[EMU_PATH_SIZE];
    const struct emu_file_rule rule = {NULL, EMU_PATH_SIZE};
    struct emu_file source;
    char *own = realpath(scenario, NULL);
    int code = CLI_DONE;
    if (own != NULL && source_path(path, folder) &&
        emu_file_read(path, &rule, &source, NULL) == QKD_OK) {
        if (strcmp((const char *)source.bytes, own) != 0) {
            cli_complain(command, "%s is the deployment of %s; choose another place with --dir",
                         folder, (const char *)source.bytes);
            code = CLI_BAD_INPUT;
        }
        emu_file_wipe(&source);
    }
    free(own);
    return code;
}

void cli_deploy_note(const char *scenario, const char *folder)
{
    char path[EMU_PATH_SIZE];
    char *own = realpath(scenario, NULL);
    if (own != NULL && source_path(path, folder)) {
        (void)unlink(path);
        (void)emu_file_write(path, 0600, own, strlen(own), NULL);
    }
    free(own);
}

/* Whether somebody runs the deployment in this folder. */
static bool is_up(const char *folder)
{
    struct emu_fleet_state state;
    bool up = emu_fleet_look(folder, &state, NULL) == QKD_OK && state.pid != 0;
    emu_fleet_state_fini(&state);
    return up;
}

/* Looks for those that are up; the last one in `folder`, all in `names`. */
static size_t root_search(const char *root, char folder[EMU_PATH_SIZE], char names[EMU_PATH_SIZE])
{
    DIR *list = opendir(root);
    size_t count = 0;
    size_t used = 0;
    names[0] = '\0';
    if (list == NULL) {
        return 0;
    }
    const struct dirent *entry = readdir(list);
    for (; entry != NULL; entry = readdir(list)) {
        char path[EMU_PATH_SIZE];
        if (entry->d_name[0] != '.' && emu_path_join(path, root, entry->d_name, NULL) == QKD_OK &&
            is_up(path)) {
            memcpy(folder, path, sizeof path);
            int len = snprintf(names + used, EMU_PATH_SIZE - used, "\n  --dir %s", path);
            used += len > 0 && (size_t)len < EMU_PATH_SIZE - used ? (size_t)len : 0;
            count++;
        }
    }
    (void)closedir(list);
    return count;
}

int cli_deploy_find(const struct cli_command *command, const char *given,
                    char folder[EMU_PATH_SIZE])
{
    struct emu_why why;
    char root[EMU_PATH_SIZE];
    char names[EMU_PATH_SIZE];
    if (given != NULL) {
        int err = emu_path_join(folder, given, "", &why);
        if (err != QKD_OK) {
            cli_complain(command, "%s", why.text);
        }
        return cli_exit_of(err);
    }
    size_t count = root_name(root) && root_is_ours(root) ? root_search(root, folder, names) : 0;
    if (count == 0) {
        cli_complain(command, "nothing is up in %s; name another place with --dir", root);
        return CLI_BAD_INPUT;
    }
    if (count > 1) {
        cli_complain(command, "%zu deployments are up; which one?%s", count, names);
        return CLI_BAD_INPUT;
    }
    return CLI_DONE;
}

int cli_deploy_check(const struct emu_fleet_options *fleet, const struct emu_render *render,
                     const struct scn_scenario *scenario, struct emu_why *why)
{
    return !render->force && access(render->folder, F_OK) == 0
               ? QKD_OK
               : emu_fleet_check(fleet, scenario, &render->hosts, why);
}

/* ---- command lines ---- */

struct looking {
    const struct cli_command *command;
    const char *given;
    bool flag;
};

static bool look_take(void *ctx, int option, const char *value)
{
    struct looking *looking = ctx;
    if (option == CLI_ARGUMENT) {
        cli_usage(looking->command, "'%s': expected options only; a folder is named by --dir",
                  value);
        return false;
    }
    looking->given = option == 0 ? value : looking->given;
    looking->flag = looking->flag || option == 1;
    return true;
}

bool cli_deploy_look(struct cli_walk *walk, struct cli_look *look, int *exit_code)
{
    struct looking looking = {.command = walk->command};
    if (!cli_take_all(walk, look_take, &looking, exit_code)) {
        return false;
    }
    look->flag = looking.flag;
    *exit_code = cli_deploy_find(walk->command, looking.given, look->folder);
    return *exit_code == CLI_DONE;
}
