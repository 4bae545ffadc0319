/* Enum types and their values (enumeration.h). Definitions come from disk: all is validated. */
#include "executor/enumeration.h"

#include <string.h>

#include "executor/array.h"
#include "executor/table.h"
#include "kernel/base/bytes.h"
#include "kernel/base/check.h"

enum { ENUMERATION_FORMAT = 1, ENUMERATION_LABEL_SIZE = 8 + 10 + ENUMERATION_LABEL_MAX };

/* The catalog. */

static bool
get_label(struct byte_reader *reader, struct arena *arena, uint64_t above,
          struct enumeration_label *out)
{
    const uint8_t *bytes = NULL;
    uint64_t size = 0;

    if (!byte_reader_get_u64(reader, &out->place) || out->place <= above ||
        !byte_reader_get_varint(reader, &size) || size > ENUMERATION_LABEL_MAX ||
        !byte_reader_skip(reader, (size_t)size, &bytes) || memchr(bytes, '\0', (size_t)size))
        return false;
    out->text = arena_copy_text(arena, (const char *)bytes, (size_t)size);
    return true;
}

static enum status
damaged(const char *name, struct sql_error *error)
{
    return sql_error_set(error, "XX001", -1,
                         "the definition of type \"%s\" is damaged: run qtdb-check", name);
}

enum status
enumeration_decode(const char *schema, const char *name, const uint8_t *bytes, size_t size,
                   struct arena *arena, struct enumeration **out, struct sql_error *error)
{
    struct byte_reader reader = byte_reader_init(bytes, size);
    struct enumeration *type = arena_alloc(arena, sizeof(*type));
    uint64_t count = 0;
    uint8_t format = 0;

    if (type == NULL)
        return STATUS_NO_MEMORY;
    *type = (struct enumeration){.schema = arena_copy_text(arena, schema, strlen(schema)),
                                 .name = arena_copy_text(arena, name, strlen(name))};
    if (type->schema == NULL || type->name == NULL)
        return STATUS_NO_MEMORY;
    if (!byte_reader_get_u8(&reader, &format) || format != ENUMERATION_FORMAT ||
        !byte_reader_get_u32(&reader, &type->id) || type->id == 0 ||
        type->id > ENUMERATION_ID_MAX || !byte_reader_get_varint(&reader, &count) ||
        count > ENUMERATION_LABELS_MAX)
        return damaged(name, error);
    type->labels = arena_alloc(arena, (size_t)(count + 1) * sizeof(*type->labels));
    if (type->labels == NULL)
        return STATUS_NO_MEMORY;
    for (; type->count < count; type->count++) {
        struct enumeration_label *label = &type->labels[type->count];

        if (!get_label(&reader, arena, type->count > 0 ? label[-1].place : 0, label))
            return damaged(name, error);
        if (label->text == NULL)
            return STATUS_NO_MEMORY;
    }
    *out = type;
    return byte_reader_left(&reader) == 0 ? STATUS_OK : damaged(name, error);
}

enum status
enumeration_store(struct qtdb_txn *txn, const struct enumeration *type, struct arena *arena,
                  struct sql_error *error)
{
    struct ast_name name = {.schema = type->schema, .name = type->name, .location = -1};
    size_t room = 32 + (size_t)type->count * ENUMERATION_LABEL_SIZE;
    uint8_t *bytes = arena_alloc(arena, room);

    if (bytes == NULL)
        return STATUS_NO_MEMORY;
    struct byte_writer writer = byte_writer_init(bytes, room);
    byte_writer_put_u8(&writer, ENUMERATION_FORMAT);
    byte_writer_put_u32(&writer, type->id);
    byte_writer_put_varint(&writer, type->count);
    for (uint32_t i = 0; i < type->count; i++) {
        size_t size = strlen(type->labels[i].text);

        byte_writer_put_u64(&writer, type->labels[i].place);
        byte_writer_put_varint(&writer, size);
        byte_writer_put(&writer, type->labels[i].text, size);
    }
    CHECK(!writer.overflow);
    return catalog_put_bytes(txn, CATALOG_ENUM, &name, bytes, writer.offset, true, error);
}

enum status
enumeration_find(struct qtdb_txn *txn, const struct ast_name *name, struct arena *arena,
                 struct enumeration **out, struct sql_error *error)
{
    const uint8_t *bytes = NULL;
    size_t size = 0;

    TRY(catalog_find_bytes(txn, CATALOG_ENUM, name, arena, &bytes, &size, error));
    return enumeration_decode(name->schema != NULL ? name->schema : "public", name->name, bytes,
                              size, arena, out, error);
}

struct search {
    uint32_t id;
    struct arena *arena;
    struct sql_error *error;
    struct enumeration *found;
};

static enum status
look_at(void *context, const char *schema, const char *name, const uint8_t *value, size_t size)
{
    struct search *search = context;
    struct enumeration *type = NULL;

    if (search->found != NULL)
        return STATUS_OK;
    TRY(enumeration_decode(schema, name, value, size, search->arena, &type, search->error));
    CHECK(type != NULL);
    if (type->id == search->id)
        search->found = type;
    return STATUS_OK;
}

enum status
enumeration_find_id(struct qtdb_txn *txn, uint32_t id, struct arena *arena,
                    const struct enumeration **out, struct sql_error *error)
{
    struct search search = {.id = id, .arena = arena, .error = error};

    TRY(catalog_each(txn, CATALOG_ENUM, look_at, &search, error));
    if (search.found == NULL)
        return sql_error_set(error, "XX001", -1,
                             "a column is of an enum type that is not there: run qtdb-check");
    *out = search.found;
    return STATUS_OK;
}

/* Values. */

uint32_t
enumeration_label_find(const struct enumeration *type, const char *text, size_t size)
{
    for (uint32_t i = 0; i < type->count; i++) {
        if (strlen(type->labels[i].text) == size && memcmp(type->labels[i].text, text, size) == 0)
            return i;
    }
    return UINT32_MAX;
}

enum status
enumeration_value(const struct enumeration *type, uint32_t label, struct arena *arena,
                  struct value *out)
{
    CHECK(label < type->count);
    size_t size = strlen(type->labels[label].text);
    uint64_t place = __builtin_bswap64(type->labels[label].place);
    uint8_t *bytes = arena_alloc(arena, VALUE_ENUM_HEAD + size + 1);

    if (bytes == NULL)
        return STATUS_NO_MEMORY;
    memcpy(bytes, &place, VALUE_ENUM_HEAD);
    memcpy(bytes + VALUE_ENUM_HEAD, type->labels[label].text, size);
    *out = value_bytes(value_enum_of(type->id), bytes, VALUE_ENUM_HEAD + size);
    return STATUS_OK;
}

/* The label of what is of the type already, by its place. */
static uint32_t
label_at(const struct enumeration *type, const struct value *value)
{
    uint64_t place = 0;

    if (value->size < VALUE_ENUM_HEAD)
        return UINT32_MAX;
    memcpy(&place, value->bytes, VALUE_ENUM_HEAD);
    for (uint32_t i = 0; i < type->count; i++) {
        if (type->labels[i].place == __builtin_bswap64(place))
            return i;
    }
    return UINT32_MAX;
}

static enum status
cast_one(const struct enumeration *type, const struct value *value, struct arena *arena,
         struct value *out, struct sql_error *error)
{
    bool own = value_is_enum(value->type);
    const char *text = (const char *)value->bytes;
    uint32_t label = own ? label_at(type, value) : enumeration_label_find(type, text, value->size);

    if (label == UINT32_MAX && own)
        return sql_error_set(error, "XX001", -1, "a value of enum %s has no label: run qtdb-check",
                             type->name);
    if (label == UINT32_MAX)
        return sql_error_set(error, "22P02", -1, "invalid input value for enum %s: \"%.*s\"",
                             type->name, (int)(value->size < 100 ? value->size : 100), text);
    return enumeration_value(type, label, arena, out);
}

static enum status
cast_array(const struct enumeration *type, const struct value *value, struct arena *arena,
           struct value *out, struct sql_error *error)
{
    struct array array = array_open(value);
    struct value *values = NULL;

    TRY(array_values(&array, arena, &values));
    for (uint32_t i = 0; i < array.count; i++) {
        if (values[i].null)
            values[i].type = value_enum_of(type->id);
        else
            TRY(cast_one(type, &values[i], arena, &values[i], error));
    }
    return array_make(value_enum_of(type->id), values, array.count, &array, arena, out);
}

enum status
enumeration_cast(const struct enumeration *type, const struct value *value, enum qtdb_type to,
                 struct arena *arena, struct value *out, struct sql_error *error)
{
    if (value->null) {
        *out = value_null(to);
        return STATUS_OK;
    }
    if (value_is_array(value->type))
        return cast_array(type, value, arena, out, error);
    if (value_is_array(to))
        return enumeration_parse(type, to, (const char *)value->bytes, value->size, arena, out,
                                 error);
    return cast_one(type, value, arena, out, error);
}

enum status
enumeration_parse(const struct enumeration *type, enum qtdb_type to, const char *text, size_t size,
                  struct arena *arena, struct value *out, struct sql_error *error)
{
    static const struct sql_type texts = {(enum qtdb_type)((unsigned)QTDB_TYPE_TEXT | VALUE_ARRAY),
                                          -1, -1};
    struct value value = value_bytes(QTDB_TYPE_TEXT, text, size);

    if (!value_is_array(to))
        return cast_one(type, &value, arena, out, error);
    TRY(value_parse(&texts, text, size, arena, &value, error));
    return cast_array(type, &value, arena, out, error);
}
