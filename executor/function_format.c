#include "executor/function.h"

const struct function function_format_table[] = {
    {NULL, 0, 0, {0}, 0, false, false, NULL},
};
