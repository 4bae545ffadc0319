/* Pages damaged behind the back of an open handle. */
#ifndef TOOLS_QTDB_CRASH_CRASH_TORN_LIVE_H
#define TOOLS_QTDB_CRASH_CRASH_TORN_LIVE_H

#include "tools/qtdb-crash/crash.h"

/** One store, larger than its pool; its pages are damaged one after the other and read. */
void crash_torn_live(struct crash_session *session, uint64_t index);

#endif
