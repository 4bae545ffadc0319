/* pg_settings. What it shows changes without a definition, so a plan with it serves one run. */
#include "executor/bind_catalog.h"
#include "executor/settings.h"

static enum status
fill_settings(struct listing *listing)
{
    const struct settings *settings = listing->bind->settings;
    struct settings_fact fact;

    listing->bind->once = true;
    for (uint32_t i = 0; settings != NULL && settings_at(settings, i, &fact); i++) {
        const char *value = fact.unit != NULL ? listing__digits(listing, fact.number) : fact.value;
        const char *const cells[] = {fact.name,
                                     value,
                                     fact.unit,
                                     fact.category,
                                     fact.description,
                                     NULL,
                                     fact.read_only ? "internal" : "user",
                                     fact.type,
                                     fact.is_set ? "session" : "default",
                                     NULL,
                                     NULL,
                                     NULL,
                                     fact.standard,
                                     fact.standard,
                                     NULL,
                                     NULL,
                                     "f"};

        TRY(listing__row(listing, cells));
    }
    return STATUS_OK;
}

#define TEXT QTDB_TYPE_TEXT

const struct catalog_view catalog__setting_views[] = {
    {"pg_catalog",
     "pg_settings",
     fill_settings,
     NULL,
     {{"name", TEXT},
      {"setting", TEXT},
      {"unit", TEXT},
      {"category", TEXT},
      {"short_desc", TEXT},
      {"extra_desc", TEXT},
      {"context", TEXT},
      {"vartype", TEXT},
      {"source", TEXT},
      {"min_val", TEXT},
      {"max_val", TEXT},
      {"enumvals", (enum qtdb_type)(TEXT | VALUE_ARRAY)},
      {"boot_val", TEXT},
      {"reset_val", TEXT},
      {"sourcefile", TEXT},
      {"sourceline", QTDB_TYPE_INT4},
      {"pending_restart", QTDB_TYPE_BOOL}}},
    {.name = NULL},
};
