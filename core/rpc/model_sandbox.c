/* See model_sandbox.h. */
#include "core/rpc/model_sandbox.h"

#include "core/rpc/model_member.h"

#include <string.h>

WORDS(sandbox_auth, sandbox_auth);

static const struct member device_members[] = {
    {"deviceId", MEMBER_TEXT, AT(sandbox_device, id)},
    {"moduleId", MEMBER_TEXT_OPT, AT(sandbox_device, module)},
    {"parent", MEMBER_TEXT_OPT, AT(sandbox_device, parent)},
    {"auth", MEMBER_WORD, AT(sandbox_device, auth), .words = &sandbox_auth_words},
    {"thumbprint", MEMBER_TEXT_OPT, AT(sandbox_device, thumbprint)},
    {"secondaryThumbprint", MEMBER_TEXT_OPT, AT(sandbox_device, thumbprint2)},
    {"edge", MEMBER_BOOL, AT(sandbox_device, edge)},
    {"enabled", MEMBER_BOOL, AT(sandbox_device, enabled)},
    {"connected", MEMBER_BOOL, AT(sandbox_device, connected)},
    {"modules", MEMBER_COUNT, AT(sandbox_device, modules)},
    {"waitingMessages", MEMBER_U32, AT(sandbox_device, waiting)},
    {"activityMs", MEMBER_U64, AT(sandbox_device, activity_ms)},
    {"changedMs", MEMBER_U64, AT(sandbox_device, changed_ms)},
    END,
};

static const struct member enrolment_members[] = {
    {"id", MEMBER_TEXT, AT(sandbox_enrolment, id)},
    {"group", MEMBER_BOOL, AT(sandbox_enrolment, group)},
    {"auth", MEMBER_WORD, AT(sandbox_enrolment, auth), .words = &sandbox_auth_words},
    {"deviceId", MEMBER_TEXT_OPT, AT(sandbox_enrolment, device)},
    {"thumbprint", MEMBER_TEXT_OPT, AT(sandbox_enrolment, thumbprint)},
    {"edge", MEMBER_BOOL, AT(sandbox_enrolment, edge)},
    {"enabled", MEMBER_BOOL, AT(sandbox_enrolment, enabled)},
    {"assignedHub", MEMBER_TEXT_OPT, AT(sandbox_enrolment, hub)},
    END,
};

static const struct member authority_members[] = {
    {"thumbprint", MEMBER_TEXT, AT(sandbox_authority, thumbprint)},
    {"subject", MEMBER_TEXT, AT(sandbox_authority, subject)},
    {"untilMs", MEMBER_U64, AT(sandbox_authority, until_ms)},
    END,
};

static const struct member configuration_members[] = {
    {"id", MEMBER_TEXT, AT(sandbox_configuration, id)},
    {"targetCondition", MEMBER_TEXT_OPT, AT(sandbox_configuration, target)},
    {"priority", MEMBER_INT, AT(sandbox_configuration, priority)},
    {"targeted", MEMBER_COUNT, AT(sandbox_configuration, targeted)},
    {"applied", MEMBER_COUNT, AT(sandbox_configuration, applied)},
    {"changedMs", MEMBER_U64, AT(sandbox_configuration, updated_ms)},
    END,
};

cJSON *model_json_device(const struct sandbox_device *v)
{
    return member_encode(device_members, v);
}

cJSON *model_json_enrolment(const struct sandbox_enrolment *v)
{
    return member_encode(enrolment_members, v);
}

cJSON *model_json_authority(const struct sandbox_authority *v)
{
    return member_encode(authority_members, v);
}

cJSON *model_json_configuration(const struct sandbox_configuration *v)
{
    return member_encode(configuration_members, v);
}

void model_parse_device(const cJSON *json, struct sandbox_device *ret)
{
    memset(ret, 0, sizeof(*ret));
    member_decode(device_members, json, ret);
}

void model_parse_enrolment(const cJSON *json, struct sandbox_enrolment *ret)
{
    memset(ret, 0, sizeof(*ret));
    member_decode(enrolment_members, json, ret);
}

void model_parse_authority(const cJSON *json, struct sandbox_authority *ret)
{
    memset(ret, 0, sizeof(*ret));
    member_decode(authority_members, json, ret);
}

void model_parse_configuration(const cJSON *json, struct sandbox_configuration *ret)
{
    memset(ret, 0, sizeof(*ret));
    member_decode(configuration_members, json, ret);
}
