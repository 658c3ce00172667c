/* SPDX-License-Identifier: MIT */
/* Parsing a command line by tables: args.h. The pages of help are in args_help.c. */
#include "runner/args.h"

#include <getopt.h>
#include <stdbool.h>
#include <string.h>

enum { USAGE = 2, FLAGS_MAX = 64, WORD_MAX = 64, FIRST_LONG = 256 };

size_t pb_args_distance(const char *a, const char *b)
{
    size_t row[WORD_MAX + 1], n = strlen(b);
    if (n > WORD_MAX || strlen(a) > WORD_MAX)
        return WORD_MAX;
    for (size_t j = 0; j <= n; j++)
        row[j] = j;
    for (size_t i = 1; a[i - 1] != '\0'; i++) {
        size_t corner = row[0];
        row[0] = i;
        for (size_t j = 1; j <= n; j++) {
            size_t least = corner + (a[i - 1] != b[j - 1]);
            corner = row[j];
            least = least < row[j] + 1 ? least : row[j] + 1;
            row[j] = least < row[j - 1] + 1 ? least : row[j - 1] + 1;
        }
    }
    return row[n];
}

const char *pb_args_value(const struct pb_args *args, const char *name)
{
    for (size_t i = args->given_n; i-- > 0;)
        if (strcmp(args->given[i].flag->name, name) == 0)
            return args->given[i].value;
    return NULL;
}

/* Keeps the nearest of the names seen so far. */
static void nearest(const char *word, const char *name, const char **best, size_t *least)
{
    size_t distance = pb_args_distance(word, name);
    if (distance < *least) {
        *least = distance;
        *best = name;
    }
}

static int unknown_verb(const struct pb_program *program, const char *word)
{
    const char *best = NULL;
    size_t least = (strlen(word) + 1) / 2 + 1;
    for (const struct pb_verb *v = program->verbs; v->name != NULL; v++)
        if (v->summary != NULL)
            nearest(word, v->name, &best, &least);
    fprintf(stderr, "%s: unknown verb '%s'%s%s%s; see %s --help\n", program->name, word,
            best != NULL ? "; did you mean '" : "", best != NULL ? best : "",
            best != NULL ? "'" : "", program->name);
    return USAGE;
}

static int unknown_flag(const struct pb_args *args, const char *word)
{
    char name[WORD_MAX], letter[] = {'-', (char)optopt, '\0'};
    const char *best = NULL;
    size_t least = (strlen(word) + 1) / 2 + 1;
    if (optopt > 0 && optopt < FIRST_LONG)
        word = letter; /* one of several letters in a word */
    snprintf(name, sizeof name, "%.*s", (int)strcspn(word, "="), word);
    const char *bare = name + strspn(name, "-");
    for (const struct pb_flag *f = args->program->flags; f->name != NULL; f++)
        if (pb_args_has(f, args->verb))
            nearest(bare, f->name, &best, &least);
    fprintf(stderr, "%s %s: unknown option '%s'%s%s; see %s %s --help\n", args->program->name,
            args->verb->name, name, best != NULL ? "; did you mean --" : "",
            best != NULL ? best : "", args->program->name, args->verb->name);
    return USAGE;
}

/* The tables that getopt_long reads; flags[i] belongs to longs[i]. */
struct tables {
    struct option longs[FLAGS_MAX + 1];
    const struct pb_flag *flags[FLAGS_MAX];
    char shorts[2 * FLAGS_MAX + 4];
};

static void make_tables(const struct pb_args *args, struct tables *t)
{
    size_t n = 0, used = 0;
    memset(t, 0, sizeof *t);
    t->shorts[used++] = ':'; /* a missing argument is told apart from an unknown option */
    for (const struct pb_flag *f = args->program->flags; f->name != NULL && n < FLAGS_MAX; f++) {
        if (!pb_args_has(f, args->verb))
            continue;
        t->longs[n] = (struct option){f->name, f->arg != NULL ? required_argument : no_argument,
                                      NULL, FIRST_LONG + (int)n};
        t->flags[n++] = f;
        if (f->letter != 0) {
            t->shorts[used++] = (char)f->letter;
            if (f->arg != NULL)
                t->shorts[used++] = ':';
        }
    }
}

static const struct pb_flag *flag_of(const struct tables *t, int code)
{
    if (code >= FIRST_LONG)
        return t->flags[code - FIRST_LONG];
    for (size_t i = 0; i < FLAGS_MAX && t->flags[i] != NULL; i++)
        if (t->flags[i]->letter == code)
            return t->flags[i];
    return NULL;
}

/* Parses what follows the verb. Returns 0 or an exit code. */
static int parse(struct pb_args *args, int argc, char **argv)
{
    struct tables t;
    int code;
    make_tables(args, &t);
    opterr = 0;
    optind = 0; /* from the beginning, whatever was parsed before */
    while ((code = getopt_long(argc, argv, t.shorts, t.longs, NULL)) != -1) {
        const struct pb_flag *flag = flag_of(&t, code);
        if (code == ':') {
            fprintf(stderr, "%s %s: option '%s' needs an argument\n", args->program->name,
                    args->verb->name, argv[optind - 1]);
            return USAGE;
        }
        if (flag == NULL)
            return unknown_flag(args, argv[optind - 1]);
        if (args->given_n == PB_ARGS_MAX) {
            fprintf(stderr, "%s %s: too many options\n", args->program->name, args->verb->name);
            return USAGE;
        }
        args->given[args->given_n].flag = flag;
        args->given[args->given_n++].value = flag->arg != NULL ? optarg : "";
    }
    args->rest = argv + optind;
    args->rest_n = argc - optind;
    return 0;
}

static int check_rest(const struct pb_args *args)
{
    if (args->rest_n >= args->verb->least && args->rest_n <= args->verb->most)
        return 0;
    if (args->rest_n < args->verb->least)
        fprintf(stderr, "%s %s: %s is missing; see %s %s --help\n", args->program->name,
                args->verb->name, args->verb->args, args->program->name, args->verb->name);
    else
        fprintf(stderr, "%s %s: '%s' is one too many; see %s %s --help\n", args->program->name,
                args->verb->name, args->rest[args->verb->most], args->program->name,
                args->verb->name);
    return USAGE;
}

static const struct pb_verb *find_verb(const struct pb_program *program, const char *name)
{
    const struct pb_verb *verb = program->verbs;
    while (verb->name != NULL && strcmp(verb->name, name) != 0)
        verb++;
    return verb->name != NULL ? verb : NULL;
}

/* "help", "help VERB". */
static int help(const struct pb_program *program, int argc, char **argv)
{
    const struct pb_verb *verb = argc > 2 ? find_verb(program, argv[2]) : NULL;
    if (argc > 2 && verb == NULL)
        return unknown_verb(program, argv[2]);
    if (argc > 3) {
        fprintf(stderr, "%s help: '%s' is one too many; see %s --help\n", program->name, argv[3],
                program->name);
        return USAGE;
    }
    pb_args_help(program, verb, stdout);
    return 0;
}

/* What stands in front of any verb. Returns true when it was one of them. */
static bool program_option(const struct pb_program *program, const char *word)
{
    if (strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0)
        pb_args_help(program, NULL, stdout);
    else if (strcmp(word, "--help-man") == 0)
        pb_args_man(program, stdout);
    else if (strcmp(word, "--version") == 0 || strcmp(word, "-V") == 0)
        printf("%s %s\n", program->name, program->version);
    else
        return false;
    return true;
}

int pb_args_main(const struct pb_program *program, int argc, char **argv)
{
    struct pb_args args = {.program = program};
    if (argc < 2) {
        fprintf(stderr, "%s: which verb? see %s --help\n", program->name, program->name);
        return USAGE;
    }
    if (strcmp(argv[1], "help") == 0)
        return help(program, argc, argv);
    if (program_option(program, argv[1]))
        return 0;
    if (argv[1][0] == '-') {
        fprintf(stderr, "%s: unknown option '%s' before a verb; see %s --help\n", program->name,
                argv[1], program->name);
        return USAGE;
    }
    args.verb = find_verb(program, argv[1]);
    if (args.verb == NULL)
        return unknown_verb(program, argv[1]);
    int code = parse(&args, argc - 1, argv + 1);
    if (code == 0 && pb_args_value(&args, "help") != NULL) {
        pb_args_help(program, args.verb, stdout);
        return 0;
    }
    if (code == 0)
        code = check_rest(&args);
    return code != 0 ? code : args.verb->run(&args);
}
