/* berth sandbox enrol ... and ca ...: who the sandbox's provisioning service lets in, and the
 * certificate authorities that it and its hubs accept. */
#include "core/base/clock.h"
#include "core/base/json.h"
#include "core/base/mem.h"
#include "core/base/str.h"
#include "core/rpc/model_sandbox.h"
#include "tui/cli_confirm.h"
#include "tui/cli_out.h"
#include "tui/cli_sandbox.h"
#include "tui/cli_verbs.h"

#define CERTIFICATE_MAX (64U << 10)
#define KEY_MAX         1024

/* ---- enrolments ---- */

static void print_list(const cJSON *list)
{
    static const char *const head[] = {"ENROLMENT", "KIND", "STATE", "AUTH", "DEVICE", "HUB"};
    auto_grid struct cli_grid grid = {.columns = ARRAY_LEN(head)};
    const cJSON *item = NULL;
    cli_grid_head(&grid, head);
    cJSON_ArrayForEach(item, list)
    {
        struct sandbox_enrolment e;
        model_parse_enrolment(item, &e);
        cli_grid_add(&grid, e.id);
        cli_grid_add(&grid, e.group ? "group" : "single");
        cli_grid_add(&grid, e.enabled ? "enabled" : "disabled");
        cli_grid_add(&grid, sandbox_auth_name(e.auth));
        cli_grid_add(&grid, e.device);
        cli_grid_add(&grid, e.hub);
    }
    if (grid.n == grid.columns) {
        cli_out_note("There is no enrolment yet; `berth sandbox enrol create ID` makes one.");
        return;
    }
    cli_grid_show(&grid);
}

int cli_sandbox_enrol_list(struct cli *cli)
{
    enum cli_exit failed = CLI_EXIT_DONE;
    auto_json cJSON *result = cli_sandbox_call(cli, "sandbox.enrol_list", NULL, &failed);
    if (!result)
        return (int)failed;
    if (cli->args->json)
        cli_out_json_list("EnrolmentList",
                          cJSON_DetachItemFromObjectCaseSensitive(result, "enrolments"));
    else
        print_list(json_get(result, "enrolments"));
    return CLI_EXIT_DONE;
}

static void print_line(const char *label, const char *value)
{
    if (value[0])
        cli_out_printf("%-16s %s\n", label, value);
}

/* What the provisioning wizard asks for, in its words, then the same as a piece of config.toml. */
static void print_enrolment(struct cli *cli, const cJSON *result)
{
    const char *toml = json_str(result, "configToml", "");
    print_line(json_bool(result, "group", false) ? "group" : "enrolment",
               json_str(result, "id", "-"));
    if (!json_bool(result, "enabled", true))
        print_line("state", "disabled");
    print_line("auth", json_str(result, "auth", "-"));
    print_line("ID scope", json_str(result, "idScope", "-"));
    print_line("global endpoint", json_str(result, "globalEndpoint", "-"));
    print_line("registration ID", json_str(result, "registrationId", ""));
    print_line("group key", json_str(result, "groupKey", ""));
    print_line("key", json_str(result, "key", ""));
    if (toml[0])
        cli_out_printf("\nFor config.toml:\n\n%s", toml);
    else
        cli_out_note("What one device of the group needs: berth sandbox enrol show %s --group "
                     "--for REGISTRATION-ID",
                     cli->args->places[0]);
}

static int show(struct cli *cli, const char *method, cJSON *take_params)
{
    enum cli_exit failed = CLI_EXIT_DONE;
    auto_json cJSON *result = cli_sandbox_call(cli, method, take_params, &failed);
    if (!result)
        return (int)failed;
    if (cli->args->json)
        cli_out_json("Enrolment", steal(result));
    else
        print_enrolment(cli, result);
    return CLI_EXIT_DONE;
}

/* {id, group, for?} */
static cJSON *enrolment_params(const struct cli *cli)
{
    cJSON *params = cJSON_CreateObject();
    json_add_str(params, "id", cli->args->places[0]);
    json_add_bool(params, "group", cli_args_has(cli->args, "group"));
    if (cli_args_takes(cli->args, "for") && cli_args_has(cli->args, "for"))
        json_add_str(params, "for", cli_args_value(cli->args, "for"));
    return params;
}

int cli_sandbox_enrol_show(struct cli *cli)
{
    return show(cli, "sandbox.enrol_show", enrolment_params(cli));
}

static int add_file(cJSON *params, const char *key, const char *file, size_t max, struct err *err)
{
    auto_wiped_buf struct buf text = {0};
    if (cli_read(file, max, &text, err) < 0)
        return -1;
    char *from = text.data ? str_trim(text.data) : NULL;
    if (!from || !from[0])
        return err_set(err, ERR_INVALID, "%s: nothing is in it", file);
    json_add_str(params, key, from);
    return 0;
}

static int creation_params(const struct cli_args *args, cJSON *params, struct err *err)
{
    const char *key = cli_args_value(args, "key-file");
    const char *certificate = cli_args_value(args, "x509");
    bool several = cli_args_has(args, "key") + (key != NULL) + (certificate != NULL) +
                       cli_args_has(args, "tpm") >
                   1;
    if (several)
        return err_set(err, ERR_INVALID, "--key, --key-file, --x509 and --tpm: choose one");
    json_add_bool(params, "edge", cli_args_has(args, "edge"));
    if (cli_args_has(args, "tpm"))
        json_add_str(params, "endorsementKey", cli_args_value(args, "tpm"));
    if (cli_args_has(args, "device"))
        json_add_str(params, "deviceId", cli_args_value(args, "device"));
    if (cli_args_has(args, "assign-to"))
        json_add_str(params, "assignTo", cli_args_value(args, "assign-to"));
    if (key)
        return add_file(params, "key", key, KEY_MAX, err);
    return certificate ? add_file(params, "certificate", certificate, CERTIFICATE_MAX, err) : 0;
}

int cli_sandbox_enrol_create(struct cli *cli)
{
    struct err err = {0};
    auto_json cJSON *params = enrolment_params(cli);
    if (creation_params(cli->args, params, &err) < 0)
        return (int)cli_fail(cli, &err);
    return show(cli, "sandbox.enrol_create", steal(params));
}

int cli_sandbox_enrol_delete(struct cli *cli)
{
    const char *id = cli->args->places[0];
    enum cli_exit result = cli_confirm(
        cli, "No device can register with it any more; those that did stay in the hub.", id);
    if (result != CLI_EXIT_DONE)
        return (int)result;
    auto_json cJSON *answer =
        cli_sandbox_call(cli, "sandbox.enrol_delete", enrolment_params(cli), &result);
    if (!answer)
        return (int)result;
    auto_free char *words = xasprintf("%s is deleted.", id);
    cli_sandbox_did(cli, "EnrolmentDeleted", "id", id, words);
    return CLI_EXIT_DONE;
}

/* ---- certificate authorities ---- */

int cli_sandbox_ca_list(struct cli *cli)
{
    static const char *const head[] = {"THUMBPRINT", "SUBJECT", "VALID UNTIL"};
    enum cli_exit failed = CLI_EXIT_DONE;
    auto_json cJSON *result = cli_sandbox_call(cli, "sandbox.ca_list", NULL, &failed);
    if (!result)
        return (int)failed;
    if (cli->args->json) {
        cli_out_json_list("AuthorityList",
                          cJSON_DetachItemFromObjectCaseSensitive(result, "authorities"));
        return CLI_EXIT_DONE;
    }
    auto_grid struct cli_grid grid = {.columns = ARRAY_LEN(head)};
    const cJSON *item = NULL;
    cli_grid_head(&grid, head);
    cJSON_ArrayForEach(item, json_get(result, "authorities"))
    {
        struct sandbox_authority a;
        char until[CLOCK_TEXT_MAX];
        model_parse_authority(item, &a);
        clock_format(until, sizeof(until), a.until_ms);
        cli_grid_add(&grid, a.thumbprint);
        cli_grid_add(&grid, a.subject);
        cli_grid_add(&grid, until);
    }
    if (grid.n == grid.columns) {
        cli_out_note("There is none; `berth sandbox ca add FILE` adds one.");
        return CLI_EXIT_DONE;
    }
    cli_grid_show(&grid);
    return CLI_EXIT_DONE;
}

int cli_sandbox_ca_add(struct cli *cli)
{
    struct err err = {0};
    enum cli_exit failed = CLI_EXIT_DONE;
    auto_json cJSON *params = cJSON_CreateObject();
    if (add_file(params, "certificate", cli->args->places[0], CERTIFICATE_MAX, &err) < 0)
        return (int)cli_fail(cli, &err);
    auto_json cJSON *result = cli_sandbox_call(cli, "sandbox.ca_add", steal(params), &failed);
    if (!result)
        return (int)failed;
    if (cli->args->json)
        cli_out_json("Authority", steal(result));
    else
        cli_out_printf("%s  %s\n", json_str(result, "thumbprint", "-"),
                       json_str(result, "subject", "-"));
    return CLI_EXIT_DONE;
}

int cli_sandbox_ca_remove(struct cli *cli)
{
    const char *thumbprint = cli->args->places[0];
    enum cli_exit result = cli_confirm(
        cli, "Devices whose certificate it signed cannot connect any more.", thumbprint);
    if (result != CLI_EXIT_DONE)
        return (int)result;
    cJSON *params = cJSON_CreateObject();
    json_add_str(params, "thumbprint", thumbprint);
    auto_json cJSON *answer = cli_sandbox_call(cli, "sandbox.ca_remove", params, &result);
    if (!answer)
        return (int)result;
    cli_sandbox_did(cli, "AuthorityRemoved", "thumbprint", thumbprint, "The authority is removed.");
    return CLI_EXIT_DONE;
}
