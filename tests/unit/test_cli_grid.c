/* Aligned text of the command line. */
#include "tui/cli_out.h"

#include <criterion/criterion.h>

Test(cli_grid, aligns_by_characters)
{
    auto_grid struct cli_grid grid = {.columns = 3};
    auto_buf struct buf out = {0};
    static const char *const cells[] = {"NAME", "STATE", "WHY",     "prüfer", "ok",
                                        "",     "b",     "stopped", "by hand"};
    for (size_t i = 0; i < sizeof(cells) / sizeof(*cells); i++)
        cli_grid_add(&grid, cells[i]);
    cli_grid_print(&grid, &out);
    cr_assert_str_eq(buf_str(&out), "NAME    STATE    WHY\n"
                                    "prüfer  ok       -\n"
                                    "b       stopped  by hand\n");
}

Test(cli_grid, makes_foreign_text_harmless)
{
    auto_grid struct cli_grid grid = {.columns = 1};
    auto_buf struct buf out = {0};
    cli_grid_add(&grid, "\x1b[31mred\nnext");
    cli_grid_print(&grid, &out);
    cr_assert_str_eq(buf_str(&out), "^[[31mred^Jnext\n");
}
