/* SPDX-License-Identifier: GPL-3.0-or-later */
/* SAEs of a key manager as ETSI GS QKD 014 knows them, and the application agents that ask for them
 * (QKD_RP_SAE, core/app). An SAE ID is "<application>.<node>": "video.A" is the end at A of the
 * scenario's application `video`. Either end may ask for keys with the other. */
#ifndef EMU_SAE_H
#define EMU_SAE_H

#include "emu/daemon/hosted.h"
#include "emu/etsi014/etsi014.h"

struct emu_sae;

/* node: whose SAEs are served. QKD_ERR_NOMEM. Everything is borrowed. */
int emu_sae_new(const struct host_plan *plan, uint32_t node, struct emu_hosted *hosted,
                struct emu_sae **sae);
void emu_sae_free(struct emu_sae *sae); /* NULL is allowed */

/* Where the backend's completions go; before the first question. */
void emu_sae_serve(struct emu_sae *sae, struct emu_etsi014 *server);
struct emu_e14_backend emu_sae_backend(struct emu_sae *sae);

/* An agent's answer at QKD_RP_SAE. */
void emu_sae_answer(struct emu_sae *sae, const uint8_t *bytes, size_t len);

/* The first error of a step that a question caused; 0: none. */
int emu_sae_error(const struct emu_sae *sae);

#endif
