/*
 * Reading rows that lie beside each other (row_reader.h): one slot of all of them after the other, so that what a
 * slot is, is asked once and what differs from row to row decides no branch. After a slot with tests the rows
 * that pass close up, also without a branch, for nobody can foretell which pass; what is behind it is read of
 * those alone. Tests that want more than the value just read are asked row by row before all that.
 */
#include "executor/row_reader_private.h"

/* The rows that have passed so far, in their order. */
struct lanes {
    const uint8_t *next[ROW_SPAN_MAX]; /* Behind what is read of it. */
    const uint8_t *end[ROW_SPAN_MAX];
    uint8_t index[ROW_SPAN_MAX]; /* Which it was. */
    bool all[ROW_SPAN_MAX];      /* It has no slots behind those asked for. */
    uint32_t count;
    uint32_t read; /* The first row that is for the two steps. */
};

/* The row of a lane is for the two steps, and with it all behind it. */
static void
cut_at(struct lanes *lanes, uint32_t lane)
{
    lanes->read = lanes->index[lane];
    lanes->count = lane;
}

void
row_reader_set_outputs(struct row_reader *reader, const uint32_t *columns, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        struct row_slot *slot = &reader->slots[reader->table->columns[columns[i]].slot];

        CHECK(slot->wanted && !slot->given);
        slot->given = true;
        slot->out = i;
    }
    /* How the head of a whole row without nulls begins, for tables of few slots. */
    if (reader->table->slot_count >= 1 && reader->table->slot_count <= 8)
        reader->head = ROW_FORMAT | reader->table->slot_count << 8;
}

/* To the first value of a row that has all slots asked for and no nulls; NULL: it is another. */
static inline const uint8_t *
begin_whole(const struct row_reader *reader, const uint8_t *bytes, uint32_t size, bool *all_out)
{
    struct row_place place;
    uint32_t head = 0;

    if (size >= sizeof(head)) {
        memcpy(&head, bytes, sizeof(head));
        *all_out = reader->end == reader->table->slot_count;
        if ((head & 0xffffff) == reader->head)
            return bytes + 3;
    }
    if (!begin(reader, bytes, size, &place) || place.has_nulls || place.stored < reader->end)
        return NULL;
    *all_out = place.stored == reader->end;
    return place.next;
}

/* The next slot of all rows, whose kind is a constant here; the values of row i go to out[i * stride]. */
static inline __attribute__((always_inline)) void
take_slot(const struct row_slot *slot, uint8_t action, struct lanes *lanes, struct value *out,
          size_t stride)
{
    for (uint32_t i = 0; i < lanes->count; i++) {
        const uint8_t *next = take_present(lanes->next[i], lanes->end[i], slot, action,
                                           &out[lanes->index[i] * stride]);

        if (next == NULL) {
            cut_at(lanes, i);
            return;
        }
        lanes->next[i] = next;
    }
}

static void
take_column(const struct row_slot *slot, struct lanes *lanes, struct value *out, size_t stride)
{
    switch (slot->action) {
    case DO_PASS_NUMBERS:
        take_slot(slot, DO_PASS_NUMBERS, lanes, out, 0);
        return;
    case DO_PASS_BYTES:
        take_slot(slot, DO_PASS_BYTES, lanes, out, 0);
        return;
    case DO_PASS_REAL:
        take_slot(slot, DO_PASS_REAL, lanes, out, 0);
        return;
    case DO_TAKE_NUMBER:
        take_slot(slot, DO_TAKE_NUMBER, lanes, out, stride);
        return;
    case DO_TAKE_BYTES:
        take_slot(slot, DO_TAKE_BYTES, lanes, out, stride);
        break;
    default:
        take_slot(slot, DO_TAKE, lanes, out, stride);
    }
    for (uint32_t i = 0; slot->how == HOW_CHECKED && i < lanes->count; i++) {
        const struct value *value = &out[lanes->index[i] * stride];

        if (!is_valid(slot, value->bytes, value->size))
            cut_at(lanes, i);
    }
}

/* What an integer has to be, or not to be. */
struct bounds {
    int64_t low;
    int64_t high;
    bool outside;
};

static struct bounds
bounds_of(const struct row_test *test)
{
    const struct bounds all = {INT64_MIN, INT64_MAX, false}, none = {INT64_MIN, INT64_MAX, true};
    int64_t integer = test->integer;

    switch (test->operator_kind) {
    case EXPR_LESS:
        return integer == INT64_MIN ? none : (struct bounds){all.low, integer - 1, false};
    case EXPR_LESS_EQUAL:
        return (struct bounds){all.low, integer, false};
    case EXPR_GREATER:
        return integer == INT64_MAX ? none : (struct bounds){integer + 1, all.high, false};
    case EXPR_GREATER_EQUAL:
        return (struct bounds){integer, all.high, false};
    default:
        return (struct bounds){integer, integer, test->operator_kind == EXPR_NOT_EQUAL};
    }
}

/* Rows whose value, just read, fails one of the slot's tests go. */
static void
close_up(const struct row_slot *slot, struct lanes *lanes, const struct value *values,
         size_t stride)
{
    uint8_t passes[ROW_SPAN_MAX];
    uint32_t count = 0;

    memset(passes, 1, sizeof(passes));
    for (const struct row_test *test = slot->tests; test != NULL; test = test->next) {
        struct bounds bounds = bounds_of(test);

        for (uint32_t i = 0; i < lanes->count; i++) {
            int64_t integer = values[lanes->index[i] * stride].integer;

            passes[i] &= ((integer >= bounds.low) & (integer <= bounds.high)) ^ bounds.outside;
        }
    }
    for (uint32_t i = 0; i < lanes->count; i++) {
        lanes->next[count] = lanes->next[i];
        lanes->end[count] = lanes->end[i];
        lanes->index[count] = lanes->index[i];
        lanes->all[count] = lanes->all[i];
        count += passes[i];
    }
    lanes->count = count;
}

/* Slots from `first` to `end`; of those that have tests only such as the value just read decides. */
static void
take_columns(const struct row_reader *reader, const struct row_span *span, uint32_t first,
             uint32_t end, struct lanes *lanes)
{
    const struct row_slot *const slots_end = &reader->slots[end];
    struct value tested[ROW_SPAN_MAX];

    for (const struct row_slot *slot = &reader->slots[first]; slot < slots_end;
         slot += slot->step) {
        /* cppcheck-suppress legacyUninitvar */
        struct value *out = slot->given ? span->rows + slot->out : tested;
        size_t stride = slot->given ? span->width : 1;

        take_column(slot, lanes, out, stride);
        if (slot->tests != NULL)
            close_up(slot, lanes, out, stride);
    }
}

/* The rows that have passed to the front. */
static void
give_rows(const struct row_span *span, const struct lanes *lanes)
{
    for (uint32_t i = 0; i < lanes->count; i++) {
        struct value *to = span->rows + (size_t)i * span->width;
        const struct value *from = span->rows + (size_t)lanes->index[i] * span->width;

        for (uint32_t column = 0; to != from && column < span->width; column++)
            to[column] = from[column];
    }
}

/* One row as far as the tests go; NULL: it is for the two steps. */
static const uint8_t *
read_first(const struct row_reader *reader, const struct row_span *span, const uint8_t *next,
           const uint8_t *end, struct value *row, bool *passes_out)
{
    const struct row_slot *const slots = reader->slots, *const slots_end =
                                                            &slots[reader->first_end];
    struct value *const scratch = span->scratch;

    *passes_out = false;
    for (const struct row_slot *slot = slots; slot < slots_end; slot += slot->step) {
        next = take_present(next, end, slot, slot->action, &scratch[slot->column]);
        if (next == NULL || (slot->tests != NULL && !all_hold(slot->tests, scratch)))
            return next;
        if (slot->given)
            row[slot->out] = scratch[slot->column];
    }
    for (uint32_t i = reader->checked; i < reader->first_end; i = slots[i].checked) {
        const struct value *value = &scratch[slots[i].column];

        if (!is_valid(&slots[i], value->bytes, value->size))
            return NULL;
    }
    *passes_out = all_hold(reader->late, scratch);
    return next;
}

/* The rows that pass, row by row. */
static void
choose(const struct row_reader *reader, const struct row_span *span, struct lanes *lanes)
{
    uint32_t count = lanes->count;

    lanes->count = 0;
    for (uint32_t i = 0; i < count; i++) {
        bool passes;
        uint32_t lane = lanes->count;
        const uint8_t *next = read_first(reader, span, lanes->next[i], lanes->end[i],
                                         span->rows + (size_t)i * span->width, &passes);

        lanes->next[lane] = next;
        lanes->end[lane] = lanes->end[i];
        lanes->all[lane] = lanes->all[i];
        lanes->index[lane] = lanes->index[i];
        if (next == NULL) {
            cut_at(lanes, lane);
            return;
        }
        lanes->count += passes;
    }
}

/* The heads of all rows. */
static void
begin_all(const struct row_reader *reader, const struct row_span *span, struct lanes *lanes)
{
    lanes->read = lanes->count = span->count;
    for (uint32_t i = 0; i < span->count; i++) {
        const uint8_t *bytes = span->bytes[i];

        lanes->index[i] = (uint8_t)i;
        lanes->end[i] = bytes + span->sizes[i];
        lanes->next[i] = begin_whole(reader, bytes, span->sizes[i], &lanes->all[i]);
        if (lanes->next[i] == NULL) {
            cut_at(lanes, i);
            return;
        }
    }
}

uint32_t
row_reader_span(const struct row_reader *reader, const struct row_span *span, uint32_t *passed_out)
{
    struct lanes lanes;

    CHECK(span->count <= ROW_SPAN_MAX);
    begin_all(reader, span, &lanes);
    if (reader->asks_rows)
        choose(reader, span, &lanes);
    take_columns(reader, span, reader->asks_rows ? reader->first_end : 0, reader->end, &lanes);
    for (uint32_t i = 0; i < lanes.count; i++) {
        if (lanes.all[i] && lanes.next[i] != lanes.end[i])
            cut_at(&lanes, i);
    }
    give_rows(span, &lanes);
    *passed_out = lanes.count;
    return lanes.read;
}
