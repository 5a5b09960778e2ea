/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the commands of the live world share. */
#include "cli/deploy.h"

#include "cli/options.h"

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
