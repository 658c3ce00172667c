/* SPDX-License-Identifier: MIT */
/* An export as text. Include after compared_runs.h. Threads: main. */
#ifndef PB_EXPORTED_H
#define PB_EXPORTED_H

#include "runner/export.h"

/* {25: 3, 40: 1, 1000: 2, 123456: 1} */
#define GOLDEN "HISTFAAAACx4nJNpmSzMwMDAxQABTFCakYGB2c1gxwIG+w8QAUM2aaaF7CyveZkAhI4GTg=="

static size_t left_out;

static char *exported_where(const struct pb_run *run, const char *to, const char *filter)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    if (pb_export(run, pb_exporter_find(to), filter, false, NULL, out, &left_out, message,
                  sizeof message) != 0)
        fail_msg("%s: %s", to, message);
    fclose(out);
    return text;
}

__attribute__((unused)) static char *exported(const struct pb_run *run, const char *to)
{
    return exported_where(run, to, NULL);
}

#endif
