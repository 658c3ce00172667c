/* SPDX-License-Identifier: MIT */
/* The pages of help and the manual page, from the tables of args.h. */
#include "runner/args.h"

#include <ctype.h>
#include <stdbool.h>
#include <string.h>

enum { HELP_COLUMN = 28 };

bool pb_args_has(const struct pb_flag *flag, const struct pb_verb *verb)
{
    char list[256], word[64];
    if (strcmp(flag->verbs, "*") == 0)
        return true;
    snprintf(list, sizeof list, " %s ", flag->verbs);
    snprintf(word, sizeof word, " %s ", verb->name);
    return strstr(list, word) != NULL;
}

/* "  -n, --blocks=N" */
static int flag_usage(const struct pb_flag *flag, char *out, size_t size)
{
    char letter[8] = "    ";
    if (flag->letter != 0)
        snprintf(letter, sizeof letter, "-%c, ", flag->letter);
    return snprintf(out, size, "  %s--%s%s%s", letter, flag->name, flag->arg != NULL ? "=" : "",
                    flag->arg != NULL ? flag->arg : "");
}

static void verb_help(const struct pb_program *program, const struct pb_verb *verb, FILE *out)
{
    char usage[128];
    const char *group = NULL;
    fprintf(out, "usage: %s %s [option...] %s\n\n%s.\n", program->name, verb->name, verb->args,
            verb->summary != NULL ? verb->summary : "For the program's own use");
    if (verb->about != NULL)
        fprintf(out, "\n%s\n", verb->about);
    for (const struct pb_flag *f = program->flags; f->name != NULL; f++) {
        if (!pb_args_has(f, verb))
            continue;
        if (group == NULL || strcmp(group, f->group) != 0)
            fprintf(out, "\n%s\n", f->group);
        group = f->group;
        int length = flag_usage(f, usage, sizeof usage);
        if (length < HELP_COLUMN)
            fprintf(out, "%-*s%s\n", HELP_COLUMN, usage, f->help);
        else
            fprintf(out, "%s\n%*s%s\n", usage, HELP_COLUMN, "", f->help);
    }
}

void pb_args_help(const struct pb_program *program, const struct pb_verb *verb, FILE *out)
{
    if (verb != NULL) {
        verb_help(program, verb, out);
        return;
    }
    fprintf(out, "usage: %s VERB [option...] [argument...]\n\n%s.\n\n", program->name,
            program->summary);
    for (const struct pb_verb *v = program->verbs; v->name != NULL; v++)
        if (v->summary != NULL)
            fprintf(out, "  %-10s %s\n", v->name, v->summary);
    fprintf(out,
            "\n%s VERB --help shows a verb's options; --version the version; --help-man a manual "
            "page (roff).\n\nExit codes\n%s",
            program->name, program->exits);
}

/* Text with what roff reads of it escaped. */
static void roff(const char *text, FILE *out)
{
    for (bool start = true; *text != '\0'; text++) {
        if (start && (*text == '.' || *text == '\''))
            fputs("\\&", out);
        start = *text == '\n';
        if (*text == '\\')
            fputs("\\e", out);
        else if (*text == '-')
            fputs("\\-", out);
        else
            fputc(*text, out);
    }
}

static void man_flag(const struct pb_flag *flag, FILE *out)
{
    fputs(".TP\n", out);
    if (flag->letter != 0)
        fprintf(out, "\\fB\\-%c\\fR, ", flag->letter);
    fputs("\\fB\\-\\-", out);
    roff(flag->name, out);
    fputs("\\fR", out);
    if (flag->arg != NULL)
        fprintf(out, "=\\fI%s\\fR", flag->arg);
    fputc('\n', out);
    roff(flag->help, out);
    fputc('\n', out);
}

static void upper(const char *text, FILE *out)
{
    for (; *text != '\0'; text++)
        fputc(toupper((unsigned char)*text), out);
}

void pb_args_man(const struct pb_program *program, FILE *out)
{
    fputs(".TH ", out);
    upper(program->name, out);
    fprintf(out, " 1 \"\" \"%s %s\"\n.SH NAME\n%s \\- ", program->name, program->version,
            program->name);
    roff(program->summary, out);
    fprintf(out, "\n.SH SYNOPSIS\n.B %s\n.I VERB\n[option...] [argument...]\n.SH VERBS\n",
            program->name);
    for (const struct pb_verb *v = program->verbs; v->name != NULL; v++) {
        if (v->summary == NULL)
            continue;
        fprintf(out, ".SS %s %s\n", v->name, v->args);
        roff(v->summary, out);
        fputs(".\n", out);
        if (v->about != NULL) {
            fputs(".PP\n", out);
            roff(v->about, out);
            fputc('\n', out);
        }
        for (const struct pb_flag *f = program->flags; f->name != NULL; f++)
            if (pb_args_has(f, v))
                man_flag(f, out);
    }
    fputs(".SH EXIT STATUS\n.nf\n", out);
    roff(program->exits, out);
    fputs(".fi\n", out);
}
