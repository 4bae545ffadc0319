/*
 * Verification of a whole file: every page that the map says is in use is brought in, which compares
 * it with its witness, and its bytes in memory are validated once more; the map's own entries must
 * make sense. All findings are reported; none ends the walk.
 *
 * The file may be in use. An entry that changed since its map page was copied is not a finding.
 * Pages that are in memory are checked there: to check the disk, open the file cold.
 */
#include "pager/pager_private.h"

enum { AHEAD = 32 }; /* Pages read side by side. */

struct check {
    struct pager *pager;
    void (*finding)(void *context, const struct pager_finding *finding);
    void *context;
    struct pager_check_result *result;
    struct map_page map;
    uint8_t page[PAGE_SIZE];
};

static void
report(struct check *check, uint32_t page_number, enum status status, const char *reason)
{
    struct pager_finding finding = {page_number, status, reason};

    check->result->finding_count++;
    if (check->finding != NULL)
        check->finding(check->context, &finding);
}

/* Whether the entry still stands as it was copied. */
static bool
entry_stands(struct check *check, uint32_t page_number)
{
    uint32_t index = map_index_of(page_number);
    struct map_page now;

    if (page_number >= pager_page_count(check->pager))
        return false;
    if (pager_copy(check->pager, map_page_of(page_number), &now) != STATUS_OK)
        return true;
    return memcmp(&now.entry[index], &check->map.entry[index], sizeof(now.entry[index])) == 0;
}

/* A page in use: its bytes. */
static void
check_used(struct check *check, uint32_t page_number)
{
    struct pager *pager = check->pager;
    const char *reason = "";
    enum status status = pager_copy(pager, page_number, check->page);

    check->result->used_count++;
    if (status != STATUS_OK) {
        if (entry_stands(check, page_number))
            report(check, page_number, status, error_message());
        return;
    }
    status = page_validate(check->page, pager->file_id, page_number, &reason);
    if (status == STATUS_OK && page_header_const(check->page)->type == PAGE_TYPE_MAP) {
        status = STATUS_CORRUPT;
        reason = "a map page where none belongs";
    }
    if (status != STATUS_OK)
        report(check, page_number, status, reason);
}

static void
check_entry(struct check *check, uint32_t page_number)
{
    enum page_state state = map_entry_get(&check->map, map_index_of(page_number)).state;

    if (page_is_map_level1(page_number)) {
        if (state != PAGE_STATE_MAP)
            report(check, page_number, STATUS_CORRUPT,
                   "the map does not say that it is a map page");
        return;
    }
    switch (state) {
    case PAGE_STATE_USED:
        check_used(check, page_number);
        return;
    case PAGE_STATE_UNUSED:
    case PAGE_STATE_FREE:
        check->result->free_count++;
        if (page_number == PAGE_CATALOG_ROOT)
            report(check, page_number, STATUS_CORRUPT, "the catalog's root is not in use");
        return;
    case PAGE_STATE_FENCED:
        report(check, page_number, STATUS_CORRUPT, "its content was lost and it is fenced off");
        return;
    case PAGE_STATE_MAP:
        report(check, page_number, STATUS_CORRUPT, "the map takes it for a map page");
        return;
    }
}

static void
read_ahead(struct check *check, uint32_t first, uint32_t end)
{
    uint32_t numbers[AHEAD];
    uint32_t count = 0;

    for (uint32_t number = first; number < end && number < first + AHEAD; number++) {
        if (map_entry_get(&check->map, map_index_of(number)).state == PAGE_STATE_USED)
            numbers[count++] = number;
    }
    pager_prefetch(check->pager, numbers, count);
}

/* The map page at `map_number` and the pages it describes. */
static void
check_group(struct check *check, uint32_t map_number, uint32_t page_count)
{
    uint32_t end =
        page_count - map_number > MAP_GROUP_SIZE ? map_number + MAP_GROUP_SIZE : page_count;
    enum status status = pager_copy(check->pager, map_number, &check->map);

    check->result->map_count++;
    if (status != STATUS_OK) {
        if (map_number < pager_page_count(check->pager))
            report(check, map_number, status, error_message());
        return;
    }
    for (uint32_t number = map_number + 1; number < end; number++) {
        if ((number - map_number - 1) % AHEAD == 0)
            read_ahead(check, number, end);
        check_entry(check, number);
    }
}

static void
check_level1(struct check *check, uint32_t page_number)
{
    enum status status = pager_copy(check->pager, page_number, check->page);

    check->result->map_count++;
    if (status != STATUS_OK && page_number < pager_page_count(check->pager))
        report(check, page_number, status, error_message());
}

enum status
pager_check(struct pager *pager,
            void (*finding)(void *context, const struct pager_finding *finding), void *context,
            struct pager_check_result *out)
{
    struct memory *memory = pager->env.memory;
    struct check *check = memory_alloc(memory, MEMORY_POOL, sizeof(*check));
    uint32_t page_count = pager_page_count(pager);

    if (check == NULL)
        return STATUS_NO_MEMORY;
    memset(out, 0, sizeof(*out));
    out->page_count = page_count;
    check->pager = pager;
    check->finding = finding;
    check->context = context;
    check->result = out;
    for (uint32_t number = MAP_FIRST_PAGE; number < page_count; number += MAP_GROUP_SIZE) {
        check_group(check, number, page_count);
        if (page_is_map_level1(number + 1) && number + 1 < page_count)
            check_level1(check, number + 1);
    }
    memory_free(memory, MEMORY_POOL, check, sizeof(*check));
    return STATUS_OK;
}
