/* JSON Schema (draft-07) of a storyboard, for editors that complete and check YAML by one. It is
 * as strict as a schema can be; times inside a shot and ids that repeat are the reader's to tell.
 */
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "storyboards/fields.h"
#include "storyboards/values.h"

/* "a shot" -> "shot" */
static const char *definition_name(const struct table *table)
{
    const char *space = strchr(table->name, ' ');

    return space ? space + 1 : table->name;
}

static json_t *reference(const char *definition)
{
    return json_pack("{s:s++}", "$ref", "#/definitions/", definition, "");
}

static json_t *choices(const struct field *field)
{
    json_t *names = json_array();

    for (const char *const *name = field->choices; *name; name++)
        json_array_append_new(names, json_string(*name));
    return json_pack("{s:o}", "enum", names);
}

static json_t *text(const struct field *field, const char *also, const char *pattern)
{
    json_t *schema = json_pack("{s:[s,s],s:i,s:i}", "type", "string", also, "minLength",
                               field->min > 0, "maxLength", (int)field->max);

    if (pattern)
        json_object_set_new(schema, "pattern", json_string(pattern));
    return schema;
}

static json_t *size_schema(const struct field *field)
{
    return json_pack("{s:[{s:s,s:s},{s:s,s:i,s:i,s:{s:s,s:i,s:i,s:i}}]}", "anyOf", "type", "string",
                     "pattern", "^[0-9]*[02468][xX][0-9]*[02468]$", "type", "array", "minItems", 2,
                     "maxItems", 2, "items", "type", "integer", "minimum", (int)field->min,
                     "maximum", (int)field->max, "multipleOf", 2);
}

static json_t *object_schema(const struct field *field, const char *definition)
{
    if (field->flags & FIELD_SCALAR_TOO)
        return json_pack("{s:[{s:s},o]}", "anyOf", "type", "string", reference(definition));
    return reference(definition);
}

static json_t *type_schema(const struct field *field)
{
    switch (field->type) {
    case FIELD_ID:
        return text(field, "integer", "^(?!.*\\.\\.)[A-Za-z0-9][A-Za-z0-9._-]*$");
    case FIELD_TEXT:
    case FIELD_PROSE:
        return text(field, "number", NULL);
    case FIELD_PATH:
        return json_pack("{s:s,s:i}", "type", "string", "minLength", 1);
    case FIELD_WORD:
    case FIELD_CHOICE:
        return choices(field);
    case FIELD_CHOICES:
        return json_pack("{s:[o,{s:s,s:o,s:i,s:b}]}", "anyOf", choices(field), "type", "array",
                         "items", choices(field), "minItems", 1, "uniqueItems", 1);
    case FIELD_WHOLE:
        return json_pack("{s:s,s:i,s:i}", "type", "integer", "minimum", (int)field->min, "maximum",
                         (int)field->max);
    case FIELD_SEED:
        return json_pack("{s:s,s:i}", "type", "integer", "minimum", 0);
    case FIELD_NUMBER:
        return json_pack("{s:s,s:f,s:f}", "type", "number", "minimum", field->min, "maximum",
                         field->max);
    case FIELD_TIME:
        return json_pack("{s:[s,s],s:f,s:f,s:s}", "type", "number", "string", "minimum", field->min,
                         "maximum", field->max, "pattern",
                         "^([0-9]*\\.?[0-9]+ ?(s|ms)?|[0-9]+:[0-9]+:[0-9]+[:;][0-9]+)$");
    case FIELD_RATE:
        return json_pack("{s:[s,s],s:f,s:f,s:s}", "type", "number", "string", "minimum", field->min,
                         "maximum", field->max, "pattern",
                         "^([0-9]+(\\.[0-9]+)?|[0-9]+ */ *[0-9]+)$");
    case FIELD_SIZE:
        return size_schema(field);
    case FIELD_COLOR:
        return json_pack("{s:s,s:s}", "type", "string", "pattern", "^#[0-9a-fA-F]{6}$");
    case FIELD_OBJECT:
        return object_schema(field, field->table == &shot_table ? "defaults"
                                                                : definition_name(field->table));
    case FIELD_LIST:
        return json_pack("{s:s,s:o,s:i}", "type", "array", "items",
                         reference(definition_name(field->table)), "minItems",
                         field->flags & FIELD_REQUIRED);
    }
    return NULL;
}

static json_t *default_value(const struct field *field)
{
    double number;

    if (field->type == FIELD_WHOLE && parse_number(field->fallback, &number))
        return json_integer((json_int_t)number);
    if ((field->type == FIELD_NUMBER || field->type == FIELD_TIME || field->type == FIELD_RATE) &&
        parse_number(field->fallback, &number))
        return json_real(number);
    return json_string(field->fallback);
}

static json_t *table_schema(const struct table *table, bool as_defaults)
{
    json_t *properties = json_object(), *required = json_array();
    json_t *schema;

    for (size_t i = 0; i < table->count; i++) {
        const struct field *field = &table->fields[i];
        json_t *property = type_schema(field);

        if (as_defaults && (field->flags & FIELD_NOT_DEFAULT)) {
            json_decref(property);
            continue;
        }
        json_object_set_new(property, "description", json_string(field->help));
        if (field->fallback)
            json_object_set_new(property, "default", default_value(field));
        json_object_set_new(properties, field->name, property);
        if (!as_defaults && (field->flags & FIELD_REQUIRED))
            json_array_append_new(required, json_string(field->name));
    }
    schema = json_pack("{s:s,s:b,s:o}", "type", "object", "additionalProperties", 0, "properties",
                       properties);
    if (json_array_size(required))
        json_object_set(schema, "required", required);
    json_decref(required);
    return schema;
}

char *board_schema(void)
{
    json_t *schema = table_schema(&board_table, false), *definitions = json_object();
    char *text, *copy = NULL;

    for (const struct table *const *t = all_tables + 1; *t; t++)
        json_object_set_new(definitions, definition_name(*t), table_schema(*t, false));
    json_object_set_new(definitions, "defaults", table_schema(&shot_table, true));
    json_object_set_new(schema, "$schema", json_string("http://json-schema.org/draft-07/schema#"));
    json_object_set_new(schema, "title", json_string("auteur-pipe storyboard"));
    json_object_set_new(
        schema, "patternProperties",
        json_pack("{s:{s:s}}", "^x-", "description", "left alone: a place for anchors"));
    json_object_set_new(schema, "definitions", definitions);
    text = json_dumps(schema, JSON_INDENT(2) | JSON_SORT_KEYS | JSON_REAL_PRECISION(6));
    json_decref(schema);
    if (text && asprintf(&copy, "%s\n", text) < 0)
        copy = NULL;
    free(text);
    return copy;
}
