/* SPDX-License-Identifier: MIT */
/* The libraries that cells need: what is said of one that is not there, and of one that is there
 * but does not load. This program is also the child that is asked which malloc answers in it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "skip.h"

#include "malloc/baselines.h"
#include "reading_run.h"
#include "runner/doctor.h"
#include "runner/machine.h"
#include "runner/preload.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#define SELF "/proc/self/exe"

/* Files whose path has this in it are not there; NULL: all are. */
static const char *hidden;

/* In the place of the C library's. */
int access(const char *path, int mode)
{
    if (hidden != NULL && strstr(path, hidden) != NULL) {
        errno = ENOENT;
        return -1;
    }
    return faccessat(AT_FDCWD, path, mode, 0);
}

static size_t times(const char *text, const char *what)
{
    size_t n = 0;
    for (; (text = strstr(text, what)) != NULL; text += strlen(what))
        n++;
    return n;
}

static const struct pb_doctor_request request = {.program = SELF};
static char refusal[1024];

static char *doctor_text(int *missing)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    *missing = pb_doctor(&request, out, refusal, sizeof refusal) ? 0 : 1;
    fclose(out);
    return text;
}

static void missing_library_is_said_once_with_its_package(void **state)
{
    (void)state;
    struct pb_variant variant;
    char reason[256] = "", message[256];
    if (pb_suite_sanitizer[0] != '\0')
        skip_because("a sanitizer refuses preloaded mallocs");
    assert_int_equal(pb_variant_parse("jemalloc", &variant, message, sizeof message), 0);
    hidden = "libjemalloc";
    bool unavailable = pb_preload_unavailable(&variant, 1, reason, sizeof reason);
    hidden = NULL;
    assert_true(unavailable);
    assert_string_equal(reason, "jemalloc is not installed: no libjemalloc.so.2; "
                                "apt-get install libjemalloc2");
}

static void doctor_names_the_package_of_a_missing_library(void **state)
{
    (void)state;
    int before, after;
    if (pb_suite_sanitizer[0] != '\0')
        skip_because("a sanitizer refuses preloaded mallocs");
    free(doctor_text(&before));
    hidden = "libmimalloc";
    char *text = doctor_text(&after);
    hidden = NULL;
    assert_int_equal(times(text, "missing   mimalloc "), 1);
    assert_int_equal(times(text, "apt-get install libmimalloc2.0\n"), 1);
    assert_true(after == 1 && before <= 1);
    assert_non_null(strstr(refusal, "apt-get install libmimalloc2.0"));
    free(text);
}

static void each_library_answers_in_a_process_of_its_own(void **state)
{
    (void)state;
    char line[256], path[1024];
    for (size_t i = 0; pb_baseline_names[i] != NULL; i++) {
        if (pb_baseline_preload(pb_baseline_names[i], path, sizeof path) == NULL)
            continue;
        int error = pb_preload_ask(SELF, pb_baseline_names[i], line, sizeof line);
        assert_int_equal(error, pb_suite_sanitizer[0] != '\0' ? -EIO : 0);
        assert_true(line[0] != '\0');
        if (error == 0)
            assert_true(line[0] >= '0' && line[0] <= '9'); /* its version */
    }
    assert_int_equal(pb_preload_ask("/nonexistent/program", "glibc", line, sizeof line), -ENOENT);
    assert_non_null(strstr(line, "no process could be started"));
}

static void library_that_does_not_load_is_named_with_its_package(void **state)
{
    (void)state;
    char folder[] = "/tmp/pb-doctor-XXXXXX", path[64], line[256];
    int missing;
    if (pb_suite_sanitizer[0] != '\0')
        skip_because("a sanitizer refuses preloaded mallocs");
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/libjemalloc.so.2", folder);
    FILE *file = fopen(path, "we");
    assert_non_null(file);
    fputs("no library\n", file); /* a file of that name, found before the real one */
    assert_int_equal(fclose(file), 0);
    setenv("LD_LIBRARY_PATH", folder, 1);
    int error = pb_preload_ask(SELF, "jemalloc", line, sizeof line);
    char *text = doctor_text(&missing);
    unsetenv("LD_LIBRARY_PATH");
    unlink(path);
    rmdir(folder);
    assert_int_equal(error, -EIO);
    assert_non_null(strstr(line, "jemalloc is not what answers malloc here"));
    assert_int_equal(times(text, "libjemalloc.so.2 does not load: jemalloc is not what answers"),
                     1);
    assert_int_equal(times(text, "its cells will be 'unavailable' (asked here, as a run would)\n"), 1);
    assert_int_equal(times(text, "apt-get install --reinstall libjemalloc2\n"), 1);
    assert_non_null(strstr(refusal, "jemalloc: "));
    assert_int_equal(times(text, "does not load"), 1);
    assert_true(missing >= 1);
    free(text);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(missing_library_is_said_once_with_its_package),
        cmocka_unit_test(doctor_names_the_package_of_a_missing_library),
        cmocka_unit_test(each_library_answers_in_a_process_of_its_own),
        cmocka_unit_test(library_that_does_not_load_is_named_with_its_package),
    };
    if (argc == 3 && strcmp(argv[1], PB_PRELOAD_VERB) == 0)
        return pb_preload_answer(argv[2], stdout) == 0 ? 0 : 4;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
