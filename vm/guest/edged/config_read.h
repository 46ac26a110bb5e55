/* How the files of the configuration read TOML: tables of keys, each with what its value must be
 * and where it goes. Nobody else includes this. */
#ifndef BERTH_EDGED_CONFIG_READ_H
#define BERTH_EDGED_CONFIG_READ_H

#include "core/base/attr.h"
#include "core/base/toml.h"
#include "vm/guest/edged/config.h"

enum config_kind {
    CONFIG_TEXT,   /* char[size] */
    CONFIG_FILE,   /* "file:///path": char[size] gets the path */
    CONFIG_SOCKET, /* "unix:///path": the same */
    CONFIG_BOOL,   /* bool */
    CONFIG_NUMBER, /* uint64_t, min to max (0: any) */
    CONFIG_OTHER,  /* whatever `take` says */
};

struct config_key {
    const char *path; /* from the table on, parts divided by '.' */
    enum config_kind kind;
    bool required;
    size_t offset, size; /* size 0: checked, not kept */
    uint64_t min, max;
    int (*take)(void *base, const struct toml *value, struct err *err);
};
#define CONFIG_FIELD(type, field) \
    .offset = offsetof(type, field), .size = sizeof(((type *)0)->field)

/* Takes what KEYS name from TABLE into the struct at BASE. Errors: "line N: PREFIX.path: ...". */
int config_take(void *base, const struct config_key *keys, size_t n, const struct toml *table,
                const char *prefix, struct err *err);

const struct toml *config_find(const struct toml *table, const char *path); /* NULL: not there */

/* For `take`: the message is what follows "line N: key: ". */
int config_copy_text(char *to, size_t size, const struct toml *value, struct err *err);
int config_copy_file(char *to, size_t size, const struct toml *value, struct err *err);
int config_need(const struct toml *value, enum toml_type type, struct err *err);
/* A table of strings; each value goes through COPY (NULL: as it is). */
int config_take_pairs(struct config_pairs *to, const struct toml *table,
                      int (*copy)(char *to, size_t size, const struct toml *value, struct err *err),
                      struct err *err);
void config_pairs_add(struct config_pairs *to, const char *name, const char *value);
void config_pairs_done(struct config_pairs *pairs);

/* config_provisioning.c, config_edge.c, config_files.c */
int config_take_provisioning(struct config *c, const struct toml *root, struct err *err);
int config_take_edge(struct config *c, const struct toml *root, struct err *err);
/* What only the named files can tell. */
int config_check_files(struct config *c, struct err *err);

#endif
