/* SPDX-License-Identifier: MIT */
/* Findings from doctor's rows, and what is made of them: a table, JSON, a refusal, a run's header.
 */
#include "runner/doctor_internal.h"

#include "runner/machine.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

const char *const pb_doctor_levels[] = {"ok", "note", "warning", "missing", NULL};

enum { LEVEL_COLUMN = 8, ID_COLUMN = 15 };

struct pb_finding *pb_doctor_add(struct pb_findings *findings, const char *id, const char *from)
{
    size_t at = findings->n < PB_FINDINGS_MAX ? findings->n++ : PB_FINDINGS_MAX - 1;
    findings->at[at] = (struct pb_finding){.id = id, .from = from, .source = ""};
    return &findings->at[at];
}

void pb_doctor_find(const struct pb_doctor_seen *seen, struct pb_findings *findings)
{
    findings->n = 0;
    for (const struct pb_doctor_row *row = pb_doctor_rows; row->id != NULL; row++) {
        struct pb_finding *finding = pb_doctor_add(findings, row->id, row->from);
        snprintf(finding->cost, sizeof finding->cost, "%s", row->cost);
        snprintf(finding->mend, sizeof finding->mend, "%s", row->mend);
        finding->source = row->source;
        finding->level = row->judge(seen, row, finding);
        if (finding->level == PB_DOCTOR_OK)
            finding->cost[0] = '\0';
    }
}

/* One line of the first that is at least as bad. */
static bool first_of(const struct pb_findings *findings, enum pb_doctor_level level, char *line,
                     size_t size)
{
    const struct pb_finding *first = NULL;
    size_t more = 0;
    line[0] = '\0';
    for (size_t i = 0; i < findings->n; i++)
        if (findings->at[i].level >= level && first == NULL)
            first = &findings->at[i];
        else if (findings->at[i].level >= level)
            more++;
    if (first == NULL)
        return false;
    int length = snprintf(line, size, "%s: %s; %s", first->id, first->value, first->mend);
    if (more > 0 && length > 0 && (size_t)length < size)
        snprintf(line + length, size - (size_t)length, " (and %zu more: poolbench doctor)", more);
    return true;
}

bool pb_doctor_refuses(const struct pb_findings *findings, char *line, size_t size)
{
    return first_of(findings, PB_DOCTOR_WARNING, line, size);
}

static json_t *utf8(const char *text)
{
    json_t *string = json_string(text);
    return string != NULL ? string : json_string("(not UTF-8)");
}

json_t *pb_doctor_facts(const struct pb_findings *findings)
{
    json_t *list = json_array();
    for (size_t i = 0; i < findings->n; i++) {
        const struct pb_finding *f = &findings->at[i];
        json_array_append_new(list, json_pack("{s:s, s:s, s:o}", "id", f->id, "level",
                                              pb_doctor_levels[f->level], "value", utf8(f->value)));
    }
    return list;
}

static void print_json(const struct pb_findings *findings, json_t *facts, FILE *out)
{
    json_t *list = pb_doctor_facts(findings), *one;
    size_t i;
    json_array_foreach(list, i, one)
    {
        const struct pb_finding *f = &findings->at[i];
        json_object_set_new(one, "from", json_string(f->from));
        json_object_set_new(one, "cost", utf8(f->cost));
        json_object_set_new(one, "source", json_string(f->cost[0] != '\0' ? f->source : ""));
        json_object_set_new(one, "mend", utf8(f->level != PB_DOCTOR_OK ? f->mend : ""));
    }
    json_t *all = json_pack("{s:O, s:o}", "machine", facts, "findings", list);
    json_dumpf(all, out, JSON_INDENT(2));
    fputc('\n', out);
    json_decref(all);
}

static void print_more(const char *what, const char *text, const char *source, FILE *out)
{
    if (text[0] != '\0')
        fprintf(out, "%*s  %-6s %s%s%s%s\n", LEVEL_COLUMN, "", what, text,
                source[0] != '\0' ? " (" : "", source, source[0] != '\0' ? ")" : "");
}

static void print_table(const struct pb_findings *findings, const json_t *facts, FILE *out)
{
    fprintf(out, "%s, %s, %s, %s, %s\n\n", json_string_value(json_object_get(facts, "host")),
            json_string_value(json_object_get(facts, "cpu")),
            json_string_value(json_object_get(facts, "topology")),
            json_string_value(json_object_get(facts, "kernel")),
            json_string_value(json_object_get(facts, "libc")));
    for (size_t i = 0; i < findings->n; i++) {
        const struct pb_finding *f = &findings->at[i];
        fprintf(out, "%-*s  %-*s %s\n", LEVEL_COLUMN, pb_doctor_levels[f->level], ID_COLUMN, f->id,
                f->value);
        if (f->level == PB_DOCTOR_OK)
            continue;
        print_more("costs", f->cost, f->source, out);
        print_more("mend", f->mend, "", out);
        print_more("from", f->from, "", out);
    }
}

bool pb_doctor(const struct pb_doctor_request *request, FILE *out, char *line, size_t size)
{
    static struct pb_findings findings;
    struct pb_doctor_seen seen;
    struct pb_topology *topology = NULL;
    if (pb_topology_load(NULL, &topology) != 0) {
        snprintf(line, size, "hwloc cannot read this machine's topology; see hwloc-info");
        return false;
    }
    pb_doctor_see(&seen, pb_topology_units(topology), "default", true);
    pb_doctor_find(&seen, &findings);
    pb_doctor_needs(request->program, &findings);
    json_t *facts = pb_machine_facts("", topology, seen.clock);
    if (request->json)
        print_json(&findings, facts, out);
    else
        print_table(&findings, facts, out);
    json_decref(facts);
    pb_topology_free(topology);
    return !first_of(&findings, request->strict ? PB_DOCTOR_WARNING : PB_DOCTOR_MISSING, line,
                     size);
}
