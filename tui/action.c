/* See action.h. */
#include "tui/action.h"

#include <ctype.h>
#include <stddef.h>

#define ACTION_ROW(id, key, label, hint, help, cli, changes, group) \
    [ACTION_##id] = {#id, (uint32_t)(key), label, hint, help, cli, changes, group},
static const struct action actions[] = {ACTION_LIST(ACTION_ROW)};
#undef ACTION_ROW

const enum action_id action_everywhere[] = {
    ACTION_BACK,      ACTION_LEAVE, ACTION_TAB_1, ACTION_TAB_2,   ACTION_TAB_3,
    ACTION_TAB_4,     ACTION_TAB_5, ACTION_JOBS,  ACTION_SANDBOX, ACTION_REDRAW,
    ACTION_INTERRUPT, ACTION_HELP,  ACTION_NONE,
};

const struct action *action_get(enum action_id id)
{
    return &actions[id < ACTION_COUNT ? id : 0];
}

static enum action_id find(const enum action_id *list, uint32_t sym)
{
    for (; list && *list != ACTION_NONE; list++)
        if (actions[*list].key == sym)
            return *list;
    return ACTION_NONE;
}

static enum action_id find_both(const enum action_id *list, uint32_t sym)
{
    enum action_id id = find(list, sym);
    return id != ACTION_NONE ? id : find(action_everywhere, sym);
}

static uint32_t other_name(uint32_t sym)
{
    switch (sym) {
    case 'k':
        return KEYSYM_UP;
    case 'j':
        return KEYSYM_DOWN;
    case KEYSYM_F1:
    case KEYSYM_CTRL_G:
        return '?';
    case '=':
        return '+'; /* the same key without Shift */
    default:
        return KEYSYM_NONE;
    }
}

enum action_id action_for_key(const enum action_id *list, uint32_t sym)
{
    enum action_id id = find_both(list, sym);
    if (id == ACTION_NONE && other_name(sym))
        return find_both(list, other_name(sym));
    if (id == ACTION_NONE && sym < 0x80 && isalpha((int)sym))
        id = find_both(list, (uint32_t)(islower((int)sym) ? toupper((int)sym) : tolower((int)sym)));
    return id;
}
