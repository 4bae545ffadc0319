/*
 * The catalog as tables, inside: what the files that fill them share. A view's rows are made when a query that
 * names it is bound, as constants of the plan.
 *
 * Objects have no numbers of their own in our catalog; an oid is made of kind, schema and name
 * (catalog__oid), so that it stays until something is renamed.
 */
#ifndef EXECUTOR_BIND_CATALOG_H
#define EXECUTOR_BIND_CATALOG_H

#include "executor/bind_private.h"
#include "executor/sql_sequence.h"
#include "executor/sql_text.h"

enum { CATALOG_COLUMNS_MAX = 34 };

struct catalog_view;

struct listing {
    struct bind *bind;
    const struct catalog_view *view;
    struct rel *rel;
    uint32_t capacity; /* Rows. */
    const char *pass;  /* Which part of qtdb_definitions is made now. */
    bool failed;       /* No memory for a cell: the next row says so. */
};

typedef enum status table_fn(struct listing *listing, const struct table *table);
typedef enum status listing__entry(void *context, const char *schema, const char *name,
                                   const uint8_t *value, size_t size);

struct catalog_view {
    const char *schema;
    const char *name;
    enum status (*fill)(struct listing *listing);
    table_fn *each_table;
    struct {
        const char *name;
        enum qtdb_type type;
    } columns[CATALOG_COLUMNS_MAX + 1];
};

/* Ended by a view without a name. */
extern const struct catalog_view catalog__class_views[];   /* bind_pg_class.c */
extern const struct catalog_view catalog__type_views[];    /* bind_pg_type.c */
extern const struct catalog_view catalog__setting_views[]; /* bind_pg_settings.c */

/** One cell a column, as text in the type's input syntax; NULL: null. */
MUST_CHECK enum status listing__row(struct listing *listing, const char *const *cells);
const char *listing__digits(struct listing *listing, int64_t number);
/** A text that was put together; `text` has ended. */
const char *listing__text(struct listing *listing, const struct sql_text *text);
/** All entries of a kind but other sessions' temporary ones. */
MUST_CHECK enum status listing__walk(struct listing *listing, enum catalog_kind kind,
                                     listing__entry *each);
/** The view's each_table for every table. */
MUST_CHECK enum status listing__tables(struct listing *listing);
MUST_CHECK enum status listing__sequence(struct listing *listing, const char *schema,
                                         const char *name, struct sequence_definition *out);

enum catalog_oid_kind {
    CATALOG_OID_RELATION = 'r', /* Tables, indexes, views, sequences: they share their names. */
    CATALOG_OID_SCHEMA = 'n',
    CATALOG_OID_TYPE = 'y',
    CATALOG_OID_ARRAY = 'Y',
    CATALOG_OID_LABEL = 'l',
    CATALOG_OID_CONSTRAINT = 'c', /* Its name has the table's in front. */
    CATALOG_OID_DEFAULT = 'd',
};

/** From 16384 on, as PostgreSQL's of what users make; fixed ones for its own schemas. */
int64_t catalog__oid(enum catalog_oid_kind kind, const char *schema, const char *name);
/** Of a column's type. */
int64_t catalog__type_oid(const struct table_column *column);
/** pg_attribute's atttypmod. */
int32_t catalog__type_modifier(const struct sql_type *type);

#endif
