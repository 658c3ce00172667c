/* SPDX-License-Identifier: MIT */
/* Lists: every item has a line on what it is, a matrix of one's own too; and the command line calls
 * a setting what a matrix calls it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "runner/describe.h"
#include "runner/matrix.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static json_t *listed(const char *kind)
{
    char *text = NULL, message[256] = "", name[32];
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    char *kinds[] = {name, NULL};
    snprintf(name, sizeof name, "%s", kind);
    assert_int_equal(pb_list(kinds, 1, true, out, message, sizeof message), 0);
    fclose(out);
    json_t *all = json_loads(text, 0, NULL);
    assert_non_null(all);
    free(text);
    return all;
}

static void every_item_says_what_it_is(void **state)
{
    (void)state;
    static const char *const kinds[] = {"strategies", "workloads", "probes",
                                        "policies",   "matrices",  "figures"};
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        json_t *all = listed(kinds[i]), *item;
        const json_t *list = json_object_get(all, kinds[i]);
        size_t at;
        assert_true(json_array_size(list) > 0);
        json_array_foreach((json_t *)list, at, item)
        {
            const char *what = json_string_value(json_object_get(item, "summary"));
            assert_true(what != NULL && what[0] != '\0');
        }
        json_decref(all);
    }
}

/* What the list says of a matrix of that text. */
static void summary_of(const char *text, char *out, size_t size)
{
    char folder[] = "/tmp/pb-describe-XXXXXX", path[64];
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/mine.toml", folder);
    FILE *file = fopen(path, "we");
    assert_non_null(file);
    fputs(text, file);
    assert_int_equal(fclose(file), 0);
    setenv("PB_MATRIX_PATH", folder, 1);
    json_t *all = listed("matrices"), *item;
    const json_t *list = json_object_get(all, "matrices");
    size_t at;
    unsetenv("PB_MATRIX_PATH");
    unlink(path);
    rmdir(folder);
    out[0] = '\0';
    json_array_foreach((json_t *)list, at, item)
    {
        if (strcmp(json_string_value(json_object_get(item, "name")), "mine") == 0)
            snprintf(out, size, "%s", json_string_value(json_object_get(item, "summary")));
    }
    json_decref(all);
}

#define CELLS "[axes]\nalloc = [\"pool\"]\n[[workload]]\nname = \"pair\"\n"

static void matrix_is_listed_with_its_title_or_first_comment(void **state)
{
    (void)state;
    char what[256];
    summary_of("# a comment\ntitle = \"a title\"\n" CELLS, what, sizeof what);
    assert_string_equal(what, "a title");
    summary_of("# SPDX-License-Identifier: MIT\n#\n#  what it \xc3\xbc asks\n# more\n" CELLS, what,
               sizeof what);
    assert_string_equal(what, "what it \xc3\xbc asks");
    summary_of("# blo\nblocks = 0\n" CELLS, what, sizeof what);
    assert_non_null(strstr(what, "mine.toml:2:10: "));
    summary_of(CELLS, what, sizeof what);
    assert_string_equal(what, "(its file has no title)");
}

static void setting_is_called_the_same_on_the_command_line(void **state)
{
    (void)state;
    for (const struct pb_option *o = pb_setting_rows; o->type != PB_OPTION_END; o++) {
        struct pb_matrix matrix = {.path = NULL};
        char message[PB_MESSAGE_MAX] = "", flag[64];
        if (o->type != PB_OPTION_UINT)
            continue;
        assert_int_not_equal(pb_matrix_override(&matrix, o->name, "x", message, sizeof message), 0);
        snprintf(flag, sizeof flag, "--%s: ", o->name);
        for (char *c = strchr(flag, '_'); c != NULL; c = strchr(c, '_'))
            *c = '-';
        assert_int_equal(strncmp(message, flag, strlen(flag)), 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_item_says_what_it_is),
        cmocka_unit_test(matrix_is_listed_with_its_title_or_first_comment),
        cmocka_unit_test(setting_is_called_the_same_on_the_command_line),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
