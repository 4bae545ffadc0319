/* The one rig of a test's process. */
#include "tests/support/sql_rig.h"

struct db_rig rig;
struct qtdb_session *session;

void
sql_rig_open(void)
{
    db_rig_init(&rig, 1);
    DB(qtdb_session_open(rig.db, &session));
}

void
sql_rig_close(void)
{
    qtdb_session_close(session);
    session = NULL;
    db_rig_deinit(&rig);
}
