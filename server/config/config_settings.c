/* The settings as data, and what a running program cannot change.
 * SPDX-License-Identifier: Apache-2.0 */
#include "config/config_settings.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "config/config_read.h"
#include "config/config_schema.h"

#define SETTING(section, name, unit, least, most, by_default, change, about)                                           \
    {.key = #section "." #name,                                                                                        \
     .offset = offsetof(struct config, section.name),                                                                  \
     .width = sizeof(((struct config *)0)->section.name),                                                              \
     .lowest = (least),                                                                                                \
     .highest = (most),                                                                                                \
     .usual = (by_default),                                                                                            \
     .needs_restart = (change) == CONFIG_RESTART},

static const struct config_setting settings[] = {
    CONFIG_LIMITS(SETTING) CONFIG_TIMEOUTS(SETTING) CONFIG_STORE_SETTINGS(SETTING){.key = NULL},
};

const struct config_setting *config_settings(void)
{
    return settings;
}

uint64_t config_setting_value(const struct config *config, const struct config_setting *setting)
{
    const char *field = (const char *)config + setting->offset;
    if (setting->width == sizeof(unsigned)) {
        unsigned value;
        memcpy(&value, field, sizeof(value));
        return value;
    }
    size_t value;
    assert(setting->width == sizeof(value));
    memcpy(&value, field, sizeof(value));
    return value;
}

/* What is out of range was said by the schema, and reads as the default. */
static void read_setting(struct config_reader *r, const struct config_setting *setting)
{
    char *field = (char *)r->config + setting->offset;
    int64_t found = rein_node_int(r->root, setting->key);
    if (found < setting->lowest || found > setting->highest)
        found = setting->usual;
    unsigned narrow = (unsigned)found;
    size_t wide = (size_t)found;
    if (setting->width == sizeof(narrow))
        memcpy(field, &narrow, sizeof(narrow));
    else
        memcpy(field, &wide, sizeof(wide));
}

void config_read_settings(struct config_reader *r)
{
    for (const struct config_setting *setting = settings; setting->key != NULL; setting++)
        read_setting(r, setting);
}

/* ---- what takes a restart ---- */

static size_t count_fixed(const struct rein_key *row)
{
    size_t count = 0;
    for (; row->path != NULL; row++)
        count += (row->flags & REIN_KEY_RESTART) != 0;
    return count;
}

static void check_fixed(struct config_reader *r, const char *key, const char *now, const char *before)
{
    if (strcmp(now, before) != 0)
        rein_problems_node(r->problems, r->root, key,
                           "cannot be changed by a reload, from `%.100s` to `%.100s`: restart Rein, or undo the change",
                           before, now);
}

/* Where the file's own address would do without keys, the open socket's may not. */
static void check_open_socket(struct config_reader *r, const struct config_listener *open,
                              const struct config_listener *said, bool has_keys, const char *key)
{
    if (!open->loopback && said->loopback && !has_keys)
        rein_problems_node(r->problems, r->root, key,
                           "cannot be removed while Rein listens on %s port %u, because everyone could use that "
                           "address: restart Rein with another address, or keep the file",
                           open->host, (unsigned)open->port);
}

int config_read_fixed(struct config_reader *r)
{
    const struct rein_key *row = config_schema()->keys;
    struct config *c = r->config;
    const struct config *before = r->previous;
    c->fixed = calloc(count_fixed(row) + 1, sizeof(*c->fixed));
    if (c->fixed == NULL)
        return REIN_ENOMEM;
    for (size_t i = 0; row->path != NULL; row++) {
        if ((row->flags & REIN_KEY_RESTART) == 0)
            continue;
        const char *now = rein_node_text(r->root, row->path);
        c->fixed[i] = strdup(now != NULL ? now : "");
        if (c->fixed[i] == NULL)
            return REIN_ENOMEM;
        if (before != NULL)
            check_fixed(r, row->path, c->fixed[i], before->fixed[i]);
        i++;
    }
    if (before != NULL) {
        check_open_socket(r, &before->listen, &c->listen, c->keys_file != NULL, "listen.keys_file");
        check_open_socket(r, &before->admin, &c->admin, c->tokens != NULL, "admin.token_file");
    }
    return 0;
}
