/*
 * qtdb-dump FILE page N | log | meta: what the bytes on disk say, decoded by the format headers and
 * checked against them, without opening the database: it works on files that qtdb refuses.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "kernel/base/error.h"
#include "pager/page.h"
#include "tools/common/tool.h"
#include "wal/wal.h"

static const struct tool tool = {
    .name = "qtdb-dump",
    .help = "usage: qtdb-dump FILE meta\n"
            "       qtdb-dump FILE page N\n"
            "       qtdb-dump FILE log\n"
            "\n"
            "Shows the meta slots, one page (header, state, and its bytes), or every frame and "
            "record of\n"
            "the log in FILE-wal. Reads the bytes as they are; nothing is recovered or changed.\n"
            "\n"
            "  -h, --help       this text\n"
            "      --version    the version\n"
            "\n"
            "Exit status: 0 shown and valid, 1 something shown is damaged, 2 it cannot be read.\n",
};

struct dump {
    struct env env;
    struct io_file *file;
    const char *path;
    bool damaged;
};

static int
fail(const char *what)
{
    tool_error(&tool, "%s: %s", what, error_message());
    return TOOL_USAGE;
}

static enum status
read_page(const struct dump *dump, uint64_t page_number, uint8_t *out)
{
    return io_read(dump->file, out, PAGE_SIZE, page_number * PAGE_SIZE);
}

/* Meta slots. */

static void
show_meta(const struct meta *meta)
{
    printf("  file id     %016" PRIx64 "\n", meta->file_id);
    printf("  sequence    %" PRIu64 "\n", meta->sequence);
    printf("  state       %s\n", meta->state == META_CLEAN ? "clean" : "needs log");
    if (meta->state == META_NEEDS_LOG)
        printf("  log         %016" PRIx64 " from LSN %" PRIu64 ", chain %016" PRIx64
               ", segments of %" PRIu64 " bytes\n",
               meta->log_id, meta->redo_lsn, meta->redo_chain, meta->segment_size);
    printf("  CSN         %" PRIu64 "\n", meta->redo_csn);
    printf("  pages       %" PRIu64 "\n", meta->page_count);
    for (uint32_t i = 0; i < meta->map_count; i++)
        printf("  map %-3" PRIu32 "     last flush at CSN %" PRIu64 "\n", i, meta->map_csn[i]);
}

static int
dump_meta(struct dump *dump)
{
    uint8_t bytes[PAGE_SIZE];

    for (uint32_t slot = 0; slot < META_SLOT_COUNT; slot++) {
        struct meta meta;
        const char *reason = NULL;

        if (read_page(dump, slot, bytes) != STATUS_OK)
            return fail("meta slot");
        enum status status = meta_decode((const struct meta_slot *)bytes, slot, &meta, &reason);
        printf("slot %" PRIu32 ": %s%s%s\n", slot,
               status == STATUS_OK ? "valid" : status_name(status), status == STATUS_OK ? "" : ": ",
               status == STATUS_OK ? "" : reason);
        if (status == STATUS_OK)
            show_meta(&meta);
        else
            dump->damaged = true;
    }
    return dump->damaged ? TOOL_FAILED : TOOL_OK;
}

/* Pages. */

static void
show_bytes(const uint8_t *bytes, size_t size)
{
    static const uint8_t zeros[16];

    for (size_t i = 0; i < size; i += 16) {
        if (memcmp(bytes + i, zeros, 16) == 0)
            continue;
        printf("  %04zx ", i);
        for (size_t k = 0; k < 16; k++)
            printf(" %02x", bytes[i + k]);
        printf("  ");
        for (size_t k = 0; k < 16; k++)
            putchar(bytes[i + k] >= ' ' && bytes[i + k] < 127 ? bytes[i + k] : '.');
        putchar('\n');
    }
}

static void
show_map(const uint8_t *page)
{
    static const char *const states[] = {"unused", "used", "free", "map", "fenced"};

    for (uint32_t i = 0; i < MAP_ENTRY_COUNT; i++) {
        struct map_entry entry = map_entry_get(page, i);

        if (entry.state != PAGE_STATE_UNUSED)
            printf("  entry %-3" PRIu32 " %s, CSN %" PRIu64 "\n", i,
                   entry.state <= PAGE_STATE_FENCED ? states[entry.state] : "?", entry.csn);
    }
}

static bool
find_file_id(const struct dump *dump, uint64_t *out)
{
    uint8_t bytes[PAGE_SIZE];

    for (uint32_t slot = 0; slot < META_SLOT_COUNT; slot++) {
        struct meta meta;
        const char *reason = NULL;

        if (read_page(dump, slot, bytes) == STATUS_OK &&
            meta_decode((const struct meta_slot *)bytes, slot, &meta, &reason) == STATUS_OK) {
            *out = meta.file_id;
            return true;
        }
    }
    return false;
}

static int
dump_page(struct dump *dump, const char *text)
{
    char *end = NULL;
    unsigned long long number = strtoull(text, &end, 10);
    const char *reason = "";
    uint8_t page[PAGE_SIZE];
    uint64_t file_id = 0;

    if (*text == '\0' || *end != '\0' || number < META_SLOT_COUNT || number >= PAGE_COUNT_MAX)
        return tool_usage_error(&tool, "'%s' is not the number of a page (the first is %d)", text,
                                META_SLOT_COUNT);
    if (read_page(dump, number, page) != STATUS_OK)
        return fail("page");
    bool known = find_file_id(dump, &file_id);
    enum status status = page_validate(page, file_id, (uint32_t)number, &reason);
    const struct page_header *header = page_header_const(page);
    printf("page %llu: %s%s%s\n", number,
           status == STATUS_OK ? "valid" : "NOT VALID: ", status == STATUS_OK ? "" : reason,
           known ? "" : " (no meta slot tells the file id)");
    printf("  checksum    %016" PRIx64 "\n", le64_get(header->checksum));
    printf("  CSN         %" PRIu64 ", of the last image %" PRIu64 "\n", le64_get(header->csn),
           le64_get(header->csn_image));
    printf("  number      %" PRIu32 "\n", le32_get(header->page_number));
    printf("  tree        %" PRIu32 "\n", le32_get(header->tree_id));
    printf("  type        %u, level %u, flags %u, version %u\n", header->type, header->level,
           header->flags, header->version);
    if (header->type == PAGE_TYPE_MAP)
        show_map(page);
    else
        show_bytes(page, sizeof(page));
    return status == STATUS_OK ? TOOL_OK : TOOL_FAILED;
}

/* The log. */

static const char *
record_name(enum wal_record_type type)
{
    static const char *const names[] = {"?", "image", "ranges", "free", "reset", "size", "note"};

    return type <= WAL_RECORD_NOTE ? names[type] : "?";
}

static void
show_part(struct byte_reader *reader, uint64_t first_csn)
{
    uint64_t delta = 0, time_ms = 0, size = 0;
    uint8_t flags = 0;
    const uint8_t *bytes = NULL;

    if (!byte_reader_get_varint(reader, &delta) || !byte_reader_get_u8(reader, &flags) ||
        ((flags & WAL_PART_FIRST) != 0 && !byte_reader_get_varint(reader, &time_ms)) ||
        !byte_reader_get_varint(reader, &size) || !byte_reader_skip(reader, (size_t)size, &bytes)) {
        reader->offset = reader->size;
        return;
    }
    printf("    commit %" PRIu64 "%s%s%s, %" PRIu64 " bytes\n", first_csn + delta,
           (flags & WAL_PART_FIRST) != 0 ? "" : " (continued)",
           (flags & WAL_PART_LAST) != 0 ? "" : " (continues)",
           (flags & WAL_PART_SYSTEM) != 0 ? " (system)" : "", size);
    struct byte_reader records = byte_reader_init(bytes, (size_t)size);
    struct wal_record record;
    while (wal_record_get(&records, &record))
        printf("      %-6s page %" PRIu64 ", %zu bytes\n", record_name(record.type),
               record.page_number, record.size);
}

static void
show_frame(void *context, const struct wal_frame_view *view)
{
    struct dump *dump = context;

    if (view->status != STATUS_OK) {
        printf("  LSN %" PRIu64 ": no valid frame: %s\n", view->lsn, view->reason);
        return;
    }
    uint64_t first_csn = le64_get(view->header.first_csn);
    printf("  LSN %" PRIu64 ": frame of %" PRIu32 " bytes, %" PRIu32 " commits from CSN %" PRIu64
           ", durable then %" PRIu64 "\n",
           view->lsn, le32_get(view->header.payload_size), le32_get(view->header.commit_count),
           first_csn, le64_get(view->header.csn_durable));
    struct byte_reader reader =
        byte_reader_init(view->payload, le32_get(view->header.payload_size));
    while (byte_reader_left(&reader) > 0)
        show_part(&reader, first_csn);
    (void)dump;
}

struct segment_list {
    char dir[IO_PATH_SIZE];
    char names[4096][24];
    uint32_t count;
};

static void
add_segment(void *context, const char *name, bool is_directory)
{
    struct segment_list *list = context;
    size_t size = strlen(name);

    if (!is_directory && size > 4 && size < sizeof(list->names[0]) &&
        strcmp(name + size - 4, ".seg") == 0 && list->count < 4096)
        memcpy(list->names[list->count++], name, size + 1);
}

static int
compare_names(const void *left, const void *right)
{
    return strcmp(left, right);
}

static int
dump_log(struct dump *dump)
{
    static struct segment_list list;
    char path[IO_PATH_SIZE + 32];

    if ((size_t)snprintf(list.dir, sizeof(list.dir), "%s-wal", dump->path) >= sizeof(list.dir))
        return tool_usage_error(&tool, "the path is too long");
    enum status status = io_list(dump->env.io, list.dir, add_segment, &list);
    if (status == STATUS_NOT_FOUND) {
        printf("no log: %s does not exist\n", list.dir);
        return TOOL_OK;
    }
    if (status != STATUS_OK)
        return fail("log");
    qsort(list.names, list.count, sizeof(list.names[0]), compare_names);
    for (uint32_t i = 0; i < list.count; i++) {
        (void)snprintf(path, sizeof(path), "%s/%s", list.dir, list.names[i]);
        printf("segment %s\n", list.names[i]);
        if (wal_dump_segment(&dump->env, path, show_frame, dump) != STATUS_OK) {
            tool_error(&tool, "%s", error_message());
            dump->damaged = true;
        }
    }
    return dump->damaged ? TOOL_FAILED : TOOL_OK;
}

static int
run(struct dump *dump, int argc, char **argv)
{
    const char *what = argv[1];

    dump->path = argv[0];
    if (io_open(dump->env.io, dump->path, 0, &dump->file) != STATUS_OK)
        return fail("open");
    int result = TOOL_USAGE;
    if (strcmp(what, "meta") == 0 && argc == 2)
        result = dump_meta(dump);
    else if (strcmp(what, "log") == 0 && argc == 2)
        result = dump_log(dump);
    else if (strcmp(what, "page") == 0 && argc == 3)
        result = dump_page(dump, argv[2]);
    else
        result = tool_usage_error(&tool, "after FILE comes meta, log, or page N");
    io_close(dump->file);
    return result;
}

int
main(int argc, char **argv)
{
    struct dump dump = {.damaged = false};
    int first = 0;
    enum tool_command command = tool_parse(&tool, argc, argv, NULL, 0, &first);

    if (command != TOOL_RUN)
        return command == TOOL_ANSWERED ? TOOL_OK : TOOL_USAGE;
    if (argc - first < 2)
        return tool_usage_error(&tool, "FILE and what to show are wanted");
    if (!tool_env_open(&tool, &dump.env))
        return TOOL_FAILED;
    int result = run(&dump, argc - first, argv + first);
    tool_env_close(&dump.env);
    return result;
}
