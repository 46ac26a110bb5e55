/* Boxes over a screen: a question whose answer is Cancel unless one says otherwise, with the name
 * typed for what cannot be undone; and a message that explains an error. */
#ifndef BERTH_TUI_DIALOG_H
#define BERTH_TUI_DIALOG_H

#include "tui/ui.h"

struct dialog_arg {
    const char *title;   /* "Delete VM edge-07-vm?" */
    const char *text;    /* what is lost and what is kept; \n between lines */
    const char *yes;     /* "Delete" */
    const char *word;    /* must be typed; NULL: a choice suffices */
    const char *prompt;  /* asks for it; NULL: it is the thing's name */
    const char *cli;     /* the same thing as a command */
    const char *subject; /* handed to on_yes, e.g. the VM */
    const char *object;  /* handed to on_yes, e.g. the module; may be NULL */
    void (*on_yes)(struct ui *ui, const char *subject, const char *object);
};

struct message_arg {
    const char *title;
    const struct err *err;
};

#endif
