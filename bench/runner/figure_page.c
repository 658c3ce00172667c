/* SPDX-License-Identifier: MIT */
/* A page of a figure on disk: data and script. See figure_page.h. */
#include "runner/figure_page.h"

#include "runner/report_text.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { PAGE_PATH_MAX = 4096 };

/* --- templates ------------------------------------------------------------------------------- */

/* The source tree that the program was built from. */
static void tree_of_source(char *out, size_t size)
{
    snprintf(out, size, "%s", PB_SOURCE_DIR);
}

/* The folder of the tree that the program was built in: build/PRESET/bin is three levels below. */
static void tree_of_program(char *out, size_t size)
{
    ssize_t length = readlink("/proc/self/exe", out, size - 1);
    for (int levels = 0; length > 0 && levels < 4; length--)
        levels += out[length - 1] == '/';
    out[length > 0 ? length : 0] = '\0';
}

static FILE *template_open(const char *name)
{
    void (*const trees[])(char *out, size_t size) = {tree_of_program, tree_of_source};
    char tree[PAGE_PATH_MAX], path[PAGE_PATH_MAX + 128];
    for (size_t i = 0; i < sizeof trees / sizeof trees[0]; i++) {
        trees[i](tree, sizeof tree);
        snprintf(path, sizeof path, "%s/plots/%s.gp", tree, name);
        FILE *file = fopen(path, "re");
        if (file != NULL)
            return file;
    }
    return NULL;
}

/* Appends a template to the script. */
static int template_append(struct pb_page *page, const char *name, char *message, size_t size)
{
    char buffer[4096];
    size_t n;
    FILE *file = template_open(name);
    if (file == NULL) {
        snprintf(message, size, "%s: the template plots/%s.gp of the source tree is missing",
                 page->base, name);
        return -EIO;
    }
    fputc('\n', page->gp);
    errno = 0;
    while ((n = fread(buffer, 1, sizeof buffer, file)) > 0)
        fwrite(buffer, 1, n, page->gp);
    int error = ferror(file) ? -errno : 0;
    if (error != 0)
        snprintf(message, size, "%s: the template plots/%s.gp: %s", page->base, name,
                 strerror(-error));
    fclose(file);
    return error;
}

/* --- pages ----------------------------------------------------------------------------------- */

int pb_page_save(const char *path, const char *text, size_t size, char *message,
                 size_t message_size)
{
    int error = 0;
    FILE *file = fopen(path, "we");
    if (file == NULL) {
        error = errno;
    } else {
        if (fwrite(text, 1, size, file) != size)
            error = errno;
        if (fclose(file) != 0 && error == 0)
            error = errno;
        if (error != 0)
            unlink(path);
    }
    if (error != 0)
        snprintf(message, message_size, "%s: %s", path, strerror(error));
    return error == ENOENT ? -ENOTDIR : -error; /* -ENOENT says that gnuplot is not there */
}

static int no_memory(const struct pb_page *page, char *message, size_t size)
{
    snprintf(message, size, "%s: %s", page->base, strerror(ENOMEM));
    return -ENOMEM;
}

static void page_footer(struct pb_page *page, const struct pb_run *run)
{
    char footer[1024], host[256], cpu[256], kernel[256];
    pb_text_fit(pb_run_text(run, "machine", "host"), 32, host, sizeof host);
    pb_text_fit(pb_run_text(run, "machine", "cpu"), 48, cpu, sizeof cpu);
    pb_text_fit(pb_run_text(run, "machine", "kernel"), 48, kernel, sizeof kernel);
    snprintf(footer, sizeof footer, "run %s \xc2\xb7 %s, %s \xc2\xb7 %s \xc2\xb7 poolbench %s%s",
             pb_run_text(run, NULL, "run"), host, cpu, kernel, pb_run_text(run, "suite", "version"),
             json_is_true(json_object_get(run->header, "exploratory")) ? " \xc2\xb7 exploratory"
                                                                       : "");
    pb_page_text(page, "FOOTER", footer);
}

static void page_base(const char *figure, size_t index, char out[PB_PAGE_NAME_MAX])
{
    if (index == 0)
        snprintf(out, PB_PAGE_NAME_MAX, "%s", figure);
    else
        snprintf(out, PB_PAGE_NAME_MAX, "%s-%zu", figure, index + 1);
}

void pb_page_forget(const char *figure, size_t index, const char *out_dir)
{
    static const char *const extensions[] = {"tsv", "gp", "svg", "png"};
    char base[PB_PAGE_NAME_MAX], path[PAGE_PATH_MAX];
    for (bool found = true; found; index++) {
        found = index == 0;
        page_base(figure, index, base);
        for (size_t i = 0; i < sizeof extensions / sizeof extensions[0]; i++) {
            snprintf(path, sizeof path, "%s/%s.%s", out_dir, base, extensions[i]);
            found |= unlink(path) == 0;
        }
    }
}

void pb_page_drawn(const char *figure, const char *out_dir, char *out, size_t size)
{
    char base[PB_PAGE_NAME_MAX], path[PAGE_PATH_MAX];
    size_t used = 0;
    out[0] = '\0';
    for (size_t index = 0; used < size; index++) {
        page_base(figure, index, base);
        snprintf(path, sizeof path, "%s/%s.svg", out_dir, base);
        if (access(path, F_OK) != 0)
            break;
        used += (size_t)snprintf(out + used, size - used, "%s%s.svg", used > 0 ? ", " : "", base);
    }
}

int pb_page_open(struct pb_page *page, const char *figure, size_t index, const char *out_dir,
                 const struct pb_page_head *head, char *message, size_t message_size)
{
    char file[PB_PAGE_NAME_MAX + 8], description[sizeof page->description];
    *page = (struct pb_page){.figure = figure, .out_dir = out_dir};
    page_base(figure, index, page->base);
    pb_text_clean(head->title, page->title, sizeof page->title);
    snprintf(description, sizeof description, "%s. %s", head->subtitle, head->reading);
    pb_text_clean(description, page->description, sizeof page->description);
    page->tsv = open_memstream(&page->tsv_text, &page->tsv_size);
    page->gp = open_memstream(&page->gp_text, &page->gp_size);
    if (page->tsv == NULL || page->gp == NULL)
        return no_memory(page, message, message_size);
    fprintf(page->gp,
            "# The figure '%s' of a run; edit and draw again: gnuplot %s.gp (in this folder)\n",
            figure, page->base);
    snprintf(file, sizeof file, "%s.tsv", page->base);
    pb_page_text(page, "BASE", page->base);
    pb_page_text(page, "DATA", file);
    pb_page_text(page, "TITLE", page->title);
    pb_page_text(page, "SUBTITLE", head->subtitle);
    pb_page_text(page, "READING", head->reading);
    page_footer(page, head->run);
    pb_page_number(page, "WIDTH", head->width);
    pb_page_number(page, "HEIGHT", head->height);
    fprintf(page->tsv, "%s\n", head->columns);
    return 0;
}

void pb_page_number(struct pb_page *page, const char *name, double value)
{
    fprintf(page->gp, "%s = %.9g\n", name, value);
}

void pb_page_text(struct pb_page *page, const char *name, const char *text)
{
    fprintf(page->gp, "%s = ", name);
    pb_text_gnuplot(page->gp, text);
    fputc('\n', page->gp);
}

void pb_page_numbers(struct pb_page *page, const char *name, const double *values, size_t n)
{
    fprintf(page->gp, "array %s[%zu] = [", name, n);
    for (size_t i = 0; i < n; i++)
        fprintf(page->gp, "%s%.9g", i > 0 ? ", " : "", values[i]);
    fputs("]\n", page->gp);
}

void pb_page_texts(struct pb_page *page, const char *name, const char *const *texts, size_t n)
{
    fprintf(page->gp, "array %s[%zu] = [", name, n);
    for (size_t i = 0; i < n; i++) {
        fputs(i > 0 ? ", " : "", page->gp);
        pb_text_gnuplot(page->gp, texts[i]);
    }
    fputs("]\n", page->gp);
}

void pb_page_field(struct pb_page *page, double value, char end)
{
    if (isnan(value))
        fputs("NaN", page->tsv);
    else
        fprintf(page->tsv, "%.6g", value);
    fputc(end, page->tsv);
}

void pb_page_field_text(struct pb_page *page, const char *text, char end)
{
    pb_text_tsv(page->tsv, text);
    fputc(end, page->tsv);
}

/* Whether all that was written into memory is there. */
static bool stream_close(FILE *stream)
{
    bool whole = stream != NULL && !ferror(stream);
    return (stream == NULL || fclose(stream) == 0) && whole;
}

int pb_page_close(struct pb_page *page, int error, char *message, size_t message_size)
{
    char tsv[PAGE_PATH_MAX], gp[PAGE_PATH_MAX];
    snprintf(tsv, sizeof tsv, "%s/%s.tsv", page->out_dir, page->base);
    snprintf(gp, sizeof gp, "%s/%s.gp", page->out_dir, page->base);
    if (error == 0)
        error = template_append(page, "house", message, message_size);
    if (error == 0)
        error = template_append(page, page->figure, message, message_size);
    bool tsv_whole = stream_close(page->tsv), gp_whole = stream_close(page->gp);
    if (error == 0 && !(tsv_whole && gp_whole))
        error = no_memory(page, message, message_size);
    if (error == 0)
        error = pb_page_save(tsv, page->tsv_text, page->tsv_size, message, message_size);
    if (error == 0)
        error = pb_page_save(gp, page->gp_text, page->gp_size, message, message_size);
    free(page->tsv_text);
    free(page->gp_text);
    if (error != 0)
        return error;
    return pb_figure_draw(page->out_dir, page->base, page->title, page->description, message,
                          message_size);
}

/* --- pages of a run -------------------------------------------------------------------------- */

int pb_page_each(const struct pb_run *run, const char *metric, const char *reference,
                 pb_page_next *next, void *context, const char *out_dir, char *message,
                 size_t message_size)
{
    struct pb_summary summary;
    size_t at = 0;
    int result = pb_summary_make(run, metric, reference, &summary, message, message_size);
    if (result == -ENOENT)
        result = -EINVAL; /* -ENOENT says that gnuplot is not there */
    bool more = result == 0;
    for (size_t page = 0; more; page++) {
        char line[1024];
        int error = next(context, &summary, &at, page, out_dir, line, sizeof line);
        if (error == -ENODATA && page > 0)
            break;
        if (error != 0) {
            snprintf(message, message_size, "%s", line);
            result = error;
        }
        more = (error == 0 || error == -ENOENT) && at < summary.groups_n;
    }
    pb_summary_free(&summary);
    return result;
}

int pb_page_compared(const struct pb_summary *summary, size_t *at,
                     const struct pb_summary_group **groups, size_t most, size_t *n, char *message,
                     size_t message_size)
{
    *n = 0;
    for (; *at < summary->groups_n && *n < most; ++*at) {
        const struct pb_summary_group *group = &summary->groups[*at];
        if (group->reference != NULL && group->reference->series.n > 0 && group->rows_n > 1)
            groups[(*n)++] = group;
    }
    if (*n > 0)
        return 0;
    snprintf(message, message_size, "no group has a figure of %s to compare with",
             summary->reference);
    return -ENODATA;
}

/* --- texts ----------------------------------------------------------------------------------- */

void pb_page_label(const char *alloc, char *out, size_t size)
{
    pb_text_fit(alloc, PB_PAGE_LABEL_WIDTH, out, size);
}

void pb_page_repetitions(const struct pb_summary *summary, char *out, size_t size)
{
    size_t least = SIZE_MAX, most = 0;
    for (size_t i = 0; i < summary->groups_n; i++) {
        for (size_t k = 0; k < summary->groups[i].rows_n; k++) {
            size_t n = summary->groups[i].rows[k].series.n;
            least = n > 0 && n < least ? n : least;
            most = n > most ? n : most;
        }
    }
    if (least < most)
        snprintf(out, size, "%zu to %zu", least, most);
    else
        snprintf(out, size, "%zu", most);
}
