/* Everything a key can do. The one table below makes the enum, the key map, the hint lines, the
 * help overlay and the names of what changes something, so that none of them can disagree. A screen
 * lists the actions it knows; within such a list (and with the ones that work everywhere) no key
 * may appear twice, which a test checks. */
#ifndef BERTH_TUI_ACTION_H
#define BERTH_TUI_ACTION_H

#include "tui/key.h"

#include <stdbool.h>

enum action_group { GROUP_MOVE, GROUP_LOOK, GROUP_CHANGE, GROUP_EVERYWHERE, GROUP_COUNT };

/* id, key, its label, short hint ("" = help only), sentence for the help, same thing on the command
 * line, changes something, group */
#define ACTION_LIST(X)                                                                             \
    X(UP, KEYSYM_UP, "Up k", "", "one line up", NULL, false, GROUP_MOVE)                           \
    X(DOWN, KEYSYM_DOWN, "Down j", "", "one line down", NULL, false, GROUP_MOVE)                   \
    X(PAGE_UP, KEYSYM_PAGE_UP, "PgUp", "", "one page up", NULL, false, GROUP_MOVE)                 \
    X(PAGE_DOWN, KEYSYM_PAGE_DOWN, "PgDn", "", "one page down", NULL, false, GROUP_MOVE)           \
    X(FIRST, KEYSYM_HOME, "Home", "", "first line", NULL, false, GROUP_MOVE)                       \
    X(LAST, KEYSYM_END, "End", "", "last line", NULL, false, GROUP_MOVE)                           \
    X(LOG_LAST, KEYSYM_END, "End", "", "last line, and follow", NULL, false, GROUP_MOVE)           \
    X(LEFT, KEYSYM_LEFT, "Left", "", "sideways, left", NULL, false, GROUP_MOVE)                    \
    X(RIGHT, KEYSYM_RIGHT, "Right", "", "sideways, right", NULL, false, GROUP_MOVE)                \
    X(NEXT_FIELD, KEYSYM_TAB, "Tab", "move", "next field", NULL, false, GROUP_MOVE)                \
    X(PREV_FIELD, KEYSYM_BACKTAB, "Shift-Tab", "", "previous field", NULL, false, GROUP_MOVE)      \
    X(OPEN, KEYSYM_ENTER, "Enter", "open", "open what is marked", NULL, false, GROUP_LOOK)         \
    X(CHOOSE, KEYSYM_ENTER, "Enter", "choose", "choose what is marked", NULL, false, GROUP_LOOK)   \
    X(NEXT, KEYSYM_ENTER, "Enter", "Next", "go on to the next step", NULL, false, GROUP_LOOK)      \
    X(CLOSE, KEYSYM_ENTER, "Enter", "close", "close this", NULL, false, GROUP_LOOK)                \
    X(DETAIL, KEYSYM_ENTER, "Enter", "detail", "everything about it", NULL, false, GROUP_LOOK)     \
    X(PLOT, KEYSYM_ENTER, "Enter", "plot", "a large plot of it", NULL, false, GROUP_LOOK)          \
    X(INSTALL, KEYSYM_ENTER, "Enter", "Install", "install the VM as shown",                        \
      "berth vm create --name NAME", true, GROUP_CHANGE)                                           \
    X(CONNECT_NOW, KEYSYM_ENTER, "Enter", "Connect", "connect with it",                            \
      "berth provision connection-string --file -", true, GROUP_CHANGE)                            \
    X(GO_ON, KEYSYM_ENTER, "Enter", "go on", "go on from here", NULL, false, GROUP_LOOK)           \
    X(TICK, KEYSYM_SPACE, "Space", "change", "choose or tick", NULL, false, GROUP_CHANGE)          \
    X(SHOW_SECRET, KEYSYM_CTRL_V, "Ctrl-V", "show/hide", "show or hide the text", NULL, false,     \
      GROUP_LOOK)                                                                                  \
    X(WIPE, KEYSYM_CTRL_U, "Ctrl-U", "clear", "empty the field", NULL, false, GROUP_CHANGE)        \
    X(LOG, 'L', "L", "log", "its log", "berth logs -f MODULE", false, GROUP_LOOK)                  \
    X(SERIAL, 'L', "L", "serial console", "the VM's serial console", "berth logs -f @serial",      \
      false, GROUP_LOOK)                                                                           \
    X(ENGINE_LOG, 'L', "L", "engine's log", "the engine's own log", "berth engine log", false,     \
      GROUP_LOOK)                                                                                  \
    X(SORT, 'S', "S", "sort", "sort by another column", NULL, false, GROUP_LOOK)                   \
    X(REFRESH, 'R', "R", "check again", "check again", "berth host check", false, GROUP_LOOK)      \
    X(NEXT_VM, KEYSYM_TAB, "Tab", "next VM", "show the next VM", NULL, false, GROUP_LOOK)          \
    X(WIDER, '+', "+", "longer", "a longer time", NULL, false, GROUP_LOOK)                         \
    X(NARROWER, '-', "-", "shorter", "a shorter time", NULL, false, GROUP_LOOK)                    \
    X(CONNECT, 'C', "C", "connect", "to Azure or the sandbox",                                     \
      "berth provision connection-string --file -", false, GROUP_CHANGE)                           \
    X(NEW_VM, 'N', "N", "new VM", "install a VM", "berth vm create --name NAME", false,            \
      GROUP_CHANGE)                                                                                \
    X(MODULE_RESTART, 'X', "X", "restart", "restart the module", "berth module restart MODULE",    \
      true, GROUP_CHANGE)                                                                          \
    X(MODULE_START, 'A', "A", "start", "start the module", "berth module start MODULE", true,      \
      GROUP_CHANGE)                                                                                \
    X(MODULE_STOP, 'T', "T", "stop", "stop the module (asks)", "berth module stop MODULE", true,   \
      GROUP_CHANGE)                                                                                \
    X(VM_START, 'A', "A", "start", "start the VM", "berth vm start", true, GROUP_CHANGE)           \
    X(VM_STOP, 'T', "T", "stop", "stop the VM (asks)", "berth vm stop", true, GROUP_CHANGE)        \
    X(VM_RESTART, 'X', "X", "restart", "restart the VM (asks)", "berth vm restart", true,          \
      GROUP_CHANGE)                                                                                \
    X(VM_FORCE, 'F', "F", "force off", "cut its power (asks)", "berth vm stop --force", true,      \
      GROUP_CHANGE)                                                                                \
    X(TPM, 'P', "P", "TPM", "the key of its TPM", "berth vm tpm", false, GROUP_LOOK)               \
    X(VM_DELETE, 'Z', "Z", "delete VM", "delete the VM (asks twice)", "berth vm delete NAME",      \
      true, GROUP_CHANGE)                                                                          \
    X(SANDBOX_START, 'A', "A", "start", "start the sandbox", "berth sandbox start", true,          \
      GROUP_CHANGE)                                                                                \
    X(SANDBOX_STOP, 'T', "T", "stop", "stop the sandbox (asks)", "berth sandbox stop", true,       \
      GROUP_CHANGE)                                                                                \
    X(SANDBOX_RESET, 'Z', "Z", "reset", "delete it all (asks)", "berth sandbox reset", true,       \
      GROUP_CHANGE)                                                                                \
    X(NEXT_HUB, KEYSYM_TAB, "Tab", "next hub", "the devices of the next hub", NULL, false,         \
      GROUP_LOOK)                                                                                  \
    X(EVENTS, 'L', "L", "events", "what devices send", "berth sandbox events -f", false,           \
      GROUP_LOOK)                                                                                  \
    X(DEVICE_NEW, 'N', "N", "new device", "make a device", "berth sandbox device create ID",       \
      false, GROUP_CHANGE)                                                                         \
    X(DEVICE_MAKE, KEYSYM_ENTER, "Enter", "Make it", "make the device as shown",                   \
      "berth sandbox device create ID", true, GROUP_CHANGE)                                        \
    X(DEVICE_STRING, 'S', "S", "connection string", "show it for 30 s",                            \
      "berth sandbox device show ID --connection-string", false, GROUP_LOOK)                       \
    X(DEVICE_MODULE, KEYSYM_TAB, "Tab", "next module", "the next module's twin",                   \
      "berth sandbox twin show ID/MODULE", false, GROUP_LOOK)                                      \
    X(DEVICE_INVOKE, 'I', "I", "invoke", "call a method of it", "berth sandbox invoke ID METHOD",  \
      false, GROUP_CHANGE)                                                                         \
    X(INVOKE_NOW, KEYSYM_ENTER, "Enter", "Invoke", "call the method",                              \
      "berth sandbox invoke ID METHOD", true, GROUP_CHANGE)                                        \
    X(DEVICE_ENABLE, 'E', "E", "enable", "let it connect again", "berth sandbox device enable ID", \
      true, GROUP_CHANGE)                                                                          \
    X(DEVICE_DISABLE, 'D', "D", "disable", "cut it off (asks)", "berth sandbox device disable ID", \
      true, GROUP_CHANGE)                                                                          \
    X(DEVICE_DELETE, 'Z', "Z", "delete", "delete the device (asks)",                               \
      "berth sandbox device delete ID", true, GROUP_CHANGE)                                        \
    X(JOB_CANCEL, 'C', "C", "cancel", "cancel and undo it (asks)", "berth job cancel ID", true,    \
      GROUP_CHANGE)                                                                                \
    X(JOB_LEAVE, 'B', "B", "leave it running", "leave; the job goes on", NULL, false, GROUP_LOOK)  \
    X(PAUSE, KEYSYM_SPACE, "Space", "pause", "pause, or follow again", NULL, false, GROUP_LOOK)    \
    X(SEARCH, '/', "/", "search", "search (PCRE2)", NULL, false, GROUP_LOOK)                       \
    X(MATCH_NEXT, 'n', "n", "next", "next match", NULL, false, GROUP_LOOK)                         \
    X(MATCH_PREV, 'N', "N", "previous", "previous match", NULL, false, GROUP_LOOK)                 \
    X(FILTER, '&', "&", "filter", "show matches; !X hides X", NULL, false, GROUP_LOOK)             \
    X(LEVEL, 'v', "v", "level", "level: all, info, warn, err", NULL, false, GROUP_LOOK)            \
    X(STAMPS, 't', "t", "times", "times: short, ms, UTC, off", NULL, false, GROUP_LOOK)            \
    X(FOLD, 'w', "w", "wrap", "wrap long lines", NULL, false, GROUP_LOOK)                          \
    X(ERROR_NEXT, 'e', "e", "next error", "next error", NULL, false, GROUP_MOVE)                   \
    X(ERROR_PREV, 'E', "E", "", "previous error", NULL, false, GROUP_MOVE)                         \
    X(BACK, KEYSYM_ESC, "Esc", "Back", "back, close", NULL, false, GROUP_EVERYWHERE)               \
    X(LEAVE, 'q', "q", "Quit", "back, or quit", NULL, false, GROUP_EVERYWHERE)                     \
    X(TAB_1, '1', "1 - 5", "", "go to a screen", NULL, false, GROUP_EVERYWHERE)                    \
    X(TAB_2, '2', NULL, "", "Modules", "berth module list", false, GROUP_EVERYWHERE)               \
    X(TAB_3, '3', NULL, "", "Logs", "berth logs MODULE", false, GROUP_EVERYWHERE)                  \
    X(TAB_4, '4', NULL, "", "Metrics", "berth metrics", false, GROUP_EVERYWHERE)                   \
    X(TAB_5, '5', NULL, "", "VM", "berth vm show", false, GROUP_EVERYWHERE)                        \
    X(JOBS, 'J', "J", "jobs", "what runs and what ran", "berth job list", false, GROUP_EVERYWHERE) \
    X(SANDBOX, 'O', "O", "sandbox", "the sandbox and its devices", "berth sandbox show", false,    \
      GROUP_EVERYWHERE)                                                                            \
    X(REDRAW, KEYSYM_CTRL_L, "Ctrl-L", "", "draw the screen again", NULL, false, GROUP_EVERYWHERE) \
    X(INTERRUPT, KEYSYM_CTRL_C, "Ctrl-C", "Quit", "quit; jobs go on", NULL, false,                 \
      GROUP_EVERYWHERE)                                                                            \
    X(FORM_HELP, KEYSYM_F1, "F1", "Help", "this help", NULL, false, GROUP_EVERYWHERE)              \
    X(HELP, '?', "?", "Help", "this help (in a form: F1)", "berth help", false, GROUP_EVERYWHERE)

#define ACTION_ENUM(id, key, label, hint, help, cli, changes, group) ACTION_##id,
enum action_id { ACTION_LIST(ACTION_ENUM) ACTION_COUNT, ACTION_NONE = ACTION_COUNT };
#undef ACTION_ENUM

struct action {
    const char *name;
    uint32_t key;
    const char *label;
    const char *hint;
    const char *help;
    const char *cli;
    bool changes;
    enum action_group group;
};

const struct action *action_get(enum action_id id);

/* The action a key means among LIST (ends with ACTION_NONE) and the ones that work everywhere;
 * ACTION_NONE where none. j k and F1 stand for their arrows and "?"; a letter also works in its
 * other case where that is free. */
enum action_id action_for_key(const enum action_id *list, uint32_t sym);

extern const enum action_id action_everywhere[]; /* ends with ACTION_NONE */

#endif
