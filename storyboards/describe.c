/* The format told to people, from the field table. */
#include <string.h>

#include "kernels/base/strbuf.h"
#include "storyboards/fields.h"

static const char *default_of(const struct field *field)
{
    if (field->flags & FIELD_REQUIRED)
        return "required";
    if (!field->fallback)
        return field->without;
    return *field->fallback ? field->fallback : "none";
}

char *board_help(void)
{
    struct strbuf text = {0};
    char expects[200];

    for (const struct table *const *t = all_tables; *t; t++) {
        strbuf_addf(&text, "%s%s\n", t == all_tables ? "" : "\n", (*t)->name);
        for (size_t i = 0; i < (*t)->count; i++) {
            const struct field *field = &(*t)->fields[i];

            field_expects(field, expects, sizeof expects);
            strbuf_addf(&text, "  %-11s %s\n", field->name, field->help);
            strbuf_addf(&text, "  %-11s %s (%s%s)\n", "", expects,
                        field->flags & FIELD_REQUIRED ? "" : "default: ", default_of(field));
        }
    }
    return strbuf_take(&text);
}

char *board_markdown(void)
{
    struct strbuf text = {0};
    char expects[200];

    for (const struct table *const *t = all_tables; *t; t++) {
        strbuf_addf(&text, "%s**%s**\n\n| field | takes | default | meaning |\n| - | - | - | - |\n",
                    t == all_tables ? "" : "\n", (*t)->name);
        for (size_t i = 0; i < (*t)->count; i++) {
            const struct field *field = &(*t)->fields[i];

            field_expects(field, expects, sizeof expects);
            strbuf_addf(&text, "| %s | %s | %s | %s |\n", field->name, expects, default_of(field),
                        field->help);
        }
    }
    return strbuf_take(&text);
}
