/* SPDX-License-Identifier: MIT */
/* The probes there are: probes.def, in its order. Adding one is a file and a line there.
 * Threads: constant. */
#include "probes/probe.h"

#include <string.h>

#define PB_PROBE(name) extern const struct pb_probe pb_probe_##name;
#include "probes/probes.def"
#undef PB_PROBE

static const struct pb_probe *const probes[] = {
#define PB_PROBE(name) &pb_probe_##name,
#include "probes/probes.def"
#undef PB_PROBE
    NULL};

const struct pb_probe *pb_probe_at(size_t index)
{
    return index < sizeof probes / sizeof *probes ? probes[index] : NULL;
}

const struct pb_probe *pb_probe_find(const char *name)
{
    for (const struct pb_probe *const *probe = probes; *probe != NULL; probe++)
        if (strcmp((*probe)->name, name) == 0)
            return *probe;
    return NULL;
}
