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

bool memory_find(const struct dialect_memory *memory, uint32_t number, struct span *found)
{
    struct span all = bytes_span(&memory->kept);
    bool is_there = false;
    for (size_t at = 0; at < all.len;) {
        struct entry head;
        memcpy(&head, all.data + at, sizeof head);
        at += sizeof head;
        assert(head.len <= all.len - at);
        if (head.number == number) {
            *found = (struct span){all.data + at, head.len};
            is_there = true;
        }
        at += head.len;
    }
    return is_there;
}
