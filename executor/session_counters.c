/* What a session counts, for qtdb.h. */
#include <string.h>

#include "executor/session.h"

void
qtdb_session_get_statistics(const struct qtdb_session *session, struct qtdb_session_statistics *out)
{
    size_t size = out->size < sizeof(*out) ? out->size : sizeof(*out);
    const uint64_t *scans = session->path_counts;
    struct qtdb_session_statistics now = {
        .size = size,
        .cache_hit_count = session->cache_hit_count,
        .cache_miss_count = session->cache_miss_count,
        .cache_eviction_count = session->cache_eviction_count,
        .cached_count = session->cache_count,
        .prepared_count = session->prepared_count,
        .preparation_ns = session->preparation_ns,
        .scan_all_count = scans[EXEC_PATH_ALL],
        .scan_key_count = scans[EXEC_PATH_KEY],
        .scan_key_range_count = scans[EXEC_PATH_KEY_RANGE],
        .scan_index_count = scans[EXEC_PATH_INDEX],
        .scan_index_only_count = scans[EXEC_PATH_INDEX_ALONE],
        .scan_span_row_count = scans[EXEC_PATH_SPAN_ROWS],
        .scan_counted_leaf_count = scans[EXEC_PATH_LEAVES],
    };

    memcpy(out, &now, size);
}
