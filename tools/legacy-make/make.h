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
};

/* Rows of GeoNames, as text. */
enum { CITY_FIELDS = 12, CITY_ID = 0, CITY_POPULATION = 8 };

struct city {
    const char *fields[CITY_FIELDS];
    size_t line_size; /* Bytes of its line in the CSV file: what a user would call its size. */
};

struct cities {
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
extern const struct city_field city_fields[CITY_FIELDS];

/** The first options->rows rows (0: all) of a CSV file with a header. False: complained. */
bool cities_load(const struct make_options *options, const char *path, struct cities *out);
void cities_free(struct cities *cities);
/** A row's values, as the predecessor tagged them. */
void cities_write_row(struct writer *writer, const struct city *city, const char *population);
/** The table's name and columns. */
void cities_write_head(struct writer *writer);
/** Everything before the rows, and after them, of an instance with this one table. */
void cities_write_begin(struct writer *writer, uint64_t row_count);
void cities_write_end(struct writer *writer);

/** The random change number `index`: which row, and its new population. */
struct city_change {
    size_t row;
    uint64_t population;
};
struct city_change cities_change(const struct make_options *options, const struct cities *cities,
                                 uint64_t index);

/* The modes; each returns an exit status. */
int make_cities(const struct make_options *options, const char *csv, const char *out);
int make_sample(const struct make_options *options, const char *directory);
int make_rows(const struct make_options *options, const char *out);
int make_hostile(const struct make_options *options, const char *directory);
int make_sql(const struct make_options *options, const char *csv, const char *out);
int make_rewrite(const struct make_options *options, const char *csv, const char *directory);

#endif
