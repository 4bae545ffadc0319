/* Places as text, and what else all parts of the rig need: memory, sessions, the pagers' options. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/qtdb-crash/crash.h"

static const char *const mode_names[] = {
    [IO_SIM_CRASH_LOST] = "lost",       [IO_SIM_CRASH_KEPT] = "kept",
    [IO_SIM_CRASH_PREFIX] = "prefix",   [IO_SIM_CRASH_DROP_ONE] = "drop",
    [IO_SIM_CRASH_KEEP_ONE] = "keep",   [IO_SIM_CRASH_MASK] = "mask",
    [IO_SIM_CRASH_RANDOM] = "random",   [IO_SIM_CRASH_GARBAGE] = "garbage",
    [IO_SIM_CRASH_PROCESS] = "process",
};

void
crash_place_print(const struct crash_place *place, char out[CRASH_PLACE_TEXT_SIZE])
{
    int used = snprintf(out, CRASH_PLACE_TEXT_SIZE, "%" PRIx64 ":%s:%s", place->id.seed,
                        crash_workload_name(place->id.workload),
                        place->id.policy == PAGER_POLICY_RANGE ? "range" : "image");

    for (uint32_t depth = 0; depth < place->depth; depth++) {
        const struct crash_step *step = &place->steps[depth];

        CHECK(used > 0 && used < CRASH_PLACE_TEXT_SIZE);
        used += snprintf(out + used, CRASH_PLACE_TEXT_SIZE - (size_t)used,
                         "/%" PRIu64 ".%s.%" PRIx64 ".%" PRIx64, step->point,
                         mode_names[step->choice.mode], step->choice.index, step->choice.seed);
    }
}

static bool
parse_number(const char **text, int base, char after, uint64_t *out)
{
    char *end;

    *out = strtoull(*text, &end, base);
    if (end == *text || (*end != after && *end != '\0' && *end != '/'))
        return false;
    *text = *end == after ? end + 1 : end;
    return true;
}

/* The index of the name that `*text` begins with, moved past it and `after`; 0: none. */
static int
parse_name(const char **text, const char *const *names, int count, char after)
{
    for (int index = 1; index < count; index++) {
        size_t size = strlen(names[index]);

        if (strncmp(*text, names[index], size) == 0 && (*text)[size] == after) {
            *text += size + (after != '\0');
            return index;
        }
    }
    return 0;
}

static bool
parse_id(const char **text, struct crash_id *out)
{
    static const char *const policies[] = {NULL, "image", "range"};
    const char *workloads[CRASH_ROWS + 1];
    int workload;
    int policy;

    for (int index = 0; index <= CRASH_ROWS; index++)
        workloads[index] = crash_workload_name((enum crash_workload)index);
    if (!parse_number(text, 16, ':', &out->seed))
        return false;
    workload = parse_name(text, workloads, CRASH_ROWS + 1, ':');
    policy = parse_name(text, policies, 3, '/');
    if (policy == 0)
        policy = parse_name(text, policies, 3, '\0');
    out->workload = (enum crash_workload)workload;
    out->policy = (enum pager_policy)policy;
    return workload != 0 && policy != 0;
}

static bool
parse_step(const char **text, struct crash_step *out)
{
    if (!parse_number(text, 10, '.', &out->point))
        return false;
    int mode = parse_name(text, mode_names, IO_SIM_CRASH_PROCESS + 1, '.');

    out->choice.mode = (enum io_sim_crash_mode)mode;
    return mode != 0 && parse_number(text, 16, '.', &out->choice.index) &&
           parse_number(text, 16, '/', &out->choice.seed);
}

bool
crash_place_parse(const char *text, struct crash_place *out)
{
    size_t size = strlen(text);

    memset(out, 0, sizeof(*out));
    if (size == 0 || text[size - 1] == '/')
        return false;
    if (!parse_id(&text, &out->id))
        return false;
    while (*text != '\0') {
        if (out->depth == CRASH_DEPTH_MAX || !parse_step(&text, &out->steps[out->depth]))
            return false;
        out->depth++;
    }
    return true;
}

void *
crash_alloc(struct memory *memory, size_t size)
{
    void *pointer = memory_alloc(memory, MEMORY_OTHER, size);

    CHECK(pointer != NULL);
    return pointer;
}

void *
crash_resize(struct memory *memory, void *pointer, size_t old_size, size_t new_size)
{
    void *resized = memory_resize(memory, MEMORY_OTHER, pointer, old_size, new_size);

    CHECK(resized != NULL);
    return resized;
}

void
crash_free(struct memory *memory, void *pointer, size_t size)
{
    memory_free(memory, MEMORY_OTHER, pointer, size);
}

void
crash_session_init(struct crash_session *session, const struct crash_options *options,
                   struct crash_report *report, struct crash_set *seen)
{
    *session = (struct crash_session){.options = options, .report = report, .seen = seen};
    session->rig = memory_new();
    CHECK(session->rig != NULL);
    for (int depth = 0; depth <= CRASH_DEPTH_MAX; depth++) {
        session->engine[depth] = memory_new();
        CHECK(session->engine[depth] != NULL);
    }
}

void
crash_session_deinit(struct crash_session *session)
{
    memory_free(session->engine[1], MEMORY_OTHER, session->kept, CRASH_KEPT_SIZE);
    for (int depth = 0; depth <= CRASH_DEPTH_MAX; depth++) {
        /* What an engine leaked has been reported by then. */
        if (memory_live_count(session->engine[depth]) == 0)
            memory_delete(session->engine[depth]);
    }
    memory_delete(session->rig);
}

struct pager_options
crash_pager_options(const struct crash_id *id)
{
    return (struct pager_options){.policy = id->policy,
                                  .pool_size = UINT64_C(64) * PAGE_SIZE,
                                  .log_limit = UINT64_C(4) * CRASH_SEGMENT_SIZE,
                                  .segment_size = CRASH_SEGMENT_SIZE,
                                  .page_limit = CRASH_PAGE_LIMIT,
                                  .grow_count = 8,
                                  .flush_depth = 8,
                                  .log_buffer_count = 8,
                                  .log_frame_size = 8192,
                                  .owner_pid = 1};
}
