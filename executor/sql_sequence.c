/* Definitions and counters of sequences (sql_sequence.h). Bytes from disk are validated. */
#include "executor/sql_sequence.h"

#include <stdio.h>
#include <string.h>

#include "kernel/base/bytes.h"
#include "kernel/base/check.h"

enum { SEQUENCE_FORMAT = 1, SEQUENCE_SIZE_MAX = 2 * QTDB_NAME_SIZE_MAX + 64 };

/* Bytes. */

static void
put_text(struct byte_writer *out, const char *text)
{
    size_t size = text == NULL ? 0 : strlen(text);

    byte_writer_put_varint(out, size);
    byte_writer_put(out, text, size);
}

static bool
get_text(struct byte_reader *reader, struct arena *arena, const char **out)
{
    const uint8_t *bytes = NULL;
    uint64_t size = 0;

    if (!byte_reader_get_varint(reader, &size) || size > byte_reader_left(reader) ||
        !byte_reader_skip(reader, (size_t)size, &bytes))
        return false;
    *out = size == 0 ? NULL : arena_copy_text(arena, (const char *)bytes, (size_t)size);
    return size == 0 || *out != NULL;
}

static bool
decode(const uint8_t *bytes, size_t size, struct arena *arena, struct sequence_definition *out)
{
    struct byte_reader reader = byte_reader_init(bytes, size);
    uint64_t words[4];
    uint8_t format = 0, type = 0, cycle = 0;

    if (!byte_reader_get_u8(&reader, &format) || format != SEQUENCE_FORMAT ||
        !byte_reader_get_u32(&reader, &out->id) || !byte_reader_get_u8(&reader, &type) ||
        type < QTDB_TYPE_INT2 || type > QTDB_TYPE_INT8)
        return false;
    for (size_t i = 0; i < 4; i++) {
        if (!byte_reader_get_u64(&reader, &words[i]))
            return false;
    }
    if (!byte_reader_get_u8(&reader, &cycle) || cycle > 1 ||
        !get_text(&reader, arena, &out->owner_table) ||
        !get_text(&reader, arena, &out->owner_column) || byte_reader_left(&reader) != 0)
        return false;
    out->type = (enum qtdb_type)type;
    out->start = (int64_t)words[0];
    out->increment = (int64_t)words[1];
    out->min = (int64_t)words[2];
    out->max = (int64_t)words[3];
    out->cycle = cycle != 0;
    return out->increment != 0 && out->min < out->max && out->start >= out->min &&
           out->start <= out->max;
}

enum status
sequence_store(struct qtdb_txn *txn, const struct ast_name *name,
               const struct sequence_definition *definition, bool replace, struct sql_error *error)
{
    uint8_t bytes[SEQUENCE_SIZE_MAX];
    struct byte_writer writer = byte_writer_init(bytes, sizeof(bytes));

    byte_writer_put_u8(&writer, SEQUENCE_FORMAT);
    byte_writer_put_u32(&writer, definition->id);
    byte_writer_put_u8(&writer, (uint8_t)definition->type);
    byte_writer_put_u64(&writer, (uint64_t)definition->start);
    byte_writer_put_u64(&writer, (uint64_t)definition->increment);
    byte_writer_put_u64(&writer, (uint64_t)definition->min);
    byte_writer_put_u64(&writer, (uint64_t)definition->max);
    byte_writer_put_u8(&writer, definition->cycle);
    put_text(&writer, definition->owner_table);
    put_text(&writer, definition->owner_column);
    if (writer.overflow)
        return sql_error_set(error, "42622", -1, "a name is longer than %d bytes",
                             QTDB_NAME_SIZE_MAX / 2);
    return catalog_put_bytes(txn, CATALOG_SEQUENCE, name, bytes, writer.offset, replace, error);
}

enum status
sequence_find(struct qtdb_txn *txn, const struct ast_name *name, struct arena *arena,
              struct sequence_definition *out, struct sql_error *error)
{
    const uint8_t *bytes = NULL;
    size_t size = 0;
    enum status status =
        catalog_find_bytes(txn, CATALOG_SEQUENCE, name, arena, &bytes, &size, error);

    if (status == STATUS_NOT_FOUND)
        return sql_error_set(error, "42P01", name->location, "relation \"%s%s%s\" does not exist",
                             name->schema != NULL ? name->schema : "",
                             name->schema != NULL ? "." : "", name->name);
    TRY(status);
    if (!decode(bytes, size, arena, out))
        return sql_error_set(error, "XX001", name->location,
                             "the definition of sequence \"%s\" is damaged: run qtdb-check",
                             name->name);
    return STATUS_OK;
}

/* Options. */

static int64_t
type_min(enum qtdb_type type)
{
    return type == QTDB_TYPE_INT2 ? INT16_MIN : type == QTDB_TYPE_INT4 ? INT32_MIN : INT64_MIN;
}

static int64_t
type_max(enum qtdb_type type)
{
    return type == QTDB_TYPE_INT2 ? INT16_MAX : type == QTDB_TYPE_INT4 ? INT32_MAX : INT64_MAX;
}

static enum status
read_type(const struct ast_sequence_option *option, enum qtdb_type *out, struct sql_error *error)
{
    enum qtdb_type type = value_type_find(option->text);

    if (type < QTDB_TYPE_INT2 || type > QTDB_TYPE_INT8)
        return sql_error_set(error, "22023", option->location,
                             "sequence type must be smallint, integer, or bigint");
    *out = type;
    return STATUS_OK;
}

struct seen {
    bool start, min, max;
};

static enum status
apply(const struct ast_sequence_option *options, uint32_t count, struct sequence_definition *io,
      struct seen *seen, struct sql_error *error)
{
    for (uint32_t i = 0; i < count; i++) {
        const struct ast_sequence_option *option = &options[i];

        switch (option->kind) {
        case AST_SEQUENCE_TYPE:
            TRY(read_type(option, &io->type, error));
            break;
        case AST_SEQUENCE_INCREMENT:
            io->increment = option->integer;
            break;
        case AST_SEQUENCE_START:
            io->start = option->integer;
            seen->start = true;
            break;
        case AST_SEQUENCE_MIN:
            io->min = option->integer;
            seen->min = !option->none;
            break;
        case AST_SEQUENCE_MAX:
            io->max = option->integer;
            seen->max = !option->none;
            break;
        case AST_SEQUENCE_CYCLE:
            io->cycle = option->integer != 0;
            break;
        default:
            break; /* CACHE changes nothing; the others are of the statement. */
        }
    }
    return STATUS_OK;
}

static enum status
check_bounds(const struct sequence_definition *definition, struct sql_error *error)
{
    if (definition->increment == 0)
        return sql_error_set(error, "22023", -1, "INCREMENT must not be zero");
    if (definition->increment == INT64_MIN)
        return sql_error_set(error, "22023", -1, "INCREMENT is out of range");
    if (definition->min < type_min(definition->type) ||
        definition->max > type_max(definition->type))
        return sql_error_set(
            error, "22023", -1, "%s (%lld) is out of range for sequence data type %s",
            definition->min < type_min(definition->type) ? "MINVALUE" : "MAXVALUE",
            (long long)(definition->min < type_min(definition->type) ? definition->min
                                                                     : definition->max),
            value_type_name(definition->type));
    if (definition->min >= definition->max)
        return sql_error_set(error, "22023", -1,
                             "MINVALUE (%lld) must be less than MAXVALUE (%lld)",
                             (long long)definition->min, (long long)definition->max);
    if (definition->start < definition->min)
        return sql_error_set(error, "22023", -1,
                             "START value (%lld) cannot be less than MINVALUE (%lld)",
                             (long long)definition->start, (long long)definition->min);
    if (definition->start > definition->max)
        return sql_error_set(error, "22023", -1,
                             "START value (%lld) cannot be greater than MAXVALUE (%lld)",
                             (long long)definition->start, (long long)definition->max);
    /* The counter holds 64 bits, with room for one step past the end. */
    if ((uint64_t)definition->max - (uint64_t)definition->min > UINT64_MAX / 2)
        return sql_error_set(error, "0A000", -1,
                             "a sequence over more than 2^63 values is not supported");
    return STATUS_OK;
}

enum status
sequence_define(enum qtdb_type type, const struct ast_sequence_option *options, uint32_t count,
                struct sequence_definition *io, bool is_new, struct sql_error *error)
{
    struct seen seen = {false, false, false};
    struct sequence_definition before = *io;

    if (is_new)
        *io = (struct sequence_definition){.type = type, .increment = 1};
    TRY(apply(options, count, io, &seen, error));
    bool ascending = io->increment > 0, turned = (before.increment > 0) != ascending;
    if (!seen.min && (is_new || turned))
        io->min = ascending                         ? 1
                  : type_min(io->type) == INT64_MIN ? INT64_MIN + 1
                                                    : type_min(io->type);
    if (!seen.max && (is_new || turned))
        io->max = ascending ? type_max(io->type) : -1;
    for (uint32_t i = 0; i < count; i++) {
        if (options[i].kind == AST_SEQUENCE_MIN && options[i].none)
            io->min = ascending ? 1 : type_min(io->type);
        if (options[i].kind == AST_SEQUENCE_MAX && options[i].none)
            io->max = ascending ? type_max(io->type) : -1;
        if (options[i].kind == AST_SEQUENCE_TYPE && !is_new && !seen.max &&
            before.max == type_max(before.type))
            io->max = type_max(io->type);
    }
    if (!seen.start && is_new)
        io->start = ascending ? io->min : io->max;
    return check_bounds(io, error);
}

/* Counters. */

static void
counter_name(uint32_t id, char out[48])
{
    (void)snprintf(out, 48, "sql/q%u", id);
}

/* The counter's number of a value, from 1. */
static uint64_t
number_of(const struct sequence_definition *definition, int64_t value)
{
    return definition->increment > 0 ? (uint64_t)value - (uint64_t)definition->min + 1
                                     : (uint64_t)definition->max - (uint64_t)value + 1;
}

static enum status
set_counter(struct qtdb *db, uint32_t id, uint64_t number, struct sql_error *error)
{
    char name[48];

    counter_name(id, name);
    return sql_from_code(qtdb_sequence_set(db, name, number), error);
}

enum status
sequence_restart(struct qtdb_txn *txn, struct qtdb *db, struct sequence_definition *io,
                 int64_t value, struct sql_error *error)
{
    if (value < io->min || value > io->max)
        return sql_error_set(error, "22023", -1, "RESTART value (%lld) cannot be %s (%lld)",
                             (long long)value,
                             value < io->min ? "less than MINVALUE" : "greater than MAXVALUE",
                             (long long)(value < io->min ? io->min : io->max));
    TRY(catalog_next_id(txn, &io->id, error));
    return set_counter(db, io->id, number_of(io, value), error);
}

enum status
sequence_create(struct qtdb_txn *txn, struct qtdb *db, const struct ast_name *name,
                struct sequence_definition *definition, struct sql_error *error)
{
    TRY(sequence_restart(txn, db, definition, definition->start, error));
    return sequence_store(txn, name, definition, false, error);
}

/* The value of the counter's number. */
static int64_t
value_of(const struct sequence_definition *definition, uint64_t number)
{
    return definition->increment > 0 ? (int64_t)((uint64_t)definition->min + number - 1)
                                     : (int64_t)((uint64_t)definition->max - number + 1);
}

enum status
sequence_look(struct qtdb *db, const struct sequence_definition *definition, int64_t *out,
              bool *some_out, struct sql_error *error)
{
    uint64_t last = (uint64_t)definition->max - (uint64_t)definition->min + 1;
    uint64_t number = 0;
    char counter[48];

    counter_name(definition->id, counter);
    TRY(sql_from_code(qtdb_sequence_get(db, counter, &number), error));
    *some_out = number <= last;
    *out = *some_out ? value_of(definition, number) : 0;
    return STATUS_OK;
}

enum status
sequence_next(struct qtdb *db, const char *name, const struct sequence_definition *definition,
              int64_t *out, struct sql_error *error)
{
    bool ascending = definition->increment > 0;
    uint64_t step =
        ascending ? (uint64_t)definition->increment : 0 - (uint64_t)definition->increment;
    uint64_t last = (uint64_t)definition->max - (uint64_t)definition->min + 1;
    uint64_t number = 0;
    char counter[48];

    counter_name(definition->id, counter);
    enum qtdb_code code = qtdb_sequence_next(db, counter, step, &number);
    if (code != QTDB_OK && code != QTDB_FULL)
        return sql_from_code(code, error);
    if (code == QTDB_FULL || number > last) {
        if (!definition->cycle)
            return sql_error_set(error, "2200H", -1,
                                 "nextval: reached %s value of sequence \"%s\" (%lld)",
                                 ascending ? "maximum" : "minimum", name,
                                 (long long)(ascending ? definition->max : definition->min));
        number = 1;
        TRY(set_counter(db, definition->id, number + step, error));
    }
    *out = value_of(definition, number);
    return STATUS_OK;
}

enum status
sequence_set(struct qtdb *db, const char *name, const struct sequence_definition *definition,
             int64_t value, bool called, struct sql_error *error)
{
    uint64_t step = definition->increment > 0 ? (uint64_t)definition->increment
                                              : 0 - (uint64_t)definition->increment;

    if (value < definition->min || value > definition->max)
        return sql_error_set(error, "22003", -1,
                             "setval: value %lld is out of bounds for sequence \"%s\" (%lld..%lld)",
                             (long long)value, name, (long long)definition->min,
                             (long long)definition->max);
    return set_counter(db, definition->id, number_of(definition, value) + (called ? step : 0),
                       error);
}
