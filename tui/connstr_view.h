/* A first look at a pasted connection string while it is still in the field: which parts it has and
 * what is wrong with it. The engine has the last word. Pure. */
#ifndef BERTH_TUI_CONNSTR_VIEW_H
#define BERTH_TUI_CONNSTR_VIEW_H

#include "core/base/model.h"

#include <stdbool.h>
#include <stddef.h>

enum connstr_part { CONNSTR_HOST, CONNSTR_DEVICE, CONNSTR_KEY, CONNSTR_KIND, CONNSTR_PARTS };

struct connstr_view {
    struct {
        const char *label; /* static */
        char text[140];    /* never the key itself */
        enum light light;
    } parts[CONNSTR_PARTS];
    bool good;
};

void connstr_view_parse(const char *text, size_t len, struct connstr_view *ret);

#endif
