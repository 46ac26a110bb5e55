/* The full-screen console: terminal, engine and screens on one loop. */
#ifndef BERTH_TUI_APP_H
#define BERTH_TUI_APP_H

#include <stdbool.h>

struct app_options {
    bool no_start; /* do not start an engine where none runs */
};

/* Runs until a person leaves or the terminal is gone; what the engine does goes on. OPTIONS may be
 * NULL. Returns the exit code: 0; 1, or 2 where there is no usable terminal (the reason is on
 * standard error); 143 after SIGTERM. */
int app_run(const struct app_options *options);

#endif
