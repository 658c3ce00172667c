/* SPDX-License-Identifier: MIT */
/* What verbs have in common: the terminal, words of options, runs by name. See verbs_shared.h. */
#include "runner/verbs_shared.h"

#include "runner/baseline.h"
#include "runner/runner.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

bool pb_verb_colour(const char *when, FILE *out)
{
    const char *no = getenv("NO_COLOR"), *force = getenv("FORCE_COLOR"), *term = getenv("TERM");
    if (when != NULL && strcmp(when, "auto") != 0)
        return strcmp(when, "always") == 0;
    if (no != NULL && no[0] != '\0')
        return false;
    if (force != NULL && force[0] != '\0')
        return true;
    return isatty(fileno(out)) && term != NULL && strcmp(term, "dumb") != 0;
}

unsigned pb_verb_columns(FILE *out)
{
    struct winsize window = {0};
    const char *text = getenv("COLUMNS");
    char *end;
    unsigned long given = text != NULL ? strtoul(text, &end, 10) : 0;
    if (given > 0 && given <= USHRT_MAX && *end == '\0')
        return (unsigned)given;
    return ioctl(fileno(out), TIOCGWINSZ, &window) == 0 ? window.ws_col : 0;
}

int pb_verb_complain(const char *message, int code)
{
    fprintf(stderr, "%s\n", message);
    return code;
}

int pb_verb_format(const char *name)
{
    static const char *const names[] = {"table", "json", "csv", "markdown"};
    for (int i = 0; i < (int)(sizeof names / sizeof *names); i++)
        if (name == NULL || strcmp(names[i], name) == 0)
            return i;
    return -1;
}

int pb_verb_check(const struct pb_args *args)
{
    const char *format = pb_args_value(args, "format"), *when = pb_args_value(args, "color");
    if (pb_verb_format(format) < 0) {
        fprintf(stderr, "--format: unknown format '%s'; allowed: table, json, csv, markdown\n",
                format);
        return PB_EXIT_USAGE;
    }
    if (when != NULL && strcmp(when, "always") != 0 && strcmp(when, "never") != 0 &&
        strcmp(when, "auto") != 0) {
        fprintf(stderr, "--color: unknown value '%s'; allowed: always, never, auto\n", when);
        return PB_EXIT_USAGE;
    }
    return 0;
}

const char *pb_verb_variant(const char *text, struct pb_variant *variant)
{
    char message[PB_VERB_MESSAGE_MAX];
    if (text == NULL || pb_variant_parse(text, variant, message, sizeof message) != 0)
        return text;
    return variant->label;
}

int pb_verb_load(const char *name, struct pb_run **run)
{
    char message[PB_VERB_MESSAGE_MAX] = "", folder[PATH_MAX];
    if (name != NULL &&
        pb_baseline_resolve(name, folder, sizeof folder, message, sizeof message) != 0)
        return pb_verb_complain(message, PB_EXIT_USAGE);
    if (pb_run_load(name != NULL ? folder : NULL, run, message, sizeof message) != 0)
        return pb_verb_complain(message, PB_EXIT_USAGE);
    if ((*run)->torn)
        fprintf(stderr, "%s: the last line was cut off and is left out\n", (*run)->folder);
    return 0;
}
