/*
 * The cities of GeoNames: read from CSV (also compressed by zstd, as NAME.csv.zst), and written as the
 * predecessor would have kept them. It tagged every literal with a decimal point as a numeric, and a small
 * number as a smallint whatever its column's type was; so do we. (A file with a numeric in it is one that
 * it could not open again.)
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernel/base/compress.h"
#include "kernel/base/random.h"
#include "tools/legacy-make/make.h"

enum { CONTENT_SIZE_MAX = 1 << 30 };

static const struct city_field city_fields[CITY_FIELDS] = {
    {"geonameid", WRITER_INTEGER, 0, "bigint"},
    {"name", WRITER_TEXT, 0, "text"},
    {"asciiname", WRITER_TEXT, 0, "text"},
    {"latitude", WRITER_REAL, 0, "double precision"},
    {"longitude", WRITER_REAL, 0, "double precision"},
    {"feature", WRITER_VARCHAR, 10, "varchar(10)"},
    {"country", WRITER_CHAR, 2, "char(2)"},
    {"admin1", WRITER_VARCHAR, 20, "varchar(20)"},
    {"population", WRITER_INTEGER, 0, "bigint"},
    {"elevation", WRITER_SMALLINT, 0, "smallint"},
    {"timezone", WRITER_TEXT, 0, "text"},
    {"modified", WRITER_DATE, 0, "date"},
};

/* CSV, in place: quotes are taken off, fields end in NUL. */

/* Returns what follows the field; sets `*last_out` when it ended its line. */
static char *
take_field(char *at, const char *end, const char **out, bool *last_out)
{
    char *to = at;

    *out = at;
    if (at < end && *at == '"') {
        at++;
        while (at < end && (*at != '"' || (at + 1 < end && at[1] == '"'))) {
            at += *at == '"';
            *to++ = *at++;
        }
        at += at < end;
    } else {
        while (at < end && *at != ',' && *at != '\n' && *at != '\r')
            *to++ = *at++;
    }
    while (at < end && *at == '\r')
        at++;
    *last_out = at == end || *at == '\n';
    if (at < end)
        at++;
    *to = '\0';
    return at;
}

static bool
add_city(struct cities *cities, const struct city *city)
{
    if (cities->count == cities->capacity) {
        size_t wanted = cities->capacity == 0 ? 1024 : cities->capacity * 2;
        struct city *rows = memory_resize(cities->memory, MEMORY_OTHER, cities->rows,
                                          cities->capacity * sizeof(*rows), wanted * sizeof(*rows));
        if (rows == NULL)
            return false;
        cities->rows = rows;
        cities->capacity = wanted;
    }
    cities->rows[cities->count++] = *city;
    return true;
}

static bool
split(struct cities *cities, uint64_t most)
{
    char *at = cities->text;
    const char *end = cities->text + cities->text_size;
    bool header = true;

    while (at < end && (most == 0 || cities->count < most)) {
        struct city city = {.line_size = 0};
        char *begin = at;
        bool last = false;
        int field = 0;

        for (; !last && field < CITY_FIELDS; field++)
            at = take_field(at, end, &city.fields[field], &last);
        if (!last || field != CITY_FIELDS)
            return false;
        city.line_size = (size_t)(at - begin);
        if (!header && !add_city(cities, &city))
            return false;
        header = false;
    }
    return true;
}

/* A whole file; the text has one byte more than its size. */
static bool
read_all(struct memory *memory, FILE *file, char **out, size_t *size_out)
{
    if (fseek(file, 0, SEEK_END) != 0)
        return false;
    long size = ftell(file);
    if (size <= 0 || fseek(file, 0, SEEK_SET) != 0)
        return false;
    char *text = memory_alloc(memory, MEMORY_OTHER, (size_t)size + 1);
    if (text == NULL)
        return false;
    if (fread(text, 1, (size_t)size, file) != (size_t)size) {
        memory_free(memory, MEMORY_OTHER, text, (size_t)size + 1);
        return false;
    }
    *out = text;
    *size_out = (size_t)size;
    return true;
}

/* The size that a zstd frame's header gives for its content (RFC 8878, 3.1.1.1); 0: it gives none. */
static uint64_t
content_size(const uint8_t *frame, size_t size)
{
    static const uint8_t magic[] = {0x28, 0xb5, 0x2f, 0xfd};
    static const size_t dictionary_sizes[] = {0, 1, 2, 4}, sizes[] = {0, 2, 4, 8};
    uint64_t result = 0;

    if (size < 18 || memcmp(frame, magic, sizeof(magic)) != 0)
        return 0;
    bool single = (frame[4] & 0x20) != 0;
    size_t bytes = sizes[frame[4] >> 6];
    size_t at = (single ? 5u : 6u) + dictionary_sizes[frame[4] & 3];
    if (bytes == 0 && single)
        bytes = 1;
    memcpy(&result, frame + at, bytes);
    return bytes == 2 ? result + 256 : result;
}

/* Puts the content of a zstd frame in its place. */
static bool
decompress(struct cities *cities)
{
    uint64_t size = content_size((const uint8_t *)cities->text, cities->text_size);
    struct compress *compress = NULL;
    char *text = size > 0 && size < CONTENT_SIZE_MAX
                     ? memory_alloc(cities->memory, MEMORY_OTHER, (size_t)size + 1)
                     : NULL;

    if (text == NULL || compress_new(cities->memory, &compress) != STATUS_OK) {
        if (text != NULL)
            memory_free(cities->memory, MEMORY_OTHER, text, (size_t)size + 1);
        return false;
    }
    bool ok =
        compress_decode(compress, cities->text, cities->text_size, text, (size_t)size) == STATUS_OK;
    compress_free(compress);
    memory_free(cities->memory, MEMORY_OTHER, cities->text, cities->text_size + 1);
    cities->text = text;
    cities->text_size = (size_t)size;
    return ok;
}

static bool
is_compressed(const char *path)
{
    size_t size = strlen(path);

    return size > 4 && strcmp(path + size - 4, ".zst") == 0;
}

bool
cities_load(const struct make_options *options, const char *path, struct cities *out)
{
    struct cities cities = {.memory = options->env.memory,
                            .table = "cities",
                            .columns = city_fields,
                            .column_count = CITY_FIELDS,
                            .changed = CITY_POPULATION};
    FILE *file = options->plain ? NULL : fopen(path, "rb");

    if (options->plain)
        return plain_load(options, out);
    if (file == NULL) {
        tool_error(options->tool, "%s: %s", path, strerror(errno));
        return false;
    }
    bool ok = read_all(cities.memory, file, &cities.text, &cities.text_size);
    (void)fclose(file);
    ok = ok && (!is_compressed(path) || decompress(&cities));
    ok = ok && split(&cities, options->rows) && cities.count > 0;
    if (!ok) {
        tool_error(options->tool, "%s: not a file of %d columns with a header", path, CITY_FIELDS);
        cities_free(&cities);
        return false;
    }
    *out = cities;
    return true;
}

void
cities_free(struct cities *cities)
{
    memory_free(cities->memory, MEMORY_OTHER, cities->rows,
                cities->capacity * sizeof(*cities->rows));
    if (cities->text != NULL)
        memory_free(cities->memory, MEMORY_OTHER, cities->text, cities->text_size + 1);
    *cities = (struct cities){.memory = cities->memory};
}

struct city_change
cities_change(const struct make_options *options, const struct cities *cities, uint64_t index)
{
    uint64_t word = random_mix(options->seed * 1000003 + index);

    struct city_change change = {.row = (size_t)(word % cities->count)};

    if (options->plain)
        plain_text(word, change.value);
    else
        (void)snprintf(change.value, sizeof(change.value), "%llu",
                       (unsigned long long)(1000000 + word % 1000000));
    return change;
}

/* The predecessor's form. */

static void
write_number(struct writer *writer, const char *text)
{
    long long value = strtoll(text, NULL, 10);

    if (strchr(text, '.') != NULL)
        writer_tagged(writer, 4, text);
    else if (value >= INT16_MIN && value <= INT16_MAX)
        writer_smallint(writer, (int16_t)value);
    else
        writer_integer(writer, value);
}

static void
write_value(struct writer *writer, const struct city_field *field, const char *text)
{
    char padded[32];

    if (text[0] == '\0') {
        writer_null(writer);
        return;
    }
    switch (field->type) {
    case WRITER_INTEGER:
    case WRITER_SMALLINT:
    case WRITER_REAL:
        write_number(writer, text);
        break;
    case WRITER_CHAR:
        (void)snprintf(padded, sizeof(padded), "%-*s", (int)field->size, text);
        writer_tagged(writer, 6, padded);
        break;
    case WRITER_DATE:
        writer_tagged(writer, 8, text);
        break;
    default:
        writer_tagged(writer, 5, text);
        break;
    }
}

void
cities_write_row(struct writer *writer, const struct cities *cities, const struct city *city,
                 const char *changed)
{
    writer_row_begin(writer, (uint64_t)cities->column_count);
    for (int i = 0; i < cities->column_count; i++)
        write_value(writer, &cities->columns[i],
                    i == cities->changed && changed != NULL ? changed : city->fields[i]);
}

static void
write_head(struct writer *writer, const struct cities *cities)
{
    writer_table_begin(writer, cities->table, (uint64_t)cities->column_count);
    for (int i = 0; i < cities->column_count; i++) {
        struct writer_column column = {.name = cities->columns[i].name,
                                       .type = cities->columns[i].type,
                                       .first = cities->columns[i].size,
                                       .flags =
                                           i == CITY_ID ? WRITER_PRIMARY_KEY : WRITER_NULLABLE};
        writer_column(writer, &column);
    }
}

void
cities_write_begin(struct writer *writer, const struct cities *cities, uint64_t row_count)
{
    writer_instance_begin(writer, 1);
    writer_key(writer, "geo");
    writer_database_begin(writer, "geo", 1);
    writer_key(writer, cities->table);
    write_head(writer, cities);
    writer_rows(writer, row_count);
}

void
cities_write_end(struct writer *writer, const struct cities *cities)
{
    writer_sequences(writer, 0);
    writer_table_end(writer, "alice");
    writer_enums(writer, 0);
    writer_views(writer, NULL, 0);
    writer_database_end(writer, cities->table);
    writer_instance_end(writer, "geo");
}

int
make_cities(const struct make_options *options, const char *csv, const char *out)
{
    struct cities cities;
    struct writer writer;
    FILE *file;

    if (!cities_load(options, csv, &cities))
        return TOOL_FAILED;
    file = fopen(out, "wb");
    if (file == NULL) {
        tool_error(options->tool, "%s: %s", out, strerror(errno));
        cities_free(&cities);
        return TOOL_FAILED;
    }
    writer_init(&writer, options->env.memory, file, options->generation);
    cities_write_begin(&writer, &cities, cities.count);
    for (size_t i = 0; i < cities.count; i++) {
        cities_write_row(&writer, &cities, &cities.rows[i], NULL);
        writer_row_end(&writer, i + 1, 0);
    }
    cities_write_end(&writer, &cities);
    bool ok = writer_end(&writer);
    ok = fclose(file) == 0 && ok;
    if (ok)
        printf("%zu rows, %llu bytes, generation %c\n", cities.count,
               (unsigned long long)writer.size, options->generation);
    else
        tool_error(options->tool, "%s: cannot be written", out);
    cities_free(&cities);
    return ok ? TOOL_OK : TOOL_FAILED;
}
