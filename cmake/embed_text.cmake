# Writes a C file that holds one text as a string. Run with cmake -P.
# SPDX-License-Identifier: Apache-2.0
#   -DINPUT=FILE -DOUTPUT=FILE -DSYMBOL=NAME
file(READ "${INPUT}" hex HEX)
string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," bytes "${hex}")
file(WRITE "${OUTPUT}" "/* Made by cmake/embed_text.cmake. */
extern const char ${SYMBOL}[];
const char ${SYMBOL}[] = {${bytes}0};
")
