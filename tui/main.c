/* The program people and scripts start: alone it is the full-screen console, with words a command.
 */
#include "core/base/json.h"
#include "tui/app.h"
#include "tui/cli.h"

int main(int argc, char **argv)
{
    json_init();
    return argc == 1 ? app_run(NULL) : cli_main(argc, argv);
}
