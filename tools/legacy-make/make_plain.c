/*
 * Made rows in the place of cities: an id, and a text of 87 letters and digits. These are the rows on which the
 * predecessor was measured, 95 bytes each.
 */
#include <stdio.h>
#include <string.h>

#include "kernel/base/random.h"
#include "tools/legacy-make/make.h"

enum { ID_SIZE = 24, ROWS = 1000 };

static const struct city_field plain_fields[PLAIN_FIELDS] = {
    {"id", WRITER_INTEGER, 0, "bigint"},
    {"payload", WRITER_TEXT, 0, "text"},
};

void
plain_text(uint64_t word, char out[PLAIN_TEXT_SIZE + 1])
{
    static const char signs[] = "abcdefghijklmnopqrstuvwxyz0123456789";

    for (int i = 0; i < PLAIN_TEXT_SIZE; i++) {
        out[i] = signs[word % (sizeof(signs) - 1)];
        word = random_mix(word + 1);
    }
    out[PLAIN_TEXT_SIZE] = '\0';
}

bool
plain_load(const struct make_options *options, struct cities *out)
{
    const size_t place = ID_SIZE + PLAIN_TEXT_SIZE + 1;
    struct cities cities = {.memory = options->env.memory,
                            .table = "plain",
                            .columns = plain_fields,
                            .column_count = PLAIN_FIELDS,
                            .changed = PLAIN_TEXT};

    cities.count = cities.capacity = options->rows > 0 ? options->rows : ROWS;
    cities.text_size = cities.count * place;
    cities.text = memory_alloc(cities.memory, MEMORY_OTHER, cities.text_size + 1);
    cities.rows = memory_alloc(cities.memory, MEMORY_OTHER, cities.capacity * sizeof(*cities.rows));
    if (cities.text == NULL || cities.rows == NULL) {
        tool_error(options->tool, "no memory for %zu rows", cities.count);
        cities_free(&cities);
        return false;
    }
    for (size_t i = 0; i < cities.count; i++) {
        char *id = cities.text + i * place, *text = id + ID_SIZE;

        (void)snprintf(id, ID_SIZE, "%zu", i + 1);
        plain_text(options->seed * 7919 + i, text);
        cities.rows[i] =
            (struct city){.fields = {[CITY_ID] = id, [PLAIN_TEXT] = text}, .line_size = PLAIN_SIZE};
    }
    *out = cities;
    return true;
}
