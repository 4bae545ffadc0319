/* Stores at rest; see crash_damage.h. */
#include "tools/qtdb-crash/crash_damage.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "kernel/base/error.h"
#include "tools/qtdb-crash/crash_change.h"
#include "tools/qtdb-crash/crash_report.h"

enum { FILL_STEPS_MAX = 400, MORE_STEPS = 30, LAST_EDITS = 3, WORK_MAX = 400, IDLE_LOOKS = 3 };

struct maker {
    struct crash_session *session;
    struct crash_place place;
    bool wrong;
};

static void
maker_wrong(void *context, enum crash_violation violation, const char *text)
{
    struct maker *maker = context;

    maker->wrong = true;
    crash_report_wrong(maker->session->report, &maker->place, violation, text);
}

static void
note_file(void *context, const char *name, bool is_directory)
{
    struct crash_rest *rest = context;

    if (is_directory || rest->file_count == CRASH_REST_FILES)
        return;
    struct crash_rest_file *file = &rest->files[rest->file_count++];

    (void)snprintf(file->path, sizeof(file->path), "%s/%.40s", CRASH_LOG_DIR, name);
}

/* The files with their sizes, of a copy, because looking counts as an operation. */
static void
list_files(struct crash_session *session, struct crash_rest *rest)
{
    struct io *copy = crash_rest_copy(session, rest);
    uint32_t kept = 0;

    (void)snprintf(rest->files[0].path, sizeof(rest->files[0].path), "%s", CRASH_FILE);
    rest->file_count = 1;
    if (io_list(copy, CRASH_LOG_DIR, note_file, rest) != STATUS_OK)
        rest->file_count = 1;
    for (uint32_t index = 0; index < rest->file_count; index++) {
        struct crash_rest_file *file = &rest->files[index];
        struct io_file *handle;

        CHECK(io_open(copy, file->path, 0, &handle) == STATUS_OK);
        CHECK(io_size(handle, &file->size) == STATUS_OK);
        io_close(handle);
        rest->size += file->size;
        rest->files[kept] = *file;
        kept += file->size > 0;
    }
    rest->file_count = kept;
    io_close_all(copy);
}

static enum status
fill(struct crash_history *history)
{
    enum status status = STATUS_OK;

    history->workload = CRASH_LOAD;
    for (uint64_t step = 0; step < FILL_STEPS_MAX && status == STATUS_OK; step++) {
        if (crash_model_used_count(&history->model) + 4 >= history->page_target)
            break;
        status = crash_history_step(history);
    }
    history->workload = CRASH_UPDATE;
    return status;
}

static enum status
steps(struct crash_history *history, uint64_t count)
{
    enum status status = STATUS_OK;

    while (count-- > 0 && status == STATUS_OK)
        status = crash_history_step(history);
    return status;
}

/* One change of a few pages, durable. */
static enum status
edit_and_flush(struct crash_history *history)
{
    struct crash_change change = {.count = 0};

    for (uint32_t index = 0; index < LAST_EDITS; index++)
        crash_change_add(&change, CRASH_EDIT, crash_model_used(&history->model, index * 5),
                         random_u64(&history->random));
    TRY(crash_history_change(history, &change));
    TRY(pager_flush(history->pager, history->model.csns[history->model.commit_count]));
    crash_history_acknowledge(history);
    return STATUS_OK;
}

/* Until there is nothing to do, and once more: the horizon is written when nothing happened since. */
static enum status
settle_down(struct crash_history *history)
{
    uint32_t idle = 0;
    bool more = true;

    for (uint32_t step = 0; step < WORK_MAX && idle < IDLE_LOOKS; step++) {
        TRY(pager_work(history->pager, &more));
        idle = more ? 0 : idle + 1;
    }
    return STATUS_OK;
}

static struct io *
take_copy(struct crash_session *session, struct io *io)
{
    struct io_sim_crash choice = {.mode = IO_SIM_CRASH_KEPT};
    struct io *copy;

    CHECK(io_sim_fork(io, &choice, session->rig, &copy) == STATUS_OK);
    return copy;
}

static enum status
make(struct crash_session *session, struct crash_history *history, struct crash_rest *rest)
{
    TRY(crash_history_open(history));
    TRY(fill(history));
    TRY(pager_checkpoint(history->pager));
    rest->older = take_copy(session, history->io);
    TRY(steps(history, MORE_STEPS));
    TRY(edit_and_flush(history));
    rest->certain = history->model.commit_count;
    if (rest->condition == CRASH_BUSY)
        return edit_and_flush(history);
    TRY(settle_down(history));
    if (rest->condition == CRASH_QUIET)
        return STATUS_OK;
    enum status status = pager_close(history->pager);

    history->pager = NULL;
    return status;
}

bool
crash_rest_make(struct crash_session *session, const struct crash_id *id,
                enum crash_condition condition, uint32_t page_target, struct crash_rest *out)
{
    struct maker maker = {.session = session, .place = {.id = *id}};
    struct crash_history history;
    uint8_t slot[PAGE_SIZE];

    *out = (struct crash_rest){.condition = condition, .id = *id};
    crash_history_begin(&history, session, id, session->engine[0], maker_wrong, NULL, &maker);
    history.page_target = page_target;
    enum status status = make(session, &history, out);

    if (status != STATUS_OK && !maker.wrong)
        crash_history_wrong(&history, CRASH_STATUS, "a store to damage: %s: %.200s",
                            status_name(status), error_message());
    if (!maker.wrong) {
        out->io = take_copy(session, history.io);
        CHECK(io_sim_peek(out->io, CRASH_FILE, 0, slot, PAGE_SIZE) == STATUS_OK);
        out->file_id = le64_get(((const struct meta_slot *)(const void *)slot)->file_id);
        list_files(session, out);
        out->model = history.model;
        crash_model_init(&history.model, session->rig);
    }
    if (maker.wrong && out->older != NULL)
        io_close_all(out->older);
    crash_history_end(&history, false);
    return !maker.wrong;
}

void
crash_rest_free(struct crash_rest *rest)
{
    io_close_all(rest->io);
    io_close_all(rest->older);
    crash_model_deinit(&rest->model);
}

struct io *
crash_rest_copy(struct crash_session *session, const struct crash_rest *rest)
{
    return take_copy(session, rest->io);
}

enum crash_violation
crash_rest_judge(struct crash_session *session, const struct crash_rest *rest, struct io *copy,
                 struct crash_found *found)
{
    struct crash_expect expect = {.model = &rest->model,
                                  .id = rest->id,
                                  .acknowledged = rest->certain,
                                  .may_refuse_page = true,
                                  .may_refuse_file = true};
    enum crash_violation violation =
        crash_verify_disk(copy, session->engine[1], &expect, false, found, NULL);

    if (io_sim_open_count(copy) == 0)
        io_close_all(copy);
    return violation;
}
