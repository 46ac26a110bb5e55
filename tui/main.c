/* The program people and scripts start. */
#include "tui/cli.h"

int main(int argc, char **argv)
{
    return cli_main(argc, argv);
}
