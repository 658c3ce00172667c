/* SPDX-License-Identifier: MIT */
/* A checker of JSON Schema (draft 2020-12), of those of its words that the schemas here use; a word
 * that it has not got fails the test that meets it. Include after cmocka.h, and set `schema`.
 * Source:
 * json-schema.org, "JSON Schema Validation", 2022. Threads: main. */
#ifndef PB_SCHEMA_CHECK_H
#define PB_SCHEMA_CHECK_H

#include <jansson.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

/* The document, for its $defs. */
static json_t *schema;

static bool is_valid(const json_t *rule, const json_t *value, char *where);

static bool has_type(const char *type, const json_t *value)
{
    static const struct {
        const char *type;
        json_type is;
    } types[] = {{"object", JSON_OBJECT}, {"array", JSON_ARRAY}, {"string", JSON_STRING}};
    if (strcmp(type, "integer") == 0)
        return json_is_integer(value);
    if (strcmp(type, "number") == 0)
        return json_is_number(value) && isfinite(json_number_value(value));
    for (size_t i = 0; i < 3; i++)
        if (strcmp(type, types[i].type) == 0)
            return json_typeof(value) == types[i].is;
    return false;
}

static bool word_type(const json_t *word, const json_t *rule, const json_t *value, char *where)
{
    (void)rule;
    (void)where;
    return has_type(json_string_value(word), value);
}

static bool word_const(const json_t *word, const json_t *rule, const json_t *value, char *where)
{
    (void)rule;
    (void)where;
    return json_equal(word, value);
}

static bool word_enum(const json_t *word, const json_t *rule, const json_t *value, char *where)
{
    size_t i;
    json_t *one;
    (void)rule;
    (void)where;
    json_array_foreach(word, i, one) if (json_equal(one, value)) return true;
    return false;
}

static bool word_minimum(const json_t *word, const json_t *rule, const json_t *value, char *where)
{
    (void)rule;
    (void)where;
    return !json_is_number(value) || json_number_value(value) >= json_number_value(word);
}

static bool word_maximum(const json_t *word, const json_t *rule, const json_t *value, char *where)
{
    (void)rule;
    (void)where;
    return !json_is_number(value) || json_number_value(value) <= json_number_value(word);
}

static bool word_least(const json_t *word, const json_t *rule, const json_t *value, char *where)
{
    (void)rule;
    (void)where;
    return (json_int_t)json_array_size(value) >= json_integer_value(word);
}

static bool word_most(const json_t *word, const json_t *rule, const json_t *value, char *where)
{
    (void)rule;
    (void)where;
    return (json_int_t)json_array_size(value) <= json_integer_value(word);
}

static bool word_required(const json_t *word, const json_t *rule, const json_t *value, char *where)
{
    size_t i;
    json_t *key;
    (void)rule;
    (void)where;
    json_array_foreach(word, i, key) if (json_object_get(value, json_string_value(key)) ==
                                         NULL) return false;
    return true;
}

static bool word_any(const json_t *word, const json_t *rule, const json_t *value, char *where)
{
    size_t i;
    json_t *one;
    (void)rule;
    json_array_foreach(word, i, one) if (is_valid(one, value, where)) return true;
    return false;
}

static bool word_items(const json_t *word, const json_t *rule, const json_t *value, char *where)
{
    size_t i;
    json_t *one;
    (void)rule;
    json_array_foreach(value, i, one) if (!is_valid(word, one, where)) return false;
    return true;
}

static bool word_properties(const json_t *word, const json_t *rule, const json_t *value,
                            char *where)
{
    const char *key;
    json_t *one;
    (void)rule;
    json_object_foreach((json_t *)(uintptr_t)value, key, one)
    {
        const json_t *its = json_object_get(word, key);
        if (its != NULL && !is_valid(its, one, where)) {
            snprintf(where, 64, "%s", where[0] != '\0' ? where : key);
            return false;
        }
    }
    return true;
}

static bool word_additional(const json_t *word, const json_t *rule, const json_t *value,
                            char *where)
{
    const char *key;
    json_t *one;
    json_object_foreach((json_t *)(uintptr_t)value, key, one)
    {
        if (json_object_get(json_object_get(rule, "properties"), key) == NULL &&
            (json_is_false(word) || !is_valid(word, one, where)))
            return false;
    }
    return true;
}

static bool word_ref(const json_t *word, const json_t *rule, const json_t *value, char *where)
{
    const char *name = json_string_value(word) + strlen("#/$defs/");
    const json_t *its = json_object_get(json_object_get(schema, "$defs"), name);
    (void)rule;
    assert_non_null(its);
    return is_valid(its, value, where);
}

static bool word_says_nothing(const json_t *word, const json_t *rule, const json_t *value,
                              char *where)
{
    (void)word;
    (void)rule;
    (void)value;
    (void)where;
    return true;
}

static const struct {
    const char *name;
    bool (*holds)(const json_t *word, const json_t *rule, const json_t *value, char *where);
} words[] = {
    {"type", word_type},
    {"const", word_const},
    {"enum", word_enum},
    {"minimum", word_minimum},
    {"maximum", word_maximum},
    {"minItems", word_least},
    {"maxItems", word_most},
    {"required", word_required},
    {"anyOf", word_any},
    {"items", word_items},
    {"properties", word_properties},
    {"additionalProperties", word_additional},
    {"$ref", word_ref},
    {"$schema", word_says_nothing},
    {"$defs", word_says_nothing},
    {"title", word_says_nothing},
    {"description", word_says_nothing},
};

/* Whether a value keeps to a rule; a word that the checker has not got is a failure of the test. */
static bool is_valid(const json_t *rule, const json_t *value, char *where)
{
    const char *name;
    json_t *word;
    json_object_foreach((json_t *)(uintptr_t)rule, name, word)
    {
        size_t at = 0;
        while (at < sizeof words / sizeof words[0] && strcmp(words[at].name, name) != 0)
            at++;
        assert_true(at < sizeof words / sizeof words[0]);
        if (!words[at].holds(word, rule, value, where))
            return false;
    }
    return true;
}

static bool keeps_to_the_schema(const json_t *report)
{
    char where[64] = "";
    return is_valid(schema, report, where);
}

#endif
