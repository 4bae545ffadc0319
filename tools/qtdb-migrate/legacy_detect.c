/*
 * Which generation and shape a legacy file has: a strict trial parse of each. Where more than one
 * fits (a file without columns fits A and B; one without views may fit more), a digest of what each
 * reading hands out decides whether they mean the same; if not, the file is ambiguous and refused.
 */
#include <stdio.h>

#include "kernel/base/check.h"
#include "kernel/base/checksum.h"
#include "tools/qtdb-migrate/legacy_read.h"

/* What readings have in common: names, columns without `unique`, values, sequences, enums. */
static void
digest_bytes(uint64_t *digest, const void *bytes, size_t size)
{
    *digest = checksum64(bytes, size, *digest);
}

static enum status
digest_text(void *context, const struct legacy_text *text)
{
    digest_bytes(context, text->bytes, text->size);
    return STATUS_OK;
}

static enum status
digest_table(void *context, const struct legacy_table *table)
{
    (void)digest_text(context, &table->name);
    for (uint64_t i = 0; i < table->column_count; i++) {
        const struct legacy_column *column = &table->columns[i];

        (void)digest_text(context, &column->name);
        digest_bytes(context, &column->kind, sizeof(column->kind));
        digest_bytes(context, &column->unique, sizeof(column->unique));
    }
    return STATUS_OK;
}

static enum status
digest_row(void *context, const struct legacy_row *row)
{
    for (uint64_t i = 0; i < row->value_count; i++) {
        const struct legacy_value *value = &row->values[i];

        digest_bytes(context, &value->tag, sizeof(value->tag));
        digest_bytes(context, &value->integer, sizeof(value->integer));
        digest_bytes(context, &value->real, sizeof(value->real));
        digest_bytes(context, value->text.bytes, value->text.size);
    }
    digest_bytes(context, &row->live, sizeof(row->live));
    return STATUS_OK;
}

static enum status
digest_sequence(void *context, const struct legacy_text *name, int64_t next)
{
    (void)digest_text(context, name);
    digest_bytes(context, &next, sizeof(next));
    return STATUS_OK;
}

static enum status
digest_enum(void *context, const struct legacy_text *name, const struct legacy_text *labels,
            uint64_t label_count)
{
    (void)digest_text(context, name);
    for (uint64_t i = 0; i < label_count; i++)
        (void)digest_text(context, &labels[i]);
    return STATUS_OK;
}

static enum status
digest_view(void *context, const struct legacy_text *name, const struct legacy_text *sql)
{
    (void)digest_text(context, name);
    return digest_text(context, sql);
}

static enum status
digest_user(void *context, const struct legacy_user *user)
{
    return digest_text(context, &user->name);
}

static enum status
digest_of(struct legacy_stream *stream, const struct legacy_form *form, uint64_t *out)
{
    uint64_t digest = 0;
    struct legacy_visitor visitor = {
        .context = &digest,
        .database = digest_text,
        .table = digest_table,
        .row = digest_row,
        .sequence = digest_sequence,
        .enum_type = digest_enum,
        .view = digest_view,
        .user = digest_user,
    };

    TRY(legacy_read(stream, form, &visitor));
    *out = digest;
    return STATUS_OK;
}

static enum status
same_content(struct legacy_stream *stream, const struct legacy_form *forms, uint32_t count,
             bool *out)
{
    uint64_t first = 0;

    TRY(digest_of(stream, &forms[0], &first));
    for (uint32_t i = 1; i < count; i++) {
        uint64_t other = 0;

        TRY(digest_of(stream, &forms[i], &other));
        if (other != first) {
            *out = false;
            return STATUS_OK;
        }
    }
    *out = true;
    return STATUS_OK;
}

enum status
legacy_detect(struct legacy_stream *stream, struct legacy_form *out,
              struct legacy_fault *furthest_out)
{
    static const struct legacy_visitor nobody = {.context = NULL};
    struct legacy_form fits[8];
    uint32_t fit_count = 0;
    struct legacy_fault furthest = {.set = false};

    for (int shape = LEGACY_INSTANCE; shape <= LEGACY_DATABASE; shape++) {
        for (int generation = LEGACY_A; generation <= LEGACY_D; generation++) {
            struct legacy_form form = {(enum legacy_generation)generation,
                                       (enum legacy_shape)shape};
            enum status status = legacy_read(stream, &form, &nobody);

            if (status == STATUS_OK)
                fits[fit_count++] = form;
            else if (status != STATUS_CORRUPT)
                return status;
            else if (!furthest.set || stream->fault.offset > furthest.offset)
                furthest = stream->fault;
        }
    }
    if (fit_count == 0) {
        *furthest_out = furthest;
        return STATUS_CORRUPT;
    }
    bool same = true;
    if (fit_count > 1)
        TRY(same_content(stream, fits, fit_count, &same));
    if (!same) {
        *furthest_out = (struct legacy_fault){.set = true, .status = STATUS_CORRUPT};
        (void)snprintf(furthest_out->message, sizeof(furthest_out->message),
                       "%u generations fit and mean different content", fit_count);
        return STATUS_CORRUPT;
    }
    *out = fits[0];
    return STATUS_OK;
}

const char *
legacy_generation_name(enum legacy_generation generation)
{
    static const char *const names[] = {"?", "A", "B", "C", "D"};

    CHECK(generation >= LEGACY_A && generation <= LEGACY_D);
    return names[generation];
}
