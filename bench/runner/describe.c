/* SPDX-License-Identifier: MIT */
/* Lists and descriptions: describe.h. The texts are those of the tables, so they cannot drift. */
#include "runner/describe.h"

#include "placement/placement.h"
#include "probes/probe.h"
#include "registry.h"
#include "runner/figures.h"
#include "runner/matrix.h"
#include "runner/report_text.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

enum { NAME_COLUMN = 14 };

/* --- lists ------------------------------------------------------------------------------------ */

/* A kind of thing: the i-th one's name and what it is; false past the end. */
typedef bool item_fn(size_t index, const char **name, const char **what);

static bool strategy_at(size_t index, const char **name, const char **what)
{
    const struct pb_allocator *ops = pb_registry_at(index);
    if (ops == NULL)
        return false;
    *name = ops->name;
    *what = ops->summary;
    return true;
}

static bool workload_at(size_t index, const char **name, const char **what)
{
    const struct pb_workload *workload = pb_workload_at(index);
    if (workload == NULL)
        return false;
    *name = workload->name;
    *what = workload->summary;
    return true;
}

static bool probe_at(size_t index, const char **name, const char **what)
{
    const struct pb_probe *probe = pb_probe_at(index);
    if (probe == NULL)
        return false;
    *name = probe->name;
    *what = probe->summary;
    return true;
}

static bool policy_at(size_t index, const char **name, const char **what)
{
    const struct pb_policy *policy = &pb_policies[index];
    if (policy->name == NULL)
        return false;
    *name = policy->name;
    *what = policy->help;
    return true;
}

static bool figure_at(size_t index, const char **name, const char **what)
{
    const struct pb_figure *figure = pb_figure_at(index);
    if (figure == NULL)
        return false;
    *name = figure->name;
    *what = figure->question;
    return true;
}

static const struct kind {
    const char *name;
    item_fn *at; /* NULL: the matrices, which are files */
} kinds[] = {
    {"strategies", strategy_at}, {"workloads", workload_at}, {"probes", probe_at},
    {"policies", policy_at},     {"matrices", NULL},         {"figures", figure_at},
};

enum { KINDS = sizeof kinds / sizeof *kinds };

static void add_item(json_t *list, const char *name, const char *what)
{
    json_array_append_new(list, json_pack("{s:s, s:s}", "name", name, "summary", what));
}

/* The first line of a comment that says something: what a file without a title opens with. */
static void lead_line(const char *text, char *out, size_t size)
{
    out[0] = '\0';
    for (size_t length; *text == '#'; text += length + (text[length] == '\n')) {
        length = strcspn(text, "\n");
        size_t mark = strspn(text, "# \t");
        if (mark >= length || strncmp(text + mark, "SPDX-", 5) == 0)
            continue;
        char line[PB_MESSAGE_MAX];
        snprintf(line, sizeof line, "%.*s", (int)(length - mark), text + mark);
        pb_text_clean(line, out, size);
        return;
    }
}

/* A matrix is listed with its title, else its first comment, or with what is wrong with it. */
static void add_matrix(void *list, const char *name, const char *path)
{
    char message[PB_MESSAGE_MAX] = "";
    struct pb_matrix *matrix = NULL;
    const char *what = message;
    if (pb_matrix_read(path, &matrix, message, sizeof message) == 0) {
        what = matrix->settings.title;
        if (what[0] == '\0') {
            lead_line(matrix->text, message, sizeof message);
            what = message[0] != '\0' ? message : "(its file has no title)";
        }
    }
    add_item(list, name, what);
    pb_matrix_free(matrix);
}

static json_t *items_of(const struct kind *kind)
{
    const char *name, *what;
    json_t *list = json_array();
    if (kind->at == NULL)
        pb_matrix_each(add_matrix, list);
    for (size_t i = 0; kind->at != NULL && kind->at(i, &name, &what); i++)
        add_item(list, name, what);
    return list;
}

static void print_list(const char *heading, const json_t *list, bool first, FILE *out)
{
    size_t i;
    json_t *item;
    fprintf(out, "%s%s\n", first ? "" : "\n", heading);
    json_array_foreach((json_t *)list, i, item)
    {
        fprintf(out, "  %-*s %s\n", NAME_COLUMN, json_string_value(json_object_get(item, "name")),
                json_string_value(json_object_get(item, "summary")));
    }
}

static const struct kind *kind_find(const char *name)
{
    for (size_t k = 0; k < KINDS; k++)
        if (strcmp(kinds[k].name, name) == 0)
            return &kinds[k];
    return NULL;
}

int pb_list(char *const *names, size_t n, bool json, FILE *out, char *message, size_t message_size)
{
    char allowed[128] = "";
    json_t *all = json_object();
    for (size_t k = 0; k < KINDS; k++)
        pb_list_append(allowed, sizeof allowed, kinds[k].name);
    for (size_t i = 0; i < n; i++)
        if (kind_find(names[i]) == NULL) {
            snprintf(message, message_size, "list: unknown kind '%s'; allowed: %s", names[i],
                     allowed);
            json_decref(all);
            return -EINVAL;
        }
    for (size_t i = 0; i < (n > 0 ? n : KINDS); i++) {
        const struct kind *kind = n > 0 ? kind_find(names[i]) : &kinds[i];
        json_t *list = items_of(kind);
        if (!json)
            print_list(kind->name, list, i == 0, out);
        json_object_set_new(all, kind->name, list);
    }
    if (json) {
        json_dumpf(all, out, JSON_INDENT(2));
        fputc('\n', out);
    }
    json_decref(all);
    return 0;
}

/* --- descriptions ----------------------------------------------------------------------------- */

/* A word for each bit. */
struct flag_word {
    unsigned bit;
    const char *word;
};

static const struct flag_word capability_words[] = {
    {PB_CAP_FIXED_SIZE, "one block size a heap (mixed sizes through a bank of them)"},
    {PB_CAP_REMOTE_FREE, "a thread may free what another allocated"},
    {PB_CAP_SIZED_FREE, "free relies on the size given back"},
    {PB_CAP_STAYS_MAPPED, "addresses stay readable until close"},
    {PB_CAP_BACKING, "may stand behind a bank or a lookaside"},
    {PB_CAP_LIBRARY, "is the process's malloc, in a child with that library preloaded"},
    {PB_CAP_OWN_RSEQ, "uses its threads' rseq area itself"},
    {PB_CAP_ONE_BLOCK, "a floor: one live block a thread"},
    {PB_CAP_PATHS, "says which way a call took: miss, overflow, system"},
    {0, NULL},
};

static const struct flag_word workload_words[] = {
    {PB_WORKLOAD_MIXED_SIZES, "mixed sizes"},
    {PB_WORKLOAD_REMOTE_FREE, "blocks are freed by other workers, where there are any"},
    {PB_WORKLOAD_OWN_THREADS, "the data say how many workers"},
    {PB_WORKLOAD_MANY_BLOCKS, "more than one live block a worker"},
    {PB_WORKLOAD_STEPS_WAIT, "steps wait for other workers: no open loop, no batches of several"},
    {0, NULL},
};

static void print_flags(const char *heading, const struct flag_word *words, unsigned flags,
                        FILE *out)
{
    fprintf(out, "%s\n", heading);
    for (const struct flag_word *w = words; w->word != NULL; w++)
        if ((flags & w->bit) != 0)
            fprintf(out, "  %s\n", w->word);
}

static void print_range(const struct pb_option *o, FILE *out)
{
    switch (o->type) {
    case PB_OPTION_UINT:
        fprintf(out, "%" PRIu64 " to %" PRIu64, o->min, o->max);
        break;
    case PB_OPTION_FLAG:
        fputs("on, off", out);
        break;
    case PB_OPTION_CHOICE:
        for (size_t i = 0; o->choices[i] != NULL; i++)
            fprintf(out, "%s%s", i == 0 ? "" : ", ", o->choices[i]);
        break;
    case PB_OPTION_TEXT:
        fputs("text", out);
        break;
    case PB_OPTION_END:
        break;
    }
}

static void print_options(const struct pb_option *options, FILE *out)
{
    static const char *const types[] = {"", "number", "flag", "choice", "text"};
    if (options == NULL || options->type == PB_OPTION_END)
        return;
    fputs("options\n", out);
    for (const struct pb_option *o = options; o->type != PB_OPTION_END; o++) {
        fprintf(out, "  %s=%s  (%s%s%s; ", o->name, o->standard, types[o->type],
                o->unit != NULL ? ", " : "", o->unit != NULL ? o->unit : "");
        print_range(o, out);
        fprintf(out, ")\n      %s\n", o->help);
    }
}

static void print_text(const char *heading, const char *text, FILE *out)
{
    if (text != NULL && text[0] != '\0')
        fprintf(out, "%s\n  %s\n", heading, text);
}

static void describe_strategy(const struct pb_allocator *ops, const char *label, FILE *out)
{
    fprintf(out, "%s: %s\n", ops->name, ops->summary);
    if (strcmp(label, ops->name) != 0)
        fprintf(out, "  (asked for as %s)\n", label);
    print_text("source", ops->source, out);
    print_flags("capabilities", capability_words, ops->capabilities, out);
    fprintf(out, "slots beyond alloc and free\n ");
    fprintf(out, "%s%s%s%s%s\n", ops->realloc != NULL ? " realloc" : "",
            ops->aligned != NULL ? " aligned" : "", ops->trim != NULL ? " trim" : "",
            ops->check != NULL ? " check" : "", ops->version != NULL ? " version" : "");
    print_options(ops->options, out);
}

static void describe_workload(const struct pb_workload *w, FILE *out)
{
    fprintf(out, "%s: %s\n", w->name, w->summary);
    print_text("a step is", w->step, out);
    print_text("source", w->source, out);
    print_text("reading", w->reading, out);
    print_flags("properties", workload_words, w->flags, out);
    print_options(w->options, out);
}

static void print_metric(const struct pb_metric *m, FILE *out)
{
    static const char *const better[] = {"lower is better", "neither is better",
                                         "higher is better"};
    fprintf(out, "  %-24s [%s] %s (%s)\n", m->key, m->unit, m->help, better[m->better + 1]);
}

static void describe_probe(const struct pb_probe *probe, FILE *out)
{
    fprintf(out, "%s: %s\n", probe->name, probe->summary);
    print_text("source", probe->source, out);
    fputs("metrics\n", out);
    for (const struct pb_metric *m = probe->metrics; m->key != NULL; m++)
        print_metric(m, out);
}

static bool describe_metric(const char *name, FILE *out)
{
    const struct pb_probe *probe;
    for (size_t i = 0; (probe = pb_probe_at(i)) != NULL; i++)
        for (const struct pb_metric *m = probe->metrics; m->key != NULL; m++)
            if (strcmp(m->key, name) == 0) {
                fprintf(out, "a metric of the probe %s\n", probe->name);
                print_metric(m, out);
                return true;
            }
    return false;
}

static bool describe_policy(const char *name, FILE *out)
{
    for (const struct pb_policy *p = pb_policies; p->name != NULL; p++)
        if (strcspn(p->name, ":") == strcspn(name, ":") &&
            strncmp(p->name, name, strcspn(name, ":")) == 0) {
            fprintf(out, "%s: a pin policy\n  %s\n", p->name, p->help);
            return true;
        }
    return false;
}

/* A matrix's name that is looked for among all. */
struct wanted {
    const char *name;
    bool found;
};

static void want_matrix(void *context, const char *name, const char *path)
{
    struct wanted *wanted = context;
    (void)path;
    wanted->found |= strcmp(name, wanted->name) == 0;
}

/* What is called so but has a verb of its own that shows it, as one line; false: nothing is. */
static bool point_to_verb(const char *name, char *message, size_t message_size)
{
    struct wanted wanted = {.name = name};
    const struct pb_figure *figure;
    pb_matrix_each(want_matrix, &wanted);
    if (wanted.found)
        snprintf(message, message_size, "'%s' is a matrix: see 'poolbench plan %s'", name, name);
    for (size_t i = 0; !wanted.found && (figure = pb_figure_at(i)) != NULL; i++)
        if (strcmp(figure->name, name) == 0) {
            snprintf(message, message_size, "'%s' is a figure: see 'poolbench plot'", name);
            wanted.found = true;
        }
    return wanted.found;
}

int pb_describe(const char *name, FILE *out, char *message, size_t message_size)
{
    struct pb_variant variant;
    char wrong[PB_MESSAGE_MAX];
    const struct pb_workload *workload = pb_workload_find(name);
    const struct pb_probe *probe = pb_probe_find(name);
    int error = pb_variant_parse(name, &variant, wrong, sizeof wrong);
    if (workload != NULL)
        describe_workload(workload, out);
    else if (probe != NULL)
        describe_probe(probe, out);
    else if (error == 0)
        describe_strategy(variant.ops, variant.label, out);
    else if (!describe_metric(name, out) && !describe_policy(name, out)) {
        if (error == -ENOENT && point_to_verb(name, message, message_size))
            return -ENOENT;
        if (error == -ENOENT)
            snprintf(message, message_size,
                     "nothing is called '%s'; 'poolbench list' shows what there is", name);
        else
            snprintf(message, message_size, "%s", wrong);
        return -ENOENT;
    }
    return 0;
}
