/*
 * legacy-make: legacy files for tests and the demo, and the predecessor's way of keeping them. Built
 * but never installed.
 */
#ifndef TOOLS_LEGACY_MAKE_MAKE_H
#define TOOLS_LEGACY_MAKE_MAKE_H

#include "tools/common/tool.h"
#include "tools/legacy-make/legacy_write.h"

struct make_options {
    const struct tool *tool;
    struct env env;
    char generation;
    uint64_t rows;    /* 0: all. */
    uint64_t updates; /* How many rows change after the load. */
    uint64_t batch;   /* Rows a transaction; operations a snapshot. */
    uint64_t seed;
    bool create; /* sample: the log also makes a table and drops it. */
    bool plain;  /* rewrite, sql: made rows of PLAIN_SIZE bytes instead of cities. */
    bool sync;   /* rewrite: each snapshot is brought to the device. */
};

/*
 * Rows of GeoNames, as text; or made ones of an id and a text, which users call 95 bytes: 8 of the id and
 * 87 of the text.
 */
enum { CITY_FIELDS = 12, CITY_ID = 0, CITY_POPULATION = 8 };
enum { PLAIN_FIELDS = 2, PLAIN_TEXT = 1, PLAIN_TEXT_SIZE = 87, PLAIN_SIZE = 95 };

struct city {
    const char *fields[CITY_FIELDS];
    size_t line_size; /* Bytes of its line in the CSV file: what a user would call its size. */
};
struct city_field;

struct cities {
    const char *table;
    const struct city_field *columns;
    int column_count;
    int changed; /* The column that updates change. */
    struct memory *memory;
    char *text;
    size_t text_size;
    size_t count;
    size_t capacity;
    struct city *rows;
};

struct city_field {
    const char *name;
    enum writer_type type;
    uint64_t size;
    const char *sql_type;
};

/** The first options->rows rows (0: all) of a CSV file with a header; with options->plain as many made ones. False:
 * complained. */
bool cities_load(const struct make_options *options, const char *path, struct cities *out);
void cities_free(struct cities *cities);
/** A row's values, as the predecessor tagged them; `changed` NULL: as they were loaded. */
void cities_write_row(struct writer *writer, const struct cities *cities, const struct city *city,
                      const char *changed);
/** Everything before the rows, and after them, of an instance with this one table. */
void cities_write_begin(struct writer *writer, const struct cities *cities, uint64_t row_count);
void cities_write_end(struct writer *writer, const struct cities *cities);

/** The random change number `index`: which row, and its new value. */
struct city_change {
    size_t row;
    char value[PLAIN_TEXT_SIZE + 1];
};
struct city_change cities_change(const struct make_options *options, const struct cities *cities,
                                 uint64_t index);
/** Made rows, in place of cities_load. */
bool plain_load(const struct make_options *options, struct cities *out);
void plain_text(uint64_t word, char out[PLAIN_TEXT_SIZE + 1]);

/* The modes; each returns an exit status. */
int make_cities(const struct make_options *options, const char *csv, const char *out);
int make_sample(const struct make_options *options, const char *directory);
int make_rows(const struct make_options *options, const char *out);
int make_hostile(const struct make_options *options, const char *directory);
int make_sql(const struct make_options *options, const char *csv, const char *out);
int make_rewrite(const struct make_options *options, const char *csv, const char *directory);

#endif
