/* jansson's memory: there is always some, or the process ends.
 * SPDX-License-Identifier: Apache-2.0
 *
 * jansson 2.14 overlooks it when the buffer of its lexer can't grow (json_loadb and its kin): the byte is dropped. A
 * string then comes out shorter than it was, or, if the byte was its closing quote, is read and written past the ends
 * of both blocks. A guard must continue with neither, so an allocation that fails ends the process with a line that
 * says why. For the same reason tests that let allocations fail leave jansson's alone. What it is given to read is
 * bounded
 * (`limits` of the config).
 *
 * It follows that a function of jansson's which returns NULL was given something that it does not accept. */
#ifndef SERVER_BASE_JSON_HEAP_H
#define SERVER_BASE_JSON_HEAP_H

/* Before jansson is used, by the main thread. */
void json_heap_use(void);

#endif
