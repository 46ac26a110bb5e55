/* Asking before something is lost. */
#ifndef BERTH_TUI_CLI_CONFIRM_H
#define BERTH_TUI_CLI_CONFIRM_H

#include "tui/cli.h"

/* CLI_EXIT_DONE: go on, since --yes was given (the verb has that option) or WORD was typed. Else
 * what to exit with: somebody said no, or there is no terminal to ask on. QUESTION says what is
 * lost. */
enum cli_exit cli_confirm(struct cli *cli, const char *question, const char *word);

#endif
