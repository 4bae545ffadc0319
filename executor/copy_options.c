/* Options of COPY: each once, what belongs to csv in csv only, and nothing that would make the data
 * ambiguous. Messages are PostgreSQL's. */
#include <string.h>
#include <strings.h>

#include "executor/copy.h"

struct choices {
    const struct ast_copy *ast;
    struct sql_error *error;
    struct copy_options *out;
    const struct ast_copy_option *format;
    const struct ast_copy_option *header;
    const struct ast_copy_option *delimiter;
    const struct ast_copy_option *null;
    const struct ast_copy_option *quote;
    const struct ast_copy_option *escape;
    const struct ast_copy_option *encoding;
    const struct ast_copy_option *freeze;
    const struct ast_copy_option *force_quote;
    const struct ast_copy_option *force_not_null;
    const struct ast_copy_option *force_null;
};

static enum status
collect(struct choices *choices)
{
    const struct {
        const char *name;
        const struct ast_copy_option **place;
    } known[] = {
        {"format", &choices->format},
        {"header", &choices->header},
        {"delimiter", &choices->delimiter},
        {"null", &choices->null},
        {"quote", &choices->quote},
        {"escape", &choices->escape},
        {"encoding", &choices->encoding},
        {"freeze", &choices->freeze},
        {"force_quote", &choices->force_quote},
        {"force_not_null", &choices->force_not_null},
        {"force_null", &choices->force_null},
    };

    for (uint32_t i = 0; i < choices->ast->option_count; i++) {
        const struct ast_copy_option *option = &choices->ast->options[i];
        size_t k = 0;

        while (k < sizeof(known) / sizeof(known[0]) && strcmp(known[k].name, option->name) != 0)
            k++;
        if (k == sizeof(known) / sizeof(known[0]))
            return sql_error_set(choices->error, "42601", option->location,
                                 "option \"%s\" not recognized", option->name);
        if (*known[k].place != NULL)
            return sql_error_set(choices->error, "42601", option->location,
                                 "conflicting or redundant options");
        *known[k].place = option;
    }
    return STATUS_OK;
}

static enum status
text_of(struct choices *choices, const struct ast_copy_option *option, const char **out)
{
    if (option == NULL)
        return STATUS_OK;
    if (option->text == NULL)
        return sql_error_set(choices->error, "42601", -1, "%s requires a parameter", option->name);
    *out = option->text;
    return STATUS_OK;
}

static bool
is_true(const char *text)
{
    return text == NULL || strcasecmp(text, "true") == 0 || strcasecmp(text, "on") == 0 ||
           strcmp(text, "1") == 0;
}

static bool
is_false(const char *text)
{
    return text != NULL && (strcasecmp(text, "false") == 0 || strcasecmp(text, "off") == 0 ||
                            strcmp(text, "0") == 0);
}

static enum status
read_header(struct choices *choices)
{
    const char *text = choices->header == NULL ? "false" : choices->header->text;

    if (is_false(text))
        return STATUS_OK;
    choices->out->header = COPY_HEADER_TAKE;
    if (is_true(text))
        return STATUS_OK;
    choices->out->header = COPY_HEADER_MATCH;
    if (strcasecmp(text, "match") != 0)
        return sql_error_set(choices->error, "42601", -1,
                             "header requires a Boolean value or \"match\"");
    if (!choices->ast->from)
        return sql_error_set(choices->error, "0A000", -1,
                             "cannot use \"match\" with HEADER in COPY TO");
    return STATUS_OK;
}

/* What is said of the whole: format, encoding, and what we do not do. */
static enum status
read_format(struct choices *choices)
{
    const char *format = "text", *encoding = "utf8";

    TRY(text_of(choices, choices->format, &format));
    TRY(text_of(choices, choices->encoding, &encoding));
    choices->out->csv = strcmp(format, "csv") == 0;
    if (strcmp(format, "binary") == 0)
        return sql_error_set(choices->error, "0A000", choices->format->location,
                             "the binary format of COPY is not supported yet");
    if (!choices->out->csv && strcmp(format, "text") != 0)
        return sql_error_set(choices->error, "22023", choices->format->location,
                             "COPY format \"%s\" not recognized", format);
    if (strcasecmp(encoding, "utf8") != 0 && strcasecmp(encoding, "utf-8") != 0)
        return sql_error_set(choices->error, "0A000", choices->encoding->location,
                             "COPY in an encoding other than UTF8 is not supported yet");
    if (choices->freeze != NULL && is_true(choices->freeze->text))
        return sql_error_set(choices->error, "0A000", choices->freeze->location,
                             "FREEZE in COPY is not supported yet");
    return STATUS_OK;
}

static enum status
read_byte(struct choices *choices, const struct ast_copy_option *option, const char *what,
          char *byte)
{
    const char *text = NULL;

    TRY(text_of(choices, option, &text));
    if (text == NULL)
        return STATUS_OK;
    if (strlen(text) != 1)
        return sql_error_set(choices->error, "0A000", -1,
                             "COPY %s must be a single one-byte character", what);
    *byte = text[0];
    return STATUS_OK;
}

static enum status
check_delimiter(struct choices *choices)
{
    const struct copy_options *out = choices->out;
    static const char forbidden[] = "\\.abcdefghijklmnopqrstuvwxyz0123456789";

    if (out->delimiter == '\n' || out->delimiter == '\r')
        return sql_error_set(choices->error, "22023", -1,
                             "COPY delimiter cannot be newline or carriage return");
    if (strpbrk(out->null, "\r\n") != NULL)
        return sql_error_set(choices->error, "22023", -1,
                             "COPY null representation cannot use newline or carriage return");
    if (!out->csv && strchr(forbidden, out->delimiter) != NULL)
        return sql_error_set(choices->error, "22023", -1, "COPY delimiter cannot be \"%c\"",
                             out->delimiter);
    if (strchr(out->null, out->delimiter) != NULL)
        return sql_error_set(choices->error, "0A000", -1,
                             "COPY delimiter must not appear in the NULL specification");
    return STATUS_OK;
}

static enum status
read_bytes(struct choices *choices)
{
    struct copy_options *out = choices->out;

    out->delimiter = out->csv ? ',' : '\t';
    out->null = out->csv ? "" : "\\N";
    TRY(read_byte(choices, choices->delimiter, "delimiter", &out->delimiter));
    TRY(text_of(choices, choices->null, &out->null));
    out->null_size = strlen(out->null);
    TRY(check_delimiter(choices));
    if (!out->csv && choices->quote != NULL)
        return sql_error_set(choices->error, "0A000", -1, "COPY quote available only in CSV mode");
    if (!out->csv && choices->escape != NULL)
        return sql_error_set(choices->error, "0A000", -1, "COPY escape available only in CSV mode");
    out->quote = '"';
    TRY(read_byte(choices, choices->quote, "quote", &out->quote));
    out->escape = out->quote;
    TRY(read_byte(choices, choices->escape, "escape", &out->escape));
    if (out->csv && out->quote == out->delimiter)
        return sql_error_set(choices->error, "22023", -1,
                             "COPY delimiter and quote must be different");
    if (out->csv && strchr(out->null, out->quote) != NULL)
        return sql_error_set(choices->error, "0A000", -1,
                             "CSV quote character must not appear in the NULL specification");
    return STATUS_OK;
}

/* Columns that an option is said of. */

struct force {
    const struct ast_copy_option *option;
    const char *what;  /* As in "COPY force quote available only in CSV mode". */
    const char *label; /* As in FORCE_QUOTE. */
    bool from;         /* In COPY FROM only, else in COPY TO only. */
    bool **place;
};

static enum status
mark_columns(struct choices *choices, const struct force *force, uint32_t column_count,
             const char *const *names)
{
    const struct ast_copy_option *option = force->option;

    for (uint32_t i = 0; i < column_count && option->star; i++)
        (*force->place)[i] = true;
    for (uint32_t i = 0; i < option->name_count; i++) {
        uint32_t column = 0;

        while (column < column_count && strcmp(names[column], option->names[i]) != 0)
            column++;
        if (column == column_count)
            return sql_error_set(choices->error, "42P10", -1,
                                 "%s column \"%s\" not referenced by COPY", force->label,
                                 option->names[i]);
        (*force->place)[column] = true;
    }
    return STATUS_OK;
}

static enum status
read_force(struct choices *choices, const struct force *force, uint32_t column_count,
           const char *const *names, struct arena *arena)
{
    if (force->option == NULL)
        return STATUS_OK;
    if (!force->option->is_list && !(force->option->star && !force->from))
        return sql_error_set(choices->error, "22023", force->option->location,
                             "argument to option \"%s\" must be a list of column names",
                             force->option->name);
    if (!choices->out->csv)
        return sql_error_set(choices->error, "0A000", -1, "COPY %s available only in CSV mode",
                             force->what);
    if (force->from != choices->ast->from)
        return sql_error_set(choices->error, "0A000", -1, "COPY %s only available using COPY %s",
                             force->what, force->from ? "FROM" : "TO");
    *force->place = arena_alloc(arena, column_count * sizeof(bool));
    if (*force->place == NULL)
        return STATUS_NO_MEMORY;
    return mark_columns(choices, force, column_count, names);
}

enum status
copy_options_read(const struct ast_copy *ast, uint32_t column_count, const char *const *names,
                  struct arena *arena, struct copy_options *out, struct sql_error *error)
{
    struct choices choices = {.ast = ast, .error = error, .out = out};

    *out = (struct copy_options){.csv = false};
    TRY(collect(&choices));
    TRY(read_format(&choices));
    TRY(read_header(&choices));
    TRY(read_bytes(&choices));
    const struct force forces[] = {
        {choices.force_quote, "force quote", "FORCE_QUOTE", false, &out->force_quote},
        {choices.force_not_null, "force not null", "FORCE_NOT_NULL", true, &out->force_not_null},
        {choices.force_null, "force null", "FORCE_NULL", true, &out->force_null},
    };
    for (size_t i = 0; i < sizeof(forces) / sizeof(forces[0]); i++)
        TRY(read_force(&choices, &forces[i], column_count, names, arena));
    return STATUS_OK;
}
