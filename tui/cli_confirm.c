/* See cli_confirm.h. */
#include "tui/cli_confirm.h"

#include "core/base/str.h"
#include "tui/cli_out.h"

#include <stdio.h>
#include <unistd.h>

#define WORD_MAX 160

static enum cli_exit needs_yes(struct cli *cli)
{
    struct err err = {0};
    err_set(&err, ERR_INVALID, "%s needs a confirmation, and there is no terminal to ask on",
            cli->args->verb->words);
    err_hint(&err, "add --yes if you mean it");
    cli_out_error(&err, CLI_EXIT_CONFIRM, "needs_confirmation", cli->args->json);
    return CLI_EXIT_CONFIRM;
}

enum cli_exit cli_confirm(struct cli *cli, const char *question, const char *word)
{
    char *line = NULL;
    size_t size = 0;
    char shown[WORD_MAX];
    if (cli_args_has(cli->args, "yes"))
        return CLI_EXIT_DONE;
    if (!isatty(STDIN_FILENO))
        return needs_yes(cli);
    str_sanitise_to(shown, sizeof(shown), word);
    (void)fprintf(stderr, "%s\nType %s to go on: ", question, shown);
    ssize_t n = getline(&line, &size, stdin);
    bool agreed = n > 0 && str_eq(str_trim(line), word);
    free(line);
    if (agreed)
        return CLI_EXIT_DONE;
    cli_out_note("Nothing was done.");
    return CLI_EXIT_CONFIRM;
}
