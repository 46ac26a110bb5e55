/* From every screen there is a way out, also where it has nothing to show. */
#include "tests/unit/ui_fixture.h"

#include <criterion/criterion.h>

Test(ui, q_leaves_every_tab_though_there_is_no_vm)
{
    for (uint32_t tab = '1'; tab <= '5'; tab++) {
        struct ui_fixture f;
        ui_fixture_init(&f, 24, 80);
        ui_fixture_site(&f);
        ui_fixture_key(&f, tab);
        ui_fixture_empty(&f);
        for (int i = 0; i < 3 && !ui_quitting(f.ui); i++)
            ui_fixture_key(&f, 'q');
        cr_expect(ui_quitting(f.ui), "tab %c", (char)tab);
        ui_fixture_done(&f);
    }
}
