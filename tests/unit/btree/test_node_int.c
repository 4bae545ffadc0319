/*
 * Goal: integer nodes hold exactly what a sorted list holds, in both forms, through every change, cut
 * and join; every way of searching gives the same answer for any bytes; what an insert costs the log
 * stays small; hostile bytes never lead outside of the page.
 * Method: keys near each other, spread over 64 bits, and at both ends; values of one size, of all
 * sizes, and of one size with an odd one now and then; compared with the model through search, rows
 * and the whole validation. The levels of vector instructions that the processor has are compared
 * with a plain count, also on random bytes.
 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

#include "btree/node_int_search.h"
#include "btree/node_private.h"
#include "tests/unit/btree/node_help.h"

static const struct node_fences no_fences = {NULL, 0, NULL, 0};

enum style {
    VALUES_EIGHT,
    VALUES_HUNDRED,
    VALUES_NONE,
    VALUES_ODD_ONE, /* eight bytes, and now and then another size or an overflow reference */
    VALUES_MIXED,
    STYLE_COUNT,
};

static struct node_entry
draw(struct random *random, enum style style, struct model_entry *out)
{
    static const uint64_t ends[] = {0, 1, UINT64_MAX - 1, UINT64_MAX};
    uint64_t number = random_chance(random, 1, 60)  ? ends[random_below(random, 4)]
                      : random_chance(random, 1, 2) ? random_u64(random)
                                                    : 1000000 + random_below(random, 2000);

    (void)model_draw(random, KEYS_NUMBERS, out);
    number = __builtin_bswap64(number);
    memcpy(out->key, &number, 8);
    if (style == VALUES_MIXED || (style == VALUES_ODD_ONE && random_chance(random, 1, 100)))
        return model_node_entry(out);
    out->is_overflow = false;
    out->value_size = style == VALUES_HUNDRED ? 100 : style == VALUES_NONE ? 0 : 8;
    random_bytes(random, out->value, out->value_size);
    return model_node_entry(out);
}

static void
apply_step(struct random *random, enum style style, bool growing, struct model *model,
           uint8_t *page)
{
    static struct model_entry drawn;
    struct node_entry entry = draw(random, style, &drawn);
    struct node_moves moves;
    bool equal;
    uint32_t index = model_find(model, drawn.key, drawn.key_size, &equal);

    if (model->count > 0 && random_chance(random, growing ? 1 : 3, 5)) {
        index = (uint32_t)random_below(random, model->count);
        node_remove(page, index, &moves);
        model_remove(model, index);
    } else if (equal && node_replace_fits(page, index, &entry)) {
        node_replace(page, index, &entry);
        model->entry[index] = drawn;
    } else if (!equal && node_fits(page, &entry)) {
        node_insert(page, index, &entry, &moves);
        model_insert(model, index, &drawn);
    }
}

/* covers: B4, B7 */
Test(node_int, random_changes_equal_a_sorted_list)
{
    struct model *model = calloc(1, sizeof(*model));
    struct test_page page = {{0}};
    char where[64];

    for (int round = 0; round < 3 * STYLE_COUNT; round++) {
        struct random random;

        random_init(&random, (uint64_t)round + 1);
        model->count = 0;
        node_init(page.bytes, NODE_INT, 7, 3, 0, PAGE_NONE, &no_fences);
        for (uint32_t step = 0; step < 1500; step++) {
            apply_step(&random, (enum style)(round % STYLE_COUNT), step / 500 % 2 == 0, model,
                       page.bytes);
            snprintf(where, sizeof(where), "round %d step %u", round, step);
            if (step % 3 == 0 || step > 1400)
                model_compare(model, 0, model->count, page.bytes, where);
        }
    }
    free(model);
}

/* ---- Search ------------------------------------------------------------------------------------- */

static uint32_t
count_below(const uint8_t *numbers, uint32_t count, uint64_t key)
{
    uint32_t below = 0;

    for (uint32_t i = 0; i < count; i++) {
        uint64_t number;

        memcpy(&number, numbers + 8 * (size_t)i, 8);
        below += number < key;
    }
    return below;
}

/* What node_int_search.h says, with plain loops. */
static uint32_t
find_plainly(const uint8_t *page, uint32_t count, uint64_t key)
{
    const struct node_int_header *header = (const struct node_int_header *)page;
    uint32_t block = count_below(page + 128, 16, key) & 15;
    uint32_t first = 0;

    for (uint32_t i = 0; i < block; i++)
        first += header->block[i];
    if (first + header->block[block] > count)
        return UINT32_MAX;
    return first + count_below(page + 256 + 8 * (size_t)first, header->block[block], key);
}

static void
compare_levels(const uint8_t *page, uint32_t count, uint64_t key)
{
    uint32_t expected = find_plainly(page, count, key);

    for (int simd = 0; simd <= (int)node__int_simd(); simd++)
        cr_assert_eq(node__int_find(page, count, key, simd), expected, "level %d", simd);
}

Test(node_int, all_levels_of_instructions_find_the_same)
{
    struct model *model = calloc(1, sizeof(*model));
    struct test_page page = {{0}};
    struct random random;

    random_init(&random, 77);
    node_init(page.bytes, NODE_INT, 7, 3, 0, PAGE_NONE, &no_fences);
    for (uint32_t step = 0; step < 3000; step++) {
        static struct model_entry drawn;

        apply_step(&random, VALUES_EIGHT, step < 2000, model, page.bytes);
        (void)draw(&random, VALUES_EIGHT, &drawn);
        uint64_t key;

        memcpy(&key, drawn.key, 8);
        key = __builtin_bswap64(key);
        bool equal;
        uint32_t rank = model_find(model, drawn.key, 8, &equal);

        compare_levels(page.bytes, model->count, key);
        cr_assert_eq(node__int_find(page.bytes, model->count, key, (int)node__int_simd()), rank);
    }
    free(model);
}

Test(node_int, all_levels_give_the_same_answer_for_any_bytes)
{
    struct test_page *page = malloc(sizeof(*page));
    struct random random;

    printf("best level of instructions here: %d\n", (int)node__int_simd());
    random_init(&random, 78);
    for (uint32_t round = 0; round < 20000; round++) {
        uint32_t count = (uint32_t)random_below(&random, 481);

        random_bytes(&random, page->bytes, PAGE_SIZE);
        for (uint32_t i = 0; i < 16 && round % 2 == 0; i++)
            page->bytes[80 + i] = (uint8_t)random_below(&random, 60);
        for (uint32_t i = 0; i < 16 && round % 4 < 2; i++)
            memset(page->bytes + 128 + 8 * (size_t)i, (int)(16 * i), 8);
        compare_levels(page->bytes, count, random_u64(&random));
    }
    free(page);
}

Test(node_int, keys_of_other_sizes_have_a_place_between_the_numbers)
{
    static const uint64_t numbers[] = {0x0100, 0x0200, 0x02ff};
    struct test_page page = {{0}};
    struct node_moves moves;
    uint32_t index;
    bool equal;

    node_init(page.bytes, NODE_INT, 7, 3, 0, PAGE_NONE, &no_fences);
    for (uint32_t i = 0; i < 3; i++) {
        uint64_t key = __builtin_bswap64(numbers[i]);
        struct node_entry entry = {(const uint8_t *)&key, 8, (const uint8_t *)"12345678", 8, false};

        node_insert(page.bytes, i, &entry, &moves);
    }
    struct node node = node_of(page.bytes);

    /* Seven bytes of the second key: before it. Nine: behind it. */
    cr_assert(node_search(&node, (const uint8_t *)"\0\0\0\0\0\0\2", 7, &index, &equal));
    cr_assert(index == 1 && !equal);
    cr_assert(node_search(&node, (const uint8_t *)"\0\0\0\0\0\0\2\0", 8, &index, &equal));
    cr_assert(index == 1 && equal);
    cr_assert(node_search(&node, (const uint8_t *)"\0\0\0\0\0\0\2\0\0", 9, &index, &equal));
    cr_assert(index == 2 && !equal);
    cr_assert(node_search(&node, (const uint8_t *)"", 0, &index, &equal));
    cr_assert(index == 0 && !equal);
    cr_assert(node_search(&node, (const uint8_t *)"\xff\xff", 2, &index, &equal));
    cr_assert(index == 3 && !equal);
}

/* ---- What the log gets -------------------------------------------------------------------------- */

/* The announced moves and few bytes outside of them explain all that an insert or removal changes. */
Test(node_int, a_change_is_its_moves_and_a_few_bytes)
{
    struct test_page page = {{0}};
    struct random random;
    uint32_t changed_most = 0;
    uint64_t changed_all = 0;
    uint32_t steps = 0;

    random_init(&random, 5);
    node_init(page.bytes, NODE_INT, 7, 3, 0, PAGE_NONE, &no_fences);
    for (; steps < 600; steps++) {
        struct test_page before = page;
        struct node_moves moves;
        uint64_t number = random_u64(&random);
        struct node_entry entry = {(const uint8_t *)&number, 8, (const uint8_t *)"12345678", 8,
                                   false};
        struct node node = node_of(page.bytes);
        uint32_t index;
        uint32_t changed = 0;
        bool equal;

        cr_assert(node_search(&node, entry.key, 8, &index, &equal));
        if (steps < 200 || (steps < 400 && steps % 2 == 0))
            node_insert(page.bytes, index, &entry, &moves);
        else
            node_remove(page.bytes, index == node.count ? index - 1 : index, &moves);
        for (uint32_t i = 0; i < moves.count; i++)
            memmove(before.bytes + moves.move[i].to, before.bytes + moves.move[i].from,
                    moves.move[i].size);
        for (uint32_t byte = 0; byte < PAGE_SIZE; byte++)
            changed += before.bytes[byte] != page.bytes[byte];
        changed_most = changed > changed_most ? changed : changed_most;
        changed_all += changed;
        if (node_of(page.bytes).count == 0)
            break;
    }
    /* Key, value, one byte of the blocks, two of count; or all hints, now and then. */
    cr_assert_leq(changed_most, 8 + 8 + 2 + 16 + 128);
    cr_assert_leq(changed_all, (uint64_t)steps * 22, "%lu bytes in %u steps",
                  (unsigned long)changed_all, steps);
}

Test(node_int, values_of_one_size_are_dense_and_fill_the_page)
{
    struct test_page page = {{0}};
    struct node_moves moves;
    uint32_t count = 0;

    node_init(page.bytes, NODE_INT, 7, 3, 0, PAGE_NONE, &no_fences);
    for (;; count++) {
        uint64_t key = __builtin_bswap64(count);
        struct node_entry entry = {(const uint8_t *)&key, 8, (const uint8_t *)&key, 8, false};
        const char *reason = "none";

        if (!node_fits(page.bytes, &entry))
            break;
        node_insert(page.bytes, count, &entry, &moves);
        cr_assert_eq(node_validate(page.bytes, &reason), STATUS_OK, "%s", reason);
    }
    struct node node = node_of(page.bytes);
    struct node_row first, second;

    cr_assert_eq(count, 240);
    cr_assert(node_row_at(&node, 100, &first) && node_row_at(&node, 101, &second));
    cr_assert_eq(first.value + 8, second.value);
    cr_assert_eq(node_used_size(page.bytes), PAGE_SIZE);
    /* A load in order opens blocks as it goes: no search looks at more than 16 rows. */
    for (uint32_t i = 0; i < 16; i++)
        cr_assert_leq(((const struct node_int_header *)page.bytes)->block[i], 16);
}

/* Appending is inserting at the end, byte for byte, or nothing. */
Test(node_int, appending_makes_the_page_that_inserting_makes)
{
    struct test_page page = {{0}}, appended;
    struct node_moves moves;
    uint32_t done = 0;
    uint32_t count = 0;

    node_init(page.bytes, NODE_INT, 7, 3, 0, PAGE_NONE, &no_fences);
    for (;; count++) {
        uint64_t key = __builtin_bswap64(3 * count);
        size_t size = count == 100 ? 5 : 8; /* One of another size: no array holds it. */
        struct node_entry entry = {(const uint8_t *)&key, 8, (const uint8_t *)&key, size, false};

        memcpy(appended.bytes, page.bytes, PAGE_SIZE);
        bool taken = node_append(appended.bytes, &entry);

        cr_assert_eq(taken, count > 0 && count < 100, "row %u", count);
        if (!taken)
            cr_assert_arr_eq(appended.bytes, page.bytes, PAGE_SIZE);
        if (!node_fits(page.bytes, &entry))
            break;
        node_insert(page.bytes, count, &entry, &moves);
        if (taken)
            cr_assert_arr_eq(appended.bytes, page.bytes, PAGE_SIZE);
        done += taken;
    }
    cr_assert_gt(count, 101u);
    cr_assert_eq(done, 99);
}

/* ---- Cutting and joining ------------------------------------------------------------------------ */

/* Cuts `page`, the model's entries [from, to), until the entry fits; every piece is asserted. */
static void
cut_until_it_fits(uint8_t *page, struct model *model, struct model_entry *drawn)
{
    struct node_entry entry = model_node_entry(drawn);
    uint32_t from = 0;
    uint32_t to = model->count;
    struct test_page right;
    struct node_moves moves;
    bool equal;

    for (uint32_t steps = 0; !node_fits(page, &entry); steps++) {
        uint32_t index = model_find(model, drawn->key, drawn->key_size, &equal) - from;
        struct node_cut cut;

        cr_assert_lt(steps, 8);
        node_cut_choose(page, index, &entry, &cut);
        node_split(page, right.bytes, 55, &cut);
        model_compare(model, from, from + cut.index, page, "left half");
        model_compare(model, from + cut.index, to, right.bytes, "right half");
        if (node_merge_fits(page, right.bytes)) {
            struct test_page joined;

            memcpy(joined.bytes, page, PAGE_SIZE);
            node_merge(joined.bytes, right.bytes);
            model_compare(model, from, to, joined.bytes, "joined");
        }
        cr_assert_eq(node_of(page).link, 55);
        if (bytes_compare(drawn->key, drawn->key_size, cut.separator, cut.separator_size) >= 0) {
            memcpy(page, right.bytes, PAGE_SIZE);
            from += cut.index;
        } else {
            to = from + cut.index;
        }
    }
    uint32_t index = model_find(model, drawn->key, drawn->key_size, &equal);

    node_insert(page, index - from, &entry, &moves);
    model_insert(model, index, drawn);
    model_compare(model, from, to + 1, page, "with the new entry");
}

/* covers: B5 */
Test(node_int, every_entry_finds_room)
{
    static struct model_entry drawn;
    struct model *model = calloc(1, sizeof(*model));

    for (uint64_t seed = 1; seed <= 100; seed++) {
        enum style style = (enum style)(seed % STYLE_COUNT);
        struct test_page page = {{0}};
        struct node_moves moves;
        struct random random;

        random_init(&random, seed);
        model->count = 0;
        node_init(page.bytes, NODE_INT, 7, 3, 0, PAGE_NONE, &no_fences);
        for (;;) {
            struct node_entry entry = draw(&random, style, &drawn);
            bool equal;
            uint32_t index = model_find(model, drawn.key, 8, &equal);

            if (equal)
                continue;
            if (!node_fits(page.bytes, &entry))
                break;
            node_insert(page.bytes, index, &entry, &moves);
            model_insert(model, index, &drawn);
        }
        /* The entry that did not fit may be of any size. */
        if (seed % 3 == 0) {
            drawn.value_size = random_below(&random, 1025);
            random_bytes(&random, drawn.value, drawn.value_size);
            drawn.is_overflow = false;
        }
        cut_until_it_fits(page.bytes, model, &drawn);
    }
    free(model);
}

/* covers: B5 */
Test(node_int, the_right_edge_leaves_a_full_page)
{
    struct test_page left = {{0}}, right = {{0}};
    struct node_moves moves;
    struct node_cut cut;

    node_init(left.bytes, NODE_INT, 7, 3, 0, PAGE_NONE, &no_fences);
    for (uint32_t i = 0;; i++) {
        uint64_t key = __builtin_bswap64(i * 3);
        struct node_entry entry = {(const uint8_t *)&key, 8, (const uint8_t *)&key, 8, false};

        if (node_fits(left.bytes, &entry)) {
            node_insert(left.bytes, i, &entry, &moves);
            continue;
        }
        node_cut_choose(left.bytes, i, &entry, &cut);
        break;
    }
    node_split(left.bytes, right.bytes, 8, &cut);
    cr_assert_eq(node_of(left.bytes).count, 240);
    cr_assert_eq(node_of(right.bytes).count, 0);
}

/* An inner node with keys 10, 20, ... and children 1001, 1002, ...; 1000 is left of all. */
static uint32_t
fill_inner(uint8_t *page)
{
    struct node_moves moves;
    uint32_t count = 0;

    node_init(page, NODE_INT, 7, 3, 1, 1000, &no_fences);
    for (;; count++) {
        uint64_t key = __builtin_bswap64(10 * (count + UINT64_C(1)));
        le32 child = le32_of(1001 + count);
        struct node_entry entry = {(const uint8_t *)&key, 8, child.byte, 4, false};

        if (!node_fits(page, &entry))
            return count;
        node_insert(page, count, &entry, &moves);
    }
}

static uint32_t
child_for(const uint8_t *page, uint64_t number, enum node_side side)
{
    struct node node = node_of(page);
    uint64_t key = __builtin_bswap64(number);
    uint32_t place = UINT32_MAX;
    uint32_t child = PAGE_NONE;

    cr_assert(node_child_place(&node, side, (const uint8_t *)&key, 8, &place));
    cr_assert(node_child_at(&node, place, &child));
    return child;
}

Test(node_int, an_inner_node_routes_keys_and_is_cut_and_joined)
{
    struct test_page left = {{0}}, right = {{0}};
    uint32_t count = fill_inner(left.bytes);
    uint64_t key = __builtin_bswap64(1055);
    struct node_entry entry = {(const uint8_t *)&key, 8, (const uint8_t *)"1234", 4, false};
    const char *reason = "none";
    struct node_cut cut;

    cr_assert_eq(count, 320);
    cr_assert_eq(child_for(left.bytes, 9, NODE_AT), 1000);
    cr_assert_eq(child_for(left.bytes, 10, NODE_AT), 1001);
    cr_assert_eq(child_for(left.bytes, 10, NODE_BEFORE), 1000);
    cr_assert_eq(child_for(left.bytes, UINT64_MAX, NODE_AT), 1000 + count);
    node_cut_choose(left.bytes, 105, &entry, &cut);
    node_split(left.bytes, right.bytes, 8, &cut);
    cr_assert_eq(node_validate(left.bytes, &reason), STATUS_OK, "%s", reason);
    cr_assert_eq(node_validate(right.bytes, &reason), STATUS_OK, "%s", reason);
    cr_assert_eq(node_of(left.bytes).count + node_of(right.bytes).count + 1u, count);
    while (!node_merge_fits(left.bytes, right.bytes)) {
        struct node_moves moves;

        node_remove(right.bytes, node_of(right.bytes).count - 1u, &moves);
        count--;
    }
    node_merge(left.bytes, right.bytes);
    cr_assert_eq(node_validate(left.bytes, &reason), STATUS_OK, "%s", reason);
    cr_assert_eq(node_of(left.bytes).count, count);
    for (uint32_t i = 0; i < count; i++)
        cr_assert_eq(child_for(left.bytes, 10 * (i + UINT64_C(1)) + 3, NODE_AT), 1001 + i);
}

/* ---- Hostile bytes ------------------------------------------------------------------------------ */

static void
read_everything(const uint8_t *page)
{
    struct node node;
    struct node_row row;
    uint32_t index;
    bool equal;

    if (!node_load_page(page, &node))
        return;
    for (uint32_t i = 0; i < node.count; i++)
        if (node_row_at(&node, i, &row)) {
            uint64_t key = __builtin_bswap64(row.number);

            (void)node_search(&node, (const uint8_t *)&key, 8, &index, &equal);
        }
    for (uint32_t place = 0; node.level > 0 && place <= node.count; place++)
        (void)node_child_at(&node, place, &index);
}

static void
change_if_valid(struct random *random, uint8_t *page)
{
    static struct model_entry drawn;
    struct node_moves moves;
    const char *reason;

    if (node_validate_shape(page, &reason) != STATUS_OK)
        return;
    for (int i = 0; i < 4; i++) {
        struct node node = node_of(page);
        struct node_entry entry = draw(random, VALUES_MIXED, &drawn);

        if (node.level > 0) {
            entry.value_size = NODE_CHILD_SIZE;
            entry.is_overflow = false;
        }
        if (node_fits(page, &entry))
            node_insert(page, (uint32_t)random_below(random, node.count + 1u), &entry, &moves);
        if (node.count > 1)
            node_remove(page, (uint32_t)random_below(random, node.count), &moves);
    }
    cr_assert_eq(node_validate_shape(page, &reason), STATUS_OK, "%s", reason);
}

/* covers: B9 */
Test(node_int, damaged_nodes_are_read_and_changed_within_their_page)
{
    struct test_page *page = malloc(sizeof(*page));
    struct model *model = calloc(1, sizeof(*model));
    struct random random;

    random_init(&random, 11);
    for (uint32_t round = 0; round < 3000; round++) {
        model->count = 0;
        node_init(page->bytes, NODE_INT, 7, 3, 0, PAGE_NONE, &no_fences);
        for (uint32_t step = 0; step < 60; step++)
            apply_step(&random, (enum style)(round % STYLE_COUNT), true, model, page->bytes);
        for (uint64_t i = random_below(&random, 6); i > 0; i--) {
            uint64_t limit = random_chance(&random, 1, 2) ? NODE_INT_HEADER_SIZE : PAGE_SIZE;
            uint64_t at = 24 + random_below(&random, limit - 24);

            page->bytes[at] = (uint8_t)random_u64(&random);
        }
        read_everything(page->bytes);
        change_if_valid(&random, page->bytes);
        read_everything(page->bytes);
    }
    free(model);
    free(page);
}

static const char *
reason_of(const void *page)
{
    const char *reason = "accepted";

    return node_validate(page, &reason) == STATUS_OK ? "accepted" : reason;
}

#define REFUSED(page, text) cr_assert_str_eq(reason_of((page).bytes), text)

/* A slotted leaf of 40 rows between the fences 1000 and 2000. */
static void
build(uint8_t *page)
{
    uint64_t low = __builtin_bswap64(1000), high = __builtin_bswap64(2000);
    struct node_fences fences = {(const uint8_t *)&low, 8, (const uint8_t *)&high, 8};
    struct node_moves moves;

    node_init(page, NODE_INT, 7, 3, 0, PAGE_NONE, &fences);
    for (uint32_t i = 0; i < 40; i++) {
        uint64_t key = __builtin_bswap64(1000 + 10 * i);
        struct node_entry entry = {(const uint8_t *)&key, 8, (const uint8_t *)"0123456789",
                                   5 + i % 6, false};

        node_insert(page, i, &entry, &moves);
    }
}

Test(node_int, each_clause_of_the_rule_is_checked)
{
    struct test_page good, bad;
    struct node_int_header *header = (struct node_int_header *)bad.bytes;

    build(good.bytes);
    struct node node = node_of(good.bytes);
    uint32_t slots = NODE_INT_HEADER_SIZE + node.capacity * 8u;

    cr_assert_str_eq(reason_of(good.bytes), "accepted");
    cr_assert_eq(node.form, NODE_INT_SLOTTED);
    bad = good;
    header->page.level = 1;
    REFUSED(bad, "the header of the node is out of bounds");
    bad = good;
    header->count = le16_of((uint16_t)(node.capacity + 1));
    REFUSED(bad, "the header of the node is out of bounds");
    bad = good;
    header->form = 3;
    REFUSED(bad, "the header of the node is out of bounds");
    bad = good;
    header->reserved[31] = 1;
    REFUSED(bad, "reserved bytes of the node are not zero");
    bad = good;
    header->fences |= 4;
    REFUSED(bad, "reserved bytes of the node are not zero");
    bad = good;
    header->fences = NODE_INT_HAS_HIGH;
    REFUSED(bad, "a fence that is not there is not zero");
    bad = good;
    memcpy(header->high, header->low, 8);
    REFUSED(bad, "the high fence is not above the low one");
    bad = good;
    header->value_size = le16_of(8);
    REFUSED(bad, "the size of values is out of range");
    bad = good;
    header->block[3]++;
    REFUSED(bad, "the blocks' rows do not add up to the node's");
    bad = good;
    bad.bytes[slots] = 1;
    bad.bytes[slots + 1] = 0;
    REFUSED(bad, "a cell lies outside the heap");
    bad = good;
    header->dead_size = le16_of(1);
    REFUSED(bad, "the cells do not add up to the heap");
    bad = good;
    memcpy(bad.bytes + slots, bad.bytes + slots + 6 * 4, 4);
    REFUSED(bad, "two cells overlap");
    bad = good;
    bad.bytes[le16_get(header->heap_offset) - 1] = 1;
    REFUSED(bad, "free space is not zero");
    bad = good;
    memcpy(bad.bytes + 256 + 8 * 5, bad.bytes + 256 + 8 * 6, 8);
    REFUSED(bad, "keys do not rise");
    bad = good;
    memset(bad.bytes + 256, 0, 8);
    REFUSED(bad, "a key is below the low fence");
    bad = good;
    memset(bad.bytes + 256 + 8 * 39, 0xff, 8);
    REFUSED(bad, "a key is not below the high fence");
}

Test(node_int, wrong_hints_are_found)
{
    struct test_page good, bad;
    struct node_int_header *header = (struct node_int_header *)bad.bytes;
    uint32_t first;

    build(good.bytes);
    bad = good;
    first = header->block[0];
    cr_assert(first > 0 && first < 40, "%u rows in the first block", first);
    memset(&header->hint[1], 0, 8);
    REFUSED(bad, "hints fall");
    bad = good;
    header->hint[0] = le64_of(le64_get(header->hint[0]) - 1);
    REFUSED(bad, "a key is above its block's hint");
    bad = good;
    header->hint[0] = le64_of(le64_get(header->hint[0]) + 10);
    REFUSED(bad, "a key is not above the hint before its block");
    bad = good;
    header->hint[15] = le64_of(UINT64_MAX - 1);
    REFUSED(bad, "the last hint is a bound");
    node_init(bad.bytes, NODE_INT, 7, 3, 0, PAGE_NONE, &no_fences);
    header->capacity = le16_of(239);
    REFUSED(bad, "the capacity is not that of values of this size");
}
