/* Exit codes are a promise to scripts. */
#include "core/base/str.h"
#include "tui/cli_exit.h"

#include <criterion/criterion.h>

Test(cli_exit, keeps_its_promise)
{
    static const struct {
        enum err_kind kind;
        int code;
    } wanted[] = {
        {ERR_NONE, 0},      {ERR_INVALID, 6},     {ERR_NOT_FOUND, 3},    {ERR_EXISTS, 6},
        {ERR_BUSY, 5},      {ERR_AUTH, 4},        {ERR_UNREACHABLE, 10}, {ERR_TIMEOUT, 8},
        {ERR_CANCELLED, 1}, {ERR_UNSUPPORTED, 7}, {ERR_NO_SPACE, 7},     {ERR_PROTOCOL, 1},
        {ERR_REMOTE, 1},    {ERR_SYSTEM, 1},      {ERR_BUG, 1},
    };
    cr_assert_eq(ARRAY_LEN(wanted), (size_t)ERR_KIND_COUNT);
    for (size_t i = 0; i < ARRAY_LEN(wanted); i++)
        cr_assert_eq((int)cli_exit_of(wanted[i].kind), wanted[i].code, "%s",
                     err_kind_name(wanted[i].kind));
    cr_assert_eq(cli_exit_of(ERR_KIND_COUNT), CLI_EXIT_FAILED, "a kind of a newer engine");
}

static int code_of(const char *kind, enum job_state state, enum err_kind error)
{
    struct job_status job = {.state = state, .error = {.kind = error}};
    STR_SET(job.kind, kind);
    return (int)cli_exit_of_job(&job);
}

Test(cli_exit, tells_the_cloud_from_the_host)
{
    cr_assert_eq(code_of("vm.create", JOB_STATE_DONE, ERR_NONE), 0);
    cr_assert_eq(code_of("vm.create", JOB_STATE_FAILED, ERR_NO_SPACE), 7);
    cr_assert_eq(code_of("vm.create", JOB_STATE_FAILED, ERR_AUTH), 4);
    cr_assert_eq(code_of("provision.connection_string", JOB_STATE_FAILED, ERR_AUTH), 9);
    cr_assert_eq(code_of("provision.sandbox", JOB_STATE_FAILED, ERR_REMOTE), 9);
    cr_assert_eq(code_of("provision", JOB_STATE_FAILED, ERR_UNREACHABLE), 10);
    cr_assert_eq(code_of("provision", JOB_STATE_FAILED, ERR_INVALID), 6);
    cr_assert_eq(code_of("vm.create", JOB_STATE_CANCELLED, ERR_NONE), 1);
}
