/* See passing.h: the entries of a dialect's memory.
 * SPDX-License-Identifier: Apache-2.0 */
#include "dialect/passing.h"

struct entry {
    uint32_t number, len;
};

int memory_begin(struct dialect_memory *memory, uint32_t number, size_t *entry)
{
    struct entry head = {number, 0};
    *entry = bytes_len(&memory->kept);
    return bytes_append(&memory->kept, (const char *)&head, sizeof head);
}

void memory_end(struct dialect_memory *memory, size_t entry)
{
    struct entry head;
    char *at = bytes_at(&memory->kept, entry);
    memcpy(&head, at, sizeof head);
    head.len = (uint32_t)(bytes_len(&memory->kept) - entry - sizeof head);
    memcpy(at, &head, sizeof head);
}

bool memory_next(const struct dialect_memory *memory, size_t *at, uint32_t *number, struct span *entry)
{
    struct span all = bytes_span(&memory->kept);
    struct entry head;
    if (*at >= all.len)
        return false;
    memcpy(&head, all.data + *at, sizeof head);
    *at += sizeof head;
    assert(head.len <= all.len - *at);
    *number = head.number;
    *entry = (struct span){all.data + *at, head.len};
    *at += head.len;
    return true;
}
