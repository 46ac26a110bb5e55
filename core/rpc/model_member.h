/* Tables of a struct's members, and the one encoder and the one decoder that walk them: what is
 * written is what is read, and a new member is one row. Only model_*.c include this.
 *
 * The decoder trusts nothing: text passes the sanitiser, arrays stop at the struct's capacity,
 * numbers outside their range become the value for "unknown". */
#ifndef BERTH_RPC_MODEL_MEMBER_H
#define BERTH_RPC_MODEL_MEMBER_H

#include "core/base/json.h"

#include <stddef.h>

enum member_type {
    MEMBER_TEXT,     /* char[]; always a string */
    MEMBER_TEXT_OPT, /* char[]; null where empty */
    MEMBER_BOOL,
    MEMBER_INT,     /* int, any sign */
    MEMBER_PERCENT, /* int up to 100; null where negative */
    MEMBER_COUNT,   /* int; null where negative */
    MEMBER_U16,
    MEMBER_U32,
    MEMBER_U64,
    MEMBER_SIZE,
    MEMBER_RATIO, /* double percentage; null where negative */
    MEMBER_WORD,  /* an enum, as its lower-case word */
    MEMBER_ERROR, /* struct err; null where ERR_NONE */
    MEMBER_LIST,  /* array of structs; its count is another member */
    MEMBER_STRUCT,
};

struct words {
    const char *(*name)(unsigned value);
    unsigned (*parse)(const char *name);
};

struct member {
    const char *key;
    enum member_type type;
    size_t offset;
    size_t size; /* of the member; of one element for a list */
    const struct words *words;
    const struct member *of; /* table of a nested struct */
    size_t max;              /* list: capacity */
    size_t count_offset;     /* list: where its size_t count is */
};

/* The model's name functions have one type per enum; the tables need a common one. */
#define WORDS(noun, enum_tag)                      \
    static const char *noun##_word(unsigned value) \
    {                                              \
        return noun##_name((enum enum_tag)value);  \
    }                                              \
    static unsigned noun##_value(const char *name) \
    {                                              \
        return (unsigned)noun##_parse(name);       \
    }                                              \
    static const struct words noun##_words = {noun##_word, noun##_value}

#define SIZE_IN(type, field) sizeof(((const struct type *)0)->field)
#define AT(type, field)      .offset = offsetof(struct type, field), .size = SIZE_IN(type, field)
#define LIST(type, field, count)                                             \
    .offset = offsetof(struct type, field), .size = SIZE_IN(type, field[0]), \
    .max = SIZE_IN(type, field) / SIZE_IN(type, field[0]),                   \
    .count_offset = offsetof(struct type, count)
#define END         \
    {               \
        .key = NULL \
    }

/* Never NULL. */
cJSON *member_encode(const struct member *members, const void *value);
/* JSON of any type, NULL included: members that are not there become zero. */
void member_decode(const struct member *members, const cJSON *json, void *value);

#endif
